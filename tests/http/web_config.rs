//! Which web configurations are taken. promtool reads the same schema and is asked for its opinion of each.

use std::process::{Command, Stdio};

use inference_exporter::http::web_config::{WebConfig, WebConfigError};

use crate::security::Files;

/// Of the password `secret`.
const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

const PAIR: &str = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";

impl Files {
    fn load(&self, content: &str) -> Result<WebConfig, WebConfigError> {
        self.write("web.yml", content);
        WebConfig::load(&self.path("web.yml"))
    }

    fn promtool_takes(&self, content: &str) -> bool {
        self.write("web.yml", content);
        let mut promtool = Command::new("promtool");
        promtool.args(["check", "web-config"]).arg(self.path("web.yml"));
        let status = promtool.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.expect("promtool could not be run: install the Debian package `prometheus`").success()
    }
}

fn with_pair(rest: &str) -> String {
    format!("{PAIR}  {rest}\n")
}

#[track_caller]
fn check_refused(files: &Files, content: &str, expected: &[&str]) {
    let error = files.load(content).expect_err(content).to_string();
    assert!(error.starts_with(&files.path("web.yml").display().to_string()), "{error}");
    for text in expected {
        assert!(error.contains(text), "{text:?} is not in: {error}");
    }
}

#[test]
fn valid_for_both() {
    let files = Files::new();
    let table = [
        String::new(),
        "{}".to_owned(),
        "basic_auth_users:\n".to_owned(),
        "basic_auth_users: {}\n".to_owned(),
        format!("basic_auth_users:\n  ann: {HASH}\n  bob: {HASH}\n"),
        PAIR.to_owned(),
        format!("{PAIR}basic_auth_users:\n  ann: {HASH}\n"),
        with_pair("client_auth_type: NoClientCert"),
        with_pair("client_auth_type: RequestClientCert"),
        with_pair("client_auth_type: RequireAnyClientCert"),
        with_pair("client_auth_type: RequireAnyClientCert\n  client_ca_file: ca.pem"),
        with_pair("client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem"),
        with_pair("client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem"),
        with_pair("min_version: TLS12"),
        with_pair("min_version: TLS13"),
        format!(
            "tls_server_config:\n  cert_file: {}\n  key_file: {}\n",
            files.path("server.pem").display(),
            files.path("server.key").display()
        ),
    ];
    for content in table {
        assert!(files.load(&content).is_ok(), "{content}");
        assert!(files.promtool_takes(&content), "{content}");
    }
}

#[test]
fn invalid_for_both() {
    let files = Files::new();
    files.write("other.key", &rcgen::KeyPair::generate().unwrap().serialize_pem());
    let pair =
        |cert: &str, key: &str| format!("tls_server_config:\n  cert_file: {cert}\n  key_file: {key}\n");
    let hash = |hash: &str| format!("basic_auth_users:\n  ann: {hash}\n");
    let table: [(String, &[&str]); 15] = [
        ("tls_server_config: [".to_owned(), &["is not valid YAML", "line 2"]),
        ("- a\n".to_owned(), &["is not a mapping"]),
        ("tls_server_conf: {}\n".to_owned(), &["tls_server_conf:", "did you mean tls_server_config?"]),
        ("zzz: 1\n".to_owned(), &["zzz:", "possible are tls_server_config, basic_auth_users"]),
        (with_pair("cret_file: x"), &["tls_server_config.cret_file:", "did you mean cert_file?"]),
        (
            "tls_server_config:\n  cert_file: server.pem\n".to_owned(),
            &["tls_server_config.key_file: is missing"],
        ),
        (
            "tls_server_config:\n  key_file: server.key\n".to_owned(),
            &["tls_server_config.cert_file: is missing"],
        ),
        (pair("none.pem", "server.key"), &["tls_server_config.cert_file:", "none.pem cannot be read"]),
        (pair("server.key", "server.key"), &["cert_file:", "server.key holds no certificate"]),
        (pair("server.pem", "server.pem"), &["key_file:", "server.pem holds no private key"]),
        (pair("server.pem", "other.key"), &["key_file:", "is not the key of the first certificate"]),
        (
            with_pair("client_ca_file: ca.pem"),
            &["client_ca_file: has no effect", "RequireAndVerifyClientCert"],
        ),
        (with_pair("min_version: TLS14"), &["min_version:", "\"TLS14\" is not possible"]),
        (with_pair("client_auth_type: Sometimes"), &["client_auth_type:", "possible are NoClientCert,"]),
        (hash("secret"), &["basic_auth_users.ann: is not a bcrypt hash", "htpasswd"]),
    ];
    for (content, expected) in table {
        check_refused(&files, &content, expected);
        assert!(!files.promtool_takes(&content), "{content}");
    }
}

/// What others obey and we do not is named, so that nobody believes it to be in force.
#[test]
fn valid_elsewhere_and_refused_by_name() {
    let files = Files::new();
    let pem = |name: &str| std::fs::read_to_string(files.path(name)).unwrap().replace('\n', "\n    ");
    let table = [
        ("http_server_config", "http_server_config:\n  http2: true\n".to_owned()),
        ("tls_server_config.max_version", with_pair("max_version: TLS13")),
        ("tls_server_config.cipher_suites", with_pair("cipher_suites: [TLS_AES_128_GCM_SHA256]")),
        ("tls_server_config.prefer_server_cipher_suites", with_pair("prefer_server_cipher_suites: true")),
        ("tls_server_config.curve_preferences", with_pair("curve_preferences: [X25519]")),
        ("tls_server_config.min_version", with_pair("min_version: TLS11")),
        ("tls_server_config.client_ca_file", with_pair("client_auth_type: RequireAndVerifyClientCert")),
        ("tls_server_config", "tls_server_config: {}\n".to_owned()),
    ];
    for (key, content) in table {
        check_refused(&files, &content, &[key]);
        assert!(files.promtool_takes(&content), "{content}");
    }
    // Keys of a later schema than the promtool at hand may know.
    let later = [
        ("rate_limit", "rate_limit:\n  interval: 1s\n  burst: 5\n".to_owned()),
        ("tls_server_config.client_allowed_sans", with_pair("client_allowed_sans: [a.example]")),
        ("tls_server_config.cert", format!("tls_server_config:\n  cert: |\n    {}\n", pem("server.pem"))),
        ("tls_server_config.key", with_pair("key: x")),
        ("tls_server_config.client_ca", with_pair("client_ca: x")),
    ];
    for (key, content) in later {
        check_refused(&files, &content, &[&format!("{key}: is not supported")]);
    }
}

#[test]
fn every_mistake_is_reported_at_once() {
    let files = Files::new();
    let content = "rate_limit: {}\nzzz: 1\ntls_server_config:\n  cipher_suites: []\n  min_version: 12\n\
        basic_auth_users:\n  ann: plain\n  \"a:b\": plain\n  7: x\n";
    let error = files.load(content).unwrap_err();
    let keys: Vec<_> = error.mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    let expected = [
        "rate_limit",
        "zzz",
        "tls_server_config.cipher_suites",
        "tls_server_config.cert_file",
        "tls_server_config.key_file",
        "tls_server_config.min_version",
        "basic_auth_users.ann",
        "basic_auth_users.a:b",
        "basic_auth_users.a:b",
        "basic_auth_users",
    ];
    assert_eq!(keys, expected, "{error}");
    let missing = "tls_server_config:\n  cert_file: a.pem\n  key_file: b.pem\n";
    assert_eq!(files.load(missing).unwrap_err().mistakes.len(), 2);
}

/// It may be the password itself, and errors end up in logs.
#[test]
fn what_should_be_a_hash_is_not_repeated() {
    let error = Files::new().load("basic_auth_users:\n  ann: hunter2\n").unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_file_that_is_missing_is_named_once() {
    let files = Files::new();
    let error = WebConfig::load(&files.path("none.yml")).unwrap_err().to_string();
    assert!(error.contains("none.yml: cannot be read"), "{error}");
    assert_eq!(error.matches("none.yml").count(), 1, "{error}");
}
