//! Which files a replay reads, and as which log.

use super::Failure;
use crate::pipeline::replay::Input;
use crate::pipeline::{Config, StreamConfig};
use crate::source::once;
use globset::{GlobBuilder, GlobMatcher};
use std::path::{Path, PathBuf};

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
    arguments.iter().map(|argument| choose_one(config, argument)).collect()
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
        ([], _) => {
            let what =
                format!("`{argument}` matches the paths of no log; say which with NAME=FILE, NAME one of ");
            return Err(Failure::Usage(what + &names(config)));
        }
        _ => {
            let what = format!(
                "`{argument}` matches the paths of several logs; say which with NAME=FILE, NAME one of "
            );
            return Err(Failure::Usage(what + &names(config)));
        }
    };
    Ok(Chosen { stream, path: path.into() })
}

fn names(config: &Config) -> String {
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
        if path == Path::new("-") {
            bytes = None;
            inputs.push(Input { stream, source: Box::new(once::stdin()) });
            continue;
        }
        let source = once::open(&path).map_err(|error| Failure::Work(describe(&error)))?;
        bytes = bytes.and_then(|sum| Some(sum + path.metadata().ok()?.len()));
        inputs.push(Input { stream, source: Box::new(source) });
    }
    Ok((inputs, bytes))
}

/// What cannot be read and why: there is no second try in a replay.
pub(super) fn describe(error: &crate::source::Error) -> String {
    match &error.cause {
        Some(cause) => format!("cannot read {}: {cause}", error.path.display()),
        None => format!("cannot read {}: {}", error.path.display(), error.reason),
    }
}
