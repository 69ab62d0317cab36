//! Families of the windows: quality gauges that no query can compute from counters. Never averaged.

use super::Kind::Gauge;
use super::writer::Writer;
use super::{Family, Read, WindowView};
use crate::gauge::{Averaged, ClassValues, RankingValues, Scalar};
use crate::score::Average;

const CLASSIFIERS: &str = "the task is regression, or there is no sample";
const CLASS_UNDEFINED: &str =
    "the task is regression, the class was neither predicted nor actual, or the denominator is 0";
const AVERAGE_UNDEFINED: &str = "the task is regression, the slice is not all, or no class has the value";
const SCORES: &str = "the slice is not all, no outcome has the scores it takes, or one is outside 0..1";
const RANKING: &str = "the slice is not all, or scored outcomes are all of one class";
const REGRESSION: &str = "the task is not regression, or there is no sample";

pub(super) const FAMILIES: &[Family] = &[
    gauge(
        "inference_label_coverage_ratio",
        "Predictions that got their label out of all that were settled in the window: joined, expired or \
         evicted.",
        &[],
        "the slice is not all, or nothing was settled",
        |view, writer| writer.value(&[], view.values.scalar(Scalar::Coverage)),
    ),
    gauge("inference_window_samples", "Labelled predictions in the window.", &[], "", |view, writer| {
        writer.count(&[], view.values.samples);
    }),
    gauge(
        "inference_accuracy_ratio",
        "Share of labelled predictions that were right.",
        &[],
        CLASSIFIERS,
        |view, writer| writer.value(&[], view.values.scalar(Scalar::Accuracy)),
    ),
    gauge(
        "inference_accuracy_lower_ratio",
        "Lower end of the 95 % Wilson interval of accuracy.",
        &[],
        CLASSIFIERS,
        |view, writer| writer.value(&[], view.values.scalar(Scalar::AccuracyLower)),
    ),
    gauge(
        "inference_accuracy_upper_ratio",
        "Upper end of the 95 % Wilson interval of accuracy.",
        &[],
        CLASSIFIERS,
        |view, writer| writer.value(&[], view.values.scalar(Scalar::AccuracyUpper)),
    ),
    gauge(
        "inference_precision_ratio",
        "Of the predictions of a class, the share that was right: tp / (tp + fp).",
        &["class"],
        CLASS_UNDEFINED,
        |view, writer| each_class(view, writer, |values| values.precision[0]),
    ),
    gauge(
        "inference_precision_lower_ratio",
        "Lower end of the 95 % Wilson interval of precision.",
        &["class"],
        "the slice is not all, or precision is undefined",
        |view, writer| each_class_of_all(view, writer, |values| values.precision[1]),
    ),
    gauge(
        "inference_precision_upper_ratio",
        "Upper end of the 95 % Wilson interval of precision.",
        &["class"],
        "the slice is not all, or precision is undefined",
        |view, writer| each_class_of_all(view, writer, |values| values.precision[2]),
    ),
    gauge(
        "inference_recall_ratio",
        "Of the labels of a class, the share that was predicted: tp / (tp + fn).",
        &["class"],
        CLASS_UNDEFINED,
        |view, writer| each_class(view, writer, |values| values.recall[0]),
    ),
    gauge(
        "inference_recall_lower_ratio",
        "Lower end of the 95 % Wilson interval of recall.",
        &["class"],
        "the slice is not all, or recall is undefined",
        |view, writer| each_class_of_all(view, writer, |values| values.recall[1]),
    ),
    gauge(
        "inference_recall_upper_ratio",
        "Upper end of the 95 % Wilson interval of recall.",
        &["class"],
        "the slice is not all, or recall is undefined",
        |view, writer| each_class_of_all(view, writer, |values| values.recall[2]),
    ),
    gauge(
        "inference_f1_score",
        "Harmonic mean of precision and recall of a class: 2 tp / (2 tp + fp + fn).",
        &["class"],
        CLASS_UNDEFINED,
        |view, writer| each_class(view, writer, |values| values.f1),
    ),
    gauge(
        "inference_specificity_ratio",
        "Of the labels of other classes, the share that was not predicted as this one: tn / (tn + fp).",
        &["class"],
        "the task is regression, the slice is not all, the class was neither predicted nor actual, or the \
         denominator is 0",
        |view, writer| each_class_of_all(view, writer, |values| values.specificity),
    ),
    gauge(
        "inference_precision_average_ratio",
        "Precision averaged over classes; classes where it is undefined are left out with their weight.",
        &["average"],
        AVERAGE_UNDEFINED,
        |view, writer| each_average(view, writer, Averaged::Precision),
    ),
    gauge(
        "inference_recall_average_ratio",
        "Recall averaged over classes; classes where it is undefined are left out with their weight.",
        &["average"],
        AVERAGE_UNDEFINED,
        |view, writer| each_average(view, writer, Averaged::Recall),
    ),
    gauge(
        "inference_f1_average_score",
        "F1 averaged over classes.",
        &["average"],
        AVERAGE_UNDEFINED,
        |view, writer| each_average(view, writer, Averaged::F1),
    ),
    gauge(
        "inference_specificity_average_ratio",
        "Specificity averaged over classes; classes where it is undefined are left out with their weight.",
        &["average"],
        AVERAGE_UNDEFINED,
        |view, writer| each_average(view, writer, Averaged::Specificity),
    ),
    gauge(
        "inference_balanced_accuracy_ratio",
        "Mean recall of the classes that have labels.",
        &[],
        AVERAGE_UNDEFINED,
        |view, writer| writer.value(&[], view.values.scalar(Scalar::BalancedAccuracy)),
    ),
    gauge(
        "inference_mcc",
        "Matthews correlation coefficient, -1 to 1.",
        &[],
        "the task is regression, the slice is not all, or all labels or predictions are of one class",
        |view, writer| writer.value(&[], view.values.scalar(Scalar::Mcc)),
    ),
    gauge(
        "inference_cohen_kappa",
        "Cohen's kappa: agreement beyond chance, -1 to 1.",
        &[],
        "the task is regression, the slice is not all, or chance alone agrees always",
        |view, writer| writer.value(&[], view.values.scalar(Scalar::CohenKappa)),
    ),
    gauge(
        "inference_top_k_accuracy_ratio",
        "Share of labels that are among the k classes with the highest scores.",
        &["k"],
        "the task is not multiclass, top_k is not configured, or no outcome has all scores",
        |view, writer| {
            for (k, accuracy) in &view.values.top_k {
                writer.value(&[("k", itoa::Buffer::new().format(*k))], *accuracy);
            }
        },
    ),
    gauge(
        "inference_roc_auc",
        "Area under the ROC curve, of scores in 1024 bins; in multiclass of each class against the rest.",
        &["class"],
        RANKING,
        |view, writer| each_ranking(view, writer, |values| values.roc_auc[0]),
    ),
    gauge(
        "inference_roc_auc_error_bound",
        "How far inference_roc_auc can be from the exact value.",
        &["class"],
        RANKING,
        |view, writer| each_ranking(view, writer, |values| values.roc_auc[1]),
    ),
    gauge(
        "inference_pr_auc",
        "Average precision, of scores in 1024 bins; in multiclass of each class against the rest.",
        &["class"],
        RANKING,
        |view, writer| each_ranking(view, writer, |values| values.pr_auc[0]),
    ),
    gauge(
        "inference_pr_auc_error_bound",
        "How far inference_pr_auc can be from the exact value.",
        &["class"],
        RANKING,
        |view, writer| each_ranking(view, writer, |values| values.pr_auc[1]),
    ),
    gauge(
        "inference_log_loss",
        "Mean negative log likelihood of the actual class, in nats; scores are clipped at 2.2e-16.",
        &[],
        SCORES,
        |view, writer| writer.value(&[], view.values.scalar(Scalar::LogLoss)),
    ),
    gauge(
        "inference_brier_score",
        "Mean squared distance of the scores to the outcome: 0 to 1 in binary, 0 to 2 in multiclass.",
        &[],
        SCORES,
        |view, writer| writer.value(&[], view.values.scalar(Scalar::BrierScore)),
    ),
    gauge(
        "inference_calibration_error",
        "Expected calibration error over 15 equal-width bins of the positive (multiclass: top) score.",
        &[],
        SCORES,
        |view, writer| writer.value(&[], view.values.scalar(Scalar::CalibrationError)),
    ),
    gauge(
        "inference_mse",
        "Mean squared error, in the squared unit of the label.",
        &[],
        REGRESSION,
        |view, writer| {
            writer.value(&[], view.values.scalar(Scalar::Mse));
        },
    ),
    gauge(
        "inference_rmse",
        "Root of the mean squared error, in the unit of the label.",
        &[],
        REGRESSION,
        |view, writer| {
            writer.value(&[], view.values.scalar(Scalar::Rmse));
        },
    ),
    gauge(
        "inference_mae",
        "Mean absolute error, in the unit of the label.",
        &[],
        REGRESSION,
        |view, writer| {
            writer.value(&[], view.values.scalar(Scalar::Mae));
        },
    ),
    gauge(
        "inference_mape_ratio",
        "Mean absolute error as a share of the label; labels of 0 are left out.",
        &[],
        "the task is not regression, the slice is not all, or every label is 0",
        |view, writer| writer.value(&[], view.values.scalar(Scalar::Mape)),
    ),
    gauge(
        "inference_bias",
        "Mean of prediction - label, in the unit of the label: above 0 the model says too much.",
        &[],
        REGRESSION,
        |view, writer| writer.value(&[], view.values.scalar(Scalar::Bias)),
    ),
    gauge(
        "inference_r2",
        "Coefficient of determination, at most 1.",
        &[],
        "the task is not regression, the slice is not all, or the labels do not vary",
        |view, writer| writer.value(&[], view.values.scalar(Scalar::R2)),
    ),
];

const fn gauge(
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    absent: &'static str,
    read: fn(&WindowView<'_>, &mut Writer),
) -> Family {
    Family { name, kind: Gauge, help, labels, absent, read: Read::Window(read) }
}

fn each_class(view: &WindowView<'_>, writer: &mut Writer, value: fn(&ClassValues) -> f64) {
    for values in &view.values.classes {
        writer.value(&[("class", view.class(values.class))], value(values));
    }
}

/// For values that are not shown for slices.
fn each_class_of_all(view: &WindowView<'_>, writer: &mut Writer, value: fn(&ClassValues) -> f64) {
    if view.values.slice.is_none() {
        each_class(view, writer, value);
    }
}

fn each_average(view: &WindowView<'_>, writer: &mut Writer, averaged: Averaged) {
    for average in Average::ALL {
        writer.value(&[("average", average.name())], view.values.average(averaged, average));
    }
}

fn each_ranking(view: &WindowView<'_>, writer: &mut Writer, value: fn(&RankingValues) -> f64) {
    for values in &view.values.rankings {
        match values.class {
            None => writer.value(&[], value(values)),
            Some(class) => writer.value(&[("class", view.class(class))], value(values)),
        }
    }
}
