//! What is on the disk after each call, and after each kind of trouble that any user can have.
//!
//! A full disk and a directory turned read-only take root or a file system of one's own; tests/real has them.

use super::super::seal::VERSION;
use super::*;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use tempfile::TempDir;

struct Bench {
    root: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { root: TempDir::new().expect("a directory") }
    }

    /// Not there yet.
    fn dir(&self) -> PathBuf {
        self.root.path().join("state")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn open(&self) -> Store {
        Store::open(&self.dir()).expect("nobody else has it")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir()).expect("the directory");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("is there").permissions().mode() & 0o777
}

#[test]
fn what_was_saved_last_is_loaded_by_the_next_process() {
    let bench = Bench::new();
    let store = bench.open();
    assert!(store.load().expect("nothing to refuse").is_none());
    store.save(b"first").expect("saved");
    let bytes = store.save(b"second").expect("saved");
    assert_eq!(bytes, fs::metadata(bench.at("checkpoint")).expect("is there").len());
    drop(store);
    assert_eq!(bench.open().load().expect("whole").as_deref(), Some(&b"second"[..]));
    assert_eq!(bench.names(), ["checkpoint", "lock"]);
}

#[test]
fn nobody_else_may_look() {
    let bench = Bench::new();
    let store = bench.open();
    store.save(b"state").expect("saved");
    store.note_shown(b"note").expect("noted");
    assert_eq!(mode(&bench.dir()), 0o700);
    for name in ["checkpoint", "shown", "lock"] {
        assert_eq!(mode(&bench.at(name)), 0o600, "{name}");
    }
}

#[test]
fn a_second_process_is_told_what_to_do() {
    let bench = Bench::new();
    let first = bench.open();
    let in_use = Store::open(&bench.dir()).expect_err("locked").to_string();
    assert!(in_use.contains(&bench.dir().display().to_string()) && in_use.contains("of its own"), "{in_use}");
    drop(first);
    bench.open();
}

/// One that could not take the directory at first must not write into what another has taken since.
#[test]
fn a_store_that_comes_back_to_a_taken_directory_leaves_it_alone() {
    let bench = Bench::new();
    fs::write(bench.dir(), "a file in its place").expect("written");
    let late = bench.open();
    fs::remove_file(bench.dir()).expect("removed");
    let owner = bench.open();
    owner.save(b"owner").expect("saved");
    owner.note_shown(b"owner").expect("noted");
    let refused = late.save(b"late").expect_err("locked");
    assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy, "{refused}");
    late.note_shown(b"late").expect_err("locked");
    assert_eq!(owner.load().expect("whole").as_deref(), Some(&b"owner"[..]));
    assert_eq!(owner.shown().as_deref(), Some(&b"owner"[..]));
    drop(owner);
    late.save(b"late").expect("free now");
}

#[test]
fn a_directory_that_cannot_be_made_is_tried_again() {
    let bench = Bench::new();
    fs::write(bench.dir(), "a file in its place").expect("written");
    let store = bench.open();
    let error = store.save(b"state").expect_err("no directory").to_string();
    assert!(error.contains(&bench.dir().display().to_string()), "{error}");
    store.note_shown(b"note").expect_err("no directory");
    assert_eq!(store.shown(), None);
    fs::remove_file(bench.dir()).expect("removed");
    store.save(b"state").expect("there is room now");
    assert_eq!(store.load().expect("whole").as_deref(), Some(&b"state"[..]));
}

/// Removed and made again, or mounted over: the lock that we hold is not the one that others see.
#[test]
fn a_directory_that_was_replaced_is_locked_anew() {
    let bench = Bench::new();
    let store = bench.open();
    store.save(b"before").expect("saved");
    fs::remove_dir_all(bench.dir()).expect("removed");
    store.save(b"after").expect("made again");
    assert_eq!(mode(&bench.dir()), 0o700);
    Store::open(&bench.dir()).expect_err("locked again");
    assert_eq!(store.load().expect("whole").as_deref(), Some(&b"after"[..]));
}

#[test]
fn what_a_crash_left_is_ignored_and_overwritten() {
    let bench = Bench::new();
    bench.open().save(b"whole").expect("saved");
    let target = bench.root.path().join("elsewhere");
    fs::write(&target, "not ours").expect("written");
    symlink(&target, bench.at("checkpoint.new")).expect("linked");
    fs::write(bench.at("shown.new"), "half").expect("written");
    let store = bench.open();
    assert_eq!(store.load().expect("whole").as_deref(), Some(&b"whole"[..]));
    store.save(b"next").expect("saved");
    store.note_shown(b"note").expect("noted");
    assert_eq!(store.load().expect("whole").as_deref(), Some(&b"next"[..]));
    assert_eq!(fs::read(&target).expect("is there"), b"not ours", "written through a link");
    assert_eq!(bench.names(), ["checkpoint", "lock", "shown"]);
}

#[test]
fn a_failed_write_leaves_the_last_one_and_the_next_works() {
    let bench = Bench::new();
    let store = bench.open();
    store.save(b"before").expect("saved");
    fs::create_dir(bench.at("checkpoint.new")).expect("made");
    let error = store.save(b"failed").expect_err("a directory in the way").to_string();
    assert!(error.contains("checkpoint.new"), "{error}");
    assert_eq!(store.load().expect("whole").as_deref(), Some(&b"before"[..]));
    fs::remove_dir(bench.at("checkpoint.new")).expect("removed");
    store.save(b"after").expect("saved");
    assert_eq!(store.load().expect("whole").as_deref(), Some(&b"after"[..]));
}

#[test]
fn a_failed_rename_is_an_error_and_the_next_works() {
    let bench = Bench::new();
    let store = bench.open();
    fs::create_dir(bench.at("checkpoint")).expect("made");
    store.save(b"failed").expect_err("a directory in the way");
    fs::remove_dir(bench.at("checkpoint")).expect("removed");
    store.save(b"after").expect("saved");
    assert_eq!(store.load().expect("whole").as_deref(), Some(&b"after"[..]));
}

#[test]
fn a_damaged_checkpoint_is_kept_aside_and_counting_goes_on() {
    let bench = Bench::new();
    let store = bench.open();
    for (content, says) in [(&b""[..], "empty"), (b"garbage", "damaged"), (b"infexpcp\x01\0\0\0", "ends")] {
        fs::write(bench.at("checkpoint"), content).expect("written");
        let refused = store.load().expect_err("refused").to_string();
        for part in [says, "checkpoint.refused", "start at 0"] {
            assert!(refused.contains(part), "{refused}");
        }
        assert_eq!(fs::read(bench.at("checkpoint.refused")).expect("kept"), content);
        assert!(store.load().expect("out of the way").is_none());
    }
    store.save(b"next").expect("saved");
    assert_eq!(store.load().expect("whole").as_deref(), Some(&b"next"[..]));
    assert_eq!(bench.names(), ["checkpoint", "checkpoint.refused", "lock"]);
}

#[test]
fn a_checkpoint_of_another_version_is_refused_by_its_number() {
    let bench = Bench::new();
    let store = bench.open();
    store.save(b"state").expect("saved");
    let mut bytes = fs::read(bench.at("checkpoint")).expect("is there");
    bytes[8] += 1;
    fs::write(bench.at("checkpoint"), bytes).expect("written");
    let refused = store.load().expect_err("refused");
    assert!(matches!(refused.reason, Reason::Version { found } if found == VERSION + 1), "{refused}");
    assert!(refused.to_string().contains("start the version"), "{refused}");
}

/// As for a file that may not be read or a disk that fails: not being able to read is not the same as
/// nothing being there.
#[test]
fn a_checkpoint_that_cannot_be_read_is_refused() {
    let bench = Bench::new();
    let store = bench.open();
    fs::create_dir(bench.at("checkpoint")).expect("made");
    let refused = store.load().expect_err("a directory");
    assert!(matches!(refused.reason, Reason::Read(_)), "{refused}");
    assert!(bench.at("checkpoint.refused").is_dir());
}

#[test]
fn one_that_decodes_to_nonsense_can_be_kept_aside() {
    let bench = Bench::new();
    let store = bench.open();
    store.save(b"nonsense").expect("saved");
    let refused = store.refuse(Reason::Damaged("its content makes no sense")).to_string();
    assert!(refused.contains("makes no sense") && refused.contains("checkpoint.refused"), "{refused}");
    assert!(store.load().expect("out of the way").is_none());
    // There is nothing left to move: the message must not claim so.
    assert!(store.refuse(Reason::Damaged("again")).to_string().contains("could not be moved"));
}

#[test]
fn the_last_note_is_what_is_shown_and_a_damaged_one_is_none() {
    let bench = Bench::new();
    let store = bench.open();
    assert_eq!(store.shown(), None);
    store.note_shown(b"one").expect("noted");
    store.note_shown(b"two").expect("noted");
    assert_eq!(bench.names(), ["lock", "shown"]);
    drop(store);
    let store = bench.open();
    assert_eq!(store.shown().as_deref(), Some(&b"two"[..]));
    let bytes = fs::read(bench.at("shown")).expect("is there");
    fs::write(bench.at("shown"), &bytes[..bytes.len() - 1]).expect("written");
    assert_eq!(store.shown(), None);
    store.note_shown(b"three").expect("noted");
    assert_eq!(store.shown().as_deref(), Some(&b"three"[..]));
}

/// A scrape that waited for a checkpoint would wait for a disk.
#[test]
fn a_note_does_not_wait_for_a_checkpoint() {
    let bench = Bench::new();
    let store = bench.open();
    let _being_written = locked(&store.saving);
    store.note_shown(b"note").expect("noted");
    assert_eq!(store.shown().as_deref(), Some(&b"note"[..]));
}
