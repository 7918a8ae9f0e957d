//! What the counts of a window say, feature by feature and together.

use crate::chi2::{chi2_sf, chi2_test};
use crate::counts::present;
use crate::divergence::{jensen_shannon, largest_difference, wasserstein};
use crate::features::{Kind, cell_counts};
use crate::joint::JointReport;
use crate::ks::{bracket, ks_p_value};
use crate::psi::psi;
use crate::window::Window;
use crate::{COARSE_BINS, MISSING, Reference, SLOTS};

/// Below this many values, observed or in the reference, the verdict is [`Verdict::Insufficient`].
pub const MIN_VALUES: u64 = 50;

/// What the window's tests say of one feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Too few values to act on.
    Insufficient,
    /// No more difference than chance would give.
    None,
    /// The distribution moved, or the rate of missing values did.
    Drift,
}

/// One feature, compared with the reference. All numbers are finite, except `psi_critical` when there are no values.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureReport {
    /// Values observed, without the missing.
    pub n: u64,
    /// Values missing.
    pub missing: u64,
    /// P-value of the rate of missing values.
    pub p_missing: f64,
    /// Population stability index on the coarse cells, in nats.
    pub psi: f64,
    /// What PSI exceeds with probability alpha when nothing changed.
    pub psi_critical: f64,
    /// Kolmogorov–Smirnov statistic: the truth lies in \[ks_low, ks_high\].
    pub ks_low: f64,
    pub ks_high: f64,
    /// Of ks_low, or of χ² for a category; not yet corrected for the number of tests.
    pub p_value: f64,
    /// Jensen–Shannon distance on the coarse cells, base 2.
    pub js: f64,
    /// Wasserstein-1 distance between the outermost edges, in the feature's unit; 0 for a category.
    pub w1: f64,
    /// Greatest difference of the shares of a coarse cell, of a code for a category.
    pub linf: f64,
    /// Evidence of the feature's bets: ln of the mean of its detectors.
    pub log_e: f64,
    /// Correlation of neighbouring rows.
    pub lag1: f64,
    pub verdict: Verdict,
}

/// A window and the bank behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub rows: u64,
    pub rows_missing: u64,
    pub features: Vec<FeatureReport>,
    /// None without a joint part, or where no row could be taken.
    pub joint: Option<JointReport>,
    /// ln of the mean of all detectors, now.
    pub log_e: f64,
    /// That mean stood at the threshold or above at some row of the window.
    pub alarm: bool,
}

impl Report {
    /// The place of the feature with most evidence: of the bank, or where that is equal, the least p-value.
    pub fn top(&self) -> usize {
        let p = |f: &FeatureReport| f.p_value.min(f.p_missing);
        let better = |a: &FeatureReport, b: &FeatureReport| (a.log_e, p(b)) > (b.log_e, p(a));
        (1..self.features.len()).fold(0, |top, f| if better(&self.features[f], &self.features[top]) { f } else { top })
    }
}

/// Drift needs both: PSI above its critical value, and the feature's own p-value below alpha after Bonferroni's
/// correction over all tests. PSI sees any change of shape but no order; KS sees order but little of the tails. A changed
/// rate of missing values needs its own p-value only.
///
/// Every test takes one row in `lags[f]` for independent. Evidence and correlation are for the caller to fill in.
pub(crate) fn compare(reference: &Reference, window: &Window, lags: &[u32], alpha: f64) -> Report {
    let with_missing = |f: usize| reference.counts()[f][MISSING] > 0 || window.counts[f][MISSING] > 0;
    let d = lags.len();
    let tests = d + (0..d).filter(|f| with_missing(*f)).count();
    let level = alpha / tests as f64;
    let features = (0..d).map(|f| compare_feature(reference, window, f, lags[f], alpha, level)).collect();
    let lag = lags.iter().copied().max().unwrap_or(1);
    let joint = reference.joint().and_then(|joint| joint.test(&window.joint, window.rows, lag));
    Report { rows: window.rows, rows_missing: window.rows_missing, features, joint, log_e: 0.0, alarm: false }
}

fn compare_feature(
    reference: &Reference,
    window: &Window,
    f: usize,
    lag: u32,
    alpha: f64,
    level: f64,
) -> FeatureReport {
    let (edges, expected, observed) = (&reference.edges()[f], &reference.counts()[f], &window.counts[f]);
    let kind = reference.features()[f].kind;
    let lag = f64::from(lag);
    let (m, n) = (present(expected), present(observed));
    let [expected_cells, observed_cells] =
        [expected, observed].map(|counts| cell_counts(&reference.cells()[f], counts));
    let ([coarse_expected @ .., _], [coarse_observed @ .., _]) = (&expected_cells, &observed_cells);
    let psi = psi(coarse_expected, coarse_observed, alpha, lag);
    let (ks_low, ks_high) = bracket(edges, expected, observed);
    let p_missing = p_missing(expected, observed, lag);
    let (ks_high, p_value, w1, linf) = match kind {
        Kind::Number => {
            let p_value = ks_p_value(ks_low, n as f64 / lag, m as f64 / lag);
            let linf = largest_difference(coarse_expected, coarse_observed);
            (ks_high, p_value, wasserstein(edges, expected, observed), linf)
        }
        Kind::Category { .. } => {
            let [codes, seen] = [expected, observed].map(|counts| counts[..MISSING].iter().map(|c| u64::from(*c)));
            let linf = largest_difference(&codes.collect::<Vec<_>>(), &seen.collect::<Vec<_>>());
            (ks_low, p_category(coarse_expected, coarse_observed, lag), 0.0, linf)
        }
    };
    let missing_moved = p_missing < level && n + u64::from(observed[MISSING]) >= MIN_VALUES;
    let verdict = if missing_moved {
        Verdict::Drift
    } else if n < MIN_VALUES || m < MIN_VALUES {
        Verdict::Insufficient
    } else if psi.value > psi.critical && p_value < level {
        Verdict::Drift
    } else {
        Verdict::None
    };
    FeatureReport {
        n,
        missing: u64::from(observed[MISSING]),
        p_missing,
        psi: psi.value,
        psi_critical: psi.critical,
        ks_low,
        ks_high,
        p_value,
        js: jensen_shannon(coarse_expected, coarse_observed),
        w1,
        linf,
        log_e: 0.0,
        lag1: 0.0,
        verdict,
    }
}

/// χ² of present and missing against window and reference, one row in `lag` being independent. Yates' correction keeps
/// it cautious where few are missing.
fn p_missing(expected: &[u32; SLOTS], observed: &[u32; SLOTS], lag: f64) -> f64 {
    let [a, c] = [expected, observed].map(|counts| f64::from(counts[MISSING]) / lag);
    let [b, d] = [expected, observed].map(|counts| present(counts) as f64 / lag);
    let margins = (a + b) * (c + d) * (a + c) * (b + d);
    if margins == 0.0 {
        return 1.0;
    }
    let total = a + b + c + d;
    let off = ((a * d - b * c).abs() - total / 2.0).max(0.0);
    chi2_sf(1.0, total * off * off / margins)
}

/// χ² of a category's cells. Cells too rare for the χ² distribution, with less than one value expected in the window,
/// are taken together.
fn p_category(expected: &[u64; COARSE_BINS], observed: &[u64; COARSE_BINS], lag: f64) -> f64 {
    let [m, n] = [expected, observed].map(|counts| counts.iter().sum::<u64>() as f64 / lag);
    if m == 0.0 || n == 0.0 {
        return 1.0;
    }
    let mut table = [0.0; 2 * (COARSE_BINS + 1)];
    let (above, below) = table.split_at_mut(COARSE_BINS + 1);
    for (cell, (e, o)) in expected.iter().zip(observed).enumerate() {
        let [e, o] = [e, o].map(|count| *count as f64 / lag);
        let place = if (e + o) * m.min(n) / (m + n) < 1.0 { COARSE_BINS } else { cell };
        above[place] += e;
        below[place] += o;
    }
    chi2_test(&table, COARSE_BINS + 1).p
}

#[cfg(test)]
#[path = "report_test.rs"]
mod tests;
