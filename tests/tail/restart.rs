//! The process ends and starts again.

use super::harness::*;

#[test]
fn scenario_67_what_is_appended_while_down_is_read_once() {
    let logs = Logs::new();
    let config = config(&[logs.path("*.log")]);
    logs.write("app.log", "a\n");
    let mut reader = Reader::new(&config);
    assert_eq!(reader.step().take(), ["a"]);
    logs.write("app.log", "b\n");
    logs.write("new.log", "new\n");
    reader.restart(&config);
    let mut lines = reader.steps(2).take();
    lines.sort();
    assert_eq!(lines, ["b", "new"]);
    reader.restart(&config);
    assert!(reader.pause().take().is_empty());
}

#[test]
fn scenario_70_a_line_begun_before_the_stop_and_ended_after_the_start_is_one() {
    let logs = Logs::new();
    let config = config(&[logs.path("app.log")]);
    logs.write("app.log", "a\nhal");
    let mut reader = Reader::new(&config);
    assert_eq!(reader.step().take(), ["a"]);
    reader.restart(&config);
    assert!(reader.step().take().is_empty());
    logs.write("app.log", "f\n");
    assert_eq!(reader.step().take(), ["half"]);
    // It was ended while the process was down.
    logs.write("app.log", "hal");
    reader.step();
    logs.write("app.log", "f\nb\n");
    reader.restart(&config);
    assert_eq!(reader.step().take(), ["half", "b"]);
}

#[test]
fn scenario_78_where_to_start_is_ignored_once_there_are_positions() {
    for start_at in [StartAt::Beginning, StartAt::End] {
        let logs = Logs::new();
        logs.write("app.log", "a\n");
        let config = source::Config { start_at, ..config(&[logs.path("*.log")]) };
        let mut reader = Reader::new(&config);
        reader.step();
        logs.write("app.log", "b\n");
        logs.write("new.log", "new\n");
        reader.take();
        reader.restart(&config);
        assert_eq!(reader.steps(2).take(), ["b", "new"]);
    }
}

#[test]
fn scenario_68_came_and_renamed_while_down_where_there_was_no_file_before() {
    let logs = Logs::new();
    logs.write("app.log.9", "an old backup\n");
    logs.age("app.log.9");
    let config = config(&[logs.path("app.log")]);
    let mut reader = Reader::new(&config);
    assert!(reader.step().take().is_empty());
    logs.write("app.log", "a\n");
    logs.rename("app.log", "app.log.1");
    // The last look was after the backup and before the new file.
    let old = logs.path("app.log.9").metadata().and_then(|file| file.modified()).expect("a time");
    let old = old.duration_since(std::time::UNIX_EPOCH).expect("after the epoch");
    let looked_at = Timestamp::default().plus(old.into()).plus(Span::from_seconds(1800));
    reader.restart(&config);
    reader.tailer.note_earlier_look(looked_at);
    assert_eq!(reader.pause().take(), ["a"]);
    reader.restart(&config);
    reader.tailer.note_earlier_look(looked_at);
    assert!(reader.pause().take().is_empty());
}

#[test]
fn scenario_68_renamed_while_down_once_or_more() {
    for rotations in 1..4_u32 {
        let logs = Logs::new();
        logs.write("app.log.9", "an old backup\n");
        logs.age("app.log.9");
        logs.write("app.log", &numbered(0..10));
        let mut reader = logs.reader("app.log");
        reader.step();
        let positions = reader.positions();
        logs.write("app.log", &numbered(10..20));
        for round in 0..rotations {
            for back in (0..=round).rev() {
                let from = if back == 0 { "app.log".to_string() } else { format!("app.log.{back}") };
                logs.rename(&from, &format!("app.log.{}", back + 1));
            }
            logs.write("app.log", &numbered(20 + 10 * round..30 + 10 * round));
        }
        let mut reader = Reader::restored(&config(&[logs.path("app.log")]), positions);
        assert_eq!(reader.pause().take(), longs(10..20 + 10 * rotations));
        let mut reader = Reader::restored(&config(&[logs.path("app.log")]), reader.positions());
        assert!(reader.pause().take().is_empty());
    }
}

#[test]
fn scenario_69_truncated_while_down() {
    for (count, with_copy) in [(2, true), (50, true), (2, false), (50, false)] {
        let logs = Logs::new();
        logs.write("app.log", &numbered(0..10));
        let mut reader = logs.reader("app.log");
        reader.step();
        let positions = reader.positions();
        logs.write("app.log", &numbered(10..20));
        if with_copy {
            logs.copy("app.log", "app.log.1");
        }
        logs.truncate("app.log", 0);
        logs.write("app.log", &numbered(20..20 + count));
        let mut reader = Reader::restored(&config(&[logs.path("app.log")]), positions);
        let first = if with_copy { 10 } else { 20 };
        assert_eq!(reader.pause().take(), longs(first..20 + count));
    }
}

#[test]
fn scenario_75_a_stale_position_applies_to_no_other_file() {
    let logs = Logs::new();
    logs.write("app.log", &numbered(0..10));
    let mut reader = logs.reader("app.log");
    reader.step();
    let positions = reader.positions();
    logs.delete("app.log");
    logs.write("app.log", &numbered(100..120));
    let mut reader = Reader::restored(&config(&[logs.path("app.log")]), positions);
    assert_eq!(reader.steps(2).take(), longs(100..120));
    assert!(reader.positions().len() <= 2);
    reader.now = reader.now.plus(Span::from_seconds(7200));
    reader.step();
    assert_eq!(reader.positions().len(), 1);
}

#[test]
fn scenario_76_identical_small_files_diverge_later() {
    let logs = Logs::new();
    let mut reader = logs.reader("*.log");
    reader.step();
    for name in ["a.log", "b.log"] {
        logs.write(name, "same\n");
    }
    assert_eq!(reader.step().take(), ["same", "same"]);
    reader.restart(&config(&[logs.path("*.log")]));
    logs.write("a.log", "a\n");
    logs.write("b.log", "b\n");
    let mut lines = reader.steps(2).take();
    lines.sort();
    assert_eq!(lines, ["a", "b"]);
}

#[test]
fn scenario_77_a_position_within_less_than_its_marks_cover() {
    let logs = Logs::new();
    let config = config(&[logs.path("app.log")]);
    let mut reader = Reader::new(&config);
    // Every length up to beyond the 256 bytes that are hashed, and a restart at each.
    for serial in 0..100 {
        logs.write("app.log", &format!("{serial}\n"));
        assert_eq!(reader.step().take(), [serial.to_string()]);
        reader.restart(&config);
    }
    logs.truncate("app.log", 0);
    logs.write("app.log", "0\n");
    assert_eq!(reader.steps(2).take(), ["0"]);
    logs.truncate("app.log", 0);
    logs.write("app.log", "other\n");
    reader.restart(&config);
    assert_eq!(reader.steps(2).take(), ["other"]);
}

#[test]
fn rotations_are_counted_once_whoever_looks_and_counts_outlive_the_process() {
    type Change = fn(&Logs);
    let cases: [(Rotation, u64, Change); 7] = [
        (Rotation::Rename, 1, |logs| logs.rename("0.data", "0.data.1")),
        (Rotation::Rename, 1, |logs| {
            logs.rename("0.data", "0.data.1");
            logs.write("0.data", &numbered(20..25));
        }),
        (Rotation::Rename, 2, |logs| {
            logs.rename("0.data", "0.data.2");
            logs.write("0.data", &numbered(20..25));
            logs.rename("0.data", "0.data.1");
            logs.write("0.data", &numbered(30..35));
        }),
        (Rotation::Truncate, 1, |logs| {
            logs.copy("0.data", "0.data.1");
            logs.truncate("0.data", 0);
            logs.write("0.data", &numbered(20..25));
        }),
        (Rotation::Delete, 1, |logs| {
            logs.write("fresh", &numbered(20..25));
            logs.rename("fresh", "0.data");
        }),
        (Rotation::Replace, 1, |logs| {
            logs.write("fresh", &numbered(0..25));
            logs.rename("fresh", "0.data");
        }),
        (Rotation::Symlink, 1, |logs| {
            logs.write("1.data", &numbered(20..25));
            logs.symlink("1.data", "app.log");
        }),
    ];
    for (at, (kind, expected, change)) in cases.into_iter().enumerate() {
        for is_down in [false, true] {
            let logs = Logs::new();
            logs.write("0.data", &numbered(0..10));
            logs.symlink("0.data", "app.log");
            let glob = if kind == Rotation::Symlink { "app.log" } else { "0.data" };
            let config = config(&[logs.path(glob)]);
            let mut reader = Reader::new(&config);
            reader.steps(2);
            if is_down {
                change(&logs);
                reader.restart(&config);
                reader.restart(&config);
            } else {
                change(&logs);
            }
            for _ in 0..3 {
                reader.pause();
                let found = Rotation::ALL.map(|kind| (kind, reader.rotations(kind)));
                let wanted = Rotation::ALL.map(|one| (one, if one == kind { expected } else { 0 }));
                assert_eq!(found, wanted, "case {at}, down: {is_down}");
                reader.restart(&config);
            }
        }
    }
}

#[test]
fn positions_keep_their_marks_over_restarts_in_the_middle_of_a_file() {
    let logs = Logs::new();
    let config = config(&[logs.path("app.log")]);
    logs.write("app.log", &numbered(0..20));
    let mut reader = Reader::new(&config);
    reader.step();
    for round in 0..5 {
        reader.restart(&config);
        logs.write("app.log", "x");
        reader.step();
        let position = reader.positions().remove(0);
        assert_eq!(position.tail.length, 256, "round {round}");
        logs.write("app.log", "\n");
        reader.step();
        let position = reader.positions().remove(0);
        let text = fs::read(logs.path("app.log")).expect("read");
        assert_eq!(position.offset, text.len() as u64);
        assert_eq!(position.tail, source::identity::Mark::of(&text[text.len() - 256..]), "round {round}");
    }
}

/// As when it is renamed between the first look's listing and its opening: what the next look finds has a rotated
/// name, and its position still waits.
#[test]
fn scenario_68_renamed_while_the_first_look_goes_on() {
    let logs = Logs::new();
    std::fs::create_dir(logs.path("elsewhere")).unwrap();
    logs.write("app.log", &numbered(0..10));
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.rename("app.log", "elsewhere/hidden");
    logs.write("elsewhere/hidden", &numbered(10..20));
    let mut reader = Reader::restored(&config(&[logs.path("app.log")]), reader.positions());
    assert!(reader.step().take().is_empty());
    logs.rename("elsewhere/hidden", "app.log.1");
    assert_eq!(reader.step().take(), longs(10..20));
}

/// More than are followed at a time, as those that were read to their end come first.
#[test]
fn scenario_67_no_position_is_left_behind_however_many_there_are() {
    let logs = Logs::new();
    let position = |inode| Position {
        identity: source::identity::Identity { inode, ..Default::default() },
        origin: "elsewhere".to_owned(),
        ..Position::default()
    };
    let positions: Vec<Position> = (0..5000).map(position).collect();
    let reader = Reader::restored(&config(&[logs.path("*.log")]), positions);
    assert_eq!(reader.positions().len(), 5000);
}
