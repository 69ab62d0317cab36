//! Reports.

use crate::status::Status;

pub fn json(status: &Status) -> Vec<u8> {
    serde_json::to_vec_pretty(status).unwrap_or_default()
}

pub fn text(status: &Status, _color: bool) -> String {
    String::from_utf8(json(status)).unwrap_or_default()
}
