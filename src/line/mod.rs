//! Bytes become lines.

/// How the bytes of one log are cut into lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    pub container: Container,
    /// Longest line that is accepted, in bytes without its line end.
    pub line_bytes_max: usize,
    /// The delimiter of a CSV log: there a quoted field may hold line ends.
    pub quoted: Option<u8>,
}

/// What a container runtime wraps around every line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Container {
    None,
    Cri,
    Docker,
}
