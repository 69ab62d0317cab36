//! Families of labels: how many came, how late, and what still waits.

use super::Kind::{Counter, Gauge, Histogram};
use super::writer::Writer;
use super::{Family, Read, VersionView};
use crate::join::Labels;
use crate::monitor::Monitor;
use crate::monitor::tally::{LabelResult, Unlabeled};
use crate::time::Timestamp;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "inference_labels_total",
        kind: Counter,
        help: "Labels by what became of them; version is left out where it is not known.",
        labels: &["version", "result"],
        absent: "no log of the model maps a label",
        read: Read::Model(results),
    },
    Family {
        name: "inference_label_delay_seconds",
        kind: Histogram,
        help: "Time from a prediction to its label.",
        labels: &[],
        absent: "no log of the model maps a label",
        read: Read::Version(delay),
    },
    Family {
        name: "inference_last_label_timestamp_seconds",
        kind: Gauge,
        help: "When the last label was joined, in seconds since the epoch.",
        labels: &[],
        absent: "before the first joined label with a time",
        read: Read::Version(last_label),
    },
    Family {
        name: "inference_predictions_pending",
        kind: Gauge,
        help: "Predictions that wait for their label.",
        labels: &[],
        absent: "no log of the model maps a label",
        read: Read::Version(pending),
    },
    Family {
        name: "inference_labels_waiting",
        kind: Gauge,
        help: "Labels that wait for their prediction.",
        labels: &[],
        absent: "no log of the model maps a label",
        read: Read::Model(waiting),
    },
    Family {
        name: "inference_predictions_unlabeled_total",
        kind: Counter,
        help: "Predictions that will have no label: expired after the join's wait, or evicted because the \
               join was full or the id already had a prediction.",
        labels: &["reason"],
        absent: "no log of the model maps a label",
        read: Read::Version(unlabeled),
    },
];

fn results(monitor: &Monitor, writer: &mut Writer) {
    if !monitor.config().expects_labels {
        return;
    }
    const OF_A_VERSION: [LabelResult; 4] =
        [LabelResult::Joined, LabelResult::Duplicate, LabelResult::Late, LabelResult::Invalid];
    for version in monitor.versions() {
        writer.scope(&[("model", monitor.name()), ("version", &version.name)]);
        for result in OF_A_VERSION {
            writer.count(&[("result", result.name())], version.labels[result as usize]);
        }
    }
    writer.scope(&[("model", monitor.name())]);
    let join = &monitor.config().join;
    let unmatched = match join.labels {
        Labels::Own => LabelResult::Orphan,
        Labels::Shared { .. } => LabelResult::Foreign,
    };
    for result in LabelResult::ALL {
        let count = monitor.labels()[result as usize];
        let starts_at_zero = result == unmatched || (result == LabelResult::Unsampled && join.sample < 1.0);
        if count > 0 || starts_at_zero {
            writer.count(&[("result", result.name())], count);
        }
    }
}

fn delay(view: &VersionView<'_>, writer: &mut Writer) {
    if view.monitor.config().expects_labels {
        writer.histogram(&[], &view.version.label_delay, &[]);
    }
}

fn last_label(view: &VersionView<'_>, writer: &mut Writer) {
    if view.version.last_label != Timestamp::MIN {
        writer.value(&[], view.version.last_label.as_seconds());
    }
}

fn pending(view: &VersionView<'_>, writer: &mut Writer) {
    if view.monitor.config().expects_labels {
        writer.count(&[], view.version.pending);
    }
}

fn waiting(monitor: &Monitor, writer: &mut Writer) {
    if monitor.config().expects_labels {
        writer.count(&[], monitor.join().labels_waiting() as u64);
    }
}

fn unlabeled(view: &VersionView<'_>, writer: &mut Writer) {
    if view.monitor.config().expects_labels {
        for reason in Unlabeled::ALL {
            writer.count(&[("reason", reason.name())], view.version.unlabeled[reason as usize]);
        }
    }
}
