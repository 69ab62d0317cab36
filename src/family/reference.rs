//! The metric reference, written from the table of families.

use super::{Kind, families, own};
use crate::limits::OTHER;
use std::fmt::Write;

/// `docs/metrics.md`.
pub fn markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    for family in families() {
        let scope = family.read.labels().iter().chain(family.labels);
        let labels: Vec<String> = scope.map(|label| format!("`{label}`")).collect();
        section(&mut out, family.name, family.kind, &labels.join(", "), family.help, family.absent);
    }
    for (name, kind, help) in own::FAMILIES {
        // The one label that these have: build information is labels by its nature.
        let labels = if name.ends_with("_build_info") { "`version`" } else { "" };
        section(&mut out, name, *kind, labels, help, "");
    }
    out.push_str(PROCESS);
    out
}

fn section(out: &mut String, name: &str, kind: Kind, labels: &str, help: &str, absent: &str) {
    let labels = if labels.is_empty() { "none" } else { labels };
    // Bare underscores would make it bold.
    let help = help.replace(OTHER, &format!("`{OTHER}`"));
    let mut text = format!("\n## {name}\n\n{help}\n\n- Type: {}\n- Labels: {labels}\n", kind.name());
    if !absent.is_empty() && writeln!(text, "- Absent: {absent}.").is_err() {
        unreachable!("writing to a string does not fail");
    }
    out.push_str(&text);
}

const INTRODUCTION: &str = "\
# Metrics

Written from the code by the test `documents`; do not edit.

Counters and histograms are the ground: they add up over pods with `sum`. Gauges over windows give what no query can
compute from counters; never average them. Ratios are 0 to 1, times are seconds, and a value that is undefined is absent:
never 0, never NaN. `window` is the length of the window (`5m`, `1h`, `24h`, or `all` since the start), `slice` is `all`
or a slice and its value (`country=DE`). A value beyond a limit becomes `__other__`, so that totals stay right. Counters
of declared classes start at 0.
";

const PROCESS: &str = "
## process_*

CPU, memory, file descriptors, threads and start time of the process, as every exporter has them.
";
