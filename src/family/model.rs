//! Families about the models themselves: what they are, when they were seen, what is asked of them.

use super::Kind::Gauge;
use super::writer::Writer;
use super::{Family, Read, VersionView};
use crate::join::UNTIMED;
use crate::monitor::Monitor;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "inference_slo_target",
        kind: Gauge,
        help: "Targets of the configuration: ratios as 0..1, times in seconds. class is empty where the \
               target is the whole model's.",
        labels: &["indicator", "class"],
        absent: "the model has no targets",
        read: Read::Model(targets),
    },
    Family {
        name: "inference_model_info",
        kind: Gauge,
        help: "1 for every version that is known.",
        labels: &["task"],
        absent: "",
        read: Read::Version(info),
    },
    Family {
        name: "inference_model_first_seen_timestamp_seconds",
        kind: Gauge,
        help: "Time of the version's first request, in seconds since the epoch.",
        labels: &[],
        absent: "no request had a time (replay)",
        read: Read::Version(first_seen),
    },
    Family {
        name: "inference_model_last_seen_timestamp_seconds",
        kind: Gauge,
        help: "Time of the version's last request, in seconds since the epoch.",
        labels: &[],
        absent: "no request had a time (replay)",
        read: Read::Version(last_seen),
    },
];

fn targets(monitor: &Monitor, writer: &mut Writer) {
    for target in &monitor.config().targets {
        writer.value(&[("indicator", &target.indicator), ("class", &target.class)], target.value);
    }
}

fn info(view: &VersionView<'_>, writer: &mut Writer) {
    writer.count(&[("task", view.monitor.config().task.name())], 1);
}

fn first_seen(view: &VersionView<'_>, writer: &mut Writer) {
    if view.version.first_seen != UNTIMED {
        writer.value(&[], view.version.first_seen.as_seconds());
    }
}

fn last_seen(view: &VersionView<'_>, writer: &mut Writer) {
    if view.version.last_seen != UNTIMED {
        writer.value(&[], view.version.last_seen.as_seconds());
    }
}
