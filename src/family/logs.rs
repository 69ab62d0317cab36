//! Families about the logs: what became of every line.

use super::Kind::{Counter, Gauge};
use super::writer::Writer;
use super::{Family, Kind, Read};
use crate::event::mapping::Role;
use crate::pipeline::LogTally;
use crate::time::Timestamp;
use crate::verdict::{Ignore, Reject};

pub(super) const FAMILIES: &[Family] = &[
    family(
        "inference_exporter_lines_total",
        Counter,
        "Lines read: records, ignored and rejected ones.",
        &[],
        "",
        |log, writer| writer.count(&[], log.lines),
    ),
    family(
        "inference_exporter_records_total",
        Counter,
        "Lines that were records.",
        &[],
        "",
        |log, writer| {
            writer.count(&[], log.records);
        },
    ),
    family(
        "inference_exporter_bytes_total",
        Counter,
        "Bytes of the lines taken in, line ends included.",
        &[],
        "",
        |log, writer| {
            writer.count(&[], log.bytes);
        },
    ),
    family(
        "inference_exporter_rejected_lines_total",
        Counter,
        "Lines that should have been records and are not.",
        &["reason"],
        "",
        |log, writer| {
            for reason in Reject::ALL {
                writer.count(&[("reason", reason.name())], log.rejected[reason as usize]);
            }
        },
    ),
    family(
        "inference_exporter_ignored_lines_total",
        Counter,
        "Lines that were rightly passed over.",
        &["reason"],
        "",
        |log, writer| {
            for reason in Ignore::ALL {
                writer.count(&[("reason", reason.name())], log.ignored[reason as usize]);
            }
        },
    ),
    family(
        "inference_exporter_missing_values_total",
        Counter,
        "Mapped fields that a record did not have, or had as null.",
        &["field"],
        "the log does not map the field",
        |log, writer| {
            for field in Role::ALL.into_iter().filter(|&field| log.maps(field)) {
                writer.count(&[("field", field.name())], log.values.missing(field));
            }
        },
    ),
    family(
        "inference_exporter_invalid_values_total",
        Counter,
        "Mapped fields whose value could not be used: not finite, not a number, neither of two classes.",
        &["field"],
        "the log does not map the field",
        |log, writer| {
            for field in Role::ALL.into_iter().filter(|&field| log.maps(field)) {
                writer.count(&[("field", field.name())], log.values.invalid(field));
            }
        },
    ),
    family(
        "inference_exporter_last_record_timestamp_seconds",
        Gauge,
        "Event time of the newest record, in seconds since the epoch.",
        &[],
        "before the first record with a time",
        |log, writer| {
            if log.last_record != Timestamp::MIN {
                writer.value(&[], log.last_record.as_seconds());
            }
        },
    ),
    family(
        "inference_exporter_lag_bytes",
        Gauge,
        "Bytes that were written and are in no line taken in yet, an unterminated last line included.",
        &[],
        "",
        |log, writer| writer.count(&[], log.lag_bytes),
    ),
    family(
        "inference_exporter_lag_seconds",
        Gauge,
        "How long the log has not been read to its end; 0 where it has.",
        &[],
        "",
        |log, writer| writer.value(&[], log.lag.as_seconds()),
    ),
    family("inference_exporter_files", Gauge, "Files of the log.", &["state"], "", |log, writer| {
        for (state, count) in log.files.files() {
            writer.count(&[("state", state.name())], count);
        }
    }),
    family(
        "inference_exporter_rotations_total",
        Counter,
        "Times that a file made place for new content.",
        &["kind"],
        "",
        |log, writer| {
            for (kind, count) in log.files.rotations() {
                writer.count(&[("kind", kind.name())], count);
            }
        },
    ),
    family(
        "inference_exporter_abandoned_bytes_total",
        Counter,
        "Bytes known to have been written and never to be read.",
        &[],
        "",
        |log, writer| writer.count(&[], log.files.abandoned_bytes),
    ),
    family(
        "inference_exporter_file_errors_total",
        Counter,
        "Files and paths that could not be read; each is tried again.",
        &["reason"],
        "",
        |log, writer| {
            for (reason, count) in log.files.errors() {
                writer.count(&[("reason", reason.name())], count);
            }
        },
    ),
];

const fn family(
    name: &'static str,
    kind: Kind,
    help: &'static str,
    labels: &'static [&'static str],
    absent: &'static str,
    read: fn(&LogTally, &mut Writer),
) -> Family {
    Family { name, kind, help, labels, absent, read: Read::Log(read) }
}
