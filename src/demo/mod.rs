//! What `demo` shows: three fitted models at work, with late labels, a worse release and a drifting feature.
//!
//! Not a special path through the exporter: it writes logs and a configuration, and the same code as in
//! `run` tails and serves them. Nothing here reads a clock or prints.

pub mod model;
pub mod random;
pub mod traffic;

pub use traffic::Traffic;

use std::path::Path;

/// What to ask Prometheus while the demo runs, each with what its answer shows.
pub const QUERIES: [(&str, &str); 3] = [
    (
        "accuracy of each release over the last minute; v2 takes half of the requests after 2 minutes",
        r#"inference_accuracy_ratio{model="tumour", slice="all", window="1m"}"#,
    ),
    (
        "share of wrong answers by release, from counters, so that it adds up over pods",
        r#"sum by (version) (rate(inference_outcomes_total{model="tumour", correct="false"}[1m])) / sum by (version) (rate(inference_outcomes_total{model="tumour"}[1m]))"#,
    ),
    (
        "mean of prediction − label; the model's input bmi is measured higher and higher after 3 minutes",
        r#"inference_bias{model="progression", slice="all", window="1m"}"#,
    ),
];

/// The configuration, in YAML, that reads what `Traffic` writes into `directory`.
pub fn configuration(directory: &Path) -> String {
    // In a single-quoted YAML scalar a quote is doubled, and nothing else is special.
    let directory = directory.display().to_string().replace('\'', "''");
    include_str!("config.yaml").replace("DIRECTORY", &directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_yaml_whatever_the_directory_is_called() {
        let text = configuration(Path::new("/tmp/it's: a #1 folder"));
        let written: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(written["logs"][0]["paths"][0], "/tmp/it's: a #1 folder/tumour.jsonl");
        assert_eq!(written["logs"].as_sequence().unwrap().len(), 6);
    }

    #[test]
    fn every_fitted_model_has_its_logs_and_its_task_configured() {
        let written: serde_yaml::Value = serde_yaml::from_str(&configuration(Path::new("/tmp"))).unwrap();
        for model in model::fitted() {
            let settings = &written["models"][model.name.as_str()];
            let task = serde_yaml::to_value(model.task).unwrap();
            assert_eq!(settings["task"], task, "{}", model.name);
            let logs = written["logs"].as_sequence().unwrap();
            assert_eq!(logs.iter().filter(|log| log["model"] == model.name.as_str()).count(), 2);
        }
    }

    #[test]
    fn the_queries_ask_for_configured_models_and_windows() {
        let written: serde_yaml::Value = serde_yaml::from_str(&configuration(Path::new("/tmp"))).unwrap();
        for (_, query) in QUERIES {
            let name = query.split("model=\"").nth(1).unwrap().split('"').next().unwrap();
            let windows = written["models"][name]["windows"].as_sequence().unwrap();
            assert!(query.contains("1m") && windows.contains(&"1m".into()), "{query}");
        }
    }
}
