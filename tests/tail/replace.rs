//! Another file in a file's place: deleted and made again, replaced, a symbolic link pointed elsewhere.

use super::harness::*;

#[test]
fn scenario_46_deleted_and_made_again() {
    let logs = Logs::new();
    let mut reader = logs.reader("app.log");
    for round in 0..20 {
        logs.write("app.log", &format!("{round} a\n"));
        reader.step();
        logs.write("app.log", &format!("{round} b\n"));
        logs.delete("app.log");
    }
    reader.pause();
    let expected: Vec<_> =
        (0..20).flat_map(|round| ["a", "b"].map(|word| format!("{round} {word}"))).collect();
    assert_eq!(reader.take(), expected);
    assert_eq!(reader.rotations(Rotation::Delete), 20);
}

#[test]
fn scenario_47_a_deleted_file_is_drained_and_its_space_released() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    let mut writer = fs::OpenOptions::new().append(true).open(logs.path("app.log")).expect("open");
    logs.delete("app.log");
    reader.step();
    writer.write_all(b"b\n").expect("written");
    assert_eq!(reader.step().take(), ["a", "b"]);
    drop(writer);
    reader.pause();
    assert_eq!(logs.open_files(), 0, "the disk space is released");
    assert!(reader.buffers.is_empty());
}

#[test]
fn scenario_48_deleted_in_the_middle_of_reading() {
    let logs = Logs::new();
    logs.write("app.log", &numbered(0..20_000));
    logs.write("app.log", "tail");
    let mut reader = logs.reader("app.log");
    reader.tailer.look(reader.now);
    reader.take_turns();
    let first = reader.take();
    assert!(first.len() < 20_000, "more than one batch");
    logs.delete("app.log");
    let rest = reader.pause().take();
    assert_eq!([first, rest].concat(), [longs(0..20_000), vec!["tail".to_string()]].concat());
}

#[test]
fn scenario_50_the_inode_is_used_again_by_the_next_file() {
    use std::os::unix::fs::MetadataExt;
    let logs = Logs::new();
    let mut reader = logs.reader("app.log");
    let mut reuses = 0;
    for round in 0..200 {
        logs.write("app.log", &numbered(10 * round..10 * round + 10));
        assert_eq!(reader.step().take(), longs(10 * round..10 * round + 10));
        // Read to its end and let go, so that the inode is free; also while the process is down.
        let inode = fs::metadata(logs.path("app.log")).expect("it is there").ino();
        logs.delete("app.log");
        reader.pause();
        logs.write("app.log", "");
        reuses += u32::from(fs::metadata(logs.path("app.log")).expect("it is there").ino() == inode);
        if round % 3 == 0 {
            reader.restart(&config(&[logs.path("app.log")]));
        }
    }
    if reuses == 0 {
        eprintln!("skipped: this file system does not use inodes again at once");
    }
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
fn scenario_51_a_link_is_pointed_elsewhere_while_the_old_target_is_written() {
    let logs = Logs::new();
    logs.write("0.data", "first\n");
    logs.symlink("0.data", "app.log");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.write("1.data", "new\n");
    logs.symlink("1.data", "app.log");
    logs.write("0.data", "late\n");
    assert_eq!(reader.step().take(), ["first", "late", "new"]);
    logs.write("0.data", "later\n");
    logs.write("1.data", "newer\n");
    assert_eq!(reader.step().take(), ["later", "newer"]);
}

#[test]
fn scenario_52_a_link_that_is_removed_and_made_again() {
    let logs = Logs::new();
    logs.write("target", "a\n");
    logs.symlink("target", "app.log");
    let mut reader = logs.reader("*.log");
    assert_eq!(reader.step().take(), ["a"]);
    logs.delete("app.log");
    reader.step();
    logs.write("target", "b\n");
    logs.symlink("target", "app.log");
    assert_eq!(reader.steps(2).take(), ["b"]);
    for line in ["c", "d"] {
        logs.write("target", &format!("{line}\n"));
        assert_eq!(reader.pause().take(), [line]);
    }
}

#[test]
fn scenario_53_a_link_pointed_elsewhere_thirty_times() {
    let logs = Logs::new();
    logs.write("0.data", "new 0\n");
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
    let expected = (1..=30).flat_map(|at| [format!("late {at}"), format!("new {at}")]);
    assert_eq!(lines, ["new 0".to_string()].into_iter().chain(expected).collect::<Vec<_>>());
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
