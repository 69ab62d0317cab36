//! The report fits a terminal, whatever the names are; its JSON is what the document says it is.

use super::*;
use crate::pipeline::example::{self, Example};
use crate::record::Format;
use std::collections::BTreeSet;

fn status(example: Example) -> Status {
    Status::new(&example.replay().0)
}

fn check_width(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= WIDTH_MAX, "{} columns: {line}", line.chars().count());
    }
}

/// Text between two control sequences of colour, as a terminal shows it.
fn without_color(text: &str) -> String {
    [BOLD, DIM, GREEN, RED, YELLOW, RESET].iter().fold(text.to_owned(), |text, code| text.replace(code, ""))
}

#[test]
fn the_report_of_three_models_says_what_was_measured() {
    let text = text(&status(example::oracle()), false);
    check_width(&text);
    for wanted in [
        "digits (multiclass)",
        "progression, version shadow",
        "requests 600, failed 0, predictions 600, pending 7",
        "labels: 34 duplicate, 520 joined, 28 late",
        "Classes of tumour, version v1, window all",
        "R²",
        "macro",
        "rejected: malformed",
        "– label coverage",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(!text.contains("NaN") && !text.contains('\u{1b}'));
    let header = text.lines().find(|line| line.starts_with("measure")).unwrap();
    assert_eq!(header.split_whitespace().nth(1), Some("all"), "the whole comes first: {header}");
}

#[test]
fn colours_change_nothing_but_colour() {
    let status = status(example::oracle());
    let colored = text(&status, true);
    assert!(colored.contains(RED) && colored.contains(GREEN) && colored.contains(YELLOW));
    assert_eq!(without_color(&colored), text(&status, false));
}

#[test]
fn no_name_moves_the_cursor_or_widens_the_report() {
    let evil = format!("\u{1b}[2J\u{202e}\r\n\t{}", "né".repeat(50));
    let lines = format!(
        "{}\n",
        serde_json::json!({"id": 1, "time": 1_700_000_000, "v": evil, "p": evil, "y": evil, "c": evil})
    );
    let example = Example::default()
        .model(&evil, example::multiclass(&[], &[]), |model| {
            model.slices = vec![evil.clone()];
            model.targets = vec![example::target("recall", &evil, 0.9)];
            model.limits.value_length = 1000;
        })
        .log(
            &evil,
            &evil,
            Format::Json,
            &[
                ("id", "id"),
                ("time", "time"),
                ("version", "v"),
                ("prediction", "p"),
                ("label", "y"),
                ("latency", "none"),
                (&format!("slice:{evil}"), "c"),
            ],
            lines,
        );
    let text = text(&status(example), false);
    check_width(&text);
    assert!(text.contains("\\u{1b}[2J"));
    assert!(text.chars().all(|one| one == '\n' || !one.is_control() && one != '\u{202e}'));
}

#[test]
fn nothing_read_is_a_report_too() {
    let text = text(&Status::new(&example::oracle().unread()), false);
    check_width(&text);
    assert!(text.contains("No request was read."));
}

/// Keys of objects that are names and not the document's own: models' classes and the like, and the closed
/// sets that it lists elsewhere.
fn keys(value: &serde_json::Value, parent: &str, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                let names = ["predictions_by_class", "classes", "top_k_accuracy"].contains(&parent);
                if !names {
                    found.insert(key.clone());
                }
                keys(value, if names { "" } else { key }, found);
            }
        }
        serde_json::Value::Array(array) => array.iter().for_each(|value| keys(value, parent, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_json_is_in_the_document() {
    let document = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.md");
    let document = std::fs::read_to_string(document).unwrap();
    let mut status = status(example::oracle());
    status.logs[0].lag_bytes = Some(1);
    status.logs[0].lag_seconds = Some(1.0);
    let value: serde_json::Value = serde_json::from_slice(&json(&status)).unwrap();
    let mut found = BTreeSet::new();
    keys(&value, "", &mut found);
    assert!(found.len() > 80, "{found:?}");
    for key in &found {
        assert!(document.contains(&format!("`{key}`")), "`{key}` is not in docs/report.md");
    }
    // And every value that a document could promise and the example happens not to have.
    use crate::event::mapping::Role;
    use crate::monitor::tally::{LabelResult, Unlabeled};
    use crate::verdict::{Ignore, Reject};
    let sets = [
        Reject::ALL.map(Reject::name).to_vec(),
        Ignore::ALL.map(Ignore::name).to_vec(),
        LabelResult::ALL.map(LabelResult::name).to_vec(),
        Unlabeled::ALL.map(Unlabeled::name).to_vec(),
        Role::ALL.map(Role::name).to_vec(),
    ];
    for name in sets.concat() {
        assert!(document.contains(&format!("`{name}`")), "`{name}` is not in docs/report.md");
    }
}

#[test]
fn the_json_is_the_same_every_time_and_ends_a_line() {
    let [one, other] = [0, 1].map(|_| json(&status(example::oracle())));
    assert_eq!(one, other);
    assert!(one.ends_with(b"}\n"));
}

#[test]
fn a_long_line_goes_on_below() {
    let word = "x".repeat(200);
    assert_eq!(wrapped("one two three", 8), ["one two ", "  three"]);
    assert_eq!(wrapped("", 8), [""]);
    assert_eq!(wrapped(&word, 8), ["xxxxx…"]);
    assert_eq!(wrapped("abcdefgh i", 8), ["abcde… i"]);
}
