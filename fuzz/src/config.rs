//! The configuration: any text is a plan or a list of mistakes, each with its place.

use inference_exporter::config;
use inference_exporter::family::{self, writer};
use inference_exporter::join::Secret;
use inference_exporter::pipeline::State;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let environment = |name: &str| name.len().is_multiple_of(2).then(|| name.to_lowercase());
    match config::parse(text, "fuzz.yaml", &environment) {
        Ok(loaded) => {
            check_problems(&loaded.warnings, text);
            let plan = config::plan_text(&loaded.plan);
            assert!(plan.contains("logs:") && plan.contains("models:"));
            let pipeline = &loaded.plan.pipeline;
            assert!(!pipeline.streams.is_empty(), "a plan that reads nothing");
            let state = State::new(pipeline, Secret::new([1; 16]));
            let mut writer = writer::Writer::new(writer::Format::Text, 0);
            family::write(&state, &mut writer);
            crate::exposition::check(&writer.finish(), writer::Format::Text);
        }
        Err(errors) => {
            assert!(!errors.0.is_empty(), "refused without a reason");
            assert!(!errors.to_string().is_empty());
            check_problems(&errors.0, text);
        }
    }
}

fn check_problems(problems: &[config::Problem], text: &str) {
    // A line may be ended by a carriage return alone, and an error may stand behind the last one.
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() + 1;
    for problem in problems {
        assert!(!problem.what.is_empty(), "a problem that says nothing");
        assert_eq!(problem.file, "fuzz.yaml");
        assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem} of {lines} lines");
    }
}
