//! The architecture as a test: who may use whom, who may name what, and what every file must have.
//!
//! A scanner of paths and not a compiler: it reads `crate::a`, `crate::{a, b}` and `super::` chains that reach
//! the crate root, outside comments and tests. What it finds is compared with the tables below, which are
//! the documentation of the architecture: to loosen one is a decision, and shows in the diff.

use super::support::{read_text, root};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every module in the order of `src/lib.rs`, with those that it may use. Each of them stands above it.
const MODULES: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("limits", &["time"]),
    ("verdict", &[]),
    ("source", &["time", "limits"]),
    ("line", &["time", "limits"]),
    ("record", &["limits", "verdict"]),
    ("event", &["time", "verdict", "record"]),
    ("accumulator", &["limits"]),
    ("score", &["accumulator"]),
    ("window", &["time", "limits", "accumulator"]),
    ("join", &["time", "limits", "event"]),
    ("monitor", &["time", "limits", "record", "event", "accumulator", "window", "join"]),
    ("pipeline", &["time", "limits", "verdict", "source", "line", "record", "event", "join", "monitor"]),
    ("checkpoint", &["join", "monitor", "pipeline"]),
    ("gauge", &["time", "accumulator", "score", "window", "monitor"]),
    (
        "family",
        &[
            "time",
            "limits",
            "verdict",
            "event",
            "accumulator",
            "score",
            "join",
            "monitor",
            "pipeline",
            "gauge",
        ],
    ),
    ("status", &["time", "verdict", "event", "accumulator", "score", "monitor", "pipeline", "gauge"]),
    ("page", &["time", "status"]),
    ("report", &["time", "status"]),
    (
        "config",
        &[
            "time",
            "limits",
            "accumulator",
            "source",
            "line",
            "record",
            "event",
            "join",
            "monitor",
            "pipeline",
        ],
    ),
    ("http", &[]),
    ("demo", &["time"]),
    // Where everything is put together.
    (
        "command",
        &[
            "time",
            "limits",
            "verdict",
            "source",
            "line",
            "record",
            "event",
            "join",
            "monitor",
            "pipeline",
            "checkpoint",
            "family",
            "status",
            "page",
            "report",
            "config",
            "http",
            "demo",
        ],
    ),
];

/// Foreign names, and the modules or files that alone may say them.
const NAMED_BY: &[(&str, &[&str])] = &[
    // Everything else is plain code that any thread can run.
    ("tokio", &["http", "command"]),
    ("tokio_rustls", &["http"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    // The rest of the exposition is written from the table of families.
    // `command` hands on the error of building the registry.
    ("prometheus", &["family/own.rs", "command/serve/exporter.rs"]),
    // Its successor is then a change in one place.
    ("serde_yaml", &["config", "http"]),
    ("clap", &["command"]),
    // All others take `now` as an argument.
    ("std::time::SystemTime", &["command/clock.rs"]),
    ("std::time::Instant", &["command/clock.rs"]),
    ("std::fs", &["source", "checkpoint", "config", "command", "demo", "http"]),
    ("std::net", &["source", "config", "command", "http"]),
    ("std::env", &["command"]),
    ("std::process", &["command", "main.rs"]),
    ("std::thread", &["command"]),
];

/// Lines of a file before its tests.
const LINES_MAX: usize = 400;

/// Files that are longer than they should be, with a ceiling that only goes down.
const TOO_LONG: &[(&str, usize)] = &[];

/// Files whose header is still to be written; one that is must leave this list.
const STUBS: &[&str] = &[];

/// Names that say nothing, so that everything ends up in them.
const BANNED_FILES: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "data", "info"];

#[test]
fn modules_are_declared_in_the_order_of_the_table() {
    let library = read_text(&root().join("src/lib.rs"));
    let declared: Vec<&str> = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ").or(line.strip_prefix("mod "))?.strip_suffix(';'))
        .collect();
    let table: Vec<&str> = MODULES.iter().map(|(module, _)| *module).collect();
    assert_eq!(declared, table, "src/lib.rs and the table of this test must name the same modules");
    assert!(!library.contains("pub use"), "no re-exports at the crate root: a path says where a type lives");
    for (rank, (module, allowed)) in MODULES.iter().enumerate() {
        for used in *allowed {
            let below = table[..rank].contains(used);
            assert!(below, "{module} may not be allowed {used}: it is not declared above it");
        }
    }
}

#[test]
fn modules_use_only_what_they_may() {
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| !file.is_test) {
        let Some((_, allowed)) = MODULES.iter().find(|(module, _)| *module == file.module()) else {
            continue;
        };
        for used in file.crate_modules() {
            if used != file.module() && !allowed.contains(&&*used) {
                wrong.push(format!("src/{} uses crate::{used}", file.name));
            }
        }
    }
    assert!(wrong.is_empty(), "not in the table of this test:\n{}", wrong.join("\n"));
}

#[test]
fn foreign_names_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| !file.is_test) {
        for (name, users) in NAMED_BY {
            let may = users.iter().any(|user| file.name == *user || file.module() == *user);
            if !may && file.names(name) {
                wrong.push(format!("src/{} names {name}, which only {} may", file.name, users.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let stub = |text: &str| {
        let header: String =
            text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join(" ");
        // "//! Page." says no more than the file's name.
        header.split_whitespace().filter(|word| *word != "//!").count() < 3
    };
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|file| !file.is_entry() && !file.is_test)
        .filter(|file| (!file.text.starts_with("//! ") || stub(&file.text)) != STUBS.contains(&&*file.name))
        .map(|file| format!("src/{}", file.name))
        .collect();
    assert!(wrong.is_empty(), "a header (//!) says what a file is, is not, and its invariant: {wrong:?}");
}

#[test]
fn files_are_short() {
    for file in sources().iter().filter(|file| !file.is_test) {
        let lines = file.lines_before_tests();
        let ceiling = TOO_LONG.iter().find(|(name, _)| *name == file.name).map(|(_, ceiling)| *ceiling);
        let most = ceiling.unwrap_or(LINES_MAX);
        assert!(lines <= most, "src/{} has {lines} lines before its tests, at most {most}", file.name);
        assert!(
            ceiling.is_none() || lines > LINES_MAX,
            "src/{} is short enough now: take it out of TOO_LONG",
            file.name
        );
    }
}

#[test]
fn names_say_something() {
    for file in sources() {
        for part in Path::new(&file.name).with_extension("").iter() {
            let part = part.to_string_lossy();
            assert!(!BANNED_FILES.contains(&&*part), "src/{}: name it after what it is", file.name);
        }
    }
}

#[test]
fn nothing_is_left_to_be_written() {
    // In two pieces, so that this file does not name what it looks for.
    let phrases = [["Not written", " yet"], ["todo", "!("], ["unimplemented", "!("], ["FIX", "ME"]];
    let phrases = phrases.map(|halves| halves.concat());
    for file in sources() {
        for phrase in &phrases {
            assert!(!file.text.contains(phrase), "src/{}: {phrase}", file.name);
        }
    }
}

#[test]
fn nothing_names_the_place_where_it_was_made() {
    let places =
        [["/wo", "rk/"], ["/tmp/", "brief"], ["contract", ".md"], [".lib", "rary/"], ["art", "ifactory"]];
    let places = places.map(|halves| halves.concat());
    for path in repository_files() {
        let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let text = String::from_utf8_lossy(&super::support::read(&path)).into_owned();
        for place in &places {
            assert!(!text.contains(place), "{name} names {place}");
        }
        for line in text.lines().filter(|line| name.ends_with("Cargo.lock") && line.starts_with("source = "))
        {
            assert!(line.contains("github.com/rust-lang/crates.io-index"), "{name}: {line}");
        }
    }
    assert!(!root().join(".cargo").exists(), "a registry of one machine is no part of the repository");
}

#[test]
fn the_scanner_sees_what_it_must() {
    let file = |text: &str| SourceFile { name: "a/b.rs".to_owned(), text: text.to_owned(), is_test: false };
    let modules = |text: &str| file(text).crate_modules().into_iter().collect::<Vec<_>>();
    assert_eq!(modules("use crate::x::{y, z}; // crate::comment"), ["x"]);
    assert_eq!(modules("use crate::{x, y::{self, z}, w as v};"), ["w", "x", "y"]);
    assert_eq!(modules("use super::x; use super::super::y;"), ["y"]);
    assert_eq!(modules("use crate::x;\n#[cfg(test)]\nmod tests {\n use crate::y;\n}"), ["x"]);
    assert!(file("use std::{fmt, fs};").names("std::fs") && file("std::fs::read(x)").names("std::fs"));
    assert!(file("use std::time::{Duration, Instant};").names("std::time::Instant"));
    assert!(!file("use std::fmt; let mytokio = 1;").names("std::fs"));
    assert!(file("tokio::spawn(x)").names("tokio") && !file("mytokio::x").names("tokio"));
    assert!(!file("a_tokio::x tokio_rustls::y").names("tokio"));
}

struct SourceFile {
    /// Below `src/`.
    name: String,
    text: String,
    /// Compiled for tests only.
    is_test: bool,
}

impl SourceFile {
    fn module(&self) -> &str {
        let first = self.name.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// `main.rs`, whose header would repeat the crate's.
    fn is_entry(&self) -> bool {
        self.name == "main.rs"
    }

    fn lines_before_tests(&self) -> usize {
        self.before_tests().lines().count()
    }

    fn before_tests(&self) -> &str {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        &self.text[..end]
    }

    /// The text before the tests, without comments. A `//` within a string cuts its line short, which can
    /// only hide what stands behind a string on one line.
    fn code(&self) -> String {
        let lines = self.before_tests().lines();
        lines.map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    }

    /// How many modules the file is below the crate root.
    fn depth(&self) -> usize {
        let path = self.name.strip_suffix(".rs").unwrap_or(&self.name);
        path.split('/').filter(|part| *part != "mod" && *part != "lib").count()
    }

    /// The first segments of all paths from the crate root.
    fn crate_modules(&self) -> BTreeSet<String> {
        let code = self.code();
        let mut found = segments_after(&code, "crate::");
        found.extend(segments_after(&code, &"super::".repeat(self.depth())));
        found
    }

    /// Whether a path with this beginning is named, also as one of a group in braces.
    fn names(&self, path: &str) -> bool {
        let code = self.code();
        match path.rsplit_once("::") {
            Some((parent, last)) => segments_after(&code, &format!("{parent}::")).contains(last),
            None => !segments_after(&code, &format!("{path}::")).is_empty(),
        }
    }
}

/// What follows each occurrence of `prefix` as a whole path: one name, or the first names in braces.
fn segments_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if prefix.is_empty() {
        return found;
    }
    for (start, _) in code.match_indices(prefix) {
        let before = code[..start].chars().next_back();
        if before.is_some_and(|one| one.is_alphanumeric() || one == '_' || one == ':') {
            continue;
        }
        let rest = &code[start + prefix.len()..];
        match rest.strip_prefix('{') {
            None => found.extend(name_at(rest)),
            Some(group) => found.extend(names_of_group(group)),
        }
    }
    found
}

fn name_at(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text.find(|one: char| !one.is_alphanumeric() && one != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// The names at the first level of a group whose opening brace is already read.
fn names_of_group(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 1;
    let mut expects_name = true;
    for (at, one) in group.char_indices() {
        match one {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => expects_name = true,
            one if expects_name && depth == 1 && !one.is_whitespace() => {
                names.extend(name_at(&group[at..]));
                expects_name = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn sources() -> Vec<SourceFile> {
    let source = root().join("src");
    let mut paths = Vec::new();
    walk(&source, &mut paths);
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    assert!(paths.len() > 100, "the sources are not where they should be");
    let mut files: Vec<SourceFile> = paths
        .iter()
        .map(|path| SourceFile {
            name: path.strip_prefix(&source).expect("below src").display().to_string(),
            text: read_text(path),
            is_test: false,
        })
        .collect();
    let tests: Vec<PathBuf> = files.iter().flat_map(test_modules).collect();
    for file in &mut files {
        let path = Path::new(&file.name).with_extension("");
        file.is_test = tests.iter().any(|test| path.starts_with(test));
    }
    files
}

/// The files, without extension, of modules that a file declares for tests only.
fn test_modules(file: &SourceFile) -> Vec<PathBuf> {
    let path = Path::new(&file.name);
    let own = match path.file_name() {
        Some(name) if name == "mod.rs" || name == "lib.rs" => path.parent().unwrap_or(path).to_path_buf(),
        _ => path.with_extension(""),
    };
    let declared = file.text.match_indices("#[cfg(test)]\n").filter_map(|(at, attribute)| {
        let mut after = file.text[at + attribute.len()..].lines();
        let line = after.find(|line| !line.starts_with("#["))?;
        line.split_once("mod ")?.1.strip_suffix(';')
    });
    declared.map(|name| own.join(name)).collect()
}

/// All files of the repository, without what is built or fetched.
fn repository_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root()).expect("the repository") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.as_str() {
            "target" | ".git" | ".cache" | "node_modules" => {}
            _ if path.is_dir() => walk(&path, &mut files),
            _ => files.push(path),
        }
    }
    // What a fuzzer leaves behind is not committed either.
    let left = ["__pycache__", "artifacts", "target"];
    files.retain(|path| !path.components().any(|part| left.iter().any(|name| part.as_os_str() == *name)));
    files
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}
