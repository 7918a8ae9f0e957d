//! Random Fourier features of a row: 128 cosines and sines of random projections, whose means tell any two
//! distributions apart (Rahimi and Recht 2007). They are rounded to 1/256 and added as integers, so that sums do not
//! depend on the order.

use crate::features::{Feature, Kind};
use crate::math::{round_to_i32, sin_cos_turns};
use crate::random::Random;

/// Random projections of a row.
pub(crate) const WAVES: usize = 128;

/// Sums kept of them: the cosines, then the sines.
pub(crate) const SUMS: usize = 2 * WAVES;

/// One as an integer.
pub(crate) const ONE: i64 = 256;

/// Waves computed at once: as measured, no bit depends on it.
const BLOCK: usize = if cfg!(target_arch = "wasm32") { 32 } else { 16 };

/// Scaled values stay within this: an outlier turns its wave no further than that.
const REACH: f32 = 8.0;

/// How a column enters the projections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scaling {
    /// Not at all: too often missing.
    Out,
    /// As (x − center)·inverse.
    Number { center: f32, inverse: f32 },
    /// Each code with weights of its own.
    Category,
}

/// What one column of a row contributes: so much of a row of weights.
#[derive(Clone, Copy)]
pub(crate) struct Term {
    row: u32,
    z: f32,
}

struct Column {
    scaling: Scaling,
    row: u32,
    /// Its last row of weights, for what was never seen.
    last: u32,
}

pub(crate) struct Projection {
    columns: Vec<Column>,
    rows: usize,
    /// By block of waves, then by row; divided by 2π and the bandwidth.
    weights: Vec<[f32; BLOCK]>,
}

impl Projection {
    /// Draws the weights that belong to `seed`: normal, of deviation 1/sigma.
    pub fn new(features: &[Feature], scalings: &[Scaling], seed: u32, sigma: f32) -> Self {
        let mut rows = 0;
        let column = |(feature, scaling): (&Feature, &Scaling)| {
            let row = rows;
            rows += match (scaling, feature.kind) {
                (Scaling::Out, _) => 0,
                (_, Kind::Number) => 1,
                (_, Kind::Category { known }) => u32::from(known) + 3,
            };
            Column { scaling: *scaling, row, last: rows.saturating_sub(1) }
        };
        let columns = features.iter().zip(scalings).map(column).collect();
        let rows = rows as usize;
        let mut weights = vec![[0.0; BLOCK]; rows * WAVES / BLOCK];
        let mut random = Random::new(seed);
        let scale = 1.0 / (std::f64::consts::TAU * f64::from(sigma));
        for row in 0..rows {
            for wave in (0..WAVES).step_by(2) {
                let pair = random.normals().map(|x| (x * scale) as f32);
                weights[wave / BLOCK * rows + row][wave % BLOCK..][..2].copy_from_slice(&pair);
            }
        }
        Self { columns, rows, weights }
    }

    /// The terms of a row, whose values fell into `slots`; false if a value is missing or infinite.
    #[inline]
    pub fn terms(&self, row: &[f32], slots: &[u8], terms: &mut Vec<Term>) -> bool {
        terms.clear();
        for ((column, &x), &slot) in self.columns.iter().zip(row).zip(slots) {
            match column.scaling {
                Scaling::Out => {}
                Scaling::Number { center, inverse } => {
                    if !x.is_finite() {
                        return false;
                    }
                    let z = ((x - center) * inverse).clamp(-REACH, REACH);
                    terms.push(Term { row: column.row, z });
                }
                Scaling::Category => {
                    if x.is_nan() {
                        return false;
                    }
                    // Slot 0 holds what is below all codes, and those beyond the last what is above.
                    let row = if slot == 0 { column.last } else { (column.row + u32::from(slot)).min(column.last) };
                    terms.push(Term { row, z: 1.0 });
                }
            }
        }
        true
    }

    /// Adds the features of a row: cosines to the first half of `sums`, sines to the second.
    #[inline]
    pub fn add(&self, terms: &[Term], sums: &mut [i32; SUMS]) {
        let (cosines, sines) = sums.split_at_mut(WAVES);
        let blocks = cosines.as_chunks_mut::<BLOCK>().0.iter_mut().zip(sines.as_chunks_mut::<BLOCK>().0);
        for ((cosines, sines), weights) in blocks.zip(self.weights.chunks_exact(self.rows)) {
            let mut turns = [0.0f32; BLOCK];
            for term in terms {
                for (turn, weight) in turns.iter_mut().zip(&weights[term.row as usize]) {
                    *turn += weight * term.z;
                }
            }
            for i in 0..BLOCK {
                let (sin, cos) = sin_cos_turns::<{ ONE as u32 }>(turns[i]);
                cosines[i] += round_to_i32(cos);
                sines[i] += round_to_i32(sin);
            }
        }
    }
}

/// Squared distance of two rows, by their terms: of two different categories it is 2, as that of two normal numbers is
/// on average.
pub(crate) fn distance2(a: &[Term], b: &[Term]) -> f64 {
    let part = |(a, b): (&Term, &Term)| if a.row == b.row { f64::from(a.z - b.z) * f64::from(a.z - b.z) } else { 2.0 };
    a.iter().zip(b).map(part).sum()
}
