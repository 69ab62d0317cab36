//! Globs of `paths` and `exclude`: what one of them matches. Not a walk over directories: that is `discover`'s.

use globset::{GlobBuilder, GlobMatcher};
use std::path::Path;

/// `exclude` without a slash is matched with names, of files and of directories on the way, with one
/// with whole paths; what it matches is excluded with all below.
pub(super) fn exclusion(text: &str) -> Result<GlobMatcher, globset::Error> {
    if text.starts_with('/') || !text.contains('/') {
        return glob(text);
    }
    glob(&format!("**/{}", text.trim_start_matches("./")))
}

pub(super) fn is_excluded(exclude: &[GlobMatcher], path: &Path) -> bool {
    exclude.iter().any(|matcher| {
        if matcher.glob().glob().contains('/') {
            return path.ancestors().any(|ancestor| matcher.is_match(ancestor));
        }
        path.file_name().is_some_and(|name| matcher.is_match(name))
    })
}

pub(super) fn glob(text: &str) -> Result<GlobMatcher, globset::Error> {
    Ok(GlobBuilder::new(text).literal_separator(true).build()?.compile_matcher())
}

/// The names of a path; a slash inside braces or brackets does not split.
pub(super) fn split(pattern: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    pattern
        .split(move |character| {
            match character {
                '{' | '[' => depth += 1,
                '}' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            character == '/' && depth == 0
        })
        .filter(|name| !name.is_empty())
}
