//! Tests of the whole, in one binary.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why; clippy knows only test functions")]

// What scikit-learn says of the logs of fitted models.
mod oracle;
// Logs that are followed.
mod live;
// What a changed configuration keeps.
mod reload;
// What must hold for any log.
mod properties;
// The whole exposition, byte for byte.
mod golden;
// The format of checkpoints.
mod checkpoint;
// Documents that are written from the code, and names that documents use.
mod documents;
// Who may use whom; what every file must have.
mod architecture;
// The commands, as a user calls them.
mod commands;

mod support;
