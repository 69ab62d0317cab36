//! A log that grows in chunks of any size and is rotated under way comes to what a replay of it all says.

use super::process::{Exporter, append, await_that, call, one_model};
use proptest::prelude::*;

/// What is equal live and in a replay, whatever their clocks: counters of what was read and what it meant.
fn counters(exposition: &str) -> Vec<&str> {
    let families = [
        "inference_requests_total",
        "inference_predictions_total",
        "inference_outcomes_total",
        "inference_labels_total{model=\"m\",version",
        "inference_exporter_lines_total",
        "inference_exporter_bytes_total",
        "inference_exporter_rejected_lines_total",
        "inference_exporter_ignored_lines_total",
    ];
    let is_counter = |line: &&str| families.iter().any(|family| line.starts_with(family));
    let mut lines: Vec<&str> = exposition.lines().filter(is_counter).collect();
    lines.sort_unstable();
    lines
}

fn line(record: usize, choice: u8) -> String {
    match choice {
        0 => "not a record\n".to_owned(),
        1 => "\n".to_owned(),
        // A label without a prediction; some ids come twice.
        2 => format!("{{\"id\": \"r{}\", \"y\": 1}}\n", record / 2),
        _ => format!(
            "{{\"id\": \"r{record}\", \"p\": {}, \"y\": {}, \"text\": \"{}\"}}\n",
            choice % 2,
            choice % 3 % 2,
            "é".repeat(choice.into())
        ),
    }
}

/// Writes what is left up to a line end, as a writer has done when it rotates.
fn finish_line<'a>(log: &std::path::Path, whole: &'a [u8], rest: &'a [u8]) -> &'a [u8] {
    let is_at_line_end = whole[..whole.len() - rest.len()].ends_with(b"\n");
    let count = match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) if !is_at_line_end => end + 1,
        _ => 0,
    };
    append(log, &rest[..count]);
    &rest[count..]
}

fn follow(lines: &[u8], chunks: &[usize], rotate_every: usize) -> Result<(), TestCaseError> {
    let whole: String = lines.iter().enumerate().map(|(record, choice)| line(record, *choice)).collect();
    let whole = whole.as_bytes();
    let (directory, config) = one_model();
    let log = directory.path().join("p.jsonl");
    let exporter = Exporter::run(&config, &[]);
    let read_bytes = || {
        exporter
            .value("inference_exporter_bytes_total{log=\"p\"}")
            .map_or(0, |text| text.parse().expect("a count"))
    };

    let (mut rest, mut rotations, mut file_start) = (whole, 0, 0);
    for chunk in chunks.iter().cycle() {
        let (now, later) = rest.split_at((*chunk).min(rest.len()));
        append(&log, now);
        rest = later;
        if rest.is_empty() {
            break;
        }
        if whole.len() - rest.len() - file_start > rotate_every {
            rest = finish_line(&log, whole, rest);
            // A file that comes and goes between two looks is promised to nobody.
            await_that("the file being read", || (read_bytes() > file_start).then_some(()));
            rotations += 1;
            std::fs::rename(&log, directory.path().join(format!("p.jsonl.{rotations}"))).expect("renamed");
            file_start = whole.len() - rest.len();
        }
    }
    exporter.await_value("inference_exporter_bytes_total{log=\"p\"}", &whole.len().to_string());

    std::fs::write(directory.path().join("whole.jsonl"), whole).expect("room on the disk");
    let arguments = ["replay", "--config", "config.yaml", "--output", "metrics", "p=whole.jsonl"];
    let replayed = call(directory.path(), &arguments, b"");
    prop_assert_eq!(replayed.code, Some(0), "{:?}", replayed);
    let live = exporter.metrics();
    prop_assert_eq!(counters(&live), counters(&replayed.out));
    prop_assert!(rotations > 0 && counters(&live).len() > 10, "{} rotations\n{}", rotations, live);
    Ok(())
}

proptest! {
    // Each case is a process and some looks at its files, a quarter of a second apart.
    #![proptest_config(ProptestConfig { max_shrink_iters: 20, ..ProptestConfig::with_cases(4) })]

    #[test]
    fn a_log_in_random_chunks_with_rotation_counts_as_its_replay(
        lines in prop::collection::vec(0..20u8, 800..1600),
        chunks in prop::collection::vec(1..6000usize, 1..40),
        rotate_every in 8_000..30_000usize,
    ) {
        follow(&lines, &chunks, rotate_every)?;
    }
}
