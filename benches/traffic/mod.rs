//! Logs to measure with, the same for the same seed: 430 bytes of JSON a request, as a model server writes
//! them, of which nine fields are mapped.

use inference_exporter::config;
use inference_exporter::pipeline::Config;

/// Numbers that follow from a seed (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

/// How the log of a benchmark is made.
#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) lines: u64,
    pub(crate) models: u64,
    pub(crate) versions: u64,
    /// Two or more, or 0 for regression.
    pub(crate) classes: u64,
    /// Whether labels are in the line of their prediction or in a log of their own.
    pub(crate) inline: bool,
    /// How often a prediction is right, in percent.
    pub(crate) accuracy: u64,
}

/// 2026-01-01; a line follows two milliseconds after the one before.
pub(crate) const START_SECONDS: u64 = 1_767_225_600;

// === impl Dice ===

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

// === impl Traffic ===

impl Traffic {
    /// The log of requests and, where labels are not in its lines, that of labels.
    pub(crate) fn logs(&self) -> (String, String) {
        let mut dice = Dice(7);
        let (mut requests, mut labels) = (String::new(), String::new());
        for line in 0..self.lines {
            let time = time(line);
            let id = format!("{line:08x}-{:04x}-4abc-8def-{:012x}", dice.below(1 << 16), dice.below(1 << 48));
            let (prediction, label) = self.answer(&mut dice);
            let (model, version) = (dice.below(self.models), dice.below(self.versions));
            let mut inline = String::new();
            if self.inline {
                inline = format!(r#""label":"{label}","#);
            } else {
                labels +=
                    &format!(r#"{{"ts":"{time}","request_id":"{id}","model":"m{model}","label":"{label}"}}"#);
                labels.push('\n');
            }
            requests += &format!(
                r#"{{"ts":"{time}","request_id":"{id}","model":"m{model}","version":"v{version}","endpoint":"/predict","status":200,"latency_ms":{}.{},"prediction":"{prediction}","score":0.{:04},{inline}"features":{{"amount":{}.{:02},"country":"DE","device":"android","account_age_days":{},"merchant":"m_{}","hour":{},"new_card":true,"velocity_1h":0.{:05}}},"user":"u_{}","trace_id":"{:016x}{:016x}"}}
"#,
                dice.below(200),
                dice.below(10),
                dice.below(10_000),
                dice.below(5000),
                dice.below(100),
                dice.below(4000),
                dice.below(100_000),
                dice.below(24),
                dice.below(100_000),
                dice.below(1_000_000),
                dice.below(1 << 62),
                dice.below(1 << 62),
            );
        }
        (requests, labels)
    }

    /// What reads these logs out of a directory.
    pub(crate) fn config(&self, directory: &str) -> Config {
        let label = if self.inline { ", label: label" } else { "" };
        let task = match self.classes {
            0 => "task: regression",
            2 => "task: binary, positive: '1', negative: '0'",
            _ => "task: multiclass",
        };
        let score = if self.classes == 0 { "" } else { ", score: score" };
        let mut text = format!(
            "logs:
  - {{name: requests, paths: ['{directory}/requests'], format: json, start_at: beginning, fields: {{id: request_id,
      time: ts, model: model, version: version, status: status, latency: latency_ms, prediction: prediction{score}{label}}}}}\n"
        );
        if !self.inline {
            text += &format!(
                "  - {{name: labels, paths: ['{directory}/labels'], format: json, start_at: beginning,
      fields: {{id: request_id, time: ts, model: model, label: label}}}}\n"
            );
        }
        text += &format!("models: {{'*': {{{task}, limits: {{series: 1000000, versions: 100}}}}}}\n");
        match config::parse(&text, "bench.yaml", &|_| None) {
            Ok(checked) => checked.plan.pipeline,
            Err(errors) => panic!("{errors}"),
        }
    }

    fn answer(&self, dice: &mut Dice) -> (String, String) {
        if self.classes == 0 {
            return (format!("{}.5", dice.below(1000)), format!("{}", dice.below(1000)));
        }
        let label = dice.below(self.classes);
        let prediction = if dice.below(100) < self.accuracy { label } else { dice.below(self.classes) };
        (prediction.to_string(), label.to_string())
    }
}

fn time(line: u64) -> String {
    let millis = line * 2;
    let (second, millis) = (millis / 1000, millis % 1000);
    format!("2026-01-01T{:02}:{:02}:{:02}.{millis:03}Z", second / 3600, second / 60 % 60, second % 60)
}
