//! One model under watch: everything that is known of it.

use crate::join;
use crate::time::Span;

/// What is computed for one model.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name in the configuration; `*` for the pattern of models that are found in logs.
    pub name: String,
    pub task: Task,
    /// A `status` that matches as a whole is a failure.
    pub failed: regex::Regex,
    /// Window lengths, ascending.
    pub windows: Vec<Span>,
    /// Whether the window `all` (since the start) is kept too.
    pub window_all: bool,
    /// Names of the slices to keep, out of those that the logs map.
    pub slices: Vec<String>,
    /// Whether any log of this model maps a label, so that predictions wait for one.
    pub expects_labels: bool,
    pub join: join::Config,
    pub targets: Vec<Target>,
    pub buckets: Buckets,
    pub expire_after: Span,
    pub limits: Limits,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Task {
    Binary { positive: String, negative: String, threshold: f64 },
    Multiclass { classes: Vec<String>, top_k: Vec<u32> },
    Regression,
}

/// One value of `targets`, exported as `inference_slo_target`; never judged by the exporter itself.
#[derive(Clone, PartialEq, Debug)]
pub struct Target {
    /// The key as written: `accuracy`, `recall`, `latency_p99`.
    pub indicator: String,
    /// Empty where the target holds for the model as a whole.
    pub class: String,
    /// Ratios as 0..1, times in seconds.
    pub value: f64,
}

/// Upper bounds of the histograms, ascending, without +Inf. Each latency target is among `latency`.
#[derive(Clone, PartialEq, Debug)]
pub struct Buckets {
    pub latency: Vec<f64>,
    pub error: Vec<f64>,
    pub score: Vec<f64>,
    pub delay: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Series of this model over all its versions and slices.
    pub series: usize,
    /// Distinct values of one label: classes, statuses, values of one slice.
    pub values: usize,
    /// Bytes of a label value.
    pub value_length: usize,
    pub versions: usize,
}

// === impl Task ===

impl Task {
    /// The value of the `task` label.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Binary { .. } => "binary",
            Self::Multiclass { .. } => "multiclass",
            Self::Regression => "regression",
        }
    }
}
