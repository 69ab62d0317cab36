//! Whatever the limits, totals stay right, and no more series are written than were allowed.

use super::traffic::{CONFIG, events};
use super::{labels_by, pending, replay_files, unlabeled_by, whole};
use crate::support::replay_config;
use inference_exporter::family::{self, writer};
use inference_exporter::monitor::{self, Limits};
use inference_exporter::pipeline::{Config, State};
use inference_exporter::status::{ModelStatus, Status};
use proptest::prelude::*;

/// What must not depend on limits.
fn totals(model: &ModelStatus) -> Vec<(String, u64)> {
    let mut totals = vec![
        ("ok".to_owned(), requests(model, "ok")),
        ("failed".to_owned(), requests(model, "failed")),
        ("predictions".to_owned(), model.versions.iter().map(|version| version.predictions).sum()),
        ("pending".to_owned(), pending(model)),
        ("expired".to_owned(), unlabeled_by(model, "expired")),
        ("evicted".to_owned(), unlabeled_by(model, "evicted")),
    ];
    for result in ["joined", "orphan", "duplicate", "late", "invalid"] {
        totals.push((result.to_owned(), labels_by(model, result)));
    }
    for correct in [false, true] {
        let outcomes = model.versions.iter().flat_map(|version| &version.outcomes);
        let count = outcomes.filter(|one| one.correct == correct).map(|one| one.count).sum();
        totals.push((format!("outcomes, correct {correct}"), count));
    }
    let windows = || model.versions.iter().flat_map(|version| &version.windows);
    for window in ["5m", "1h", "all"] {
        for (name, sliced) in [("all", false), ("slices", true)] {
            let of_window = windows().filter(|one| one.window == window && (one.slice != "all") == sliced);
            totals.push((format!("samples of {window} in {name}"), of_window.map(|one| one.samples).sum()));
        }
    }
    totals
}

fn requests(model: &ModelStatus, result: &str) -> u64 {
    let requests = model.versions.iter().flat_map(|version| &version.requests);
    requests.filter(|one| one.result == result).map(|one| one.count).sum()
}

fn with_limits(limits: Limits) -> Config {
    let mut config = replay_config(CONFIG);
    config.models.iter_mut().for_each(|model| model.limits = limits);
    config
}

/// Samples of the families of one model.
fn series_of(state: &State, model: &str) -> usize {
    let mut writer = writer::Writer::new(writer::Format::Text, 0);
    family::write(state, &mut writer);
    let text = String::from_utf8(writer.finish()).expect("an exposition is UTF-8");
    let label = format!("{{model=\"{model}\"");
    text.lines().filter(|line| !line.starts_with('#') && line.contains(&label)).count()
}

/// A version with its declared classes, one status, and what is folded: the first version, and the one into which
/// others are folded, are written however low the limit is.
fn series_declared(config: &monitor::Config) -> usize {
    let declared = match &config.task {
        monitor::Task::Binary { .. } => 2,
        monitor::Task::Multiclass { classes, .. } => classes.len(),
        monitor::Task::Regression => 0,
    };
    monitor::series::of_version(config, declared, 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn totals_are_right_whatever_is_folded(
        events in events(),
        series in prop_oneof![0..2000usize, Just(100_000)],
        values in 0..5usize,
        value_length in 0..4usize,
        versions in 1..4usize,
    ) {
        let open = Limits { series: 100_000, values: 1000, value_length: 100, versions: 100 };
        let tight = Limits { series, values, value_length, versions };
        let expected = Status::new(&replay_files(&with_limits(open), &whole(&events), &[]));
        let config = with_limits(tight);
        let state = replay_files(&config, &whole(&events), &[]);
        for (found, expected) in Status::new(&state).models.iter().zip(&expected.models) {
            prop_assert_eq!(totals(found), totals(expected), "{}", &found.model);
        }
        for model in &config.models {
            let declared = series_declared(model);
            let most = series.max(declared + monitor::series::of_model(model)) + declared;
            let written = series_of(&state, &model.name);
            prop_assert!(written <= most, "{}: {written} series, at most {most}", model.name);
        }
    }
}
