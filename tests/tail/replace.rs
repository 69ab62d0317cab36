//! Another file in a file's place: deleted and made again, replaced, a symbolic link pointed elsewhere.

use super::harness::*;

#[test]
fn scenario_46_47_48_50_delete_and_create() {
    let logs = Logs::new();
    let mut reader = logs.reader("app.log");
    for round in 0..20 {
        logs.write("app.log", &format!("{round} a\n"));
        reader.step();
        logs.write("app.log", &format!("{round} b\n{round} tail"));
        logs.delete("app.log");
    }
    reader.pause();
    let mut lines = reader.take();
    lines.sort_by_key(|line| line.split(' ').next().and_then(|round| round.parse::<u32>().ok()));
    let expected: Vec<_> =
        (0..20).flat_map(|round| ["a", "b", "tail"].map(|word| format!("{round} {word}"))).collect();
    assert_eq!(lines, expected);
    assert_eq!(reader.rotations(Rotation::Delete), 20);
    assert_eq!(logs.open_files(), 0, "the disk space is released");
}

#[test]
fn scenario_46_delete_and_create_with_the_same_lines() {
    let logs = Logs::new();
    logs.write("app.log", &"ok\n".repeat(1000));
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.delete("app.log");
    logs.write("app.log", &"ok\n".repeat(1500));
    assert_eq!(reader.steps(2).take().len(), 2500);
}

#[test]
fn scenario_49_gone_before_it_was_read() {
    let logs = Logs::new();
    let mut reader = logs.reader("*.log");
    logs.write("a.log", "a\n");
    reader.tailer.look(reader.now);
    logs.delete("a.log");
    while reader.take_turns() {}
    assert_eq!(reader.pause().take(), ["a"]);
    assert_eq!(reader.tailer.files().count(), 0);
}

#[test]
fn scenario_51_53_symlink_pointed_elsewhere() {
    let logs = Logs::new();
    logs.write("0.data", "first\n");
    logs.symlink("0.data", "app.log");
    let mut reader = logs.reader("app.log");
    reader.step();
    for at in 1..=30 {
        logs.write(&format!("{}.data", at - 1), &format!("late {at}\n"));
        logs.write(&format!("{at}.data"), &format!("new {at}\n"));
        logs.symlink(&format!("{at}.data"), "app.log");
        reader.step();
    }
    let lines = reader.pause().take();
    assert_eq!(lines.len(), 61);
    assert_eq!(lines.iter().collect::<HashSet<_>>().len(), 61);
    assert_eq!(reader.rotations(Rotation::Symlink), 30);
}

#[test]
fn scenario_54_atomic_replace() {
    let logs = Logs::new();
    logs.write("app.log", &numbered(0..20));
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.write("new", &numbered(0..25));
    logs.rename("new", "app.log");
    assert_eq!(reader.steps(2).take(), longs(0..25));
    assert_eq!(reader.rotations(Rotation::Replace), 1);
    logs.write("new", &numbered(100..130));
    logs.rename("new", "app.log");
    assert_eq!(reader.pause().take(), longs(100..130));
}
