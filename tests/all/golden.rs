//! Whole expositions of small logs, byte for byte: tests/cases/<name>/{config.yaml, logs, expected.prom,
//! expected.om}. What a case is about stands at the top of its configuration.
//!
//! `make golden` rewrites the expected files; they are written by the program, so each line of a change must
//! be read and worked out by hand.

use super::support::{assert_golden, directories, read, read_text, replay_config, root};
use inference_exporter::family;
use inference_exporter::family::writer::{Format, Writer};
use inference_exporter::join::Secret;
use inference_exporter::pipeline::State;
use inference_exporter::pipeline::replay::{self, Input};
use inference_exporter::source::once::Once;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[test]
fn every_case_exposes_what_was_read_and_approved() {
    for case in cases() {
        let state = replay_case(&case);
        assert_golden(&case.join("expected.prom"), &exposition(&state, Format::Text));
        assert_golden(&case.join("expected.om"), &exposition(&state, Format::OpenMetrics));
    }
}

#[test]
fn promtool_has_nothing_to_say() {
    for case in cases() {
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool, which checks the names; the Debian package `prometheus` has it");
        let text = exposition(&replay_case(&case), Format::Text);
        promtool.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("promtool reads");
        let output = promtool.wait_with_output().expect("promtool ends");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}:\n{said}", case.display());
    }
}

#[test]
fn both_formats_say_the_same() {
    for case in cases() {
        let state = replay_case(&case);
        let open = exposition(&state, Format::OpenMetrics);
        let body = open.strip_suffix("# EOF\n").expect("OpenMetrics ends with its own end");
        let mut kind = "";
        let mut text = String::new();
        // The head of a counter has two lines, and only the second says that it is one.
        let heads: Vec<&str> = body.lines().collect();
        for (at, line) in heads.iter().enumerate() {
            if line.starts_with("# HELP ") {
                kind = heads[at + 1].rsplit(' ').next().unwrap_or_default();
            }
            text.push_str(&as_text(line, kind));
            text.push('\n');
        }
        assert_eq!(text, exposition(&state, Format::Text), "{}", case.display());
    }
}

#[test]
fn there_is_a_case_for_every_format_and_every_task() {
    let all: String = cases().iter().map(|case| read_text(&case.join("config.yaml"))).collect();
    for wanted in [
        "format: json",
        "format: logfmt",
        "format: csv",
        "format: regex",
        "container: cri",
        "container: docker",
        "task: binary",
        "task: multiclass",
        "task: regression",
    ] {
        assert!(all.contains(wanted), "no case has `{wanted}`");
    }
}

/// All cases, of which `documents` asks too what they show.
pub(crate) fn cases() -> Vec<PathBuf> {
    let cases = directories(&root().join("tests/cases"));
    assert!(cases.len() >= 10, "the cases are missing");
    cases
}

/// Replays the files that the configuration of a case names, in its order.
fn replay_case(case: &Path) -> State {
    let config = replay_config(&read_text(&case.join("config.yaml")));
    let mut inputs = Vec::new();
    for (stream, log) in config.streams.iter().enumerate() {
        for path in &log.source.paths {
            let content = read(&case.join(path));
            let source = Box::new(Once::new(Cursor::new(content), Path::new(path)));
            inputs.push(Input { stream, source });
        }
    }
    let mut state = State::new(&config, Secret::new([1; 16]));
    replay::run(&config, inputs, &mut state, &mut |_| {}).expect("memory can be read");
    state
}

pub(crate) fn exposition(state: &State, format: Format) -> String {
    let mut writer = Writer::new(format, 0);
    family::write(state, &mut writer);
    String::from_utf8(writer.finish()).expect("an exposition is UTF-8")
}

/// A line of OpenMetrics as the text format has it.
fn as_text(line: &str, kind: &str) -> String {
    if let Some(head) = line.strip_prefix("# ") {
        let mut words = head.splitn(3, ' ');
        let (keyword, name, rest) = (words.next(), words.next(), words.next());
        let (keyword, name, rest) =
            (keyword.expect("HELP or TYPE"), name.expect("a name"), rest.expect("a text"));
        let suffix = if kind == "counter" { "_total" } else { "" };
        return format!("# {keyword} {name}{suffix} {}", rest.replace("\\\"", "\""));
    }
    let sample = line.split(" # {").next().unwrap_or_default();
    sample.replace(".0\"}", "\"}")
}
