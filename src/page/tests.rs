//! The page holds together whatever the names are, and says what a person looks for.

use super::*;
use crate::pipeline::example::{self, Example};
use crate::record::Format;

/// Every start tag has its end tag, in order; attributes are quoted. No void element but `meta`.
fn check(html: &str) {
    let mut open = Vec::new();
    let mut rest = html.strip_prefix("<!doctype html>").unwrap();
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.chars().all(|one| one.is_ascii_alphanumeric()), "{tag}");
        assert_eq!(attributes.matches('"').count() % 2, 0, "{tag}");
        if name != "meta" {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0]);
}

fn page(example: Example) -> String {
    let (state, now) = example.replay();
    html(&Status::new(&state), now)
}

const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&";

#[test]
fn no_name_from_a_log_becomes_markup() {
    let lines = format!(
        "{}\n",
        serde_json::json!({"id": "1", "time": 1_700_000_000, "v": EVIL, "p": EVIL, "y": EVIL, "c": EVIL, "s": EVIL})
    );
    let example = Example::default()
        .model(EVIL, example::multiclass(&[], &[]), |model| {
            model.slices = vec![EVIL.to_owned()];
            model.targets = vec![example::target("recall", EVIL, 0.9)];
        })
        .log(
            EVIL,
            EVIL,
            Format::Json,
            &[
                ("id", "id"),
                ("time", "time"),
                ("version", "v"),
                ("prediction", "p"),
                ("label", "y"),
                ("status", "s"),
                (&format!("slice:{EVIL}"), "c"),
            ],
            lines,
        );
    let page = page(example);
    check(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for markup in ["<script", "<img", "'><"] {
        assert!(!page.contains(markup), "{markup}");
    }
}

#[test]
fn a_replay_of_three_models_shows_what_a_person_looks_for() {
    let page = page(example::oracle());
    check(&page);
    let wanted = [
        "<title>inference-exporter</title>",
        "<html lang=\"en\">",
        "default-src 'none'; style-src 'unsafe-inline'",
        "href=\"/metrics\"",
        "href=\"/api/v1/status\"",
        "href=\"/-/healthy\"",
        "href=\"/-/ready\"",
        ">ready</span>",
        "<th scope=\"row\">progression</th>",
        "<th scope=\"row\">shadow</th>",
        // Why values are absent: `shadow` never had a label.
        "title=\"no labelled prediction in the window\">–</td>",
        "Why values are absent",
        "rejected: malformed",
        "<summary>",
        ">not sure yet</td>",
        ">misses</td>",
        ">meets</td>",
        "±0.0",
    ];
    for text in wanted {
        assert!(page.contains(text), "{text}");
    }
    for text in ["NaN", "inf<", "http://", "https://", "<script", "src="] {
        assert!(!page.contains(text), "{text}");
    }
}

#[test]
fn before_the_first_line_it_says_what_to_do() {
    let mut status = Status::new(&example::oracle().unread());
    let now = Timestamp::from_seconds(1_700_000_000);
    let page = html(&status, now);
    check(&page);
    for text in ["No line has been read yet", "check --config FILE", "not ready", "No request was seen yet"] {
        assert!(page.contains(text), "{text}");
    }
    status.models.clear();
    status.logs.clear();
    let page = html(&status, now);
    check(&page);
    assert!(page.contains("No model yet") && page.contains("names no <code>logs</code>"));
}

#[test]
fn a_log_without_one_record_is_pointed_at() {
    let example = Example::default().model("m", example::binary(), |_| {}).log(
        "broken",
        "m",
        Format::Json,
        &[("id", "id"), ("prediction", "p")],
        "card 4111 1111\n",
    );
    let page = page(example);
    assert!(page.contains("No line of broken was a record"));
    assert!(!page.contains("4111"), "nothing of a line is shown");
}

#[test]
fn the_lag_has_columns_where_it_is_known() {
    let mut status = Status::new(&example::oracle().unread());
    let now = Timestamp::from_seconds(1_700_000_000);
    assert!(!html(&status, now).contains(">lag</th>"));
    status.logs[0].lag_bytes = Some(2048);
    status.logs[0].lag_seconds = Some(12.0);
    status.logs[0].files.insert("followed", 3);
    let page = html(&status, now);
    for text in [">lag</th>", ">2.0 KiB</td>", ">12 s</td>", ">3 followed</td>"] {
        assert!(page.contains(text), "{text}");
    }
}

/// Writes the pages where a browser finds them, to be looked at.
#[test]
fn the_page_can_be_looked_at() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/page");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("replay.html"), page(example::oracle())).unwrap();
    let empty = html(&Status::new(&example::oracle().unread()), Timestamp::from_seconds(1_700_000_000));
    std::fs::write(directory.join("empty.html"), empty).unwrap();
}
