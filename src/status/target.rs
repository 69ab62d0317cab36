//! How a version stands against the targets of its model: an aid for the eye, on the page and in the report.
//!
//! Not an alert, which looks at more than a moment. Invariant: what has an interval is judged by the whole of
//! it, so that a few samples are never called a miss.

use super::{ModelStatus, TargetStatus, VersionStatus, WindowStatus};
use crate::score::wilson;
use crate::time::Timestamp;

/// One target of a model and what one version has to show for it.
#[derive(Clone, PartialEq, Debug)]
pub struct Standing {
    /// With its class: `recall of 3`.
    pub indicator: String,
    pub limit: Limit,
    pub target: f64,
    /// `None` where there is nothing to judge.
    pub actual: Option<Actual>,
    pub verdict: Verdict,
    /// What it was measured over: a window's name, or `start`.
    pub over: String,
}

/// A value with the interval in which it can be; both ends are the value where there is no interval.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Actual {
    pub value: f64,
    pub lower: f64,
    pub upper: f64,
}

/// Which side of its target a value should be on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    AtLeast,
    AtMost,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Meets,
    Misses,
    /// The interval has the target within it.
    Unsure,
    /// Nothing to judge yet.
    NoValue,
    /// Takes a look over time, which the alert rules have.
    AlertsOnly,
}

/// Indicators that should stay low; every other should be high.
const LOW: [&str; 10] = [
    "label_delay",
    "label_age",
    "log_loss",
    "brier_score",
    "calibration_error",
    "mse",
    "rmse",
    "mae",
    "mape",
    "bias",
];

const LATENCY_PREFIX: &str = "latency_p";

// === impl Verdict ===

impl Verdict {
    pub const fn words(self) -> &'static str {
        match self {
            Self::Meets => "meets",
            Self::Misses => "misses",
            Self::Unsure => "not sure yet",
            Self::NoValue => "no value yet",
            Self::AlertsOnly => "judged by the alerts",
        }
    }

    fn new(limit: Limit, target: f64, actual: Option<Actual>) -> Self {
        let Some(Actual { lower, upper, .. }) = actual else { return Self::NoValue };
        let (surely, never) = match limit {
            Limit::AtLeast => (lower >= target, upper < target),
            Limit::AtMost => (upper <= target, lower > target),
        };
        match (surely, never) {
            (true, _) => Self::Meets,
            (_, true) => Self::Misses,
            _ => Self::Unsure,
        }
    }
}

// === impl Limit ===

impl Limit {
    pub const fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => "≥",
            Self::AtMost => "≤",
        }
    }

    fn of(indicator: &str) -> Self {
        let low = LOW.contains(&indicator) || indicator.starts_with(LATENCY_PREFIX);
        if low { Self::AtMost } else { Self::AtLeast }
    }
}

// === impl Actual ===

impl Actual {
    fn exact(value: f64) -> Self {
        Self { value, lower: value, upper: value }
    }

    pub fn has_interval(&self) -> bool {
        self.lower < self.upper
    }
}

/// How a version stands in one of its windows. What is counted since the start and not by window (latency,
/// availability) is judged over that.
pub fn standings(
    model: &ModelStatus,
    version: &VersionStatus,
    window: Option<&WindowStatus>,
    now: Timestamp,
) -> Vec<Standing> {
    model.targets.iter().map(|target| standing(model, version, window, now, target)).collect()
}

fn standing(
    model: &ModelStatus,
    version: &VersionStatus,
    window: Option<&WindowStatus>,
    now: Timestamp,
    target: &TargetStatus,
) -> Standing {
    let indicator = &*target.indicator;
    let mut new = Standing {
        indicator: match &*target.class {
            "" => indicator.to_owned(),
            class => format!("{indicator} of {class}"),
        },
        limit: Limit::of(indicator),
        target: target.value,
        actual: None,
        verdict: Verdict::NoValue,
        over: "start".to_owned(),
    };
    if let Some(percent) = indicator.strip_prefix(LATENCY_PREFIX) {
        let share = percent.parse().unwrap_or(100.0) / 100.0;
        new.set_latency(version, share);
        return new;
    }
    new.actual = match indicator {
        "availability" => availability(version),
        "label_age" => version.last_label.map(|last| Actual::exact((now.as_seconds() - last).max(0.0))),
        "label_delay" => None,
        _ => window.and_then(|window| {
            new.over.clone_from(&window.window);
            measured(model, window, indicator, &target.class)
        }),
    };
    new.verdict = match (indicator, new.actual) {
        ("label_delay", _) => Verdict::AlertsOnly,
        // A bias is judged by its size, whichever way it goes.
        ("bias", Some(actual)) => {
            let size = Actual::exact(actual.value.abs());
            Verdict::new(Limit::AtMost, new.target.abs(), Some(size))
        }
        _ => Verdict::new(new.limit, new.target, new.actual),
    };
    new
}

impl Standing {
    /// A latency target is a bucket's bound, so the requests that kept it are counted. They are judged with
    /// their interval, as every share is; what is shown is the bound that the quantile kept.
    fn set_latency(&mut self, version: &VersionStatus, share: f64) {
        let Some(latency) = &version.latency else { return };
        self.actual = latency.quantile_bound(share).map(Actual::exact);
        // A bound is written and read back as the same number.
        let kept = latency.buckets.iter().find(|bucket| bucket.at_most >= self.target);
        let kept = kept.map_or(latency.count, |bucket| bucket.count);
        self.verdict = match wilson::interval(kept, latency.count) {
            None => Verdict::NoValue,
            Some(interval) => {
                let value = kept as f64 / latency.count as f64;
                let within = Actual { value, lower: interval.lower, upper: interval.upper };
                Verdict::new(Limit::AtLeast, share, Some(within))
            }
        };
    }
}

fn availability(version: &VersionStatus) -> Option<Actual> {
    let [ok, failed] = version.requests_by_result();
    let interval = wilson::interval(ok, ok + failed)?;
    let value = ok as f64 / (ok + failed) as f64;
    Some(Actual { value, lower: interval.lower, upper: interval.upper })
}

fn measured(model: &ModelStatus, window: &WindowStatus, indicator: &str, class: &str) -> Option<Actual> {
    let name = if indicator == "coverage" { "label_coverage" } else { indicator };
    // Without a class, a value that only classes have is the positive one's, or the mean over classes; and
    // what has one value in binary is the positive class's.
    let places = match (class, model.positive.as_deref()) {
        ("", Some(positive)) => [Some(&window.values), window.classes.get(positive)],
        ("", None) => [Some(&window.values), window.averages.get("macro")],
        (class, positive) => [window.classes.get(class), (positive == Some(class)).then_some(&window.values)],
    };
    let values = places.into_iter().flatten().find(|values| values.contains_key(name))?;
    let value = *values.get(name)?;
    let end = |suffix: &str| {
        let end = values.iter().find(|(key, _)| key.strip_prefix(name) == Some(suffix));
        end.map(|(_, &end)| end)
    };
    let (lower, upper) = match (end("_lower"), end("_upper"), end("_error_bound")) {
        (Some(lower), Some(upper), _) => (lower, upper),
        (_, _, Some(bound)) => (value - bound, value + bound),
        _ => (value, value),
    };
    Some(Actual { value, lower, upper })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::example;
    use crate::status::Status;

    fn verdict(limit: Limit, target: f64, [value, lower, upper]: [f64; 3]) -> Verdict {
        Verdict::new(limit, target, Some(Actual { value, lower, upper }))
    }

    #[test]
    fn an_interval_around_the_target_is_not_sure_yet() {
        use Limit::{AtLeast, AtMost};
        assert_eq!(verdict(AtLeast, 0.9, [0.95, 0.91, 0.97]), Verdict::Meets);
        assert_eq!(verdict(AtLeast, 0.9, [0.95, 0.89, 0.97]), Verdict::Unsure);
        assert_eq!(verdict(AtLeast, 0.9, [0.85, 0.80, 0.89]), Verdict::Misses);
        assert_eq!(verdict(AtMost, 0.9, [0.85, 0.80, 0.89]), Verdict::Meets);
        assert_eq!(verdict(AtMost, 0.9, [0.95, 0.91, 0.97]), Verdict::Misses);
        assert_eq!(Verdict::new(AtLeast, 0.9, None), Verdict::NoValue);
    }

    /// The verdicts on a model of the oracle, for a list of targets and all its versions.
    fn judged(name: &str, targets: &[(&str, &str, f64)]) -> Vec<(String, Vec<Verdict>)> {
        let (state, now) = example::oracle().replay();
        let mut status = Status::new(&state);
        let model = status.models.iter_mut().find(|model| model.model == name).unwrap();
        model.targets = targets
            .iter()
            .map(|&(indicator, class, value)| TargetStatus {
                indicator: indicator.to_owned(),
                class: class.to_owned(),
                value,
            })
            .collect();
        let model = &*model;
        let mut judged = Vec::new();
        for version in &model.versions {
            let standings = standings(model, version, version.whole().last(), now);
            judged.push((version.version.clone(), standings.iter().map(|one| one.verdict).collect()));
        }
        judged.sort_by(|one, other| one.0.cmp(&other.0));
        judged
    }

    #[test]
    fn a_share_counted_since_the_start_is_judged_with_its_interval() {
        // 20 requests of `shadow` and some 250 of the others, all within 10 s: too few to say so of 99 in 100.
        let targets = [("latency_p50", "", 0.025), ("latency_p99", "", 10.0), ("latency_p50", "", 0.001)];
        let all = [Verdict::Meets, Verdict::Unsure, Verdict::Misses];
        for (version, verdicts) in judged("progression", &targets) {
            assert_eq!(verdicts, all, "{version}");
        }
    }

    #[test]
    fn a_target_without_a_class_is_of_the_positive_class_or_of_the_mean_over_classes() {
        let targets = [("recall", "", 0.5), ("recall", "3", 0.5), ("f1", "", 0.5), ("recall", "none", 0.5)];
        for (version, verdicts) in judged("digits", &targets) {
            use Verdict::{Meets, NoValue};
            assert_eq!(verdicts, [Meets, Meets, Meets, NoValue], "{version}");
        }
        let (_, of_v1) = judged("tumour", &[("recall", "", 0.5)]).remove(1);
        assert_eq!(of_v1, [Verdict::Meets]);
    }

    #[test]
    fn a_bias_is_judged_by_its_size_and_what_was_never_labelled_not_at_all() {
        let judged =
            judged("progression", &[("bias", "", -1000.0), ("mae", "", 0.001), ("label_delay", "", 1.0)]);
        let [shadow, v1, _] = &judged[..] else { panic!("three versions: {judged:?}") };
        assert_eq!(shadow.1, [Verdict::NoValue, Verdict::NoValue, Verdict::AlertsOnly]);
        assert_eq!(v1.1, [Verdict::Meets, Verdict::Misses, Verdict::AlertsOnly]);
    }
}
