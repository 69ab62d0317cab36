//! The web configuration: any text is one or a list of mistakes, also where the files that it names exist.
//!
//! What stands before the first NUL is the file itself; what stands behind it and the next ones, if any do, is in
//! `certificate.pem`, `key.pem` and `authority.pem` beside it. `good.pem` and `good.key` are a pair that fits.

use inference_exporter::http::web_config::WebConfig;
use std::path::PathBuf;
use std::sync::LazyLock;

pub(crate) fn run(bytes: &[u8]) {
    static DIRECTORY: LazyLock<tempfile::TempDir> = LazyLock::new(directory);
    let mut parts = bytes.splitn(4, |byte| *byte == 0);
    let text = parts.next().unwrap_or_default();
    let write = |name: &str, content: &[u8]| -> PathBuf {
        let path = DIRECTORY.path().join(name);
        std::fs::write(&path, content).unwrap_or_else(|error| panic!("{error}"));
        path
    };
    for name in ["certificate.pem", "key.pem", "authority.pem"] {
        match parts.next() {
            Some(content) => drop(write(name, content)),
            // Of an earlier input, if it is there.
            None => drop(std::fs::remove_file(DIRECTORY.path().join(name))),
        }
    }
    let path = write("web.yaml", text);
    match WebConfig::load(&path) {
        Ok(loaded) => {
            let shown = format!("{loaded:?}");
            assert!(!shown.contains("PRIVATE KEY") && !shown.contains("$2"), "a secret is shown");
        }
        Err(error) => {
            assert!(!error.mistakes.is_empty(), "refused without a reason");
            let shown = error.to_string();
            assert!(shown.contains("web.yaml"));
            assert!(error.mistakes.iter().all(|mistake| !mistake.problem.is_empty()));
        }
    }
}

/// A directory with a certificate and its key.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let pair = pair.unwrap_or_else(|error| panic!("{error}"));
    let files = [("good.pem", pair.cert.pem()), ("good.key", pair.signing_key.serialize_pem())];
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::write(path, content).unwrap_or_else(|error| panic!("{error}"));
    }
    directory
}
