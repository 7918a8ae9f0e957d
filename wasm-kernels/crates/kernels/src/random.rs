//! Fixed pseudo-random numbers: for samples and random features, which must come out alike on every machine.

use crate::math::{ln, sin_cos_turns};

/// SplitMix64, Steele, Lea and Flood 2014.
pub(crate) struct Random(u64);

impl Random {
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed))
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of 0 .. limit, as evenly as 64 bits allow.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(limit)) >> 64) as u64
    }

    /// Two standard normal numbers, by Box and Muller.
    pub fn normals(&mut self) -> [f64; 2] {
        let above_zero = ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        let turn = (self.bits() >> 40) as f32 / (1u32 << 24) as f32;
        let radius = (-2.0 * ln(above_zero)).sqrt();
        let (sin, cos) = sin_cos_turns::<1>(turn);
        [radius * f64::from(sin), radius * f64::from(cos)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_sequence() {
        let mut random = Random::new(1_234_567);
        assert_eq!([random.bits(), random.bits()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn normals_have_their_moments() {
        let mut random = Random::new(1);
        let drawn: Vec<f64> = (0..50_000).flat_map(|_| random.normals()).collect();
        let moment = |power| drawn.iter().map(|x: &f64| x.powi(power)).sum::<f64>() / drawn.len() as f64;
        assert!(moment(1).abs() < 0.015 && (moment(2) - 1.0).abs() < 0.02 && (moment(4) - 3.0).abs() < 0.12);
    }
}
