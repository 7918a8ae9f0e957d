//! Drift statistics over integer histograms.
//!
//! A [`Builder`] freezes the training distribution in a [`Reference`]: per feature 128 equal-mass bins, or a category's
//! codes, and their counts; and the mean of random Fourier features of whole rows. A [`State`] counts live rows on those
//! bins; its windows merge by exact integer addition. A report compares the two, window by window: PSI with a calibrated
//! critical value, Kolmogorov–Smirnov to within one bin, χ², the joint test. And a bank of e-detectors watches from row
//! to row, with a known average time to a false alarm; a [`FleetBank`] does so from round to round of many devices.
//!
//! No dependencies, no I/O, no `unsafe`, and no mathematics of the host: `exp`, `ln`, `sin` and `cos` are this crate's
//! own, so a result has the same bits in every build. See `wasm-kernels/README.md` for the byte formats.
#![forbid(unsafe_code)]

mod bank;
mod bets;
mod builder;
mod bytes;
mod chi2;
mod counts;
mod divergence;
mod edges;
mod error;
mod features;
mod flat;
mod fleet;
mod joint;
mod joint_draft;
mod ks;
mod ks_two_sample;
mod lag;
mod math;
mod mmd;
mod neighbours;
mod options;
mod psi;
mod random;
mod reference;
mod report;
mod reservoir;
mod rff;
mod search;
mod state;
mod window;

#[cfg(test)]
mod testing;

pub use bets::BETS;
pub use builder::{Builder, JOINT_FEATURES};
pub use chi2::{Chi2, chi2_quantile, chi2_sf, chi2_test};
pub use divergence::{Divergences, divergences, wasserstein1};
pub use error::{Code, KernelError};
pub use features::{Feature, Kind, MAX_FEATURES, MAX_KNOWN, MAX_NAME_BYTES};
pub use flat::cut;
pub use fleet::{FleetBank, FleetReport};
pub use joint::JointReport;
pub use ks::{kolmogorov_sf, ks_p_value};
pub use ks_two_sample::{KsTest, ks_two_sample};
pub use mmd::mmd2;
pub use options::{MAX_LAG, Options};
pub use psi::{Psi, psi};
pub use reference::Reference;
pub use report::{FeatureReport, MIN_VALUES, Report, Verdict};
pub use state::State;
pub use window::MAX_ROWS;

/// Rises whenever the same input may give other bits: bins, byte formats or statistics. Snapshots and references of
/// another number are refused.
pub const KERNEL_ABI: u32 = 2;

/// Bins a feature, each with about 1/128 of the reference's mass.
pub const BINS: usize = 128;

/// Coarse cells, for PSI, χ² and bets: of a number each eight bins, of a category its codes (see `features.rs`).
pub const COARSE_BINS: usize = 16;

/// Where missing (NaN) values are counted.
pub const MISSING: usize = BINS;

/// Counters a feature: the bins and the missing slot.
pub const SLOTS: usize = BINS + 1;

/// Coarse cells and that of missing values.
pub(crate) const CELLS: usize = COARSE_BINS + 1;
