//! What a replay says at its end: as text for a terminal, and as JSON.
//!
//! Both are written from the status alone. Invariant: no line of the text is wider than 100 columns, and no
//! name from a log can move the cursor.

use crate::status::figure::{bytes, count, instant};
use crate::status::table::{Cell, Table, Tone};
use crate::status::{LogStatus, ModelStatus, Status, VersionStatus, WindowStatus, tables};
use crate::time::Timestamp;

const WIDTH_MAX: usize = 100;
/// Names may be 128 bytes and more; a column of them must leave room for figures.
const NAME_WIDTH_MAX: usize = 40;
const GAP: &str = "  ";

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const RESET: &str = "\u{1b}[0m";

/// A report that is being written.
struct Report {
    out: String,
    color: bool,
}

/// The status as JSON, with a line end at the end. `docs/report.md` describes it.
pub fn json(status: &Status) -> Vec<u8> {
    match serde_json::to_vec_pretty(status) {
        Ok(mut out) => {
            out.push(b'\n');
            out
        }
        Err(error) => unreachable!("maps with text as keys always serialise: {error}"),
    }
}

/// The report for a person, with colours for a terminal that has them.
pub fn text(status: &Status, color: bool) -> String {
    let mut report = Report { out: String::new(), color };
    for model in &status.models {
        report.model(model, newest_time(status));
    }
    report.logs(&status.logs);
    report.out
}

/// The end of a replay is the newest time that any log has.
fn newest_time(status: &Status) -> Timestamp {
    let newest = status.logs.iter().filter_map(|log| log.last_record).reduce(f64::max);
    newest.map_or(Timestamp::from_nanos(0), |seconds| Timestamp::from_seconds(seconds as i64))
}

// === impl Report ===

impl Report {
    fn model(&mut self, model: &ModelStatus, now: Timestamp) {
        self.heading(&format!("{} ({})", clean(&model.model), model.task), '=');
        if model.versions.is_empty() {
            self.line("No request was read.");
        }
        for version in tables::versions_by_age(model) {
            self.version(model, version, now);
        }
        let mut without = vec![format!("waiting {}", count(model.labels_waiting))];
        without.extend(model.labels.iter().map(|(result, labels)| format!("{result} {}", count(*labels))));
        self.line(&format!("Labels without a known version: {}", without.join(", ")));
        if model.folded > 0 {
            self.line(&format!("Values that a limit folded into __other__: {}", count(model.folded)));
        }
        self.line("");
    }

    fn version(&mut self, model: &ModelStatus, version: &VersionStatus, now: Timestamp) {
        self.heading(
            &format!("{}, version {}", clean(&model.model), clean(tables::version_name(version))),
            '-',
        );
        self.facts(version);
        // What a replay is asked for first is the whole; then the end of it, the longest window first.
        let mut windows: Vec<&WindowStatus> = version.whole().collect();
        windows.reverse();
        if !model.targets.is_empty() {
            self.table(&tables::targets(model, version, windows.first().copied(), now));
        }
        self.table(&tables::windows(model, version, &windows));
        let Some(all) = windows.first().filter(|window| window.samples > 0) else { return };
        if !all.classes.is_empty() {
            self.table(&tables::classes(model, version, all));
            self.table(&tables::averages(model, version, all));
        }
        let slices = tables::slices(model, version, &windows[..1]);
        if !slices.rows.is_empty() {
            self.table(&slices);
        }
    }

    /// What was counted of a version: requests, predictions, and what became of them.
    fn facts(&mut self, version: &VersionStatus) {
        let [ok, failed] = version.requests_by_result();
        if let (Some(first), Some(last)) = (version.first_seen, version.last_seen) {
            self.line(&format!("from {} to {}", instant(first), instant(last)));
        }
        self.line(&format!(
            "requests {}, failed {}, predictions {}, pending {}",
            count(ok + failed),
            count(failed),
            count(version.predictions),
            count(version.pending)
        ));
        let labels = version.labels.iter().map(|(result, labels)| format!("{} {result}", count(*labels)));
        let lost = version.unlabeled.iter().map(|(reason, lost)| format!("{} {reason}", count(*lost)));
        let parts = [("labels", labels.collect::<Vec<_>>()), ("predictions without", lost.collect())];
        for (what, counts) in parts.iter().filter(|(_, counts)| !counts.is_empty()) {
            self.line(&format!("{what}: {}", counts.join(", ")));
        }
        self.line("");
    }

    fn logs(&mut self, logs: &[LogStatus]) {
        self.heading("Logs", '=');
        let mut table = Table::new("", &["log", "lines", "records", "ignored", "rejected", "bytes"]);
        for log in logs {
            let rejected = log.rejected.values().sum();
            let tone = if rejected > 0 { Tone::Bad } else { Tone::Plain };
            table.rows.push(vec![
                Cell::new(&*log.log),
                Cell::new(count(log.lines)),
                Cell::new(count(log.records)),
                Cell::new(count(log.ignored.values().sum())),
                Cell::new(count(rejected)).toned(tone),
                Cell::new(bytes(log.bytes)),
            ]);
        }
        self.table(&table);
        let reasons = tables::reasons(logs);
        if !reasons.rows.is_empty() {
            self.list(&reasons);
        }
    }

    fn heading(&mut self, text: &str, rule: char) {
        let text = shortened(text, WIDTH_MAX);
        let rule: String = std::iter::repeat_n(rule, text.chars().count()).collect();
        self.styled(BOLD, &text);
        self.out.push('\n');
        self.line(&rule);
    }

    fn line(&mut self, text: &str) {
        for line in wrapped(text, WIDTH_MAX) {
            self.out.push_str(line.trim_end());
            self.out.push('\n');
        }
    }

    fn styled(&mut self, style: &str, text: &str) {
        if self.color && !style.is_empty() {
            self.out.push_str(style);
            self.out.push_str(text);
            self.out.push_str(RESET);
        } else {
            self.out.push_str(text);
        }
    }

    /// Columns side by side as far as they fit, the rest below with the names of the rows again.
    fn table(&mut self, table: &Table) {
        if !table.caption.is_empty() {
            let caption = shortened(&clean(&table.caption), WIDTH_MAX);
            self.styled(BOLD, &caption);
            self.out.push('\n');
        }
        let widths = widths(table);
        let mut first = 1;
        while first < widths.len() {
            let mut width = widths[0];
            let fits = |&&column: &&usize| {
                width += GAP.len() + column;
                width <= WIDTH_MAX
            };
            let columns = widths[first..].iter().take_while(fits).count().max(1);
            self.block(table, &widths, first..first + columns);
            first += columns;
        }
        for (reason, rows) in table.reasons() {
            let rows: Vec<String> = rows.iter().map(|row| shortened(&clean(row), NAME_WIDTH_MAX)).collect();
            self.line(&format!("– {}: {}", rows.join(", "), clean(&reason)));
        }
        self.out.push('\n');
    }

    fn block(&mut self, table: &Table, widths: &[usize], columns: std::ops::Range<usize>) {
        let header = |column: usize| Cell::new(&*table.headers[column]).toned(Tone::Absent);
        let heads: Vec<Cell> = (0..widths.len()).map(header).collect();
        for row in std::iter::once(&heads).chain(&table.rows) {
            let name = shortened(&clean(&row[0].text), NAME_WIDTH_MAX);
            let mut line = padding(widths[0], &name);
            line.insert_str(0, &name);
            self.out.push_str(&line);
            for column in columns.clone() {
                let text = shortened(&clean(&row[column].text), NAME_WIDTH_MAX);
                self.out.push_str(GAP);
                self.out.push_str(&padding(widths[column], &text));
                self.styled(style(row[column].tone), &text);
            }
            self.out.push('\n');
        }
    }

    /// A table whose last column is a sentence, which goes on below where it is too long.
    fn list(&mut self, table: &Table) {
        let widths = widths(table);
        for row in &table.rows {
            let Some((sentence, columns)) = row.split_last() else { continue };
            let mut line = String::new();
            for (cell, &width) in columns.iter().zip(&widths) {
                let text = shortened(&clean(&cell.text), NAME_WIDTH_MAX);
                line.push_str(&text);
                line.push_str(&padding(width, &text));
                line.push_str(GAP);
            }
            line.push_str(&clean(&sentence.text));
            self.line(&line);
        }
    }
}

const fn style(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => GREEN,
        Tone::Bad => RED,
        Tone::Unsure => YELLOW,
        Tone::Absent => DIM,
    }
}

fn widths(table: &Table) -> Vec<usize> {
    let width = |text: &str| clean(text).chars().count().min(NAME_WIDTH_MAX);
    let column = |column: usize| {
        let cells = table.rows.iter().map(|row| width(&row[column].text));
        cells.chain([width(&table.headers[column])]).max().unwrap_or(0)
    };
    (0..table.headers.len()).map(column).collect()
}

fn padding(width: usize, text: &str) -> String {
    " ".repeat(width.saturating_sub(text.chars().count()))
}

/// A text without control characters, which could move the cursor or colour what follows, and without those
/// that turn the direction of a line.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        let turns = matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if one.is_control() || turns {
            out.extend(one.escape_default());
        } else {
            out.push(one);
        }
    }
    out
}

/// At most so many characters, the last an ellipsis where some are left out.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(width - 1).collect();
    out.push('…');
    out
}

/// A text in lines of at most so many characters, parted at spaces where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive(' ') {
        let letters = word.trim_end();
        let length = line.chars().count() + letters.chars().count();
        if length > width && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, GAP.to_owned()));
        }
        // The space behind a word may lie beyond the width: it is cut off with the line.
        line.push_str(&shortened(letters, width - GAP.len()));
        line.push_str(word.strip_prefix(letters).unwrap_or(""));
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests;
