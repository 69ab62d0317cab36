//! What `targets` may name: the indicators, and the form of their values.
//!
//! An indicator is the name of a window gauge without prefix and unit, or a quantile of a histogram. The
//! exporter exports its target and never judges it; the alerts do.

use super::problem::{Fault, suggest};
use super::table::{Node, describe};
use super::value;
use crate::monitor::{Target, Task};
use serde_yaml::Value;

/// One kind of target.
struct Indicator {
    name: &'static str,
    form: Form,
    tasks: Tasks,
    /// Whether it may have a target for each class.
    by_class: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Form {
    /// A number in a closed range; percentages are read.
    Between(f64, f64),
    /// Zero or more.
    Amount,
    Any,
    Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tasks {
    All,
    Classification,
    Regression,
}

/// `latency_p99` stands for every quantile from `latency_p1` to `latency_p99`.
const INDICATORS: &[Indicator] = &[
    all("latency_p99", Form::Duration),
    all("availability", RATIO),
    all("coverage", RATIO),
    all("label_delay", Form::Duration),
    all("label_age", Form::Duration),
    classification("accuracy", RATIO, false),
    classification("accuracy_lower", RATIO, false),
    classification("accuracy_upper", RATIO, false),
    classification("precision", RATIO, true),
    classification("precision_lower", RATIO, true),
    classification("precision_upper", RATIO, true),
    classification("recall", RATIO, true),
    classification("recall_lower", RATIO, true),
    classification("recall_upper", RATIO, true),
    classification("f1", RATIO, true),
    classification("specificity", RATIO, true),
    classification("balanced_accuracy", RATIO, false),
    classification("mcc", Form::Between(-1.0, 1.0), false),
    classification("cohen_kappa", Form::Between(-1.0, 1.0), false),
    classification("roc_auc", RATIO, true),
    classification("pr_auc", RATIO, true),
    classification("log_loss", Form::Amount, false),
    // The multiclass Brier score reaches 2.
    classification("brier_score", Form::Between(0.0, 2.0), false),
    classification("calibration_error", RATIO, false),
    regression("mse", Form::Amount),
    regression("rmse", Form::Amount),
    regression("mae", Form::Amount),
    regression("mape", Form::Amount),
    regression("bias", Form::Any),
    // No model is better than 1; a bad one has no bottom.
    regression("r2", Form::Between(f64::MIN, 1.0)),
];

const RATIO: Form = Form::Between(0.0, 1.0);
const LATENCY_PREFIX: &str = "latency_p";

/// Reads `targets`. Of a model whose task was not understood (`None`), only the names are checked.
pub(super) fn read_targets(node: &Node<'_>, task: Option<&Task>) -> Vec<Target> {
    let mut targets = Vec::new();
    for (name, node) in node.entries().unwrap_or_default() {
        let Some(indicator) = find(&name) else {
            let mut names: Vec<_> = INDICATORS.iter().map(|indicator| indicator.name).collect();
            names.sort_unstable();
            node.error(Fault::from("unknown indicator").advise(suggest(&name, "known indicators", &names)));
            continue;
        };
        if let Some(task) = task
            && !indicator.tasks.include(task)
        {
            node.error(format!("a {} model has no {name}", task.name()));
            continue;
        }
        match node.value {
            Value::Mapping(_) => read_by_class(&node, &name, indicator, task, &mut targets),
            _ => targets.extend(read_target(&node, name, String::new(), indicator)),
        }
    }
    targets
}

/// Whether a target is a latency, whose value must be a bucket bound.
pub(super) fn is_latency(target: &Target) -> bool {
    target.indicator.starts_with(LATENCY_PREFIX)
}

fn find(name: &str) -> Option<&'static Indicator> {
    let listed = match name.strip_prefix(LATENCY_PREFIX) {
        Some(quantile) => {
            let is_quantile =
                matches!(quantile.parse::<u8>(), Ok(1..=99)) && !quantile.starts_with(['0', '+']);
            if is_quantile { "latency_p99" } else { name }
        }
        None => name,
    };
    INDICATORS.iter().find(|indicator| indicator.name == listed)
}

fn read_by_class(
    node: &Node<'_>,
    name: &str,
    indicator: &Indicator,
    task: Option<&Task>,
    targets: &mut Vec<Target>,
) {
    if !indicator.by_class {
        node.error(format!("{name} is of the model as a whole and has no target by class"));
        return;
    }
    let declared = task.map(declared_classes).unwrap_or_default();
    for (class, node) in node.entries().unwrap_or_default() {
        let class = value::class_identity(&class);
        if !declared.is_empty() && !declared.contains(&class) {
            let fault = Fault::from(format!("`{class}` is not a class of this model"));
            node.error(fault.advise(suggest(class, "its classes", &declared)));
            continue;
        }
        targets.extend(read_target(&node, name.to_owned(), class.to_owned(), indicator));
    }
}

fn read_target(node: &Node<'_>, name: String, class: String, indicator: &Indicator) -> Option<Target> {
    let value = node.read(|value| indicator.form.read(value))?;
    Some(Target { indicator: name, class, value })
}

/// The classes that a task declares; empty where it declares none.
pub(super) fn declared_classes(task: &Task) -> Vec<&str> {
    match task {
        Task::Binary { positive, negative, .. } => vec![negative.as_str(), positive.as_str()],
        Task::Multiclass { classes, .. } => classes.iter().map(String::as_str).collect(),
        Task::Regression => Vec::new(),
    }
}

// === impl Form ===

impl Form {
    fn read(self, written: &Value) -> Result<f64, Fault> {
        if self == Self::Duration {
            return Ok(value::duration(written)?.as_seconds());
        }
        let number = value::number_or_percent(written)?;
        let (low, high) = match self {
            Self::Between(low, high) => (low, high),
            Self::Amount => (0.0, f64::MAX),
            Self::Any | Self::Duration => (f64::MIN, f64::MAX),
        };
        if (low..=high).contains(&number) {
            return Ok(number);
        }
        let range = match (low, high) {
            (f64::MIN, high) => format!("at most {high}"),
            (low, f64::MAX) => format!("at least {low}"),
            (low, high) => format!("between {low} and {high}"),
        };
        let fault = Fault::from(format!("must be {range}, found {}", describe(written)));
        // A ratio that was meant as a percentage is the likeliest slip.
        Err(if self == RATIO && number > 1.0 && number <= 100.0 {
            fault.advise(format!("write {} or {number}%", number / 100.0))
        } else {
            fault
        })
    }
}

// === impl Tasks ===

impl Tasks {
    fn include(self, task: &Task) -> bool {
        match self {
            Self::All => true,
            Self::Classification => !matches!(task, Task::Regression),
            Self::Regression => matches!(task, Task::Regression),
        }
    }
}

const fn all(name: &'static str, form: Form) -> Indicator {
    Indicator { name, form, tasks: Tasks::All, by_class: false }
}

const fn classification(name: &'static str, form: Form, by_class: bool) -> Indicator {
    Indicator { name, form, tasks: Tasks::Classification, by_class }
}

const fn regression(name: &'static str, form: Form) -> Indicator {
    Indicator { name, form, tasks: Tasks::Regression, by_class: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quantile_of_the_latency_is_an_indicator() {
        for name in ["latency_p1", "latency_p50", "latency_p99"] {
            assert!(find(name).is_some(), "{name}");
        }
        for name in ["latency_p0", "latency_p100", "latency_p", "latency_p+5", "latency_p05", "latency"] {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
