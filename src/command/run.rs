//! `run`: the sidecar.

use super::serve::{self, Options};
use super::{Failure, Outcome, load_and_warn};
use crate::http::web_config::WebConfig;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
pub(super) struct RunArguments {
    // Not flattened: clap would not see that it makes a `run` of a command line without a command.
    /// The configuration file
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// TLS and basic authentication, in the schema of Prometheus' exporter-toolkit
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<PathBuf>,
    /// Allow POST /-/reload
    #[arg(long = "web.enable-lifecycle")]
    web_enable_lifecycle: bool,
    /// How long /metrics stays up after SIGTERM, for the last scrape
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    shutdown_delay: Duration,
}

pub(super) fn run(arguments: &RunArguments) -> Outcome {
    let plan = load_and_warn(&arguments.config)?;
    let web = arguments.web_config_file.as_deref().map(WebConfig::load).transpose();
    let web = web.map_err(|error| Failure::Usage(format!("wrong web configuration\n{error}")))?;
    serve::serve(Options {
        plan,
        config_file: Some(arguments.config.clone()),
        web,
        enable_lifecycle: arguments.web_enable_lifecycle,
        shutdown_delay: arguments.shutdown_delay,
        announce: Box::new(|address| tracing::info!(%address, "listening")),
    })
}
