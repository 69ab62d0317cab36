//! Bytes that are no plain line, in files. What becomes of bytes alone is tested beside `line::Buffer`.

use super::harness::*;

#[test]
fn scenario_21_an_unterminated_line_waits_however_long_the_writer_pauses() {
    let logs = Logs::new();
    let mut reader = logs.reader("app.log");
    logs.write("app.log", "a");
    for _ in 0..5 {
        assert!(reader.pause().take().is_empty());
    }
    logs.write("app.log", "b\n");
    assert_eq!(reader.step().take(), ["ab"]);
}

#[test]
fn scenario_22_an_unterminated_line_is_given_once_at_rotation_or_deletion_and_not_at_a_stop() {
    for is_deleted in [false, true] {
        let logs = Logs::new();
        let mut reader = logs.reader("app.log");
        logs.write("app.log", "a\nrest");
        assert_eq!(reader.pause().take(), ["a"]);
        // The process stops: the end may still come.
        reader.restart(&config(&[logs.path("app.log")]));
        assert!(reader.pause().take().is_empty());
        if is_deleted {
            logs.delete("app.log")
        } else {
            logs.rename("app.log", "app.log.1")
        }
        logs.write("app.log", "new\n");
        assert_eq!(reader.steps(2).take(), ["new"], "it waits for its end as long as the file");
        assert_eq!(reader.pause().take(), ["rest"]);
        assert!(reader.pause().take().is_empty());
    }
}

#[test]
fn scenario_34_nuls_where_a_power_loss_took_the_end_of_the_file() {
    let logs = Logs::new();
    logs.write("app.log", "a\nhal");
    let mut reader = logs.reader("app.log");
    reader.step();
    // The file system had grown the file and not written it; the next start appends behind that.
    logs.write("app.log", "\0\0\0\0\n\0\0b\n");
    assert_eq!(reader.step().take(), ["a", "hal\0\0\0\0", "b"]);
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
