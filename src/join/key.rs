//! Ids as keyed 128-bit hashes: the only form in which an id is kept.

use crate::event::Id;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// The hash of an id. Two ids of one process collide with a probability below 1e-26 at 500,000 ids, and
/// not on purpose: whoever chooses the ids does not know the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(pub u128);

/// What ids are hashed with: random, and the same for as long as hashed ids are kept.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct Secret([u8; 16]);

/// The same in every process, so that all exporters of a model join the same share of its ids.
const SAMPLE_SECRET: Secret = Secret([0; 16]);

// === impl Secret ===

impl Secret {
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub fn key(&self, id: Id<'_>) -> Key {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(id.text.as_bytes());
        if let Some(element) = id.element {
            // The id of element k of batch `a` reads `a[k]`, so a label may also name it so.
            let mut digits = itoa::Buffer::new();
            hasher.write(b"[");
            hasher.write(digits.format(element).as_bytes());
            hasher.write(b"]");
        }
        Key(hasher.finish128().as_u128())
    }
}

/// Whether an id is among the share `sample` of all ids.
pub fn is_sampled(id: Id<'_>, sample: f64) -> bool {
    // The top 53 bits make a uniform double in [0, 1).
    let uniform = (SAMPLE_SECRET.key(id).0 >> 75) as f64 / (1u64 << 53) as f64;
    uniform < sample
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id<'_> {
        Id { text, element: None }
    }

    #[test]
    fn an_element_can_be_named_by_its_text() {
        let secret = Secret::new([7; 16]);
        assert_eq!(secret.key(Id { text: "a", element: Some(12) }), secret.key(id("a[12]")));
        assert_ne!(secret.key(id("a")), secret.key(id("b")));
        assert_ne!(secret.key(id("a")), Secret::new([8; 16]).key(id("a")));
    }

    #[test]
    fn a_sample_is_the_share_asked_for() {
        let texts: Vec<String> = (0..10_000).map(|n| format!("request-{n}")).collect();
        let sampled = texts.iter().filter(|text| is_sampled(id(text), 0.1)).count();
        // Binomial(10000, 0.1): five standard deviations are 150.
        assert!(sampled.abs_diff(1000) < 150, "{sampled}");
        assert!(texts.iter().all(|text| is_sampled(id(text), 1.0)));
    }
}
