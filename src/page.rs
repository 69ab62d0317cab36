//! Page.

use crate::status::Status;
use crate::time::Timestamp;

pub fn html(status: &Status, _now: Timestamp) -> String {
    format!("{status:?}")
}
