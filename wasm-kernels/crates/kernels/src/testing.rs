//! Fixed pseudo-random numbers for tests, and the short way to a reference and a state.

use crate::{Builder, Feature, Kind, Options, Reference, State};
use std::sync::Arc;

/// Features that are numbers.
pub(crate) fn numbers(names: &[&str]) -> Vec<Feature> {
    names.iter().map(|name| Feature { name: (*name).into(), kind: Kind::Number }).collect()
}

/// A reference of rows that are all at hand.
pub(crate) fn build(features: Vec<Feature>, rows: &[f32]) -> Arc<Reference> {
    let mut builder = Builder::new(features, 1, true).unwrap();
    builder.sample(rows).unwrap();
    builder.count(rows).unwrap();
    Arc::new(builder.finish().unwrap())
}

/// A reference of numbers.
pub(crate) fn reference(names: &[&str], rows: &[f32]) -> Arc<Reference> {
    build(numbers(names), rows)
}

/// A state with default options that has seen `rows`.
pub(crate) fn state(reference: &Arc<Reference>, rows: &[f32]) -> State {
    let mut state = State::new(Arc::clone(reference), Options::default()).unwrap();
    state.observe(rows).unwrap();
    state
}

/// xorshift64*, Vigna 2016: small, fast, good enough to simulate a null distribution.
pub(crate) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * self.uniform()).cos()) as f32
    }
}
