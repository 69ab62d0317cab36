//! What is kept over a restart, and what happens when the disk does not play along.

use super::process::{Exporter, append, await_that, call, one_model, one_model_text, value, write};
use super::sidecar::{OUTCOMES, outcome};
use std::fs;
use std::path::{Path, PathBuf};

const FAILURES: &str = "inference_exporter_checkpoint_failures_total";
const LINES: &str = "inference_exporter_lines_total{log=\"p\"}";
const LAST_SUCCESS: &str = "inference_exporter_checkpoint_last_success_timestamp_seconds";
const SIZE: &str = "inference_exporter_checkpoint_size_bytes";

/// A directory with logs of the given number of lines, and a configuration that keeps state in `state_dir`.
fn with_state(state_dir: &str, lines: usize) -> (tempfile::TempDir, PathBuf) {
    let (directory, config) = one_model();
    let state_dir = directory.path().join(state_dir);
    let text = one_model_text(directory.path(), &["p"]);
    write(&config, &format!("state_dir: {}\ncheckpoint_interval: 50ms\n{text}", state_dir.display()));
    append_outcomes(directory.path(), 0..lines);
    (directory, config)
}

fn append_outcomes(directory: &Path, ids: std::ops::Range<usize>) {
    append(&directory.join("p.jsonl"), ids.map(outcome).collect::<String>().as_bytes());
}

/// Waits until a checkpoint holds all that is shown now.
fn await_checkpoint(exporter: &Exporter) {
    let now = exporter.value(LAST_SUCCESS);
    await_that("two more checkpoints", || (exporter.value(LAST_SUCCESS) != now).then_some(()));
    let now = exporter.value(LAST_SUCCESS);
    await_that("two more checkpoints", || (exporter.value(LAST_SUCCESS) != now).then_some(()));
}

#[test]
fn scenario_83_sigterm_reads_what_is_there_keeps_it_and_exits_0() {
    let (directory, config) = with_state("state", 100);
    let mut exporter = Exporter::run(&config, &[]);
    exporter.await_value(OUTCOMES, "100");
    append_outcomes(directory.path(), 100..300);
    exporter.signal("TERM");
    assert_eq!(exporter.end().code(), Some(0), "{}", exporter.stderr());
    // The log goes, and what was read of it stays counted.
    fs::write(directory.path().join("p.jsonl"), "").expect("emptied");
    let exporter = Exporter::run(&config, &[]);
    exporter.await_value(OUTCOMES, "300");
    append_outcomes(directory.path(), 300..301);
    exporter.await_value(OUTCOMES, "301");
    assert_eq!(exporter.value(FAILURES).as_deref(), Some("0"));
}

#[test]
fn a_killed_process_goes_on_from_its_checkpoint_and_reads_the_rest_again() {
    let (directory, config) = with_state("state", 1000);
    for round in 1..4 {
        let mut exporter = Exporter::run(&config, &[]);
        exporter.await_value(OUTCOMES, &(1000 * round).to_string());
        if round == 1 {
            await_checkpoint(&exporter);
        }
        append_outcomes(directory.path(), 1000 * round..1000 * (round + 1));
        exporter.signal("KILL");
        exporter.end();
    }
    let mut exporter = Exporter::run(&config, &[]);
    exporter.await_value(OUTCOMES, "4000");
    assert_eq!(exporter.value(LINES).as_deref(), Some("4000"));
    exporter.await_log("going on from the last checkpoint", |_| Some(()));
}

/// What a scrape has shown is noted; a state that is older is not shown as it is.
#[test]
fn nothing_is_shown_before_all_is_read_again_that_was_shown() {
    // So many that reading them again takes longer than it takes to ask.
    let (directory, config) = with_state("state", 200_000);
    let mut exporter = Exporter::run(&config, &[]);
    exporter.await_value(OUTCOMES, "200000");
    exporter.signal("KILL");
    exporter.end();
    fs::remove_file(directory.path().join("state/checkpoint")).expect("a checkpoint");
    let exporter = Exporter::run(&config, &[]);
    let (status, body) = exporter.get("/metrics");
    assert!(status == 503 && body.contains("shown before the restart"), "{status} {body}");
    assert_eq!(exporter.get("/-/healthy").0, 200);
    let (status, first) = await_that("an answer", || {
        let unready = exporter.get("/-/ready").0;
        let (status, body) = exporter.get("/metrics");
        assert!(status == 200 || unready == 503, "ready before there is anything to show");
        (status == 200).then_some((status, body))
    });
    assert_eq!((status, value(&first, OUTCOMES).as_deref()), (200, Some("200000")));
    assert_eq!(exporter.get("/-/ready").0, 200);
}

/// What the last checkpoint holds need not be read again, and so it need not be waited for, wherever its lines are now.
#[test]
fn what_is_kept_is_shown_at_once_however_much_there_is_to_read() {
    let (directory, config) = with_state("state", 100);
    let mut exporter = Exporter::run(&config, &[]);
    exporter.await_value(OUTCOMES, "100");
    exporter.signal("TERM");
    exporter.end();
    let log = directory.path().join("p.jsonl");
    fs::remove_file(&log).expect("removed");
    append_outcomes(directory.path(), 100..200_000);
    let exporter = Exporter::run(&config, &[]);
    let (status, first) = exporter.get("/metrics");
    assert_eq!(status, 200, "{first}");
    let shown: u64 = value(&first, OUTCOMES).and_then(|value| value.parse().ok()).expect("a number");
    assert!((100..200_000).contains(&shown), "{shown}");
    exporter.await_value(OUTCOMES, "200000");
}

#[test]
fn scenario_71_a_damaged_checkpoint_is_refused_counted_and_kept_aside() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        Vec::clear,
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| *bytes = b"garbage".repeat(100),
        |bytes| *bytes.last_mut().expect("not empty") ^= 1,
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let (directory, config) = with_state("state", 100);
        let mut exporter = Exporter::run(&config, &[]);
        exporter.await_value(OUTCOMES, "100");
        exporter.signal("TERM");
        exporter.end();
        let checkpoint = directory.path().join("state/checkpoint");
        let mut bytes = fs::read(&checkpoint).expect("a checkpoint");
        damage(&mut bytes);
        fs::write(&checkpoint, &bytes).expect("written");
        // What a crash while writing may leave.
        fs::write(directory.path().join("state/checkpoint.new"), b"half").expect("written");
        let exporter = Exporter::run(&config, &[]);
        exporter.await_value(OUTCOMES, "100");
        assert_eq!(exporter.value(FAILURES).as_deref(), Some("1"), "damage {number}");
        let said = exporter.stderr();
        assert!(said.contains("is not used, since it is damaged"), "damage {number}: {said}");
        assert_eq!(fs::read(directory.path().join("state/checkpoint.refused")).expect("kept"), bytes);
        await_checkpoint(&exporter);
    }
}

#[test]
fn scenario_72_a_checkpoint_of_another_version_is_refused_counted_and_kept_aside() {
    let (directory, config) = with_state("state", 100);
    let mut exporter = Exporter::run(&config, &[]);
    exporter.await_value(OUTCOMES, "100");
    exporter.signal("TERM");
    exporter.end();
    let checkpoint = directory.path().join("state/checkpoint");
    let mut bytes = fs::read(&checkpoint).expect("a checkpoint");
    bytes[8..12].copy_from_slice(&0_u32.to_le_bytes());
    fs::write(&checkpoint, &bytes).expect("written");
    let exporter = Exporter::run(&config, &[]);
    // Whole files are read again, so nothing is lost, and what is shown is no less than it was.
    exporter.await_value(OUTCOMES, "100");
    assert_eq!(exporter.value(FAILURES).as_deref(), Some("1"));
    assert!(exporter.stderr().contains("it has format 0"), "{}", exporter.stderr());
    assert!(directory.path().join("state/checkpoint.refused").exists());
}

#[test]
fn scenario_73_a_disk_that_refuses_stops_nothing_and_is_told_of() {
    // A file is where the directory should be: what a read-only disk answers, also to root.
    let (directory, config) = with_state("blocked/state", 100);
    let blocked = directory.path().join("blocked");
    fs::write(&blocked, "").expect("written");
    let mut exporter = Exporter::run(&config, &[]);
    exporter.await_value(OUTCOMES, "100");
    append_outcomes(directory.path(), 100..200);
    exporter.await_value(OUTCOMES, "200");
    let failures = |exporter: &Exporter| exporter.value(FAILURES).and_then(|value| value.parse::<u64>().ok());
    await_that("failures to go on", || failures(&exporter).filter(|failures| *failures > 2));
    // Said once, not each time.
    let said = exporter.stderr().matches("a checkpoint cannot be written").count();
    assert_eq!(said, 1, "{}", exporter.stderr());
    fs::remove_file(&blocked).expect("removed");
    exporter.await_log("checkpoints are written again", |_| Some(()));
    let size = fs::metadata(blocked.join("state/checkpoint")).expect("a checkpoint").len();
    exporter.await_value(SIZE, &size.to_string());
}

#[test]
fn scenario_73_a_second_process_on_one_directory_exits_1() {
    let (directory, config) = with_state("state", 10);
    let exporter = Exporter::run(&config, &[]);
    exporter.await_value(OUTCOMES, "10");
    let second = call(directory.path(), &["run", "--config", "config.yaml"], b"");
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.err.contains("is in use: another process holds"), "{second:?}");
    append_outcomes(directory.path(), 10..11);
    exporter.await_value(OUTCOMES, "11");
}

/// Lines that were read under one configuration must not be read again under another.
#[test]
fn a_reload_is_followed_by_a_checkpoint_at_once() {
    let (directory, config) = with_state("state", 100);
    let text = fs::read_to_string(&config).expect("a configuration").replace("50ms", "1h");
    write(&config, &text);
    let exporter = Exporter::run(&config, &[]);
    exporter.await_value(OUTCOMES, "100");
    let before = await_that("the first checkpoint", || exporter.value(SIZE).filter(|size| size != "0"));
    append_outcomes(directory.path(), 100..200);
    exporter.await_value(OUTCOMES, "200");
    assert_eq!(exporter.value(SIZE).as_ref(), Some(&before), "the next one is due in an hour");
    exporter.signal("HUP");
    await_that("a checkpoint", || exporter.value(SIZE).filter(|size| *size != before));
}
