//! A table with a meaning and no looks: the page draws it in HTML, the report in characters.

/// Rows of cells under headers; the first column names the row.
#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    /// What the table is of, for whoever meets it without its surroundings.
    pub caption: String,
    pub headers: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Cell {
    pub text: String,
    /// What else there is to say: why a value is absent, the exact time.
    pub note: Option<String>,
    pub tone: Tone,
}

/// What a cell wants of the reader. The text says it too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    Plain,
    Good,
    Bad,
    Unsure,
    /// There is no value, and the note says why.
    Absent,
}

/// What stands for a value that is absent.
pub const ABSENT: &str = "–";

// === impl Table ===

impl Table {
    pub fn new(caption: impl Into<String>, headers: &[&str]) -> Self {
        let headers = headers.iter().map(|&header| header.to_owned()).collect();
        Self { caption: caption.into(), headers, rows: Vec::new() }
    }

    /// Why values are absent: each reason once, with the rows that it is true of.
    pub fn reasons(&self) -> Vec<(String, Vec<String>)> {
        let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
        for row in &self.rows {
            for cell in row.iter().filter(|cell| cell.tone == Tone::Absent) {
                let Some(reason) = &cell.note else { continue };
                let known = reasons.iter().position(|(known, _)| known == reason);
                let place = known.unwrap_or_else(|| {
                    reasons.push((reason.clone(), Vec::new()));
                    reasons.len() - 1
                });
                let named = &mut reasons[place].1;
                if named.last() != Some(&row[0].text) {
                    named.push(row[0].text.clone());
                }
            }
        }
        reasons
    }

    /// Takes out the columns, but the first, in which every cell is empty.
    pub fn without_empty_columns(mut self) -> Self {
        for column in (1..self.headers.len()).rev() {
            if self.rows.iter().all(|row| row[column].text.is_empty()) {
                self.headers.remove(column);
                self.rows.iter_mut().for_each(|row| drop(row.remove(column)));
            }
        }
        self
    }
}

// === impl Cell ===

impl Cell {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), note: None, tone: Tone::Plain }
    }

    pub fn absent(reason: impl Into<String>) -> Self {
        Self { text: ABSENT.to_owned(), note: Some(reason.into()), tone: Tone::Absent }
    }

    pub fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub fn toned(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_once_with_the_rows_it_is_true_of() {
        let mut table = Table::new("", &["value", "5m", "1h"]);
        let absent = |reason: &str| Cell::absent(reason);
        table.rows.push(vec![Cell::new("mcc"), absent("one class"), absent("one class")]);
        table.rows.push(vec![Cell::new("f1"), absent("no sample"), Cell::new("0.5")]);
        table.rows.push(vec![Cell::new("kappa"), Cell::new("0.1"), absent("one class")]);
        let expected = [
            ("one class".to_owned(), vec!["mcc".to_owned(), "kappa".to_owned()]),
            ("no sample".to_owned(), vec!["f1".to_owned()]),
        ];
        assert_eq!(table.reasons(), expected);
    }

    #[test]
    fn columns_without_any_text_go() {
        let mut table = Table::new("", &["log", "lag", "lines"]);
        table.rows.push(["a", "", "1"].map(Cell::new).to_vec());
        let table = table.without_empty_columns();
        assert_eq!(table.headers, ["log", "lines"]);
        assert_eq!(table.rows, [["a", "1"].map(Cell::new).to_vec()]);
    }
}
