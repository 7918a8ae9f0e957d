//! Drift statistics over integer histograms.
//!
//! A [`Reference`] freezes the training distribution: per feature 128 equal-mass bins and their counts. A [`State`]
//! counts live rows on those bins; states merge by exact integer addition. A report compares the two: PSI with a
//! calibrated critical value, and a Kolmogorov–Smirnov statistic known to within one bin.
//!
//! No dependencies, no I/O, no `unsafe`, and no mathematics of the host: `exp` and `ln` are this crate's own, so a
//! result has the same bits in every build. See `wasm-kernels/README.md` for the byte formats.
#![forbid(unsafe_code)]

mod bytes;
mod chi2;
mod counts;
mod edges;
mod error;
mod ks;
mod math;
mod psi;
mod reference;
mod report;
mod search;
mod state;

#[cfg(test)]
mod testing;

pub use chi2::{chi2_quantile, chi2_sf};
pub use error::{Code, KernelError};
pub use ks::{kolmogorov_sf, ks_p_value};
pub use psi::{Psi, divergence, psi};
pub use reference::{MAX_FEATURES, MAX_NAME_BYTES, Reference};
pub use report::{FeatureReport, MIN_VALUES, Verdict};
pub use state::{MAX_ROWS, State};

/// Rises whenever the same input may give other bits: bins, byte formats or statistics. Snapshots and references of
/// another number are refused.
pub const KERNEL_ABI: u32 = 1;

/// Bins a feature, each with about 1/128 of the reference's mass.
pub const BINS: usize = 128;

/// Coarse bins, for PSI: coarse = fine / 8.
pub const COARSE_BINS: usize = 16;

/// Where missing (NaN) values are counted.
pub const MISSING: usize = BINS;

/// Counters a feature: the bins and the missing slot.
pub const SLOTS: usize = BINS + 1;
