//! `healthcheck` against a server that runs, one that does not, one that speaks TLS, and impostors.

use super::process::{Call, Exporter, call, one_model, one_model_text, write};
use rcgen::KeyPair;
use std::path::Path;

const PLAIN: &[&str] = &["healthcheck", "--config", "probed.yaml"];
const TLS: &[&str] = &["healthcheck", "--config", "probed.yaml", "--web.config.file", "web.yaml"];

/// Writes `web.yaml` with a certificate of its own making.
fn write_web_config(directory: &Path, more: &str) {
    let key = KeyPair::generate().expect("a key");
    let parameters = rcgen::CertificateParams::new(["exporter.example".to_owned()]).expect("a name");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    write(&directory.join("server.pem"), &certificate.pem());
    write(&directory.join("server.key"), &key.serialize_pem());
    let text = format!("tls_server_config: {{cert_file: server.pem, key_file: server.key{more}}}\n");
    write(&directory.join("web.yaml"), &text);
}

/// A configuration for the probe alone, with the port that was found for port 0.
fn write_probed(directory: &Path, exporter: &Exporter) {
    let text = one_model_text(directory, &["p"]).replace("127.0.0.1:0", &exporter.address.to_string());
    write(&directory.join("probed.yaml"), &text);
}

fn assert_refused(called: &Call, said: &str) {
    assert_eq!(called.code, Some(1), "{called:?}");
    assert!(called.err.contains(said), "no `{said}` in {called:?}");
}

/// Ready takes a look at the logs, which comes just after the port is open.
fn assert_ready(directory: &Path, arguments: &[&str]) {
    super::process::await_that("ready", || {
        let called = call(directory, arguments, b"");
        assert!(called.code == Some(0) || called.err.contains("not been looked at yet"), "{called:?}");
        (called.code == Some(0)).then_some(())
    });
}

#[test]
fn ready_while_it_runs_and_not_after() {
    let (directory, config) = one_model();
    let mut exporter = Exporter::run(&config, &[]);
    write_probed(directory.path(), &exporter);
    assert_ready(directory.path(), PLAIN);
    exporter.signal("TERM");
    exporter.end();
    assert_refused(&call(directory.path(), PLAIN, b""), "nothing listens there");
}

#[test]
fn over_tls_the_certificate_of_its_own_configuration_is_accepted_and_no_other() {
    let (directory, config) = one_model();
    write_web_config(directory.path(), "");
    let web = directory.path().join("web.yaml");
    let exporter = Exporter::run(&config, &["--web.config.file", web.to_str().expect("UTF-8")]);
    write_probed(directory.path(), &exporter);
    assert_ready(directory.path(), TLS);
    assert_refused(&call(directory.path(), PLAIN, b""), "--web.config.file");
    // Another certificate in another file, for the same name.
    std::fs::create_dir(directory.path().join("impostor")).expect("a directory");
    write_web_config(&directory.path().join("impostor"), "");
    let mut arguments = TLS.to_vec();
    arguments[4] = "impostor/web.yaml";
    let called = call(directory.path(), &arguments, b"");
    assert_refused(&called, "not ready");
    assert!(called.err.to_lowercase().contains("certificate"), "{called:?}");
}

#[test]
fn where_clients_need_a_certificate_it_shows_the_servers_own() {
    let (directory, config) = one_model();
    write_web_config(directory.path(), ", client_auth_type: RequireAnyClientCert");
    let web = directory.path().join("web.yaml");
    let exporter = Exporter::run(&config, &["--web.config.file", web.to_str().expect("UTF-8")]);
    write_probed(directory.path(), &exporter);
    assert_ready(directory.path(), TLS);
}

#[test]
fn a_server_without_tls_and_credentials_are_no_riddle() {
    let (directory, config) = one_model();
    write_web_config(directory.path(), "");
    let exporter = Exporter::run(&config, &[]);
    write_probed(directory.path(), &exporter);
    assert_refused(
        &call(directory.path(), TLS, b""),
        "was the exporter started with this --web.config.file?",
    );
    drop(exporter);

    // Credentials alone are no TLS, and readiness needs none.
    let hash = bcrypt::hash("secret", 4).expect("a hash");
    write(&directory.path().join("web.yaml"), &format!("basic_auth_users: {{alice: '{hash}'}}\n"));
    let web = directory.path().join("web.yaml");
    let exporter = Exporter::run(&config, &["--web.config.file", web.to_str().expect("UTF-8")]);
    write_probed(directory.path(), &exporter);
    assert_eq!(exporter.get("/metrics").0, 401);
    assert_ready(directory.path(), TLS);
    assert_ready(directory.path(), PLAIN);

    write(
        &directory.path().join("web.yaml"),
        "tls_server_config: {cert_file: none.pem, key_file: none.key}\n",
    );
    let called = call(directory.path(), TLS, b"");
    assert!(called.code == Some(2) && called.err.contains("none.pem"), "{called:?}");
}

#[test]
fn something_else_on_the_port_is_told_apart() {
    let (directory, _) = one_model();
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("an address").to_string();
    let text = one_model_text(directory.path(), &["p"]).replace("127.0.0.1:0", &address);
    write(&directory.path().join("probed.yaml"), &text);
    let answers = [
        ("HTTP/1.0 404 Not Found\r\n\r\n<html>\n<body>", "something else answers there"),
        ("HTTP/1.0 503 Busy\r\n\r\nlater\nmore", "status 503: later\n"),
        ("SSH-2.0-OpenSSH\r\n", "the answer is not HTTP"),
    ];
    for (answer, said) in answers {
        let server = {
            let other = other.try_clone().expect("a handle");
            std::thread::spawn(move || {
                let (mut stream, _) = other.accept().expect("a client");
                let mut question = [0; 512];
                let count = std::io::Read::read(&mut stream, &mut question).expect("a question");
                std::io::Write::write_all(&mut stream, answer.as_bytes()).expect("room");
                String::from_utf8_lossy(&question[..count]).into_owned()
            })
        };
        assert_refused(&call(directory.path(), PLAIN, b""), said);
        assert!(server.join().expect("no panic").starts_with("GET /-/ready HTTP/1.0\r\n"));
    }
}
