//! Everything that is wrong with a configuration, collected in one pass.
//!
//! Reading never stops at the first mistake: a reader reports to `Problems` and goes on with what is left.
//! Not here: where in the file a key is (`lines`).
//!
//! Invariant: a plan is made only of a configuration without errors, so what a reader returns after it has
//! reported an error is never run.

use std::cell::RefCell;
use std::fmt;

/// One mistake, or one thing to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub file: String,
    /// Counted from 1; `None` where the mistake has no place, such as a file that is missing.
    pub line: Option<usize>,
    /// The key it concerns, as in `logs[0].fields.time`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// All mistakes of a configuration, in the order of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Errors(pub Vec<Problem>);

/// What is wrong with a value, before it is known where the value is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) advice: Option<String>,
}

/// Where a value is: the keys and indices that lead to it from the top.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub(super) struct KeyPath(Vec<Step>);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Collects what readers find. Shared between them, hence the cell.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Found>>);

#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) severity: Severity,
    pub(super) at: KeyPath,
    pub(super) fault: Fault,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Severity {
    /// Nothing runs until it is put right.
    Error,
    /// It runs, and perhaps not as was meant.
    Warning,
}

// === impl Problem ===

/// `file:line: path: what`, and what to do about it on a line of its own.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)?;
        match &self.advice {
            Some(advice) => write!(f, "\n    {advice}"),
            None => Ok(()),
        }
    }
}

// === impl Errors ===

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

// === impl Fault ===

impl Fault {
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl From<String> for Fault {
    fn from(what: String) -> Self {
        Self { what, advice: None }
    }
}

impl From<&str> for Fault {
    fn from(what: &str) -> Self {
        Self::from(what.to_owned())
    }
}

// === impl KeyPath ===

impl KeyPath {
    pub(super) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    pub(super) fn is_below(&self, other: &Self) -> bool {
        self.0.len() > other.0.len() && self.0.starts_with(&other.0)
    }

    pub(super) fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }
}

/// As in `logs[0].fields.time`; a key that is not a plain word is quoted, as in `models["*"]`.
impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(element) => write!(f, "[{element}]")?,
                Step::Key(key) if !is_plain(key) => write!(f, "[{key:?}]")?,
                Step::Key(key) if index == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

// === impl Problems ===

impl Problems {
    pub(super) fn error(&self, at: &KeyPath, fault: impl Into<Fault>) {
        self.add(Severity::Error, at, fault.into());
    }

    pub(super) fn warn(&self, at: &KeyPath, fault: impl Into<Fault>) {
        self.add(Severity::Warning, at, fault.into());
    }

    fn add(&self, severity: Severity, at: &KeyPath, fault: Fault) {
        self.0.borrow_mut().push(Found { severity, at: at.clone(), fault });
    }

    pub(super) fn into_found(self) -> Vec<Found> {
        self.0.into_inner()
    }
}

/// At most `characters` of a text, without control characters: it may be part of a message on a terminal.
pub(super) fn shorten(text: &str, characters: usize) -> String {
    let clean = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut short: String = text.chars().take(characters).map(clean).collect();
    if text.chars().nth(characters).is_some() {
        short.push('…');
    }
    short
}

/// The candidate that `written` is most likely a slip of, if any is near enough.
pub(super) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters wrong is a slip; more is another word, and so is a single letter.
    let letters = written.chars().count();
    let far = (letters / 3).max(1).min(letters.saturating_sub(1));
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&written.to_lowercase(), candidate), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Advice for a word that is none of `candidates`: the nearest of them, and what `all` of them are.
pub(super) fn suggest(written: &str, all: &str, candidates: &[&str]) -> String {
    // Nobody reads a list of ten thousand classes.
    const LISTED_MAX: usize = 40;
    let mut list = candidates.iter().copied().take(LISTED_MAX).collect::<Vec<_>>().join(", ");
    if candidates.len() > LISTED_MAX {
        list.push_str(&format!(" and {} more", candidates.len() - LISTED_MAX));
    }
    match nearest(written, candidates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {all}: {list}"),
        None => format!("{all}: {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let keys = ["latency", "label", "id", "prediction"];
        assert_eq!(nearest("latncy", keys), Some("latency"));
        assert_eq!(nearest("Label", keys), Some("label"));
        assert_eq!(nearest("predicton", keys), Some("prediction"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("n", ["m"]), None);
    }

    #[test]
    fn a_key_that_is_no_plain_word_is_quoted_in_its_path() {
        let path = KeyPath::default().key("models").key("*").key("slices").index(2);
        assert_eq!(path.to_string(), r#"models["*"].slices[2]"#);
    }
}
