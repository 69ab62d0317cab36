//! Random numbers that a seed determines, the same in every build.
//!
//! Not for secrets, and not for statistics: enough to make traffic look alive.

use crate::time::{NANOS_PER_SECOND, Span};

/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

// === impl Random ===

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least 0 and below 1, in steps of 2^-53.
    pub fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// Below `count`, which is not 0. The bias of the remainder is below 2^-50 for what a demo counts.
    pub const fn below(&mut self, count: usize) -> usize {
        (self.bits() % count as u64) as usize
    }

    /// Between `least` and `most`, uniformly.
    pub fn span(&mut self, least: Span, most: Span) -> Span {
        let (least, most) = (least.as_seconds(), most.as_seconds());
        seconds(least + self.fraction() * (most - least))
    }

    /// The time to the next arrival of a Poisson process.
    pub fn arrival(&mut self, per_second: f64) -> Span {
        seconds(-(1.0 - self.fraction()).ln() / per_second)
    }

    /// Log-normal around a median.
    pub fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        // Box and Muller's transform; 1 − fraction is never 0, so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.fraction()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.fraction()).cos();
        median * (sigma * normal).exp()
    }
}

fn seconds(seconds: f64) -> Span {
    Span::from_nanos((seconds * NANOS_PER_SECOND as f64) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_those_of_the_published_generator() {
        // Seed 1234567 of the reference implementation in C.
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([random.bits(), random.bits(), random.bits()], expected);
    }

    #[test]
    fn distributions_have_the_mean_that_is_asked_for() {
        let mut random = Random::new(7);
        let count = 100_000;
        let waits: f64 = (0..count).map(|_| random.arrival(20.0).as_seconds()).sum();
        // Standard error of the mean: 0.05 / √100 000 = 1.6e-4; four of them.
        assert!((waits / f64::from(count) - 0.05).abs() < 6.4e-4);
        let below = (0..count).filter(|_| random.lognormal(12.0, 0.5) < 12.0).count() as f64;
        // Standard error of a share of one half: 1.6e-3; four of them.
        assert!((below / f64::from(count) - 0.5).abs() < 6.4e-3);
    }
}
