//! The file of `--web.config.file` with the files it names, read and ready for use. Not its schema, nor when
//! it is read again.
//!
//! Invariant: a [`WebConfig`] is what its files said at one time, and knows when they say something else.

use std::fmt;
use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use siphasher::sip128::{Hasher128, SipHasher13};
use tokio_rustls::rustls::{ClientConfig, ServerConfig};

use super::auth::Users;
use super::schema::{Document, Mistake, Mistakes, TLS, TlsSection};
use super::tls::{ClientAuth, Material, MaterialError};

/// Bytes read of the file and of those it names; certificates of all the world's authorities take less.
const FILE_BYTES_MAX: u64 = 1 << 20;

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
        let text = read_file(path).map_err(|error| vec![Mistake::of("", unreadable(&error))])?;
        let document = Document::parse(&text)?;
        let mut files = vec![path.to_owned()];
        let mut contents = vec![text];
        let mut tls = None;
        let mut verifies_clients = false;
        if let Some(section) = &document.tls {
            let directory = path.parent().unwrap_or(Path::new(""));
            let paths = section.paths(directory);
            let material = read_material(&paths)?;
            tls = Some(server_config(section, &material, &paths)?);
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

/// What speaks to a server that is started with this file; `None` where it speaks no TLS. Blocking.
pub(super) fn load_client(path: &Path) -> Result<Option<Arc<ClientConfig>>, WebConfigError> {
    let load = || {
        let text = read_file(path).map_err(|error| vec![Mistake::of("", unreadable(&error))])?;
        let Some(section) = Document::parse(&text)?.tls else { return Ok(None) };
        let paths = section.paths(path.parent().unwrap_or(Path::new("")));
        let material = read_material(&paths)?;
        material.client_config().map(Some).map_err(|errors| mistakes(errors, &paths))
    };
    load().map_err(|mistakes| WebConfigError { path: path.into(), mistakes })
}

/// Leaves out keys and hashes.
impl fmt::Debug for WebConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_tls = self.tls.is_some();
        formatter.debug_struct("WebConfig").field("path", &self.path).field("tls", &has_tls).finish()
    }
}

fn read_material(paths: &[(&'static str, PathBuf)]) -> Result<Material, Vec<Mistake>> {
    let mut mistakes = Mistakes(Vec::new());
    let mut contents = paths.iter().map(|(key, path)| {
        let content = read_file(path);
        let problem = |error| format!("{} {}", path.display(), unreadable(&error));
        content.map_err(|error| mistakes.add(&format!("{TLS}.{key}"), problem(error))).ok()
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

fn server_config(
    section: &TlsSection,
    material: &Material,
    paths: &[(&'static str, PathBuf)],
) -> Result<Arc<ServerConfig>, Vec<Mistake>> {
    let built = material.server_config(section.client_auth, section.min_version);
    built.map_err(|errors| mistakes(errors, paths))
}

/// Names the file that each error is about.
fn mistakes(errors: Vec<MaterialError>, paths: &[(&'static str, PathBuf)]) -> Vec<Mistake> {
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
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    Ok(content)
}

/// What is wrong with a file, without its name.
fn unreadable(error: &io::Error) -> String {
    format!("cannot be read ({error}): check the path and its permissions")
}

fn fingerprint(key: [u8; 16], contents: &[Vec<u8>]) -> u128 {
    let mut hasher = SipHasher13::new_with_key(&key);
    for content in contents {
        hasher.write_usize(content.len());
        hasher.write(content);
    }
    hasher.finish128().as_u128()
}
