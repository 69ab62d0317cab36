use super::*;
use hyper::header::HeaderValue;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT_UTF8: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8";
const OPEN_1: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const OPEN_1_UTF8: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8";
const OPEN_1_UNDERSCORES: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores";
const OPEN_0: &str = "application/openmetrics-text; version=0.0.1; charset=utf-8";

fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[track_caller]
fn check(accept: &str, content_type: &str) {
    let choice = exposition(&headers(ACCEPT, &[accept]));
    assert_eq!(choice.content_type, content_type, "for Accept: {accept}");
    let is_open = content_type.starts_with("application/openmetrics-text");
    assert_eq!(choice.exposition == Exposition::OpenMetrics, is_open, "for Accept: {accept}");
}

/// The headers that released versions of Prometheus send.
#[test]
fn prometheus() {
    // 2.30
    check("application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPEN_0);
    // 2.42
    check(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
         text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        OPEN_1,
    );
    // 3.5
    check(
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
         application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
         text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPEN_1_UTF8,
    );
    // 3.5 with metric_name_validation_scheme: legacy
    check(
        "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,\
         application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=underscores;q=0.4,\
         text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPEN_1_UNDERSCORES,
    );
    // 3.5 with native histograms: protobuf, which we do not have, comes first
    check(
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
         application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
         application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
         text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        OPEN_1_UTF8,
    );
    // 3.14 with scrape_protocols that put text first; the version we have is the one asked for without escaping
    check(
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,\
         application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.3",
        TEXT,
    );
}

#[test]
fn clients_that_do_not_ask_for_open_metrics_get_text() {
    check("*/*", TEXT);
    check("", TEXT);
    check("application/*", TEXT);
    check("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", TEXT);
    check("application/json", TEXT);
    check("text/plain;q=0", TEXT);
    check("*/*;q=0", TEXT);
    assert_eq!(exposition(&HeaderMap::new()).content_type, TEXT);
}

#[test]
fn quality_decides_then_the_order() {
    check("text/plain;q=0.4, application/openmetrics-text;q=0.5", OPEN_1);
    check("text/plain;q=0.5, application/openmetrics-text;q=0.4", TEXT);
    check("text/plain, application/openmetrics-text", TEXT);
    check("application/openmetrics-text, text/plain", OPEN_1);
    check("*/*, application/openmetrics-text;q=0.9", TEXT);
    check("application/openmetrics-text;version=0.0.1;q=0.9,application/openmetrics-text;q=0.8", OPEN_0);
    // the more specific range decides, not the higher one
    check("*/*;q=0.9, text/plain;q=0.1, application/openmetrics-text;q=0.5", OPEN_1);
    check("application/openmetrics-text;q=0, text/plain;q=0.1", TEXT);
}

#[test]
fn versions_we_do_not_have_are_passed_over() {
    check("application/openmetrics-text;version=2.0.0", TEXT);
    check(
        "application/openmetrics-text;version=2.0.0, application/openmetrics-text;version=1.0.0;q=0.1",
        OPEN_1,
    );
    check("text/plain;version=9;q=0.3", TEXT);
}

#[test]
fn only_schemes_that_leave_our_names_alone_are_granted() {
    check("application/openmetrics-text;escaping=dots", OPEN_1_UNDERSCORES);
    check(
        "application/openmetrics-text;escaping=values",
        "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=values",
    );
    check("application/openmetrics-text;escaping=\"allow-utf-8\"", OPEN_1_UTF8);
    check("application/openmetrics-text;escaping=x\"y", OPEN_1);
    check("text/plain;version=1.0.0;escaping=allow-utf-8", TEXT_UTF8);
}

#[test]
fn form_and_garbage() {
    check("APPLICATION/OpenMetrics-Text ; Version=1.0.0 ; Q=0.5", OPEN_1);
    for garbage in
        [",,,", ";;;", "/", "text/plain;q=", "a/b;q=2", "application/openmetrics-text;q=nan", "q=1"]
    {
        check(garbage, TEXT);
    }
    let split = headers(ACCEPT, &["text/plain;q=0.1", "application/openmetrics-text;q=0.2"]);
    assert_eq!(exposition(&split).content_type, OPEN_1);
}

#[test]
fn gzip() {
    let gzips = |value: &str| accepts_gzip(&headers(ACCEPT_ENCODING, &[value]));
    for accepted in ["gzip", "GZIP", "x-gzip", "deflate, gzip;q=0.1", "*", "br;q=1.0, gzip;q=0.8, *;q=0.1"] {
        assert!(gzips(accepted), "{accepted}");
    }
    for declined in ["", "identity", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *;q=1", "gzip;q=x", "br"]
    {
        assert!(!gzips(declined), "{declined}");
    }
    assert!(!gzips("identity;q=0.9, gzip;q=0.5"));
    assert!(gzips("identity;q=0.5, gzip;q=0.5"));
    assert!(!accepts_gzip(&HeaderMap::new()));
}

#[test]
fn the_scrape_timeout_is_a_positive_number_of_seconds() {
    let timeout = |value: &str| scrape_timeout(&headers(SCRAPE_TIMEOUT, &[value]));
    assert_eq!(timeout("10"), Some(Duration::from_secs(10)));
    assert_eq!(timeout("0.25"), Some(Duration::from_millis(250)));
    for ignored in ["", "0", "-1", "nan", "inf", "1e300", "10s"] {
        assert_eq!(timeout(ignored), None, "{ignored}");
    }
}

proptest::proptest! {
    /// No header panics, and every answer is one that a client can be given.
    #[test]
    fn any_header_gets_an_answer(accept in "[ -~\t]{0,200}", likely in "(text/plain|\\*/\\*|;q=|;version=|[0-9.]|,|=|\"|application/openmetrics-text){0,20}") {
        for value in [accept, likely] {
            let Ok(value) = HeaderValue::from_str(&value) else { continue };
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, value.clone());
            headers.insert(ACCEPT_ENCODING, value.clone());
            headers.insert(SCRAPE_TIMEOUT, value);
            let content_type = exposition(&headers).content_type;
            proptest::prop_assert!([TEXT, OPEN_1, OPEN_0].contains(&content_type.as_str()) || content_type.contains("; escaping="));
            accepts_gzip(&headers);
            scrape_timeout(&headers);
        }
    }
}
