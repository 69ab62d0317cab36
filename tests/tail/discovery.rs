//! Which files are followed, and from where they are read.

use super::harness::*;
use inference_exporter::limits::OPEN_FILES_MAX;

#[test]
fn scenario_01_path_created_after_start() {
    let logs = Logs::new();
    let mut reader = logs.reader("app.log");
    assert!(!reader.tailer.looked_once());
    reader.step();
    assert!(reader.tailer.looked_once());
    logs.write("app.log", "a\n");
    assert_eq!(reader.step().take(), ["a"]);
}

#[test]
fn scenario_03_start_at_beginning_reads_what_is_there_once() {
    let logs = Logs::new();
    logs.write("app.log", "a\nb\n");
    let mut reader = logs.reader("app.log");
    assert_eq!(reader.steps(3).take(), ["a", "b"]);
}

#[test]
fn scenario_04_start_at_end_skips_what_is_there_and_reads_the_next_line() {
    let logs = Logs::new();
    logs.write("app.log", "old\n");
    let config = source::Config { start_at: StartAt::End, ..config(&[logs.path("app.log")]) };
    let mut reader = Reader::new(&config);
    assert!(reader.step().take().is_empty());
    logs.write("app.log", "new\n");
    assert_eq!(reader.step().take(), ["new"]);
}

#[test]
fn scenario_05_a_file_that_appears_later_is_read_from_its_first_byte() {
    let logs = Logs::new();
    let config = source::Config { start_at: StartAt::End, ..config(&[logs.path("*.log")]) };
    let mut reader = Reader::new(&config);
    reader.step();
    logs.write("later.log", "first\nsecond\n");
    assert_eq!(reader.step().take(), ["first", "second"]);
}

/// Files below and beside each other, each holding its own name.
fn tree() -> Logs {
    let logs = Logs::new();
    fs::create_dir_all(logs.path("old/deep")).expect("directories");
    fs::create_dir_all(logs.path("kept/deep")).expect("directories");
    for name in ["a.log", "a.txt", "b.log.bak", "c.log", "old/x.log", "old/deep/y.log", "kept/deep/z.log"] {
        logs.write(name, &format!("{name}\n"));
    }
    logs
}

#[test]
fn scenario_06_a_glob_takes_what_matches_and_nothing_else() {
    let logs = tree();
    assert_eq!(logs.reader("*.log").step().take(), ["a.log", "c.log"]);
    assert_eq!(logs.reader("[ab].{log,txt}").step().take(), ["a.log", "a.txt"]);
    assert_eq!(logs.reader("*/*.log").step().take(), ["old/x.log"]);
    assert_eq!(logs.reader("**/?.log").step().take().len(), 5);
}

#[test]
fn scenario_08_an_exclusion_beats_a_glob_for_files_and_directories() {
    let logs = tree();
    for exclude in ["c.log", "*/c.log"] {
        for sub in ["old".to_string(), logs.path("old").to_str().expect("UTF-8").to_string()] {
            let paths = config(&[logs.path("**/*.log"), logs.path("*.bak")]);
            let exclude = vec![exclude.to_string(), sub, "*.bak".to_string()];
            let mut reader = Reader::new(&source::Config { exclude, ..paths });
            let mut lines = reader.step().take();
            lines.sort();
            assert_eq!(lines, ["a.log", "kept/deep/z.log"]);
        }
    }
}

#[test]
fn scenario_07_a_file_under_several_names_is_read_once() {
    let logs = Logs::new();
    logs.write("a.log", "once\n");
    fs::hard_link(logs.path("a.log"), logs.path("hard.log")).expect("linked");
    logs.symlink("a.log", "soft.log");
    let paths = [logs.path("*.log"), logs.path("a.log"), logs.path("{a,b}.log"), logs.path("**/*.log")];
    let mut reader = Reader::new(&config(&paths));
    assert_eq!(reader.steps(2).take(), ["once"]);
    logs.write("hard.log", "more\n");
    assert_eq!(reader.steps(2).take(), ["more"]);
}

#[test]
fn scenario_09_what_is_no_file_is_counted_and_harms_nothing() {
    let logs = Logs::new();
    fs::create_dir(logs.path("directory.log")).expect("a directory");
    let _socket = std::os::unix::net::UnixListener::bind(logs.path("socket.log")).expect("a socket");
    let made = std::process::Command::new("mkfifo").arg(logs.path("pipe.log")).status().expect("mkfifo runs");
    assert!(made.success());
    logs.write("real.log", "a\n");
    let mut reader = logs.reader("*.log");
    assert_eq!(reader.steps(3).take(), ["a"]);
    // The pipe and the socket, each once; that a directory matches a glob says nothing.
    assert_eq!(reader.tailer.tally().error_count(Reason::NotAFile), 2);
    let mut reader = logs.reader("directory.log");
    reader.step();
    assert_eq!(reader.tailer.tally().error_count(Reason::NotAFile), 1);
}

#[test]
fn scenario_10_a_file_in_a_directory_made_after_start() {
    let logs = Logs::new();
    let mut deep = logs.reader("**/*.log");
    let mut wide = logs.reader("*/x/*.log");
    deep.step();
    wide.step();
    fs::create_dir_all(logs.path("pod/x")).expect("directories");
    logs.write("pod/x/0.log", "a\n");
    assert_eq!(deep.step().take(), ["a"]);
    assert_eq!(wide.step().take(), ["a"]);
}

#[test]
fn scenario_11_paths_are_normalised() {
    let logs = Logs::new();
    fs::create_dir(logs.path("x")).expect("a directory");
    logs.write("app.log", "a\n");
    let text = format!("{}//x/..///./app.log", logs.directory.path().display());
    let mut reader = Reader::new(&config(&[PathBuf::from(text), logs.path("app.log")]));
    assert_eq!(reader.steps(2).take(), ["a"]);
    let relative = Reader::new(&config(&[PathBuf::from("Cargo.tom?")])).step().take();
    assert!(relative.iter().any(|line| line == "[package]"));
}

#[test]
fn scenario_12_permission_fixed_later() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    logs.write("other.log", "b\n");
    // The superuser may read everything but an attribute that can only be written.
    fs::set_permissions(logs.path("app.log"), fs::Permissions::from_mode(0o000)).expect("set");
    let is_superuser = fs::File::open(logs.path("app.log")).is_ok();
    if is_superuser {
        logs.delete("app.log");
        symlink("/sys/bus/platform/drivers_probe", logs.path("app.log")).expect("linked");
        if !logs.path("app.log").exists() {
            eprintln!("skipped: this system has no file that the superuser may not read");
            return;
        }
    }
    let mut reader = logs.reader("*.log");
    assert_eq!(reader.steps(3).take(), ["b"]);
    assert_eq!(reader.tailer.tally().error_count(Reason::PermissionDenied), 1);
    assert_eq!(reader.tailer.tally().file_count(State::Failing), 1);
    if is_superuser {
        logs.delete("app.log");
        logs.write("app.log", "a\n");
    }
    fs::set_permissions(logs.path("app.log"), fs::Permissions::from_mode(0o600)).expect("set");
    assert_eq!(reader.steps(2).take(), ["a"]);
    assert_eq!(reader.tailer.tally().file_count(State::Failing), 0);
}

#[test]
fn scenario_13_a_dangling_link_is_counted_once_and_read_when_resolved() {
    let logs = Logs::new();
    symlink(logs.path("target"), logs.path("app.log")).expect("linked");
    let mut reader = logs.reader("*.log");
    reader.steps(3);
    assert_eq!(reader.tailer.tally().error_count(Reason::DanglingLink), 1);
    logs.write("target", "a\n");
    assert_eq!(reader.step().take(), ["a"]);
    assert_eq!(reader.tailer.tally().file_count(State::Failing), 0);
}

#[test]
fn scenario_14_an_empty_file_waits_for_its_first_byte() {
    let logs = Logs::new();
    logs.write("app.log", "");
    let mut reader = logs.reader("app.log");
    reader.steps(2);
    assert_eq!(reader.tailer.files().count(), 0);
    logs.write("app.log", "a\n");
    assert_eq!(reader.step().take(), ["a"]);
}

#[test]
fn scenario_15_a_finished_file_goes_on_where_it_stopped_also_after_a_restart() {
    let logs = Logs::new();
    logs.write("app.log", &numbered(0..5));
    let mut reader = logs.reader("app.log*");
    reader.step();
    logs.rename("app.log", "app.log.1");
    assert_eq!(reader.pause().take(), longs(0..5));
    logs.write("app.log.1", &numbered(5..6));
    assert_eq!(reader.pause().take(), longs(5..6));
    let mut reader = Reader::restored(&config(&[logs.path("app.log*")]), reader.positions());
    assert!(reader.pause().take().is_empty());
    logs.write("app.log.1", &numbered(6..7));
    assert_eq!(reader.pause().take(), longs(6..7));
}

#[test]
fn scenario_16_more_files_than_may_be_open() {
    let logs = Logs::new();
    let count = 2 * OPEN_FILES_MAX + 50;
    let expected = |round: u32| (0..count).map(move |at| format!("{at} {round}")).collect::<HashSet<_>>();
    let mut reader = logs.reader("*.log");
    for round in 0..3 {
        for at in 0..count {
            logs.write(&format!("{at}.log"), &format!("{at} {round}\n"));
        }
        for _ in 0..10 {
            reader.step();
            let open = logs.open_files();
            assert!(open <= OPEN_FILES_MAX, "{open} files are open");
        }
        let lines = reader.take();
        assert_eq!(lines.len(), count);
        assert_eq!(lines.into_iter().collect::<HashSet<_>>(), expected(round));
    }
    // Renamed while closed: found by identity.
    for at in 0..count {
        logs.rename(&format!("{at}.log"), &format!("{at}.log.1"));
        logs.write(&format!("{at}.log.1"), &format!("{at} 3\n"));
    }
    reader.steps(10);
    assert_eq!(reader.take().into_iter().collect::<HashSet<_>>(), expected(3));
    assert_eq!(reader.tailer.tally().abandoned_bytes, 0);
}

#[test]
fn scenario_17_targets_removed_leave_nothing_behind() {
    let logs = Logs::new();
    for at in 0..100 {
        logs.write(&format!("{at}.log"), "a\n");
    }
    let mut reader = logs.reader("*.log");
    reader.step();
    for at in 0..100 {
        logs.delete(&format!("{at}.log"));
    }
    reader.pause();
    assert_eq!(reader.tailer.files().count(), 0);
    assert_eq!(reader.tailer.positions().count(), 0);
    assert!(reader.buffers.is_empty());
    assert_eq!(reader.rotations(Rotation::Delete), 100);
}

#[test]
fn scenario_18_unusual_names() {
    let logs = Logs::new();
    for name in ["a,b.log", "a b.log", "æ—ø.log"] {
        logs.write(name, &format!("{name}\n"));
        assert_eq!(logs.reader(name).step().take(), [name]);
    }
    assert_eq!(logs.reader("*.log").step().take().len(), 3);
}
