//! `replay`: reads logs once to their end, with event time as the clock, and prints what they come to.

use super::input::{self, Chosen};
use super::{ConfigArguments, Failure, Outcome, load_and_warn, print, secret};
use crate::family::{self, writer};
use crate::pipeline::{Config, State, replay};
use crate::report;
use crate::source::discover;
use crate::status::Status;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal};

#[derive(Args)]
pub(super) struct ReplayArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// What to read, as FILE or NAME=FILE with the name of a log; NAME=- is standard input [default: the
    /// configured paths]
    #[arg(value_name = "LOG")]
    logs: Vec<String>,
    /// How the report is written
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Output {
    /// A report for a person
    Text,
    /// The report for a program
    Json,
    /// The exposition, as /metrics would have it
    Metrics,
}

pub(super) fn run(arguments: &ReplayArguments) -> Outcome {
    let mut config = load_and_warn(&arguments.config.config)?.pipeline;
    for model in config.models.iter_mut().chain(&mut config.found) {
        model.window_all = true;
    }
    let chosen = if arguments.logs.is_empty() {
        configured(&config)?
    } else {
        input::choose(&config, &arguments.logs)?
    };
    let (inputs, bytes) = input::open(chosen)?;
    let mut state = State::new(&config, secret()?);
    let bar = progress_bar(bytes);
    let replayed = replay::run(&config, inputs, &mut state, &mut |count| bar.inc(count));
    bar.finish_and_clear();
    replayed.map_err(|error| Failure::Work(input::describe(&error)))?;
    let text = match arguments.output {
        Output::Metrics => {
            let mut writer = writer::Writer::new(writer::Format::Text, 1 << 16);
            family::write(&state, &mut writer);
            writer.finish()
        }
        Output::Json => report::json(&Status::new(&state)),
        Output::Text => report::text(&Status::new(&state), io::stdout().is_terminal()).into_bytes(),
    };
    print(&text)?;
    // A prompt must not follow the last line on its own line.
    if text.ends_with(b"\n") { Ok(()) } else { print(b"\n") }
}

/// All files that the configured paths match now.
fn configured(config: &Config) -> Result<Vec<Chosen>, Failure> {
    let mut chosen = Vec::new();
    for (stream, log) in config.streams.iter().enumerate() {
        let files = discover::matching(&log.source.paths, &log.source.exclude)
            .map_err(|error| Failure::Usage(format!("log `{}`: {error}", log.name)))?;
        if files.is_empty() {
            tracing::warn!(log = log.name, "no file matches the configured paths");
        }
        chosen.extend(files.into_iter().map(|path| Chosen { stream, path }));
    }
    if chosen.is_empty() {
        let what = "there is nothing to read: no file matches the configured paths; name files as LOG";
        return Err(Failure::Work(what.to_owned()));
    }
    Ok(chosen)
}

/// On a terminal a bar, otherwise nothing.
fn progress_bar(bytes: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match bytes {
        Some(_) => "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        None => "{spinner} {bytes} {bytes_per_sec}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    match bytes {
        Some(bytes) => ProgressBar::new(bytes).with_style(style),
        None => ProgressBar::new_spinner().with_style(style),
    }
}
