//! Closed sets of outcomes that are counted by name.

/// What became of a label: the `result` label of `inference_labels_total`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LabelResult {
    Joined,
    Orphan,
    Duplicate,
    Late,
    Invalid,
    Foreign,
    Unsampled,
}

/// Why a prediction will have no label: the `reason` label of `inference_predictions_unlabeled_total`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unlabeled {
    Expired,
    Evicted,
}

impl LabelResult {
    pub const ALL: [Self; 7] = [
        Self::Joined,
        Self::Orphan,
        Self::Duplicate,
        Self::Late,
        Self::Invalid,
        Self::Foreign,
        Self::Unsampled,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Orphan => "orphan",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Invalid => "invalid",
            Self::Foreign => "foreign",
            Self::Unsampled => "unsampled",
        }
    }
}

impl Unlabeled {
    pub const ALL: [Self; 2] = [Self::Expired, Self::Evicted];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Evicted => "evicted",
        }
    }
}
