//! The page at `/`: what is known, for a person with a port-forward and a question.
//!
//! One document without scripts or anything from elsewhere. Not a dashboard: it shows now, Prometheus keeps
//! the history. Invariant: it says nothing that `/api/v1/status` does not, and colour never says it alone.

mod html;

use crate::status::figure::{age, count, instant};
use crate::status::{LogStatus, ModelStatus, Status, VersionStatus, WindowStatus, tables};
use crate::time::Timestamp;
use html::Html;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
    <meta name=\"color-scheme\" content=\"light dark\">\
    <title>inference-exporter</title><style>\n";
const STYLE: &str = include_str!("page/style.css");

/// The whole page; ages are as of `now`.
pub fn html(status: &Status, now: Timestamp) -> String {
    let mut page = Html::default();
    page.raw(HEAD).raw(STYLE).raw("</style></head>\n<body>\n");
    header(&mut page, status, now);
    page.raw("<main>\n");
    if status.logs.iter().all(|log| log.lines == 0) {
        nothing_read(&mut page, &status.logs);
    }
    overview(&mut page, status, now);
    logs(&mut page, &status.logs, now);
    for (number, one) in status.models.iter().enumerate() {
        model(&mut page, number, one, now);
    }
    page.raw("</main>\n</body></html>\n");
    page.finish()
}

fn header(page: &mut Html, status: &Status, now: Timestamp) {
    page.raw("<header><h1>inference-exporter<small>").text(status.exporter_version).raw("</small></h1>");
    page.raw(if status.ready {
        "<span class=\"good\">ready</span>"
    } else {
        "<span class=\"unsure\">not ready: still reading what was there at the start</span>"
    });
    page.raw(
        "<nav aria-label=\"Endpoints\"><a href=\"/metrics\">/metrics</a> \
         <a href=\"/api/v1/status\">/api/v1/status</a> <a href=\"/-/healthy\">/-/healthy</a> \
         <a href=\"/-/ready\">/-/ready</a></nav>",
    );
    page.raw("<span class=\"quiet\">as of ").text(&instant(now.as_seconds())).raw("</span></header>\n");
}

fn nothing_read(page: &mut Html, logs: &[LogStatus]) {
    page.raw("<section class=\"note\"><h3>No line has been read yet</h3><ul>");
    page.raw(
        "<li>Does a file match <code>paths</code>? The exporter reads it as its own user, from inside its ",
    );
    page.raw("own container: the volume must be mounted in both.</li>");
    page.raw("<li><code>inference-exporter check --config FILE</code> prints what it looks for.</li>");
    page.raw(
        "<li>Without <code>state_dir</code>, files that were there at the start are read from their end: ",
    );
    page.raw("then the first new line shows here.</li>");
    page.raw(
        "<li><code>inference-exporter explain --config FILE</code> tells what becomes of a line.</li></ul>",
    );
    if logs.is_empty() {
        page.raw("<p>The configuration names no <code>logs</code>.</p>");
    }
    page.raw("</section>\n");
}

fn overview(page: &mut Html, status: &Status, now: Timestamp) {
    if status.models.is_empty() {
        page.raw("<p class=\"note\">No model yet: the configuration names none, and no record did.</p>\n");
        return;
    }
    page.table(&tables::models(&status.models, now));
    page.raw("<p>");
    for (number, model) in status.models.iter().enumerate() {
        page.raw(if number > 0 { " · " } else { "Go to " });
        page.raw("<a href=\"#model-").text(&number.to_string()).raw("\">").text(&model.model).raw("</a>");
    }
    page.raw("</p>\n");
}

fn logs(page: &mut Html, logs: &[LogStatus], now: Timestamp) {
    page.raw("<h2 id=\"logs\">Logs</h2>\n").table(&tables::logs(logs, now));
    for log in logs.iter().filter(|log| log.lines > 0 && log.records == 0) {
        page.raw("<p class=\"bad\">No line of ").text(&log.log);
        page.raw(
            " was a record; the reasons are below. Try one of its lines with <code>explain</code>.</p>\n",
        );
    }
    let reasons = tables::reasons(logs);
    if !reasons.rows.is_empty() {
        page.raw("<div class=\"words\">").table(&reasons).raw("</div>\n");
    }
}

fn model(page: &mut Html, number: usize, model: &ModelStatus, now: Timestamp) {
    page.raw("<section><h2 id=\"model-").text(&number.to_string()).raw("\">").text(&model.model);
    page.raw("<small>").text(model.task).raw("</small></h2>\n");
    if model.versions.is_empty() {
        page.raw("<p>No request was seen yet.</p>\n");
    } else {
        page.table(&tables::versions(model, now));
    }
    labels(page, model);
    for one in tables::versions_by_age(model) {
        version(page, model, one, now);
    }
    page.raw("</section>\n");
}

/// What is known of labels beside the versions.
fn labels(page: &mut Html, model: &ModelStatus) {
    page.raw("<p>Labels waiting for their prediction: ").text(&count(model.labels_waiting)).raw(".");
    if !model.labels.is_empty() {
        let counts: Vec<String> =
            model.labels.iter().map(|(result, labels)| format!("{} {result}", count(*labels))).collect();
        page.raw(" Labels without a known version: ").text(&counts.join(", ")).raw(".");
    }
    if model.folded > 0 {
        page.raw(" <span class=\"bad\">").text(&count(model.folded));
        page.raw(" values became <code>__other__</code></span> because a limit was reached.");
    }
    page.raw("</p>\n");
}

fn version(page: &mut Html, model: &ModelStatus, version: &VersionStatus, now: Timestamp) {
    page.raw("<h3>").text(&model.model).raw(" · version ").text(tables::version_name(version)).raw("<small>");
    match version.last_label {
        Some(last) => page.raw("last label ").text(&age(last, now)),
        None => page.raw("no label with a time yet"),
    };
    page.raw("</small></h3>\n");
    let telling = version.telling();
    if !model.targets.is_empty() {
        page.table(&tables::targets(model, version, telling, now));
    }
    let windows: Vec<&WindowStatus> = version.whole().collect();
    page.table(&tables::windows(model, version, &windows));
    if let Some(window) = telling.filter(|window| !window.classes.is_empty()) {
        page.table(&tables::classes(model, version, window));
    }
    let slices = tables::slices(model, version, &windows);
    if !slices.rows.is_empty() {
        page.raw("<details><summary>").text(&slices.rows.len().to_string()).raw(" slices of version ");
        page.text(tables::version_name(version)).raw("</summary>\n").table(&slices).raw("</details>\n");
    }
}

#[cfg(test)]
mod tests;
