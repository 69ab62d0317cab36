//! Whatever the traffic and whenever the configuration changes: what the change does not concern is to the
//! digit what it is without it, and everything that was put in becomes exactly one thing.

use super::traffic::{CONFIG, Event, LABELS, events};
use super::{labels_by, pending, unlabeled_by};
use crate::support::Run;
use inference_exporter::status::Status;
use inference_exporter::time::{Span, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Series = BTreeMap<String, String>;

/// What is written in place of what, and a part of the name or labels of every series that it concerns.
type Change = (&'static str, &'static str, &'static [&'static str]);

/// Series that depend on which classes have a score of their own.
const SCORES: &[&str] = &[
    "inference_roc_auc",
    "inference_pr_auc",
    "inference_log_loss",
    "inference_brier_score",
    "inference_calibration_error",
    "inference_top_k",
    // A class without a score of its own has the one that is mapped for the predicted class.
    "inference_prediction_score",
];

const CHANGES: &[Change] = &[
    ("join: {wait: 1h}", "join: {wait: 1h}, targets: {availability: 0.9}", &["inference_slo_target"]),
    ("join: {wait: 1h}", "join: {wait: 1h}, expire_after: 72h", &[]),
    ("join: {wait: 1h}", "join: {wait: 1h}, limits: {series: 9000, values: 200, versions: 20}", &[]),
    ("join: {wait: 1h}", "join: {wait: 1h, max_pending: 70000}", &[]),
    (
        "join: {wait: 1h}",
        "join: {wait: 1h}, buckets: {latency: [1s]}",
        &["inference_request_duration_seconds"],
    ),
    ("join: {wait: 1h}", "join: {wait: 1h}, buckets: {delay: [1s]}", &["inference_label_delay_seconds"]),
    ("join: {wait: 1h}", "join: {wait: 1h}, buckets: {error: [1]}", &["inference_absolute_error"]),
    ("join: {wait: 1h}", "join: {wait: 1h}, buckets: {score: [0.5]}", &["inference_prediction_score"]),
    ("positive: '1'", "positive: '1', threshold: 0.9", &[]),
    ("windows: [5m, 1h]", "windows: [1h, 2h]", &["window=\"5m\"", "window=\"2h\""]),
    ("windows: [5m, 1h]", "windows: [5m, 1h, all]", &["window=\"all\""]),
    ("slices: [country]", "slices: [plan, country]", &["slice_by=\"plan\"", "slice=\"plan="]),
    ("slices: [country]", "slices: []", &["slice_by=\"country\"", "slice=\"country="]),
    ("top_k: [1]", "top_k: [2, 1]", &["k=\"2\""]),
    ("{a: pa, b: pb}", "{b: pb, a: pa}", &[]),
    ("{a: pa, b: pb}", "{a: pa}", SCORES),
];

/// Those that change what is counted by class.
const CLASS_CHANGES: &[Change] = &[
    ("positive: '1'", "positive: '0'", &[]),
    ("positive: '1'", "positive: '1', negative: '2'", &[]),
    ("classes: [a, b]", "classes: [b, c, a]", &[]),
];

/// The configuration with two slices mapped, of which one is kept.
fn config() -> String {
    CONFIG.replace("{country: country}", "{country: country, plan: v}")
}

fn changed(changes: &[&Change]) -> String {
    changes.iter().fold(config(), |text, (old, new, _)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    })
}

fn feed(run: &mut Run, event: &Event) {
    let millis = event.time as i64;
    let now = Timestamp::from_seconds(millis / 1000).plus(Span::from_millis(millis % 1000));
    run.set_clock(now);
    run.feed_now(if event.log() == LABELS { "labels" } else { "predictions" }, event.line().trim_end());
}

fn run(events: &[Event]) -> Run {
    let mut run = Run::new(&config());
    events.iter().for_each(|event| feed(&mut run, event));
    run
}

/// The first series that is not the same in both.
fn difference(found: &Series, expected: &Series) -> Option<(String, Option<String>, Option<String>)> {
    let names = found.keys().chain(expected.keys());
    let differs = |name: &&String| found.get(*name) != expected.get(*name);
    let differing = |name: &String| (name.clone(), found.get(name).cloned(), expected.get(name).cloned());
    names.into_iter().find(differs).map(differing)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_a_change_does_not_concern_is_what_it_is_without_it(
        events in events(),
        at in 0..120usize,
        restarts: bool,
        first in prop::sample::select(CHANGES),
        second in prop::option::of(prop::sample::select(CHANGES)),
    ) {
        let changes: Vec<&Change> = match &second {
            Some(second) if second.0 != first.0 => vec![&first, second],
            _ => vec![&first],
        };
        let concerned =
            |series: &str| changes.iter().any(|(_, _, concerned)| concerned.iter().any(|part| series.contains(part)));
        let kept = |run: &Run| {
            let mut series = run.series();
            series.retain(|series, _| !concerned(series));
            series
        };
        let (before, after) = events.split_at(at.min(events.len()));
        let mut reloaded = run(before);
        let at_reload = kept(&reloaded);
        if restarts { reloaded.restart(&changed(&changes)) } else { reloaded.reload(&changed(&changes)) }
        prop_assert_eq!(difference(&kept(&reloaded), &at_reload), None, "at once, of {:?}", &changes);
        after.iter().for_each(|event| feed(&mut reloaded, event));
        let expected = kept(&run(&events));
        prop_assert_eq!(difference(&kept(&reloaded), &expected), None, "in the end, of {:?}", &changes);
    }

    #[test]
    fn under_tight_limits_a_change_that_concerns_nothing_changes_nothing(
        events in events(),
        at in 0..120usize,
        restarts: bool,
        series in 0..2000usize,
        values in 2..5usize,
        versions in 1..3usize,
    ) {
        let limits = format!("join: {{wait: 1h}}, limits: {{series: 100000, values: {values}, versions: {versions}}}");
        let text = config().replace("join: {wait: 1h}", &limits);
        let other = text.replace("join: {wait: 1h}", "join: {wait: 1h}, expire_after: 72h");
        let [mut expected, mut reloaded] = [(); 2].map(|()| Run::limited(&text, series));
        for (index, event) in events.iter().enumerate() {
            if index == at {
                if restarts { reloaded.restart(&other) } else { reloaded.reload(&other) }
            }
            feed(&mut reloaded, event);
            feed(&mut expected, event);
        }
        prop_assert_eq!(difference(&reloaded.series(), &expected.series()), None);
        prop_assert_eq!(reloaded.state.folded(), expected.state.folded());
    }

    #[test]
    fn whatever_changes_every_prediction_and_every_label_becomes_exactly_one_thing(
        events in events(),
        at in 0..120usize,
        restarts: bool,
        changes in prop::sample::subsequence([CHANGES, CLASS_CHANGES].concat(), 1..4),
    ) {
        let mut distinct: Vec<&Change> = changes.iter().collect();
        distinct.dedup_by_key(|change| change.0);
        let (before, after) = events.split_at(at.min(events.len()));
        let mut run = run(before);
        let counted = |run: &Run| -> Vec<u64> {
            let models = Status::new(&run.state).models;
            models.iter().map(|model| model.versions.iter().map(|version| version.predictions).sum()).collect()
        };
        let (all, old) = (counted(&run), Status::new(&run.state));
        run.reload(&changed(&distinct));
        if restarts {
            // What has been carried over can be saved and read again.
            run.restart(&changed(&distinct));
        }
        // What was counted by class starts anew: this many predictions are not in the counters any more.
        let forgotten: Vec<u64> = all.iter().zip(counted(&run)).map(|(all, kept)| all - kept).collect();
        after.iter().for_each(|event| feed(&mut run, event));
        let new = Status::new(&run.state);
        for (model, forgotten) in new.models.iter().zip(forgotten) {
            let by = |result| labels_by(model, result);
            let lost = unlabeled_by(model, "expired") + unlabeled_by(model, "evicted");
            let predictions: u64 = model.versions.iter().map(|version| version.predictions).sum();
            prop_assert_eq!(by("joined") + pending(model) + lost, predictions + forgotten, "{:?}: {:?}", &distinct, model);
            // A label beside a prediction that names no class by now is not counted.
            let narrowed = distinct.iter().any(|change| change.1.contains("negative"));
            let uncounted = after.iter().filter(|event| {
                narrowed && model.model == "binary" && event.has_label_beside("0")
            });
            let labels = events.iter().filter(|event| event.model == model.model && event.has_counted_label());
            let settled = by("joined") + by("orphan") + by("duplicate") + by("late") + by("invalid");
            let counted = labels.count() - uncounted.filter(|event| event.model == model.model).count();
            prop_assert_eq!(settled + model.labels_waiting, counted as u64, "{:?}: {:?}", &distinct, model);
        }
        for (old, new) in old.models.iter().zip(&new.models) {
            for result in ["joined", "orphan", "duplicate", "late", "invalid"] {
                prop_assert!(labels_by(old, result) <= labels_by(new, result), "{} went back", result);
            }
        }
    }
}
