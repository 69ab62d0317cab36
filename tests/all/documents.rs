//! Documents that are written from the code, and names that documents use: none may be out of date.

use super::golden::cases;
use super::support::{assert_golden, read_text, root};
use inference_exporter::family::writer::{Format, Writer};
use inference_exporter::family::{Kind, families, own, reference};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Labels that Prometheus itself sets on what it scrapes.
const TARGET_LABELS: [&str; 7] = ["namespace", "pod", "instance", "job", "container", "service", "cluster"];

/// Directories of the repository whose files are named in documents.
const DIRECTORIES: [&str; 10] =
    ["src/", "tests/", "docs/", "alerts/", "dashboards/", "deploy/", "benches/", "fuzz/", "scripts/", ".ci/"];

/// Files that are named and still to be written; one that is must leave this list.
const AWAITED: &[&str] = &[];

#[test]
fn the_metric_reference_is_written_from_the_code() {
    assert_golden(&root().join("docs/metrics.md"), &reference::markdown());
}

#[test]
fn names_and_meanings_follow_prometheus() {
    let mut seen = BTreeSet::new();
    let own = own::FAMILIES.iter().map(|&(name, kind, help)| (name, kind, help, ""));
    for (name, kind, help, absent) in
        families().map(|family| (family.name, family.kind, family.help, family.absent)).chain(own)
    {
        assert!(seen.insert(name), "{name} is there twice");
        assert!(name.starts_with("inference_"), "{name} is not in the namespace");
        assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}: _total is for counters alone");
        for suffix in ["_bucket", "_sum", "_count", "_created"] {
            assert!(!name.ends_with(suffix), "{name}: {suffix} is a part of a histogram");
        }
        assert!(help.ends_with('.') && !help.contains('\n'), "{name}: {help}");
        assert!(!absent.ends_with('.'), "{name}: the reference ends the sentence: {absent}");
    }
    for family in families() {
        let labels: Vec<&str> = family.read.labels().iter().chain(family.labels).copied().collect();
        for label in &labels {
            assert!(!TARGET_LABELS.contains(label), "{}: Prometheus sets {label}", family.name);
            assert!(!["le", "quantile"].contains(label), "{}: {label} is reserved", family.name);
        }
        let distinct: BTreeSet<&&str> = labels.iter().collect();
        assert_eq!(distinct.len(), labels.len(), "{}: {labels:?}", family.name);
    }
}

#[test]
fn the_exporters_own_metrics_are_those_of_the_reference() {
    let mut writer = Writer::new(Format::Text, 0);
    let saving = own::Saving::new(0.0).expect("the names are good");
    own::Own::new(Some(&saving)).expect("the names are free").write(&mut writer);
    let text = String::from_utf8(writer.finish()).expect("an exposition is UTF-8");
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let found: BTreeSet<String> =
        types.filter(|line| !line.starts_with("process_")).map(str::to_owned).collect();
    let expected: BTreeSet<String> =
        own::FAMILIES.iter().map(|(name, kind, _)| format!("{name} {}", kind.name())).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_family_is_in_a_golden_exposition_with_the_labels_it_declares() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for case in cases() {
        for line in read_text(&case.join("expected.prom")).lines() {
            if let Some((name, labels)) = sample(line) {
                found.entry(family_of(name)).or_default().extend(labels);
            }
        }
    }
    for family in families() {
        let labels = found.remove(family.name);
        let labels = labels.unwrap_or_else(|| panic!("no case of tests/cases shows {}", family.name));
        let mut declared: BTreeSet<String> =
            family.read.labels().iter().chain(family.labels).map(|label| (*label).to_owned()).collect();
        if family.kind == Kind::Histogram {
            declared.insert("le".to_owned());
        }
        assert_eq!(labels, declared, "{}: labels that are written, and that are declared", family.name);
    }
    assert!(found.is_empty(), "not in the table of families: {found:?}");
}

#[test]
fn rules_and_dashboards_name_metrics_that_exist() {
    let known: BTreeSet<&str> =
        families().map(|family| family.name).chain(own::FAMILIES.iter().map(|(name, ..)| *name)).collect();
    let files: Vec<PathBuf> = repository_files()
        .into_iter()
        .filter(|path| {
            let directory = path.strip_prefix(root()).unwrap_or(path);
            ["alerts", "dashboards"].iter().any(|top| directory.starts_with(top))
                && path
                    .extension()
                    .is_some_and(|extension| ["yaml", "json"].iter().any(|one| extension == *one))
        })
        .collect();
    assert!(files.len() >= 3, "the rules and dashboards are missing");
    let recorded: BTreeSet<String> = files
        .iter()
        .flat_map(|path| read_text(path).lines().filter_map(recorded_name).collect::<Vec<_>>())
        .collect();
    for path in &files {
        for name in names_in(&read_text(path)) {
            let file = path.strip_prefix(root()).unwrap_or(path).display();
            if name.contains(':') {
                // Only what looks like a recorded series of ours: `level:metric:operation`.
                let ours = name.contains(":inference_");
                assert!(!ours || recorded.contains(&name), "{file} reads {name}, which no rule records");
            } else if name.starts_with("inference_") {
                assert!(known.contains(&*family_of(&name)), "{file} names {name}, which is no metric");
            }
        }
    }
}

#[test]
fn documents_link_to_what_is_there() {
    for path in repository_files() {
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = read_text(&path);
        let folder = path.parent().unwrap_or(root());
        for (start, _) in text.match_indices("](") {
            let target = text[start + 2..].split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let exists = folder.join(target).exists() || AWAITED.contains(&target);
            assert!(exists, "{} links to {target}, which is not there", path.display());
        }
    }
}

#[test]
fn files_that_texts_name_are_there() {
    let mut missing = Vec::new();
    for path in repository_files() {
        let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let is_text = [".md", ".rs", ".py", ".sh", ".yaml", "Makefile", "Cargo.toml"];
        if !is_text.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        for line in read_text(&path).lines() {
            // In sources the comments are texts; code makes names of its own.
            let text =
                if name.ends_with(".rs") { line.split_once("//").map_or("", |(_, text)| text) } else { line };
            for named in paths_in(text) {
                let beside = path.parent().unwrap_or(root()).join(named);
                let exists = root().join(named).exists() || beside.exists();
                if exists == AWAITED.contains(&named) {
                    missing.push(format!("{name} names {named}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "not there, or there although it is AWAITED:\n{}", missing.join("\n"));
}

/// Metric and label names of a sample line.
fn sample(line: &str) -> Option<(&str, Vec<String>)> {
    if line.starts_with('#') {
        return None;
    }
    let end = line.find(['{', ' '])?;
    let name = &line[..end];
    // Names of labels stand before `="`; values of the cases hold no such text.
    let labels = line[end..].split("=\"").collect::<Vec<_>>();
    let before = &labels[..labels.len() - 1];
    let label = |text: &&str| text.rsplit(['{', ',']).next().unwrap_or_default().to_owned();
    Some((name, before.iter().map(label).collect()))
}

/// The family that a sample belongs to.
fn family_of(sample: &str) -> String {
    let is_histogram = |name: &str| {
        let own = own::FAMILIES.iter().any(|&(one, kind, _)| one == name && kind == Kind::Histogram);
        own || families().any(|family| family.name == name && family.kind == Kind::Histogram)
    };
    let parts = ["_bucket", "_sum", "_count"];
    let histogram = parts.iter().filter_map(|part| sample.strip_suffix(part)).find(|name| is_histogram(name));
    histogram.unwrap_or(sample).to_owned()
}

/// `- record: level:metric:operation`.
fn recorded_name(line: &str) -> Option<String> {
    let name = line.trim_start().trim_start_matches("- ").strip_prefix("record:")?;
    Some(name.trim().to_owned())
}

/// Everything that has the form of a metric's name.
fn names_in(text: &str) -> BTreeSet<String> {
    let is_part = |one: char| one.is_ascii_alphanumeric() || one == '_' || one == ':';
    let names = text.split(|one: char| !is_part(one)).map(|name| name.trim_matches(':'));
    names.filter(|name| name.contains("inference_")).map(str::to_owned).collect()
}

/// Paths below the directories of the repository; not patterns, and not `x.rs`, which stands for any name.
fn paths_in(text: &str) -> Vec<&str> {
    let is_part = |one: char| one.is_alphanumeric() || "._-/".contains(one);
    let mut paths = Vec::new();
    for word in text.split(|one: char| one.is_whitespace() || "`'\"()[],;:=".contains(one)) {
        let Some(directory) = DIRECTORIES.iter().find(|directory| word.starts_with(**directory)) else {
            continue;
        };
        let path = word.trim_end_matches(['.', '…', '?', '!']);
        let stands_for_any = ["/x.", "/x/", "/NAME."].iter().any(|name| path.contains(name));
        let stands_for_any = stands_for_any || !path.chars().all(is_part);
        if path.len() > directory.len() && !stands_for_any {
            paths.push(path);
        }
    }
    paths
}

/// All files of the repository, without what is built or fetched.
fn repository_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a directory") {
            let path = entry.expect("an entry").path();
            match path.file_name().unwrap_or_default().to_string_lossy().as_ref() {
                "target" | ".git" | ".cache" | "node_modules" | "__pycache__" => {}
                _ if path.is_dir() => folders.push(path),
                _ => files.push(path),
            }
        }
    }
    files.sort();
    files
}

#[test]
fn what_looks_like_a_path_is_found() {
    assert_eq!(
        paths_in("See `src/lib.rs`, tests/cases/<name>/ and docs/metrics.md."),
        ["src/lib.rs", "docs/metrics.md"]
    );
    assert_eq!(paths_in("src/record/x.rs dashboards/*.json deploy/"), Vec::<&str>::new());
    assert_eq!(sample(r#"a_total{b="c",d="e"} 1"#), Some(("a_total", vec!["b".to_owned(), "d".to_owned()])));
    assert!(Path::new(root()).join("Cargo.toml").exists());
}
