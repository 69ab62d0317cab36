//! The plan as `check` prints it: what will be read, what will be measured, what it can cost.

use super::estimate::{self, Bound};
use super::memory::{self, Memory};
use super::{Plan, plan, value};
use crate::event::{Fields, ModelName, Unit};
use crate::join::Labels;
use crate::line::Container;
use crate::monitor::{self, Task};
use crate::pipeline::StreamConfig;
use crate::record::{self, Format};
use crate::source::StartAt;
use std::fmt::{self, Write};

/// What a validated configuration will do, for a person to read.
pub fn plan_text(plan: &Plan) -> String {
    let mut text = String::new();
    // Writing to a string never fails.
    match write_plan(&mut text, plan) {
        Ok(()) => text,
        Err(error) => unreachable!("writing to a string failed: {error}"),
    }
}

fn write_plan(out: &mut String, plan: &Plan) -> fmt::Result {
    writeln!(out, "listen: {}", plan.listen)?;
    match &plan.state_dir {
        Some(path) => {
            writeln!(out, "state: {}, a checkpoint every {}", path.display(), plan.checkpoint_interval)?;
        }
        None => writeln!(out, "state: none, a restart begins anew")?,
    }
    let bound_of = |model: &monitor::Config| {
        let mapped = plan::mapped_of(model, &plan.pipeline);
        (estimate::bound(model, &mapped), mapped.label)
    };
    let named: Vec<_> = plan.pipeline.models.iter().map(bound_of).collect();
    let found = plan.pipeline.found.as_ref().map(bound_of);
    let bounds: Vec<Bound> = named.iter().map(|(bound, _)| *bound).collect();
    let memory = Memory::new(plan, &bounds, found.as_ref().map(|(bound, _)| bound));
    writeln!(out, "\nlogs:")?;
    for (stream, bytes) in plan.pipeline.streams.iter().zip(&memory.logs) {
        write_log(out, stream)?;
        writeln!(out, "    memory: at most {}", value::size_text(*bytes))?;
    }
    writeln!(out, "\nmodels:")?;
    let models = plan.pipeline.models.iter().chain(&plan.pipeline.found);
    for (model, (bound, has_labels)) in models.zip(named.iter().chain(&found)) {
        write_model(out, model, bound, *has_labels)?;
    }
    let found_count = found.map_or(0, |_| memory::found_most(bounds.len()));
    let series_found = found.map_or(0, |(bound, _)| bound.series.saturating_mul(found_count));
    let series = bounds.iter().map(|bound| bound.series).fold(series_found, usize::saturating_add);
    writeln!(out, "\nat most {series} series and {} of memory:", value::size_text(memory.total()))?;
    memory.write(out, found_count)
}

fn write_log(out: &mut String, stream: &StreamConfig) -> fmt::Result {
    writeln!(out, "  {}: {}", stream.name, stream.source.paths.join(", "))?;
    if !stream.source.exclude.is_empty() {
        writeln!(out, "    without: {}", stream.source.exclude.join(", "))?;
    }
    let start = match stream.source.start_at {
        StartAt::Beginning => "beginning",
        StartAt::End => "end",
    };
    writeln!(
        out,
        "    format: {}; files that are there at the first start are read from their {start}",
        format_text(stream)
    )?;
    match &stream.event.model {
        ModelName::Constant(name) => writeln!(out, "    model: {name}")?,
        ModelName::Field(field) => {
            writeln!(out, "    model: as the record says in {}", field_text(&stream.record, field.0))?;
        }
    }
    if let Some(path) = &stream.record.explode {
        writeln!(out, "    one event for each element of: {}", path.text)?;
    }
    for (field, values) in &stream.event.conditions {
        writeln!(out, "    only where {} is {}", field_text(&stream.record, field.0), values.join(" or "))?;
    }
    let mapped = mapping_text(&stream.event.fields, &stream.record);
    writeln!(out, "    maps: {}", mapped.join(", "))
}

fn format_text(stream: &StreamConfig) -> String {
    let format = match &stream.record.format {
        Format::Json => "json".to_owned(),
        Format::Logfmt => "logfmt".to_owned(),
        Format::Csv { columns: Some(columns), .. } => format!("csv with {} columns", columns.len()),
        Format::Csv { columns: None, .. } => "csv with a header".to_owned(),
        Format::Regex { pattern } => format!("regex with {} groups", pattern.captures_len() - 1),
    };
    match stream.line.container {
        Container::None => format,
        Container::Cri => format!("{format} in CRI lines"),
        Container::Docker => format!("{format} in Docker lines"),
    }
}

/// `event field = record field`, in the order of the reference.
fn mapping_text(fields: &Fields, record: &record::Config) -> Vec<String> {
    let latency = fields
        .latency
        .map_or_else(|| "latency".to_owned(), |latency| format!("latency in {}", unit_text(latency.unit)));
    let single = [
        ("id", fields.id),
        ("time", fields.time.as_ref().map(|time| time.field)),
        ("version", fields.version),
        ("prediction", fields.prediction),
        ("score", fields.score),
        ("label", fields.label),
        (latency.as_str(), fields.latency.map(|latency| latency.field)),
        ("status", fields.status),
        ("trace_id", fields.trace_id),
    ];
    let mut text: Vec<String> = single
        .into_iter()
        .filter_map(|(name, field)| Some(format!("{name} = {}", field_text(record, field?.0))))
        .collect();
    for (name, entries) in [("score", &fields.scores), ("slice", &fields.slices)] {
        let entry = |(key, field): &(String, record::FieldId)| {
            format!("{name} {key} = {}", field_text(record, field.0))
        };
        text.extend(entries.iter().map(entry));
    }
    text
}

/// The field's path; in parentheses what its value is decoded by, and the path in what that gives.
fn field_text(record: &record::Config, index: u16) -> String {
    let Some(field) = record.fields.get(usize::from(index)) else { return String::new() };
    let steps: Vec<&str> = field
        .decode
        .iter()
        .map(|step| match step {
            record::Step::Base64 => "base64",
            record::Step::Json => "json",
            record::Step::Csv => "csv",
        })
        .collect();
    match (steps.is_empty(), &field.then) {
        (true, _) => field.path.text.clone(),
        (false, None) => format!("{} ({})", field.path.text, steps.join(", ")),
        (false, Some(then)) => format!("{} ({}: {})", field.path.text, steps.join(", "), then.text),
    }
}

fn unit_text(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "s",
        Unit::Milliseconds => "ms",
        Unit::Microseconds => "\u{b5}s",
        Unit::Nanoseconds => "ns",
    }
}

fn write_model(out: &mut String, model: &monitor::Config, bound: &Bound, has_labels: bool) -> fmt::Result {
    writeln!(out, "  {}: {}", if model.name == "*" { "\"*\"" } else { &model.name }, task_text(&model.task))?;
    let mut windows: Vec<String> = model.windows.iter().map(ToString::to_string).collect();
    windows.extend(model.window_all.then(|| "all".to_owned()));
    writeln!(out, "    windows: {}", windows.join(", "))?;
    if !model.slices.is_empty() {
        writeln!(
            out,
            "    slices: {}, each with at most {} values",
            model.slices.join(", "),
            model.limits.values
        )?;
    }
    if has_labels {
        write_join(out, model)?;
    } else {
        writeln!(out, "    labels: none, since no log maps `label`; quality is not measured")?;
    }
    writeln!(
        out,
        "    series: {} for one version as declared, room for {} versions; at most {} in all",
        bound.series_declared, bound.versions, bound.series
    )?;
    writeln!(
        out,
        "    memory: at most {}{} (join {}, windows and counters {}, names {}); {} as text",
        value::size_text(bound.bytes()),
        if model.name == "*" { " each" } else { "" },
        value::size_text(bound.join_bytes),
        value::size_text(bound.version_bytes),
        value::size_text(bound.name_bytes),
        value::size_text(bound.text_bytes)
    )
}

fn write_join(out: &mut String, model: &monitor::Config) -> fmt::Result {
    let join = &model.join;
    write!(out, "    labels: awaited for {}", join.wait)?;
    if let Labels::Shared { wait } = join.labels {
        write!(out, ", shared with other replicas (those of others for {wait})")?;
    }
    if join.sample < 1.0 {
        write!(out, ", for a share of {} of the ids", join.sample)?;
    }
    let (fastest, slowest) = estimate::join_rates(model);
    writeln!(
        out,
        "\n    join: {} ids, enough for {} predictions per second; {} where labels come at once",
        join.max_pending,
        rate_text(slowest),
        rate_text(fastest)
    )
}

fn task_text(task: &Task) -> String {
    match task {
        Task::Binary { positive, negative, threshold } => {
            format!("binary, positive {positive}, negative {negative}, threshold {threshold}")
        }
        Task::Multiclass { classes, .. } if classes.is_empty() => {
            "multiclass, classes as they are found".to_owned()
        }
        Task::Multiclass { classes, top_k } => {
            let top_k: String = top_k.iter().map(|k| format!(", top {k}")).collect();
            format!("multiclass, {} classes{top_k}", classes.len())
        }
        Task::Regression => "regression".to_owned(),
    }
}

/// Two significant digits: the rate is for a person to compare with a dashboard.
fn rate_text(rate: f64) -> String {
    if rate >= 10.0 { format!("{rate:.0}") } else { format!("{rate:.2}") }
}
