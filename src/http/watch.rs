//! The web configuration in force, re-read when its files change. Not how it is read.
//!
//! Invariant: what is in force was valid as a whole, and a file that is edited (or caught half written)
//! never switches TLS or credentials off: that takes a restart.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use super::auth::Users;
use super::web_config::WebConfig;

/// Read at every connection (TLS) and every request (users).
pub(super) struct Security {
    in_force: RwLock<Option<Arc<WebConfig>>>,
    key: [u8; 16],
}

// === impl Security ===

impl Security {
    pub(super) fn new(web: Option<WebConfig>) -> Self {
        let key = web.as_ref().map_or([0; 16], WebConfig::key);
        Self { in_force: RwLock::new(web.map(Arc::new)), key }
    }

    /// Keys the memory of checked credentials; without a web configuration there are none.
    pub(super) fn key(&self) -> [u8; 16] {
        self.key
    }

    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.current()?.tls().map(TlsAcceptor::from)
    }

    pub(super) fn users(&self) -> Arc<Users> {
        self.current().map(|web| web.users()).unwrap_or_default()
    }

    fn current(&self) -> Option<Arc<WebConfig>> {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, web: WebConfig) {
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(web));
    }

    /// Follows the files for ever. Contents are compared rather than times of change, which are too coarse
    /// for two writes in a row and mean nothing where a symlink is swapped.
    pub(super) async fn follow(self: Arc<Self>, interval: Duration) {
        let mut last_refusal = None;
        loop {
            tokio::time::sleep(interval).await;
            let Some(current) = self.current() else { return };
            let Ok(outcome) = tokio::task::spawn_blocking(move || reread(&current)).await else { continue };
            let refusal = match outcome {
                Ok(None) => None,
                Ok(Some(web)) => {
                    tracing::info!(file = %web.path().display(), "web configuration reloaded");
                    self.replace(web);
                    None
                }
                Err(reason) => Some(reason),
            };
            // Once per reason: a file that stays bad must not fill the log.
            if let Some(reason) = refusal.as_ref().filter(|_| refusal != last_refusal) {
                tracing::warn!(%reason, "web configuration refused, the old one goes on");
            }
            last_refusal = refusal;
        }
    }
}

/// The new configuration, None while the files say what is in force. A refused one is read again each time,
/// as what it needs may be a file that is yet to come.
fn reread(current: &WebConfig) -> Result<Option<WebConfig>, String> {
    if current.is_up_to_date() {
        return Ok(None);
    }
    let fresh = WebConfig::load_with_key(current.path(), current.key()).map_err(|error| error.to_string())?;
    if fresh.tls().is_some() != current.tls().is_some() {
        return Err("tls_server_config was added or removed: restart to switch TLS on or off".to_owned());
    }
    if fresh.users().is_empty() && !current.users().is_empty() {
        return Err("basic_auth_users was removed: restart to let everybody in".to_owned());
    }
    if current.verifies_clients() && !fresh.verifies_clients() {
        return Err("client_auth_type was loosened: restart to do without client certificates".to_owned());
    }
    Ok(Some(fresh))
}
