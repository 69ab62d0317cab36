//! HTML that cannot be broken by what it shows.
//!
//! Invariant: only literals of this program go in as they are; everything else is escaped, so no name that
//! comes from a log can end an element or begin one.

use crate::status::table::{Cell, Table, Tone};

/// A document that is being written.
#[derive(Default)]
pub(super) struct Html(String);

// === impl Html ===

impl Html {
    /// Markup. That it is a literal is what keeps names out of it.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, between elements or inside a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for one in text.chars() {
            match one {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Characters that HTML has no way to hold, and those that turn the direction of the line.
                '\0'..='\x08'
                | '\x0b'..='\x1f'
                | '\x7f'..='\u{9f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => self.0.push(char::REPLACEMENT_CHARACTER),
                one => self.0.push(one),
            }
        }
        self
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    /// A table in a box of its own that scrolls where it is too wide, and why its values are absent.
    pub(super) fn table(&mut self, table: &Table) -> &mut Self {
        self.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"").text(&table.caption);
        self.raw("\"><table><caption>").text(&table.caption).raw("</caption><thead><tr>");
        for header in &table.headers {
            self.raw("<th scope=\"col\">").text(header).raw("</th>");
        }
        self.raw("</tr></thead><tbody>\n");
        for row in &table.rows {
            self.raw("<tr>");
            for (column, cell) in row.iter().enumerate() {
                self.cell(cell, column == 0);
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody></table></div>\n");
        self.reasons(table)
    }

    fn cell(&mut self, cell: &Cell, heads: bool) {
        self.raw(if heads { "<th scope=\"row\"" } else { "<td" });
        self.raw(match cell.tone {
            Tone::Plain => "",
            Tone::Good => " class=\"good\"",
            Tone::Bad => " class=\"bad\"",
            Tone::Unsure => " class=\"unsure\"",
            Tone::Absent => " class=\"absent\"",
        });
        if let Some(note) = &cell.note {
            self.raw(" title=\"").text(note).raw("\"");
        }
        self.raw(">").text(&cell.text).raw(if heads { "</th>" } else { "</td>" });
    }

    /// The legend: a title shows only under a mouse.
    fn reasons(&mut self, table: &Table) -> &mut Self {
        let reasons = table.reasons();
        if reasons.is_empty() {
            return self;
        }
        self.raw("<ul class=\"legend\" aria-label=\"Why values are absent\">");
        for (reason, rows) in &reasons {
            self.raw("<li><b>–</b> ").text(&rows.join(", ")).raw(": ").text(reason).raw("</li>");
        }
        self.raw("</ul>\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_for_elements_and_attributes() {
        let mut html = Html::default();
        html.text("<a href=\"x\" on='y'>&amp;\0\u{202e}é\n");
        let expected = "&lt;a href=&quot;x&quot; on=&#39;y&#39;&gt;&amp;amp;\u{fffd}\u{fffd}é\n";
        assert_eq!(html.finish(), expected);
    }
}
