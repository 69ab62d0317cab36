//! Content that goes while the file stays.

use super::harness::*;

#[test]
fn scenario_61_emptied_and_written_again() {
    let logs = Logs::new();
    logs.write("app.log", &numbered(0..50));
    let mut reader = logs.reader("app.log");
    assert_eq!(reader.step().take(), longs(0..50));
    for round in 1..4 {
        logs.truncate("app.log", 0);
        reader.steps((round % 2) as usize);
        logs.write("app.log", &numbered(100 * round..100 * round + 5));
        assert_eq!(reader.steps(2).take(), longs(100 * round..100 * round + 5));
    }
    assert_eq!(reader.rotations(Rotation::Truncate), 3);
    assert_eq!(reader.tailer.tally().abandoned_bytes, 0);
}

#[test]
fn scenario_62_written_again_beyond_the_old_offset() {
    let logs = Logs::new();
    logs.write("app.log", &numbered(0..10));
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.truncate("app.log", 0);
    logs.write("app.log", &numbered(10..1000));
    assert_eq!(reader.steps(2).take(), longs(0..1000));
    assert_eq!(reader.rotations(Rotation::Truncate), 1);
}

#[test]
fn scenario_63_written_again_with_the_same_first_lines() {
    // To less than there was, to as much, and to more.
    for count in [1, 5, 9, 100] {
        let logs = Logs::new();
        logs.write("app.log", &numbered(0..10));
        let mut reader = logs.reader("app.log");
        assert_eq!(reader.step().take(), longs(0..10));
        logs.truncate("app.log", 0);
        logs.write("app.log", &numbered(0..1));
        logs.write("app.log", &numbered(100..100 + count));
        let lines = reader.steps(2).take();
        assert_eq!(lines, [longs(0..1), longs(100..100 + count)].concat());
        assert_eq!(reader.rotations(Rotation::Truncate), 1);
    }
}

#[test]
fn scenario_66_an_unterminated_line_goes_with_the_truncation() {
    let logs = Logs::new();
    logs.write("app.log", "first\nhalf");
    let mut reader = logs.reader("app.log");
    assert_eq!(reader.step().take(), ["first"]);
    logs.truncate("app.log", 0);
    logs.write("app.log", "new\n");
    assert_eq!(reader.pause().take(), ["new"]);
    assert_eq!(reader.tailer.tally().abandoned_bytes, 4, "half a line was cut off");
}

#[test]
fn scenario_62_written_again_to_the_very_same_size() {
    let logs = Logs::new();
    logs.write("app.log", "aaaa\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    // The time of modification must differ: file systems stamp in ticks of some milliseconds.
    let before = fs::metadata(logs.path("app.log")).and_then(|file| file.modified()).expect("a time");
    loop {
        logs.truncate("app.log", 0);
        logs.write("app.log", "bbbb\n");
        let after = fs::metadata(logs.path("app.log")).and_then(|file| file.modified()).expect("a time");
        if after != before {
            break;
        }
    }
    assert_eq!(reader.steps(2).take(), ["aaaa", "bbbb"]);
}

#[test]
fn scenario_64_copytruncate_whether_the_copy_matches_or_not() {
    for glob in ["app.log", "app.log*"] {
        let logs = Logs::new();
        logs.write("app.log", &numbered(0..10));
        let mut reader = logs.reader(glob);
        reader.step();
        logs.write("app.log", &numbered(10..20));
        logs.copy("app.log", "app.log.1");
        logs.truncate("app.log", 0);
        logs.write("app.log", &numbered(20..25));
        assert_eq!(reader.pause().take(), longs(0..25), "{glob}");
        // Once more, with a look between copy and truncation, and a line in it.
        logs.rename("app.log.1", "app.log.2");
        logs.copy("app.log", "app.log.1");
        reader.step();
        logs.write("app.log", &numbered(25..30));
        reader.step();
        logs.truncate("app.log", 0);
        logs.write("app.log", &numbered(30..31));
        assert_eq!(reader.pause().take(), longs(25..31), "{glob}");
        assert_eq!(reader.rotations(Rotation::Truncate), 2);
        assert_eq!(reader.tailer.tally().abandoned_bytes, 0);
    }
}

#[test]
fn scenario_65_a_shortened_file_gives_nothing_twice() {
    let logs = Logs::new();
    let text = numbered(0..50);
    logs.write("app.log", &text);
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.truncate("app.log", text.find("line 40").expect("found") as u64);
    reader.step();
    logs.write("app.log", &numbered(100..103));
    reader.step();
    assert_eq!(reader.take(), [longs(0..50), longs(100..103)].concat());
    // Within a line that is not complete: its beginning is not forgotten.
    logs.write("app.log", "unterminated");
    reader.step();
    logs.truncate("app.log", fs::metadata(logs.path("app.log")).expect("a size").len() - 10);
    reader.step();
    logs.write("app.log", "!\n");
    assert_eq!(reader.step().take(), ["un!"]);
}

#[test]
fn what_was_cut_off_unread_is_counted() {
    let logs = Logs::new();
    logs.write("app.log", "a\nhalf");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.truncate("app.log", 0);
    reader.steps(2);
    assert_eq!(reader.tailer.tally().abandoned_bytes, 4);
}

#[test]
fn a_copy_that_is_made_anew_each_time_is_not_read_for_it() {
    for glob in ["app.log", "app.log*"] {
        for looks_between in [0, 1] {
            let logs = Logs::new();
            logs.write("app.log", &numbered(0..10));
            let mut reader = logs.reader(glob);
            reader.step();
            for round in 1..6 {
                // Over the copy of the last time, whose inode stays.
                logs.copy("app.log", "app.log.1");
                reader.steps(looks_between);
                logs.truncate("app.log", 0);
                logs.write("app.log", &numbered(10 * round..10 * round + 10));
                reader.steps(4);
            }
            assert_eq!(reader.pause().take(), longs(0..60), "{glob}, {looks_between} looks between");
            assert_eq!(reader.rotations(Rotation::Truncate), 5);
            assert_eq!(reader.buffers.len(), 1, "what is followed no more holds no memory");
        }
    }
}
