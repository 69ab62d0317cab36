//! Files in which nothing happens cost no work but a question for their state. What that comes to in time is
//! measured in `benches/idle.rs`.

use super::process::{Exporter, append, write};

const FILES: usize = 1000;
/// Each is seen by a look at all files.
const LOOKS: usize = 3;

#[test]
fn quiet_files_are_not_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("config.yaml");
    write(
        &config,
        &format!(
            "listen: 127.0.0.1:0\nlogs: [{{name: quiet, paths: ['{}/*.jsonl'], start_at: beginning, model: m, \
             fields: {{prediction: p}}}}]\nmodels: {{m: {{task: regression}}}}\n",
            directory.path().display()
        ),
    );
    let log = |number: usize| directory.path().join(format!("{number}.jsonl"));
    let line = b"{\"p\": 1}\n";
    (0..FILES).for_each(|number| append(&log(number), line));
    let exporter = Exporter::run(&config, &[]);
    let read = || -> usize {
        let text = std::fs::read_to_string(format!("/proc/{}/io", exporter.id())).expect("proc");
        let calls = text.lines().find_map(|line| line.strip_prefix("syscr: "));
        calls.and_then(|calls| calls.parse().ok()).expect("a count of reads")
    };
    let await_lines = |lines: usize| {
        exporter.await_value("inference_exporter_lines_total{log=\"quiet\"}", &lines.to_string());
    };
    await_lines(FILES);
    // The first lines may still be followed by reads that find no more.
    append(&log(0), line);
    await_lines(FILES + 1);
    let before = read();
    for look in 1..=LOOKS {
        append(&log(look), line);
        await_lines(FILES + 1 + look);
    }
    // With the scrapes that wait for the lines: a few hundred. To read each file once a look would be 3,000.
    let reads = read() - before;
    assert!(reads < FILES, "{reads} reads");
}
