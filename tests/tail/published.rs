//! docs/rotation.md: its tables are written from what is measured and tested here.

use super::harness::*;
use super::matrix::{Phase, ROWS, Score};
use super::situations::{PENDING, REASONS, SITUATIONS};
use super::windows::WINDOWS;

/// Tests of one situation that are named in the table; the rest is counted.
const NAMED: usize = 3;

/// A test of a situation, and its file.
struct Test {
    name: String,
    file: String,
    numbers: Vec<u32>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All tests of the sources that are named after situations.
fn tests() -> Vec<Test> {
    let mut files = Vec::new();
    let mut directories = vec![root().join("src"), root().join("tests")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut tests = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).expect("a source");
        let mut attributes = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[") {
                attributes.push(line);
                continue;
            }
            let is_test = attributes.contains(&"#[test]");
            attributes.clear();
            let name = line.strip_prefix("fn ").and_then(|line| line.split('(').next());
            if let Some(name) = name.filter(|name| is_test && name.starts_with("scenario_")) {
                let file = path.strip_prefix(root()).expect("below the root").display().to_string();
                tests.push(Test { name: name.to_string(), file, numbers: numbers(name) });
            }
        }
    }
    tests
}

/// `scenario_04_05_words`: 4 and 5. `scenario_20_to_22_words`: 20, 21 and 22.
fn numbers(name: &str) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    let mut is_range = false;
    for word in name.split('_').skip(1) {
        match word.parse() {
            Ok(number) if is_range => {
                let from = found.last().map_or(number, |last| last + 1);
                found.extend(from..=number);
                is_range = false;
            }
            Ok(number) => found.push(number),
            Err(_) if word == "to" && !is_range => is_range = true,
            Err(_) => break,
        }
    }
    found
}

fn measured() -> String {
    let cell = |score: Score| format!("{} / {}", score.lost, score.twice);
    let mut table = String::from(
        "| How the log is rotated | lines | running | stopped, started | killed, restored |\n|---|--:|--:|--:|--:|\n",
    );
    for row in ROWS {
        let scores = [Phase::Running, Phase::Stopped, Phase::Killed].map(|phase| row.measure(phase));
        let [running, stopped, killed] = scores.map(cell);
        let note = if row.loses.is_empty() { "" } else { " (see below)" };
        table +=
            &format!("| {}{note} | {} | {running} | {stopped} | {killed} |\n", row.name, scores[0].written);
    }
    table
}

fn windows() -> String {
    let mut table = String::from(
        "| What happens | lines | lost | twice | Why, and what helps |\n|---|--:|--:|--:|---|\n",
    );
    for window in WINDOWS {
        let Score { written, lost, twice } = (window.measure)();
        table += &format!("| {} | {written} | {lost} | {twice} | {} |\n", window.name, window.reason);
    }
    table
}

fn situations(tests: &[Test]) -> String {
    let mut table = String::from("| No. | Situation | Test |\n|--:|---|---|\n");
    for (number, situation) in (1..).zip(SITUATIONS) {
        let named: Vec<String> = tests
            .iter()
            .filter(|test| test.numbers.contains(&number))
            .map(|test| format!("`{}` in {}", test.name, test.file))
            .collect();
        let reason = REASONS.iter().find(|(one, _)| *one == number).map(|(_, reason)| *reason);
        let cell = match (reason, named.len()) {
            (Some(reason), _) => reason.to_string(),
            (None, 0) => format!("to come: `scenario_{number:02}_...`"),
            (None, count) if count > NAMED => {
                format!("{} and {} more", named[..NAMED].join("<br>"), count - NAMED)
            }
            (None, _) => named.join("<br>"),
        };
        table += &format!("| {number} | {situation} | {cell} |\n");
    }
    table
}

/// The text with what stands between `<!-- name -->` and `<!-- end -->` replaced.
fn replaced(text: &str, name: &str, block: &str) -> String {
    let marker = format!("<!-- {name} -->\n");
    let begin = text.find(&marker).unwrap_or_else(|| panic!("no {marker}")) + marker.len();
    let end = begin + text[begin..].find("<!-- end -->").expect("every block ends");
    format!("{}{block}{}", &text[..begin], &text[end..])
}

#[test]
fn every_situation_has_a_test_or_a_reason() {
    let tests = tests();
    let last = u32::try_from(SITUATIONS.len()).expect("a few");
    assert_eq!(last, 94);
    for number in 1..=last {
        let count = tests.iter().filter(|test| test.numbers.contains(&number)).count();
        let is_excused = REASONS.iter().any(|(one, _)| *one == number);
        let is_pending = PENDING.contains(&number);
        assert!(
            u32::from(count > 0) + u32::from(is_excused) + u32::from(is_pending) == 1,
            "situation {number} needs a test named scenario_{number:02}_..., or else a reason: \
             {count} tests, reason: {is_excused}, pending: {is_pending}"
        );
    }
    for test in &tests {
        let are_known = test.numbers.iter().all(|number| (1..=last).contains(number));
        assert!(are_known && !test.numbers.is_empty(), "{}: no such situation", test.name);
    }
    assert_eq!(numbers("scenario_04_05_a_10"), [4, 5]);
    assert_eq!(numbers("scenario_20_to_22_to_a"), [20, 21, 22]);
}

#[test]
fn the_published_tables_are_what_is_measured() {
    let path = root().join("docs/rotation.md");
    let committed = fs::read_to_string(&path).expect("docs/rotation.md");
    let mut text = committed.clone();
    for (name, block) in
        [("measured", measured()), ("windows", windows()), ("situations", situations(&tests()))]
    {
        text = replaced(&text, name, &block);
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).expect("written");
        return;
    }
    let differing = committed.lines().zip(text.lines()).find(|(one, other)| one != other);
    assert!(committed == text, "docs/rotation.md is out of date (`make golden` rewrites it): {differing:?}");
}
