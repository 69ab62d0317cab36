//! Lines that a container runtime wrapped, in files that it rotates.

use super::harness::*;

const TIME: &str = "2024-01-31T10:00:00.123456789Z";

fn cri(stream: &str, tag: &str, text: &str) -> String {
    format!("{TIME} {stream} {tag} {text}\n")
}

fn docker(stream: &str, log: &str) -> String {
    format!("{{\"log\":\"{log}\",\"stream\":\"{stream}\",\"time\":\"{TIME}\"}}\n")
}

fn reader(logs: &Logs, container: Container) -> Reader {
    let mut reader = logs.reader("0.log");
    reader.line.container = container;
    reader
}

#[test]
fn scenario_88_pieces_of_a_line_in_one_file_are_one_line() {
    let logs = Logs::new();
    let mut reader = reader(&logs, Container::Cri);
    logs.write("0.log", &cri("stdout", "F", "whole"));
    assert_eq!(reader.step().take(), ["whole"]);
    for (tag, text) in [("P", "in "), ("P", "three "), ("F", "pieces")] {
        assert!(reader.pause().take().is_empty(), "{text} is not the end");
        logs.write("0.log", &cri("stdout", tag, text));
    }
    assert_eq!(reader.step().take(), ["in three pieces"]);
    assert!(reader.rejects.is_empty());
}

#[test]
fn scenario_89_streams_and_files_do_not_mix() {
    let logs = Logs::new();
    let mut reader = Reader::new(&config(&[logs.path("*.log")]));
    reader.line.container = Container::Cri;
    logs.write("a.log", &[cri("stdout", "P", "a out "), cri("stderr", "P", "a err ")].concat());
    logs.write("b.log", &[cri("stdout", "P", "b out "), cri("stderr", "F", "b whole")].concat());
    assert_eq!(reader.step().take(), ["b whole"]);
    logs.write("a.log", &[cri("stderr", "F", "end"), cri("stdout", "F", "end")].concat());
    logs.write("b.log", &cri("stdout", "F", "end"));
    assert_eq!(reader.step().take(), ["a err end", "a out end", "b out end"]);
}

#[test]
fn scenario_90_a_split_line_goes_on_in_the_next_file() {
    let logs = Logs::new();
    let mut reader = reader(&logs, Container::Cri);
    logs.write("0.log", &[cri("stdout", "F", "whole"), cri("stdout", "P", "be")].concat());
    reader.step();
    logs.rename("0.log", "0.log.20240131-100000");
    logs.write("0.log", &[cri("stdout", "P", "tw"), cri("stdout", "F", "een")].concat());
    assert_eq!(reader.pause().take(), ["whole", "between"]);
    assert!(reader.rejects.is_empty());
}

/// Writes lines whose pieces lie in three files, and ends the process before the step of that number.
fn straddle(container: Container, crash: Option<usize>) -> Reader {
    let piece = |stream: &str, text: &str, is_last: bool| match container {
        Container::Docker => docker(stream, &format!("{text}{}", if is_last { "\\n" } else { "" })),
        _ => cri(stream, if is_last { "F" } else { "P" }, text),
    };
    let files = [
        [piece("stdout", "first", true), piece("stdout", "a1 ", false), piece("stderr", "b1 ", false)],
        [piece("stdout", "a2 ", false), piece("stderr", "b2", true), piece("stderr", "x", true)],
        [piece("stdout", "a3", true), piece("stderr", "y", true), piece("stdout", "last", true)],
    ];
    let logs = Logs::new();
    let config = config(&[logs.path("0.log")]);
    let mut reader = reader(&logs, container);
    let mut step = 0;
    for (serial, pieces) in files.iter().enumerate() {
        if serial > 0 {
            logs.rename("0.log", &format!("0.log.2024013{serial}-100000"));
        }
        for piece in pieces {
            logs.write("0.log", piece);
            // What was rotated may have been read to its end and closed by then, or not.
            for pauses in [false, true] {
                if crash == Some(step) {
                    reader.restart(&config);
                }
                step += 1;
                if pauses {
                    reader.pause()
                } else {
                    reader.step()
                };
            }
        }
    }
    reader.pause();
    reader
}

#[test]
fn scenario_90_a_restart_between_the_pieces_loses_none() {
    for container in [Container::Cri, Container::Docker] {
        for crash in (0..18).map(Some).chain([None]) {
            let mut reader = straddle(container, crash);
            assert_eq!(
                reader.take(),
                ["first", "b1 b2", "x", "a1 a2 a3", "y", "last"],
                "{container:?}, before step {crash:?}"
            );
            assert!(reader.rejects.is_empty());
            let held = reader.tailer.files().flat_map(|file| file.predecessor()).count();
            let positions = reader.positions();
            assert!(
                positions.iter().all(|position| position.offset == position.delivered),
                "{held}: every line is whole, and no position waits: {positions:?}"
            );
        }
    }
}

#[test]
fn scenario_91_a_piece_whose_rest_never_comes_expires_and_is_counted_once() {
    let logs = Logs::new();
    let mut reader = reader(&logs, Container::Cri);
    logs.write("0.log", &[cri("stdout", "P", "lost"), cri("stderr", "F", "other")].concat());
    assert_eq!(reader.step().take(), ["other"]);
    let held = reader.positions().remove(0);
    assert!(held.offset < held.delivered, "a restart begins at the piece");
    let wait = inference_exporter::limits::PARTIAL_WAIT;
    let count = |reader: &mut Reader, now| -> usize {
        reader.buffers.values_mut().map(|buffer| buffer.expire(now)).sum()
    };
    let now = reader.now;
    assert_eq!(count(&mut reader, now), 0);
    assert_eq!(count(&mut reader, now.plus(wait)), 1);
    assert_eq!(count(&mut reader, now.plus(wait)), 0);
    logs.write("0.log", &cri("stdout", "F", "new"));
    assert_eq!(reader.step().take(), ["new"]);
    assert_eq!(reader.positions()[0].offset, reader.positions()[0].delivered);
}

#[test]
fn scenario_91_a_piece_at_the_very_end_is_settled_with_the_file() {
    for (container, expected) in [(Container::Cri, &[][..]), (Container::Docker, &["no end"][..])] {
        let logs = Logs::new();
        let mut reader = reader(&logs, container);
        match container {
            Container::Docker => logs.write("0.log", &docker("stdout", "no end")),
            _ => logs.write("0.log", &cri("stdout", "P", "cut")),
        }
        reader.step();
        logs.delete("0.log");
        assert_eq!(reader.pause().take(), expected);
        let is_cut = container == Container::Cri;
        assert_eq!(reader.rejects, if is_cut { vec![Reject::Container] } else { Vec::new() });
    }
}

#[test]
fn scenario_92_a_joined_line_above_the_limit_is_rejected_once_whole() {
    let logs = Logs::new();
    let mut reader = reader(&logs, Container::Cri);
    reader.line.line_bytes_max = 100;
    for _ in 0..1000 {
        logs.write("0.log", &cri("stdout", "P", &"x".repeat(60)));
    }
    reader.step();
    let held: usize = reader.buffers.values().map(Buffer::memory_bytes).sum();
    assert!(held < 10_000, "{held} bytes are held for a line that is rejected anyway");
    logs.write("0.log", &[cri("stdout", "F", "end"), cri("stdout", "F", "next")].concat());
    assert_eq!(reader.step().take(), ["next"]);
    assert_eq!(reader.rejects, [Reject::TooLong]);
}

#[test]
fn scenario_93_what_is_no_line_of_the_runtime_is_rejected_and_its_neighbours_are_not() {
    let logs = Logs::new();
    let mut reader = reader(&logs, Container::Cri);
    let bad = [
        "not of a runtime at all",
        "2024-01-31T10:00:00Z",
        "2024-01-31T10:00:00Z stdout",
        "2024-01-31T10:00:00Z stdin F a",
        "2024-01-31T10:00:00Z stdout X a",
        "yesterday stdout F a",
        "2024-01-31 stdout F a",
        "",
    ];
    for (at, line) in bad.iter().enumerate() {
        logs.write("0.log", &format!("{line}\n{}", cri("stdout", "F", &at.to_string())));
    }
    let expected: Vec<String> = (0..bad.len()).map(|at| at.to_string()).collect();
    assert_eq!(reader.step().take(), expected);
    assert_eq!(reader.rejects, vec![Reject::Container; bad.len()]);
}

#[test]
fn scenario_94_docker_pieces_of_16_kib_with_escapes() {
    let logs = Logs::new();
    let mut reader = reader(&logs, Container::Docker);
    // A runtime cuts bytes, and so between an escape and the next, never within one.
    let text = "\u{e9}\"\\\t".repeat(8000);
    let units: Vec<String> = text
        .chars()
        .map(|one| match one {
            '"' => "\\\"".to_string(),
            '\\' => "\\\\".to_string(),
            '\t' => "\\t".to_string(),
            other => format!("\\u{:04x}", u32::from(other)),
        })
        .collect();
    let pieces: Vec<String> = units.chunks(16_384 / 3).map(|units| units.concat()).collect();
    assert!(pieces.len() > 3);
    for piece in &pieces {
        logs.write("0.log", &docker("stdout", piece));
        assert!(reader.step().take().is_empty());
    }
    logs.write("0.log", &docker("stdout", "\\n"));
    assert_eq!(reader.step().take(), [text]);
}
