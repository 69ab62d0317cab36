//! The commands, as a user calls them: processes, their exit codes, what they say, what they serve.

// One exporter that runs, and what it is asked.
mod process;
// Commands that end by themselves.
mod calls;
// The sidecar: signals, shutdown, its own log.
mod sidecar;
// Another configuration while it runs.
mod reload;
// What is followed live comes to what a replay of the whole says.
mod rotation;
// Asking over TLS.
mod probe;
