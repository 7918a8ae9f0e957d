//! The population stability index, and what of it chance alone would give.

use crate::COARSE_BINS;
use crate::chi2::chi2_quantile;
use crate::divergence::symmetric_kl;

/// PSI and the value it exceeds with probability `alpha` when nothing has changed. Both 0 where there is nothing to
/// compare: fewer than two coarse bins in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Psi {
    pub value: f64,
    /// χ²_{B−1, 1−alpha}·(1/n + 1/m) on independent values; +∞ when either side is empty.
    pub critical: f64,
}

/// PSI of `observed` against `reference` counts with Jeffreys smoothing (c+½)/(n+B/2), at level `alpha` in (0, 1).
/// One value in `lag` is independent.
///
/// B counts the bins that either side uses. A bin that neither uses says nothing, but smoothing would give it different
/// mass on either side whenever n ≠ m: on a constant feature that alone exceeds the critical value.
pub fn psi(reference: &[u64; COARSE_BINS], observed: &[u64; COARSE_BINS], alpha: f64, lag: f64) -> Psi {
    let [m, n] = [reference, observed].map(|counts| counts.iter().sum::<u64>() as f64);
    if m == 0.0 || n == 0.0 {
        return Psi { value: 0.0, critical: f64::INFINITY };
    }
    let used = || reference.iter().zip(observed).filter(|(r, o)| **r + **o > 0);
    let bins = used().count();
    let smooth = |count: u64, total: f64| (count as f64 + 0.5) / (total + bins as f64 / 2.0);
    let p: Vec<f64> = used().map(|(_, o)| smooth(*o, n)).collect();
    let q: Vec<f64> = used().map(|(r, _)| smooth(*r, m)).collect();
    Psi { value: symmetric_kl(&p, &q), critical: chi2_quantile(bins as u32 - 1, alpha) * (lag / n + lag / m) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn equal_counts_give_zero_and_empty_sides_give_no_verdict() {
        assert_eq!(psi(&[9; COARSE_BINS], &[9; COARSE_BINS], 0.05, 1.0).value, 0.0);
        assert_eq!(psi(&[0; COARSE_BINS], &[9; COARSE_BINS], 0.05, 1.0), Psi { value: 0.0, critical: f64::INFINITY });
        assert_eq!(psi(&[9; COARSE_BINS], &[0; COARSE_BINS], 0.05, 1.0), Psi { value: 0.0, critical: f64::INFINITY });
    }

    #[test]
    fn bins_that_nobody_uses_do_not_alarm() {
        let (mut reference, mut observed) = ([0; COARSE_BINS], [0; COARSE_BINS]);
        reference[8] = 10_000;
        observed[8] = 50;
        assert_eq!(psi(&reference, &observed, 0.05, 1.0), Psi { value: 0.0, critical: 0.0 });
        observed[15] = 5;
        let moved = psi(&reference, &observed, 0.05, 1.0);
        assert!(moved.value > moved.critical, "{moved:?}");
    }

    /// How often PSI exceeds its critical value at 5 % when `observed` is drawn from the same `weights`.
    fn size(weights: &[f64], m: u64, n: u64, trials: u32) -> f64 {
        let mut random = Random::new(n + 31 * m);
        let total: f64 = weights.iter().sum();
        let mut draw = |count: u64| {
            let mut counts = [0; COARSE_BINS];
            for _ in 0..count {
                let mut left = random.uniform() * total;
                let bin = weights.iter().position(|w| {
                    left -= w;
                    left < 0.0
                });
                counts[bin.unwrap_or(weights.len() - 1)] += 1;
            }
            counts
        };
        let mut alarms = 0;
        for _ in 0..trials {
            let drawn = psi(&draw(m), &draw(n), 0.05, 1.0);
            alarms += u32::from(drawn.value > drawn.critical);
        }
        f64::from(alarms) / f64::from(trials)
    }

    /// Under no change the test alarms at its nominal 5 % or less: 2,000 trials, bounds four binomial deviations (.0195)
    /// around .042 to .049. At n = 50 smoothing makes it cautious (.014 to .018 over 6,000 trials), never eager.
    #[test]
    fn holds_its_size_on_equal_bins() {
        for n in [50, 100, 500] {
            let rate = size(&[1.0; COARSE_BINS], 2000, n, 2000);
            let least = if n < 100 { 0.004 } else { 0.022 };
            assert!((least..0.069).contains(&rate), "n={n}: {rate}");
        }
    }

    /// Atoms leave few or lopsided bins: then the test may be cautious, never eager.
    #[test]
    fn holds_its_size_on_lopsided_bins() {
        let shapes: [&[f64]; 4] =
            [&[1.0, 1.0], &[30.0, 1.0], &[100.0, 1.0, 1.0], &[60.0, 20.0, 10.0, 5.0, 3.0, 1.0, 1.0]];
        for weights in shapes {
            for n in [50, 300] {
                let rate = size(weights, 2000, n, 2000);
                assert!(rate < 0.069, "{weights:?}, n={n}: {rate}");
            }
        }
    }
}
