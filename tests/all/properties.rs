//! What must hold for any log, however it is cut, mixed or damaged, and under any limits.

#[path = "properties/damage.rs"]
mod damage;
#[path = "properties/join.rs"]
mod join;
#[path = "properties/limits.rs"]
mod limits;
#[path = "properties/reload.rs"]
mod reload;
#[path = "properties/restart.rs"]
mod restart;
#[path = "properties/traffic.rs"]
mod traffic;
#[path = "properties/windows.rs"]
mod windows;

use super::golden::exposition;
use super::support::replay_config;
use inference_exporter::family::writer::Format;
use inference_exporter::join::Secret;
use inference_exporter::pipeline::replay::{self, Input};
use inference_exporter::pipeline::{Config, State};
use inference_exporter::source::identity::Position;
use inference_exporter::source::{Error, Progress, Source};
use inference_exporter::status::{ModelStatus, Status};
use inference_exporter::time::Timestamp;
use proptest::prelude::*;
use traffic::{CONFIG, Event, LABELS, PREDICTIONS, events};

/// One file: the place of its log in the configuration, and what is in it.
type File = (usize, Vec<u8>);

/// Gives bytes in pieces of the sizes that it was told, over and over.
struct Choppy {
    content: Vec<u8>,
    read: usize,
    sizes: Vec<usize>,
    reads: usize,
}

impl Source for Choppy {
    fn read(&mut self, space: &mut [u8], _now: Timestamp) -> Result<Progress, Error> {
        let rest = &self.content[self.read..];
        if rest.is_empty() {
            return Ok(Progress::Ended);
        }
        let wanted = self.sizes.get(self.reads % self.sizes.len().max(1)).copied().unwrap_or(usize::MAX);
        let count = wanted.min(rest.len()).min(space.len());
        space[..count].copy_from_slice(&rest[..count]);
        (self.read, self.reads) = (self.read + count, self.reads + 1);
        Ok(Progress::Bytes(count))
    }

    fn position(&self) -> Position {
        unreachable!("a replay does not ask how far it came")
    }
}

/// Replays files, each read in pieces of these sizes; none means whole.
fn replay_files(config: &Config, files: &[File], sizes: &[usize]) -> State {
    let inputs = files.iter().map(|(stream, content)| {
        let source = Choppy { content: content.clone(), read: 0, sizes: sizes.to_vec(), reads: 0 };
        Input { stream: *stream, source: Box::new(source) }
    });
    let mut state = State::new(config, Secret::new([1; 16]));
    replay::run(config, inputs.collect(), &mut state, &mut |_| {}).expect("memory can be read");
    state
}

/// Both logs whole.
fn whole(events: &[Event]) -> Vec<File> {
    [PREDICTIONS, LABELS]
        .map(|log| (log, traffic::text(events.iter().filter(|event| event.log() == log))))
        .into()
}

fn status_json(state: &State) -> String {
    serde_json::to_string_pretty(&Status::new(state)).expect("a status is JSON")
}

/// The same counts of one model over all its versions.
fn labels_by(model: &ModelStatus, result: &str) -> u64 {
    let versions = model.versions.iter().filter_map(|version| version.labels.get(result));
    versions.chain(model.labels.get(result)).sum()
}

fn unlabeled_by(model: &ModelStatus, reason: &str) -> u64 {
    model.versions.iter().filter_map(|version| version.unlabeled.get(reason)).sum()
}

fn pending(model: &ModelStatus) -> u64 {
    model.versions.iter().map(|version| version.pending).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Times differ, because among equal times the order of the arguments decides, as is documented. Equal
    /// means every digit: sums are kept so that rounding does not depend on how a log is cut either.
    #[test]
    fn however_logs_are_cut_the_numbers_are_the_same(
        events in events(),
        files in prop::collection::vec(0..4usize, 1..80),
        shuffle in prop::collection::vec(any::<u32>(), 8),
        sizes in prop::collection::vec(1..200usize, 1..20),
    ) {
        let config = replay_config(CONFIG);
        let mut parts: Vec<File> = Vec::new();
        for part in 0..4 {
            for log in [PREDICTIONS, LABELS] {
                let chosen = events.iter().enumerate().filter(|(at, event)| {
                    event.log() == log && files[at % files.len()] == part
                });
                parts.push((log, traffic::text(chosen.map(|(_, event)| event))));
            }
        }
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|&at| shuffle[at]);
        let parts: Vec<File> = order.into_iter().map(|at| parts[at].clone()).collect();
        let expected = status_json(&replay_files(&config, &whole(&events), &[]));
        prop_assert_eq!(status_json(&replay_files(&config, &parts, &sizes)), expected);
    }

    #[test]
    fn every_prediction_and_every_label_becomes_exactly_one_thing(
        events in events(),
        max_pending in prop_oneof![1..12usize, Just(100_000)],
    ) {
        let mut config = replay_config(CONFIG);
        config.models.iter_mut().for_each(|model| model.join.max_pending = max_pending);
        let state = replay_files(&config, &whole(&events), &[]);
        for model in Status::new(&state).models {
            let of_model = events.iter().filter(|event| event.model == model.model);
            let (mut predictions, mut labels) = (0, 0);
            for event in of_model {
                predictions += u64::from(event.predicts());
                labels += u64::from(event.has_counted_label());
            }
            let by = |result| labels_by(&model, result);
            let lost = unlabeled_by(&model, "expired") + unlabeled_by(&model, "evicted");
            prop_assert_eq!(by("joined") + pending(&model) + lost, predictions, "predictions: {:?}", &model);
            let settled = by("joined") + by("orphan") + by("duplicate") + by("late") + by("invalid");
            prop_assert_eq!(settled + model.labels_waiting, labels, "labels: {:?}", &model);
            prop_assert_eq!(model.labels_waiting, 0, "at the end of a replay every waiting label is an orphan");
            let outcomes: u64 = model.versions.iter().flat_map(|version| &version.windows)
                .filter(|window| window.window == "all" && window.slice == "all").map(|window| window.samples).sum();
            prop_assert_eq!(outcomes, by("joined"));
        }
    }

    #[test]
    fn a_scrape_changes_nothing(events in events()) {
        let config = replay_config(CONFIG);
        let state = replay_files(&config, &whole(&events), &[]);
        let status = status_json(&state);
        let text = exposition(&state, Format::Text);
        let open = exposition(&state, Format::OpenMetrics);
        prop_assert_eq!(exposition(&state, Format::Text), text);
        prop_assert_eq!(exposition(&state, Format::OpenMetrics), open);
        prop_assert_eq!(status_json(&state), status);
    }
}
