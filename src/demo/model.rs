//! The demo's models: fitted by scikit-learn (`fit.py`), embedded, and evaluated here.
//!
//! Linear models only: a logistic regression of two classes or more, and a ridge regression, on standardised
//! features. Invariant: an answer equals scikit-learn's to 1e-9.

use serde::{Deserialize, Serialize};

/// One model in its releases, and the held-out rows that the demo asks it about.
#[derive(Deserialize, Debug)]
pub struct Model {
    pub name: String,
    pub task: Task,
    pub features: Vec<String>,
    /// In the order of the probabilities; empty in regression.
    pub classes: Vec<String>,
    pub versions: Vec<Release>,
    pub rows: Vec<Row>,
    #[cfg(test)]
    examples: Vec<Example>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    Binary,
    Multiclass,
    Regression,
}

/// The parameters of one version.
#[derive(Deserialize, Debug)]
pub struct Release {
    pub version: String,
    /// Of each feature in the training set.
    means: Vec<f64>,
    scales: Vec<f64>,
    /// One row for each linear score: one in binary and regression, one for each class in multiclass.
    coefficients: Vec<Vec<f64>>,
    intercepts: Vec<f64>,
}

/// A row that no version was fitted on.
#[derive(Deserialize, Debug)]
pub struct Row {
    pub features: Vec<f64>,
    /// The index of the class, or the number.
    label: f64,
}

/// What a model says of one row.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// One for each class; they add up to 1.
    Probabilities(Vec<f64>),
    Number(f64),
}

/// What scikit-learn says of one row.
#[cfg(test)]
#[derive(Deserialize, Debug)]
struct Example {
    version: usize,
    row: usize,
    answer: Vec<f64>,
}

#[derive(Deserialize)]
struct Embedded {
    models: Vec<Model>,
}

/// The models of the demo.
pub fn fitted() -> Vec<Model> {
    match serde_json::from_str::<Embedded>(include_str!("models.json")) {
        Ok(embedded) => embedded.models,
        Err(error) => unreachable!("models.json is part of the program: {error}"),
    }
}

// === impl Model ===

impl Model {
    /// What release `version` says of a row with these features.
    pub fn answer(&self, version: usize, features: &[f64]) -> Answer {
        let scores = self.versions[version].scores(features);
        match self.task {
            Task::Regression => Answer::Number(scores[0]),
            Task::Binary => {
                let positive = 1.0 / (1.0 + (-scores[0]).exp());
                Answer::Probabilities(vec![1.0 - positive, positive])
            }
            Task::Multiclass => Answer::Probabilities(softmax(&scores)),
        }
    }

    /// The label of a row as it is logged: the class's name, or the number.
    pub fn label(&self, row: &Row) -> String {
        match self.task {
            Task::Regression => row.label.to_string(),
            Task::Binary | Task::Multiclass => self.classes[row.label as usize].clone(),
        }
    }
}

// === impl Release ===

impl Release {
    fn scores(&self, features: &[f64]) -> Vec<f64> {
        let standardised: Vec<f64> = features
            .iter()
            .zip(&self.means)
            .zip(&self.scales)
            .map(|((feature, mean), scale)| (feature - mean) / scale)
            .collect();
        self.coefficients
            .iter()
            .zip(&self.intercepts)
            .map(|(row, intercept)| {
                intercept + row.iter().zip(&standardised).map(|(weight, value)| weight * value).sum::<f64>()
            })
            .collect()
    }
}

/// Shifted by the largest score, so that no exponential overflows.
fn softmax(scores: &[f64]) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// The index of the most probable class.
pub fn most_probable(probabilities: &[f64]) -> usize {
    let mut best = 0;
    for (index, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_those_of_scikit_learn() {
        for model in fitted() {
            assert!(model.examples.len() >= 2 * model.versions.len(), "{}", model.name);
            for example in &model.examples {
                let answer = match model.answer(example.version, &model.rows[example.row].features) {
                    Answer::Probabilities(probabilities) => probabilities,
                    Answer::Number(number) => vec![number],
                };
                assert_eq!(answer.len(), example.answer.len());
                for (ours, theirs) in answer.iter().zip(&example.answer) {
                    // Sums in another order differ in the last bits; the project's bound for agreement.
                    assert!(
                        (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0),
                        "{}: {example:?}",
                        model.name
                    );
                }
            }
        }
    }

    #[test]
    fn the_second_release_of_every_model_is_worse() {
        for model in fitted() {
            let [good, bad] = [0, 1].map(|version| mean_error(&model, version));
            assert!(bad > 1.3 * good, "{}: {good} and {bad}", model.name);
        }
    }

    /// The share of wrong classes, or the mean absolute error.
    fn mean_error(model: &Model, version: usize) -> f64 {
        let error = |row: &Row| match model.answer(version, &row.features) {
            Answer::Number(number) => (number - row.label).abs(),
            Answer::Probabilities(all) => f64::from(u8::from(most_probable(&all) != row.label as usize)),
        };
        model.rows.iter().map(error).sum::<f64>() / model.rows.len() as f64
    }
}
