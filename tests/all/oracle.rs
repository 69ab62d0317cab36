//! `replay` says of the logs of really fitted models what scikit-learn says, to 1e-9; the two areas under
//! curves are sketches, and within the bound that is published beside them. See tests/oracle/README.md.

use super::support::{directories, read, read_text, replay, replay_config, root};
use inference_exporter::status::{LogStatus, ModelStatus, Status, VersionStatus, WindowStatus};
use serde_json::Value;
use std::collections::BTreeMap;

/// Summing in another order than numpy moves the last digits: 1e-9 is what the contract promises.
const TOLERANCE: f64 = 1e-9;

#[test]
fn every_case_agrees_with_scikit_learn() {
    let cases = directories(&root().join("tests/oracle/cases"));
    assert!(cases.len() >= 7, "the cases are missing");
    for case in cases {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        let expected: Value = serde_json::from_slice(&read(&case.join("expected.json"))).expect("JSON");
        let config = replay_config(&read_text(&case.join("config.yaml")));
        let files: Vec<(String, Vec<u8>)> = object(&expected["files"])
            .map(|(log, file)| (log.clone(), read(&case.join(file.as_str().expect("a file")))))
            .collect();
        let logs: Vec<(&str, &[u8])> = files.iter().map(|(log, bytes)| (&**log, &**bytes)).collect();
        let status = Status::new(&replay(&config, &logs));
        Case { name }.check(&expected, &status);
    }
}

struct Case {
    name: String,
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().unwrap_or_else(|| panic!("an object, not {value}")).iter()
}

impl Case {
    fn check(&self, expected: &Value, status: &Status) {
        for (log, counts) in object(&expected["logs"]) {
            let found = status.logs.iter().find(|found| found.log == *log).expect("the log");
            self.check_log(counts, found);
        }
        for (name, model) in object(&expected["models"]) {
            let found = status.models.iter().find(|found| found.model == *name).expect("the model");
            self.check_model(model, found);
        }
    }

    fn check_log(&self, expected: &Value, found: &LogStatus) {
        for (kind, counts) in [("rejected", &found.rejected), ("ignored", &found.ignored)] {
            if let Some(expected) = expected.get(kind) {
                for (reason, count) in object(expected) {
                    self.count(&format!("{} {kind} {reason}", found.log), count, counts.get(&**reason));
                }
            }
        }
        let others = |counts: &BTreeMap<&str, u64>| counts.values().sum::<u64>();
        let accounted = found.records + others(&found.rejected) + others(&found.ignored);
        assert_eq!(found.lines, accounted, "{}: lines of {}", self.name, found.log);
    }

    fn check_model(&self, expected: &Value, found: &ModelStatus) {
        assert_eq!(found.task, expected["task"], "{}", self.name);
        for (result, count) in object(&expected["labels"]) {
            let versions = found.versions.iter().filter_map(|version| version.labels.get(&**result));
            let sum = versions.chain(found.labels.get(&**result)).sum::<u64>();
            self.count(&format!("labels {result}"), count, Some(&sum));
        }
        for (name, version) in object(&expected["versions"]) {
            let found = found.versions.iter().find(|found| found.version == *name);
            self.check_version(version, found.unwrap_or_else(|| panic!("{}: version {name}", self.name)));
        }
    }

    fn check_version(&self, expected: &Value, found: &VersionStatus) {
        let at = |what: &str| format!("{} {what}", found.version);
        for result in ["ok", "failed"] {
            let requests = found.requests.iter().filter(|one| one.result == result);
            let sum = requests.map(|one| one.count).sum::<u64>();
            self.count(&at(result), &expected["requests"][result], Some(&sum));
        }
        let settled = &expected["settled"];
        self.count(&at("joined"), &settled["joined"], found.labels.get("joined"));
        self.count(&at("expired"), &settled["expired"], found.unlabeled.get("expired"));
        self.count(&at("pending"), &settled["pending"], Some(&found.pending));
        if let Some(predictions) = expected.get("predictions") {
            for (class, count) in object(predictions) {
                let of_class = found.predictions_by_class.get(class);
                self.count(&at(&format!("predictions of {class}")), count, of_class);
            }
        }
        if let Some(cells) = expected.get("cells") {
            self.check_cells(cells, found);
        }
        let all = window(found, "all");
        self.value(&at("coverage"), &expected["coverage"], all.values.get("label_coverage").copied());
        self.check_window(&at("all"), &expected["all"], all);
        if let Some(slices) = expected.get("slices") {
            for (slice, values) in object(slices) {
                self.check_window(&at(slice), values, window(found, slice));
            }
        }
    }

    fn check_cells(&self, expected: &Value, found: &VersionStatus) {
        let mut cells = BTreeMap::new();
        for cell in expected.as_array().expect("cells") {
            let class = |place: usize| cell[place].as_str().expect("a class").to_owned();
            cells.insert((class(0), class(1)), cell[2].as_u64().expect("a count"));
        }
        let found_cells: BTreeMap<_, _> = found
            .outcomes
            .iter()
            .map(|one| ((one.predicted.clone(), one.actual.clone()), one.count))
            .collect();
        assert_eq!(found_cells, cells, "{}: cells of {}", self.name, found.version);
    }

    fn check_window(&self, at: &str, expected: &Value, found: &WindowStatus) {
        self.count(&format!("{at} samples"), &expected["samples"], Some(&found.samples));
        for (name, value) in object(expected) {
            let at = format!("{at} {name}");
            match (&**name, value) {
                ("samples" | "cells" | "mape_left_out", _) => {}
                ("roc_auc" | "pr_auc", Value::Object(classes)) => {
                    for (class, value) in classes {
                        self.estimate(&format!("{at} {class}"), value, found.classes.get(class), name);
                    }
                }
                ("roc_auc" | "pr_auc", value) => self.estimate(&at, value, Some(&found.values), name),
                ("top_k_accuracy", value) => {
                    for (k, value) in object(value) {
                        let k: u32 = k.parse().expect("a number");
                        self.value(&at, value, found.top_k_accuracy.get(&k).copied());
                    }
                }
                ("classes", value) => self.check_nested(&at, value, |class| found.classes.get(class)),
                ("average", value) => self.check_nested(&at, value, |average| found.averages.get(average)),
                (name, value) => self.value(&at, value, found.values.get(name).copied()),
            }
        }
    }

    fn check_nested<'a>(
        &self,
        at: &str,
        expected: &Value,
        find: impl Fn(&str) -> Option<&'a BTreeMap<&'static str, f64>>,
    ) {
        for (outer, values) in object(expected) {
            for (name, value) in object(values).filter(|(name, _)| *name != "support") {
                let found = find(outer).and_then(|values| values.get(&**name)).copied();
                self.value(&format!("{at} {outer} {name}"), value, found);
            }
        }
    }

    fn estimate(&self, at: &str, expected: &Value, found: Option<&BTreeMap<&'static str, f64>>, name: &str) {
        let value = found.and_then(|values| values.get(name)).copied();
        let bound_name = format!("{name}_error_bound");
        let bound = found.and_then(|values| values.get(&*bound_name)).copied();
        match (expected.as_f64(), value, bound) {
            (None, None, _) => {}
            (Some(expected), Some(value), Some(bound)) => {
                let distance = (expected - value).abs();
                assert!(
                    distance <= bound + TOLERANCE,
                    "{}: {at}: {value} ± {bound}, exactly {expected}",
                    self.name
                );
            }
            _ => panic!("{}: {at}: {value:?} ± {bound:?}, exactly {expected}", self.name),
        }
    }

    fn value(&self, at: &str, expected: &Value, found: Option<f64>) {
        match (expected.as_f64(), found) {
            (None, None) => {}
            (Some(expected), Some(found)) => {
                let allowed = TOLERANCE * expected.abs().max(1.0);
                let distance = (expected - found).abs();
                assert!(distance <= allowed, "{}: {at}: {found}, expected {expected}", self.name);
            }
            _ => panic!("{}: {at}: {found:?}, expected {expected}", self.name),
        }
    }

    fn count(&self, at: &str, expected: &Value, found: Option<&u64>) {
        let expected = expected.as_u64().unwrap_or_else(|| panic!("{}: {at}: no count", self.name));
        assert_eq!(found.copied().unwrap_or(0), expected, "{}: {at}", self.name);
    }
}

fn window<'a>(version: &'a VersionStatus, slice: &str) -> &'a WindowStatus {
    let mut windows = version.windows.iter().filter(|window| window.window == "all");
    windows.find(|window| window.slice == slice).unwrap_or_else(|| panic!("no window of {slice}"))
}
