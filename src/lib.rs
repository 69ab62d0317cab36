//! A Prometheus exporter that measures machine learning models in production from their logs.
//!
//! Modules are declared in the order a line travels, and a module may use only those above it:
//!
//! bytes (`source`) → lines (`line`) → records (`record`) → events (`event`) → prediction meets label
//! (`join`) → what is known of one model (`monitor`) → the hot path as a whole (`pipeline`) → what
//! `/metrics` says of it (`family`). States that merge (`accumulator`), the formulas over them (`score`)
//! and the rings of time that hold them (`window`) know nothing of logs. See ARCHITECTURE.md.

pub mod time;
pub mod limits;
pub mod verdict;

pub mod source;
pub mod line;
pub mod record;
pub mod event;

pub mod accumulator;
pub mod score;
pub mod window;

pub mod join;
pub mod monitor;
pub mod pipeline;

pub mod checkpoint;

pub mod gauge;
pub mod family;
pub mod status;
pub mod page;
pub mod report;

pub mod config;
pub mod http;
pub mod demo;
pub mod command;
