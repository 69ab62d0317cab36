//! Any bytes between good lines are harmless: they are counted, and the good lines count as if nothing had
//! been between them.

use super::replay_files;
use crate::support::replay_config;
use inference_exporter::status::Status;
use proptest::prelude::*;

/// A way to write logs, and good lines of it. They alone name the model, so that nothing else can be a record.
struct Form {
    log: &'static str,
    before: &'static str,
    after: &'static str,
}

const JSON: Form = Form {
    log: "format: json",
    before: "{\"m\":\"good\",\"id\":1,\"t\":1767225600,\"y\":1}\n",
    after: "{\"m\":\"good\",\"id\":2,\"t\":1767225601,\"y\":2.5}\n{\"m\":\"good\",\"id\":1,\"t\":1767225602,\"truth\":3}\n",
};

const LOGFMT: Form = Form {
    log: "format: logfmt",
    before: "m=good id=1 t=1767225600 y=1\n",
    after: "m=good id=2 t=1767225601 y=2.5\nm=good id=1 t=1767225602 truth=3\n",
};

/// Without a header of its own, which would be the first line.
const CSV: Form = Form {
    log: "format: csv\n    columns: [m, id, t, y, truth]",
    before: "good,1,1767225600,1,\n",
    after: "good,2,1767225601,2.5,\ngood,1,1767225602,,3\n",
};

const REGEX: Form = Form {
    log: r"format: regex
    pattern: '^(?P<m>good) (?P<id>\d+) (?P<t>\d+)( y=(?P<y>\S+))?( truth=(?P<truth>\S+))?$'",
    before: "good 1 1767225600 y=1\n",
    after: "good 2 1767225601 y=2.5\ngood 1 1767225602 truth=3\n",
};

const CRI: Form = Form {
    log: "format: logfmt\n    container: cri",
    before: "2026-01-01T00:00:00.0Z stdout F m=good id=1 t=1767225600 y=1\n",
    after: "2026-01-01T00:00:01.0Z stdout F m=good id=2 t=1767225601 y=2.5\n\
            2026-01-01T00:00:02.0Z stdout P m=good id=1 \n\
            2026-01-01T00:00:02.0Z stdout F t=1767225602 truth=3\n",
};

const DOCKER: Form = Form {
    log: "format: logfmt\n    container: docker",
    before: "{\"log\":\"m=good id=1 t=1767225600 y=1\\n\",\"stream\":\"stdout\",\"time\":\"x\"}\n",
    after: "{\"log\":\"m=good id=2 t=1767225601 y=2.5\\n\",\"stream\":\"stdout\",\"time\":\"x\"}\n\
            {\"log\":\"m=good id=1 t=1767225602 truth=3\\n\",\"stream\":\"stdout\",\"time\":\"x\"}\n",
};

impl Form {
    fn check(&self, garbage: &[u8], sizes: &[usize]) -> Result<(), TestCaseError> {
        let config = replay_config(&format!(
            "
logs:
  - name: log
    paths: [log]
    {}
    fields: {{model: m, id: id, time: t, prediction: y, label: truth}}
models:
  good: {{task: regression, windows: [1h]}}
limits: {{line: 4KiB}}
",
            self.log
        ));
        let clean = [self.before, self.after].concat().into_bytes();
        let damaged = [self.before.as_bytes(), garbage, b"\n", self.after.as_bytes()].concat();
        let expected = Status::new(&replay_files(&config, &[(0, clean)], &[]));
        let found = Status::new(&replay_files(&config, &[(0, damaged)], sizes));
        prop_assert_eq!(format!("{:?}", found.models), format!("{:?}", expected.models));
        let log = &found.logs[0];
        prop_assert_eq!(log.records, expected.logs[0].records);
        prop_assert_eq!(log.records, 3, "the good lines are good");
        let others: u64 = log.rejected.values().chain(log.ignored.values()).sum();
        prop_assert_eq!(log.lines, log.records + others);
        Ok(())
    }
}

/// Bytes that formats trip over, many of them at once; never the name of the model, which makes a record.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => prop::sample::select(TOKENS.to_vec()).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 1..40),
        1 => prop::sample::select(vec![b'{', b'[', b' ', b'a', b'\\']).prop_map(|byte| vec![byte; 5000]),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// A container's mark of a line that goes on is not among them: what follows it belongs to it.
const TOKENS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"'",
    b"\\",
    b"\\u",
    b"\\ud800",
    b":",
    b",",
    b";",
    b"=",
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b"null",
    b"true",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"0x1",
    b"1767225600",
    b"id",
    b"\"id\"",
    b"\"m\"",
    b"m=",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x1b[36m",
    b"stdout F ",
    b"{\"id\":",
    b"{\"m\":\"",
    b"id=\"",
    b"2026-01-01T00:00:00.0Z ",
];

/// A quote that opens a field of CSV takes what follows into the field; quotes are checked below.
fn without_quotes(garbage: Vec<u8>) -> Vec<u8> {
    garbage.into_iter().filter(|byte| *byte != b'"').collect()
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..300usize, 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_are_harmless_in_json(garbage in garbage(), sizes in sizes()) {
        JSON.check(&garbage, &sizes)?;
    }

    #[test]
    fn any_bytes_are_harmless_in_logfmt(garbage in garbage(), sizes in sizes()) {
        LOGFMT.check(&garbage, &sizes)?;
    }

    #[test]
    fn any_bytes_without_quotes_are_harmless_in_csv(garbage in garbage().prop_map(without_quotes), sizes in sizes()) {
        CSV.check(&garbage, &sizes)?;
    }

    #[test]
    fn any_bytes_are_harmless_for_a_pattern(garbage in garbage(), sizes in sizes()) {
        REGEX.check(&garbage, &sizes)?;
    }

    #[test]
    fn any_bytes_are_harmless_between_lines_of_containerd(garbage in garbage(), sizes in sizes()) {
        CRI.check(&garbage, &sizes)?;
    }

    #[test]
    fn any_bytes_are_harmless_between_lines_of_docker(garbage in garbage(), sizes in sizes()) {
        DOCKER.check(&garbage, &sizes)?;
    }

    /// What a stray quote holds back is bounded by the longest line: behind that, good lines count again.
    #[test]
    fn a_quote_in_csv_costs_no_more_than_the_longest_line(garbage in garbage(), sizes in sizes()) {
        let config = replay_config("
logs:
  - {name: log, paths: [log], format: csv, columns: [m, id, y], fields: {model: m, id: id, prediction: y}}
models:
  good: {task: regression, windows: [1h]}
limits: {line: 4KiB}
");
        let filler = "good,1,1\n".repeat(1000);
        let content = [&b"good,0,0\n"[..], &garbage, b"\n", filler.as_bytes(), b"good,2,2\ngood,3,3\n"].concat();
        let found = Status::new(&replay_files(&config, &[(0, content)], &sizes));
        let log = &found.logs[0];
        let others: u64 = log.rejected.values().chain(log.ignored.values()).sum();
        prop_assert_eq!(log.lines, log.records + others);
        // 9 bytes a line; twice the limit, for a quote near the end of what was given up.
        let held_back = 2 * 4096 / 9 + 2;
        prop_assert!(log.records >= 1003 - held_back, "{:?}", log);
    }
}
