//! What the fuzz targets do with their bytes.
//!
//! Each target is a function of any bytes that panics where a promise is broken; the binaries in
//! `fuzz_targets/` hand it to libFuzzer, and fuzz/tests/corpus.rs runs it over the committed corpora. What the
//! bytes of each mean is said at the target; README.md says how they are run.

#![forbid(unsafe_code)]

mod checkpoint;
mod config;
mod decode;
mod event;
mod exposition;
mod line;
mod path;
mod pipeline;
mod web_config;

/// What a target does with any bytes.
pub type Run = fn(&[u8]);

/// Every target: its name, which is that of its binary and of its corpus, and what it does.
pub const TARGETS: &[(&str, Run)] = &[
    ("json", decode::json),
    ("logfmt", decode::logfmt),
    ("csv", decode::csv),
    ("regex", decode::regex),
    ("event", event::run),
    ("line", line::run),
    ("path", path::run),
    ("config", config::run),
    ("web_config", web_config::run),
    ("pipeline", pipeline::run),
    ("checkpoint", checkpoint::run),
];

/// Runs a target by its name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target) = target.unwrap_or_else(|| panic!("no target is named {name}"));
    target(bytes);
}

/// The first byte, of which `count` choices are made, and the bytes behind it. Digits choose themselves, so
/// that a corpus can be read.
fn choose(bytes: &[u8], count: usize) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    Some((usize::from(first.wrapping_sub(b'0')) % count, rest))
}

/// Numbers that follow from a seed (splitmix64), for what an input leaves open.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    /// The size of a read: mostly some bytes, now and then many.
    fn read_bytes(&mut self) -> usize {
        let magnitude = self.below(9);
        1 + self.below(1 << magnitude)
    }
}
