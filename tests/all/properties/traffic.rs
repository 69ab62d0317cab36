//! Random traffic of a binary, a multiclass and a regression model: predictions, labels, both in one record,
//! repeated ids, values that are none.

use proptest::prelude::*;

/// Places of the logs in `CONFIG`.
pub(super) const PREDICTIONS: usize = 0;
pub(super) const LABELS: usize = 1;

pub(super) const CONFIG: &str = "
logs:
  - name: predictions
    paths: [predictions]
    format: json
    fields:
      model: model
      id: id
      time: t
      version: v
      prediction: y
      score: p
      scores: {a: pa, b: pb}
      label: truth
      latency: took
      status: status
      slices: {country: country}
  - name: labels
    paths: [labels]
    format: logfmt
    fields: {model: model, id: id, time: t, label: truth}
models:
  binary: {task: binary, positive: '1', windows: [5m, 1h], slices: [country], join: {wait: 1h}}
  classes: {task: multiclass, classes: [a, b], top_k: [1], windows: [5m, 1h], slices: [country], join: {wait: 1h}}
  number: {task: regression, windows: [5m, 1h], slices: [country], join: {wait: 1h}}
";

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) model: &'static str,
    pub(super) kind: Kind,
    pub(super) id: u8,
    /// Milliseconds since the epoch.
    pub(super) time: u64,
    pub(super) version: u8,
    pub(super) value: &'static str,
    pub(super) truth: &'static str,
    pub(super) score: u16,
    pub(super) country: &'static str,
    pub(super) status: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Prediction,
    Label,
    /// Prediction and label in one record.
    Both,
}

/// What cannot be a value of the model's task.
const INVALID: &str = "NaN";

impl Event {
    /// The log that it is written to.
    pub(super) fn log(&self) -> usize {
        if self.kind == Kind::Label { LABELS } else { PREDICTIONS }
    }

    /// Whether it has a prediction that can be used.
    pub(super) fn predicts(&self) -> bool {
        self.kind != Kind::Label && !self.is_invalid(self.value)
    }

    /// Whether it has a label that can be used.
    pub(super) fn labels(&self) -> bool {
        self.kind != Kind::Prediction && !self.is_invalid(self.truth)
    }

    /// Whether it has a label that is counted: beside a prediction that cannot be used, none is.
    pub(super) fn has_counted_label(&self) -> bool {
        self.kind == Kind::Label || (self.kind == Kind::Both && self.predicts())
    }

    /// Whether it has a label in one record with this prediction.
    pub(super) fn has_label_beside(&self, prediction: &str) -> bool {
        self.kind == Kind::Both && self.value == prediction
    }

    /// Any text is a class of a multiclass model.
    fn is_invalid(&self, value: &str) -> bool {
        value == INVALID && self.model != "classes"
    }

    /// As it is written, with its end.
    pub(super) fn line(&self) -> String {
        let Self { model, id, time, version, value, truth, score, country, status, .. } = self;
        let score = f64::from(*score) / 1000.0;
        let label = if self.kind == Kind::Both { format!(r#","truth":"{truth}""#) } else { String::new() };
        match self.kind {
            Kind::Label => format!("model={model} id={id} t={time} truth={truth}\n"),
            _ => format!(
                concat!(
                    r#"{{"model":"{}","id":"{}","t":{},"v":"{}","y":"{}","p":{},"pa":{},"pb":{},"#,
                    r#""took":{},"status":"{}","country":"{}"{}}}"#,
                    "\n"
                ),
                model,
                id,
                time,
                version,
                value,
                score,
                score,
                1.0 - score,
                score,
                status,
                country,
                label
            ),
        }
    }
}

/// The lines of a file.
pub(super) fn text<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<u8> {
    events.map(Event::line).collect::<String>().into_bytes()
}

fn values(model: &'static str) -> impl Strategy<Value = &'static str> {
    let values = match model {
        "binary" => ["0", "1", "1.0", "0", "1", INVALID],
        "classes" => ["a", "b", "c", "a", "b", "d"],
        _ => ["0", "1.25", "-3", "1e6", "0.1", INVALID],
    };
    prop::sample::select(values.as_slice().to_vec())
}

fn event() -> impl Strategy<Value = (u64, Event)> {
    let kind = prop_oneof![4 => Just(Kind::Prediction), 4 => Just(Kind::Label), 1 => Just(Kind::Both)];
    let model = prop::sample::select(vec!["binary", "classes", "number"]);
    // Up to ten minutes between two events, so that windows slide and what waits for an hour expires.
    let gap = prop_oneof![3 => 1..2000u64, 1 => 1..600_000u64];
    let rest = (0..12u8, 0..3u8, 0..=1000u16, 0..3usize, 0..3usize);
    (gap, kind, model, rest).prop_flat_map(|(gap, kind, model, (id, version, score, country, status))| {
        (values(model), values(model)).prop_map(move |(value, truth)| {
            let country = ["DE", "FR", ""][country];
            let status = ["200", "404", "503"][status];
            (gap, Event { model, kind, id, time: 0, version, value, truth, score, country, status })
        })
    })
}

/// Events in the order of their times, which all differ.
pub(super) fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(), 1..120).prop_map(|events| {
        let mut time = 1_767_225_600_000;
        let stamp = |(gap, event)| {
            time += gap;
            Event { time, ..event }
        };
        events.into_iter().map(stamp).collect()
    })
}
