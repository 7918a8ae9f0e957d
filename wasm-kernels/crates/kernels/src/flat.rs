//! Everything as plain data: what the surfaces `crates/wasm` and `crates/node` have in common, as `js/face.ts` reads it.

use crate::chi2::Chi2;
use crate::divergence::Divergences;
use crate::features::{Feature, Kind};
use crate::fleet::FleetReport;
use crate::ks_two_sample::KsTest;
use crate::reference::Reference;
use crate::report::{Report, Verdict};

impl Feature {
    /// Columns of these names; `kinds` has −1 for a number, or how many categories are known.
    pub fn from_numbers(names: Vec<String>, kinds: &[i32]) -> Vec<Self> {
        let feature = |(name, kind): (String, &i32)| {
            let kind = if *kind < 0 { Kind::Number } else { Kind::Category { known: (*kind).min(255) as u8 } };
            Self { name, kind }
        };
        names.into_iter().zip(kinds).map(feature).collect()
    }

    /// −1 for a number, or how many categories are known.
    pub fn kind_number(&self) -> i32 {
        match self.kind {
            Kind::Number => -1,
            Kind::Category { known } => i32::from(known),
        }
    }
}

impl Reference {
    /// Its hash as 16 hexadecimal digits.
    pub fn hash_digits(&self) -> String {
        format!("{:016x}", self.hash())
    }
}

/// Parts that lie one after the other in `bytes`, of these lengths; short where the bytes end.
pub fn cut<'a>(bytes: &'a [u8], lengths: &[u32]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let next = |length: &u32| rest.split_off(..(*length as usize).min(rest.len())).unwrap_or_default();
    lengths.iter().map(next).collect()
}

impl KsTest {
    /// D and p.
    pub fn to_numbers(self) -> Vec<f64> {
        vec![self.d, self.p]
    }
}

impl Divergences {
    /// PSI, JS, TV, L∞ and Hellinger.
    pub fn to_numbers(self) -> Vec<f64> {
        vec![self.psi, self.js, self.tv, self.linf, self.hellinger]
    }
}

impl Chi2 {
    /// Statistic, p and degrees of freedom.
    pub fn to_numbers(self) -> Vec<f64> {
        vec![self.statistic, self.p, f64::from(self.df)]
    }
}

impl Report {
    /// Ten numbers of the whole: rows, rows missing, log evidence, alarm, the top feature's place, whether there is a joint
    /// test, its statistic, p-value and skipped rows, features; then fourteen of each feature, the verdict last: 0
    /// (insufficient), 1 (none) or 2 (drift).
    pub fn to_numbers(&self) -> Vec<f64> {
        let truth = |x: bool| f64::from(u8::from(x));
        let (statistic, p, skipped) =
            self.joint.map_or((0.0, 1.0, 0), |joint| (joint.statistic, joint.p, joint.skipped));
        let mut out = vec![
            self.rows as f64,
            self.rows_missing as f64,
            self.log_e,
            truth(self.alarm),
            self.top() as f64,
            truth(self.joint.is_some()),
            statistic,
            p,
            skipped as f64,
            self.features.len() as f64,
        ];
        for f in &self.features {
            let verdict = match f.verdict {
                Verdict::Insufficient => 0.0,
                Verdict::None => 1.0,
                Verdict::Drift => 2.0,
            };
            out.extend([f.n as f64, f.missing as f64, f.p_missing, f.psi, f.psi_critical, f.ks_low, f.ks_high]);
            out.extend([f.p_value, f.js, f.w1, f.linf, f.log_e, f.lag1, verdict]);
        }
        out
    }
}

impl FleetReport {
    /// Log evidence, alarm, then the log evidence of each feature.
    pub fn to_numbers(&self) -> Vec<f64> {
        let mut out = vec![self.log_e, f64::from(u8::from(self.alarm))];
        out.extend(&self.features);
        out
    }
}
