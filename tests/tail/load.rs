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
fn scenario_80_81_a_quiet_file_costs_no_read_and_is_seen_at_the_next_look() {
    let logs = Logs::new();
    for at in 0..100 {
        logs.write(&format!("{at}.log"), "a\n");
    }
    let mut reader = logs.reader("*.log");
    reader.steps(2);
    reader.now = reader.now.plus(Span::from_seconds(86_400));
    reader.tailer.look(reader.now);
    assert!(reader.tailer.next_file(&mut Cursor::default(), reader.now).is_none());
    assert!(reader.buffers.values().all(|buffer| buffer.memory_bytes() < 300));
    logs.write("7.log", "b\n");
    reader.take();
    assert_eq!(reader.step().take(), ["b"]);
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
