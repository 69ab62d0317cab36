//! Configurations and what is said of them: the messages are held word for word, because they are what a
//! person has to go by.
//!
//! Each `tests/config_cases/NAME.yaml` has a `NAME.txt` with the errors, or with the warnings and the plan.
//! `UPDATE_GOLDEN=1` writes the text files anew.

use super::*;
use std::fs;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config_cases");

fn environment(name: &str) -> Option<String> {
    (name == "POD_NAME").then(|| "fraud-0".to_owned())
}

fn answer(text: &str) -> String {
    let lines =
        |problems: Vec<Problem>| problems.iter().map(|problem| format!("{problem}\n")).collect::<String>();
    match parse(text, "exporter.yaml", &environment) {
        Err(errors) => format!("errors:\n{}", lines(errors.0)),
        Ok(loaded) => format!("warnings:\n{}\n{}", lines(loaded.warnings), plan_text(&loaded.plan)),
    }
}

#[test]
fn every_case_is_answered_word_for_word() {
    let mut cases: Vec<_> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    cases.sort();
    assert!(cases.len() > 10, "the cases are not there");
    let mut wrong = Vec::new();
    for case in cases {
        let answer = answer(&fs::read_to_string(&case).unwrap());
        let golden = case.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &answer).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if answer != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- answered\n{answer}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

// === the reference file ===

const REFERENCE: &str = include_str!("../../deploy/config.reference.yaml");

fn plan(text: &str) -> Plan {
    match parse(text, "exporter.yaml", &environment) {
        Ok(loaded) => loaded.plan,
        Err(errors) => panic!("{errors}"),
    }
}

/// The keys of a value, named as `known_keys` names them.
fn keys_of(value: &Value, above: &str, keys: schema::Keys, found: &mut std::collections::BTreeSet<String>) {
    for (key, value) in value.as_mapping().unwrap() {
        let key = keys.iter().find(|known| Some(known.name) == key.as_str()).unwrap();
        let path = format!("{above}{}", key.name);
        match key.inside {
            schema::Inside::Value => {}
            schema::Inside::Table(keys) => keys_of(value, &format!("{path}."), keys, found),
            schema::Inside::List(keys) => {
                for element in value.as_sequence().unwrap() {
                    keys_of(element, &format!("{path}[]."), keys, found);
                }
            }
            schema::Inside::Named(schema::Inside::Table(keys)) => {
                for named in value.as_mapping().unwrap().values() {
                    keys_of(named, &format!("{path}.*."), keys, found);
                }
            }
            schema::Inside::Named(_) => {
                found.insert(format!("{path}.*"));
            }
            schema::Inside::Field(keys) if value.is_mapping() => {
                keys_of(value, &format!("{above}*."), keys, found);
            }
            schema::Inside::Field(_) => {}
        }
        found.insert(path);
    }
}

#[test]
fn the_reference_names_every_key_and_no_other() {
    let mut found = std::collections::BTreeSet::new();
    keys_of(&serde_yaml::from_str(REFERENCE).unwrap(), "", schema::ROOT, &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), known_keys());
}

#[test]
fn the_reference_speaks_of_what_is_not_built_yet() {
    for keys in [schema::LOG, schema::FIELDS, schema::MODEL] {
        for key in keys.iter().filter(|key| key.state != schema::State::Built) {
            assert!(REFERENCE.contains(key.name), "{} is not mentioned", key.name);
        }
    }
}

#[test]
fn the_reference_is_valid_and_gives_no_warning() {
    let loaded =
        parse(REFERENCE, "config.reference.yaml", &environment).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

/// The same configuration with everything left out that has a default, and the reference's examples of what
/// has none.
const REFERENCE_WITHOUT_DEFAULTS: &str = r#"
state_dir: /var/lib/inference-exporter
logs:
  - name: predictions
    paths: [/var/log/model/*.jsonl]
    where: {message: Success}
    model: fraud
    fields:
      id: request_id
      time: ts
      version: model.version
      prediction: label
      score: score
      latency: {path: latency_ms, unit: ms}
      status: http.status
      trace_id: trace_id
      slices: {country: features.country}
  - name: truth
    paths: [/var/log/model/labels.csv]
    format: csv
    columns: [request_id, labelled_at, is_fraud]
    model: fraud
    fields: {id: request_id, time: {path: labelled_at, format: '%Y-%m-%d %H:%M:%S'}, label: is_fraud}
  - name: batches
    paths: [/var/log/server/batches.jsonl]
    explode: outputs
    fields:
      model: model.name
      id: request_id
      prediction: {path: response, decode: [base64, json], then: label}
      scores: {cat: p_cat, dog: p_dog}
  - name: access
    paths: [/var/log/server/access.log]
    format: regex
    pattern: '^(?P<time>\S+) (?P<id>\S+) status=(?P<status>\d+) (?P<took>\S+)$'
    model: fraud
    fields: {id: id, time: time, status: status, latency: took}
models:
  fraud:
    task: binary
    positive: "1"
    slices: [country]
    join: {labels: shared}
    targets: {accuracy: 0.97, recall: 90%, latency_p99: 250ms, availability: 0.999}
  pets: {task: multiclass, classes: [cat, dog, bird, horse], top_k: [3]}
  "*": {task: regression}
"#;

#[test]
fn the_reference_states_every_default() {
    // Both through Debug: not every component's Config can be compared, and nothing is left out of it.
    assert_eq!(format!("{:#?}", plan(REFERENCE)), format!("{:#?}", plan(REFERENCE_WITHOUT_DEFAULTS)));
}

// === the plan ===

/// A configuration of one model, with what the test is about put in.
fn with_model(fields: &str, model: &str) -> String {
    format!(
        "logs: [{{name: a, paths: [/a], model: m, fields: {{{fields}}}}}]\n\
         models: {{m: {{{model}}}}}\n"
    )
}

fn model(fields: &str, model: &str) -> crate::monitor::Config {
    plan(&with_model(fields, model)).pipeline.models.remove(0)
}

fn span(text: &str) -> Span {
    Span::from(humantime::parse_duration(text).unwrap())
}

#[test]
fn a_field_that_is_used_twice_is_asked_for_once() {
    let plan = plan(&with_model(
        "id: x, prediction: x, label: {path: x, decode: json}, version: v, score: {path: x}",
        "task: binary, positive: 1",
    ));
    let stream = &plan.pipeline.streams[0];
    let paths: Vec<_> = stream.record.fields.iter().map(|field| field.path.text.as_str()).collect();
    assert_eq!(paths, ["x", "v", "x"]);
    let fields = &stream.event.fields;
    assert_eq!((fields.id, fields.prediction), (fields.score, fields.score));
    assert_ne!(fields.label, fields.id);
}

#[test]
fn scores_are_in_the_order_of_the_classes() {
    let plan = plan(&with_model(
        "prediction: p, scores: {dog: d, 3.0: t, cat: c}",
        "task: multiclass, classes: [cat, dog, 3]",
    ));
    let stream = &plan.pipeline.streams[0];
    let scores: Vec<_> = stream
        .event
        .fields
        .scores
        .iter()
        .map(|(class, id)| (class.as_str(), stream.record.fields[usize::from(id.0)].path.text.as_str()))
        .collect();
    assert_eq!(scores, [("cat", "c"), ("dog", "d"), ("3", "t")]);
}

#[test]
fn a_binary_score_is_that_of_the_positive_class() {
    let plan = plan(&with_model("scores: {0: zero, 1: one}", "task: binary, positive: 1"));
    let stream = &plan.pipeline.streams[0];
    let score = stream.event.fields.score.unwrap();
    assert_eq!(stream.record.fields[usize::from(score.0)].path.text, "one");
}

#[test]
fn a_latency_target_is_a_bucket_bound() {
    let config = model(
        "prediction: p",
        "task: regression, targets: {latency_p99: 300ms, latency_p50: 100ms}, buckets: {latency: [100ms, 1]}",
    );
    assert_eq!(config.buckets.latency, [0.1, 0.3, 1.0]);
    assert_eq!(config.buckets.error, crate::limits::ERROR_BOUNDS);
    assert_eq!(config.targets[0].value, 0.3);
}

#[test]
fn a_version_outlives_its_labels_and_windows() {
    for (written, expire_after) in [
        ("task: regression", "48h"),
        ("task: regression, join: {wait: 3days}", "4days"),
        ("task: regression, windows: [all, 30days]", "31days"),
        ("task: regression, join: {wait: 1h}, windows: [1h], expire_after: 2h", "2h"),
    ] {
        assert_eq!(model("prediction: p", written).expire_after, span(expire_after), "{written}");
    }
}

#[test]
fn windows_come_in_ascending_order() {
    let config = model("prediction: p", "task: regression, windows: [1h, all, 5m]");
    assert_eq!((config.windows, config.window_all), (vec![span("5m"), span("1h")], true));
}

#[test]
fn shared_labels_of_others_never_wait_longer_than_ones_own() {
    let config = model("prediction: p", "task: regression, join: {labels: shared, wait: 30s}");
    assert_eq!(config.join.labels, crate::join::Labels::Shared { wait: span("30s") });
}

#[test]
fn a_failure_is_a_status_that_matches_as_a_whole() {
    let failed = model("prediction: p", "task: regression, failed: '5..|error'").failed;
    assert!(failed.is_match("503") && failed.is_match("error"));
    assert!(!failed.is_match("5030") && !failed.is_match("no error"));
}

#[test]
fn labels_are_expected_where_any_log_of_the_model_maps_one() {
    let text = "
logs:
  - {name: a, paths: [/a], model: own, fields: {id: i, prediction: y}}
  - {name: b, paths: [/b], model: own, fields: {id: i, label: y}}
  - {name: c, paths: [/c], model: stray, fields: {id: i, prediction: y}}
  - {name: d, paths: [/d], model: other, fields: {id: i, prediction: y}}
models: {other: {task: regression}, own: {task: regression}, '*': {task: regression}}
";
    let expects = |text: &str| {
        let pipeline = plan(text).pipeline;
        let expects: Vec<_> =
            pipeline.models.into_iter().map(|model| (model.name, model.expects_labels)).collect();
        (expects, pipeline.found.unwrap().expects_labels)
    };
    let named = |other| vec![("other".to_owned(), other), ("own".to_owned(), true)];
    assert_eq!(expects(text), (named(false), false));
    // A log that names models in its records may hold labels of each of them.
    let text = text.replace("model: own, fields: {id: i, label", "fields: {model: m, id: i, label");
    assert_eq!(expects(&text), (named(true), true));
}

#[test]
fn reading_starts_where_the_state_allows() {
    use crate::source::StartAt;
    let text = with_model("prediction: p", "task: regression");
    assert_eq!(plan(&text).pipeline.streams[0].source.start_at, StartAt::End);
    let text = format!("state_dir: /state/${{POD_NAME}}\n{text}");
    assert_eq!(plan(&text).state_dir, Some("/state/fraud-0".into()));
    assert_eq!(plan(&text).pipeline.streams[0].source.start_at, StartAt::Beginning);
}

#[test]
fn quoted_line_ends_are_for_csv_that_no_runtime_has_cut() {
    let text = with_model("prediction: p", "task: regression");
    let quoted = |log: &str| plan(&text.replace("name: a", log)).pipeline.streams[0].line.quoted;
    assert_eq!(quoted("name: a"), None);
    assert_eq!(quoted("name: a, format: csv, delimiter: ';'"), Some(b';'));
    assert_eq!(quoted("name: a, format: csv, container: cri"), None);
}

#[test]
fn names_of_flat_formats_are_taken_as_they_are() {
    let text = with_model("prediction: 'price [EUR].x'", "task: regression")
        .replace("name: a", "name: a, format: csv");
    assert_eq!(plan(&text).pipeline.streams[0].record.fields[0].path.text, "price [EUR].x");
}

#[test]
fn a_path_that_is_none_is_reported_where_it_stands() {
    // The reason is the path's own, and tested there.
    let errors = parse(&with_model("prediction: 'y['", "task: regression"), "f", &environment).unwrap_err();
    assert_eq!((errors.0[0].path.as_str(), errors.0.len()), ("logs[0].fields.prediction", 1));
    assert!(errors.0[0].what.starts_with("`y[` is not a path: "), "{errors}");
}

#[test]
fn ten_thousand_classes_are_read_and_one_more_is_not() {
    let classes = |count: usize| (0..count).map(|class| format!("c{class}, ")).collect::<String>();
    let text = |count| {
        let model = format!(
            "task: multiclass, classes: [{}], windows: [1h], limits: {{values: 10000, series: 1000000}}",
            classes(count)
        );
        with_model("prediction: p", &model)
    };
    assert!(parse(&text(10_000), "f", &environment).is_ok());
    let errors = parse(&text(10_001), "f", &environment).unwrap_err();
    assert_eq!(errors.0[0].what, "has 10001 classes; at most 10000 are possible");
}

// === the file ===

fn load_error(path: &Path) -> String {
    load(path, &environment).unwrap_err().to_string().replace(&*path.to_string_lossy(), "FILE")
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("exporter.yaml");
    assert_eq!(load_error(&file), "FILE: the file does not exist\n    name the file with --config");
    assert_eq!(load_error(directory.path()), "FILE: is a directory, not a file\n    name the file in it");
    fs::write(&file, b"listen: x\n# caf\xe9\n").unwrap();
    assert_eq!(
        load_error(&file),
        "FILE: the file is not UTF-8: line 2 has a byte that is not\n    save it as UTF-8"
    );
    fs::write(&file, REFERENCE).unwrap();
    assert!(load(&file, &environment).is_ok());
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let text = with_model("prediction: p", "task: regression");
    assert!(parse(&format!("\u{feff}{text}"), "f", &environment).is_ok());
}

// === any text ===

/// A valid configuration with one line changed reaches far deeper than any text.
fn mutated() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let lines: Vec<String> = REFERENCE
        .lines()
        .filter(|line| !line.trim_start().starts_with('#') && !line.is_empty())
        .map(str::to_owned)
        .collect();
    let values = prop_oneof![
        Just(String::new()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("[[a], {b: c}, ~, !t 1]".to_owned()),
        Just("-1".to_owned()),
        Just(".nan".to_owned()),
        Just("18446744073709551616".to_owned()),
        Just("1e400".to_owned()),
        Just("9999999999999h".to_owned()),
        Just("'${'".to_owned()),
        "[ -~]{0,12}",
        "\\PC{0,6}",
    ];
    (0..lines.len(), values).prop_map(move |(changed, value)| {
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            match line.split_once(": ") {
                Some((key, _)) if index == changed => text.push_str(&format!("{key}: {value}\n")),
                _ => text.push_str(&format!("{line}\n")),
            }
        }
        text
    })
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(?s).{0,200}") {
        answer(&text);
    }

    #[test]
    fn no_value_panics_and_each_mistake_has_its_line(text in mutated()) {
        let problems = match parse(&text, "f", &environment) {
            Err(Errors(problems)) => {
                proptest::prop_assert!(!problems.is_empty());
                problems
            }
            Ok(loaded) => {
                proptest::prop_assert!(!plan_text(&loaded.plan).is_empty());
                loaded.warnings
            }
        };
        for problem in problems {
            let syntax = problem.what.starts_with("not valid YAML");
            proptest::prop_assert!(syntax || problem.line.is_some(), "{problem} has no line");
        }
    }
}
