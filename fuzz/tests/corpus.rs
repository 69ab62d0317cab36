//! Runs every target over its committed corpus: what once was found stays found, without a fuzzer.

use inference_exporter_fuzz::{TARGETS, run};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of one corpus: more would cost every run of the tests, and a fuzzer makes its own of few.
const FILES_MAX: usize = 30;
/// Bytes of one file.
const FILE_BYTES_MAX: usize = 4096;

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_target_holds_over_its_corpus() {
    let mut broken = Vec::new();
    for (target, _) in TARGETS {
        let corpus = directory("corpus").join(target);
        let files = names(&corpus);
        assert!((1..=FILES_MAX).contains(&files.len()), "{target}: {} files", files.len());
        for name in files {
            let bytes = fs::read(corpus.join(&name)).expect("a file");
            assert!(bytes.len() <= FILE_BYTES_MAX, "{target}/{name}: {} bytes", bytes.len());
            // The panic's own message says what is wrong, and this where.
            if std::panic::catch_unwind(|| run(target, &bytes)).is_err() {
                broken.push(format!("fuzz/corpus/{target}/{name}"));
            }
        }
    }
    assert!(broken.is_empty(), "a promise is broken over {broken:?}");
}

#[test]
fn every_target_has_a_binary_and_a_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let binaries = names(&directory("fuzz_targets"));
    let binaries: BTreeSet<String> =
        binaries.iter().filter_map(|name| name.strip_suffix(".rs")).map(str::to_owned).collect();
    assert_eq!(binaries, targets);
    assert_eq!(names(&directory("corpus")), targets);
}
