//! Field paths: `model.version`, `outputs[0].data[0]`, `usage["gen_ai.usage.input_tokens"]`.

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
}
