//! What one device has seen since its window began.

use crate::bytes::{Reader, write_counts};
use crate::counts::total;
use crate::error::{Code, KernelError};
use crate::report::{FeatureReport, compare};
use crate::{KERNEL_ABI, MISSING, Reference, SLOTS};
use std::sync::Arc;

const MAGIC: &[u8; 4] = b"VDST";

/// Rows a state counts before it stays where it is: 2⁵³ − 1, the largest integer JavaScript keeps exact.
pub const MAX_ROWS: u64 = (1 << 53) - 1;

/// Counts of live rows on the bins of a [`Reference`]. Every counter saturates rather than wraps.
///
/// Bytes, little-endian: `VDST`, abi u32, hash of the reference u64, rows u64, rows with a missing value u64, then the
/// counts of each feature (see `bytes.rs`). They hold no raw value.
pub struct State {
    reference: Arc<Reference>,
    counts: Vec<[u32; SLOTS]>,
    rows: u64,
    rows_missing: u64,
}

impl State {
    /// A state that has seen nothing.
    pub fn new(reference: Arc<Reference>) -> Self {
        let counts = vec![[0; SLOTS]; reference.names().len()];
        Self { reference, counts, rows: 0, rows_missing: 0 }
    }

    /// Counts `rows`: row-major \[n\]\[d\], NaN = missing. Errors: [`Code::BadShape`], and then nothing was counted.
    pub fn observe(&mut self, rows: &[f32]) -> Result<(), KernelError> {
        let d = self.counts.len();
        if !rows.len().is_multiple_of(d) {
            let message = format!("{} values are not whole rows of {d} features", rows.len());
            return Err(KernelError::new(Code::BadShape, message));
        }
        let mut rows_missing = 0;
        for row in rows.chunks_exact(d) {
            let mut missing = false;
            for ((&x, search), counts) in row.iter().zip(self.reference.searches()).zip(&mut self.counts) {
                let slot = &mut counts[search.slot(x)];
                *slot = slot.saturating_add(1);
                missing |= x.is_nan();
            }
            rows_missing += u64::from(missing);
        }
        self.add_rows((rows.len() / d) as u64, rows_missing);
        Ok(())
    }

    /// Rows seen, at most [`MAX_ROWS`].
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows in which at least one value was missing.
    pub fn rows_missing(&self) -> u64 {
        self.rows_missing
    }

    /// Adds what another state of the same reference has seen: the same as having seen its rows here, in any order.
    /// Errors: [`Code::SnapshotMalformed`], [`Code::AbiMismatch`], [`Code::ReferenceMismatch`]; then nothing was added.
    pub fn merge(&mut self, snapshot: &[u8]) -> Result<(), KernelError> {
        let other = Self::restore(Arc::clone(&self.reference), snapshot)?;
        for (mine, theirs) in self.counts.iter_mut().flatten().zip(other.counts.iter().flatten()) {
            *mine = mine.saturating_add(*theirs);
        }
        self.add_rows(other.rows, other.rows_missing);
        Ok(())
    }

    /// Reads what [`State::snapshot`] wrote. Errors as [`State::merge`].
    pub fn restore(reference: Arc<Reference>, snapshot: &[u8]) -> Result<Self, KernelError> {
        let mut reader = Reader::open(snapshot, MAGIC, Code::SnapshotMalformed)?;
        let hash = reader.u64()?;
        if hash != reference.hash() {
            let message = format!("counted on reference {hash:016x}, and this is {:016x}", reference.hash());
            return Err(KernelError::new(Code::ReferenceMismatch, message));
        }
        let mut state = Self::new(reference);
        state.rows = reader.u64()?;
        state.rows_missing = reader.u64()?;
        if state.rows > MAX_ROWS || state.rows_missing > state.rows {
            return Err(reader.malformed("its numbers of rows are impossible"));
        }
        for counts in &mut state.counts {
            *counts = reader.counts()?;
            // Only counters that stand at their limit may have lost rows.
            let saturated = counts.contains(&u32::MAX) || state.rows == MAX_ROWS;
            let exact = total(counts) == state.rows;
            if !exact && !saturated || u64::from(counts[MISSING]) > state.rows_missing {
                return Err(reader.malformed("the counts of a feature do not add up to its rows"));
            }
        }
        reader.end()?;
        Ok(state)
    }

    /// The one spelling of this state in bytes: a thousand rows of 16 features fit in 2 KB.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(KERNEL_ABI.to_le_bytes());
        out.extend(self.reference.hash().to_le_bytes());
        out.extend(self.rows.to_le_bytes());
        out.extend(self.rows_missing.to_le_bytes());
        self.counts.iter().for_each(|counts| write_counts(counts, &mut out));
        out
    }

    /// Compares what was seen with the reference, feature by feature, at level `alpha` in (0, 1).
    /// Errors: [`Code::BadAlpha`].
    pub fn report(&self, alpha: f64) -> Result<Vec<FeatureReport>, KernelError> {
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(KernelError::new(Code::BadAlpha, "alpha lies between 0 and 1, both excluded"));
        }
        Ok(compare(&self.reference, &self.counts, alpha))
    }

    /// Forgets all rows: a new window begins.
    pub fn reset(&mut self) {
        self.counts.fill([0; SLOTS]);
        (self.rows, self.rows_missing) = (0, 0);
    }

    fn add_rows(&mut self, rows: u64, rows_missing: u64) {
        self.rows = self.rows.saturating_add(rows).min(MAX_ROWS);
        self.rows_missing = self.rows_missing.saturating_add(rows_missing).min(MAX_ROWS);
    }
}

#[cfg(test)]
#[path = "state_test.rs"]
mod tests;
