//! Bytes become lines.
//!
//! [`Buffer`] is one file's share of it: bytes go in, lines come out, and it says how far the whole lines
//! reach. What a line means is not known here.
//!
//! Invariant: the lines and their offsets depend on the bytes alone, never on how reads cut them.

mod buffer;
mod container;
mod cri;
mod docker;
mod split;

pub use buffer::{Buffer, Committed};

/// How the bytes of one log are cut into lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    pub container: Container,
    /// Longest line that is accepted, in bytes without its line end.
    pub line_bytes_max: usize,
    /// The delimiter of a CSV log: there a quoted field may hold line ends. Inside a container's
    /// wrapping it has no effect: there a line end always ends the record.
    pub quoted: Option<u8>,
}

/// What a container runtime wraps around every line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Container {
    None,
    Cri,
    Docker,
}

/// One line, without its line end; it may be empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'a> {
    pub bytes: &'a [u8],
    /// Where its first raw byte is in the file.
    pub offset: u64,
    /// Where the raw byte behind it is, line end included.
    pub end: u64,
}

/// Why bytes did not become a line. Each is counted once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reject {
    /// Longer than `line_bytes_max`.
    TooLong,
    /// The file begins with the byte order mark of UTF-16.
    Encoding,
    /// Not what the container runtime writes, or a piece whose rest never came.
    Container,
}

// === impl Reject ===

impl Reject {
    pub const ALL: [Self; 3] = [Self::TooLong, Self::Encoding, Self::Container];

    /// The value of the label `reason`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Encoding => "encoding",
            Self::Container => "container",
        }
    }
}

#[cfg(test)]
mod tests;
