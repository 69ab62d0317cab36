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
mod replay;
mod run;
mod serve;

use crate::config::{self, Loaded};
use clap::{Args, Parser, Subcommand};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Something that ends the command, already worded for whoever started it.
enum Failure {
    /// Exit code 1.
    Work(String),
    /// Exit code 2.
    Usage(String),
}

type Outcome = Result<(), Failure>;

/// Measures machine learning models in production from their inference logs, for Prometheus.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
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
    /// What the exporter itself logs to stderr: error, warn, info, debug or trace [default: info, or RUST_LOG]
    #[arg(long, global = true, value_name = "LEVEL")]
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
    let outcome = match arguments.command {
        None => match &arguments.run {
            Some(arguments) => run::run(arguments),
            None => Err(Failure::Usage("run needs --config FILE; --help lists the commands".to_owned())),
        },
        Some(Command::Run(arguments)) => run::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Replay(arguments)) => replay::run(&arguments),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
        Some(Command::Healthcheck(arguments)) => healthcheck::run(&arguments),
        Some(Command::Demo(arguments)) => demo::run(&arguments),
    };
    let (code, text) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Work(text)) => (1, text),
        Err(Failure::Usage(text)) => (2, text),
    };
    // Where even stderr is gone, the exit code is all that is left to say.
    writeln!(io::stderr(), "inference-exporter: {text}").ok();
    ExitCode::from(code)
}

/// Reads a configuration; its warnings go to the log.
fn load(path: &Path) -> Result<Loaded, Failure> {
    let environment = |name: &str| std::env::var(name).ok();
    config::load(path, &environment)
        .map_err(|errors| Failure::Usage(format!("wrong configuration\n{errors}")))
}

fn load_and_warn(path: &Path) -> Result<config::Plan, Failure> {
    let Loaded { plan, warnings } = load(path)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(plan)
}

/// Writes to standard output. A reader that has gone away has seen enough.
fn print(bytes: &[u8]) -> Outcome {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Work(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Random bytes for what is hashed with a key of its own.
fn secret() -> Result<crate::join::Secret, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Work(format!("the system gives no random numbers: {error}")))?;
    Ok(crate::join::Secret::new(bytes))
}
