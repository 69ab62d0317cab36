//! The windows that nobody can close, each with what falls into it: measured, not promised.

use super::harness::*;
use super::matrix::{Bench, Score};

/// What happens, and how it ends.
pub(super) struct Window {
    pub(super) name: &'static str,
    /// Why nothing can be done, and what helps.
    pub(super) reason: &'static str,
    pub(super) measure: fn() -> Score,
}

pub(super) const WINDOWS: &[Window] = &[
    Window {
        name: "5 lines are written between copy and truncation",
        reason: "they are in no file any more; rotate by renaming, or let the writer pause",
        measure: || {
            let mut bench = read_bench("app.log");
            bench.logs.copy("app.log", "app.log.1");
            bench.write(5);
            bench.logs.truncate("app.log", 0);
            bench.write(10);
            bench.finish()
        },
    },
    Window {
        name: "5 lines are written and the file is emptied, without a copy and between two looks",
        reason: "they are in no file any more; counted as abandoned where a look had seen their size",
        measure: || {
            let mut bench = read_bench("app.log");
            bench.write(5);
            bench.logs.truncate("app.log", 0);
            bench.write(10);
            bench.finish()
        },
    },
    Window {
        name: "a file with 5 unread lines is deleted while no process holds it open",
        reason: "the file system keeps a deleted file only as long as it is open; keep one backup",
        measure: || {
            let mut bench = read_bench("app.log");
            bench.stop();
            bench.write(5);
            bench.logs.delete("app.log");
            bench.write(10);
            bench.start();
            bench.finish()
        },
    },
    Window {
        name: "5 lines are read, their file is deleted, and the process is killed before the next checkpoint",
        reason: "what was counted since the checkpoint is read again, and these lines are gone; keep one backup",
        measure: || {
            let mut bench = read_bench("app.log");
            bench.write(5);
            bench.look();
            bench.logs.delete("app.log");
            bench.write(10);
            bench.look();
            bench.kill();
            bench.finish()
        },
    },
    Window {
        name: "a backup with 5 unread lines is compressed while the process is down",
        reason: "compressed files are not read; let logrotate delay it (`delaycompress`)",
        measure: || {
            let mut bench = read_bench("app.log");
            bench.stop();
            bench.write(5);
            bench.shift(0);
            bench.logs.write("app.log.1.gz", "compressed\n");
            bench.logs.delete("app.log.1");
            bench.write(10);
            bench.start();
            bench.finish()
        },
    },
    Window {
        name: "a chain of one backup is rotated three times between two looks, 5 lines in the file that came and went",
        reason: "the file came and was deleted before anybody could see it; keep more backups",
        measure: || {
            let mut bench = read_bench("app.log");
            bench.logs.rename("app.log", "app.log.1");
            bench.write(5);
            for _ in 0..2 {
                bench.logs.rename("app.log", "app.log.1");
                bench.write(10);
            }
            bench.finish()
        },
    },
    Window {
        name: "a symbolic link is pointed elsewhere twice between two looks, 5 lines in the target between",
        reason: "nothing says that it was a target; a target must be current at one look (250 ms)",
        measure: || {
            let mut bench = Bench::new("app.log");
            bench.point_elsewhere();
            bench.write(10);
            bench.look();
            bench.point_elsewhere();
            bench.write(5);
            bench.point_elsewhere();
            bench.write(10);
            bench.finish()
        },
    },
    Window {
        name: "5 lines are written to a renamed file after it had been quiet for `rotate_wait`",
        reason: "it is closed by then; counted as abandoned; raise `rotate_wait`, or match backups in `paths`",
        measure: || {
            let mut bench = read_bench("app.log");
            bench.logs.rename("app.log", "app.log.1");
            bench.pause();
            let text = bench.next(5);
            bench.logs.write("app.log.1", &text);
            bench.write(10);
            bench.finish()
        },
    },
    Window {
        name: "a file of 100 equal lines is emptied and refilled with 150 of them between two looks",
        reason: "its head and what stands before the position are the same; a time or an id in each line helps",
        measure: || {
            let logs = Logs::new();
            let mut reader = logs.reader("app.log");
            logs.write("app.log", &"ok\n".repeat(100));
            reader.step();
            logs.truncate("app.log", 0);
            logs.write("app.log", &"ok\n".repeat(150));
            let read = reader.pause().take().len() as u64;
            Score { written: 250, lost: 250 - read, twice: 0 }
        },
    },
    Window {
        name: "a copy takes the place of a file of which one line was read",
        reason: "one line alone does not say that it is a copy; append, or replace with new content",
        measure: || {
            let mut bench = Bench::new("app.log");
            bench.write(1);
            bench.look();
            bench.logs.copy("app.log", "fresh");
            let text = bench.next(10);
            bench.logs.write("fresh", &text);
            bench.logs.rename("fresh", "app.log");
            bench.finish()
        },
    },
    Window {
        name: "the first half of a container's line is in a file that is deleted before a restart",
        reason: "the half is kept in no checkpoint, as no content is; what is left of the line counts as one",
        measure: || {
            let piece = |tag: &str, text: &str| format!("2024-01-31T10:00:00Z stdout {tag} {text}\n");
            let logs = Logs::new();
            let config = config(&[logs.path("0.log")]);
            let mut reader = Reader::new(&config);
            reader.line.container = Container::Cri;
            logs.write("0.log", &[piece("F", "whole"), piece("P", "be")].concat());
            reader.step();
            logs.rename("0.log", "0.log.1");
            logs.write("0.log", &piece("P", "tw"));
            reader.pause();
            logs.delete("0.log.1");
            reader.restart(&config);
            logs.write("0.log", &[piece("F", "een"), piece("F", "last")].concat());
            let read = reader.pause().take();
            let lost =
                ["whole", "between", "last"].iter().filter(|line| !read.iter().any(|one| one == *line));
            Score { written: 3, lost: lost.count() as u64, twice: 0 }
        },
    },
];

/// A log whose ten lines were read, at a checkpoint.
fn read_bench(glob: &str) -> Bench {
    let mut bench = Bench::new(glob);
    bench.write(10);
    bench.look();
    bench.save();
    bench
}

#[test]
fn every_window_has_something_in_it() {
    for window in WINDOWS {
        let score = (window.measure)();
        assert!(score.lost + score.twice > 0, "{} is closed: {score:?}", window.name);
    }
}
