//! The file of `--web.config.file`: the exporter-toolkit's schema, as far as it is supported. Not when it is
//! read again.
//!
//! Invariant: a key is either obeyed or refused by its name. Silently ignoring one that somebody relies on
//! (`client_allowed_sans`, say) would open a door that they believe to be closed.

use std::fmt;
use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde_yaml::{Mapping, Value};
use siphasher::sip128::{Hasher128, SipHasher13};
use tokio_rustls::rustls::ServerConfig;

use super::auth::Users;
use super::tls::{ClientAuth, Material, MaterialError, MinVersion};

/// Bytes read of the file and of those it names; certificates of all the world's authorities take less.
const FILE_BYTES_MAX: u64 = 1 << 20;

const TLS: &str = "tls_server_config";
const USERS: &str = "basic_auth_users";

const TOP_KEYS: [&str; 2] = [TLS, USERS];
const TLS_KEYS: [&str; 5] = ["cert_file", "key_file", "client_ca_file", "client_auth_type", "min_version"];

/// Keys of the schema that are not supported, and what to do instead.
const TOP_KEYS_REFUSED: [(&str, &str); 2] = [
    ("http_server_config", "remove it: HTTP/1.1 with fixed security headers is what there is"),
    ("rate_limit", "remove it: connections, renderings and times are limited already"),
];
const TLS_KEYS_REFUSED: [(&str, &str); 8] = [
    ("cert", "write the certificate to a file and name that in cert_file"),
    ("key", "write the key to a file and name that in key_file"),
    ("client_ca", "write the certificate to a file and name that in client_ca_file"),
    ("client_allowed_sans", "remove it, and let client_ca_file hold an authority of these clients alone"),
    ("max_version", "remove it: the newest version that both sides speak is used"),
    ("cipher_suites", "remove it: only suites without known weaknesses are used"),
    ("prefer_server_cipher_suites", "remove it: the server's order is used"),
    ("curve_preferences", "remove it: X25519, P-256 and P-384 are used"),
];

/// A web configuration that was valid, with its files read.
pub struct WebConfig {
    path: PathBuf,
    tls: Option<Arc<ServerConfig>>,
    verifies_clients: bool,
    users: Arc<Users>,
    files: Vec<PathBuf>,
    key: [u8; 16],
    fingerprint: u128,
}

/// Everything that is wrong with a web configuration.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}: {}", path.display(), mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
pub struct WebConfigError {
    /// The file that was to be loaded.
    pub path: PathBuf,
    /// At least one, in the order of the file's sections.
    pub mistakes: Vec<Mistake>,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// Path of the key, such as `tls_server_config.min_version`; empty where it is the file as a whole.
    pub key: String,
    /// What is wrong, and what to do about it.
    pub problem: String,
}

/// The file's contents, before any other file was looked at.
#[derive(Debug, Default)]
struct Document {
    tls: Option<TlsSection>,
    users: Vec<(String, String)>,
}

#[derive(Debug)]
struct TlsSection {
    cert_file: PathBuf,
    key_file: PathBuf,
    client_ca_file: Option<PathBuf>,
    client_auth: ClientAuth,
    min_version: MinVersion,
}

/// Collects mistakes under a key's path.
struct Mistakes(Vec<Mistake>);

// === impl WebConfig ===

impl WebConfig {
    /// Reads the file and those it names, relative to its directory. Blocking.
    pub fn load(path: &Path) -> Result<Self, WebConfigError> {
        let mut key = [0; 16];
        if let Err(error) = getrandom::fill(&mut key) {
            let problem = format!("the system gives no random numbers ({error})");
            return Err(WebConfigError { path: path.into(), mistakes: vec![Mistake::of("", problem)] });
        }
        Self::load_with_key(path, key)
    }

    /// Fingerprints compare under one key only, so a file that is read again takes the first one's.
    pub(super) fn load_with_key(path: &Path, key: [u8; 16]) -> Result<Self, WebConfigError> {
        Self::read(path, key).map_err(|mistakes| WebConfigError { path: path.into(), mistakes })
    }

    fn read(path: &Path, key: [u8; 16]) -> Result<Self, Vec<Mistake>> {
        let text = read_file(path).map_err(|error| vec![Mistake::of("", unreadable(path, &error))])?;
        let document = Document::parse(&text)?;
        let mut files = vec![path.to_owned()];
        let mut contents = vec![text];
        let mut tls = None;
        let mut verifies_clients = false;
        if let Some(section) = &document.tls {
            let directory = path.parent().unwrap_or(Path::new(""));
            let paths = section.paths(directory);
            let material = read_material(&paths)?;
            tls = Some(section.server_config(&material, &paths)?);
            verifies_clients = section.client_auth == ClientAuth::RequireAndVerifyClientCert;
            contents.extend([material.certificate, material.key]);
            contents.extend(material.client_ca);
            files.extend(paths.into_iter().map(|(_, path)| path));
        }
        let users = Arc::new(Users::new(document.users));
        let fingerprint = fingerprint(key, &contents);
        Ok(Self { path: path.into(), tls, verifies_clients, users, files, key, fingerprint })
    }

    /// Whether the files still say what was loaded. Blocking.
    pub(super) fn is_up_to_date(&self) -> bool {
        let contents: Result<Vec<_>, _> = self.files.iter().map(|path| read_file(path)).collect();
        contents.is_ok_and(|contents| fingerprint(self.key, &contents) == self.fingerprint)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.clone()
    }

    /// Whether every client needs a certificate that `client_ca_file` vouches for.
    pub(super) fn verifies_clients(&self) -> bool {
        self.verifies_clients
    }

    pub(super) fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users)
    }

    pub(super) fn key(&self) -> [u8; 16] {
        self.key
    }
}

/// Leaves out keys and hashes.
impl fmt::Debug for WebConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_tls = self.tls.is_some();
        formatter.debug_struct("WebConfig").field("path", &self.path).field("tls", &has_tls).finish()
    }
}

// === impl Mistake ===

impl Mistake {
    fn of(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return formatter.write_str(&self.problem);
        }
        write!(formatter, "{}: {}", self.key, self.problem)
    }
}

// === impl Document ===

impl Document {
    fn parse(text: &[u8]) -> Result<Self, Vec<Mistake>> {
        let value: Value = serde_yaml::from_slice(text)
            .map_err(|error| vec![Mistake::of("", format!("is not valid YAML: {error}"))])?;
        let mut mistakes = Mistakes(Vec::new());
        let mut document = Self::default();
        if let Some(top) = mistakes.mapping("", &value) {
            mistakes.check_keys("", top, &TOP_KEYS, &TOP_KEYS_REFUSED);
            if let Some(section) = top.get(TLS) {
                document.tls = TlsSection::parse(section, &mut mistakes);
            }
            if let Some(users) = top.get(USERS) {
                document.users = parse_users(users, &mut mistakes);
            }
        }
        if mistakes.0.is_empty() { Ok(document) } else { Err(mistakes.0) }
    }
}

fn parse_users(value: &Value, mistakes: &mut Mistakes) -> Vec<(String, String)> {
    let mut users = Vec::new();
    for (name, hash) in mistakes.mapping(USERS, value).into_iter().flatten() {
        let Some(name) = name.as_str() else {
            mistakes.add(USERS, "a user name is not a string: put it in quotes");
            continue;
        };
        let key = format!("{USERS}.{name}");
        if name.contains(':') {
            mistakes.add(&key, "basic authentication has no user names with a colon: choose another name");
        }
        match hash.as_str() {
            Some(hash) if is_bcrypt(hash) => users.push((name.to_owned(), hash.to_owned())),
            // The value may be the password itself, so it is not shown.
            _ => mistakes.add(&key, "is not a bcrypt hash: make one with `htpasswd -nBC 10 \"\"`"),
        }
    }
    users
}

fn is_bcrypt(hash: &str) -> bool {
    bcrypt::HashParts::from_str(hash).is_ok_and(|parts| (4..=31).contains(&parts.get_cost()))
}

// === impl TlsSection ===

impl TlsSection {
    fn parse(value: &Value, mistakes: &mut Mistakes) -> Option<Self> {
        let section = mistakes.mapping(TLS, value)?;
        mistakes.check_keys(TLS, section, &TLS_KEYS, &TLS_KEYS_REFUSED);
        let cert_file = mistakes.string(section, "cert_file").map(PathBuf::from);
        let key_file = mistakes.string(section, "key_file").map(PathBuf::from);
        let client_ca_file = mistakes.string(section, "client_ca_file").map(PathBuf::from);
        for (key, file) in [("cert_file", &cert_file), ("key_file", &key_file)] {
            if file.is_none() && !section.contains_key(key) {
                mistakes.add(&format!("{TLS}.{key}"), "is missing: name a file in PEM format");
            }
        }
        let client_auth = mistakes.choice(section, "client_auth_type", &ClientAuth::ALL);
        let min_version = mistakes.choice(section, "min_version", &MinVersion::ALL);
        let client_auth = client_auth?.unwrap_or(ClientAuth::NoClientCert);
        let key = format!("{TLS}.client_ca_file");
        if client_auth.verifies() && client_ca_file.is_none() && !section.contains_key("client_ca_file") {
            mistakes.add(&key, "is missing: client_auth_type asks for certificates to compare with it");
        }
        if client_auth == ClientAuth::NoClientCert && client_ca_file.is_some() {
            mistakes.add(&key, "has no effect: set client_auth_type to RequireAndVerifyClientCert");
        }
        let min_version = min_version?.unwrap_or(MinVersion::Tls12);
        Some(Self { cert_file: cert_file?, key_file: key_file?, client_ca_file, client_auth, min_version })
    }

    /// The files to read, each with the key that names it.
    fn paths(&self, directory: &Path) -> Vec<(&'static str, PathBuf)> {
        let client_ca = self.client_ca_file.as_ref().map(|file| ("client_ca_file", file));
        let required = [("cert_file", &self.cert_file), ("key_file", &self.key_file)];
        let all = required.into_iter().chain(client_ca);
        all.map(|(key, file)| (key, directory.join(file))).collect()
    }

    fn server_config(
        &self,
        material: &Material,
        paths: &[(&'static str, PathBuf)],
    ) -> Result<Arc<ServerConfig>, Vec<Mistake>> {
        let built = material.server_config(self.client_auth, self.min_version);
        built.map_err(|errors| {
            let mistake = |error| {
                let (key, problem) = match error {
                    MaterialError::Certificate(problem) => ("cert_file", problem),
                    MaterialError::Key(problem) => ("key_file", problem),
                    MaterialError::ClientCa(problem) => ("client_ca_file", problem),
                };
                let file = paths.iter().find(|(known, _)| *known == key).map(|(_, path)| path.display());
                let file = file.map(|file| file.to_string()).unwrap_or_default();
                Mistake::of(format!("{TLS}.{key}"), format!("{file} {problem}"))
            };
            errors.into_iter().map(mistake).collect()
        })
    }
}

// === impl Mistakes ===

impl Mistakes {
    fn add(&mut self, key: &str, problem: impl Into<String>) {
        self.0.push(Mistake::of(key, problem));
    }

    /// None where there is nothing: an empty section says as little as an absent one.
    fn mapping<'v>(&mut self, key: &str, value: &'v Value) -> Option<&'v Mapping> {
        match value {
            Value::Mapping(mapping) => Some(mapping),
            Value::Null if key != TLS => None,
            _ => {
                self.add(key, "is not a mapping: write `key: value` lines");
                None
            }
        }
    }

    fn check_keys(&mut self, parent: &str, section: &Mapping, known: &[&str], refused: &[(&str, &str)]) {
        let path = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
        for key in section.keys() {
            let Some(name) = key.as_str() else {
                self.add(parent, "a key is not a string");
                continue;
            };
            if known.contains(&name) {
                continue;
            }
            let problem = match refused.iter().find(|(known, _)| *known == name) {
                Some((_, advice)) => format!("is not supported: {advice}"),
                None => format!("is no key of this section: {}", nearest(name, known)),
            };
            self.add(&path(name), problem);
        }
    }

    fn string<'v>(&mut self, section: &'v Mapping, key: &str) -> Option<&'v str> {
        let value = section.get(key)?;
        let string = value.as_str().filter(|string| !string.is_empty());
        if string.is_none() {
            self.add(&format!("{TLS}.{key}"), "is not a string, or is empty: write the value in quotes");
        }
        string
    }

    /// `Some(None)` where the key is absent, None after a mistake.
    fn choice<T: Copy>(&mut self, section: &Mapping, key: &str, choices: &[(&str, T)]) -> Option<Option<T>> {
        if !section.contains_key(key) {
            return Some(None);
        }
        let chosen = self.string(section, key)?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == chosen) {
            return Some(Some(*choice));
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.add(&format!("{TLS}.{key}"), format!("{chosen:?} is not possible: {}", nearest(chosen, &names)));
        None
    }
}

fn nearest(name: &str, known: &[&str]) -> String {
    /// Jaro-Winkler similarity from which a name is taken for a slip rather than another thing.
    const SIMILARITY_MIN: f64 = 0.8;
    let scored = known.iter().map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    match scored.max_by(|left, right| left.0.total_cmp(&right.0)) {
        Some((similarity, candidate)) if similarity >= SIMILARITY_MIN => format!("did you mean {candidate}?"),
        _ => format!("possible are {}", known.join(", ")),
    }
}

fn read_material(paths: &[(&'static str, PathBuf)]) -> Result<Material, Vec<Mistake>> {
    let mut mistakes = Mistakes(Vec::new());
    let mut contents = paths.iter().map(|(key, path)| {
        let content = read_file(path);
        content.map_err(|error| mistakes.add(&format!("{TLS}.{key}"), unreadable(path, &error))).ok()
    });
    let (certificate, key) = (contents.next().flatten(), contents.next().flatten());
    let client_ca = contents.next().flatten();
    drop(contents);
    match (certificate, key) {
        (Some(certificate), Some(key)) if mistakes.0.is_empty() => {
            Ok(Material { certificate, key, client_ca })
        }
        _ => Err(mistakes.0),
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    Ok(content)
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be read ({error}): check the path and its permissions", path.display())
}

fn fingerprint(key: [u8; 16], contents: &[Vec<u8>]) -> u128 {
    let mut hasher = SipHasher13::new_with_key(&key);
    for content in contents {
        hasher.write_usize(content.len());
        hasher.write(content);
    }
    hasher.finish128().as_u128()
}
