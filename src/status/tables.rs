//! The tables that the status comes to: what the page and the report show, in the order they show it.

mod quality;

pub use quality::{averages, classes, slices, windows};

use super::figure::{age, bytes, count, duration, figure, instant, with_interval};
use super::table::{Cell, Table, Tone};
use super::target::{Standing, Verdict, standings};
use super::{LogStatus, ModelStatus, VersionStatus, WindowStatus};
use crate::time::Timestamp;

/// The versions of a model, the one that was seen last first.
pub fn versions_by_age(model: &ModelStatus) -> Vec<&VersionStatus> {
    let mut versions: Vec<&VersionStatus> = model.versions.iter().collect();
    let last = |version: &VersionStatus| version.last_seen.unwrap_or(f64::NEG_INFINITY);
    versions.sort_by(|one, other| {
        last(other).total_cmp(&last(one)).then_with(|| one.version.cmp(&other.version))
    });
    versions
}

/// A version's name, also where it has none.
pub fn version_name(version: &VersionStatus) -> &str {
    if version.version.is_empty() { "(no version)" } else { &version.version }
}

/// All models at a glance.
pub fn models(models: &[ModelStatus], now: Timestamp) -> Table {
    let headers =
        ["model", "task", "targets", "last seen", "versions", "requests", "predictions", "joined", "pending"];
    let mut table = Table::new("Models", &headers);
    for model in models {
        let sum = |value: fn(&VersionStatus) -> u64| model.versions.iter().map(value).sum::<u64>();
        table.rows.push(vec![
            Cell::new(&*model.model),
            Cell::new(model.task),
            overall(model, now),
            seen(model.versions.iter().filter_map(|version| version.last_seen).reduce(f64::max), now),
            number(model.versions.len() as u64),
            number(sum(|version| version.requests_by_result().iter().sum())),
            number(sum(|version| version.predictions)),
            number(sum(|version| label_count(version, "joined"))),
            number(sum(|version| version.pending)),
        ]);
    }
    table
}

/// What the versions of a model have to show for its targets: a miss by name, else how many are met.
fn overall(model: &ModelStatus, now: Timestamp) -> Cell {
    if model.targets.is_empty() {
        return Cell::absent("targets: the model has none");
    }
    let (mut misses, mut meets, mut all) = (Vec::new(), 0, 0);
    for version in versions_by_age(model) {
        for standing in standings(model, version, version.telling(), now) {
            all += 1;
            match standing.verdict {
                Verdict::Misses => {
                    misses.push(format!("{} by {}", standing.indicator, version_name(version)))
                }
                Verdict::Meets => meets += 1,
                Verdict::Unsure | Verdict::NoValue | Verdict::AlertsOnly => {}
            }
        }
    }
    match &misses[..] {
        _ if all == 0 => Cell::absent("targets: no request was seen yet"),
        [] if meets == all => Cell::new("all met").toned(Tone::Good),
        [] => Cell::new(format!("{meets} of {all} met, none missed")).toned(Tone::Unsure),
        [only] => Cell::new(format!("missed: {only}")).toned(Tone::Bad),
        [first, others @ ..] => {
            let text = format!("missed: {first}, and {} more", others.len());
            Cell::new(text).toned(Tone::Bad).noted(misses.join(", "))
        }
    }
}

/// What the versions of a model did since they were first seen.
pub fn versions(model: &ModelStatus, now: Timestamp) -> Table {
    let headers = [
        "version",
        "last seen",
        "requests",
        "failed",
        "predictions",
        "pending",
        "joined",
        "late",
        "duplicate",
        "invalid",
        "expired",
        "evicted",
        "coverage",
        "p50",
        "p99",
    ];
    let mut table = Table::new(format!("Versions of {}, since the start", model.model), &headers);
    for version in versions_by_age(model) {
        let [ok, failed] = version.requests_by_result();
        let unlabeled = |reason| number(version.unlabeled.get(reason).copied().unwrap_or(0));
        let label = |result| number(label_count(version, result));
        table.rows.push(vec![
            Cell::new(version_name(version)),
            seen(version.last_seen, now),
            number(ok + failed),
            number(failed),
            number(version.predictions),
            number(version.pending),
            label("joined"),
            label("late"),
            label("duplicate"),
            label("invalid"),
            unlabeled("expired"),
            unlabeled("evicted"),
            coverage(version),
            latency(version, 0.5),
            latency(version, 0.99),
        ]);
    }
    table
}

/// The share of settled predictions that were labelled.
fn coverage(version: &VersionStatus) -> Cell {
    let joined = label_count(version, "joined");
    let settled = joined + version.unlabeled.values().sum::<u64>();
    if settled == 0 {
        return Cell::absent("coverage: no prediction is labelled or given up yet");
    }
    Cell::new(figure(joined as f64 / settled as f64))
}

fn latency(version: &VersionStatus, share: f64) -> Cell {
    let Some(latency) = &version.latency else {
        return Cell::absent("p50, p99: no log of the model maps latency");
    };
    match latency.quantile_bound(share) {
        Some(seconds) => Cell::new(format!("≤ {}", duration(seconds))),
        None if latency.count == 0 => Cell::absent("p50, p99: no request had a latency"),
        None => match latency.buckets.last() {
            Some(bucket) => Cell::new(format!("> {}", duration(bucket.at_most))),
            None => Cell::absent("p50, p99: the histogram has no bounds"),
        },
    }
}

/// Targets of a model against what one version has in one window.
pub fn targets(
    model: &ModelStatus,
    version: &VersionStatus,
    window: Option<&WindowStatus>,
    now: Timestamp,
) -> Table {
    let caption = format!("Targets of {}, version {}", model.model, version_name(version));
    let mut table = Table::new(caption, &["target", "state", "wanted", "actual", "over"]);
    for standing in standings(model, version, window, now) {
        table.rows.push(target_row(&standing));
    }
    table
}

fn target_row(standing: &Standing) -> Vec<Cell> {
    let is_time =
        ["latency_p", "label_age", "label_delay"].iter().any(|one| standing.indicator.starts_with(one));
    let show = |value: f64| if is_time { duration(value) } else { figure(value) };
    let actual = match standing.actual {
        None => Cell::absent(standing.verdict.words()),
        Some(actual) if actual.has_interval() => {
            Cell::new(with_interval(actual.value, actual.lower, actual.upper))
        }
        Some(actual) if standing.indicator.starts_with("latency_p") => {
            Cell::new(format!("≤ {}", show(actual.value)))
        }
        Some(actual) => Cell::new(show(actual.value)),
    };
    let tone = match standing.verdict {
        Verdict::Meets => Tone::Good,
        Verdict::Misses => Tone::Bad,
        Verdict::Unsure => Tone::Unsure,
        Verdict::NoValue | Verdict::AlertsOnly => Tone::Plain,
    };
    vec![
        Cell::new(&*standing.indicator),
        Cell::new(standing.verdict.words()).toned(tone),
        Cell::new(format!("{} {}", standing.limit.sign(), show(standing.target))),
        actual,
        Cell::new(&*standing.over),
    ]
}

/// What became of the lines of every log.
pub fn logs(logs: &[LogStatus], now: Timestamp) -> Table {
    let headers = [
        "log",
        "lines",
        "records",
        "ignored",
        "rejected",
        "bytes",
        "lag",
        "behind",
        "files",
        "newest record",
    ];
    let mut table = Table::new("Lines of each log by what became of them", &headers);
    for log in logs {
        let rejected: u64 = log.rejected.values().sum();
        let tone = if rejected > 0 { Tone::Bad } else { Tone::Plain };
        let files: Vec<String> = log.files.iter().map(|(state, files)| format!("{files} {state}")).collect();
        table.rows.push(vec![
            Cell::new(&*log.log),
            number(log.lines),
            number(log.records),
            number(log.ignored.values().sum()),
            number(rejected).toned(tone),
            Cell::new(bytes(log.bytes)),
            Cell::new(log.lag_bytes.map_or_else(String::new, bytes)),
            Cell::new(log.lag_seconds.map_or_else(String::new, duration)),
            Cell::new(files.join(", ")),
            match log.last_record {
                None => Cell::absent("newest record: none with a time was read yet"),
                time => seen(time, now),
            },
        ]);
    }
    table.without_empty_columns()
}

/// Why lines were rejected or ignored, and which values of records were missing or of no use.
pub fn reasons(logs: &[LogStatus]) -> Table {
    let mut table = Table::new("Lines and values that were not used", &["log", "what", "count", "meaning"]);
    for log in logs {
        let mut push = |what: String, count: u64, meaning: &str| {
            table.rows.push(vec![Cell::new(&*log.log), Cell::new(what), number(count), Cell::new(meaning)]);
        };
        for (reason, &count) in &log.rejected {
            push(format!("rejected: {reason}"), count, reason_meaning(reason));
        }
        for (reason, &count) in &log.ignored {
            push(format!("ignored: {reason}"), count, reason_meaning(reason));
        }
        for (field, &count) in &log.invalid_values {
            push(format!("unusable {field}"), count, "not a finite number, or neither of two classes");
        }
        for (field, &count) in &log.missing_values {
            push(format!("missing {field}"), count, "the record does not have the field, or has it as null");
        }
    }
    table
}

/// What a `reason` of a line means, and what to look at.
fn reason_meaning(reason: &str) -> &'static str {
    match reason {
        "malformed" => "not in the log's format; look at format, pattern, delimiter",
        "too_long" => "longer than limits.line",
        "invalid_utf8" => "a mapped field is not UTF-8",
        "invalid_time" => "fields.time cannot be read as a time; look at its format",
        "missing_model" => "fields.model names none",
        "unknown_model" => "the model is not in models; \"*\" would take it",
        "nothing_mapped" => "none of the mapped fields is there; look at fields",
        "not_a_batch" => "explode does not point at an array",
        "container" => "not as the container runtime writes; look at container",
        "encoding" => "the file is UTF-16; it has to be UTF-8",
        "condition" => "where sorted it out",
        "header" => "the header of a CSV file",
        "empty" => "nothing but white space",
        _ => "",
    }
}

fn label_count(version: &VersionStatus, result: &str) -> u64 {
    version.labels.get(result).copied().unwrap_or(0)
}

fn number(value: u64) -> Cell {
    Cell::new(count(value))
}

fn seen(time: Option<f64>, now: Timestamp) -> Cell {
    match time {
        Some(time) => Cell::new(age(time, now)).noted(instant(time)),
        None => Cell::absent("last seen: no request with a time yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Ignore, Reject};

    #[test]
    fn every_reason_has_a_meaning() {
        let names = Reject::ALL.map(Reject::name).into_iter().chain(Ignore::ALL.map(Ignore::name));
        for name in names {
            assert!(!reason_meaning(name).is_empty(), "{name}");
        }
    }
}
