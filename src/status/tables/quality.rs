//! The tables of quality: the windows of a version, their classes and averages, and its slices.

use super::{number, version_name};
use crate::status::figure::{figure, with_bound, with_interval};
use crate::status::table::{Cell, Table};
use crate::status::{ModelStatus, VersionStatus, WHOLE, WindowStatus};
use std::collections::BTreeMap;

type Values = BTreeMap<&'static str, f64>;

/// Where a measure of a window is found.
#[derive(Clone, Copy)]
enum Place {
    Value(&'static str),
    /// The mean over classes, and its name among the absent values.
    Macro(&'static str, &'static str),
    TopK(u32),
}

const CLASSIFIER: [(&str, Place); 14] = [
    ("label coverage", Place::Value("label_coverage")),
    ("accuracy", Place::Value("accuracy")),
    ("balanced accuracy", Place::Value("balanced_accuracy")),
    ("precision (macro)", Place::Macro("precision", "precision_average")),
    ("recall (macro)", Place::Macro("recall", "recall_average")),
    ("F1 (macro)", Place::Macro("f1", "f1_average")),
    ("specificity (macro)", Place::Macro("specificity", "specificity_average")),
    ("MCC", Place::Value("mcc")),
    ("Cohen's kappa", Place::Value("cohen_kappa")),
    ("ROC AUC", Place::Value("roc_auc")),
    ("PR AUC", Place::Value("pr_auc")),
    ("log loss", Place::Value("log_loss")),
    ("Brier score", Place::Value("brier_score")),
    ("calibration error", Place::Value("calibration_error")),
];

const REGRESSION: [(&str, Place); 7] = [
    ("label coverage", Place::Value("label_coverage")),
    ("MAE", Place::Value("mae")),
    ("RMSE", Place::Value("rmse")),
    ("bias", Place::Value("bias")),
    ("R²", Place::Value("r2")),
    ("MAPE", Place::Value("mape")),
    ("MSE", Place::Value("mse")),
];

/// Columns of the table of classes.
const OF_CLASS: [(&str, &str); 6] = [
    ("precision", "precision"),
    ("recall", "recall"),
    ("F1", "f1"),
    ("specificity", "specificity"),
    ("ROC AUC", "roc_auc"),
    ("PR AUC", "pr_auc"),
];

/// The windows of a version over everything, a row for each measure.
pub fn windows(model: &ModelStatus, version: &VersionStatus, windows: &[&WindowStatus]) -> Table {
    let caption = format!("Windows of {}, version {}", model.model, version_name(version));
    let mut headers = vec!["measure"];
    headers.extend(windows.iter().map(|window| &*window.window));
    let mut table = Table::new(caption, &headers);
    let mut row = vec![Cell::new("samples")];
    row.extend(windows.iter().map(|window| number(window.samples)));
    table.rows.push(row);
    let fixed: &[(&str, Place)] = if model.task == "regression" { &REGRESSION } else { &CLASSIFIER };
    for &(name, place) in fixed {
        push_measure(&mut table, name, place, windows);
    }
    let mut top: Vec<u32> = windows.iter().flat_map(|window| window.top_k_accuracy.keys().copied()).collect();
    top.sort_unstable();
    top.dedup();
    for k in top {
        push_measure(&mut table, &format!("top-{k} accuracy"), Place::TopK(k), windows);
    }
    table
}

/// A measure that the model does not have at all has no row.
fn push_measure(table: &mut Table, name: &str, place: Place, windows: &[&WindowStatus]) {
    let cells: Vec<Option<Cell>> = windows.iter().map(|window| measure(window, place)).collect();
    if cells.iter().all(Option::is_none) {
        return;
    }
    let mut row = vec![Cell::new(name)];
    row.extend(cells.into_iter().map(|cell| cell.unwrap_or_else(|| Cell::absent(NO_SAMPLE))));
    table.rows.push(row);
}

const NO_SAMPLE: &str = "no labelled prediction in the window";

fn measure(window: &WindowStatus, place: Place) -> Option<Cell> {
    let (values, name, absent) = match place {
        Place::Value(name) => (Some(&window.values), name, name),
        Place::Macro(name, absent) => (window.averages.get("macro"), name, absent),
        Place::TopK(k) => return window.top_k_accuracy.get(&k).map(|&value| Cell::new(figure(value))),
    };
    let known = values.and_then(|values| value_cell(values, name));
    known.or_else(|| window.absent.get(absent).map(|&reason| Cell::absent(reason)))
}

/// A value with its interval or bound, where it has one.
fn value_cell(values: &Values, name: &str) -> Option<Cell> {
    let value = *values.get(name)?;
    let end = |suffix: &str| {
        values.iter().find(|(key, _)| key.strip_prefix(name) == Some(suffix)).map(|(_, &value)| value)
    };
    let text = match (end("_lower"), end("_upper"), end("_error_bound")) {
        (Some(lower), Some(upper), _) => with_interval(value, lower, upper),
        (_, _, Some(bound)) => with_bound(value, bound),
        _ => figure(value),
    };
    Some(Cell::new(text))
}

/// The classes of one window.
pub fn classes(model: &ModelStatus, version: &VersionStatus, window: &WindowStatus) -> Table {
    let caption =
        format!("Classes of {}, version {}, window {}", model.model, version_name(version), window.window);
    let ranked = window.classes.values().any(|values| values.contains_key("roc_auc"));
    let columns = &OF_CLASS[..if ranked { OF_CLASS.len() } else { 4 }];
    let mut headers = vec!["class"];
    headers.extend(columns.iter().map(|(header, _)| *header));
    let mut table = Table::new(caption, &headers);
    for (class, values) in &window.classes {
        let mut row = vec![Cell::new(&**class)];
        row.extend(columns.iter().map(|&(_, name)| {
            value_cell(values, name).unwrap_or_else(|| Cell::absent(why_class_lacks(name)))
        }));
        table.rows.push(row);
    }
    table
}

fn why_class_lacks(name: &str) -> &'static str {
    match name {
        "precision" => "precision: the class was never predicted in the window",
        "recall" => "recall: no label of the window is of the class",
        "f1" => "F1: the class was neither predicted nor a label in the window",
        "specificity" => "specificity: every label of the window is of the class",
        _ => "AUC: it takes scores, and labels of the class and of others",
    }
}

/// The averages over classes of one window.
pub fn averages(model: &ModelStatus, version: &VersionStatus, window: &WindowStatus) -> Table {
    let caption = format!(
        "Averages over classes of {}, version {}, window {}",
        model.model,
        version_name(version),
        window.window
    );
    let columns = &OF_CLASS[..4];
    let mut headers = vec!["average"];
    headers.extend(columns.iter().map(|(header, _)| *header));
    let mut table = Table::new(caption, &headers);
    for (average, values) in &window.averages {
        let mut row = vec![Cell::new(*average)];
        row.extend(columns.iter().map(|&(_, name)| {
            value_cell(values, name)
                .unwrap_or_else(|| Cell::absent(format!("{name}: no class of the window has it")))
        }));
        table.rows.push(row);
    }
    table
}

/// The slices of a version; `windows` are the names of the columns.
pub fn slices(model: &ModelStatus, version: &VersionStatus, windows: &[&WindowStatus]) -> Table {
    let (name, header) = if model.task == "regression" { ("mae", "MAE") } else { ("accuracy", "accuracy") };
    let caption = format!("Slices of {}, version {}: {header}", model.model, version_name(version));
    let mut headers = vec!["slice".to_owned()];
    for window in windows {
        headers.push(format!("samples {}", window.window));
        headers.push(format!("{header} {}", window.window));
    }
    let mut table = Table { caption, headers, rows: Vec::new() };
    let mut by_slice: BTreeMap<&str, BTreeMap<&str, &WindowStatus>> = BTreeMap::new();
    for window in version.windows.iter().filter(|window| window.slice != WHOLE) {
        by_slice.entry(&window.slice).or_default().insert(&window.window, window);
    }
    for (slice, found) in by_slice {
        let mut row = vec![Cell::new(slice)];
        for window in windows {
            let found = found.get(&*window.window);
            row.push(number(found.map_or(0, |window| window.samples)));
            let value = found.and_then(|window| value_cell(&window.values, name));
            row.push(value.unwrap_or_else(|| Cell::absent(NO_SAMPLE)));
        }
        table.rows.push(row);
    }
    table
}
