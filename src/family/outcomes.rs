//! Families of labelled predictions: the confusion matrix and the errors, as counters.

use super::Kind::{Counter, Histogram};
use super::writer::{Labels, Writer};
use super::{Family, Read, VersionView};
use crate::accumulator::cells::Cells;
use crate::gauge;
use crate::limits::{CELL_CLASSES_MAX, OTHER};
use crate::monitor::Task;
use crate::monitor::classes::{NEGATIVE, POSITIVE};
use crate::monitor::vocabulary::FOLDED;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "inference_outcomes_total",
        kind: Counter,
        help: "Labelled predictions by predicted and actual class: the confusion matrix. Above 16 classes \
               both classes read __other__ and inference_class_outcomes_total has the classes.",
        labels: &["predicted", "actual", "correct"],
        absent: "the task is regression",
        read: Read::Version(outcomes),
    },
    Family {
        name: "inference_slice_outcomes_total",
        kind: Counter,
        help: "Labelled predictions by the value of a slice; each counts once for every slice_by.",
        labels: &["slice_by", "slice", "predicted", "actual", "correct"],
        absent: "the task is regression, or the model has no slices",
        read: Read::Version(slice_outcomes),
    },
    Family {
        name: "inference_class_outcomes_total",
        kind: Counter,
        help: "Labelled predictions by class, in place of the confusion matrix above 16 classes.",
        labels: &["class", "result"],
        absent: "the task is regression, or there are no more than 16 classes",
        read: Read::Version(class_outcomes),
    },
    Family {
        name: "inference_outcome_score",
        kind: Histogram,
        help: "Scores of labelled predictions by actual class.",
        labels: &["actual"],
        absent: "the task is not binary, or no log of the model maps a score",
        read: Read::Version(outcome_scores),
    },
    Family {
        name: "inference_absolute_error",
        kind: Histogram,
        help: "Absolute errors of labelled predictions, in the unit of the label.",
        labels: &[],
        absent: "the task is not regression",
        read: Read::Version(absolute_error),
    },
    Family {
        name: "inference_squared_error_total",
        kind: Counter,
        help: "Sum of squared errors of labelled predictions, in the squared unit of the label.",
        labels: &[],
        absent: "the task is not regression",
        read: Read::Version(squared_error),
    },
    Family {
        name: "inference_error_sum_total",
        kind: Counter,
        help: "Sum of absolute errors of predictions over and under their label, in the unit of the label.",
        labels: &["direction"],
        absent: "the task is not regression",
        read: Read::Version(error_sums),
    },
];

const fn truth(correct: bool) -> &'static str {
    if correct { "true" } else { "false" }
}

fn is_regression(view: &VersionView<'_>) -> bool {
    matches!(view.monitor.config().task, Task::Regression)
}

fn known_classes(view: &VersionView<'_>) -> usize {
    view.monitor.classes().vocabulary().len()
}

/// Whether there are more classes than cells are shown for.
fn has_many_classes(view: &VersionView<'_>) -> bool {
    known_classes(view) > CELL_CLASSES_MAX + 1
}

fn outcomes(view: &VersionView<'_>, writer: &mut Writer) {
    if is_regression(view) {
        return;
    }
    let tally = &view.version.class_tally;
    match &view.version.cells {
        // Cells of classes that are known start at 0, so that the first outcome is an increase.
        Some(cells) if !has_many_classes(view) => {
            write_cells(view, writer, &[], cells, known_classes(view));
        }
        _ => write_folded(writer, &[], [tally.total() - tally.correct(), tally.correct()]),
    }
}

fn slice_outcomes(view: &VersionView<'_>, writer: &mut Writer) {
    if is_regression(view) {
        return;
    }
    for (by, id, slice) in gauge::slices(view.version) {
        let value = view.monitor.slices()[by].name(id);
        let labels = [("slice_by", &*view.monitor.config().slices[by]), ("slice", value)];
        match &slice.cells {
            Some(cells) if !has_many_classes(view) => {
                write_cells(view, writer, &labels, cells, view.monitor.classes().declared() + 1);
            }
            _ => write_folded(writer, &labels, slice.correct),
        }
    }
}

/// Cells that hold outcomes, and all pairs of real classes below `shown` at their count, be it 0.
fn write_cells(view: &VersionView<'_>, writer: &mut Writer, first: Labels<'_>, cells: &Cells, shown: usize) {
    let is_shown = |class: u16| class != FOLDED && usize::from(class) < shown;
    let mut write = |predicted: u16, actual: u16, correct: bool, count: u64| {
        let own = [view.class(predicted), view.class(actual), truth(correct)];
        write_outcome(writer, first, own, count);
    };
    let held = cells.classes() as u16;
    for cell in cells.iter() {
        let zero_shown = is_shown(cell.predicted)
            && is_shown(cell.actual)
            && cell.correct == (cell.predicted == cell.actual);
        if cell.count > 0 || zero_shown {
            write(cell.predicted, cell.actual, cell.correct, cell.count);
        }
    }
    // Classes that came up after the cells of this version were made.
    for predicted in 1..shown as u16 {
        for actual in 1..shown as u16 {
            if predicted >= held || actual >= held {
                write(predicted, actual, predicted == actual, 0);
            }
        }
    }
}

fn write_folded(writer: &mut Writer, first: Labels<'_>, counts: [u64; 2]) {
    for (correct, count) in [false, true].into_iter().zip(counts) {
        write_outcome(writer, first, [OTHER, OTHER, truth(correct)], count);
    }
}

/// `own` are predicted, actual and correct.
fn write_outcome(writer: &mut Writer, first: Labels<'_>, own: [&str; 3], count: u64) {
    let [predicted, actual, correct] = own;
    let own = [("predicted", predicted), ("actual", actual), ("correct", correct)];
    // At most two labels come before: slice_by and slice.
    let mut labels = [("", ""); 5];
    let length = first.len() + own.len();
    labels[..first.len()].copy_from_slice(first);
    labels[first.len()..length].copy_from_slice(&own);
    writer.count(&labels[..length], count);
}

fn class_outcomes(view: &VersionView<'_>, writer: &mut Writer) {
    if is_regression(view) || !has_many_classes(view) {
        return;
    }
    for class in 0..known_classes(view) as u16 {
        let counts = view.version.class_tally.class(class);
        if class == FOLDED && counts.predicted + counts.actual == 0 {
            continue;
        }
        let name = view.class(class);
        let results = [
            ("tp", counts.true_positives),
            ("fp", counts.predicted - counts.true_positives),
            ("fn", counts.actual - counts.true_positives),
        ];
        for (result, count) in results {
            writer.count(&[("class", name), ("result", result)], count);
        }
    }
}

fn outcome_scores(view: &VersionView<'_>, writer: &mut Writer) {
    let config = view.monitor.config();
    if !config.maps_score || !matches!(config.task, Task::Binary { .. }) {
        return;
    }
    for (class, histogram) in [NEGATIVE, POSITIVE].into_iter().zip(&view.version.outcome_score) {
        writer.histogram(&[("actual", view.class(class.id))], histogram, &[]);
    }
}

fn absolute_error(view: &VersionView<'_>, writer: &mut Writer) {
    if is_regression(view) {
        writer.histogram(&[], &view.version.absolute_error, &[]);
    }
}

fn squared_error(view: &VersionView<'_>, writer: &mut Writer) {
    if is_regression(view) {
        writer.value(&[], view.version.squared_error.value());
    }
}

fn error_sums(view: &VersionView<'_>, writer: &mut Writer) {
    if is_regression(view) {
        for (direction, sum) in ["over", "under"].into_iter().zip(&view.version.error_sums) {
            writer.value(&[("direction", direction)], sum.value());
        }
    }
}
