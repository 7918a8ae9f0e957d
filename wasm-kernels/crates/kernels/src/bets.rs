//! What is bet on a feature: forty-four e-values, each a factor for every cell that a value may fall into.
//!
//! A bet's factor has expectation one or less as long as the truth is the reference distribution, or so near to it that
//! a reference of its size could not tell (the tolerance) or that nobody cares (the dead zone). Shin, Ramdas and Rinaldo
//! (2022), "E-detectors"; the tolerance is this project's, without which a finite reference alarms on itself.

use crate::features::MISSING_CELL;
use crate::math::ln;
use crate::{CELLS, COARSE_BINS};

/// Bets a feature: 24 on the shape, a spike on each cell, and three more on the rate of missing values.
pub const BETS: usize = 44;

/// Stakes on a contrast, as shares of what would risk everything.
const STAKES: [f64; 4] = [0.05, 0.12, 0.3, 0.7];

/// Probability that a reference misjudges any contrast by more than its tolerance.
const DELTA: f64 = 0.05;

/// Beyond this a tolerance silences a bet altogether.
const MOST: f64 = 1e3;

/// Factors of one feature, by cell and bet.
pub(crate) type Factors = [[f64; BETS]; CELLS];

/// How well a reference knows its feature.
pub(crate) struct Knowledge {
    /// ln(2·bets·features/δ): how improbable an error the tolerance covers, all bets of all features together.
    bound: f64,
    /// Independent reference rows.
    rows: f64,
    dead_zone: f64,
}

impl Knowledge {
    /// Of `features` columns, `rows` rows every `lag`-th of which is independent.
    pub fn new(features: usize, rows: u64, lag: u32, dead_zone: f64) -> Self {
        let bound = ln(2.0 * (BETS * features) as f64 / DELTA);
        Self { bound, rows: rows as f64 / f64::from(lag), dead_zone }
    }

    /// Of the mean of a contrast with unit variance and no value beyond `largest`: Bernstein's inequality.
    pub fn tolerance(&self, largest: f64) -> f64 {
        if self.rows == 0.0 {
            return MOST;
        }
        let share = self.bound / self.rows;
        ((2.0 * share).sqrt() + 2.0 / 3.0 * largest * share).max(self.dead_zone).min(MOST)
    }

    /// The greatest probability, relative to `p`, that a cell with share `seen` of the reference may really have:
    /// Chernoff's bound for a share, which, unlike the normal one, holds for rare cells too.
    fn ceiling(&self, p: f64, seen: f64) -> f64 {
        if self.rows == 0.0 {
            return MOST;
        }
        let share = self.bound / self.rows;
        let possible = (seen + (2.0 * seen * share).sqrt() + 2.0 * share) / p;
        possible.max(1.0 + self.dead_zone / p.sqrt()).min(MOST)
    }
}

/// The factors of a feature whose reference counts by cell are `counts`.
pub(crate) fn factors(counts: &[u64; CELLS], known: &Knowledge) -> Factors {
    let total: u64 = counts.iter().sum();
    let smooth = |count: u64| (count as f64 + 0.5) / (total as f64 + CELLS as f64 / 2.0);
    let p: [f64; CELLS] = std::array::from_fn(|cell| smooth(counts[cell]));
    let mut factors = [[0.0; BETS]; CELLS];
    let mut bet = 0;
    for h in contrasts(&p) {
        for stake in STAKES {
            for sign in [1.0, -1.0] {
                stake_on(&h, sign * stake, known, &mut factors, bet);
                bet += 1;
            }
        }
    }
    for cell in 0..CELLS {
        let seen = if total == 0 { 0.0 } else { counts[cell] as f64 / total as f64 };
        let ceiling = known.ceiling(p[cell], seen);
        // A rare cell is known badly, and a full stake on it would lose too fast while nothing happens.
        let eta = (0.1 / ceiling).min(0.05);
        let fair = 1.0 - eta + eta * ceiling;
        for (other, factors) in factors.iter_mut().enumerate() {
            let won = if other == cell { eta / p[cell] } else { 0.0 };
            factors[bet] = (1.0 - eta + won) / fair;
        }
        bet += 1;
    }
    let missing = missing_contrast(&p);
    for stake in [0.3, -0.3, -0.7] {
        stake_on(&missing, stake, known, &mut factors, bet);
        bet += 1;
    }
    factors
}

/// (1 ± λh)/(1 + λ·tol) with λ = stake/max|h|; a contrast that is nothing, as of a constant feature, bets nothing.
fn stake_on(h: &[f64; CELLS], stake: f64, known: &Knowledge, factors: &mut Factors, bet: usize) {
    let largest = h.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    if largest == 0.0 {
        // Not 1: then a detector would count rows, and take that for evidence.
        return factors.iter_mut().for_each(|factors| factors[bet] = 0.5);
    }
    let lambda = stake / largest;
    let fair = 1.0 + lambda.abs() * known.tolerance(largest);
    for (factors, h) in factors.iter_mut().zip(h) {
        factors[bet] = (1.0 + lambda * h) / fair;
    }
}

/// Polynomials of degree 1 to 3 in the middle rank of a cell, orthonormal under `p`: location, scale and skew. Missing
/// values stand apart, at 0. Gram and Schmidt, twice for the last bits.
fn contrasts(p: &[f64; CELLS]) -> [[f64; CELLS]; 3] {
    let (mut below, mut ranks) = (0.0, [0.0; COARSE_BINS]);
    let present: f64 = p[..COARSE_BINS].iter().sum();
    for (rank, p) in ranks.iter_mut().zip(p) {
        *rank = (2.0 * below + p) / present - 1.0;
        below += p;
    }
    let dot = |a: &[f64; COARSE_BINS], b: &[f64; COARSE_BINS]| -> f64 {
        p[..COARSE_BINS].iter().zip(a.iter().zip(b)).map(|(p, (a, b))| p * a * b).sum()
    };
    let mut basis = vec![[1.0 / present.sqrt(); COARSE_BINS]];
    for degree in 1..=3 {
        let mut h = ranks.map(|rank| (0..degree).fold(1.0, |power, _| power * rank));
        for _ in 0..2 {
            for other in &basis {
                let along = dot(&h, other);
                h.iter_mut().zip(other).for_each(|(h, other)| *h -= along * other);
            }
        }
        let norm = dot(&h, &h).sqrt();
        basis.push(if norm < 1e-7 { [0.0; COARSE_BINS] } else { h.map(|h| h / norm) });
    }
    std::array::from_fn(|i| std::array::from_fn(|cell| if cell == MISSING_CELL { 0.0 } else { basis[i + 1][cell] }))
}

/// Missing or not, with mean 0 and variance 1.
fn missing_contrast(p: &[f64; CELLS]) -> [f64; CELLS] {
    let missing = p[MISSING_CELL];
    let deviation = (missing * (1.0 - missing)).sqrt();
    std::array::from_fn(|cell| (f64::from(u8::from(cell == MISSING_CELL)) - missing) / deviation)
}

#[cfg(test)]
#[path = "bets_test.rs"]
mod tests;
