//! `check`: every mistake of a configuration at once, or the plan.

use super::{ConfigArguments, Outcome, load, print};
use crate::config::{Loaded, plan_text};
use std::fmt::Write;

pub(super) fn run(arguments: &ConfigArguments) -> Outcome {
    let Loaded { plan, warnings } = load(&arguments.config)?;
    let mut text = plan_text(&plan);
    if !warnings.is_empty() {
        text.push_str("\nWarnings\n");
    }
    for warning in &warnings {
        if writeln!(text, "  {warning}").is_err() {
            unreachable!("writing to a string does not fail");
        }
    }
    print(text.as_bytes())
}
