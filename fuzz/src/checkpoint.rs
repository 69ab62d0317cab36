//! The checkpoint: what was written comes back whole, and other bytes are refused or a state to work with.
//!
//! Where the input begins with `r`, the rest is the payload of a checkpoint as it stands. Otherwise it begins
//! like one of `pipeline`: logs are replayed, and the state that they come to is written and read. Bytes behind
//! a line `%!` then change the payload, three at a time: two for the place, one for the value. So no corpus goes
//! stale with a new format.

use crate::exposition;
use crate::pipeline::{PLANS, contents, expose, replay};
use inference_exporter::checkpoint::codec;
use inference_exporter::checkpoint::seal::{self, Kind};
use inference_exporter::family::writer::Format;
use inference_exporter::join::Secret;
use inference_exporter::pipeline::live::Live;
use inference_exporter::pipeline::saved::Saved;
use inference_exporter::pipeline::stream::lock;
use inference_exporter::pipeline::{Config, State};
use inference_exporter::report;
use inference_exporter::status::Status;
use inference_exporter::time::Timestamp;
use std::sync::{Arc, Mutex};

/// Between the logs and the changes.
const CHANGES: &[u8] = b"%!\n";

pub(crate) fn run(bytes: &[u8]) {
    check_seal(bytes);
    if let Some(payload) = bytes.strip_prefix(b"r") {
        check_decoded(&PLANS[0], payload);
        return;
    }
    let Some((choice, rest)) = crate::choose(bytes, PLANS.len()) else { return };
    let config = &PLANS[choice];
    let at = rest.windows(CHANGES.len()).position(|three| three == CHANGES);
    let (logs, changes) = at.map_or((rest, &[][..]), |at| (&rest[..at], &rest[at + CHANGES.len()..]));
    let replayed = live(config, replay(config, &contents(logs, config.streams.len()), None));
    let mut payload = codec::encode(&replayed, &mut || {}).0;
    let page = expose(&lock(replayed.state()), Format::Text);
    let saved =
        codec::decode(&payload).unwrap_or_else(|error| panic!("what was written is refused: {error}"));
    check_goes_on(config, saved, Some(&page));
    for change in changes.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % payload.len();
        payload[place] = change[2];
    }
    check_decoded(config, &payload);
}

/// A payload comes back from its seal, and nothing else is one.
fn check_seal(bytes: &[u8]) {
    for kind in [Kind::Checkpoint, Kind::Shown] {
        assert!(seal::unseal(kind, bytes).is_err(), "no file begins as an input does");
        let mut file = [&seal::seal(kind, bytes)[..], bytes].concat();
        assert!(seal::unseal(kind, &file).is_ok_and(|payload| payload == bytes));
        if let Some(last) = file.last_mut() {
            *last ^= 1;
        }
        assert!(seal::unseal(kind, &file).is_err(), "a changed file is taken for whole");
    }
    if let Some(mark) = codec::decode_mark(bytes) {
        let written = codec::encode_mark(&mark);
        assert!(codec::decode_mark(&written).is_some(), "a mark that was written is refused");
    }
}

/// Whatever the bytes are, they are refused, or a state that can be shown, gone on with and written again.
fn check_decoded(config: &Config, payload: &[u8]) {
    let Ok(saved) = codec::decode(payload) else { return };
    exposition::check(&expose(saved.state(), Format::OpenMetrics), Format::OpenMetrics);
    assert!(!report::text(&Status::new(saved.state()), false).is_empty());
    check_goes_on(config, saved, None);
}

/// Goes on from a state, which is shown as it was before, if that is known, and writes it again.
fn check_goes_on(config: &Config, saved: Saved, before: Option<&[u8]>) {
    let mut live = live(config, State::new(config, Secret::new([2; 16])));
    live.resume(Some(saved), None);
    if let Some(page) = before {
        let shown = expose(&lock(live.state()), Format::Text);
        let differs =
            shown.split(|byte| *byte == b'\n').zip(page.split(|byte| *byte == b'\n')).find(|(a, b)| a != b);
        let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        assert_eq!(differs.map(|(now, before)| (text(now), text(before))), None, "another page than before");
        assert_eq!(shown.len(), page.len());
    }
    live.settle(Timestamp::from_seconds(1_800_000_000));
    live.turn(Timestamp::from_seconds(1_800_000_001));
    let after = codec::encode(&live, &mut || {}).0;
    assert!(codec::decode(&after).is_ok(), "what was gone on with is refused");
}

fn live(config: &Config, state: State) -> Live {
    let live = Live::new(config.clone(), Arc::new(Mutex::new(state)));
    live.unwrap_or_else(|error| panic!("{error}"))
}
