//! `models`: what is computed from events.
//!
//! Not here: whether the logs give what a model needs (`plan`).

use super::problem::{Fault, KeyPath, nearest};
use super::schema::{BUCKETS, JOIN, MODEL, MODEL_LIMITS};
use super::table::{Node, Table, describe};
use super::{indicator, task, value};
use crate::join::{self, Labels};
use crate::limits;
use crate::monitor::{self, Buckets, Limits, Target, Task};
use crate::time::Span;
use serde_yaml::Value;

const FAILED_DEFAULT: &str = "5..|error";
/// A window is 13 rings' slots of every series: more windows than these are a mistake.
const WINDOWS_MAX: usize = 16;
/// A slot is a twelfth of its window, and no shorter than a second.
const WINDOW_SHORTEST: Span = Span::from_seconds(12);
const BOUNDS_MAX: usize = 200;
/// Bounds of the counts below: beyond what any machine holds, and safely within 32 bits.
const PENDING_CEILING: usize = 1 << 30;
const SERIES_CEILING: usize = 10_000_000;
const VERSIONS_CEILING: usize = 10_000;
/// `__other__` and a class name must fit; a label value of more than 4 KiB helps nobody.
const VALUE_LENGTH_RANGE: std::ops::RangeInclusive<usize> = 16..=4096;

/// One entry of `models`, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) at: KeyPath,
    /// What the logs map is theirs to say: nothing here.
    pub(super) config: monitor::Config,
    /// Whether the task was understood, so that it makes sense to ask whether the logs fit it.
    pub(super) is_understood: bool,
}

/// Reads one entry.
pub(super) fn read_model(name: String, node: &Node<'_>) -> Option<Model> {
    if name != "*" && (name.is_empty() || name.contains('*')) {
        node.error(
            Fault::from("is not a model's name")
                .advise(r#"only "*" alone stands for every model found in logs"#),
        );
    }
    let table = node.table(MODEL)?;
    let limits = read_limits(&table);
    let task = task::read_task(&table, &limits);
    let (windows, window_all) = read_windows(&table);
    let join = read_join(&table);
    let targets = match table.get("targets") {
        Some(node) => indicator::read_targets(&node, task.as_ref()),
        None => Vec::new(),
    };
    let buckets = read_buckets(&table, &targets);
    let expire_after = read_expire_after(&table, &join, windows.last().copied().unwrap_or(Span::ZERO));
    let is_understood = task.is_some();
    let config = monitor::Config {
        name,
        task: task.unwrap_or(Task::Regression),
        failed: read_failed(&table)?,
        windows,
        window_all,
        slices: read_slices(&table),
        scored: Vec::new(),
        maps_score: false,
        maps_latency: false,
        maps_version: false,
        expects_labels: false,
        join,
        targets,
        buckets,
        expire_after,
        limits,
    };
    Some(Model { at: table.at.clone(), config, is_understood })
}

fn read_failed(table: &Table<'_>) -> Option<regex::Regex> {
    let written = table.read("failed", value::regular_expression);
    let pattern = written.as_deref().unwrap_or(FAILED_DEFAULT);
    let anchored = format!("^(?:{pattern})$");
    match regex::RegexBuilder::new(&anchored).dfa_size_limit(limits::PATTERN_CACHE_BYTES).build() {
        Ok(failed) => Some(failed),
        Err(error) => {
            table.problems.error(&table.path("failed"), value::regex_fault(pattern, &error));
            None
        }
    }
}

// === windows and slices ===

/// Ascending lengths, and whether `all` is among them.
fn read_windows(table: &Table<'_>) -> (Vec<Span>, bool) {
    let Some(node) = table.get("windows") else { return (limits::WINDOWS_DEFAULT.to_vec(), false) };
    let mut windows = Vec::new();
    let mut window_all = false;
    for (node, window) in node.list(window).unwrap_or_default() {
        let is_new = match window {
            Some(window) => !windows.contains(&window),
            None => !window_all,
        };
        if !is_new {
            node.error(format!("the window {} is named twice", describe(node.value)));
        }
        match window {
            Some(window) => windows.push(window),
            None => window_all = true,
        }
    }
    if matches!(node.value, Value::Sequence(elements) if elements.is_empty()) {
        node.error(Fault::from("names no window").advise("name at least one, or remove the key"));
    }
    if windows.len() > WINDOWS_MAX {
        node.error(format!("has {} windows; at most {WINDOWS_MAX} are allowed", windows.len()));
    }
    windows.sort_unstable();
    (windows, window_all)
}

/// `None` is the window `all`.
fn window(value: &Value) -> Result<Option<Span>, Fault> {
    if value.as_str() == Some("all") {
        return Ok(None);
    }
    let span = value::duration(value).map_err(|fault| {
        if fault.advice.is_some() { fault.advise("write a duration like 5m or 24h, or `all`") } else { fault }
    })?;
    if span < WINDOW_SHORTEST {
        return Err(format!("must be {WINDOW_SHORTEST} or more, found {}", describe(value)).into());
    }
    Ok(Some(span))
}

fn read_slices(table: &Table<'_>) -> Vec<String> {
    let mut slices: Vec<String> = Vec::new();
    let Some(node) = table.get("slices") else { return slices };
    for (node, slice) in node.list(value::text).unwrap_or_default() {
        if slices.contains(&slice) {
            node.error(format!("slice `{slice}` is named twice"));
        }
        slices.push(slice);
    }
    slices
}

// === join ===

fn read_join(table: &Table<'_>) -> join::Config {
    let default = join::Config {
        wait: limits::WAIT_DEFAULT,
        max_pending: limits::MAX_PENDING_DEFAULT,
        labels: Labels::Own,
        sample: 1.0,
    };
    let Some(table) = table.get("join").and_then(|node| node.table(JOIN)) else { return default };
    let wait = table.read("wait", value::duration).unwrap_or(default.wait);
    let labels = table.read("labels", |value| value::word(value, &[("own", false), ("shared", true)]));
    let is_shared = labels.unwrap_or(false);
    let shared_wait = table.read("shared_wait", value::duration);
    match shared_wait {
        // Not after a mistake in `labels`.
        Some(_) if !is_shared && labels.is_some() == table.has("labels") => table.problems.error(
            &table.path("shared_wait"),
            Fault::from("is for labels that are broadcast to all replicas")
                .advise("write `labels: shared` too, or remove it"),
        ),
        Some(shared_wait) if shared_wait > wait => table.problems.error(
            &table.path("shared_wait"),
            format!("is longer than `wait`: {shared_wait} against {wait}"),
        ),
        _ => {}
    }
    let shared_wait = shared_wait.unwrap_or_else(|| limits::SHARED_WAIT_DEFAULT.min(wait));
    join::Config {
        wait,
        max_pending: table
            .read("max_pending", |value| value::count(value, 1..=PENDING_CEILING))
            .unwrap_or(default.max_pending),
        labels: if is_shared { Labels::Shared { wait: shared_wait } } else { Labels::Own },
        sample: table.read("sample", sample).unwrap_or(default.sample),
    }
}

fn sample(value: &Value) -> Result<f64, Fault> {
    let sample = value::number_or_percent(value)?;
    if sample > 0.0 && sample <= 1.0 {
        return Ok(sample);
    }
    Err(Fault::from(format!("must be above 0 and at most 1, found {}", describe(value)))
        .advise("0.1 or 10% joins one id in ten"))
}

fn read_expire_after(table: &Table<'_>, join: &join::Config, longest_window: Span) -> Span {
    let least = join.wait.saturating_add(longest_window);
    let Some(node) = table.get("expire_after") else { return least.max(limits::EXPIRE_AFTER_DEFAULT) };
    let expire_after = node.read(value::duration).unwrap_or(least);
    if expire_after < least {
        node.error(
            Fault::from(format!(
                "must be {} or more: `join.wait` ({}) and the longest window ({longest_window}) together",
                // 72h and 5m: as a person adds them up, not 4325m.
                humantime::format_duration(least.into()),
                join.wait
            ))
            .advise("a version that leaves earlier would lose labels that are still to come; raise it or remove it"),
        );
    }
    expire_after
}

// === buckets and limits ===

fn read_buckets(table: &Table<'_>, targets: &[Target]) -> Buckets {
    let written = table.get("buckets").and_then(|node| node.table(BUCKETS));
    let bounds = |key, reader: fn(&Value) -> Result<f64, Fault>, default: &[f64]| {
        match &written {
            Some(written) => {
                written.get(key).map(|node| read_bounds(&node, reader)).filter(|bounds| !bounds.is_empty())
            }
            None => None,
        }
        .unwrap_or_else(|| default.to_vec())
    };
    let mut latency = bounds("latency", seconds, &limits::LATENCY_BOUNDS);
    // A target between two bounds could only be compared with an interpolation.
    for target in targets.iter().filter(|target| indicator::is_latency(target)) {
        if let Err(place) = latency.binary_search_by(|bound| bound.total_cmp(&target.value)) {
            latency.insert(place, target.value);
        }
    }
    Buckets {
        latency,
        error: bounds("error", amount, &limits::ERROR_BOUNDS),
        score: bounds("score", value::number, &limits::SCORE_BOUNDS),
        delay: bounds("delay", seconds, &limits::DELAY_BOUNDS),
    }
}

/// Upper bounds, ascending; an empty list is the default's.
fn read_bounds(node: &Node<'_>, reader: fn(&Value) -> Result<f64, Fault>) -> Vec<f64> {
    let bounds = node.list(reader).unwrap_or_default();
    if bounds.len() > BOUNDS_MAX {
        node.error(format!("has {} bounds; at most {BOUNDS_MAX} are allowed", bounds.len()));
    }
    for pair in bounds.windows(2) {
        if let [(_, before), (node, bound)] = pair
            && bound <= before
        {
            node.error(
                Fault::from(format!("is not above the bound before it: {}", describe(node.value)))
                    .advise("write upper bounds in ascending order; +Inf is added"),
            );
        }
    }
    bounds.into_iter().map(|(_, bound)| bound).collect()
}

/// A bound of a histogram of seconds: a duration, or a plain number of seconds.
fn seconds(value: &Value) -> Result<f64, Fault> {
    match value {
        Value::Number(_) => amount(value),
        _ => Ok(value::duration(value)?.as_seconds()),
    }
}

fn amount(value: &Value) -> Result<f64, Fault> {
    let number = value::number(value)?;
    if number > 0.0 { Ok(number) } else { Err(format!("must be above 0, found {}", describe(value)).into()) }
}

fn read_limits(table: &Table<'_>) -> Limits {
    let default = Limits {
        series: limits::SERIES_DEFAULT,
        values: limits::VALUES_DEFAULT,
        value_length: limits::VALUE_LENGTH_DEFAULT,
        versions: limits::VERSIONS_DEFAULT,
    };
    let Some(table) = table.get("limits").and_then(|node| node.table(MODEL_LIMITS)) else { return default };
    let read = |key, range, default| table.read(key, |value| value::count(value, range)).unwrap_or(default);
    Limits {
        series: read("series", 1..=SERIES_CEILING, default.series),
        values: read("values", 1..=limits::CLASSES_CEILING, default.values),
        value_length: read("value_length", VALUE_LENGTH_RANGE, default.value_length),
        versions: read("versions", 1..=VERSIONS_CEILING, default.versions),
    }
}

/// What a name that is not in `models` was most likely meant to be.
pub(super) fn nearest_model<'a>(name: &str, models: &'a [Model]) -> Option<&'a str> {
    nearest(name, models.iter().map(|model| model.config.name.as_str()).filter(|name| *name != "*"))
}
