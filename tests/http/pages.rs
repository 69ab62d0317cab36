//! What each path answers, to which method, in which format.

use std::io::Read;

use flate2::read::GzDecoder;
use inference_exporter::http::Reload;

use crate::harness::{Pages, Server, exchange};

const PROMETHEUS_3: &str = "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
    application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
    text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\n";

#[test]
fn every_path_answers_its_methods() {
    let server = Server::start();
    let table = [
        ("GET", "/", 200, "<!doctype html><title>status</title>"),
        ("GET", "/metrics", 200, "text 1\n"),
        ("GET", "/metrics?name[]=up", 200, "text 1\n"),
        ("GET", "/-/healthy", 200, "healthy\n"),
        ("GET", "/-/ready", 200, "ready\n"),
        ("GET", "/api/v1/status", 200, "{\"models\":[]}"),
        ("POST", "/-/reload", 200, "reloaded\n"),
        ("PUT", "/-/reload", 200, "reloaded\n"),
    ];
    for (method, path, status, body) in table {
        let response = server.ask(method, path, "");
        assert_eq!((response.status, response.text()), (status, body), "{method} {path}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let server = Server::start();
    let mut stream = server.connect();
    for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/status"] {
        let get = exchange(&mut stream, "GET", path, "");
        let head = exchange(&mut stream, "HEAD", path, "");
        assert_eq!(head.status, 200, "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
    // Had a body followed, it would have been read as the next response.
    assert_eq!(exchange(&mut stream, "GET", "/-/ready", "").text(), "ready\n");
}

#[test]
fn other_methods_are_told_which_there_are() {
    let server = Server::start();
    let table = [
        ("POST", "/metrics", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
        ("OPTIONS", "/-/ready", "GET, HEAD"),
        ("GET", "/-/reload", "POST, PUT"),
        ("HEAD", "/-/reload", "POST, PUT"),
    ];
    for (method, path, allow) in table {
        let response = server.ask(method, path, "");
        assert_eq!((response.status, response.header("allow")), (405, Some(allow)), "{method} {path}");
    }
}

#[test]
fn an_unknown_path_is_answered_with_those_there_are() {
    let server = Server::start();
    for path in ["/nothing", "/metrics/", "//", "/-/", "*"] {
        let response = server.get(path);
        assert_eq!(response.status, 404, "{path}");
        assert!(response.text().contains("/metrics") && response.text().contains("/-/ready"), "{path}");
    }
}

#[test]
fn the_format_is_negotiated() {
    let server = Server::start();
    let response = server.ask("GET", "/metrics", PROMETHEUS_3);
    assert_eq!(response.text(), "open 1\n# EOF\n");
    assert_eq!(
        response.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8")
    );
    let response = server.ask("GET", "/metrics", "Accept: */*\r\n");
    assert_eq!(response.text(), "text 1\n");
    assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(response.header("vary"), Some("Accept, Accept-Encoding"));
}

#[test]
fn large_bodies_are_compressed_for_those_who_like_it() {
    let text = b"inference_requests_total{model=\"m\"} 1\n".repeat(1000);
    let server = Server::with_pages(Pages { text: text.clone(), ..Pages::default() });
    let packed = server.ask("GET", "/metrics", "Accept-Encoding: gzip\r\n");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() < text.len() / 4, "{} bytes", packed.body.len());
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, text);

    for declined in ["", "Accept-Encoding: gzip;q=0\r\n", "Accept-Encoding: br\r\n"] {
        let plain = server.ask("GET", "/metrics", declined);
        assert_eq!((plain.header("content-encoding"), &plain.body), (None, &text), "{declined}");
    }
    let small = server.ask("GET", "/api/v1/status", "Accept-Encoding: gzip\r\n");
    assert_eq!(small.header("content-encoding"), None);
}

#[test]
fn the_page_may_not_load_or_run_anything() {
    let server = Server::start();
    let response = server.get("/");
    let policy = response.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{policy}");
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(response.header("x-frame-options"), Some("DENY"));
    assert_eq!(response.header("referrer-policy"), Some("no-referrer"));
}

#[test]
fn reasons_reach_the_client() {
    let server = Server::with_pages(Pages {
        unavailable: Some("catching up"),
        unhealthy: Some("the pipeline has stopped"),
        unready: Some("restoring"),
        reload: Reload::Refused("models.fraud: unknown task".to_owned()),
        ..Pages::default()
    });
    let answer = |method, path| {
        let response = server.ask(method, path, "");
        (response.status, response.text().to_owned())
    };
    assert_eq!(answer("GET", "/metrics"), (503, "catching up\n".to_owned()));
    assert_eq!(answer("GET", "/-/healthy"), (503, "the pipeline has stopped\n".to_owned()));
    assert_eq!(answer("GET", "/-/ready"), (503, "restoring\n".to_owned()));
    assert_eq!(answer("POST", "/-/reload"), (500, "models.fraud: unknown task\n".to_owned()));
}

#[test]
fn a_disabled_reload_is_forbidden() {
    let reload = Reload::Disabled("start with --web.enable-lifecycle".to_owned());
    let server = Server::with_pages(Pages { reload, ..Pages::default() });
    let response = server.ask("POST", "/-/reload", "");
    assert_eq!((response.status, response.text()), (403, "start with --web.enable-lifecycle\n"));
}

#[test]
fn a_panic_in_a_page_is_answered_and_survived() {
    let server = Server::with_pages(Pages { panics: true, ..Pages::default() });
    assert_eq!(server.get("/metrics").status, 500);
    assert_eq!(server.get("/-/ready").status, 200);
}

#[test]
fn a_body_is_not_read_and_a_large_one_is_refused() {
    let server = Server::start();
    assert_eq!(server.ask("POST", "/-/reload", "Content-Length: 2\r\n\r\nok").status, 200);
    assert_eq!(server.ask("POST", "/-/reload", "Content-Length: 1000000\r\n").status, 413);
}
