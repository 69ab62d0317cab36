//! Basic authentication against bcrypt hashes (RFC 7617). Not which paths need it.
//!
//! Invariant: a password never outlives the check of it, and neither time nor text tells an unknown user
//! from a wrong password. Hashes are computed one at a time: the processors belong to the model, and a
//! flood of guesses must not take them.

use std::collections::HashSet;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use siphasher::sip128::{Hasher128, SipHasher13};
use tokio::sync::Semaphore;

/// Checked credentials that are remembered. More than a handful of scrapers means an attack or a mistake,
/// and then forgetting all of them costs each one hash.
const REMEMBERED_MAX: usize = 64;

/// The names and bcrypt hashes of a web configuration; open to all where there are none.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Users(Vec<(String, String)>);

/// Checks credentials and remembers those that were right.
pub(super) struct Gate {
    /// Keys the hashes under which credentials are remembered; new in every process.
    key: [u8; 16],
    right: Mutex<HashSet<u128>>,
    hashing: Arc<Semaphore>,
}

/// What a client claims to be.
struct Credentials {
    user: String,
    password: Vec<u8>,
}

// === impl Users ===

impl Users {
    pub(super) fn new(users: Vec<(String, String)>) -> Self {
        Self(users)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn hash_of(&self, user: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == user).map(|(_, hash)| hash.as_str())
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Users({})", self.0.len())
    }
}

// === impl Gate ===

impl Gate {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self { key, right: Mutex::default(), hashing: Arc::new(Semaphore::new(1)) }
    }

    /// Whether the value of an `Authorization` header lets its sender in.
    pub(super) async fn admits(&self, users: &Users, authorization: Option<&HeaderValue>) -> bool {
        if users.is_empty() {
            return true;
        }
        let Some(credentials) = authorization.and_then(Credentials::parse) else { return false };
        let known = users.hash_of(&credentials.user);
        let Some(hash) = known.or_else(|| self.decoy(users, &credentials.user)).map(str::to_owned) else {
            return false;
        };
        let digest = self.digest(&[credentials.user.as_bytes(), &credentials.password, hash.as_bytes()]);
        if known.is_some() && self.remembers(digest) {
            return true;
        }
        let Ok(turn) = Arc::clone(&self.hashing).acquire_owned().await else { return false };
        // Whoever was served before may have had the same credentials.
        if known.is_some() && self.remembers(digest) {
            return true;
        }
        let checked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            bcrypt::verify(&credentials.password, &hash).unwrap_or(false)
        });
        let is_right = checked.await.unwrap_or(false) && known.is_some();
        if is_right {
            self.remember(digest);
        }
        is_right
    }

    /// Some user's hash for a name that is none: always the same for the same name, so that unknown users
    /// take the times that known ones take, also where costs differ.
    fn decoy<'u>(&self, users: &'u Users, name: &str) -> Option<&'u str> {
        let index = self.digest(&[name.as_bytes()]) % (users.0.len().max(1) as u128);
        users.0.get(index as usize).map(|(_, hash)| hash.as_str())
    }

    /// The hash is part of what is remembered, so a changed password takes effect at once.
    fn digest(&self, parts: &[&[u8]]) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }

    fn remembers(&self, digest: u128) -> bool {
        self.right.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest)
    }

    fn remember(&self, digest: u128) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right.len() >= REMEMBERED_MAX {
            right.clear();
        }
        right.insert(digest);
    }
}

// === impl Credentials ===

impl Credentials {
    fn parse(authorization: &HeaderValue) -> Option<Self> {
        let (scheme, encoded) = authorization.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Basic") {
            return None;
        }
        let decoded = STANDARD.decode(encoded.trim()).ok()?;
        let colon = decoded.iter().position(|&byte| byte == b':')?;
        let user = String::from_utf8(decoded[..colon].to_vec()).ok()?;
        Some(Self { user, password: decoded[colon + 1..].to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new([7; 16])
    }

    /// Cost 4 is bcrypt's least, for the test's speed.
    fn users(names: &[&str]) -> Users {
        let hash = |name: &&str| (name.to_string(), bcrypt::hash(format!("{name}-secret"), 4).unwrap());
        Users::new(names.iter().map(hash).collect())
    }

    fn basic(credentials: &str) -> HeaderValue {
        HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(credentials))).unwrap()
    }

    #[tokio::test]
    async fn admits_the_right_password_of_a_known_user_only() {
        let (gate, users) = (gate(), users(&["ann", "bob"]));
        for _ in 0..2 {
            assert!(gate.admits(&users, Some(&basic("ann:ann-secret"))).await);
            assert!(!gate.admits(&users, Some(&basic("ann:bob-secret"))).await);
            assert!(!gate.admits(&users, Some(&basic("eve:ann-secret"))).await);
            assert!(!gate.admits(&users, Some(&basic("eve:bob-secret"))).await);
            assert!(!gate.admits(&users, Some(&basic("ann:"))).await);
            assert!(!gate.admits(&users, None).await);
        }
    }

    #[tokio::test]
    async fn without_users_all_are_admitted() {
        assert!(gate().admits(&Users::default(), None).await);
    }

    #[tokio::test]
    async fn malformed_credentials_are_refused_without_a_hash() {
        let (gate, users) = (gate(), users(&["ann"]));
        let _never_free = Arc::clone(&gate.hashing).acquire_owned().await.unwrap();
        for malformed in ["", "Basic", "Basic !!!", "Bearer abc", "Basic YW5u"] {
            let header = HeaderValue::from_str(malformed).unwrap();
            assert!(!gate.admits(&users, Some(&header)).await, "{malformed}");
        }
    }

    #[tokio::test]
    async fn remembered_credentials_need_no_hash_until_the_password_changes() {
        let (gate, before) = (gate(), users(&["ann"]));
        let credentials = basic("ann:ann-secret");
        assert!(gate.admits(&before, Some(&credentials)).await);
        {
            let _never_free = Arc::clone(&gate.hashing).acquire_owned().await.unwrap();
            assert!(gate.admits(&before, Some(&credentials)).await);
        }
        let after = Users::new(vec![("ann".to_owned(), bcrypt::hash("another", 4).unwrap())]);
        assert!(!gate.admits(&after, Some(&credentials)).await);
    }

    #[test]
    fn unknown_users_get_some_users_hash_and_always_the_same() {
        let (gate, users) = (gate(), users(&["ann", "bob", "cid"]));
        let decoys: HashSet<_> = (0..64).filter_map(|n| gate.decoy(&users, &format!("x{n}"))).collect();
        assert_eq!(decoys.len(), 3, "64 names over 3 hashes miss one with probability 3·(2/3)^64");
        assert_eq!(gate.decoy(&users, "x"), gate.decoy(&users, "x"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let gate = gate();
        (0..10_000).for_each(|digest| gate.remember(digest));
        assert!(gate.right.lock().unwrap().len() <= REMEMBERED_MAX);
    }
}
