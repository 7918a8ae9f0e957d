//! The control plane's e-detectors. They step once a round on the counts of many devices, since the logarithm of a
//! product of factors is linear in counts: M ← (M+1)·exp(Σ c_j·ln T_j).

use crate::bank::log_means;
use crate::bets::BETS;
use crate::bytes::Reader;
use crate::error::{Code, KernelError};
use crate::features::cell_counts;
use crate::math::{exp, ln};
use crate::options::Options;
use crate::window::Window;
use crate::{CELLS, KERNEL_ABI, Reference};
use std::sync::Arc;

const MAGIC: &[u8; 4] = b"VDFB";

/// No detector grows beyond this; see `bank.rs`.
const CEILING: f64 = 1e16;

/// What all devices together have to say against the reference.
///
/// Bytes, little-endian: `VDFB`, abi u32, hash of the reference u64, threshold f64, dead zone f64, rounds u64, then the
/// detectors f64.
pub struct FleetBank {
    reference: Arc<Reference>,
    options: Options,
    /// ln T by feature, cell and bet.
    logs: Vec<[[f64; BETS]; CELLS]>,
    detectors: Vec<[f64; BETS]>,
    rounds: u64,
}

/// Natural logarithms of the means of detectors.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetReport {
    /// Of each feature's, in the reference's order.
    pub features: Vec<f64>,
    /// Of all.
    pub log_e: f64,
    /// Whether that mean is at the threshold or above, now.
    pub alarm: bool,
}

impl FleetBank {
    /// Detectors that have seen nothing. Of the options it takes threshold and dead zone. Errors: [`Code::BadOption`].
    pub fn new(reference: Arc<Reference>, options: Options) -> Result<Self, KernelError> {
        options.check()?;
        let factors = reference.factors(options.dead_zone, None);
        let logs: Vec<_> = factors.map(|factors| factors.map(|bets| bets.map(ln))).collect();
        let detectors = vec![[0.0; BETS]; logs.len()];
        Ok(Self { reference, options, logs, detectors, rounds: 0 })
    }

    /// One round. A count weighs 1/lag: the geometric mean of the products that rows a lag apart would give, which has
    /// expectation one or less as they have. A snapshot of more than `cap_rows` rows weighs as that many.
    ///
    /// Errors: as [`crate::State::merge`], and then the round did not happen.
    pub fn step(&mut self, snapshots: &[&[u8]], cap_rows: f64) -> Result<(), KernelError> {
        if cap_rows.is_nan() || cap_rows <= 0.0 {
            return Err(KernelError::new(Code::BadOption, "a cap is a number of rows above 0"));
        }
        let mut sums = vec![[0.0; CELLS]; self.detectors.len()];
        for bytes in snapshots {
            let window = Window::from_bytes(&self.reference, bytes)?;
            let weight = (cap_rows / window.rows as f64).min(1.0);
            for (f, sum) in sums.iter_mut().enumerate() {
                let counts = cell_counts(&self.reference.cells()[f], &window.counts[f]);
                for (sum, count) in sum.iter_mut().zip(counts) {
                    *sum += weight * count as f64;
                }
            }
        }
        for (f, (detectors, sums)) in self.detectors.iter_mut().zip(&sums).enumerate() {
            let lag = f64::from(self.reference.lags()[f]);
            for (bet, m) in detectors.iter_mut().enumerate() {
                let log: f64 = self.logs[f].iter().zip(sums).map(|(logs, sum)| sum * logs[bet]).sum();
                *m = ((*m + 1.0) * exp((log / lag).min(700.0))).min(CEILING);
            }
        }
        self.rounds += 1;
        Ok(())
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    pub fn report(&self) -> FleetReport {
        let (features, log_e) = log_means(self.detectors.iter().map(|detectors| detectors.iter().sum()));
        FleetReport { features, log_e, alarm: log_e >= ln(self.options.threshold) }
    }

    /// Everything, options included.
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(KERNEL_ABI.to_le_bytes());
        out.extend(self.reference.hash().to_le_bytes());
        out.extend(self.options.threshold.to_le_bytes());
        out.extend(self.options.dead_zone.to_le_bytes());
        out.extend(self.rounds.to_le_bytes());
        self.detectors.iter().flatten().for_each(|m| out.extend(m.to_le_bytes()));
        out
    }

    /// Reads what [`FleetBank::save`] wrote. Errors: as [`crate::State::merge`].
    pub fn restore(reference: Arc<Reference>, saved: &[u8]) -> Result<Self, KernelError> {
        let mut reader = Reader::open(saved, MAGIC, Code::SnapshotMalformed)?;
        reader.reference(reference.hash())?;
        let (threshold, dead_zone) = (reader.f64()?, reader.f64()?);
        let options = Options { threshold, dead_zone, ..Options::default() };
        let mut bank = Self::new(reference, options).map_err(|_| reader.malformed("its options are impossible"))?;
        bank.rounds = reader.u64()?;
        if bank.rounds > crate::MAX_ROWS {
            return Err(reader.malformed("its number of rounds is impossible"));
        }
        for m in bank.detectors.iter_mut().flatten() {
            *m = reader.f64_in(0.0, CEILING)?;
        }
        reader.end()?;
        Ok(bank)
    }
}

#[cfg(test)]
#[path = "fleet_test.rs"]
mod tests;
