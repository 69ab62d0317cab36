//! Many files, large ones, quiet ones, and the clock.

use super::harness::*;

#[test]
fn scenario_79_a_busy_file_does_not_starve_a_quiet_one() {
    let logs = Logs::new();
    logs.write("busy.log", &numbered(0..100_000));
    logs.write("quiet.log", "here\n");
    let mut reader = logs.reader("*.log");
    reader.tailer.look(reader.now);
    // A read gives at most a batch, so every file has its turn soon.
    reader.take_turns();
    assert!(reader.take().contains(&"here".to_string()));
}

#[test]
fn scenario_80_a_line_in_a_file_that_was_quiet_for_long_is_seen_at_the_next_look() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("*.log");
    reader.steps(2).take();
    for day in 1..10 {
        reader.now = reader.now.plus(Span::from_seconds(86_400));
        reader.step();
        logs.write("app.log", &format!("{day}\n"));
        assert_eq!(reader.step().take(), [day.to_string()]);
    }
}

#[test]
fn scenario_81_quiet_files_cost_no_read_and_hardly_any_memory() {
    let logs = Logs::new();
    for at in 0..1000 {
        logs.write(&format!("{at}.log"), "a\n");
    }
    let mut reader = logs.reader("*.log");
    reader.steps(8);
    reader.now = reader.now.plus(Span::from_seconds(86_400));
    reader.tailer.look(reader.now);
    assert!(reader.tailer.next_file(&mut Cursor::default(), reader.now).is_none());
    assert_eq!(reader.buffers.len(), 1000);
    assert!(reader.buffers.values().all(|buffer| buffer.memory_bytes() < 300));
}

#[test]
fn scenario_82_nothing_is_read_that_nobody_takes() {
    let logs = Logs::new();
    let mut reader = logs.reader("*.log");
    let text = numbered(0..1000);
    for round in 0..100 {
        logs.write("app.log", &text);
        if round % 10 == 5 {
            logs.rename("app.log", &format!("app.log.{round}"));
        }
        reader.now = reader.now.plus(Span::from_seconds(60));
        reader.tailer.look(reader.now);
    }
    assert!(reader.buffers.is_empty(), "there is no queue: bytes stay in the files until there is time");
    assert!(reader.tailer.lag_bytes() > 0);
    assert_eq!(reader.steps(3).take().len(), 100_000);
    assert_eq!(reader.tailer.tally().abandoned_bytes, 0);
}

#[test]
#[ignore = "measures; run with --release --nocapture"]
fn scenario_81_cost_of_a_look_at_quiet_files() {
    let logs = Logs::new();
    for at in 0..1000 {
        logs.write(&format!("{at}.log"), "a\n");
    }
    let mut reader = logs.reader("*.log");
    reader.steps(20);
    let far = Timestamp::from_seconds(4_000_000_000);
    reader.now = far;
    reader.steps(2);
    let output = std::process::Command::new("getconf").arg("CLK_TCK").output().expect("getconf runs");
    let ticks: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
    let used = || {
        let text = fs::read_to_string("/proc/self/stat").expect("stat");
        let fields: Vec<f64> = text
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .map(|word| word.parse().unwrap_or(0.0))
            .collect();
        (fields[11] + fields[12]) / ticks
    };
    let before = used();
    for _ in 0..400 {
        reader.now = reader.now.plus(Span::from_nanos(1));
        reader.step();
    }
    eprintln!("one look at 1000 quiet files: {:.2} ms", (used() - before) / 400.0 * 1000.0);
}

#[test]
fn scenario_86_clock_jumps() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", "b\n");
    reader.step();
    reader.now = Timestamp::from_seconds(10);
    assert_eq!(reader.steps(2).take(), ["a", "b"]);
    assert_eq!(reader.tailer.tally().file_count(State::Rotated), 1);
    reader.pause();
    assert_eq!(reader.tailer.tally().file_count(State::Rotated), 0);
    reader.now = Timestamp::from_seconds(4_000_000_000);
    logs.write("app.log", "c\n");
    assert_eq!(reader.step().take(), ["c"]);
}
