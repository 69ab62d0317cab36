//! Bytes that are no plain line, in files. What becomes of bytes alone is tested beside `line::Buffer`.

use super::harness::*;

#[test]
fn scenario_20_to_22_an_unterminated_line_waits_for_its_end_or_the_files() {
    let logs = Logs::new();
    let mut reader = logs.reader("app.log");
    logs.write("app.log", "a");
    reader.pause();
    assert!(reader.take().is_empty());
    logs.write("app.log", "b\nrest");
    assert_eq!(reader.pause().take(), ["ab"]);
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", "new\n");
    assert_eq!(reader.steps(2).take(), ["new"]);
    assert_eq!(reader.pause().take(), ["rest"]);
    assert!(reader.pause().take().is_empty());
}

#[test]
fn scenario_33_a_writer_that_keeps_its_offset_over_copytruncate() {
    let logs = Logs::new();
    let mut writer = fs::File::create(logs.path("app.log")).expect("created");
    writer.write_all(numbered(0..10).as_bytes()).expect("written");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.copy("app.log", "app.log.1");
    logs.truncate("app.log", 0);
    writer.write_all(numbered(10..12).as_bytes()).expect("written");
    assert_eq!(reader.steps(3).take(), longs(0..12));
    assert_eq!(reader.buffers.values().map(Buffer::nul_bytes).sum::<u64>(), numbered(0..10).len() as u64);
}

#[test]
fn scenario_35_a_binary_file_does_not_hold_others_up() {
    let logs = Logs::new();
    let noise: Vec<u8> =
        (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80).collect();
    fs::write(logs.path("a.log"), noise).expect("written");
    logs.write("b.log", "b\n");
    let mut reader = logs.reader("*.log");
    reader.tailer.look(reader.now);
    reader.take_turns();
    assert_eq!(reader.take(), ["b"]);
}
