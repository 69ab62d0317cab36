//! Which files a replay reads, and as which log.

use super::Failure;
use crate::pipeline::replay::Input;
use crate::pipeline::{Config, StreamConfig};
use crate::source::once::{self, Once};
use globset::{GlobBuilder, GlobMatcher};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// What compressed files begin with, and which program unpacks them to standard output.
const COMPRESSED: [(&[u8], &str); 4] =
    [(b"\x1f\x8b", "zcat"), (b"\x28\xb5\x2f\xfd", "zstdcat"), (b"\xfd7zXZ\0", "xzcat"), (b"BZh", "bzcat")];

/// A log file, or standard input, as a log of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Chosen {
    pub stream: usize,
    /// `-` is standard input.
    pub path: PathBuf,
}

/// What each LOG argument means: `NAME=FILE`, or a bare `FILE` that belongs to the log whose `paths` match,
/// else to the only log.
pub(super) fn choose(config: &Config, arguments: &[String]) -> Result<Vec<Chosen>, Failure> {
    let chosen: Vec<Chosen> =
        arguments.iter().map(|argument| choose_one(config, argument)).collect::<Result<_, _>>()?;
    if chosen.iter().filter(|chosen| chosen.path == Path::new("-")).count() > 1 {
        return Err(Failure::Usage("standard input can be read only once, as one log".to_owned()));
    }
    Ok(chosen)
}

fn choose_one(config: &Config, argument: &str) -> Result<Chosen, Failure> {
    if let Some((name, path)) = argument.split_once('=') {
        if let Some(stream) = config.streams.iter().position(|log| log.name == name) {
            return Ok(Chosen { stream, path: path.into() });
        }
        // A path may hold an equals sign; only if there is no such file is the name the mistake.
        if !Path::new(argument).exists() {
            return Err(Failure::Usage(format!(
                "no log is named `{name}`; the configuration has {}",
                names(config)
            )));
        }
    }
    let path = Path::new(argument);
    let matching: Vec<usize> =
        (0..config.streams.len()).filter(|&stream| matches(&config.streams[stream], path)).collect();
    let stream = match (matching.as_slice(), config.streams.len()) {
        ([only], _) => *only,
        ([], 1) => 0,
        (matching, _) => {
            let which = match (argument, matching) {
                ("-", _) => "standard input may be any of several logs".to_owned(),
                (_, []) => format!("{argument} is not among the paths of any log"),
                _ => format!("{argument} is among the paths of several logs"),
            };
            let names = names(config);
            let what = format!("{which}; write NAME={argument} with one of these names: {names}");
            return Err(Failure::Usage(what));
        }
    };
    Ok(Chosen { stream, path: path.into() })
}

/// The names of the logs, for a message.
pub(super) fn names(config: &Config) -> String {
    let names: Vec<String> = config.streams.iter().map(|log| format!("`{}`", log.name)).collect();
    names.join(", ")
}

fn matches(log: &StreamConfig, path: &Path) -> bool {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let any = |globs: &[String]| {
        globs.iter().filter_map(|glob| matcher(glob)).any(|glob| {
            // A pattern without a directory is about the name alone, as in `exclude`.
            glob.is_match(path) || glob.is_match(&absolute)
        })
    };
    any(&log.source.paths) && !any(&log.source.exclude)
}

/// The configuration was validated, so a glob that does not compile matches nothing.
fn matcher(glob: &str) -> Option<GlobMatcher> {
    Some(GlobBuilder::new(glob).literal_separator(true).build().ok()?.compile_matcher())
}

/// Opens what was chosen; also says how many bytes there are where that is known.
pub(super) fn open(chosen: Vec<Chosen>) -> Result<(Vec<Input>, Option<u64>), Failure> {
    let mut bytes = Some(0);
    let mut inputs = Vec::with_capacity(chosen.len());
    for Chosen { stream, path } in chosen {
        let cannot = |error: io::Error| Failure::Work(format!("cannot read {}: {error}", path.display()));
        if path == Path::new("-") {
            bytes = None;
            inputs.push(Input { stream, source: Box::new(once::stdin()) });
            continue;
        }
        let metadata = fs::metadata(&path).map_err(cannot)?;
        if metadata.is_dir() {
            let what = format!("cannot read {}: it is a directory; name the files in it", path.display());
            return Err(Failure::Work(what));
        }
        // A pipe is what a shell makes of <(zcat FILE): its end comes, and its length is not known.
        if metadata.file_type().is_fifo() {
            bytes = None;
            let pipe = File::open(&path).map_err(cannot)?;
            inputs.push(Input { stream, source: Box::new(Once::new(pipe, &path)) });
            continue;
        }
        refuse_compressed(&path)?;
        let source = once::open(&path).map_err(|error| Failure::Work(describe(&error)))?;
        bytes = bytes.map(|sum: u64| sum.saturating_add(metadata.len()));
        inputs.push(Input { stream, source: Box::new(source) });
    }
    Ok((inputs, bytes))
}

/// A compressed file would be nothing but rejected lines, and a report of nothing.
fn refuse_compressed(path: &Path) -> Result<(), Failure> {
    let mut head = Vec::with_capacity(8);
    // What cannot be read is said by whoever reads it next.
    let read = File::open(path).and_then(|file| file.take(8).read_to_end(&mut head));
    let program = COMPRESSED.iter().find(|(magic, _)| read.is_ok() && head.starts_with(magic));
    program.map_or(Ok(()), |(_, program)| {
        let path = path.display();
        let how = format!("unpack it on the way: {program} {path} | inference-exporter replay ... NAME=-");
        Err(Failure::Work(format!("cannot read {path}: it is compressed; {how}")))
    })
}

/// What cannot be read and why: there is no second try in a replay.
pub(super) fn describe(error: &crate::source::Error) -> String {
    match &error.cause {
        Some(cause) => format!("cannot read {}: {cause}", error.path.display()),
        None => format!("cannot read {}: {}", error.path.display(), error.reason),
    }
}
