//! What the counts say about each feature.

use crate::counts::{coarse, present};
use crate::ks::{bracket, ks_p_value};
use crate::psi::psi;
use crate::{MISSING, Reference, SLOTS};

/// Below this many values, observed or in the reference, the verdict is [`Verdict::Insufficient`].
pub const MIN_VALUES: u64 = 50;

/// What one feature does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Too few values to act on.
    Insufficient,
    /// No more difference than chance would give.
    None,
    /// PSI and Kolmogorov–Smirnov agree that the distribution moved.
    Drift,
}

/// One feature, compared with the reference. All numbers are finite, except `psi_critical` when there are no values.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureReport {
    /// Values observed, without the missing.
    pub n: u64,
    /// Values missing.
    pub missing: u64,
    /// Population stability index on the coarse bins, in nats.
    pub psi: f64,
    /// What PSI exceeds with probability alpha when nothing changed.
    pub psi_critical: f64,
    /// Kolmogorov–Smirnov statistic: the truth lies in \[ks_low, ks_high\].
    pub ks_low: f64,
    pub ks_high: f64,
    /// P-value of ks_low: conservative, and not yet corrected for the number of features.
    pub p_value: f64,
    pub verdict: Verdict,
}

/// Drift needs both: PSI above its critical value, and a KS p-value below alpha after Bonferroni's correction over all
/// features. PSI sees any change of shape but no order; KS sees order but little of the tails.
pub(crate) fn compare(reference: &Reference, counts: &[[u32; SLOTS]], alpha: f64) -> Vec<FeatureReport> {
    let features = counts.len() as f64;
    let columns = reference.edges().iter().zip(reference.counts()).zip(counts);
    let report = |((edges, expected), observed)| {
        let (m, n) = (present(expected), present(observed));
        let psi = psi(&coarse(expected), &coarse(observed), alpha);
        let (ks_low, ks_high) = bracket(edges, expected, observed);
        let p_value = ks_p_value(ks_low, n, m);
        let verdict = if n < MIN_VALUES || m < MIN_VALUES {
            Verdict::Insufficient
        } else if psi.value > psi.critical && p_value * features < alpha {
            Verdict::Drift
        } else {
            Verdict::None
        };
        let missing = u64::from(observed[MISSING]);
        FeatureReport { n, missing, psi: psi.value, psi_critical: psi.critical, ks_low, ks_high, p_value, verdict }
    };
    columns.map(report).collect()
}

#[cfg(test)]
#[path = "report_test.rs"]
mod tests;
