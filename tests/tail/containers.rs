//! Lines that a container runtime wrapped, in files that it rotates.

use super::harness::*;

#[test]
fn scenario_90_a_split_line_goes_on_in_the_next_file() {
    let logs = Logs::new();
    let piece = |tag: &str, text: &str| format!("2024-01-31T10:00:00Z stdout {tag} {text}\n");
    let mut reader = logs.reader("0.log");
    reader.line.container = Container::Cri;
    logs.write("0.log", &[piece("F", "whole"), piece("P", "be")].concat());
    reader.step();
    logs.rename("0.log", "0.log.20240131-100000");
    logs.write("0.log", &[piece("P", "tw"), piece("F", "een")].concat());
    assert_eq!(reader.pause().take(), ["whole", "between"]);
    assert!(reader.rejects.is_empty());
}
