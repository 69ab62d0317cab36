//! What a changed configuration keeps to the digit, and what it starts anew.

// Logs that are followed while the configuration changes.
mod followed;

use super::support::Run;

/// A binary model with all that can be mapped, and its labels in a log of their own.
const BINARY: &str = "
logs:
  - name: p
    paths: [p]
    format: json
    model: m
    fields:
      id: id
      version: v
      prediction: y
      score: s
      latency: took
      status: status
      trace_id: trace
      slices: {country: c, plan: plan}
  - {name: l, paths: [l], format: logfmt, model: m, fields: {id: id, label: y}}
models:
  m: {task: binary, positive: '1', windows: [1m, 1h], slices: [country]}
";

const MULTICLASS: &str = "
logs:
  - name: p
    paths: [p]
    format: json
    model: m
    fields: {id: id, prediction: y, scores: {a: a, b: b, c: c}, label: truth}
  - {name: l, paths: [l], format: logfmt, model: m, fields: {id: id, label: y}}
models:
  m: {task: multiclass, classes: [a, b, c], top_k: [1], windows: [1h]}
";

const REGRESSION: &str = "
logs:
  - {name: p, paths: [p], format: json, model: m, fields: {id: id, prediction: y}}
  - {name: l, paths: [l], format: logfmt, model: m, fields: {id: id, label: y}}
models:
  m: {task: regression, windows: [1h]}
";

/// A prediction of version 1 that is right or wrong once its label says `1`.
fn prediction(id: usize, class: &str, score: f64) -> String {
    format!(
        r#"{{"id":"{id}","v":"1","y":"{class}","s":{score},"took":0.03,"status":"200","trace":"t{id}","c":"DE","plan":"pro"}}"#
    )
}

fn label(id: usize, class: &str) -> String {
    format!("id={id} y={class}")
}

/// Ten outcomes, half of them right, an open prediction (10) and an open label (11).
fn binary() -> Run {
    let mut run = Run::new(BINARY);
    for id in 0..10 {
        run.feed("p", &prediction(id, ["0", "1"][id % 2], 0.05 + id as f64 / 10.0));
        run.feed("l", &label(id, "1"));
    }
    run.feed("p", &prediction(10, "1", 0.75));
    run.feed("l", &label(11, "0"));
    run
}

fn scored(id: usize, class: &str, scores: [f64; 3]) -> String {
    let [a, b, c] = scores;
    format!(r#"{{"id":"{id}","y":"{class}","a":{a},"b":{b},"c":{c}}}"#)
}

/// Four outcomes of three classes, an open prediction of `b` (4) and one of the undeclared `d` (5).
fn multiclass() -> Run {
    multiclass_of(MULTICLASS)
}

fn multiclass_of(config: &str) -> Run {
    let mut run = Run::new(config);
    for (id, (predicted, actual)) in [("a", "a"), ("b", "c"), ("c", "c"), ("a", "b")].into_iter().enumerate()
    {
        run.feed("p", &scored(id, predicted, [0.5, 0.3, 0.2]));
        run.feed("l", &label(id, actual));
    }
    run.feed("p", &scored(4, "b", [0.1, 0.7, 0.2]));
    run.feed("p", &scored(5, "d", [0.1, 0.7, 0.2]));
    run
}

/// Fails where a series that is not `concerned` by the change is not what it was, or is gone.
fn assert_kept(before: &Run, after: &Run, concerned: impl Fn(&str) -> bool) {
    let now = after.series();
    for (series, value) in before.series().iter().filter(|(series, _)| !concerned(series)) {
        assert_eq!(now.get(series), Some(value), "{series}");
    }
}

fn is_of(families: &'static [&'static str]) -> impl Fn(&str) -> bool {
    move |series| families.iter().any(|family| series.starts_with(family))
}

#[test]
fn what_is_not_concerned_stays_to_the_digit() {
    for (old, new) in [
        ("windows: [1m, 1h]", "windows: [1m, 1h], threshold: 0.9"),
        ("windows: [1m, 1h]", "windows: [1m, 1h], failed: '2..'"),
        ("windows: [1m, 1h]", "windows: [1m, 1h], expire_after: 72h"),
        ("windows: [1m, 1h]", "windows: [1m, 1h], join: {wait: 2h, max_pending: 1000, sample: 0.5}"),
        ("windows: [1m, 1h]", "windows: [1m, 1h], limits: {series: 9000, values: 2, versions: 1}"),
        ("windows: [1m, 1h]", "windows: [1m, 1h], targets: {accuracy: 0.9}"),
        ("trace_id: trace", "features: {plan: plan}"),
    ] {
        let before = binary();
        let mut after = binary();
        after.reload(&BINARY.replace(old, new));
        assert_kept(&before, &after, |_| false);
        // What waited still meets its counterpart, in its slice and with its score.
        after.feed("l", &label(10, "1"));
        after.feed("p", &prediction(11, "0", 0.25));
        assert_eq!(after.value("inference_labels_total{model=\"m\",version=\"1\",result=\"joined\"}"), 12.0);
        let slice = "slice_by=\"country\",slice=\"DE\",predicted=\"1\",actual=\"1\"";
        let slice =
            format!("inference_slice_outcomes_total{{model=\"m\",version=\"1\",{slice},correct=\"true\"}}");
        assert_eq!(after.value(&slice), 6.0, "{new}");
        assert_eq!(after.value("inference_outcome_score_count{model=\"m\",version=\"1\",actual=\"0\"}"), 1.0);
    }
}

#[test]
fn another_pattern_of_failures_holds_from_now_on() {
    let mut run = binary();
    run.reload(&BINARY.replace("slices: [country]", "slices: [country], failed: '2..'"));
    run.feed("p", &prediction(20, "1", 0.5));
    let requests = |result: &str| {
        run.value(&format!(
            "inference_requests_total{{model=\"m\",version=\"1\",status=\"200\",result=\"{result}\"}}"
        ))
    };
    assert_eq!((requests("ok"), requests("failed")), (11.0, 1.0));
}

#[test]
fn a_new_window_is_empty_and_a_kept_one_is_full() {
    let before = binary();
    let mut after = binary();
    let samples = |run: &Run, window: &str| {
        let labels = format!("model=\"m\",version=\"1\",window=\"{window}\",slice=\"all\"");
        run.get(&format!("inference_window_samples{{{labels}}}"))
    };
    after.reload(&BINARY.replace("[1m, 1h]", "[30m, 1h, all]"));
    assert_kept(&before, &after, |series| series.contains("window=\"1m\""));
    let found = ["1m", "30m", "1h", "all"].map(|window| samples(&after, window));
    assert_eq!(found, [None, Some(0.0), Some(10.0), Some(0.0)]);
    let coverage = "inference_label_coverage_ratio{model=\"m\",version=\"1\",window=\"30m\",slice=\"all\"}";
    assert_eq!(after.get(coverage), None);
    after.feed("l", &label(10, "1"));
    let found = ["30m", "1h", "all"].map(|window| samples(&after, window));
    assert_eq!(found, [Some(1.0), Some(11.0), Some(1.0)]);
    assert_eq!(after.get(coverage), Some(1.0));
    after.reload(&BINARY.replace("[1m, 1h]", "[all]"));
    assert_eq!((samples(&after, "1h"), samples(&after, "all")), (None, Some(1.0)));
}

#[test]
fn slices_are_known_by_name() {
    let before = binary();
    let mut after = binary();
    after.reload(&BINARY.replace("[country]", "[plan, country]"));
    assert_kept(&before, &after, |_| false);
    after.feed("l", &label(10, "1"));
    after.feed("p", &prediction(12, "1", 0.5));
    after.feed("l", &label(12, "1"));
    let right = |run: &Run, by: &str, value: &str| {
        let labels =
            format!("slice_by=\"{by}\",slice=\"{value}\",predicted=\"1\",actual=\"1\",correct=\"true\"");
        run.get(&format!("inference_slice_outcomes_total{{model=\"m\",version=\"1\",{labels}}}"))
    };
    // Of the prediction that waited, nothing is known of a slice that was not kept then.
    assert_eq!((right(&after, "country", "DE"), right(&after, "plan", "pro")), (Some(7.0), Some(1.0)));
    after.feed("p", &prediction(13, "1", 0.5));
    after.reload(&BINARY.replace("[country]", "[plan]"));
    after.feed("l", &label(13, "1"));
    assert_eq!((right(&after, "country", "DE"), right(&after, "plan", "pro")), (None, Some(2.0)));
}

#[test]
fn a_changed_bound_starts_its_histogram_anew_and_no_other() {
    for (buckets, family) in [
        ("buckets: {latency: [10ms, 1s]}", "inference_request_duration_seconds"),
        // The target is a bound.
        ("targets: {latency_p99: 33ms}", "inference_request_duration_seconds"),
        ("buckets: {score: [0.5]}", "inference_prediction_score"),
        ("buckets: {delay: [10s]}", "inference_label_delay_seconds"),
        ("buckets: {error: [10]}", "inference_absolute_error"),
    ] {
        let before = binary();
        let mut after = binary();
        after.reload(&BINARY.replace("slices: [country]", &format!("slices: [country], {buckets}")));
        assert_kept(&before, &after, |series| series.starts_with(family));
        let count = format!("{family}_count{{model=\"m\",version=\"1\"}}");
        assert_eq!(after.get(&count), before.get(&count).map(|_| 0.0), "{buckets}");
        if family.contains("duration") {
            assert!(before.open_metrics().contains("# {trace_id="));
            assert!(!after.open_metrics().contains("# {trace_id="));
            after.feed("p", &prediction(20, "1", 0.5));
            assert!(after.open_metrics().contains("# {trace_id=\"t20\""));
        }
    }
}

#[test]
fn errors_start_anew_with_their_bounds() {
    let mut run = Run::new(REGRESSION);
    run.feed("p", r#"{"id":"1","y":2}"#);
    run.feed("l", &label(1, "5"));
    let before = run.series();
    run.reload(&REGRESSION.replace("[1h]", "[1h], buckets: {error: [1, 2]}"));
    let mut expected = before;
    expected.retain(|series, _| !series.starts_with("inference_absolute_error"));
    let mut found = run.series();
    found.retain(|series, _| !series.starts_with("inference_absolute_error"));
    assert_eq!(found, expected);
    assert_eq!(run.value("inference_absolute_error_count{model=\"m\",version=\"\"}"), 0.0);
}

/// Families that count by class, or are computed from what does.
const BY_CLASS: &[&str] = &[
    "inference_predictions_total",
    "inference_outcomes_total",
    "inference_slice_outcomes_total",
    "inference_outcome_score",
    "inference_window_samples",
    "inference_accuracy",
    "inference_precision",
    "inference_recall",
    "inference_f1",
    "inference_specificity",
    "inference_balanced_accuracy",
    "inference_mcc",
    "inference_cohen_kappa",
    "inference_top_k",
    "inference_roc_auc",
    "inference_pr_auc",
    "inference_log_loss",
    "inference_brier_score",
    "inference_calibration_error",
];

#[test]
fn another_positive_class_starts_anew_what_is_counted_by_class() {
    let before = binary();
    let mut after = binary();
    after.reload(&BINARY.replace("positive: '1'", "positive: '0'"));
    let by_class = is_of(BY_CLASS);
    assert_kept(&before, &after, |series| {
        by_class(series) || series.starts_with("inference_prediction_score")
    });
    for (series, value) in after.series().iter().filter(|(series, _)| by_class(series)) {
        assert_eq!(value, "0", "{series}");
    }
    assert_eq!(after.value("inference_prediction_score_count{model=\"m\",version=\"1\"}"), 0.0);
    // The classes are still told by their names, but the score was that of the other one.
    after.feed("l", &label(10, "1"));
    after.feed("p", &prediction(11, "0", 0.9));
    let cell = |predicted: u8, actual: u8| {
        let labels = format!("predicted=\"{predicted}\",actual=\"{actual}\",correct=\"true\"");
        after.value(&format!("inference_outcomes_total{{model=\"m\",version=\"1\",{labels}}}"))
    };
    assert_eq!((cell(1, 1), cell(0, 0)), (1.0, 1.0));
    let scores = |actual: u8| {
        after
            .value(&format!("inference_outcome_score_count{{model=\"m\",version=\"1\",actual=\"{actual}\"}}"))
    };
    assert_eq!((scores(0), scores(1)), (1.0, 0.0));
}

#[test]
fn what_names_no_class_any_more_leaves_and_is_counted() {
    let mut run = binary();
    let coverage = "inference_label_coverage_ratio{model=\"m\",version=\"1\",window=\"1h\",slice=\"all\"}";
    assert_eq!(run.get(coverage), Some(1.0));
    run.reload(&BINARY.replace("positive: '1'", "positive: '2', negative: '0'"));
    let unlabeled = "inference_predictions_unlabeled_total{model=\"m\",version=\"1\",reason=\"evicted\"}";
    assert_eq!(run.value(unlabeled), 1.0, "10 was a 1");
    assert_eq!(run.value("inference_predictions_pending{model=\"m\",version=\"1\"}"), 0.0);
    assert_eq!(run.value("inference_labels_waiting{model=\"m\"}"), 1.0, "11 still is a 0");
    assert_eq!(run.get(coverage), Some(10.0 / 11.0));

    let mut run = binary();
    run.reload(&BINARY.replace("positive: '1'", "positive: '1', negative: '2'"));
    assert_eq!(run.value("inference_labels_total{model=\"m\",result=\"invalid\"}"), 1.0, "11 was a 0");
    assert_eq!(run.value("inference_labels_waiting{model=\"m\"}"), 0.0);
    assert_eq!(run.value("inference_prediction_score_count{model=\"m\",version=\"1\"}"), 11.0);
    run.feed("l", &label(10, "1"));
    assert_eq!(run.value("inference_outcome_score_count{model=\"m\",version=\"1\",actual=\"1\"}"), 1.0);
}

#[test]
fn another_task_starts_anew_and_loses_nothing_silently() {
    let mut run = binary();
    let before = run.series();
    run.reload(&BINARY.replace("task: binary, positive: '1'", "task: regression"));
    let of_requests =
        is_of(&["inference_requests_total", "inference_request_duration", "inference_label_delay"]);
    let after = run.series();
    let kept: Vec<_> = before.iter().filter(|(series, _)| of_requests(series)).collect();
    assert!(kept.len() > 3 && kept.iter().all(|(series, value)| after.get(*series) == Some(value)));
    assert_eq!(run.value("inference_predictions_total{model=\"m\",version=\"1\"}"), 0.0);
    assert_eq!(
        run.value("inference_predictions_unlabeled_total{model=\"m\",version=\"1\",reason=\"evicted\"}"),
        1.0
    );
    assert_eq!(run.value("inference_labels_total{model=\"m\",result=\"invalid\"}"), 1.0);
    // Ids that are done are remembered all the same.
    run.feed("l", &label(3, "1"));
    assert_eq!(run.value("inference_labels_total{model=\"m\",version=\"1\",result=\"duplicate\"}"), 1.0);
    run.feed("p", r#"{"id":"30","v":"1","y":4}"#);
    run.feed("l", &label(30, "1"));
    assert_eq!(run.value("inference_squared_error_total{model=\"m\",version=\"1\"}"), 9.0);
    run.reload(BINARY);
    assert_eq!(
        run.value("inference_predictions_total{model=\"m\",version=\"1\",predicted=\"1\"}"),
        0.0,
        "what was before is not remembered"
    );
}

#[test]
fn a_folded_class_is_known_again_where_it_is_one_of_two() {
    let limited = MULTICLASS.replace("windows", "limits: {values: 3}, windows");
    let mut run = Run::new(&limited);
    run.feed("p", &scored(1, "d", [0.5, 0.3, 0.2]));
    run.feed("p", &scored(2, "e", [0.5, 0.3, 0.2]));
    run.feed("p", &scored(3, "a", [0.5, 0.3, 0.2]));
    let binary = "task: binary, positive: d, negative: a";
    let text = MULTICLASS.replace("task: multiclass, classes: [a, b, c], top_k: [1]", binary);
    run.reload(&text.replace("scores: {a: a, b: b, c: c}", "score: a"));
    let unlabeled = "inference_predictions_unlabeled_total{model=\"m\",version=\"\",reason=\"evicted\"}";
    assert_eq!(run.value(unlabeled), 1.0, "e is neither");
    run.feed("l", &label(1, "d"));
    run.feed("l", &label(3, "d"));
    for (predicted, correct) in [("d", true), ("a", false)] {
        let labels = format!("predicted=\"{predicted}\",actual=\"d\",correct=\"{correct}\"");
        assert_eq!(run.value(&format!("inference_outcomes_total{{model=\"m\",version=\"\",{labels}}}")), 1.0);
    }
    // They were scores of other classes.
    let scores = "inference_outcome_score_count{model=\"m\",version=\"\",actual=\"d\"}";
    assert_eq!(run.value(scores), 0.0);
}

#[test]
fn declared_classes_are_others_when_one_is_added() {
    let before = multiclass();
    let mut after = multiclass();
    after.reload(&MULTICLASS.replace("classes: [a, b, c]", "classes: [d, c, b, a]"));
    assert_kept(&before, &after, is_of(BY_CLASS));
    let cell = |run: &Run, predicted: &str, actual: &str| {
        let correct = predicted == actual;
        let labels = format!("predicted=\"{predicted}\",actual=\"{actual}\",correct=\"{correct}\"");
        run.get(&format!("inference_outcomes_total{{model=\"m\",version=\"\",{labels}}}"))
    };
    assert_eq!(cell(&after, "a", "a"), Some(0.0));
    after.feed("l", &label(4, "b"));
    after.feed("l", &label(5, "c"));
    assert_eq!((cell(&after, "b", "b"), cell(&after, "d", "c")), (Some(1.0), Some(1.0)));
    // All three scores are those of the same classes, and so enter what is computed of them.
    assert!(after.get("inference_log_loss{model=\"m\",version=\"\",window=\"1h\",slice=\"all\"}").is_some());
}

#[test]
fn scores_of_other_classes_start_anew_and_outcomes_go_on() {
    let gauges = is_of(&[
        "inference_roc_auc",
        "inference_pr_auc",
        "inference_log_loss",
        "inference_brier_score",
        "inference_calibration_error",
        "inference_top_k",
    ]);
    let roc_auc = |run: &Run, class: &str| {
        let labels = format!("model=\"m\",version=\"\",window=\"1h\",slice=\"all\",class=\"{class}\"");
        run.get(&format!("inference_roc_auc{{{labels}}}"))
    };
    let log_loss = "inference_log_loss{model=\"m\",version=\"\",window=\"1h\",slice=\"all\"}";
    // The same classes in another order: nothing has changed.
    let before = multiclass();
    let mut after = multiclass();
    after.reload(&MULTICLASS.replace("{a: a, b: b, c: c}", "{c: c, a: a, b: b}"));
    assert_kept(&before, &after, |_| false);
    after.feed("l", &label(4, "b"));
    let mut expected = multiclass();
    expected.feed("l", &label(4, "b"));
    assert_kept(&expected, &after, |_| false);
    // One less: what waits has the scores that are left.
    let mut after = multiclass();
    after.reload(&MULTICLASS.replace("{a: a, b: b, c: c}", "{a: a, b: b}"));
    assert_kept(&before, &after, &gauges);
    assert_eq!((after.get(log_loss), roc_auc(&after, "a")), (None, None));
    after.feed("l", &label(4, "b"));
    assert_eq!(after.get(log_loss).map(|loss| (loss * 1e9).round()), Some((-0.7_f64.ln() * 1e9).round()));
    // One more: what waits has no score for it, and so only that of its own class.
    let [before, mut after] = [(); 2].map(|()| multiclass_of(&MULTICLASS.replace(", c: c}", "}")));
    after.reload(MULTICLASS);
    assert_kept(&before, &after, &gauges);
    after.feed("l", &label(4, "b"));
    assert_eq!(after.get(log_loss), None);
    let calibration = "inference_calibration_error{model=\"m\",version=\"\",window=\"1h\",slice=\"all\"}";
    assert!(after.get(calibration).is_some());
}

#[test]
fn another_k_leaves_the_one_that_stays_alone() {
    let before = multiclass();
    let mut after = multiclass();
    after.reload(&MULTICLASS.replace("top_k: [1]", "top_k: [2, 1]"));
    assert_kept(&before, &after, |_| false);
    let top = |run: &Run, k: u8| {
        let labels = format!("model=\"m\",version=\"\",window=\"1h\",slice=\"all\",k=\"{k}\"");
        run.get(&format!("inference_top_k_accuracy_ratio{{{labels}}}"))
    };
    assert_eq!((top(&after, 1), top(&after, 2)), (Some(0.25), None));
    after.feed("l", &label(4, "b"));
    assert_eq!((top(&after, 1), top(&after, 2)), (Some(0.4), Some(1.0)));
}

#[test]
fn a_class_that_was_folded_is_right_when_it_has_a_name_by_now() {
    let limited = MULTICLASS.replace("windows", "limits: {values: 3}, windows");
    let mut run = Run::new(&limited);
    run.feed("p", &scored(1, "d", [0.5, 0.3, 0.2]));
    run.feed("l", "id=2 y=e");
    assert_eq!(run.state.folded(), 2);
    run.reload(MULTICLASS);
    let before = run.series();
    run.feed("l", &label(1, "d"));
    run.feed("p", &scored(2, "e", [0.5, 0.3, 0.2]));
    run.feed("p", &scored(3, "d", [0.5, 0.3, 0.2]));
    let now = run.series();
    for class in ["d", "e"] {
        let labels = format!("predicted=\"{class}\",actual=\"{class}\",correct=\"true\"");
        assert_eq!(run.value(&format!("inference_outcomes_total{{model=\"m\",version=\"\",{labels}}}")), 1.0);
    }
    // What was folded stays in the past as it was counted.
    let other = "inference_predictions_total{model=\"m\",version=\"\",predicted=\"__other__\"}";
    assert_eq!((now.get(other), run.state.folded()), (before.get(other), 2));
    run.reload(&limited);
    run.feed("p", &scored(4, "d", [0.5, 0.3, 0.2]));
    run.feed("p", &scored(5, "f", [0.5, 0.3, 0.2]));
    assert_eq!(run.value("inference_predictions_total{model=\"m\",version=\"\",predicted=\"d\"}"), 2.0);
    assert_eq!(run.state.folded(), 3);
}

#[test]
fn what_was_folded_stays_counted_when_its_slice_or_model_goes() {
    let text = BINARY.replace("slices: [country]", "slices: [country], limits: {values: 2}");
    let two = format!("{text}  n: {{task: regression}}\n").replace(
        "fields: {id: id, label: y}}",
        "fields: {id: id, label: y}}\n  - {name: n, paths: [n], format: json, model: n, fields: {prediction: y, status: s}}",
    );
    let mut run =
        Run::new(&two.replace("n: {task: regression}", "n: {task: regression, limits: {values: 1}}"));
    for (id, country) in ["DE", "FR", "IT"].into_iter().enumerate() {
        run.feed("p", &prediction(id, "1", 0.5).replace("DE", country));
        run.feed("n", &format!(r#"{{"y":1,"s":"{id}"}}"#));
    }
    assert_eq!(run.state.folded(), 3);
    run.reload(&text.replace("slices: [country], ", ""));
    assert_eq!(run.state.folded(), 3);
    assert!(run.series().keys().all(|series| !series.contains("model=\"n\"")));
}

#[test]
fn a_lower_bound_of_what_waits_lets_the_oldest_go_and_counts_them() {
    let mut run = Run::new(BINARY);
    (0..10).for_each(|id| run.feed("p", &prediction(id, "1", 0.5)));
    run.reload(&BINARY.replace("slices: [country]", "slices: [country], join: {max_pending: 3}"));
    run.feed("p", &prediction(10, "1", 0.5));
    assert_eq!(run.value("inference_predictions_pending{model=\"m\",version=\"1\"}"), 3.0);
    let unlabeled = "inference_predictions_unlabeled_total{model=\"m\",version=\"1\",reason=\"evicted\"}";
    assert_eq!(run.value(unlabeled), 8.0);
    (8..11).for_each(|id| run.feed("l", &label(id, "1")));
    assert_eq!(run.value("inference_labels_total{model=\"m\",version=\"1\",result=\"joined\"}"), 3.0);
}

#[test]
fn the_version_without_a_name_is_there_where_none_is_mapped() {
    let unversioned = BINARY.replace("      version: v\n", "");
    let info = |run: &Run, version: &str| {
        run.get(&format!("inference_model_info{{model=\"m\",version=\"{version}\",task=\"binary\"}}"))
    };
    let mut run = binary();
    assert_eq!((info(&run, ""), info(&run, "1")), (None, Some(1.0)));
    run.reload(&unversioned);
    assert_eq!((info(&run, ""), info(&run, "1")), (Some(1.0), Some(1.0)));
    run.reload(BINARY);
    assert_eq!((info(&run, ""), info(&run, "1")), (None, Some(1.0)), "nothing was counted in it");
    run.reload(&unversioned);
    run.feed("p", &prediction(20, "1", 0.5));
    run.feed("l", &label(20, "1"));
    run.reload(BINARY);
    assert_eq!((info(&run, ""), info(&run, "1")), (Some(1.0), Some(1.0)));
    run.pass(49 * 3600);
    run.feed("p", &prediction(21, "1", 0.5).replace("\"v\":\"1\"", "\"v\":\"2\""));
    assert_eq!((info(&run, ""), info(&run, "2")), (None, Some(1.0)));
}

#[test]
fn a_model_keeps_its_state_whether_it_is_named_or_found() {
    let named = "
logs:
  - {name: p, paths: [p], format: json, fields: {model: m, id: id, prediction: y}}
  - {name: l, paths: [l], format: logfmt, fields: {model: m, id: id, label: y}}
models:
  '*': {task: binary, positive: '1'}
  one: {task: binary, positive: '1'}
";
    let found = named.replace("  one: {task: binary, positive: '1'}\n", "");
    let mut run = Run::new(&found);
    for (id, model) in ["one", "two", "one", "two"].into_iter().enumerate() {
        run.feed("p", &format!(r#"{{"m":"{model}","id":"{id}","y":1}}"#));
        run.feed("l", &format!("m={model} id={} y=1", id ^ 2));
    }
    let before = run.series();
    run.reload(named);
    assert_eq!(run.series(), before);
    run.feed("p", r#"{"m":"two","id":"4","y":1}"#);
    let before = run.series();
    run.reload(&found);
    assert_eq!(run.series(), before);
    run.reload(&named.replace("  '*': {task: binary, positive: '1'}\n", ""));
    let after = run.series();
    assert!(after.iter().all(|(series, value)| before.get(series) == Some(value)));
    assert!(after.keys().any(|series| series.contains("model=\"one\"")));
    assert!(after.keys().all(|series| !series.contains("model=\"two\"")));
}
