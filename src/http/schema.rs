//! The schema of the web configuration: keys, choices and mistakes. Not the files that it names.
//!
//! Invariant: a key is either obeyed or refused by its name. Silently ignoring one that somebody relies on
//! (`client_allowed_sans`, say) would open a door that they believe to be closed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_yaml::{Mapping, Value};

use super::tls::{ClientAuth, MinVersion};

pub(super) const TLS: &str = "tls_server_config";
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
pub(super) struct Document {
    pub(super) tls: Option<TlsSection>,
    pub(super) users: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct TlsSection {
    pub(super) cert_file: PathBuf,
    pub(super) key_file: PathBuf,
    pub(super) client_ca_file: Option<PathBuf>,
    pub(super) client_auth: ClientAuth,
    pub(super) min_version: MinVersion,
}

/// Collects mistakes under a key's path.
pub(super) struct Mistakes(pub(super) Vec<Mistake>);

// === impl Mistake ===

impl Mistake {
    pub(super) fn of(key: impl Into<String>, problem: impl Into<String>) -> Self {
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
    pub(super) fn parse(text: &[u8]) -> Result<Self, Vec<Mistake>> {
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
    pub(super) fn paths(&self, directory: &Path) -> Vec<(&'static str, PathBuf)> {
        let client_ca = self.client_ca_file.as_ref().map(|file| ("client_ca_file", file));
        let required = [("cert_file", &self.cert_file), ("key_file", &self.key_file)];
        let all = required.into_iter().chain(client_ca);
        all.map(|(key, file)| (key, directory.join(file))).collect()
    }
}

// === impl Mistakes ===

impl Mistakes {
    pub(super) fn add(&mut self, key: &str, problem: impl Into<String>) {
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
