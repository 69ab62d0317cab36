//! The tables that the status comes to: what the page and the report show, in the order they show it.

use super::figure::{age, bytes, count, duration, figure, instant, with_bound, with_interval};
use super::table::{Cell, Table, Tone};
use super::target::{Standing, Verdict, standings};
use super::{LogStatus, ModelStatus, VersionStatus, WindowStatus};
use crate::time::Timestamp;
use std::collections::BTreeMap;

type Values = BTreeMap<&'static str, f64>;

/// Where a measure of a window is found.
#[derive(Clone, Copy)]
enum Place {
    Value(&'static str),
    /// The mean over classes, and its name among the absent values.
    Macro(&'static str, &'static str),
    TopK(u32),
}

const CLASSIFIER: [(&str, Place); 14] = [
    ("label coverage", Place::Value("label_coverage")),
    ("accuracy", Place::Value("accuracy")),
    ("balanced accuracy", Place::Value("balanced_accuracy")),
    ("precision (macro)", Place::Macro("precision", "precision_average")),
    ("recall (macro)", Place::Macro("recall", "recall_average")),
    ("F1 (macro)", Place::Macro("f1", "f1_average")),
    ("specificity (macro)", Place::Macro("specificity", "specificity_average")),
    ("MCC", Place::Value("mcc")),
    ("Cohen's kappa", Place::Value("cohen_kappa")),
    ("ROC AUC", Place::Value("roc_auc")),
    ("PR AUC", Place::Value("pr_auc")),
    ("log loss", Place::Value("log_loss")),
    ("Brier score", Place::Value("brier_score")),
    ("calibration error", Place::Value("calibration_error")),
];

const REGRESSION: [(&str, Place); 7] = [
    ("label coverage", Place::Value("label_coverage")),
    ("MAE", Place::Value("mae")),
    ("RMSE", Place::Value("rmse")),
    ("bias", Place::Value("bias")),
    ("R²", Place::Value("r2")),
    ("MAPE", Place::Value("mape")),
    ("MSE", Place::Value("mse")),
];

/// Columns of the table of classes.
const OF_CLASS: [(&str, &str); 6] = [
    ("precision", "precision"),
    ("recall", "recall"),
    ("F1", "f1"),
    ("specificity", "specificity"),
    ("ROC AUC", "roc_auc"),
    ("PR AUC", "pr_auc"),
];

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
        return Cell::absent("the model has no targets");
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
        _ if all == 0 => Cell::absent("no request was seen yet"),
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
        "last seen",
    ];
    let mut table = Table::new(format!("Versions of {}, since the start", model.model), &headers);
    for version in versions_by_age(model) {
        let [ok, failed] = version.requests_by_result();
        let unlabeled = |reason| number(version.unlabeled.get(reason).copied().unwrap_or(0));
        let label = |result| number(label_count(version, result));
        table.rows.push(vec![
            Cell::new(version_name(version)),
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
            seen(version.last_seen, now),
        ]);
    }
    table
}

/// The share of settled predictions that were labelled.
fn coverage(version: &VersionStatus) -> Cell {
    let joined = label_count(version, "joined");
    let settled = joined + version.unlabeled.values().sum::<u64>();
    if settled == 0 {
        return Cell::absent("no prediction is labelled or given up yet");
    }
    Cell::new(figure(joined as f64 / settled as f64))
}

fn latency(version: &VersionStatus, share: f64) -> Cell {
    let Some(latency) = &version.latency else { return Cell::absent("no log of the model maps latency") };
    match latency.quantile_bound(share) {
        Some(seconds) => Cell::new(format!("≤ {}", duration(seconds))),
        None if latency.count == 0 => Cell::absent("no request had a latency"),
        None => match latency.buckets.last() {
            Some(bucket) => Cell::new(format!("> {}", duration(bucket.at_most))),
            None => Cell::absent("the histogram has no bounds"),
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

/// The windows of a version over everything, a row for each measure.
pub fn windows(model: &ModelStatus, version: &VersionStatus, windows: &[&WindowStatus]) -> Table {
    let caption = format!("Windows of {}, version {}", model.model, version_name(version));
    let mut headers = vec!["measure"];
    headers.extend(windows.iter().map(|window| &*window.window));
    let mut table = Table::new(caption, &headers);
    let mut row = vec![Cell::new("samples")];
    row.extend(windows.iter().map(|window| number(window.samples)));
    table.rows.push(row);
    let fixed: &[(&str, Place)] = if model.task == "regression" { &REGRESSION } else { &CLASSIFIER };
    for &(name, place) in fixed {
        push_measure(&mut table, name, place, windows);
    }
    let mut top: Vec<u32> = windows.iter().flat_map(|window| window.top_k_accuracy.keys().copied()).collect();
    top.sort_unstable();
    top.dedup();
    for k in top {
        push_measure(&mut table, &format!("top-{k} accuracy"), Place::TopK(k), windows);
    }
    table
}

/// A measure that the model does not have at all has no row.
fn push_measure(table: &mut Table, name: &str, place: Place, windows: &[&WindowStatus]) {
    let cells: Vec<Option<Cell>> = windows.iter().map(|window| measure(window, place)).collect();
    if cells.iter().all(Option::is_none) {
        return;
    }
    let mut row = vec![Cell::new(name)];
    row.extend(cells.into_iter().map(|cell| cell.unwrap_or_else(|| Cell::absent(NO_SAMPLE))));
    table.rows.push(row);
}

const NO_SAMPLE: &str = "no labelled prediction in the window";

fn measure(window: &WindowStatus, place: Place) -> Option<Cell> {
    let (values, name, absent) = match place {
        Place::Value(name) => (Some(&window.values), name, name),
        Place::Macro(name, absent) => (window.averages.get("macro"), name, absent),
        Place::TopK(k) => return window.top_k_accuracy.get(&k).map(|&value| Cell::new(figure(value))),
    };
    let known = values.and_then(|values| value_cell(values, name));
    known.or_else(|| window.absent.get(absent).map(|&reason| Cell::absent(reason)))
}

/// A value with its interval or bound, where it has one.
fn value_cell(values: &Values, name: &str) -> Option<Cell> {
    let value = *values.get(name)?;
    let end = |suffix: &str| {
        values.iter().find(|(key, _)| key.strip_prefix(name) == Some(suffix)).map(|(_, &value)| value)
    };
    let text = match (end("_lower"), end("_upper"), end("_error_bound")) {
        (Some(lower), Some(upper), _) => with_interval(value, lower, upper),
        (_, _, Some(bound)) => with_bound(value, bound),
        _ => figure(value),
    };
    Some(Cell::new(text))
}

/// The classes of one window.
pub fn classes(model: &ModelStatus, version: &VersionStatus, window: &WindowStatus) -> Table {
    let caption =
        format!("Classes of {}, version {}, window {}", model.model, version_name(version), window.window);
    let ranked = window.classes.values().any(|values| values.contains_key("roc_auc"));
    let columns = &OF_CLASS[..if ranked { OF_CLASS.len() } else { 4 }];
    let mut headers = vec!["class"];
    headers.extend(columns.iter().map(|(header, _)| *header));
    let mut table = Table::new(caption, &headers);
    for (class, values) in &window.classes {
        let mut row = vec![Cell::new(&**class)];
        row.extend(columns.iter().map(|&(_, name)| {
            value_cell(values, name).unwrap_or_else(|| Cell::absent(why_class_lacks(name)))
        }));
        table.rows.push(row);
    }
    table
}

fn why_class_lacks(name: &str) -> &'static str {
    match name {
        "precision" => "precision: the class was never predicted in the window",
        "recall" => "recall: no label of the window is of the class",
        "f1" => "F1: the class was neither predicted nor a label in the window",
        "specificity" => "specificity: every label of the window is of the class",
        _ => "AUC: it takes scores, and labels of the class and of others",
    }
}

/// The averages over classes of one window.
pub fn averages(model: &ModelStatus, version: &VersionStatus, window: &WindowStatus) -> Table {
    let caption = format!(
        "Averages over classes of {}, version {}, window {}",
        model.model,
        version_name(version),
        window.window
    );
    let columns = &OF_CLASS[..4];
    let mut headers = vec!["average"];
    headers.extend(columns.iter().map(|(header, _)| *header));
    let mut table = Table::new(caption, &headers);
    for (average, values) in &window.averages {
        let mut row = vec![Cell::new(*average)];
        row.extend(columns.iter().map(|&(_, name)| {
            value_cell(values, name).unwrap_or_else(|| Cell::absent("no class of the window has it"))
        }));
        table.rows.push(row);
    }
    table
}

/// The slices of a version; `windows` are the names of the columns.
pub fn slices(model: &ModelStatus, version: &VersionStatus, windows: &[&WindowStatus]) -> Table {
    let (name, header) = if model.task == "regression" { ("mae", "MAE") } else { ("accuracy", "accuracy") };
    let caption = format!("Slices of {}, version {}: {header}", model.model, version_name(version));
    let mut headers = vec!["slice".to_owned()];
    for window in windows {
        headers.push(format!("samples {}", window.window));
        headers.push(format!("{header} {}", window.window));
    }
    let mut table = Table { caption, headers, rows: Vec::new() };
    let mut by_slice: BTreeMap<&str, BTreeMap<&str, &WindowStatus>> = BTreeMap::new();
    for window in version.windows.iter().filter(|window| window.slice != super::WHOLE) {
        by_slice.entry(&window.slice).or_default().insert(&window.window, window);
    }
    for (slice, found) in by_slice {
        let mut row = vec![Cell::new(slice)];
        for window in windows {
            let found = found.get(&*window.window);
            row.push(number(found.map_or(0, |window| window.samples)));
            let value = found.and_then(|window| value_cell(&window.values, name));
            row.push(value.unwrap_or_else(|| Cell::absent(NO_SAMPLE)));
        }
        table.rows.push(row);
    }
    table
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
                None => Cell::absent("no record with a time was read yet"),
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
        None => Cell::absent("no request had a time"),
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
