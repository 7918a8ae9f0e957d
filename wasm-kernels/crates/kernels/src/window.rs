//! What a window of rows leaves behind: counts by slot, and joint sums. It merges by addition, and holds no raw value.

use crate::bytes::{Reader, write_counts};
use crate::counts::total;
use crate::error::{Code, KernelError};
use crate::{KERNEL_ABI, MISSING, Reference, SLOTS};

const MAGIC: &[u8; 4] = b"VDST";

/// Rows a window counts before it stays where it is: 2⁵³ − 1, the largest integer JavaScript keeps exact.
pub const MAX_ROWS: u64 = (1 << 53) - 1;

/// Counts of rows on the bins of a [`Reference`]. Every counter saturates rather than wraps.
///
/// Bytes, little-endian: `VDST`, abi u32, hash of the reference u64, rows u64, rows with a missing value u64, the counts
/// of each feature (see `bytes.rs`), and, where the reference has a joint part, its sums (see `joint.rs`).
#[derive(Clone)]
pub(crate) struct Window {
    pub counts: Vec<[u32; SLOTS]>,
    pub rows: u64,
    pub rows_missing: u64,
    pub joint: crate::joint::Sums,
}

impl Window {
    pub fn new(features: usize) -> Self {
        Self { counts: vec![[0; SLOTS]; features], rows: 0, rows_missing: 0, joint: Default::default() }
    }

    pub fn clear(&mut self) {
        self.counts.fill([0; SLOTS]);
        (self.rows, self.rows_missing) = (0, 0);
        self.joint = Default::default();
    }

    pub fn add_rows(&mut self, rows: u64, rows_missing: u64) {
        self.rows = self.rows.saturating_add(rows).min(MAX_ROWS);
        self.rows_missing = self.rows_missing.saturating_add(rows_missing).min(MAX_ROWS);
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().flatten().zip(other.counts.iter().flatten()) {
            *mine = mine.saturating_add(*theirs);
        }
        self.add_rows(other.rows, other.rows_missing);
        self.joint.merge(&other.joint);
    }

    /// The one spelling of this window.
    pub fn to_bytes(&self, reference: &Reference) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(KERNEL_ABI.to_le_bytes());
        out.extend(reference.hash().to_le_bytes());
        self.write(reference, &mut out);
        out
    }

    /// What follows the header.
    pub fn write(&self, reference: &Reference, out: &mut Vec<u8>) {
        out.extend(self.rows.to_le_bytes());
        out.extend(self.rows_missing.to_le_bytes());
        self.counts.iter().for_each(|counts| write_counts(counts, out));
        if let Some(joint) = reference.joint() {
            joint.write_sums(&self.joint, self.rows, out);
        }
    }

    /// Reads what [`Window::to_bytes`] wrote.
    pub fn from_bytes(reference: &Reference, bytes: &[u8]) -> Result<Self, KernelError> {
        let mut reader = Reader::open(bytes, MAGIC, Code::SnapshotMalformed)?;
        reader.reference(reference.hash())?;
        let window = Self::read(reference, &mut reader)?;
        reader.end()?;
        Ok(window)
    }

    /// Reads what [`Window::write`] wrote.
    pub fn read(reference: &Reference, reader: &mut Reader) -> Result<Self, KernelError> {
        let mut window = Self::new(reference.features().len());
        window.rows = reader.u64()?;
        window.rows_missing = reader.u64()?;
        if window.rows > MAX_ROWS || window.rows_missing > window.rows {
            return Err(reader.malformed("its numbers of rows are impossible"));
        }
        for counts in &mut window.counts {
            *counts = reader.counts()?;
            // Only counters that stand at their limit may have lost rows.
            let saturated = counts.contains(&u32::MAX) || window.rows == MAX_ROWS;
            let exact = total(counts) == window.rows;
            if !exact && !saturated || u64::from(counts[MISSING]) > window.rows_missing {
                return Err(reader.malformed("the counts of a feature do not add up to its rows"));
            }
        }
        if let Some(joint) = reference.joint() {
            window.joint = joint.read_sums(window.rows, reader)?;
        }
        Ok(window)
    }
}
