//! Sums over the counts of one feature.

use crate::{MISSING, SLOTS};

/// Values that are not missing.
pub(crate) fn present(counts: &[u32; SLOTS]) -> u64 {
    counts[..MISSING].iter().map(|&c| u64::from(c)).sum()
}

/// Present and missing values together.
pub(crate) fn total(counts: &[u32; SLOTS]) -> u64 {
    present(counts) + u64::from(counts[MISSING])
}
