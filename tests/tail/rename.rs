//! Rotation that gives a file another name.

use super::harness::*;

#[test]
fn scenario_36_rename_and_create() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.write("app.log", "b\n");
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", "c\n");
    assert_eq!(reader.steps(2).take(), ["a", "b", "c"]);
    assert_eq!(reader.rotations(Rotation::Rename), 1);
}

#[test]
fn scenario_37_a_look_in_the_gap() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.rename("app.log", "app.log.1");
    reader.step();
    logs.write("app.log.1", "b\n");
    reader.step();
    logs.write("app.log", "c\n");
    assert_eq!(reader.steps(2).take(), ["a", "b", "c"]);
    assert_eq!(reader.rotations(Rotation::Rename), 1);
}

#[test]
fn scenario_38_both_files_grow() {
    let logs = Logs::new();
    logs.write("app.log", "a0\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    let mut old = fs::OpenOptions::new().append(true).open(logs.path("app.log")).expect("open");
    logs.rename("app.log", "app.log.1");
    for at in 0..10 {
        writeln!(old, "old {at}").expect("written");
        logs.write("app.log", &format!("new {at}\n"));
        reader.step();
    }
    assert_eq!(reader.take().len(), 21);
}

#[test]
fn scenario_39_a_renamed_file_that_still_matches_is_not_read_again() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log*");
    reader.step();
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", "b\n");
    assert_eq!(reader.pause().take(), ["a", "b"]);
    // Finished and closed; it grows all the same.
    logs.write("app.log.1", "late\n");
    assert_eq!(reader.pause().take(), ["late"]);
}

#[test]
fn scenario_40_renamed_out_of_the_directory() {
    let logs = Logs::new();
    fs::create_dir(logs.path("archive")).expect("a directory");
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.write("app.log", "b\n");
    logs.rename("app.log", "archive/app.log");
    assert_eq!(reader.pause().take(), ["a", "b"]);
    assert_eq!(reader.rotations(Rotation::Rename), 1);
    assert_eq!(reader.tailer.positions().count(), 0);
}

#[test]
fn scenario_41_the_remainder_comes_before_the_new_files_lines() {
    let logs = Logs::new();
    logs.write("app.log", &numbered(0..10));
    let mut reader = logs.reader("app.log");
    reader.step();
    // More than one batch, so that turns alternate.
    logs.write("app.log", &numbered(10..30_000));
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", &numbered(30_000..30_010));
    assert_eq!(reader.steps(2).take(), longs(0..30_010));
}

/// Each rotation of a chain makes one more backup and a new file with one line.
fn rotate_chain(logs: &Logs, name: &str, rounds: std::ops::RangeInclusive<u32>) {
    for round in rounds {
        for back in (0..round).rev() {
            let from = if back == 0 { format!("{name}.log") } else { format!("{name}.log.{back}") };
            logs.rename(&from, &format!("{name}.log.{}", back + 1));
        }
        logs.write(&format!("{name}.log"), &format!("{name} {round}\n"));
    }
}

#[test]
fn scenario_42_five_quick_rotations_of_several_files() {
    let logs = Logs::new();
    let mut reader = logs.reader("*.log");
    for name in ["app", "web"] {
        logs.write(&format!("{name}.log"), &format!("{name} 0\n"));
    }
    reader.step();
    for name in ["app", "web"] {
        rotate_chain(&logs, name, 1..=5);
    }
    let lines = reader.steps(2).take();
    for name in ["app", "web"] {
        let of_name: Vec<_> = lines.iter().filter(|line| line.starts_with(name)).cloned().collect();
        assert_eq!(of_name, (0..=5).map(|round| format!("{name} {round}")).collect::<Vec<_>>());
    }
    assert_eq!(reader.rotations(Rotation::Rename), 10);
}

#[test]
fn scenario_43_a_file_that_came_and_was_rotated_between_two_looks_is_found() {
    for glob in ["app.log", "app.log*"] {
        let logs = Logs::new();
        let mut reader = logs.reader(glob);
        logs.write("app.log", "app 0\n");
        reader.step();
        rotate_chain(&logs, "app", 1..=2);
        assert_eq!(reader.steps(2).take(), ["app 0", "app 1", "app 2"], "{glob}");
    }
}

#[test]
fn scenario_44_what_comes_after_rotate_wait_is_counted() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.rename("app.log", "app.log.1");
    assert_eq!(reader.pause().take(), ["a"]);
    assert_eq!(reader.tailer.tally().file_count(State::Finished), 1);
    logs.write("app.log.1", "late\n");
    assert!(reader.steps(3).take().is_empty());
    assert_eq!(reader.tailer.tally().abandoned_bytes, 5);
}

#[test]
fn scenario_45_the_new_file_begins_like_the_old() {
    let logs = Logs::new();
    let header = format!("id,{}\n", "column,".repeat(200));
    logs.write("app.csv", &format!("{header}1,a\n"));
    let mut reader = logs.reader("app.csv");
    assert_eq!(reader.step().take().len(), 2);
    logs.rename("app.csv", "app.csv.1");
    logs.write("app.csv", &format!("{header}2,b\n"));
    assert_eq!(reader.step().take(), [header.trim_end(), "2,b"]);
    logs.delete("app.csv");
    logs.write("app.csv", &format!("{header}3,c\n4,d\n"));
    assert_eq!(reader.step().take(), [header.trim_end(), "3,c", "4,d"]);
    // Twice between two looks.
    logs.rename("app.csv", "app.csv.2");
    logs.write("app.csv", &format!("{header}5,e\n"));
    logs.rename("app.csv", "app.csv.3");
    logs.write("app.csv", &format!("{header}6,f\n"));
    assert_eq!(reader.step().take(), [header.trim_end(), "5,e", header.trim_end(), "6,f"]);
}

#[test]
fn scenario_55_renamed_over_another_watched_file() {
    let logs = Logs::new();
    logs.write("1.log", "one\n");
    logs.write("2.log", "two\n");
    let mut reader = logs.reader("?.log");
    reader.step();
    logs.write("2.log", "end of two\n");
    logs.rename("1.log", "2.log");
    logs.write("2.log", "more of one\n");
    let mut lines = reader.pause().take();
    lines.sort();
    assert_eq!(lines, ["end of two", "more of one", "one", "two"]);
}

#[test]
fn scenario_56_size_based_chain() {
    let logs = Logs::new();
    for glob in ["app.log", "app.log*"] {
        let mut reader = logs.reader(glob);
        let mut expected = Vec::new();
        for round in 0..8_u32 {
            for back in (0..3).rev() {
                let from = if back == 0 { "app.log".to_string() } else { format!("app.log.{back}") };
                if logs.path(&from).exists() {
                    logs.rename(&from, &format!("app.log.{}", back + 1));
                }
            }
            logs.write("app.log", &numbered(10 * round..10 * round + 10));
            expected.extend(longs(10 * round..10 * round + 10));
            reader.step();
        }
        assert_eq!(reader.pause().take(), expected, "{glob}");
        for name in ["app.log", "app.log.1", "app.log.2", "app.log.3"] {
            logs.delete(name);
        }
    }
}

#[test]
fn scenario_58_compressed_backups_are_not_read() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log*");
    reader.step();
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", "b\n");
    reader.pause();
    logs.write("app.log.1.gz", "not text\n");
    logs.delete("app.log.1");
    assert_eq!(reader.pause().take(), ["a", "b"]);
    assert_eq!(reader.tailer.positions().count(), 1);
}

#[test]
fn scenario_59_kubelet_layout() {
    let logs = Logs::new();
    fs::create_dir_all(logs.path("pods/p/c")).expect("directories");
    logs.write("pods/p/c/0.log", "a\n");
    logs.symlink("pods/p/c/0.log", "c.log");
    for glob in ["c.log", "pods/*/*/*.log"] {
        let mut reader = logs.reader(glob);
        reader.step();
        logs.write("pods/p/c/0.log", "b\n");
        logs.rename("pods/p/c/0.log", "pods/p/c/0.log.20240131-100000");
        logs.write("pods/p/c/0.log", "c\n");
        // A second rotation before the next look.
        logs.rename("pods/p/c/0.log", "pods/p/c/0.log.20240131-100001");
        logs.write("pods/p/c/0.log", "d\n");
        assert_eq!(reader.pause().take(), ["a", "b", "c", "d"], "{glob}");
        assert_eq!(reader.rotations(Rotation::Rename), 2);
        logs.write("pods/p/c/1.log", "restarted\n");
        logs.symlink("pods/p/c/1.log", "c.log");
        assert_eq!(reader.pause().take(), ["restarted"]);
        for entry in fs::read_dir(logs.path("pods/p/c")).expect("listed") {
            fs::remove_file(entry.expect("an entry").path()).expect("deleted");
        }
        logs.write("pods/p/c/0.log", "a\n");
    }
}

#[test]
fn scenario_60_every_way_to_rotate_with_every_kind_of_writer() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Way {
        Create,
        NoCreate,
        CreateByRename,
        CopyAndTruncate,
        CopyAndDelete,
        Delete,
    }
    use Way::*;
    for way in [Create, NoCreate, CreateByRename, CopyAndTruncate, CopyAndDelete, Delete] {
        for keeps_open in [false, true] {
            for glob in ["app.log", "app.log*"] {
                let logs = Logs::new();
                let mut reader = logs.reader(glob);
                let open = || {
                    let path = logs.path("app.log");
                    fs::OpenOptions::new().create(true).append(true).open(path).expect("open")
                };
                let mut writer = open();
                writer.write_all(numbered(0..5).as_bytes()).expect("written");
                reader.step();
                writer.write_all(numbered(5..8).as_bytes()).expect("written");
                match way {
                    Create | NoCreate | CreateByRename => logs.rename("app.log", "app.log.1"),
                    CopyAndTruncate | CopyAndDelete => logs.copy("app.log", "app.log.1"),
                    Delete => {}
                }
                match way {
                    Create => logs.write("app.log", ""),
                    CreateByRename => {
                        logs.write("fresh", "");
                        logs.rename("fresh", "app.log");
                    }
                    CopyAndTruncate => logs.truncate("app.log", 0),
                    CopyAndDelete | Delete => logs.delete("app.log"),
                    NoCreate => {}
                }
                if !keeps_open {
                    writer = open();
                }
                writer.write_all(numbered(8..9).as_bytes()).expect("written");
                reader.steps(2);
                writer.write_all(numbered(9..12).as_bytes()).expect("written");
                assert_eq!(reader.pause().take(), longs(0..12), "{way:?}, keeps open: {keeps_open}, {glob}");
            }
        }
    }
}

#[test]
fn scenario_38_an_empty_file_is_renamed_before_its_first_line() {
    for glob in ["app.log", "app.log*"] {
        for late_first in [true, false] {
            let logs = Logs::new();
            let mut reader = logs.reader(glob);
            logs.write("app.log", "");
            reader.step();
            logs.rename("app.log", "app.log.1");
            logs.write("app.log", "");
            reader.step();
            // The writer has not noticed yet.
            for (name, line) in [("app.log.1", "late\n"), ("app.log", "new\n")]
                .into_iter()
                .cycle()
                .skip(usize::from(!late_first))
                .take(4)
            {
                logs.write(name, line);
                reader.step();
            }
            let mut lines = reader.pause().take();
            lines.sort();
            assert_eq!(lines, ["late", "late", "new", "new"], "{glob}, late first: {late_first}");
            assert_eq!(reader.rotations(Rotation::Rename), 1);
        }
    }
}

/// As when a look falls between the renames of a chain, and finds none of those that change their names.
#[test]
fn scenario_56_a_file_of_a_chain_that_one_look_misses_is_not_read_again() {
    let logs = Logs::new();
    std::fs::create_dir(logs.path("elsewhere")).unwrap();
    let mut reader = logs.reader("app.log");
    logs.write("app.log", &numbered(0..10));
    assert_eq!(reader.step().take(), longs(0..10));
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", &numbered(10..20));
    // Until the first one is read to its end and let go of.
    assert_eq!(reader.pause().step().take(), longs(10..20));
    logs.rename("app.log.1", "elsewhere/hidden");
    assert!(reader.step().take().is_empty());
    logs.rename("elsewhere/hidden", "app.log.2");
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", &numbered(20..30));
    assert_eq!(reader.steps(2).take(), longs(20..30));
}
