//! `task` of one model, and the keys that only some tasks have.

use super::problem::Fault;
use super::table::{Node, Table, describe};
use super::value;
use crate::limits;
use crate::monitor::{Limits, Task};
use serde_yaml::Value;

const THRESHOLD_DEFAULT: f64 = 0.5;

#[derive(Clone, Copy, Debug)]
enum TaskName {
    Binary,
    Multiclass,
    Regression,
}

const TASKS: [(&str, TaskName); 3] = [
    ("binary", TaskName::Binary),
    ("multiclass", TaskName::Multiclass),
    ("regression", TaskName::Regression),
];
/// Tasks that are known by name and not built.
const TASKS_LATER: [&str; 3] = ["multilabel", "ranking", "generation"];

/// The task; `None` where it was reported.
pub(super) fn read_task(table: &Table<'_>, limits: &Limits) -> Option<Task> {
    let node = table.require("task", "write `task: binary`, `multiclass` or `regression`")?;
    if node.value.as_str().is_some_and(|task| TASKS_LATER.contains(&task)) {
        node.error(
            Fault::from(format!("{} is not available in this version", describe(node.value)))
                .advise("this version has binary, multiclass and regression"),
        );
        return None;
    }
    let name = node.read(|value| value::word(value, &TASKS))?;
    report_foreign_keys(table, name);
    match name {
        TaskName::Binary => read_binary(table, limits),
        TaskName::Multiclass => read_multiclass(table, limits),
        TaskName::Regression => Some(Task::Regression),
    }
}

fn report_foreign_keys(table: &Table<'_>, task: TaskName) {
    let report = |keys: &[&'static str], owner: &str, advice: &str| {
        for key in keys.iter().filter(|key| table.has(key)) {
            let fault = Fault::from(format!("is for {owner} models"));
            table.problems.error(&table.path(key), fault.advise(advice));
        }
    };
    let binary = ["positive", "negative", "threshold"];
    let multiclass = ["classes", "top_k"];
    match task {
        TaskName::Binary => {
            report(
                &multiclass,
                "multiclass",
                "remove it: the classes of a binary model are `positive` and `negative`",
            );
        }
        TaskName::Multiclass => report(&binary, "binary", "remove it, or write `task: binary`"),
        TaskName::Regression => {
            report(&binary, "binary", "remove it");
            report(&multiclass, "multiclass", "remove it");
        }
    }
}

fn read_binary(table: &Table<'_>, limits: &Limits) -> Option<Task> {
    let threshold = table.read("threshold", value::number).unwrap_or(THRESHOLD_DEFAULT);
    let positive = table
        .require(
            "positive",
            "write the class that counts as positive as it is in the logs, for example \"1\"",
        )
        .and_then(|node| node.read(value::class));
    let negative = table.read("negative", value::class);
    let positive = positive?;
    let negative = match negative {
        Some(negative) => negative,
        None if table.has("negative") => return None,
        None => {
            let Some(negative) = complement(&positive) else {
                let fault =
                    Fault::from(format!("`negative` is missing: nothing is the other of `{positive}`"));
                table.problems.error(&table.at, fault.advise("write the other class as it is in the logs"));
                return None;
            };
            negative.to_owned()
        }
    };
    if positive == negative {
        table
            .problems
            .error(&table.path("negative"), format!("is the same class as `positive`: `{positive}`"));
    }
    for (key, class) in [("positive", &positive), ("negative", &negative)] {
        if class.len() > limits.value_length {
            table.problems.error(&table.path(key), over_value_length(class, limits));
        }
    }
    if limits.values < 2 {
        let fault = Fault::from("a binary model has two classes").advise("raise `values` to 2 or more");
        table.problems.error(&table.path("limits").key("values"), fault);
    }
    Some(Task::Binary { positive, negative, threshold })
}

fn over_value_length(class: &str, limits: &Limits) -> Fault {
    let fault =
        format!("is {} bytes long, and `limits.value_length` is {}", class.len(), limits.value_length);
    Fault::from(fault).advise("raise the limit, or name the class by less")
}

fn complement(class: &str) -> Option<&'static str> {
    match class {
        "0" => Some("1"),
        "1" => Some("0"),
        "true" => Some("false"),
        "false" => Some("true"),
        _ => None,
    }
}

fn read_multiclass(table: &Table<'_>, limits: &Limits) -> Option<Task> {
    let classes = match table.get("classes") {
        Some(node) => read_classes(&node, limits),
        None => {
            if !table.has("classes") {
                table.problems.warn(
                    &table.at,
                    Fault::from("`classes` is missing, so no series exists before its first event").advise(
                        "declare the classes: then their cells start at 0, and rate() and increase() see \
                         the first event",
                    ),
                );
            }
            Vec::new()
        }
    };
    let mut top_k = Vec::new();
    if let Some(node) = table.get("top_k") {
        for (node, k) in
            node.list(|value| value::count(value, 1..=limits::CLASSES_CEILING)).unwrap_or_default()
        {
            let k = u32::try_from(k).unwrap_or(u32::MAX);
            if top_k.contains(&k) {
                node.error(format!("{k} is named twice"));
            } else if !classes.is_empty() && classes.len() <= k as usize {
                node.problems.warn(
                    &node.at,
                    format!("with {} classes, the label is always among the first {k}", classes.len()),
                );
            }
            top_k.push(k);
        }
        top_k.sort_unstable();
    }
    Some(Task::Multiclass { classes, top_k })
}

fn read_classes(node: &Node<'_>, limits: &Limits) -> Vec<String> {
    let mut classes: Vec<String> = Vec::new();
    // The set, so that ten thousand classes do not take a hundred million comparisons.
    let mut seen = std::collections::HashSet::new();
    for (node, class) in node.list(value::class).unwrap_or_default() {
        if class == limits::OTHER {
            node.error(format!("`{class}` is the name of what is over a limit"));
        } else if class.len() > limits.value_length {
            node.error(over_value_length(&class, limits));
        } else if seen.insert(class.clone()) {
            classes.push(class);
        } else {
            node.error(
                Fault::from(format!("class `{class}` is declared twice"))
                    .advise("whole numbers are one class however they are written: 1, 1.0, \"1\""),
            );
        }
    }
    if matches!(node.value, Value::Sequence(elements) if elements.len() < 2) {
        node.error(Fault::from("needs two classes or more").advise("declare them all, or remove the key"));
    }
    if classes.len() > limits::CLASSES_CEILING {
        node.error(format!(
            "has {} classes; at most {} are possible",
            classes.len(),
            limits::CLASSES_CEILING
        ));
    } else if classes.len() > limits.values {
        node.error(
            Fault::from(format!(
                "has {} classes, and `limits.values` allows {}",
                classes.len(),
                limits.values
            ))
            .advise(format!("raise `limits.values` to {} or more, or declare fewer classes", classes.len())),
        );
    }
    classes
}
