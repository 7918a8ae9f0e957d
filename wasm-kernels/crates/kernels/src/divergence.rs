//! How far two distributions on the same bins lie apart, in the usual measures.

use crate::edges::Edges;
use crate::error::{Code, KernelError};
use crate::math::ln;
use crate::{BINS, SLOTS};

/// All that can be said of two distributions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divergences {
    /// Symmetric Kullback–Leibler, in nats; +∞ where only one side has mass.
    pub psi: f64,
    /// Jensen–Shannon distance, base 2.
    pub js: f64,
    /// Total variation.
    pub tv: f64,
    /// Greatest difference.
    pub linf: f64,
    pub hellinger: f64,
}

/// Of two lists of masses, which are scaled to a sum of 1; all 0 where either side has none.
/// Errors: [`Code::BadShape`] when their lengths differ or a mass is negative or not finite.
pub fn divergences(p: &[f64], q: &[f64]) -> Result<Divergences, KernelError> {
    if p.len() != q.len() {
        return Err(KernelError::new(
            Code::BadShape,
            format!("{} bins on one side, {} on the other", p.len(), q.len()),
        ));
    }
    if p.iter().chain(q).any(|mass| !(0.0..=f64::MAX).contains(mass)) {
        return Err(KernelError::new(Code::BadShape, "a mass is a finite number from 0 on"));
    }
    let (p, q) = (shares(p), shares(q));
    let mut d = Divergences { psi: 0.0, js: 0.0, tv: 0.0, linf: 0.0, hellinger: 0.0 };
    let (mut entropy, mut distance, mut squares) = (0.0, 0.0, 0.0);
    for (&p, &q) in p.iter().zip(&q) {
        if p > 0.0 || q > 0.0 {
            d.psi += if p > 0.0 && q > 0.0 { (p - q) * (ln(p) - ln(q)) } else { f64::INFINITY };
        }
        entropy += half_relative(p, q) + half_relative(q, p);
        distance += (p - q).abs();
        d.linf = d.linf.max((p - q).abs());
        let difference = p.sqrt() - q.sqrt();
        squares += difference * difference;
    }
    d.js = (entropy / std::f64::consts::LN_2).max(0.0).sqrt();
    d.tv = distance / 2.0;
    d.hellinger = (squares / 2.0).sqrt();
    Ok(d)
}

/// ½·p·ln(p/m) against the mean m of p and q.
fn half_relative(p: f64, q: f64) -> f64 {
    if p > 0.0 { 0.5 * p * (ln(p) - ln(0.5 * (p + q))) } else { 0.0 }
}

fn shares(masses: &[f64]) -> Vec<f64> {
    let total: f64 = masses.iter().sum();
    // A share below the smallest normal number is none: `ln` takes normal numbers only.
    let share = |mass: &f64| Some(mass / total).filter(|share| *share >= f64::MIN_POSITIVE).unwrap_or(0.0);
    masses.iter().map(share).collect()
}

/// Σ (p − q)·ln(p/q) of two distributions with positive entries, in nats.
pub(crate) fn symmetric_kl(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).map(|(p, q)| (p - q) * ln(p / q)).sum()
}

fn as_shares(counts: &[u64]) -> Option<impl Iterator<Item = f64> + Clone> {
    let total: u64 = counts.iter().sum();
    (total > 0).then(|| counts.iter().map(move |count| *count as f64 / total as f64))
}

/// Jensen–Shannon distance of two histograms, base 2; 0 where either is empty.
pub(crate) fn jensen_shannon(a: &[u64], b: &[u64]) -> f64 {
    let (Some(a), Some(b)) = (as_shares(a), as_shares(b)) else { return 0.0 };
    let entropy: f64 = a.zip(b).map(|(p, q)| half_relative(p, q) + half_relative(q, p)).sum();
    (entropy / std::f64::consts::LN_2).clamp(0.0, 1.0).sqrt()
}

/// L∞ of two histograms; 0 where either is empty.
pub(crate) fn largest_difference(a: &[u64], b: &[u64]) -> f64 {
    let (Some(a), Some(b)) = (as_shares(a), as_shares(b)) else { return 0.0 };
    a.zip(b).map(|(p, q)| (p - q).abs()).fold(0.0, f64::max)
}

/// Wasserstein-1 of two histograms on the same edges, as if all mass of a bin lay evenly in it: the area between their
/// distribution functions, from the first inner edge to the last. What moves beyond them cannot be seen.
pub(crate) fn wasserstein(edges: &Edges, a: &[u32; SLOTS], b: &[u32; SLOTS]) -> f64 {
    let [m, n] = [a, b].map(|counts| crate::counts::present(counts) as f64);
    if m == 0.0 || n == 0.0 {
        return 0.0;
    }
    let (mut area, mut sum_a, mut sum_b) = (0.0, 0u64, 0u64);
    let mut left = 0.0;
    for j in 0..BINS - 1 {
        sum_a += u64::from(a[j]);
        sum_b += u64::from(b[j]);
        let right = sum_a as f64 / m - sum_b as f64 / n;
        if j > 0 && edges.0[j + 1].is_finite() {
            area += (f64::from(edges.0[j + 1]) - f64::from(edges.0[j])) * mean_of_line(left, right);
        }
        left = right;
    }
    area
}

/// Mean of |f| where f goes straight from `a` to `b`.
fn mean_of_line(a: f64, b: f64) -> f64 {
    let (size_a, size_b) = (a.abs(), b.abs());
    if a * b >= 0.0 { (size_a + size_b) / 2.0 } else { (a * a + b * b) / (2.0 * (size_a + size_b)) }
}

/// Wasserstein-1 of two samples: the area between their distribution functions. NaN are left out; 0 where a side has no
/// values. Errors: [`Code::BadShape`] when a value is infinite.
pub fn wasserstein1(a: &[f64], b: &[f64]) -> Result<f64, KernelError> {
    if a.iter().chain(b).any(|x| x.is_infinite()) {
        return Err(KernelError::new(Code::BadShape, "an infinite value lies infinitely far away"));
    }
    let sorted = |values: &[f64]| {
        let mut values: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(a), sorted(b));
    if a.is_empty() || b.is_empty() {
        return Ok(0.0);
    }
    let (mut i, mut j, mut area) = (0, 0, 0.0);
    let mut at = a[0].min(b[0]);
    while i < a.len() || j < b.len() {
        let next = a.get(i).copied().unwrap_or(f64::INFINITY).min(b.get(j).copied().unwrap_or(f64::INFINITY));
        area += (next - at) * (i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs();
        at = next;
        i += a[i..].iter().take_while(|x| **x <= at).count();
        j += b[j..].iter().take_while(|x| **x <= at).count();
    }
    Ok(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_match_their_oracles() {
        let d = divergences(&[0.1, 0.2, 0.3, 0.4], &[0.25; 4]).unwrap();
        let close = |got: f64, want: f64| assert!((got - want).abs() < 1e-15, "{got} {want}");
        close(d.psi, 0.228_217_409_573_391_82);
        close(d.js, 0.200_503_322_531_428_2);
        close(d.tv, 0.2);
        close(d.hellinger, 0.167_899_596_402_674_77);
        close(d.linf, 0.15);
        close(symmetric_kl(&[0.1, 0.2, 0.3, 0.4], &[0.25; 4]), 0.228_217_409_573_391_82);
        close(jensen_shannon(&[1, 2, 3, 4], &[5, 5, 5, 5]), 0.200_503_322_531_428_2);
        close(largest_difference(&[1, 2, 3, 4], &[5, 5, 5, 5]), 0.15);
    }

    #[test]
    fn masses_that_one_side_lacks_are_infinitely_far_by_psi_only() {
        let d = divergences(&[3.0, 0.0], &[0.0, 9.0]).unwrap();
        assert_eq!(d, Divergences { psi: f64::INFINITY, js: 1.0, tv: 1.0, linf: 1.0, hellinger: 1.0 });
        assert_eq!(divergences(&[0.0, 0.0], &[1.0, 0.0]).unwrap().psi, f64::INFINITY);
        assert_eq!(divergences(&[2.0, 2.0, 0.0], &[1.0, 1.0, 0.0]).unwrap().psi, 0.0);
        for bad in [[-1.0, 2.0], [f64::NAN, 1.0], [f64::INFINITY, 1.0]] {
            assert_eq!(divergences(&bad, &[1.0, 1.0]).unwrap_err().code, Code::BadShape);
        }
        assert_eq!(divergences(&[1.0], &[1.0, 1.0]).unwrap_err().code, Code::BadShape);
    }

    #[test]
    fn wasserstein_of_samples_matches_its_oracle() {
        assert_eq!(wasserstein1(&[0., 1., 3.], &[5., 6., 8.]).unwrap(), 5.0);
        assert_eq!(wasserstein1(&[8., 5., f64::NAN, 6.], &[3., 0., 1.]).unwrap(), 5.0);
        assert_eq!(wasserstein1(&[1., 1., 2.], &[1., 1., 2.]).unwrap(), 0.0);
        assert_eq!(wasserstein1(&[], &[1.0]).unwrap(), 0.0);
        assert_eq!(wasserstein1(&[f64::INFINITY], &[1.0]).unwrap_err().code, Code::BadShape);
    }

    /// A shift by s moves everything by s; the outermost 128ths are not seen.
    #[test]
    fn wasserstein_of_histograms_sees_a_shift() {
        let sorted: Vec<f32> = (0..12_800).map(|i| i as f32 / 128.0).collect();
        let edges = Edges::equal_mass(&sorted);
        let search = crate::search::Search::new(&edges);
        let counts = |shift: f32| {
            let mut counts = [0; SLOTS];
            sorted.iter().for_each(|x| counts[search.slot(x + shift)] += 1);
            counts
        };
        assert_eq!(wasserstein(&edges, &counts(0.0), &counts(0.0)), 0.0);
        let moved = wasserstein(&edges, &counts(0.0), &counts(5.0));
        assert!((moved - 5.0).abs() < 0.4, "{moved}");
        assert_eq!(wasserstein(&edges, &counts(0.0), &[0; SLOTS]), 0.0);
    }

    #[test]
    fn lines_that_cross_zero_have_two_triangles() {
        assert_eq!([mean_of_line(1.0, 3.0), mean_of_line(-1.0, 1.0), mean_of_line(-1.0, 3.0)], [2.0, 0.5, 1.25]);
    }
}
