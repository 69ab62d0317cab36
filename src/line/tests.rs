use super::*;
use crate::limits::{BUFFER_BYTES_MIN, PARTIAL_WAIT, POSITION_BYTES, QUOTED_BYTES_MAX};
use crate::time::Timestamp;
use proptest::prelude::*;

const PLAIN: Config = Config { container: Container::None, line_bytes_max: 16, quoted: None };
const CSV: Config = Config { container: Container::None, line_bytes_max: 1000, quoted: Some(b',') };
const CRI: Config = Config { container: Container::Cri, line_bytes_max: 16, quoted: None };
const DOCKER: Config = Config { container: Container::Docker, line_bytes_max: 16, quoted: None };

type Found = Vec<Result<(String, u64, u64), Reject>>;

/// Reads `input` in pieces, takes every line, and finishes.
fn read(config: &Config, input: &[u8], cuts: &[usize]) -> Found {
    let mut buffer = Buffer::new(config);
    let mut found = Vec::new();
    let mut rest = input;
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let mut piece = &rest[..cut.min(rest.len())];
        rest = &rest[piece.len()..];
        while !piece.is_empty() {
            let space = buffer.space();
            let count = piece.len().min(space.len());
            space[..count].copy_from_slice(&piece[..count]);
            buffer.filled(count, Timestamp::default());
            piece = &piece[count..];
            take(&mut buffer, &mut found);
            let consumed = buffer.committed();
            assert!(
                consumed.offset + buffer.pending_bytes() == (input.len() - rest.len() - piece.len()) as u64
            );
            let end = consumed.offset as usize;
            assert_eq!(consumed.tail, &input[end.saturating_sub(POSITION_BYTES)..end], "the committed tail");
        }
    }
    buffer.finish();
    take(&mut buffer, &mut found);
    assert_eq!(buffer.pending_bytes(), 0);
    found
}

fn take(buffer: &mut Buffer, found: &mut Found) {
    while let Some(line) = buffer.next_line() {
        found
            .push(line.map(|line| (String::from_utf8_lossy(line.bytes).into_owned(), line.offset, line.end)));
    }
}

fn texts(config: &Config, input: &[u8]) -> Vec<Result<String, Reject>> {
    read(config, input, &[]).into_iter().map(|line| line.map(|line| line.0)).collect()
}

fn ok(text: &str) -> Result<String, Reject> {
    Ok(text.to_string())
}

/// Texts with the offsets that they and what is behind them have in the file.
fn assert_lines(input: &[u8], expected: &[(&str, u64, u64)]) {
    let expected: Found =
        expected.iter().map(|(text, offset, end)| Ok((text.to_string(), *offset, *end))).collect();
    for cuts in [vec![], vec![1; input.len()]] {
        assert_eq!(read(&PLAIN, input, &cuts), expected, "{input:?}");
    }
}

#[test]
fn scenario_19_several_lines_in_one_read() {
    assert_lines(b"", &[]);
    assert_lines(b"a\nb\n", &[("a", 0, 2), ("b", 2, 4)]);
    assert_lines(b"a\nrest", &[("a", 0, 2), ("rest", 2, 6)]);
}

#[test]
fn scenario_20_a_line_in_two_reads_is_one() {
    for cut in 0..9 {
        let expected: Found = vec![Ok(("one line".to_string(), 0, 9))];
        assert_eq!(read(&PLAIN, b"one line\n", &[cut]), expected);
    }
}

#[test]
fn scenario_23_empty_lines_are_lines() {
    assert_lines(b"\n\na\n", &[("", 0, 1), ("", 1, 2), ("a", 2, 4)]);
    assert_lines(b"\n", &[("", 0, 1)]);
    assert_lines(b"\r\n\r\n", &[("", 0, 2), ("", 2, 4)]);
}

#[test]
fn scenario_24_line_ends_of_every_kind_and_offsets_of_raw_bytes() {
    assert_lines(b"a\r\nb\nc\r\n", &[("a", 0, 3), ("b", 3, 5), ("c", 5, 8)]);
    assert_lines(b"a\rb\n", &[("a\rb", 0, 4)]);
    assert_lines(b"a\r\r\n", &[("a\r", 0, 4)]);
    assert_lines(b"a\nrest\r", &[("a", 0, 2), ("rest", 2, 7)]);
}

#[test]
fn scenario_25_a_line_end_of_two_bytes_split_between_reads() {
    let expected: Found = vec![Ok(("a".to_string(), 0, 3)), Ok(("b".to_string(), 3, 6))];
    for cut in 0..6 {
        assert_eq!(read(&PLAIN, b"a\r\nb\r\n", &[cut]), expected);
    }
    // A doubled quote is one token of two bytes, too.
    for cut in 0..14 {
        let texts: Vec<_> = read(&CSV, b"\"a\"\"\nb\",c\nd\n", &[cut]).into_iter().collect();
        assert_eq!(texts.len(), 2, "{cut}: {texts:?}");
    }
}

#[test]
fn scenario_31_a_character_split_between_reads_is_whole() {
    let input = "\u{e9}\u{65e5}\u{1f600}\n".as_bytes();
    for cut in 0..input.len() {
        let expected: Found = vec![Ok(("\u{e9}\u{65e5}\u{1f600}".to_string(), 0, 10))];
        assert_eq!(read(&PLAIN, input, &[cut]), expected, "{cut}");
    }
}

#[test]
fn scenario_21_an_unterminated_line_stays_pending_until_finish() {
    let mut buffer = Buffer::new(&PLAIN);
    buffer.space()[..5].copy_from_slice(b"a\nres");
    buffer.filled(5, Timestamp::default());
    assert!(buffer.next_line().expect("a line").is_ok());
    assert!(buffer.next_line().is_none());
    assert_eq!((buffer.pending_bytes(), buffer.committed().offset), (3, 2));
    buffer.finish();
    assert_eq!(buffer.next_line().expect("the rest").expect("a line").bytes, b"res");
    assert!(buffer.next_line().is_none());
    assert_eq!((buffer.pending_bytes(), buffer.committed().offset), (0, 5));
}

#[test]
fn scenario_26_lines_about_the_limit_and_longer_than_a_read() {
    let (exact, over) = ("x".repeat(16), "y".repeat(17));
    for (line, is_line) in [(&exact, true), (&over, false)] {
        for end in ["\n", "\r\n"] {
            let expected = if is_line { ok(line) } else { Err(Reject::TooLong) };
            assert_eq!(texts(&PLAIN, format!("{line}{end}").as_bytes()), [expected]);
        }
    }
    assert_eq!(texts(&PLAIN, format!("\u{feff}{exact}\r\n").as_bytes()), [ok(&exact)]);
    let config = Config { line_bytes_max: 1 << 20, ..PLAIN };
    let long = "z".repeat(3 * crate::limits::BATCH_BYTES_MAX);
    assert_eq!(texts(&config, format!("{long}\na\n").as_bytes()), [ok(&long), ok("a")]);
}

#[test]
fn scenario_27_a_line_over_the_limit_leaves_its_neighbours_intact() {
    for length in [17, 300, 100_000] {
        let input = format!("a\n{}\nb\n", "z".repeat(length));
        let expected: Found = vec![
            Ok(("a".to_string(), 0, 2)),
            Err(Reject::TooLong),
            Ok(("b".to_string(), length as u64 + 3, length as u64 + 5)),
        ];
        assert_eq!(read(&PLAIN, input.as_bytes(), &[]), expected);
    }
}

#[test]
fn scenario_29_an_endless_line_holds_a_bounded_memory() {
    let mut buffer = Buffer::new(&PLAIN);
    let mut read_bytes = 0;
    for _ in 0..10_000 {
        let space = buffer.space();
        space.fill(b'x');
        let count = space.len();
        buffer.filled(count, Timestamp::default());
        read_bytes += count as u64;
        assert!(buffer.next_line().is_none());
    }
    // One read and its reserve: doubling the memory once more is what Vec may do.
    assert!(buffer.memory_bytes() <= 2 * (crate::limits::BATCH_BYTES_MAX + BUFFER_BYTES_MIN));
    assert_eq!((buffer.pending_bytes(), buffer.committed().offset), (read_bytes, 0));
    buffer.space()[..3].copy_from_slice(b"\na\n");
    buffer.filled(3, Timestamp::default());
    assert_eq!(buffer.next_line(), Some(Err(Reject::TooLong)));
    assert_eq!(buffer.next_line().expect("a line").expect("whole").bytes, b"a");
}

#[test]
fn scenario_32_byte_order_marks() {
    assert_eq!(texts(&PLAIN, b"\xEF\xBB\xBFa\n\xEF\xBB\xBFb\n"), [ok("a"), ok("\u{feff}b")]);
    let encoding = Err(Reject::Encoding);
    assert_eq!(
        texts(&PLAIN, b"\xFF\xFEa\0\n\0b\0\n\0"),
        [encoding.clone(), encoding.clone(), encoding.clone()]
    );
    assert_eq!(texts(&PLAIN, b"\xFE\xFF\0a\0\n\0b\0\n"), [encoding.clone(), encoding]);
    let mut buffer = Buffer::new(&PLAIN);
    buffer.space()[..2].copy_from_slice(b"\xFF\xFE");
    buffer.filled(2, Timestamp::default());
    buffer.restart(0, 0);
    buffer.space()[..2].copy_from_slice(b"a\n");
    buffer.filled(2, Timestamp::default());
    assert_eq!(buffer.next_line().expect("a line").expect("whole").bytes, b"a");
}

#[test]
fn scenario_33_nuls_at_the_head_are_skipped_and_counted() {
    let mut input = vec![0; 100_000];
    input.extend(b"a\n");
    assert_eq!(read(&PLAIN, &input, &[]), [Ok(("a".to_string(), 100_000, 100_002))]);
    let mut buffer = Buffer::new(&PLAIN);
    buffer.space()[..5].copy_from_slice(b"\0\0\0a\n");
    buffer.filled(5, Timestamp::default());
    assert!(buffer.next_line().is_some());
    assert_eq!(buffer.nul_bytes(), 3);
}

#[test]
fn scenario_34_nuls_within_a_line_stay_and_those_before_one_go() {
    assert_lines(b"b\0c\n\0\0d\n", &[("b\0c", 0, 4), ("d", 6, 8)]);
    // A power loss leaves a block of them in place of the end of a line.
    assert_lines(b"a\nhal\0\0\0\nb\n", &[("a", 0, 2), ("hal\0\0\0", 2, 9), ("b", 9, 11)]);
}

#[test]
fn scenario_66_a_truncation_discards_the_unterminated_line() {
    let mut buffer = Buffer::new(&PLAIN);
    buffer.space()[..4].copy_from_slice(b"half");
    buffer.filled(4, Timestamp::default());
    assert!(buffer.next_line().is_none());
    buffer.restart(0, 0);
    buffer.space()[..4].copy_from_slice(b"new\n");
    buffer.filled(4, Timestamp::default());
    let line = buffer.next_line().expect("a line").expect("whole");
    assert_eq!((line.bytes, line.offset), (&b"new"[..], 0));
}

#[test]
fn a_quiet_buffer_holds_no_more_than_its_pending_bytes_and_the_tail() {
    let mut buffer = Buffer::new(&PLAIN);
    let text = b"0123456789\n".repeat(100);
    buffer.space()[..text.len()].copy_from_slice(&text);
    buffer.filled(text.len(), Timestamp::default());
    while buffer.next_line().is_some() {}
    buffer.rest();
    assert!(buffer.memory_bytes() <= POSITION_BYTES + 16, "{}", buffer.memory_bytes());
    assert_eq!(buffer.committed().tail, &text[text.len() - POSITION_BYTES..]);
}

#[test]
fn csv_records_end_outside_quotes() {
    for (input, expected) in [
        ("a,\"b\nc\",d\ne\n", vec![ok("a,\"b\nc\",d"), ok("e")]),
        ("\"a\"\"\nb\"\"\",c\nd\n", vec![ok("\"a\"\"\nb\"\"\",c"), ok("d")]),
        ("a\"b\nc\n", vec![ok("a\"b"), ok("c")]),
        ("\"a\"x\"\nb\n", vec![ok("\"a\"x\""), ok("b")]),
        ("\u{feff}\"a\nb\"\nc\n", vec![ok("\"a\nb\""), ok("c")]),
        ("\"\"\na\n", vec![ok("\"\""), ok("a")]),
        ("\"\n\"\r\na\r\n", vec![ok("\"\n\""), ok("a")]),
        ("a,\"b\nc,d\ne\n", vec![ok("a,\"b"), ok("c,d"), ok("e")]),
    ] {
        assert_eq!(texts(&CSV, input.as_bytes()), expected, "{input:?}");
    }
}

#[test]
fn a_quote_that_never_closes_costs_one_line() {
    let config = Config { line_bytes_max: 1 << 20, ..CSV };
    let rows = 3 * QUOTED_BYTES_MAX / 4;
    let input = format!("a,\"b\n{}", "c,d\n".repeat(rows));
    let found = texts(&config, input.as_bytes());
    assert_eq!(found.len(), rows + 1);
    assert_eq!((&found[0], &found[1]), (&ok("a,\"b"), &ok("c,d")));
}

#[test]
fn scenario_88_to_93_pieces_are_joined_by_stream() {
    let time = "2016-10-06T00:17:09.669794202Z";
    let line = |rest: &str| format!("{time} {rest}\n");
    let bad = Err(Reject::Container);
    let long = Err(Reject::TooLong);
    for (lines, expected) in [
        (vec!["stdout F a", "stderr F b"], vec![ok("a"), ok("b")]),
        (vec!["stdout P a", "stdout P b", "stdout F c", "stdout F d"], vec![ok("abc"), ok("d")]),
        (vec!["stdout P a", "stderr F x", "stdout F b"], vec![ok("x"), ok("ab")]),
        (vec!["stdout P a", "stdout P b"], vec![bad.clone()]),
        (vec!["stdout P 0123456789", "stdout P 0123456789", "stdout F x", "stdout F y"], vec![long, ok("y")]),
        (
            vec!["stdout F 0123456789abcdef", "stdout F 0123456789abcdefg"],
            vec![ok("0123456789abcdef"), Err(Reject::TooLong)],
        ),
        (vec!["stdin F a", "stdout a", "stdout F b"], vec![bad.clone(), bad.clone(), ok("b")]),
        (vec!["stdout F "], vec![ok("")]),
    ] {
        let input: String = lines.iter().map(|rest| line(rest)).collect();
        assert_eq!(texts(&CRI, input.as_bytes()), expected, "{lines:?}");
    }
    assert_eq!(texts(&CRI, b"no wrapping\n"), [bad]);
}

#[test]
fn scenario_94_docker_splits_are_joined() {
    let piece = |log: &str| format!("{{\"log\":\"{log}\",\"stream\":\"stdout\",\"time\":\"t\"}}\n");
    let input = [piece("a\\\"b"), piece("c\\n"), piece("d\\n"), piece("no end")].concat();
    assert_eq!(texts(&DOCKER, input.as_bytes()), [ok("a\"bc"), ok("d"), ok("no end")]);
}

#[test]
fn scenario_90_91_an_open_line_moves_to_the_next_file_or_expires() {
    let mut old = Buffer::new(&CRI);
    let mut new = Buffer::new(&CRI);
    let now = Timestamp::from_seconds(100);
    fill(&mut old, "2016-10-06T00:17:09Z stdout P a\n", now);
    assert!(old.next_line().is_none());
    new.inherit(&mut old);
    fill(&mut new, "2016-10-06T00:17:09Z stdout F b\n", now);
    assert_eq!(new.next_line().expect("a line").expect("whole").bytes, b"ab");
    old.finish();
    assert!(old.next_line().is_none());

    fill(&mut new, "2016-10-06T00:17:09Z stdout P a\n", now);
    assert!(new.next_line().is_none());
    assert!(new.pending_bytes() > 0);
    assert_eq!(new.expire(now), 0);
    assert_eq!(new.expire(now.plus(PARTIAL_WAIT)), 1);
    assert_eq!(new.pending_bytes(), 0);
}

#[test]
fn a_restart_among_open_pieces_gives_no_line_twice() {
    let time = "2016-10-06T00:17:09Z";
    let text = format!("{time} stdout F 0\n{time} stdout P a\n{time} stderr F x\n{time} stdout F b\n");
    let cut = text.rfind(time).expect("four lines");
    let mut buffer = Buffer::new(&CRI);
    let mut found = Vec::new();
    fill(&mut buffer, &text[..cut], Timestamp::default());
    take(&mut buffer, &mut found);
    let (offset, delivered) = (buffer.committed().offset, buffer.committed().delivered);
    assert_eq!((offset, delivered), (text.find("stdout P").expect("a piece") as u64 - 21, cut as u64));
    assert_eq!(buffer.committed().tail, &text.as_bytes()[..offset as usize]);

    let mut buffer = Buffer::new(&CRI);
    buffer.restart(offset, delivered);
    fill(&mut buffer, &text[offset as usize..], Timestamp::default());
    take(&mut buffer, &mut found);
    let found: Vec<_> = found.into_iter().map(|line| line.expect("whole").0).collect();
    assert_eq!(found, ["0", "x", "ab"]);
}

fn fill(buffer: &mut Buffer, text: &str, now: Timestamp) {
    buffer.space()[..text.len()].copy_from_slice(text.as_bytes());
    buffer.filled(text.len(), now);
}

/// Bytes that are often the ones that matter here.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        3 => Just(b"\"".to_vec()),
        2 => Just(b",".to_vec()),
        1 => Just(b"\0".to_vec()),
        1 => Just(b"\xEF\xBB\xBF".to_vec()),
        1 => Just(b"\xFF\xFE".to_vec()),
        3 => Just(b"2016-10-06T00:17:09Z stdout P a\n".to_vec()),
        3 => Just(b"2016-10-06T00:17:09Z stderr F b\n".to_vec()),
        3 => Just(b"2016-10-06T00:17:09Z stdout F \xC3\xA9\n".to_vec()),
        3 => Just(b"{\"log\":\"a\\u00e9\\n\",\"stream\":\"stderr\"}\n".to_vec()),
        3 => Just(b"{\"log\":\"a\"}\n".to_vec()),
        4 => proptest::collection::vec(any::<u8>(), 0..30),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

#[test]
fn a_byte_order_mark_is_not_before_the_line_that_it_begins() {
    // The line goes on, so that the position stays at its start.
    read(&DOCKER, b"\xEF\xBB\xBF{\"log\":\"a\"}\n", &[]);
}

proptest! {
    #[test]
    fn the_lines_do_not_depend_on_how_reads_cut_the_bytes(
        input in input(),
        cuts in proptest::collection::vec(0_usize..40, 0..40),
        line_bytes_max in 1_usize..64,
        kind in 0..4,
    ) {
        let config = Config {
            line_bytes_max,
            ..[PLAIN, CSV, CRI, DOCKER][kind as usize]
        };
        prop_assert_eq!(read(&config, &input, &[]), read(&config, &input, &cuts));
    }

    /// Against the plainest splitter there is.
    #[test]
    fn plain_lines_are_those_between_line_ends(input in "[a-c\n]{0,300}") {
        let mut expected: Vec<_> = input.split('\n').map(str::to_string).collect();
        if expected.last().is_some_and(String::is_empty) {
            expected.pop();
        }
        let config = Config { line_bytes_max: 1000, ..PLAIN };
        let found: Vec<_> =
            texts(&config, input.as_bytes()).into_iter().map(|line| line.expect("whole")).collect();
        prop_assert_eq!(found, expected);
    }
}
