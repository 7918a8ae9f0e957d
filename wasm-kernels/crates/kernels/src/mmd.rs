//! The quadratic maximum mean discrepancy of two samples at hand (Gretton et al. 2012): to audit what random features say.

use crate::error::{Code, KernelError};
use crate::math::exp_f32;

/// Rows whose distances to another are computed side by side.
const LANES: usize = 16;

/// Rows after which sums go on in f64.
const SETTLE: usize = 64 * LANES;

/// Unbiased MMD² with kernel exp(−gamma·‖x − y‖²); may be negative. `x`, `y`: row-major of `d` columns.
/// Errors: [`Code::BadShape`] below two whole rows a side, or for a value or gamma that is not finite.
pub fn mmd2(x: &[f32], y: &[f32], d: usize, gamma: f32) -> Result<f64, KernelError> {
    let refuse = |message: &str| Err(KernelError::new(Code::BadShape, message));
    if d == 0 || !x.len().is_multiple_of(d) || !y.len().is_multiple_of(d) || x.len() < 2 * d || y.len() < 2 * d {
        return refuse("two samples of two rows or more, all of the same width");
    }
    if x.iter().chain(y).any(|value| !value.is_finite()) || !(gamma > 0.0 && gamma.is_finite()) {
        return refuse("values and a positive gamma, all finite");
    }
    let (n, m) = (x.len() / d, y.len() / d);
    let (blocks_x, blocks_y) = (blocks(x, d), blocks(y, d));
    let inside = |rows: &[f32], blocks: &[[f32; LANES]], count: usize| -> f64 {
        rows.chunks_exact(d).enumerate().map(|(i, row)| kernels(row, blocks, gamma, i + 1..count)).sum()
    };
    let between: f64 = x.chunks_exact(d).map(|row| kernels(row, &blocks_y, gamma, 0..m)).sum();
    let pairs = |count: usize| count as f64 * (count - 1) as f64 / 2.0;
    Ok(inside(x, &blocks_x, n) / pairs(n) + inside(y, &blocks_y, m) / pairs(m) - 2.0 * between / (n as f64 * m as f64))
}

/// Rows in blocks, turned: by block, then column, then row of the block. The last is filled up with zeros.
fn blocks(rows: &[f32], d: usize) -> Vec<[f32; LANES]> {
    let mut out = vec![[0.0; LANES]; (rows.len() / d).div_ceil(LANES) * d];
    for (i, row) in rows.chunks_exact(d).enumerate() {
        for (f, x) in row.iter().enumerate() {
            out[i / LANES * d + f][i % LANES] = *x;
        }
    }
    out
}

/// Sum of the kernel of `row` with the rows of `range`.
fn kernels(row: &[f32], blocks: &[[f32; LANES]], gamma: f32, range: std::ops::Range<usize>) -> f64 {
    let d = row.len();
    let (mut sums, mut total) = ([0.0f32; LANES], 0.0);
    let mut first = range.start / LANES * LANES;
    for block in blocks[first / LANES * d..].chunks_exact(d) {
        if first.is_multiple_of(SETTLE) {
            total += settled(&mut sums);
        }
        let mut squares = [0.0f32; LANES];
        for (x, others) in row.iter().zip(block) {
            for (square, other) in squares.iter_mut().zip(others) {
                let difference = other - x;
                *square += difference * difference;
            }
        }
        let mut values = squares.map(|square| exp_f32(-gamma * square));
        if first < range.start || first + LANES > range.end {
            for (i, value) in values.iter_mut().enumerate() {
                *value = if range.contains(&(first + i)) { *value } else { 0.0 };
            }
        }
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        first += LANES;
    }
    total + settled(&mut sums)
}

/// What short sums hold, taken out of them before they lose digits.
fn settled(sums: &mut [f32; LANES]) -> f64 {
    std::mem::take(sums).into_iter().map(f64::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// The definition, in f64 of the host.
    fn plain(x: &[f32], y: &[f32], d: usize, gamma: f64) -> f64 {
        let kernel = |a: &[f32], b: &[f32]| {
            let squares: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
            (-gamma * squares).exp()
        };
        let mean = |a: &[f32], b: &[f32], same: bool| {
            let (mut sum, mut count) = (0.0, 0.0);
            for (i, a) in a.chunks(d).enumerate() {
                for (j, b) in b.chunks(d).enumerate() {
                    if !same || i != j {
                        sum += kernel(a, b);
                        count += 1.0;
                    }
                }
            }
            sum / count
        };
        mean(x, x, true) + mean(y, y, true) - 2.0 * mean(x, y, false)
    }

    #[test]
    fn matches_its_oracle() {
        let got = mmd2(&[0.0, 1.0], &[0.0, 1.0], 1, 1.0).unwrap();
        assert!((got - ((-1f64).exp() - 1.0)).abs() < 1e-6, "{got}");
    }

    #[test]
    fn agrees_with_the_definition() {
        let mut random = Random::new(2);
        for (n, m, d) in [(2, 3, 1), (16, 17, 2), (40, 33, 5), (15, 100, 16)] {
            let mut draw = |count: usize| -> Vec<f32> { (0..count * d).map(|_| random.normal()).collect() };
            let (x, y) = (draw(n), draw(m));
            let (got, want) = (mmd2(&x, &y, d, 0.3).unwrap(), plain(&x, &y, d, f64::from(0.3f32)));
            assert!((got - want).abs() < 1e-6, "{n} {m} {d}: {got} {want}");
        }
    }

    #[test]
    fn what_is_no_sample_is_refused() {
        let two = [1.0, 2.0];
        for (x, y, d, gamma) in [
            (&two[..], &two[..], 0, 1.0),
            (&two, &two, 2, 1.0),
            (&two, &[1.0, 2.0, 3.0], 2, 1.0),
            (&two, &[1.0, f32::NAN], 1, 1.0),
            (&two, &two, 1, 0.0),
            (&two, &two, 1, f32::INFINITY),
        ] {
            assert_eq!(mmd2(x, y, d, gamma).unwrap_err().code, Code::BadShape);
        }
        // Distances beyond all numbers are just far.
        assert!(mmd2(&[f32::MAX, f32::MIN], &[0.0, 1.0], 1, 1.0).unwrap().is_finite());
    }
}
