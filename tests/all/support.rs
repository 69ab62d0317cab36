//! What the tests share: cases, replays, the binary.

use inference_exporter::config::{self, Plan};
use inference_exporter::join::Secret;
use inference_exporter::pipeline::replay::{self, Input};
use inference_exporter::pipeline::{Config, State};
use inference_exporter::source::once::Once;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The plan of a configuration text; panics with every mistake.
pub(crate) fn plan(text: &str) -> Plan {
    config::parse(text, "test.yaml", &|_| None).unwrap_or_else(|errors| panic!("{errors}")).plan
}

/// As `replay` has it: with the window `all`.
pub(crate) fn replay_config(text: &str) -> Config {
    let mut config = plan(text).pipeline;
    for model in config.models.iter_mut().chain(&mut config.found) {
        model.window_all = true;
    }
    config
}

/// Replays contents, each as one of the configuration's logs by name.
pub(crate) fn replay(config: &Config, logs: &[(&str, &[u8])]) -> State {
    let inputs = logs
        .iter()
        .map(|(name, content)| Input {
            stream: config.streams.iter().position(|log| log.name == *name).expect("a log of that name"),
            source: Box::new(Once::new(Cursor::new(content.to_vec()), Path::new(name))),
        })
        .collect();
    let mut state = State::new(config, Secret::new([1; 16]));
    replay::run(config, inputs, &mut state, &mut |_| {}).expect("memory can be read");
    state
}

/// The directories below one, in the order of their names.
pub(crate) fn directories(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn read_text(path: &Path) -> String {
    String::from_utf8(read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares with a committed file, or rewrites it where UPDATE_GOLDEN is set.
pub(crate) fn assert_golden(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, actual).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected == actual {
        return;
    }
    let differing = expected.lines().zip(actual.lines()).position(|(left, right)| left != right);
    let line = differing.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    panic!(
        "{} is not what is written now; first difference in line {}:\n  committed: {}\n  now:       {}\n\
         `make golden` rewrites it; read the diff",
        path.display(),
        line + 1,
        expected.lines().nth(line).unwrap_or("(end)"),
        actual.lines().nth(line).unwrap_or("(end)"),
    );
}
