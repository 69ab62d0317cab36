//! The sidecar as whoever operates it sees it: start, signals, shutdown, and its own log.

use super::process::{Exporter, append, await_that, binary, call, one_model, one_model_text, value, write};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

pub(super) const OUTCOMES: &str =
    "inference_outcomes_total{model=\"m\",version=\"\",predicted=\"1\",actual=\"1\",correct=\"true\"}";

pub(super) fn outcome(id: usize) -> String {
    format!("{{\"id\": \"r{id}\", \"p\": 1, \"y\": 1}}\n")
}

#[test]
fn a_taken_port_is_a_failure_with_advice() {
    let (directory, config) = one_model();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    write(&config, &one_model_text(directory.path(), &["p"]).replace("127.0.0.1:0", &address));
    for arguments in [&["run", "--config", "config.yaml"][..], &["demo", "--listen", &address]] {
        let called = call(directory.path(), arguments, b"");
        assert_eq!(called.code, Some(1), "{called:?}");
        assert!(called.err.contains(&format!("cannot listen on {address}")), "{called:?}");
        assert!(called.err.contains("another process has the port"), "{called:?}");
    }
}

#[test]
fn every_path_answers() {
    let (directory, config) = one_model();
    append(&directory.path().join("p.jsonl"), outcome(1).as_bytes());
    let exporter = Exporter::run(&config, &[]);
    exporter.await_value(OUTCOMES, "1");
    assert_eq!(exporter.get("/-/healthy").0, 200);
    assert_eq!(exporter.get("/-/ready").0, 200);
    assert_eq!(exporter.get("/nowhere").0, 404);
    let (status, page) = exporter.get("/");
    assert!(status == 200 && page.starts_with("<!doctype html>") && page.contains(">m<"), "{page}");
    let (status, json) = exporter.get("/api/v1/status");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((status, &json["models"][0]["model"]), (200, &Value::from("m")));

    let plain = exporter.ask("GET", "/metrics", "");
    assert!(plain.head.contains("text/plain; version=0.0.4"), "{}", plain.head);
    let accept = "Accept: application/openmetrics-text; version=1.0.0\r\n";
    let open = exporter.ask("GET", "/metrics", accept);
    assert!(open.head.contains("application/openmetrics-text; version=1.0.0"), "{}", open.head);
    assert!(open.text().ends_with("# EOF\n"));
    let packed = exporter.ask("GET", "/metrics", "Accept-Encoding: gzip\r\n");
    assert!(packed.head.contains("content-encoding: gzip"), "{}", packed.head);
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&*packed.body).read_to_string(&mut unpacked).expect("gzip");
    assert_eq!(value(&unpacked, OUTCOMES).as_deref(), Some("1"));
}

#[test]
fn a_signal_to_end_reads_what_is_written_and_exits_0() {
    for signal in ["TERM", "INT"] {
        let (directory, config) = one_model();
        let mut exporter = Exporter::run(&config, &["--shutdown-delay", "1h"]);
        await_that("ready", || (exporter.get("/-/ready").0 == 200).then_some(()));
        // A client that takes a connection and says nothing, and one that never reads its answer.
        let silent = TcpStream::connect(exporter.address).expect("a connection");
        let mut deaf = TcpStream::connect(exporter.address).expect("a connection");
        deaf.write_all(&b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200)).expect("room");
        let lines: String = (0..5000).map(outcome).collect();
        append(&directory.path().join("p.jsonl"), lines.as_bytes());
        exporter.signal(signal);
        exporter.await_log("reading what is already written, then ending", |_| Some(()));
        // /metrics stays up for the last scrape, which has every line that was there.
        exporter.await_value(OUTCOMES, "5000");
        assert!(!exporter.has_ended());
        // Whoever asks twice does not want to wait.
        exporter.signal(signal);
        let status = exporter.end();
        assert_eq!(status.code(), Some(0), "{signal}: {}", exporter.stderr());
        drop((silent, deaf));
    }
}

#[test]
fn without_a_delay_the_end_comes_at_once() {
    let (_directory, config) = one_model();
    let mut exporter = Exporter::run(&config, &[]);
    exporter.signal("TERM");
    assert_eq!(exporter.end().code(), Some(0));
    assert!(TcpStream::connect(exporter.address).is_err(), "the port is still open");
}

#[test]
fn no_content_of_a_line_is_in_its_log() {
    const MARKER: &str = "hunter2";
    let (directory, config) = one_model();
    let mut exporter = Exporter::run(&config, &["--log-level", "trace"]);
    let mut bytes = Vec::new();
    for line in [
        format!("{{\"id\": \"{MARKER}\", \"p\": \"{MARKER}\", \"y\": \"{MARKER}\", \"ts\": \"{MARKER}\"}}"),
        format!("{{\"id\": \"{MARKER}\", \"p\": \"{MARKER}\", \"y\": [\"{MARKER}\"]}}"),
        format!("{MARKER} {{\"id\": {MARKER}"),
        MARKER.repeat(300_000),
        format!("{{\"id\": \"{MARKER}\", \"p\": 1, \"y\": 1}}"),
    ] {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(b"{\"id\": \"\xff\xfe hunter2\", \"p\": \"\xff\"}\n");
    append(&directory.path().join("p.jsonl"), &bytes);
    exporter.await_value("inference_exporter_lines_total{log=\"p\"}", "6");
    assert!(exporter.value(OUTCOMES).is_some());
    for path in ["/", "/api/v1/status", "/metrics"] {
        assert!(!exporter.get(path).1.contains(MARKER), "{path} shows content of a line");
    }
    exporter.signal("TERM");
    exporter.end();
    let log = exporter.stderr();
    assert!(log.lines().count() > 3 && !log.contains(MARKER), "{log}");
}

#[test]
fn its_log_has_the_level_that_was_asked_for() {
    let (_directory, config) = one_model();
    let debugged = Exporter::run(&config, &["--log-level", "debug"]);
    debugged.get("/-/ready");
    await_that("a debug event", || {
        debugged.events().iter().any(|event| event["level"] == "DEBUG").then_some(())
    });
    let mut command = binary();
    command.args(["run", "--config"]).arg(&config).env("RUST_LOG", "debug");
    let debugged = Exporter::start(command);
    debugged.get("/-/ready");
    await_that("a debug event", || {
        debugged.events().iter().any(|event| event["level"] == "DEBUG").then_some(())
    });
    // The option comes before the environment; here only what does not work is said, which is nothing.
    let mut command = binary();
    command.args(["check", "--log-level", "error", "--config"]).arg(&config).env("RUST_LOG", "trace");
    assert_eq!(command.output().expect("the binary").stderr, b"");
}

#[test]
fn the_demo_says_where_it_is_and_what_to_ask() {
    let mut child = binary()
        .args(["demo", "--listen", "127.0.0.1:0"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut text = Vec::new();
    // It goes on until it is told to end, so its words are read until the last of them.
    while !text.ends_with(b"Ctrl-C ends it.\n") {
        let mut byte = [0];
        assert_eq!(
            stdout.read(&mut byte).expect("a pipe"),
            1,
            "it ended: {}",
            String::from_utf8_lossy(&text)
        );
        text.push(byte[0]);
    }
    let text = String::from_utf8(text).expect("UTF-8");
    let kill = format!("kill -INT {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    let status = child.wait().expect("an end");
    assert_eq!(text.lines().filter(|line| line.trim_start().starts_with("# ")).count(), 3, "{text}");
    assert!(text.contains("http://127.0.0.1:") && text.contains("/metrics"), "{text}");
    assert_eq!(status.code(), Some(0));
    let logs = text.lines().find_map(|line| line.trim().strip_prefix("logs ")).expect("its logs").trim();
    assert!(!Path::new(logs).exists(), "{logs} is left behind");
}
