//! The commands: the only place that reads a clock, the environment and the arguments, and writes to the
//! terminal.
//!
//! Exit codes: 0 fine, 1 failed at work, 2 wrong usage or configuration.

mod check;
mod clock;
mod demo;
mod explain;
mod healthcheck;
mod input;
mod log;
mod own_bug;
mod replay;
mod run;
mod serve;

use crate::config::{self, Loaded};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Something that ends the command, already worded for whoever started it.
enum Failure {
    /// Exit code 1.
    Work(String),
    /// Exit code 2.
    Usage(String),
    /// Whoever read standard output has seen enough (`| head`), which is fine: exit code 0.
    Unread,
}

type Outcome = Result<(), Failure>;

const EXIT_CODES: &str = "Exit codes: 0 fine, 1 failed at work, 2 wrong usage or configuration.";

/// Measures machine learning models in production from their inference logs, for Prometheus.
#[derive(Parser)]
#[command(
    version,
    subcommand_negates_reqs = true,
    override_usage = "inference-exporter [run] --config <FILE> [OPTIONS]\n       inference-exporter <COMMAND>",
    after_help = EXIT_CODES
)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Option<run::RunArguments>,
    #[command(flatten)]
    log: LogArguments,
}

#[derive(Args, Clone)]
struct LogArguments {
    /// What the exporter itself logs to stderr: error, warn, info, debug or trace [default: RUST_LOG, or info]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = log::read_level)]
    log_level: Option<tracing::Level>,
}

#[derive(Args, Clone)]
struct ConfigArguments {
    /// The configuration file
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Follow the logs and serve metrics (the default)
    Run(run::RunArguments),
    /// Validate a configuration, say every mistake, and print the plan
    Check(ConfigArguments),
    /// Read logs once to their end and print a report
    Replay(replay::ReplayArguments),
    /// Say what becomes of each line of standard input
    Explain(explain::ExplainArguments),
    /// Ask a running exporter whether it is ready; exit code 0 when it is
    Healthcheck(healthcheck::HealthcheckArguments),
    /// Serve live traffic of three real models, with late labels, a drift and a bad release
    Demo(demo::DemoArguments),
}

/// Runs the command that the arguments name and returns its exit code.
pub fn main() -> ExitCode {
    let arguments = CommandLine::parse();
    log::start(arguments.log.log_level);
    own_bug::report();
    // The hook has said what there is to say of a panic; it is left to end with an exit code of ours.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| run_command(arguments)));
    let (code, text) = match outcome {
        Ok(Ok(()) | Err(Failure::Unread)) => return ExitCode::SUCCESS,
        Ok(Err(Failure::Work(text))) => (1, text),
        Ok(Err(Failure::Usage(text))) => (2, text),
        Err(_) => return ExitCode::FAILURE,
    };
    // Where even stderr is gone, the exit code is all that is left to say.
    writeln!(io::stderr(), "inference-exporter: {text}").ok();
    ExitCode::from(code)
}

fn run_command(arguments: CommandLine) -> Outcome {
    match (arguments.command, arguments.run) {
        (None, Some(arguments)) | (Some(Command::Run(arguments)), None) => run::run(&arguments),
        (Some(Command::Check(arguments)), None) => check::run(&arguments),
        (Some(Command::Replay(arguments)), None) => replay::run(&arguments),
        (Some(Command::Explain(arguments)), None) => explain::run(&arguments),
        (Some(Command::Healthcheck(arguments)), None) => healthcheck::run(&arguments),
        (Some(Command::Demo(arguments)), None) => demo::run(&arguments),
        (Some(_), Some(_)) => {
            let what = "options of a command come after it, except for --log-level";
            CommandLine::command().error(ErrorKind::ArgumentConflict, what).exit()
        }
        (None, None) => {
            let what = "--config <FILE> is missing";
            CommandLine::command().error(ErrorKind::MissingRequiredArgument, what).exit()
        }
    }
}

/// Reads a configuration, with what there is to warn of.
fn load(path: &Path) -> Result<Loaded, Failure> {
    let environment = |name: &str| std::env::var(name).ok();
    config::load(path, &environment)
        .map_err(|errors| Failure::Usage(format!("wrong configuration\n{errors}")))
}

/// Reads a configuration; its warnings go to the log.
fn load_and_warn(path: &Path) -> Result<config::Plan, Failure> {
    let Loaded { plan, warnings } = load(path)?;
    log::warn_of(&warnings);
    Ok(plan)
}

/// Writes to standard output.
fn print(bytes: &[u8]) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Unread,
        _ => Failure::Work(format!("cannot write to standard output: {error}")),
    })
}

/// Random bytes for what is hashed with a key of its own.
fn secret() -> Result<crate::join::Secret, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Work(format!("the system gives no random numbers: {error}")))?;
    Ok(crate::join::Secret::new(bytes))
}
