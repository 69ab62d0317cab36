//! Commands that end by themselves: (arguments, files, standard input) → exit code and what was said.

use super::super::support::{assert_golden, root};
use super::process::{Call, binary, call, write};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

/// Two logs and one model; paths are relative, so that the directory of the test does not show.
const CONFIG: &str = "logs:
  - name: predictions
    paths: [predictions*.jsonl]
    model: m
    fields: {id: id, prediction: p}
  - name: labels
    paths: [labels.csv, both.log]
    format: csv
    model: m
    fields: {id: id, label: y}
  - name: wrapped
    paths: [both.log]
    container: cri
    model: m
    fields: {id: id, label: y}
models:
  m: {task: binary, positive: \"1\"}
";

const PREDICTIONS: &str = "{\"id\": \"a\", \"p\": 1}\n{\"id\": \"b\", \"p\": 0}\n";
const LABELS: &str = "id,y\na,1\nb,1\n";

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| write(&directory.path().join(name), text);
    put("config.yaml", CONFIG);
    put("wrong.yaml", &CONFIG.replace("format: csv", "format: cvs").replace("binary", "binery"));
    put("predictions.jsonl", PREDICTIONS);
    put("labels.csv", LABELS);
    put("other.csv", LABELS);
    put("both.log", LABELS);
    put("empty.csv", "");
    // The first bytes of any gzip file.
    std::fs::write(directory.path().join("predictions.jsonl.gz"), b"\x1f\x8b\x08\0\0\0\0\0").expect("a file");
    std::fs::create_dir(directory.path().join("folder")).expect("a directory");
    std::fs::create_dir(directory.path().join("nothing")).expect("a directory");
    put("nothing/config.yaml", CONFIG);
    directory
}

/// Arguments, standard input, exit code, what standard output and standard error say among other things.
type Row = (&'static str, &'static str, i32, &'static [&'static str], &'static [&'static str]);

fn check_table(directory: &Path, rows: &[Row]) {
    for (arguments, input, code, out, err) in rows {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let called = call(directory, &words, input.as_bytes());
        assert_eq!(called.code, Some(*code), "{arguments}: {called:?}");
        for part in *out {
            assert!(called.out.contains(part), "{arguments}: no `{part}` in\n{}", called.out);
        }
        for part in *err {
            assert!(called.err.contains(part), "{arguments}: no `{part}` in\n{}", called.err);
        }
        assert!(!called.err.contains("panicked"), "{arguments}: {}", called.err);
        if *code != 0 {
            assert!(!called.err.is_empty(), "{arguments}: it failed and said nothing");
        }
    }
}

#[test]
fn wrong_usage_says_what_is_right_and_exits_2() {
    let rows: &[Row] = &[
        ("", "", 2, &[], &["--config <FILE>", "--help"]),
        ("chek", "", 2, &[], &["a similar subcommand exists: 'check'"]),
        ("check", "", 2, &[], &["--config <FILE>"]),
        ("check --cofig config.yaml", "", 2, &[], &["a similar argument exists: '--config'"]),
        ("check config.yaml", "", 2, &[], &["unexpected argument 'config.yaml'", "--config"]),
        ("--config config.yaml check --config config.yaml", "", 2, &[], &["come after it"]),
        ("check --config config.yaml --log-level loud", "", 2, &[], &["error, warn, info, debug or trace"]),
        ("run --config config.yaml --shutdown-delay 5", "", 2, &[], &["time unit needed"]),
        ("run --config config.yaml --web.config.file none", "", 2, &[], &["wrong web configuration", "none"]),
        ("demo --listen localhost:1", "", 2, &[], &["localhost:1"]),
        ("replay --config config.yaml --output html", "", 2, &[], &["text, json, metrics"]),
        ("explain --config config.yaml --log truth", "", 2, &[], &["`truth`", "`predictions`, `labels`"]),
        ("healthcheck --config port.yaml", "", 2, &[], &["port 0"]),
        ("--help", "", 0, &["healthcheck", "Exit codes: 0 fine"], &[]),
        ("replay --help", "", 0, &["NAME=FILE", "NAME=- is standard input"], &[]),
        ("--version", "", 0, &[env!("CARGO_PKG_VERSION")], &[]),
        ("--log-level warn check --config config.yaml", "", 0, &["models:"], &[]),
    ];
    let directory = directory();
    write(&directory.path().join("port.yaml"), &format!("listen: 127.0.0.1:0\n{CONFIG}"));
    check_table(directory.path(), rows);
}

#[test]
fn a_configuration_that_cannot_be_used_exits_2_with_every_mistake() {
    let directory = directory();
    let mistakes: &[&str] =
        &["wrong.yaml:8: logs[1].format", "did you mean `csv`?", "did you mean `binary`?"];
    for command in ["check", "run", "replay", "explain", "healthcheck"] {
        for (file, parts) in [
            ("none.yaml", &["none.yaml: the file does not exist"][..]),
            ("folder", &["folder: is a directory"]),
            ("wrong.yaml", mistakes),
        ] {
            let called = call(directory.path(), &[command, "--config", file], b"");
            assert_eq!((called.code, called.out.as_str()), (Some(2), ""), "{command} {file}: {called:?}");
            for part in parts {
                assert!(called.err.contains(part), "{command} {file}: no `{part}` in\n{}", called.err);
            }
        }
    }
    let called = call(directory.path(), &["--config", "wrong.yaml"], b"");
    assert!(called.code == Some(2) && called.err.contains("binery"), "without a command: {called:?}");
}

#[test]
fn replay_finds_the_log_of_each_file_or_says_why_not() {
    const ORPHANS: &str = "inference_labels_total{model=\"m\",result=\"orphan\"} 2\n";
    const READ: &str = "inference_exporter_lines_total{log=\"labels\"} 3\n";
    let rows: &[Row] = &[
        ("predictions.jsonl labels.csv", "", 0, &["result=\"joined\"} 2\n", READ], &[]),
        ("predictions=predictions.jsonl labels=other.csv", "", 0, &["result=\"joined\"} 2\n"], &[]),
        ("./labels.csv", "", 2, &[], &["./labels.csv", "NAME=", "`labels`"]),
        ("labels=-", LABELS, 0, &[ORPHANS, READ], &[]),
        ("labels=-", "", 0, &["inference_exporter_lines_total{log=\"labels\"} 0\n"], &[]),
        ("labels=empty.csv", "", 0, &["inference_exporter_lines_total{log=\"labels\"} 0\n"], &[]),
        ("-", LABELS, 2, &[], &["standard input may be any of several logs", "`labels`"]),
        ("labels=- predictions=-", "", 2, &[], &["read only once"]),
        ("other.csv", "", 2, &[], &["other.csv is not among the paths of any log", "`labels`"]),
        ("both.log", "", 2, &[], &["both.log is among the paths of several logs", "NAME=both.log"]),
        ("truth=other.csv", "", 2, &[], &["no log is named `truth`", "`labels`"]),
        ("labels=none.csv", "", 1, &[], &["cannot read none.csv: No such file"]),
        ("labels=folder", "", 1, &[], &["cannot read folder: it is a directory"]),
        ("predictions=predictions.jsonl.gz", "", 1, &[], &["compressed", "zcat predictions.jsonl.gz"]),
        // Rejected lines are in the report and do not change the exit code.
        ("predictions=-", "no JSON\n", 0, &["log=\"predictions\",reason=\"malformed\"} 1\n"], &[]),
    ];
    let directory = directory();
    for (logs, input, code, out, err) in rows {
        let mut words = vec!["replay", "--config", "config.yaml", "--output", "metrics"];
        words.extend(logs.split_whitespace());
        let called = call(directory.path(), &words, input.as_bytes());
        assert_eq!(called.code, Some(*code), "{logs}: {called:?}");
        out.iter()
            .for_each(|part| assert!(called.out.contains(part), "{logs}: no `{part}` in\n{}", called.out));
        err.iter()
            .for_each(|part| assert!(called.err.contains(part), "{logs}: no `{part}` in\n{}", called.err));
    }
}

#[test]
fn replay_without_logs_reads_the_configured_paths_and_says_when_there_are_none() {
    let directory = directory();
    let arguments = ["replay", "--config", "config.yaml", "--output", "json"];
    let called = call(directory.path(), &arguments, b"");
    assert_eq!(called.code, Some(0), "{called:?}");
    let report: serde_json::Value = serde_json::from_str(&called.out).expect("JSON");
    assert!(report["models"].is_array() && called.out.ends_with("}\n"), "{}", called.out);

    let called = call(&directory.path().join("nothing"), &arguments, b"");
    assert_eq!((called.code, &*called.out), (Some(1), ""), "{called:?}");
    assert!(called.err.contains("no file matches the configured paths"), "{called:?}");
}

#[test]
fn replay_reads_a_pipe_as_a_shell_makes_it() {
    let directory = directory();
    let script = format!(
        "{} replay --config config.yaml --output metrics labels=pipe",
        env!("CARGO_BIN_EXE_inference-exporter")
    );
    let script = format!("mkfifo pipe && (cat labels.csv > pipe & {script})");
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(directory.path())
        .output()
        .expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("inference_exporter_lines_total{log=\"labels\"} 3\n"), "{output:?}");
}

#[test]
fn whoever_stops_reading_has_seen_enough() {
    let directory = directory();
    for arguments in [
        &["check", "--config", "config.yaml"][..],
        &["replay", "--config", "config.yaml", "labels.csv"],
        &["explain", "--config", "config.yaml"],
    ] {
        let mut child = binary()
            .args(arguments)
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let mut stdin = child.stdin.take().expect("a pipe");
        // The reader is gone before the first byte; explain has an input that never ends by itself.
        drop(child.stdout.take());
        let endless =
            std::thread::spawn(
                move || {
                    while std::io::Write::write_all(&mut stdin, b"{\"id\": \"a\"}\n").is_ok() {}
                },
            );
        let mut err = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("UTF-8");
        let status = child.wait().expect("an end");
        assert!(status.success() && !err.contains("panicked"), "{arguments:?}: {status} {err}");
        endless.join().expect("no panic");
    }
}

#[test]
fn the_plan_of_a_good_configuration_is_printed() {
    let directory = directory();
    let case = root().join("tests/oracle/cases/breast_cancer_json/config.yaml");
    std::fs::copy(case, directory.path().join("config.yaml")).expect("a copy");
    let called = call(directory.path(), &["check", "--config", "config.yaml"], b"");
    assert_eq!((called.code, called.err.as_str()), (Some(0), ""));
    assert_golden(&root().join("tests/all/commands/check.txt"), &called.out);
}

#[test]
fn a_replay_is_reported_in_text() {
    let case = root().join("tests/oracle/cases/breast_cancer_json");
    let called = call(&case, &["replay", "--config", "config.yaml", "predictions.jsonl", "labels.csv"], b"");
    assert_eq!((called.code, called.err.as_str()), (Some(0), ""));
    assert_golden(&root().join("tests/all/commands/replay.txt"), &called.out);
}

/// All logs tried with a line of each, a record that spans lines, pieces of a container's line, and garbage.
#[test]
fn explain_says_what_became_of_each_line() {
    // Three columns, so that no JSON here is a record of the CSV log.
    let input = "{\"id\": \"a\", \"p\": 1}\n{\"id\": \"b\", \"p\": 7}\nid,y,why\n{\"p\": 1\na,1,x\na,0,x\n\
        \"c\n\",1,x\n\n{\"id\": \"c\", \"p\": 0}\n\
        2026-03-02T00:00:00Z stdout P {\"id\": \"c\",\n{\"id\": \"d\", \"p\": 0}\n\
        2026-03-02T00:00:00Z stdout F \"y\": 1}\nneither one nor the other";
    let directory = directory();
    let called = call(directory.path(), &["explain", "--config", "config.yaml"], input.as_bytes());
    assert_eq!((called.code, called.err.as_str()), (Some(0), ""));
    assert_golden(&root().join("tests/all/commands/explain.txt"), &called.out);
}

#[test]
fn explain_of_one_log_shows_what_the_pattern_found() {
    let directory = directory();
    let text = "logs: [{name: r, paths: [r.log], format: regex, pattern: '^(?P<i>\\w+) took (?P<t>\\S+)$', \
        model: m, fields: {id: i, latency: {path: t, unit: ms}, prediction: i}}]\n\
        models: {m: {task: regression}}\n";
    write(&directory.path().join("config.yaml"), text);
    let arguments = ["explain", "--config", "config.yaml", "--log", "r"];
    let Call { code, out, .. } =
        call(directory.path(), &arguments, b"17 took 250\r\nseventeen took long\nno\n");
    assert_eq!(code, Some(0));
    for part in [
        "line 1\n  r: a record\n",
        "    id          17\n",
        "    latency     250\n",
        "    -> m: request\n    -> m: prediction\n",
        "    id          \"seventeen\"\n",
        "the latency cannot be used and is counted as invalid",
        "line 3\n  r: rejected as malformed: not a record of the log's format\n",
    ] {
        assert!(out.contains(part), "no `{part}` in\n{out}");
    }
}

#[test]
fn explain_is_bounded_whatever_it_is_given() {
    let directory = directory();
    let arguments = ["explain", "--config", "config.yaml", "--log", "predictions"];
    let called = call(directory.path(), &arguments, &[b'x'; 3 << 20]);
    assert!(called.out.contains("rejected as too_long"), "{called:?}");
}
