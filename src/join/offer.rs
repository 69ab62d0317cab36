//! What is put into the join, and what comes of it.

use crate::time::Timestamp;

/// What is kept of a prediction until its label arrives.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Prediction {
    /// `UNTIMED` where it has none.
    pub time: Timestamp,
    pub version: u16,
    pub class: u16,
    /// Of the class's text, to tell two classes apart that are both folded into `__other__`.
    pub fingerprint: u32,
    /// Classifiers: the score, NaN where there is none. Regression: the predicted number.
    pub value: f64,
}

/// A label as the model understands it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Label {
    /// `UNTIMED` where it has none.
    pub time: Timestamp,
    pub class: u16,
    pub fingerprint: u32,
    /// Regression: the true number.
    pub value: f64,
}

/// The half of a request that has no prediction.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Half {
    pub time: Timestamp,
    /// Seconds, NaN where there is none.
    pub latency: f64,
    /// The caller's id of its status.
    pub status: Option<u16>,
}

/// What became of something that was put in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Offer {
    /// It waits for its counterpart.
    Waits,
    /// A prediction met the label that waited for it.
    MetLabel(Label),
    /// A prediction met a label that is too late for it, and waits on.
    MetLateLabel,
    /// A label or half met this prediction.
    MetPrediction(Prediction),
    /// The id already has a prediction (for a prediction), a label (for a label) or this half.
    Repeated { version: Option<u16> },
    /// A label came more than `wait` after its prediction, or after it had expired.
    Late { version: u16 },
}

/// Something that leaves the table without having met its counterpart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    /// At the time when it had waited long enough, whenever that is noticed.
    PredictionExpired {
        version: u16,
        at: Timestamp,
    },
    PredictionEvicted {
        version: u16,
    },
    /// A label that met no prediction, in time or because it had to make room.
    LabelUnmatched,
}

/// Something that waits, with what may be changed about it: class, fingerprint and value.
#[derive(Debug)]
pub enum Waiting<'a> {
    Prediction(&'a mut Prediction),
    Label(&'a mut Label),
}
