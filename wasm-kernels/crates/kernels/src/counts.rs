//! Sums over the counts of one feature.

use crate::{BINS, COARSE_BINS, MISSING, SLOTS};

/// Values that are not missing.
pub(crate) fn present(counts: &[u32; SLOTS]) -> u64 {
    counts[..MISSING].iter().map(|&c| u64::from(c)).sum()
}

/// Present and missing values together.
pub(crate) fn total(counts: &[u32; SLOTS]) -> u64 {
    present(counts) + u64::from(counts[MISSING])
}

/// The 128 bins summed to 16.
pub(crate) fn coarse(counts: &[u32; SLOTS]) -> [u64; COARSE_BINS] {
    let mut sums = [0; COARSE_BINS];
    for (bin, &count) in counts[..BINS].iter().enumerate() {
        sums[bin >> 3] += u64::from(count);
    }
    sums
}
