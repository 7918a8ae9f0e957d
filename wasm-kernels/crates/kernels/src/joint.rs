//! The test of all features at once: mean random Fourier features of a window against those of the reference, whose
//! null distribution follows from three moments, without permutations.

use crate::bytes::{Reader, unzigzag, write_packed, zigzag};
use crate::chi2::chi2_sf;
use crate::error::KernelError;
use crate::features::{Feature, Kind};
use crate::rff::{ONE, Projection, SUMS, Scaling, WAVES};

/// Rows whose sums are kept in 32 bits: 256 times as many stay below 2³¹.
const SETTLE: u32 = 1 << 22;

/// The largest sum: that of a window which stands at its limit of rows.
const MOST: i64 = ONE * crate::MAX_ROWS as i64;

/// Bandwidths that a reference may have: within them no projection turns too often to be rounded well.
pub(crate) const SIGMAS: [f32; 2] = [0.05, 1e4];

/// Sums of random Fourier features over rows.
#[derive(Clone)]
pub(crate) struct Sums {
    /// Rows that were left out.
    pub skipped: u64,
    settled: [i64; SUMS],
    recent: [i32; SUMS],
    recent_rows: u32,
}

impl Default for Sums {
    fn default() -> Self {
        Self { skipped: 0, settled: [0; SUMS], recent: [0; SUMS], recent_rows: 0 }
    }
}

impl Sums {
    pub fn add(&mut self, projection: &Projection, terms: &[crate::rff::Term]) {
        projection.add(terms, &mut self.recent);
        self.recent_rows += 1;
        if self.recent_rows == SETTLE {
            self.settled = self.totals();
            self.recent.fill(0);
            self.recent_rows = 0;
        }
    }

    /// A row that is left out.
    pub fn skip(&mut self) {
        self.skipped = (self.skipped + 1).min(crate::MAX_ROWS);
    }

    pub fn totals(&self) -> [i64; SUMS] {
        std::array::from_fn(|k| self.settled[k].saturating_add(i64::from(self.recent[k])))
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.settled.iter_mut().zip(other.totals()) {
            *mine = mine.saturating_add(theirs).clamp(-MOST, MOST);
        }
        self.skipped = self.skipped.saturating_add(other.skipped).min(crate::MAX_ROWS);
    }
}

/// What the test says of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointReport {
    /// n·‖φ̄ − μ‖²/(1 + n/m) on independent rows.
    pub statistic: f64,
    pub p: f64,
    /// Rows left out because a value was missing or infinite.
    pub skipped: u64,
}

/// A reference's part of the test.
///
/// Bytes: seed u32, sigma f32, for each number its center and inverse scale f32 (0: left out), for each category whether
/// it takes part u8, rows taken u32, the 256 sums in eights (see `bytes.rs`), tr Σ, tr Σ² and tr Σ³ f64.
pub(crate) struct Joint {
    pub seed: u32,
    pub sigma: f32,
    pub scalings: Vec<Scaling>,
    pub taken: u32,
    pub sums: [i64; SUMS],
    /// Traces of the first three powers of the covariance of one row's features.
    pub traces: [f64; 3],
    pub projection: Projection,
}

impl Joint {
    /// `lag`: rows apart that are independent, of window and reference alike. None where the window took no row.
    pub fn test(&self, sums: &Sums, rows: u64, lag: u32) -> Option<JointReport> {
        let taken = rows.saturating_sub(sums.skipped) as f64;
        if taken == 0.0 {
            return None;
        }
        let totals = sums.totals();
        let mut distance = 0.0;
        for (live, reference) in totals.iter().zip(&self.sums) {
            let difference = (*live as f64 / taken - *reference as f64 / f64::from(self.taken)) / ONE as f64;
            distance += difference * difference;
        }
        let lag = f64::from(lag);
        let (n, m) = (taken / lag, f64::from(self.taken) / lag);
        let statistic = n * distance / WAVES as f64 / (1.0 + n / m);
        let [t1, t2, t3] = self.traces;
        // χ² with the same mean, variance and skewness, shifted and scaled (Imhof 1961).
        let degrees = t2 * t2 * t2 / (t3 * t3);
        let p = chi2_sf(degrees, (statistic - t1) * (degrees / t2).sqrt() + degrees);
        Some(JointReport { statistic, p, skipped: sums.skipped })
    }

    /// What so many rows like the reference's would add up to. Sums are written as differences from it, which are short.
    fn expected(&self, taken: u64, k: usize) -> i64 {
        (i128::from(self.sums[k]) * i128::from(taken)).div_euclid(i128::from(self.taken)) as i64
    }

    pub fn write_sums(&self, sums: &Sums, rows: u64, out: &mut Vec<u8>) {
        out.extend(sums.skipped.to_le_bytes());
        let taken = rows.saturating_sub(sums.skipped);
        let totals = sums.totals();
        for first in (0..SUMS).step_by(8) {
            let difference = |i| zigzag(totals[first + i] - self.expected(taken, first + i));
            write_packed(&std::array::from_fn(difference), out);
        }
    }

    pub fn read_sums(&self, rows: u64, reader: &mut Reader) -> Result<Sums, KernelError> {
        let skipped = reader.u64()?;
        if skipped > rows {
            return Err(reader.malformed("more rows were left out than seen"));
        }
        let mut sums = Sums { skipped, ..Sums::default() };
        let taken = rows - skipped;
        let mut numbers = [0; 8];
        for first in (0..SUMS).step_by(8) {
            reader.packed(&mut numbers)?;
            for (k, number) in (first..).zip(numbers) {
                let sum = unzigzag(number).checked_add(self.expected(taken, k));
                // A window that stands at its limit of rows may have added more.
                let most = if rows == crate::MAX_ROWS { MOST } else { ONE * taken as i64 };
                let possible = |sum: &i64| (-most..=most).contains(sum);
                let sum = sum.filter(possible);
                sums.settled[k] = sum.ok_or_else(|| reader.malformed("a joint sum is out of range"))?;
            }
        }
        Ok(sums)
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.seed.to_le_bytes());
        out.extend(self.sigma.to_le_bytes());
        for scaling in &self.scalings {
            match scaling {
                Scaling::Out => out.push(0),
                Scaling::Category => out.push(1),
                Scaling::Number { center, inverse } => {
                    out.push(1);
                    out.extend(center.to_le_bytes());
                    out.extend(inverse.to_le_bytes());
                }
            }
        }
        out.extend(self.taken.to_le_bytes());
        for eight in self.sums.as_chunks::<8>().0 {
            write_packed(&eight.map(zigzag), out);
        }
        self.traces.iter().for_each(|trace| out.extend(trace.to_le_bytes()));
    }

    /// Reads what [`Joint::write`] wrote, for a reference of these features and so many rows.
    pub fn read(features: &[Feature], rows: u32, reader: &mut Reader) -> Result<Self, KernelError> {
        let seed = reader.u32()?;
        let sigma = reader.f32_in(SIGMAS[0], SIGMAS[1])?;
        let mut scalings = Vec::new();
        for feature in features {
            scalings.push(match (reader.u8()?, feature.kind) {
                (0, _) => Scaling::Out,
                (1, Kind::Category { .. }) => Scaling::Category,
                (1, Kind::Number) => Scaling::Number {
                    center: reader.f32_in(f32::MIN, f32::MAX)?,
                    inverse: reader.f32_in(f32::MIN_POSITIVE, f32::MAX)?,
                },
                _ => return Err(reader.malformed("a feature enters the joint test in an unknown way")),
            });
        }
        let taken = reader.u32()?;
        let mut sums = [0; SUMS];
        let mut numbers = [0; 8];
        for eight in sums.as_chunks_mut::<8>().0 {
            reader.packed(&mut numbers)?;
            *eight = numbers.map(unzigzag);
        }
        let most = ONE as u64 * u64::from(taken);
        if taken == 0 || taken > rows || sums.iter().any(|sum| sum.unsigned_abs() > most) {
            return Err(reader.malformed("its joint sums are impossible"));
        }
        let mut traces = [0.0; 3];
        for trace in &mut traces {
            *trace = reader.f64_in(1e-12, 1e6)?;
        }
        if !usable(&traces) || scalings.iter().all(|scaling| *scaling == Scaling::Out) {
            return Err(reader.malformed("its joint moments are impossible"));
        }
        let projection = Projection::new(features, &scalings, seed, sigma);
        Ok(Self { seed, sigma, scalings, taken, sums, traces, projection })
    }
}

/// Whether moments belong to a covariance of 256 dimensions or so, give or take what estimating them costs.
pub(crate) fn usable(traces: &[f64; 3]) -> bool {
    let [t1, t2, t3] = *traces;
    let degrees = t2 * t2 * t2 / (t3 * t3);
    traces.iter().all(|trace| (1e-12..=1e6).contains(trace))
        && t2 <= 1.001 * t1 * t1
        && (0.5..=1000.0).contains(&degrees)
}

#[cfg(test)]
#[path = "joint_test.rs"]
mod tests;
