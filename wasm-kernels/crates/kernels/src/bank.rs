//! The device's e-detectors: Shiryaev–Roberts sums M ← (M+1)·T of every bet, and what is left to say of them.
//!
//! Under the reference E\[M\] grows by at most one a step, whatever the features have to do with each other. So the mean
//! of all M reaches A once in A steps or rarer: the average run length to a false alarm is at least A.

use crate::CELLS;
use crate::bets::{BETS, Factors};
use crate::bytes::Reader;
use crate::error::KernelError;
use crate::math::ln;

/// No detector grows beyond this, so that a stream that recovered is believed in finite time. Lowering M keeps the
/// guarantee; an alarm at 1e9 over 4,096 features needs 2e14.
const CEILING: f32 = 1e16;

/// What rounding may add to a detector or to a sum of them, and far more.
const SLACK: f32 = 1.001;

/// Factors of all features, as the bank reads them.
pub(crate) struct BankFactors {
    bets: Vec<[[f32; BETS]; CELLS]>,
    /// The greatest of each cell.
    greatest: Vec<[f32; CELLS]>,
}

impl BankFactors {
    pub fn new(factors: impl Iterator<Item = Factors>) -> Self {
        let bets: Vec<_> = factors.map(|factors| factors.map(|bets| bets.map(|t| t as f32))).collect();
        let greatest = |cells: &[[f32; BETS]; CELLS]| cells.map(|bets| bets.into_iter().fold(0.0, f32::max));
        Self { greatest: bets.iter().map(greatest).collect(), bets }
    }
}

/// One detector a feature and bet.
#[derive(Clone)]
pub(crate) struct Bank {
    detectors: Vec<[f32; BETS]>,
    /// Their sum is no greater. Adding them up costs as much as half a step, and hardly ever matters.
    bound: f32,
}

impl Bank {
    pub fn new(features: usize) -> Self {
        Self { detectors: vec![[0.0; BETS]; features], bound: 0.0 }
    }

    /// One step of feature `f`, whose value fell into `cell`; the greatest factor of it.
    #[inline(always)]
    pub fn step(&mut self, factors: &BankFactors, f: usize, cell: u8) -> f32 {
        let cell = usize::from(cell);
        for (m, t) in self.detectors[f].iter_mut().zip(&factors.bets[f][cell]) {
            let next = (*m + 1.0) * t;
            *m = if next < CEILING { next } else { CEILING };
        }
        factors.greatest[f][cell]
    }

    /// Whether the sum of all detectors is at `limit`, after steps of which `greatest` was the greatest factor.
    #[inline(always)]
    pub fn reaches(&mut self, limit: f32, greatest: f32) -> bool {
        let count = (self.detectors.len() * BETS) as f32;
        self.bound = (self.bound + count) * greatest.max(1.0) * SLACK;
        if self.bound < limit {
            return false;
        }
        let sum = self.sum();
        self.bound = sum * SLACK;
        sum >= limit
    }

    /// The sum of all detectors: bet by bet first, as many additions side by side as there are bets.
    pub fn sum(&self) -> f32 {
        let mut sums = [0.0f32; BETS];
        for detectors in &self.detectors {
            sums.iter_mut().zip(detectors).for_each(|(sum, m)| *sum += m);
        }
        let mut lanes = [0.0f32; 4];
        for four in sums.as_chunks::<4>().0 {
            lanes.iter_mut().zip(four).for_each(|(lane, sum)| *lane += sum);
        }
        (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    }

    /// ln of the mean over the bets of each feature, and over everything.
    pub fn log_evidence(&self) -> (Vec<f64>, f64) {
        log_means(self.detectors.iter().map(|detectors| detectors.iter().map(|m| f64::from(*m)).sum()))
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        self.detectors.iter().flatten().for_each(|m| out.extend(m.to_le_bytes()));
    }

    pub fn read(reader: &mut Reader, features: usize) -> Result<Self, KernelError> {
        let mut bank = Self::new(features);
        for m in bank.detectors.iter_mut().flatten() {
            *m = reader.f32_in(0.0, CEILING)?;
        }
        bank.bound = bank.sum() * SLACK;
        Ok(bank)
    }
}

/// ln of the means, from the sums over the bets of each feature; 0, no evidence, where a mean is below 1.
pub(crate) fn log_means(sums: impl Iterator<Item = f64>) -> (Vec<f64>, f64) {
    let (mut features, mut total) = (Vec::new(), 0.0);
    let log = |mean: f64| ln(mean.max(1.0));
    for sum in sums {
        features.push(log(sum / BETS as f64));
        total += sum;
    }
    let mean = total / (BETS * features.len()) as f64;
    (features, log(mean))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// The bound spares most sums, and never an alarm.
    #[test]
    fn alarms_where_the_sum_of_every_step_says_so() {
        let mut random = Random::new(11);
        for limit in [1e3, 3e4, 1e7] {
            let mut cell = || [0.5, 0.9, 1.0, 1.3, 2.5].map(|t: f64| t * (0.7 + 0.6 * random.uniform()));
            let factors = BankFactors::new((0..5).map(|_| {
                let five = cell();
                std::array::from_fn(|cell| std::array::from_fn(|bet| five[(cell + bet) % 5]))
            }));
            let mut bank = Bank::new(5);
            let (mut alarms, mut quiet) = (0, 0);
            for step in 0..4000 {
                let mut greatest = 0.0f32;
                for f in (0..5).filter(|f| (step + f) % 3 > 0) {
                    greatest = greatest.max(bank.step(&factors, f, (random.uniform() * 16.0) as u8));
                }
                let reaches = bank.reaches(limit, greatest);
                assert_eq!(reaches, bank.sum() >= limit, "step {step}, limit {limit}");
                assert!(bank.bound >= bank.sum());
                if reaches {
                    alarms += 1
                } else {
                    quiet += 1
                }
                // What alarmed begins anew.
                if reaches {
                    bank.detectors.fill([0.0; BETS]);
                }
            }
            assert!(quiet > 0 && alarms > 0, "{limit}: {alarms} {quiet}");
        }
    }
}
