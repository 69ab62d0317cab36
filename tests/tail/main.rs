//! Tailing, stepped by hand: files on a real file system, time as an argument, no waiting.
//!
//! Tests are named by the numbers of the scenarios in docs/rotation.md.
//!
//! harness     a reader that keeps every line, and a directory to make logs in
//! discovery   which files are followed, and from where
//! lines       bytes that are no plain line
//! rename      rotation that gives a file another name
//! replace     another file in a file's place: deleted, replaced, a symbolic link pointed elsewhere
//! truncation  content that goes while the file stays
//! restart     the process ends and starts again
//! load        many files, large ones, quiet ones, and the clock
//! containers  lines that a container runtime wrapped, in files that it rotates
//! model       files that are written and rotated, with every line known
//! sequences   random sequences of all this: every line exactly once
//! matrix      what is lost and counted twice, by rotation and by failure
//! windows     what nobody can close, and what falls into it
//! situations  what tailers meet in production, by number
//! published   docs/rotation.md: its tables, written from the above

#![allow(clippy::expect_used, reason = "a test that cannot go on says why; clippy knows only test functions")]

mod containers;
mod discovery;
mod harness;
mod lines;
mod load;
mod matrix;
mod model;
mod published;
mod rename;
mod replace;
mod restart;
mod sequences;
mod situations;
mod truncation;
mod windows;
