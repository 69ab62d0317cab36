//! Families of requests and predictions: what the model was asked and what it said.

use super::Kind::{Counter, Histogram};
use super::writer::Writer;
use super::{Family, Read, VersionView};
use crate::monitor::Task;
use crate::monitor::vocabulary::FOLDED;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "inference_requests_total",
        kind: Counter,
        help: "Requests by logged status; failed are those whose status matches the model's failed pattern.",
        labels: &["status", "result"],
        absent: "",
        read: Read::Version(requests),
    },
    Family {
        name: "inference_request_duration_seconds",
        kind: Histogram,
        help: "How long requests took, with the trace id of the last request of each bucket as its exemplar.",
        labels: &[],
        absent: "no log of the model maps latency",
        read: Read::Version(duration),
    },
    Family {
        name: "inference_predictions_total",
        kind: Counter,
        help: "Predictions by predicted class; regression has one series without a class.",
        labels: &["predicted"],
        absent: "",
        read: Read::Version(predictions),
    },
    Family {
        name: "inference_prediction_score",
        kind: Histogram,
        help: "Scores of predictions: of the positive class in binary, of the predicted class in multiclass.",
        labels: &[],
        absent: "the task is regression, or no log of the model maps a score",
        read: Read::Version(scores),
    },
];

fn requests(view: &VersionView<'_>, writer: &mut Writer) {
    for (id, counts) in view.version.requests.iter().enumerate() {
        let status = view.monitor.statuses().name(id as u16);
        for (result, &count) in ["ok", "failed"].into_iter().zip(counts) {
            if count > 0 {
                writer.count(&[("status", status), ("result", result)], count);
            }
        }
    }
    if view.version.requests_unnamed > 0 {
        writer.count(&[("status", ""), ("result", "ok")], view.version.requests_unnamed);
    }
}

fn duration(view: &VersionView<'_>, writer: &mut Writer) {
    if view.monitor.config().maps_latency {
        let latency = &view.version.latency;
        writer.histogram(&[], &latency.histogram, &latency.exemplars);
    }
}

fn predictions(view: &VersionView<'_>, writer: &mut Writer) {
    if matches!(view.monitor.config().task, Task::Regression) {
        writer.count(&[], view.version.predictions_total);
        return;
    }
    let known = view.monitor.classes().vocabulary().len() as u16;
    for class in 0..known {
        let count = view.version.predictions.get(usize::from(class)).copied().unwrap_or(0);
        if count > 0 || class != FOLDED {
            writer.count(&[("predicted", view.class(class))], count);
        }
    }
}

fn scores(view: &VersionView<'_>, writer: &mut Writer) {
    let config = view.monitor.config();
    if config.maps_score && !matches!(config.task, Task::Regression) {
        writer.histogram(&[], &view.version.score, &[]);
    }
}
