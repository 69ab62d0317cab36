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
    family("inference_exporter_bytes_total", Counter, "Bytes read.", &[], "", |log, writer| {
        writer.count(&[], log.bytes);
    }),
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
