//! The names of what `/metrics` says: one table of families, each a name, a meaning and how it is read.
//!
//! A row here is a family on `/metrics`, in `docs/metrics.md` and in the tests. Invariant: reading changes
//! nothing, and every label set of a family is written once.

mod labels;
mod logs;
mod model;
mod outcomes;
pub mod own;
mod quality;
pub mod reference;
mod traffic;
pub mod writer;

use crate::gauge::{self, WindowValues};
use crate::monitor::Monitor;
use crate::monitor::version::Version;
use crate::pipeline::{LogTally, State};
use writer::Writer;

/// The type of a family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric family: what it is called, and how it is read.
pub struct Family {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    /// Labels beyond those of its scope.
    pub labels: &'static [&'static str],
    /// When there is no such series; empty where it is always there.
    pub absent: &'static str,
    pub read: Read,
}

/// What a family is read from, which also says what its series begin with.
#[derive(Clone, Copy)]
pub enum Read {
    /// `model`.
    Model(fn(&Monitor, &mut Writer)),
    /// `model, version`.
    Version(fn(&VersionView<'_>, &mut Writer)),
    /// `model, version, window, slice`.
    Window(fn(&WindowView<'_>, &mut Writer)),
    /// `log`.
    Log(fn(&LogTally, &mut Writer)),
}

/// One version of one model.
pub struct VersionView<'a> {
    pub monitor: &'a Monitor,
    pub version: &'a Version,
    windows: Vec<WindowValues>,
    /// The labels of each window, escaped.
    window_scopes: Vec<Vec<u8>>,
}

/// One window of one version, or of one of its slices.
pub struct WindowView<'a> {
    pub monitor: &'a Monitor,
    pub values: &'a WindowValues,
}

/// Every family about models and logs, in the order in which they are exposed.
pub fn families() -> impl Iterator<Item = &'static Family> {
    [
        traffic::FAMILIES,
        outcomes::FAMILIES,
        labels::FAMILIES,
        quality::FAMILIES,
        model::FAMILIES,
        logs::FAMILIES,
    ]
    .into_iter()
    .flatten()
}

/// Writes all families. The windows are as of the last `State::advance`.
pub fn write(state: &State, writer: &mut Writer) {
    let views: Vec<VersionView<'_>> = state
        .monitors()
        .iter()
        .flat_map(|monitor| monitor.versions().map(move |version| VersionView::new(monitor, version)))
        .collect();
    for family in families() {
        writer.begin(family.name, family.kind, family.help);
        match family.read {
            Read::Model(read) => {
                for monitor in state.monitors() {
                    writer.scope(&[("model", monitor.name())]);
                    read(monitor, writer);
                }
            }
            Read::Version(read) => {
                for view in &views {
                    writer.scope(&[("model", view.monitor.name()), ("version", &view.version.name)]);
                    read(view, writer);
                }
            }
            Read::Window(read) => {
                for view in &views {
                    for (values, scope) in view.windows.iter().zip(&view.window_scopes) {
                        writer.scope_escaped(scope);
                        read(&WindowView { monitor: view.monitor, values }, writer);
                    }
                }
            }
            Read::Log(read) => {
                for log in &state.logs {
                    writer.scope(&[("log", &log.name)]);
                    read(log, writer);
                }
            }
        }
    }
}

// === impl Kind ===

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

// === impl Read ===

impl Read {
    /// The labels that every series of the scope begins with.
    pub const fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Model(_) => &["model"],
            Self::Version(_) => &["model", "version"],
            Self::Window(_) => &["model", "version", "window", "slice"],
            Self::Log(_) => &["log"],
        }
    }
}

// === impl VersionView ===

impl<'a> VersionView<'a> {
    fn new(monitor: &'a Monitor, version: &'a Version) -> Self {
        let windows = gauge::of_version(monitor, version);
        let window_scopes = windows
            .iter()
            .map(|values| {
                let window = values.window_name();
                let slice = values.slice_name(monitor);
                let labels = [
                    ("model", monitor.name()),
                    ("version", &*version.name),
                    ("window", &*window),
                    ("slice", &*slice),
                ];
                writer::escaped(&labels)
            })
            .collect();
        Self { monitor, version, windows, window_scopes }
    }

    pub fn class(&self, id: u16) -> &'a str {
        self.monitor.classes().vocabulary().name(id)
    }
}

// === impl WindowView ===

impl<'a> WindowView<'a> {
    pub fn class(&self, id: u16) -> &'a str {
        self.monitor.classes().vocabulary().name(id)
    }
}
