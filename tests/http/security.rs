//! TLS, client certificates, credentials, and files that change while the server runs.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use inference_exporter::http::Limits;
use inference_exporter::http::web_config::WebConfig;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version,
};

use crate::harness::{Pages, Response, Server, exchange, read_until_closed, try_exchange, wait_for};

type Authority = CertifiedIssuer<'static, KeyPair>;
type TlsStream = StreamOwned<ClientConnection, TcpStream>;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

/// A directory with the files of a web configuration.
pub(crate) struct Files {
    directory: TempDir,
    authority: Authority,
}

/// A client's certificate with its key.
type Identity = (rcgen::Certificate, KeyPair);

// === impl Files ===

impl Files {
    pub(crate) fn new() -> Self {
        let files = Self { directory: TempDir::new().unwrap(), authority: authority("authority") };
        files.write("ca.pem", &files.authority.pem());
        files.write_server_certificate();
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn write_server_certificate(&self) {
        let (certificate, key) = identity("localhost", &self.authority);
        self.write("server.pem", &certificate.pem());
        self.write("server.key", &key.serialize_pem());
    }

    fn write_web(&self, content: &str) {
        self.write("web.yml", content);
    }

    fn serve(&self) -> Server {
        self.serve_with(Limits::default())
    }

    fn serve_with(&self, limits: Limits) -> Server {
        let limits = Limits { web_config_interval: Duration::from_millis(20), ..limits };
        Server::with(Pages::default(), Some(WebConfig::load(&self.path("web.yml")).unwrap()), limits)
    }

    fn connect(
        &self,
        server: &Server,
        client: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsStream {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
        };
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        StreamOwned::new(connection, server.connect())
    }

    fn is_served(&self, server: &Server, client: Option<&Identity>) -> bool {
        let mut stream = self.connect(server, client, &VERSIONS);
        try_exchange(&mut stream, "GET", "/metrics", "").is_ok_and(|response| response.status == 200)
    }
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn identity(name: &str, authority: &Authority) -> Identity {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}

fn tls(rest: &str) -> String {
    let indented = rest.lines().fold(String::new(), |mut text, line| {
        writeln!(text, "  {line}").unwrap();
        text
    });
    format!("tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{indented}")
}

fn basic(credentials: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(credentials))
}

/// Cost 4 is bcrypt's least, for the tests' speed.
fn users(names: &[(&str, &str)]) -> String {
    let mut text = "basic_auth_users:\n".to_owned();
    for (name, password) in names {
        writeln!(text, "  {name}: {}", bcrypt::hash(password, 4).unwrap()).unwrap();
    }
    text
}

#[test]
fn pages_are_served_over_tls_and_connections_are_kept() {
    let files = Files::new();
    files.write_web(&tls(""));
    let server = files.serve();
    for version in VERSIONS {
        let mut stream = files.connect(&server, None, &[version]);
        for _ in 0..2 {
            assert_eq!(exchange(&mut stream, "GET", "/metrics", "").text(), "text 1\n", "{version:?}");
        }
    }
}

#[test]
fn the_oldest_version_of_tls_is_obeyed() {
    let files = Files::new();
    files.write_web(&tls("min_version: TLS13"));
    let server = files.serve();
    let mut modern = files.connect(&server, None, &[&version::TLS13]);
    assert_eq!(exchange(&mut modern, "GET", "/metrics", "").status, 200);
    let mut old = files.connect(&server, None, &[&version::TLS12]);
    assert!(try_exchange(&mut old, "GET", "/metrics", "").is_err());
}

#[test]
fn client_certificates_are_asked_for_as_configured() {
    let files = Files::new();
    let stranger = identity("client", &authority("stranger"));
    let known = identity("client", &files.authority);
    // without a certificate, with one of another authority, with one of ours
    let table = [
        ("NoClientCert", "", [true, true, true]),
        ("RequestClientCert", "", [true, true, true]),
        ("RequireAnyClientCert", "", [false, true, true]),
        ("VerifyClientCertIfGiven", "client_ca_file: ca.pem", [true, false, true]),
        ("RequireAndVerifyClientCert", "client_ca_file: ca.pem", [false, false, true]),
    ];
    for (mode, client_ca, expected) in table {
        files.write_web(&tls(&format!("client_auth_type: {mode}\n{client_ca}")));
        let server = files.serve();
        let served = [None, Some(&stranger), Some(&known)].map(|client| files.is_served(&server, client));
        assert_eq!(served, expected, "{mode}");
    }
}

/// Any certificate is not any claim: its sender must have the key.
#[test]
fn a_certificate_without_its_key_is_refused() {
    let files = Files::new();
    files.write_web(&tls("client_auth_type: RequireAnyClientCert"));
    let server = files.serve();
    let (certificate, key) = identity("client", &files.authority);
    let thief = (certificate, KeyPair::generate().unwrap());
    for version in VERSIONS {
        let mut stream = files.connect_unchecked(&server, &thief, version);
        assert!(try_exchange(&mut stream, "GET", "/metrics", "").is_err(), "{version:?}");
    }
    let owner = (thief.0, key);
    for version in VERSIONS {
        let mut stream = files.connect_unchecked(&server, &owner, version);
        assert!(try_exchange(&mut stream, "GET", "/metrics", "").is_ok(), "{version:?}");
    }
}

#[test]
fn plain_http_to_a_tls_port_is_told_so() {
    let files = Files::new();
    files.write_web(&tls(""));
    let server = files.serve();
    let mut stream = server.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut answer = vec![0; 24];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, b"HTTP/1.0 400 Bad Request");
}

#[test]
fn a_handshake_that_does_not_come_is_not_waited_for() {
    let files = Files::new();
    files.write_web(&tls(""));
    let limits = Limits { handshake_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = files.serve_with(limits);
    assert_eq!(read_until_closed(&mut server.connect()), 0);
}

#[test]
fn credentials_are_needed_except_by_probes() {
    let files = Files::new();
    files.write_web(&users(&[("ann", "secret"), ("bob", "another")]));
    let server = files.serve();
    let status = |path: &str, headers: &str| server.ask("GET", path, headers).status;
    let refused: Response = server.get("/metrics");
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").unwrap().starts_with("Basic "));
    for path in ["/", "/metrics", "/api/v1/status", "/-/reload", "/nothing"] {
        assert_eq!(status(path, ""), 401, "{path}");
        assert_eq!(status(path, &basic("ann:another")), 401, "{path}");
        assert_eq!(status(path, &basic("eve:secret")), 401, "{path}");
        assert_ne!(status(path, &basic("ann:secret")), 401, "{path}");
        assert_ne!(status(path, &basic("bob:another")), 401, "{path}");
    }
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(status(path, ""), 200, "{path}");
        assert_eq!(status(path, &basic("ann:wrong")), 200, "{path}");
    }
    assert_eq!(server.ask("POST", "/-/reload", "").status, 401);
}

#[test]
fn changed_users_take_effect_and_bad_files_do_not() {
    let files = Files::new();
    files.write_web(&users(&[("ann", "old")]));
    let server = files.serve();
    let status = |credentials: &str| server.ask("GET", "/metrics", &basic(credentials)).status;
    assert_eq!(status("ann:old"), 200);

    // Neither a broken file, nor an empty one, nor one without users lets anybody in or locks ann out. That
    // nothing happened can only be waited for: five looks at the files.
    for bad in ["basic_auth_users: [", "", "basic_auth_users: {}", &tls("")] {
        files.write_web(bad);
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!((status("ann:old"), server.get("/metrics").status), (200, 401), "{bad:?}");
    }
    files.write_web(&users(&[("ann", "new")]));
    wait_for(|| status("ann:new") == 200);
    assert_eq!(status("ann:old"), 401);
}

#[test]
fn a_renewed_certificate_is_presented_and_a_broken_one_is_not() {
    let files = Files::new();
    files.write_web(&tls(""));
    let server = files.serve();
    let presented = || {
        let mut stream = files.connect(&server, None, &VERSIONS);
        exchange(&mut stream, "GET", "/-/ready", "");
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    };
    let before = presented();
    files.write("server.pem", "half a certif");
    std::thread::sleep(Duration::from_millis(100)); // five looks at the files
    assert_eq!(presented(), before);
    files.write_server_certificate();
    wait_for(|| presented() != before);
}

#[test]
fn client_certificates_cannot_be_done_without_while_running() {
    let files = Files::new();
    files.write_web(&tls("client_auth_type: RequireAndVerifyClientCert\nclient_ca_file: ca.pem"));
    let server = files.serve();
    files.write_web(&tls(""));
    std::thread::sleep(Duration::from_millis(100)); // five looks at the files
    assert!(!files.is_served(&server, None));
    assert!(files.is_served(&server, Some(&identity("client", &files.authority))));
}

// === A client that presents a certificate whose key it does not have ===

#[derive(Debug)]
struct Presented(Arc<tokio_rustls::rustls::sign::CertifiedKey>);

impl tokio_rustls::rustls::client::ResolvesClientCert for Presented {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[tokio_rustls::rustls::SignatureScheme],
    ) -> Option<Arc<tokio_rustls::rustls::sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Files {
    fn connect_unchecked(
        &self,
        server: &Server,
        (certificate, key): &Identity,
        version: &'static SupportedProtocolVersion,
    ) -> TlsStream {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let key = ring::sign::any_supported_type(&key).unwrap();
        let chain = vec![certificate.der().clone()];
        let presented = tokio_rustls::rustls::sign::CertifiedKey::new(chain, key);
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(Presented(Arc::new(presented))));
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), server.connect())
    }
}
