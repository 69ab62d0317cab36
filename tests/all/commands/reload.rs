//! Another configuration for a sidecar that runs: by signal, over HTTP, by a changed file.

use super::process::{Exporter, append, one_model, one_model_text, value, write};
use super::sidecar::{OUTCOMES, outcome};
use serde_json::Value;
use std::os::unix::fs::symlink;
use std::path::Path;

const RELOADED: &str = "inference_exporter_config_last_reload_successful";
const REFUSED: &str = "configuration refused, the one in force goes on";

/// Models' series without what depends on the clock or the process.
fn models_series(exposition: &str) -> Vec<&str> {
    let of_models = |line: &&str| line.starts_with("inference_") && !line.starts_with("inference_exporter_");
    exposition.lines().filter(of_models).collect()
}

fn reason(event: &Value) -> Option<String> {
    event["reason"].as_str().map(ToOwned::to_owned)
}

/// Replaces a file in one step: the exporter may look at it at any time.
fn exchange(path: &Path, text: &str) {
    let fresh = path.with_extension("new");
    write(&fresh, text);
    std::fs::rename(fresh, path).expect("renamed");
}

#[test]
fn scenario_84_sighup_follows_a_new_log_lets_one_go_and_reads_no_other_again() {
    let (directory, config) = one_model();
    let log = |name: &str| directory.path().join(format!("{name}.jsonl"));
    write(&config, &one_model_text(directory.path(), &["p", "gone"]));
    append(&log("p"), (0..100).map(outcome).collect::<String>().as_bytes());
    let mut exporter = Exporter::run(&config, &[]);
    exporter.await_value(OUTCOMES, "100");
    let before = exporter.metrics();

    exchange(&config, &one_model_text(directory.path(), &["added", "p"]));
    exporter.signal("HUP");
    exporter.await_log("configuration reloaded", |_| Some(()));
    let after = exporter.metrics();
    assert_eq!(models_series(&before), models_series(&after));
    let lines = |log: &str| format!("inference_exporter_lines_total{{log=\"{log}\"}}");
    assert_eq!(value(&after, &lines("p")).as_deref(), Some("100"));
    assert_eq!(value(&after, &lines("gone")), None);

    append(&log("gone"), outcome(1000).as_bytes());
    append(&log("added"), outcome(1001).as_bytes());
    append(&log("p"), outcome(1002).as_bytes());
    exporter.await_value(&lines("added"), "1");
    exporter.await_value(&lines("p"), "101");
    exporter.await_value(OUTCOMES, "102");
}

#[test]
fn a_bad_file_is_refused_and_the_old_one_goes_on() {
    let (directory, config) = one_model();
    let good = one_model_text(directory.path(), &["p"]);
    let mut exporter = Exporter::run(&config, &["--web.enable-lifecycle"]);
    for (text, said) in [
        (good.replace("binary", "binery"), "did you mean `binary`?"),
        (
            good.replace("127.0.0.1:0", "127.0.0.1:9"),
            "listen has changed to 127.0.0.1:9, which takes a restart",
        ),
        (format!("state_dir: /tmp/elsewhere\n{good}"), "state_dir has changed, which takes a restart"),
    ] {
        exchange(&config, &text);
        exporter.signal("HUP");
        exporter.await_log(REFUSED, |event| reason(event)?.contains(said).then_some(()));
        exporter.await_value(RELOADED, "0");
        let refused = exporter.ask("POST", "/-/reload", "");
        assert_eq!(refused.status, 500);
        let text = refused.text();
        assert!(text.contains(said), "{text}");
    }
    append(&directory.path().join("p.jsonl"), outcome(1).as_bytes());
    exporter.await_value(OUTCOMES, "1");
    exchange(&config, &good);
    assert_eq!(exporter.ask("POST", "/-/reload", "").status, 200);
    exporter.await_value(RELOADED, "1");
    assert_eq!(exporter.value(OUTCOMES).as_deref(), Some("1"));
}

#[test]
fn reloading_over_http_is_forbidden_unless_enabled() {
    let (_directory, config) = one_model();
    let exporter = Exporter::run(&config, &[]);
    let forbidden = exporter.ask("POST", "/-/reload", "");
    assert_eq!(forbidden.status, 403);
    assert!(forbidden.text().contains("--web.enable-lifecycle"));
}

/// As a kubelet does it: `config.yaml` → `..data/config.yaml`, `..data` is swapped to another directory, and
/// the one before is removed.
#[test]
fn a_swapped_config_map_is_picked_up() {
    let (directory, _) = one_model();
    let path = |name: &str| directory.path().join(name);
    let swap = |generation: &str, text: &str| {
        std::fs::create_dir(path(generation)).expect("a directory");
        write(&path(generation).join("mounted.yaml"), text);
        symlink(generation, path("..data_new")).expect("a link");
        let before = std::fs::read_link(path("..data"));
        std::fs::rename(path("..data_new"), path("..data")).expect("renamed");
        if let Ok(before) = before {
            std::fs::remove_dir_all(path(&before.to_string_lossy())).expect("removed");
        }
    };
    let good = one_model_text(directory.path(), &["p", "added"]);
    swap("..1", &one_model_text(directory.path(), &["p"]));
    symlink("..data/mounted.yaml", path("mounted.yaml")).expect("a link");
    append(&path("p.jsonl"), (0..10).map(outcome).collect::<String>().as_bytes());
    let mut exporter = Exporter::run(&path("mounted.yaml"), &[]);
    exporter.await_value(OUTCOMES, "10");

    swap("..2", &good);
    exporter.await_log("configuration reloaded", |_| Some(()));
    append(&path("added.jsonl"), outcome(10).as_bytes());
    exporter.await_value("inference_exporter_lines_total{log=\"added\"}", "1");
    assert_eq!(exporter.value(OUTCOMES).as_deref(), Some("11"));

    swap("..3", &good.replace("windows", "widnows"));
    exporter.await_log(REFUSED, |event| reason(event)?.contains("did you mean `windows`?").then_some(()));
    exporter.await_value(RELOADED, "0");
    append(&path("added.jsonl"), outcome(11).as_bytes());
    exporter.await_value(OUTCOMES, "12");

    swap("..4", &good.replace("windows: [24h]", "windows: [1h, 24h]"));
    exporter.await_value(RELOADED, "1");
    let exposition = exporter.metrics();
    assert_eq!(value(&exposition, OUTCOMES).as_deref(), Some("12"));
    let samples = |window: &str| {
        let labels = format!("model=\"m\",version=\"\",window=\"{window}\",slice=\"all\"");
        value(&exposition, &format!("inference_window_samples{{{labels}}}"))
    };
    assert_eq!((samples("1h").as_deref(), samples("24h").as_deref()), (Some("0"), Some("12")));
    assert_eq!(value(&exposition, "inference_exporter_lines_total{log=\"p\"}").as_deref(), Some("10"));
}

#[test]
fn a_model_that_stays_keeps_all_it_has_while_others_come_and_go() {
    let (directory, config) = one_model();
    let text = |models: [&str; 2]| {
        let mut text = "listen: 127.0.0.1:0\nlogs:\n".to_owned();
        for model in models {
            let path = directory.path().join(format!("{model}.jsonl"));
            text.push_str(&format!(
                "  - {{name: {model}, paths: ['{}'], start_at: beginning, model: {model}, fields: {{id: id, \
                 prediction: p, label: y}}}}\n",
                path.display()
            ));
        }
        text + &format!(
            "models:\n  {}: {{task: binary, positive: '1'}}\n  {}: {{task: regression}}\n",
            models[0], models[1]
        )
    };
    write(&config, &text(["m", "gone"]));
    for model in ["m", "gone"] {
        let lines: String = (0..20).map(outcome).collect();
        append(&directory.path().join(format!("{model}.jsonl")), lines.as_bytes());
    }
    let exporter = Exporter::run(&config, &["--web.enable-lifecycle"]);
    exporter.await_value("inference_predictions_total{model=\"gone\",version=\"\"}", "20");
    exporter.await_value(OUTCOMES, "20");
    let of = |exposition: &str, model: &str| -> Vec<String> {
        let label = format!("{{model=\"{model}\"");
        exposition.lines().filter(|line| line.contains(&label)).map(ToOwned::to_owned).collect()
    };
    let before = exporter.metrics();
    exchange(&config, &text(["m", "added"]));
    assert_eq!(exporter.ask("POST", "/-/reload", "").status, 200);
    let after = exporter.metrics();
    assert!(of(&before, "m").len() > 20);
    assert_eq!(of(&after, "m"), of(&before, "m"));
    assert_eq!(of(&after, "gone"), [""; 0]);
    assert_eq!(
        value(&after, "inference_predictions_total{model=\"added\",version=\"\"}").as_deref(),
        Some("0")
    );

    // Another positive class: what is counted by class starts at 0, and no line is read for it again.
    exchange(&config, &text(["m", "added"]).replace("positive: '1'", "positive: '0'"));
    assert_eq!(exporter.ask("POST", "/-/reload", "").status, 200);
    let anew = exporter.metrics();
    assert_eq!(value(&anew, OUTCOMES).as_deref(), Some("0"));
    for kept in [
        "inference_exporter_lines_total{log=\"m\"}",
        "inference_requests_total{model=\"m\",version=\"\",status=\"\",result=\"ok\"}",
    ] {
        assert_eq!(value(&anew, kept).as_deref(), Some("20"), "{kept}");
    }
}
