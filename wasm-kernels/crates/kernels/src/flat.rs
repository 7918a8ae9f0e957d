//! Reports as lists of numbers, for the surfaces that pass nothing but plain data. `js/face.ts` reads them.

use crate::fleet::FleetReport;
use crate::report::{Report, Verdict};

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
