//! What can become of a line that is not a record, each a value of a `reason` label.
//!
//! Both enums are `Copy` and closed: a rejected line is counted, never formatted.

/// Why a line was rejected: it should have been a record, and is not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reject {
    /// Not a record of the log's format: broken JSON, a wrong number of columns, no match of the pattern.
    Malformed,
    /// Longer than `limits.line`.
    TooLong,
    /// A mapped field is not valid UTF-8.
    InvalidUtf8,
    /// The mapped time is there and cannot be read as a time.
    InvalidTime,
    /// `fields.model` is mapped and the record names none.
    MissingModel,
    /// The record names a model that the configuration does not.
    UnknownModel,
    /// Nothing the log maps is in the record, so nothing can be counted from it.
    NothingMapped,
    /// `explode` points at something that is not an array.
    NotABatch,
    /// A container runtime line that is not in its runtime's format.
    Container,
    /// The file begins with the byte order mark of UTF-16.
    Encoding,
}

/// Why a line was rightly passed over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ignore {
    /// `where` does not hold.
    Condition,
    /// The header of a CSV file.
    Header,
    /// Nothing but white space.
    Empty,
}

// === impl Reject ===

impl Reject {
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::TooLong,
        Self::InvalidUtf8,
        Self::InvalidTime,
        Self::MissingModel,
        Self::UnknownModel,
        Self::NothingMapped,
        Self::NotABatch,
        Self::Container,
        Self::Encoding,
    ];

    /// What was expected, for a person.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Malformed => "not a record of the log's format",
            Self::TooLong => "longer than limits.line",
            Self::InvalidUtf8 => "a mapped field is not valid UTF-8",
            Self::InvalidTime => "the mapped time cannot be read as a time",
            Self::MissingModel => "the record names no model",
            Self::UnknownModel => "the configuration has no such model",
            Self::NothingMapped => "nothing that the log maps is there",
            Self::NotABatch => "explode points at something that is not an array",
            Self::Container => "not a line of the container runtime",
            Self::Encoding => "the file is UTF-16",
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::InvalidTime => "invalid_time",
            Self::MissingModel => "missing_model",
            Self::UnknownModel => "unknown_model",
            Self::NothingMapped => "nothing_mapped",
            Self::NotABatch => "not_a_batch",
            Self::Container => "container",
            Self::Encoding => "encoding",
        }
    }
}

// === impl Ignore ===

impl Ignore {
    pub const ALL: [Self; 3] = [Self::Condition, Self::Header, Self::Empty];

    /// Why it was right to, for a person.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Condition => "`where` does not hold",
            Self::Header => "the header of a CSV file",
            Self::Empty => "nothing but white space",
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::Header => "header",
            Self::Empty => "empty",
        }
    }
}
