//! The Kolmogorov–Smirnov statistic as far as a histogram knows it.

use crate::counts::present;
use crate::edges::Edges;
use crate::math::exp;
use crate::{BINS, SLOTS};

/// Bounds on the two-sample statistic D of the values behind two histograms on the same edges. Without values on either
/// side nothing is known: (0, 1).
///
/// Both distribution functions are known at every edge, which gives the lower bound. Within a bin each may rise from its
/// value at the left edge to that at the right at any point, which gives the upper. A bin of a single number has no
/// inside: its right edge says all.
pub(crate) fn bracket(edges: &Edges, reference: &[u32; SLOTS], observed: &[u32; SLOTS]) -> (f64, f64) {
    let [m, n] = [reference, observed].map(|counts| present(counts) as f64);
    if m == 0.0 || n == 0.0 {
        return (0.0, 1.0);
    }
    let (mut low, mut high) = (0.0f64, 0.0f64);
    let (mut reference_sum, mut observed_sum) = (0u64, 0u64);
    for j in 0..BINS {
        let [f0, g0] = [reference_sum as f64 / m, observed_sum as f64 / n];
        reference_sum += u64::from(reference[j]);
        observed_sum += u64::from(observed[j]);
        let [f1, g1] = [reference_sum as f64 / m, observed_sum as f64 / n];
        low = low.max((f1 - g1).abs());
        if !edges.holds_one_value(j) {
            high = high.max(g1 - f0).max(f1 - g0);
        }
    }
    (low, high.max(low))
}

/// P(D ≥ d) for samples of n and m values of one continuous distribution, by Kolmogorov's limit with Stephens' correction
/// λ = (√N + .12 + .11/√N)·d, N = nm/(n+m) (Stephens 1970). Ties make it conservative. No values: 1.
pub fn ks_p_value(d: f64, n: f64, m: f64) -> f64 {
    if n == 0.0 || m == 0.0 {
        return 1.0;
    }
    let root = (n * m / (n + m)).sqrt();
    kolmogorov_sf((root + 0.12 + 0.11 / root) * d)
}

/// The tail of Kolmogorov's distribution: 2 Σ (−1)^{k−1} e^{−2k²λ²}, and for small λ, where that converges slowly, its
/// theta-function twin 1 − √(2π)/λ Σ e^{−(2k−1)²π²/8λ²}.
pub fn kolmogorov_sf(lambda: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    if lambda < 0.05 {
        return 1.0; // to the last bit
    }
    if lambda < 1.0 {
        let power = -PI * PI / (8.0 * lambda * lambda);
        return 1.0 - TAU.sqrt() / lambda * (exp(power) + exp(9.0 * power) + exp(25.0 * power));
    }
    let power = -2.0 * lambda * lambda;
    2.0 * (exp(power) - exp(4.0 * power) + exp(9.0 * power) - exp(16.0 * power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Random, state};

    fn bracket_of(reference: &[f32], observed: &[f32]) -> (f64, f64) {
        let report = &state(&crate::testing::reference(&["x"], reference), observed).report().features[0];
        (report.ks_low, report.ks_high)
    }

    /// sup |F − G| over every value, straight from the definition.
    fn exact(a: &[f32], b: &[f32]) -> f64 {
        let share = |values: &[f32], x: f32| values.iter().filter(|v| **v <= x).count() as f64 / values.len() as f64;
        a.iter().chain(b).map(|&x| (share(a, x) - share(b, x)).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn tail_matches_its_oracles() {
        assert!((kolmogorov_sf(1.0) - 0.269_999_671_677_354_56).abs() < 1e-15);
        assert!((kolmogorov_sf(1.0 - 1e-12) - kolmogorov_sf(1.0)).abs() < 1e-11);
        assert!((kolmogorov_sf(1.358_098_7) - 0.05).abs() < 1e-6);
        assert_eq!([kolmogorov_sf(0.0), kolmogorov_sf(1e-300), kolmogorov_sf(40.0)], [1.0, 1.0, 0.0]);
        assert_eq!(ks_p_value(0.3, 0.0, 9.0), 1.0);
    }

    #[test]
    fn small_samples_are_known_exactly() {
        let close = |(low, high): (f64, f64), want: f64| (low - want).abs() < 1e-12 && (high - want).abs() < 1e-12;
        assert!(close(bracket_of(&[1., 2., 3., 4., 5.], &[3., 4., 5., 6., 7.]), 0.4));
        assert!(close(bracket_of(&[0., 0., 1., 1.], &[0., 1., 1., 1.]), 0.25));
        assert!(close(bracket_of(&[1.; 5], &[2.; 9]), 1.0));
        assert!(close(bracket_of(&[5.; 200], &[5.; 70]), 0.0));
        let first: Vec<f32> = (0..10).map(|i| i as f32).collect();
        let second: Vec<f32> = (0..20).map(|i| i as f32 + 0.5).collect();
        let (low, high) = bracket_of(&first, &second);
        assert!(low <= 0.55 && 0.55 <= high && exact(&first, &second) == 0.55);
    }

    #[test]
    fn brackets_the_exact_statistic_narrowly() {
        let mut random = Random::new(11);
        for round in 0..200 {
            let scale = 0.5 + random.uniform() as f32;
            let step = if round % 3 == 0 { 0.25 } else { 0.0 };
            let mut draw = |count: usize, scale: f32| -> Vec<f32> {
                let values = (0..count).map(|_| random.normal() * scale);
                values.map(|x| if step > 0.0 { (x / step).round() * step } else { x }).collect()
            };
            let (reference, observed) = (draw(1000, 1.0), draw(300, scale));
            let (low, high) = bracket_of(&reference, &observed);
            let d = exact(&reference, &observed);
            assert!(low <= d + 1e-12 && d <= high + 1e-12, "{low} {d} {high}");
            // As wide as the fullest bin: 1/128 of the reference and one row, or with ties what is too little for an atom.
            let fullest = if step > 0.0 { 3.0 / 128.0 } else { 1.0 / 128.0 + 1e-3 };
            assert!(high - low <= fullest, "{low} {high}");
        }
    }

    #[test]
    fn nothing_observed_is_nothing_known() {
        assert_eq!(bracket_of(&[1., 2., 3.], &[]), (0.0, 1.0));
        assert_eq!(bracket_of(&[f32::NAN; 3], &[1.0]), (0.0, 1.0));
    }
}
