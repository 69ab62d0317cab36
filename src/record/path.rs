//! Field paths: `model.version`, `outputs[0].data[0]`, `usage["gen_ai.usage.input_tokens"]`.
//!
//! Not a query language: a path names one place, and has no wildcard but `[]`, which marks the elements of
//! the array that `explode` names (`outputs[].score`).

use crate::limits::JSON_DEPTH_MAX;

/// Where a field is in a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// As it was written: in flat formats (logfmt, csv, regex) the whole text is also a field's name.
    pub text: String,
    pub steps: Vec<Segment>,
}

/// One step into a nested record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Segment {
    Key(String),
    Index(u32),
    /// `[]`: each element of the exploded array. It has no meaning elsewhere; see `Path::inside`.
    Each,
}

/// A path that cannot be read: where, and what should stand there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("column {column}: expected {expected}")]
pub struct PathError {
    /// Counted in characters from 1.
    pub column: usize,
    pub expected: &'static str,
}

/// The text of a path and how far it has been read.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

// === impl Path ===

impl Path {
    /// Reads a path: keys parted by dots, `[0]` for an array's element, `["…"]` or `['…']` for keys that
    /// hold dots or brackets (there, a backslash takes the next character as it is), `[]` for the elements
    /// of the exploded array.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut cursor = Cursor { text, at: 0 };
        let mut steps = Vec::new();
        loop {
            let step = match cursor.peek() {
                Some('[') => cursor.bracket()?,
                Some('.') if !steps.is_empty() => {
                    cursor.at += 1;
                    cursor.key("a key after the dot")?
                }
                None if !steps.is_empty() => return Ok(Self { text: text.to_owned(), steps }),
                Some(_) if !steps.is_empty() => return Err(cursor.error("`.`, `[` or the end of the path")),
                _ => cursor.key("a key or `[`")?,
            };
            if steps.len() == JSON_DEPTH_MAX {
                return Err(cursor.error("a path of at most 128 steps"));
            }
            steps.push(step);
        }
    }

    /// The steps from an element of the array at `explode` to this path, or `None` where the path does not
    /// begin with `explode`. Empty where the path is the element itself.
    pub fn inside(&self, explode: &Self) -> Option<&[Segment]> {
        let rest = self.steps.strip_prefix(explode.array_steps())?;
        Some(rest.strip_prefix(&[Segment::Each]).unwrap_or(rest))
    }

    /// The steps to the array, for a path that names an array to explode: `outputs` and `outputs[]` are the
    /// same, and `[]` is the whole line.
    pub fn array_steps(&self) -> &[Segment] {
        self.steps.strip_suffix(&[Segment::Each]).unwrap_or(&self.steps)
    }

    /// Whether `[]` stands where it means nothing, so that the path can never be found; a configuration
    /// with such a path is wrong.
    pub fn has_stray_each(&self, explode: Option<&Self>) -> bool {
        explode.and_then(|array| self.inside(array)).unwrap_or(&self.steps).contains(&Segment::Each)
    }

    /// The field's name in a flat format: the key where the path is one key, else the path as it was
    /// written, so that `model.version` finds a column of that name.
    pub fn flat_name(&self) -> &str {
        match self.steps.as_slice() {
            [Segment::Key(key)] => key,
            _ => &self.text,
        }
    }
}

// === impl Cursor ===

impl Cursor<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn error(&self, expected: &'static str) -> PathError {
        PathError { column: self.text[..self.at].chars().count() + 1, expected }
    }

    fn key(&mut self, expected: &'static str) -> Result<Segment, PathError> {
        let start = self.at;
        while let Some(next) = self.peek() {
            match next {
                '.' | '[' => break,
                ']' | '"' => return Err(self.error("a key with `]` or `\"` in it to be written [\"…\"]")),
                _ => self.at += next.len_utf8(),
            }
        }
        if self.at == start {
            return Err(self.error(expected));
        }
        Ok(Segment::Key(self.text[start..self.at].to_owned()))
    }

    /// Reads `[…]`; the cursor stands on the opening bracket.
    fn bracket(&mut self) -> Result<Segment, PathError> {
        self.at += 1;
        let step = match self.peek() {
            Some(']') => Segment::Each,
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            Some('0'..='9') => self.index()?,
            _ => return Err(self.error("an index, a quoted key or `]`")),
        };
        if self.peek() != Some(']') {
            return Err(self.error("`]`"));
        }
        self.at += 1;
        Ok(step)
    }

    fn quoted(&mut self, quote: char) -> Result<Segment, PathError> {
        self.at += 1;
        let mut key = String::new();
        loop {
            match self.take() {
                Some('\\') => match self.take() {
                    Some(next) => key.push(next),
                    None => return Err(self.error("a character after the backslash")),
                },
                Some(next) if next == quote => return Ok(Segment::Key(key)),
                Some(next) => key.push(next),
                None => return Err(self.error("the closing quote of the key")),
            }
        }
    }

    fn index(&mut self) -> Result<Segment, PathError> {
        let start = self.at;
        while matches!(self.peek(), Some('0'..='9')) {
            self.at += 1;
        }
        match self.text[start..self.at].parse() {
            Ok(index) => Ok(Segment::Index(index)),
            Err(_) => Err(Cursor { text: self.text, at: start }.error("an index below 4294967296")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Segment {
        Segment::Key(text.to_owned())
    }

    fn check(text: &str, expected: &[Segment]) {
        assert_eq!(Path::parse(text).map(|path| path.steps), Ok(expected.to_vec()), "{text}");
    }

    #[test]
    fn paths_are_read_into_steps() {
        use Segment::{Each, Index};
        check("a", &[key("a")]);
        check("a.b", &[key("a"), key("b")]);
        check("a[0].b", &[key("a"), Index(0), key("b")]);
        check("[12]", &[Index(12)]);
        check("a[0][1]", &[key("a"), Index(0), Index(1)]);
        check(r#"a["key.with.dots"]"#, &[key("a"), key("key.with.dots")]);
        check(r#"["k"].b"#, &[key("k"), key("b")]);
        check(r#"["say \"hi\" \\"]"#, &[key(r#"say "hi" \"#)]);
        check("['it\\'s']", &[key("it's")]);
        check(r#"[""]"#, &[key("")]);
        check("outputs[].x", &[key("outputs"), Each, key("x")]);
        check("@timestamp", &[key("@timestamp")]);
        check("x-request-id", &[key("x-request-id")]);
        check("größe.maß", &[key("größe"), key("maß")]);
    }

    #[test]
    fn errors_say_where_and_what() {
        for (text, expected) in [
            ("", "column 1: expected a key or `[`"),
            (".a", "column 1: expected a key or `[`"),
            ("a.", "column 3: expected a key after the dot"),
            ("a..b", "column 3: expected a key after the dot"),
            ("a.[0]", "column 3: expected a key after the dot"),
            ("a[x]", "column 3: expected an index, a quoted key or `]`"),
            ("a[-1]", "column 3: expected an index, a quoted key or `]`"),
            ("größe[1", "column 8: expected `]`"),
            ("a[0]b", "column 5: expected `.`, `[` or the end of the path"),
            ("a[\"b", "column 5: expected the closing quote of the key"),
            ("a[\"b\\", "column 6: expected a character after the backslash"),
            ("a[4294967296]", "column 3: expected an index below 4294967296"),
            ("a]", "column 2: expected a key with `]` or `\"` in it to be written [\"…\"]"),
        ] {
            assert_eq!(
                Path::parse(text).map_err(|error| error.to_string()),
                Err(expected.to_owned()),
                "{text}"
            );
        }
        assert!(Path::parse(&"[0]".repeat(JSON_DEPTH_MAX)).is_ok());
        assert!(Path::parse(&"[0]".repeat(JSON_DEPTH_MAX + 1)).is_err());
    }

    #[test]
    fn a_path_inside_the_exploded_array_starts_at_the_element() {
        let path = |text: &str| Path::parse(text).unwrap();
        for (text, explode, expected) in [
            ("outputs.x", "outputs", Some(vec![key("x")])),
            ("outputs[].x", "outputs", Some(vec![key("x")])),
            ("outputs[].x", "outputs[]", Some(vec![key("x")])),
            ("outputs", "outputs", Some(vec![])),
            ("outputs[]", "outputs", Some(vec![])),
            ("outputs[1]", "outputs", Some(vec![Segment::Index(1)])),
            ("id", "[]", Some(vec![key("id")])),
            ("outputs2.x", "outputs", None),
            ("id", "outputs", None),
        ] {
            assert_eq!(path(text).inside(&path(explode)), expected.as_deref(), "{text} in {explode}");
        }
        assert!(path("a[].b").has_stray_each(None));
        assert!(path("a[].b[].c").has_stray_each(Some(&path("a"))));
        assert!(!path("a[].b").has_stray_each(Some(&path("a"))));
    }

    #[test]
    fn a_single_key_is_its_own_flat_name() {
        for (text, name) in [("a", "a"), (r#"["a.b"]"#, "a.b"), ("a.b", "a.b"), ("a[0]", "a[0]")] {
            assert_eq!(Path::parse(text).unwrap().flat_name(), name);
        }
    }
}
