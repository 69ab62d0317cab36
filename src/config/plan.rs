//! From the whole file to the plan: the top level, and what logs and models ask of each other.

use super::estimate::{self, Mapped};
use super::indicator::declared_classes;
use super::logs::{self, Log, Surroundings};
use super::models::{self, Model};
use super::problem::{Fault, Problems, nearest, suggest};
use super::schema::{ROOT, ROOT_LIMITS};
use super::table::{Node, Table, describe};
use super::{Plan, value};
use crate::event::{Fields, ModelName};
use crate::monitor::{self, Task};
use crate::time::Span;
use crate::{limits, pipeline};
use serde_yaml::Value;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

const PORT_DEFAULT: u16 = 9897;
const CHECKPOINT_INTERVAL_DEFAULT: Span = Span::from_seconds(10);
/// The shortest line that could be a record is not much shorter.
const LINE_BYTES_LEAST: usize = 64;

/// All logs and models, for the questions between them.
struct Parts<'a> {
    logs: Vec<Log>,
    models: Vec<Model>,
    /// Every name in `models`, also of those that could not be read.
    names: Vec<String>,
    /// Whether each log was read and names its model: otherwise nobody knows which models lack one.
    is_complete: bool,
    problems: &'a Problems,
}

/// Reads the whole configuration. The plan is only good if `problems` has no error afterwards.
pub(super) fn read_plan(root: &Node<'_>, environment: &dyn Fn(&str) -> Option<String>) -> Option<Plan> {
    let table = root.table(ROOT)?;
    let state_dir =
        table.read("state_dir", |value| match value::expand(&value::text(value)?, environment)? {
            path if path.is_empty() => Err("must not be empty".into()),
            path => Ok(PathBuf::from(path)),
        });
    let line_bytes_max = table
        .get("limits")
        .and_then(|node| node.table(ROOT_LIMITS))
        .and_then(|table| {
            table.read("line", |value| value::size(value, LINE_BYTES_LEAST..=limits::LINE_BYTES_CEILING))
        })
        .unwrap_or(limits::LINE_BYTES_MAX);
    let surroundings = Surroundings { environment, line_bytes_max, has_state: table.has("state_dir") };
    let mut parts = Parts::read(&table, &surroundings);
    parts.check();
    Some(Plan {
        listen: table
            .read("listen", listen)
            .unwrap_or(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT_DEFAULT)),
        state_dir,
        checkpoint_interval: table
            .read("checkpoint_interval", value::duration)
            .unwrap_or(CHECKPOINT_INTERVAL_DEFAULT),
        pipeline: parts.finish(),
    })
}

fn listen(written: &Value) -> Result<SocketAddr, Fault> {
    let wrong = || {
        Fault::from(format!("expected an address and a port, found {}", describe(written))).advise(
            "write \"[::]:9897\" for every interface, 127.0.0.1:9897 for this host alone; names are not resolved",
        )
    };
    value::text(written)?.parse().map_err(|_| wrong())
}

/// What the logs that feed a model map, as far as the model has to know.
struct MappedFields {
    label: bool,
    score: bool,
    latency: bool,
    version: bool,
    /// Classes with a score of their own, in the order of the first log that has them.
    scored: Vec<String>,
}

// === impl MappedFields ===

impl MappedFields {
    fn of<'a>(model: &Model, logs: impl Iterator<Item = &'a Fields>) -> Self {
        let multiclass = matches!(model.config.task, Task::Multiclass { .. });
        let mut new = Self { label: false, score: false, latency: false, version: false, scored: Vec::new() };
        for fields in logs {
            new.label |= fields.label.is_some();
            new.score |= fields.score.is_some() || !fields.scores.is_empty();
            new.latency |= fields.latency.is_some();
            new.version |= fields.version.is_some();
            if multiclass && new.scored.is_empty() {
                new.scored = fields.scores.iter().map(|(class, _)| class.clone()).collect();
            }
        }
        new
    }

    fn set(self, config: &mut monitor::Config) {
        config.expects_labels = self.label;
        config.maps_score = self.score;
        config.maps_latency = self.latency;
        config.maps_version = self.version;
        config.scored = self.scored;
    }
}

// === impl Parts ===

impl<'a> Parts<'a> {
    fn read(table: &Table<'a>, surroundings: &Surroundings<'_>) -> Self {
        let entries =
            table.require("models", "name each model and its task: {fraud: {task: binary, positive: \"1\"}}");
        let entries = entries.and_then(|node| node.entries());
        // Without `models` no name can be known, and each log would be told so.
        let has_models = entries.is_some();
        let entries = entries.unwrap_or_default();
        if has_models && entries.is_empty() {
            table.problems.error(&table.path("models"), "names no model");
        }
        let elements = table.require("logs", "name at least one log").and_then(|node| node.elements());
        let has_logs = elements.is_some();
        let elements = elements.unwrap_or_default();
        if has_logs && elements.is_empty() {
            table.problems.error(&table.path("logs"), "names no log");
        }
        let count = elements.len();
        let logs: Vec<Log> = elements.iter().filter_map(|node| logs::read_log(node, surroundings)).collect();
        let names_no_model =
            |log: &Log| matches!(&log.stream.event.model, ModelName::Constant(name) if name.is_empty());
        Self {
            is_complete: has_models && count > 0 && logs.len() == count && !logs.iter().any(names_no_model),
            logs,
            names: entries.iter().map(|(name, _)| name.clone()).collect(),
            models: entries.into_iter().filter_map(|(name, node)| models::read_model(name, &node)).collect(),
            problems: table.problems,
        }
    }

    /// Reports what does not fit, and takes over what one part has to know of another.
    fn check(&mut self) {
        self.check_log_names();
        for log in &self.logs {
            self.check_model_name(log);
            self.check_ids(log);
        }
        for log in &mut self.logs {
            let model = match &log.stream.event.model {
                ModelName::Constant(name) => self.models.iter().find(|model| model.config.name == *name),
                ModelName::Field(_) => None,
            };
            if let Some(model) = model.filter(|model| model.is_understood) {
                fit_scores(log, &model.config.task, self.problems);
            }
        }
        for index in 0..self.models.len() {
            let Some(model) = self.models.get(index) else { break };
            let mapped = MappedFields::of(model, self.feeding(model).map(|log| &log.stream.event.fields));
            if let Some(model) = self.models.get_mut(index) {
                mapped.set(&mut model.config);
            }
        }
        for model in &self.models {
            self.check_model(model);
        }
        self.check_unkept_slices();
    }

    fn finish(self) -> pipeline::Config {
        let streams = self.logs.into_iter().map(|log| log.stream).collect();
        let configs = self.models.into_iter().map(|model| model.config);
        let (found, mut models): (Vec<_>, Vec<_>) = configs.partition(|config| config.name == "*");
        models.sort_by(|a, b| a.name.cmp(&b.name));
        pipeline::Config { streams, models, found: found.into_iter().next() }
    }

    /// The logs whose records can be of this model.
    fn feeding<'b>(&'b self, model: &'b Model) -> impl Iterator<Item = &'b Log> {
        let name = model.config.name.as_str();
        self.logs.iter().filter(move |log| match &log.stream.event.model {
            ModelName::Field(_) => true,
            ModelName::Constant(constant) if name == "*" => !self.names.contains(constant),
            ModelName::Constant(constant) => constant == name,
        })
    }

    fn has_found(&self) -> bool {
        self.names.iter().any(|name| name == "*")
    }

    fn check_log_names(&self) {
        for (index, log) in self.logs.iter().enumerate() {
            let name = &log.stream.name;
            if !name.is_empty() && self.logs.iter().take(index).any(|other| other.stream.name == *name) {
                let fault = Fault::from(format!("another log is called `{name}` too"));
                self.problems.error(&log.at.key("name"), fault.advise("give each log a name of its own"));
            }
        }
    }

    fn check_model_name(&self, log: &Log) {
        let ModelName::Constant(name) = &log.stream.event.model else { return };
        if name.is_empty() || self.names.is_empty() || self.has_found() || self.names.contains(name) {
            return;
        }
        let advice = match models::nearest_model(name, &self.models) {
            Some(near) => format!("did you mean `{near}`? otherwise add `{name}` to `models`"),
            None => format!("add `{name}` to `models`, which has: {}", self.names.join(", ")),
        };
        let fault = Fault::from(format!("model `{name}` is not in `models`"));
        self.problems.error(&log.at.key("model"), fault.advise(advice));
    }

    fn check_ids(&self, log: &Log) {
        let fields = &log.stream.event.fields;
        let meets_labels_elsewhere = || {
            let models =
                self.models.iter().filter(|model| self.feeding(model).any(|other| other.at == log.at));
            models.into_iter().any(|model| {
                self.feeding(model).any(|other| {
                    other.at != log.at
                        && other.stream.event.fields.label.is_some()
                        && !has_prediction(&other.stream.event.fields)
                })
            })
        };
        if has_prediction(fields) && fields.id.is_none() && fields.label.is_none() && meets_labels_elsewhere()
        {
            self.problems.warn(
                &log.at.key("fields"),
                Fault::from("`id` is not mapped, so no label will ever meet these predictions")
                    .advise("map the id that the log with the labels has too"),
            );
        }
    }

    fn check_model(&self, model: &Model) {
        let config = &model.config;
        let mut feeding = self.feeding(model).peekable();
        if feeding.peek().is_none() {
            if self.is_complete && config.name != "*" {
                self.problems.error(
                    &model.at,
                    Fault::from("no log is of this model")
                        .advise(format!("write `model: {}` in its log, or remove the model", config.name)),
                );
            }
            return;
        }
        let mapped = Mapped::by(feeding.map(|log| &log.stream.event.fields));
        if model.is_understood && self.is_complete {
            self.check_task(model, &mapped);
        }
        self.check_slices(model);
        let series = estimate::series_declared(config);
        if model.is_understood && series > config.limits.series {
            self.problems.error(
                &model.at,
                Fault::from(format!(
                    "what is declared makes {series} series for one version, and `limits.series` allows {}",
                    config.limits.series
                ))
                .advise(format!(
                    "raise `limits.series` to {} for {} versions, or declare fewer classes or windows",
                    series.saturating_mul(config.limits.versions),
                    config.limits.versions
                )),
            );
        }
    }

    fn check_task(&self, model: &Model, mapped: &Mapped) {
        let (is_fed, needs) = match model.config.task {
            Task::Binary { .. } => {
                (mapped.prediction || mapped.score || mapped.scored_classes > 0, "`prediction` or `score`")
            }
            Task::Multiclass { .. } => {
                (mapped.prediction || mapped.scored_classes > 0, "`prediction` or `scores`")
            }
            Task::Regression => (mapped.prediction, "`prediction`"),
        };
        if !is_fed {
            self.problems.warn(
                &model.at,
                Fault::from(format!("no log of this model maps {needs}"))
                    .advise("only requests, status and latency will be measured"),
            );
        }
        if let Task::Multiclass { top_k, .. } = &model.config.task
            && !top_k.is_empty()
            && mapped.scored_classes == 0
        {
            let fault = Fault::from("no log of this model maps `scores`, so no top-k accuracy is measured");
            self.problems.warn(&model.at.key("top_k"), fault.advise("map `scores`, or remove it"));
        }
    }

    fn check_slices(&self, model: &Model) {
        let mut mapped: Vec<&str> = Vec::new();
        for (name, _) in self.feeding(model).flat_map(|log| &log.stream.event.fields.slices) {
            if !mapped.contains(&name.as_str()) {
                mapped.push(name);
            }
        }
        for (index, slice) in model.config.slices.iter().enumerate() {
            if mapped.contains(&slice.as_str()) || !self.is_complete {
                continue;
            }
            let fault = Fault::from(format!("no log of this model maps the slice `{slice}`"));
            let advice = match (nearest(slice, mapped.iter().copied()), mapped.is_empty()) {
                (_, true) => format!("map it in `fields` of the log: {{slices: {{{slice}: PATH}}}}"),
                _ => suggest(slice, "mapped slices", &mapped),
            };
            self.problems.error(&model.at.key("slices").index(index), fault.advise(advice));
        }
    }

    fn check_unkept_slices(&self) {
        for log in self.logs.iter().filter(|_| self.is_complete) {
            for (name, _) in &log.stream.event.fields.slices {
                let is_kept = |model: &Model| {
                    model.config.slices.contains(name) && self.feeding(model).any(|other| other.at == log.at)
                };
                if !self.models.iter().any(is_kept) {
                    self.problems.warn(
                        &log.at.key("fields").key("slices").key(name),
                        Fault::from("no model keeps this slice")
                            .advise(format!("name it in the model: slices: [{name}]")),
                    );
                }
            }
        }
    }
}

/// Whether a record of the log can be a prediction.
fn has_prediction(fields: &Fields) -> bool {
    fields.prediction.is_some() || fields.score.is_some() || !fields.scores.is_empty()
}

/// Brings `scores` into the order of the classes, and reports those of no class. A binary model's score is
/// that of its positive class, where no other is mapped.
fn fit_scores(log: &mut Log, task: &Task, problems: &Problems) {
    let fields = &mut log.stream.event.fields;
    let at = log.at.key("fields").key("scores");
    if fields.scores.is_empty() {
        return;
    }
    if matches!(task, Task::Regression) {
        problems.error(&at, Fault::from("a regression model has no classes to score").advise("remove it"));
        return;
    }
    let classes = declared_classes(task);
    if classes.is_empty() {
        return;
    }
    let place: std::collections::HashMap<&str, usize> =
        classes.iter().enumerate().map(|(place, class)| (*class, place)).collect();
    for (class, _) in &fields.scores {
        if !place.contains_key(class.as_str()) {
            let fault = Fault::from(format!("`{class}` is not a class of this model"));
            problems.error(&at.key(class), fault.advise(suggest(class, "its classes", &classes)));
        }
    }
    fields.scores.sort_by_key(|(class, _)| place.get(class.as_str()).copied());
    if let Task::Binary { positive, .. } = task
        && fields.score.is_none()
    {
        fields.score = fields.scores.iter().find(|(class, _)| class == positive).map(|(_, field)| *field);
    }
}

/// What the logs of one model map, together.
pub(super) fn mapped_of(config: &monitor::Config, pipeline: &pipeline::Config) -> Mapped {
    let named = |name: &str| pipeline.models.iter().any(|model| model.name == name);
    let feeds = |model: &ModelName| match model {
        ModelName::Field(_) => true,
        ModelName::Constant(constant) if config.name == "*" => !named(constant),
        ModelName::Constant(constant) => *constant == config.name,
    };
    let streams = pipeline.streams.iter().filter(|stream| feeds(&stream.event.model));
    Mapped::by(streams.map(|stream| &stream.event.fields))
}
