//! How a stream is judged.

use crate::error::{Code, KernelError};

/// Of a [`crate::State`], kept with what it saves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Level of the window's tests.
    pub alpha: f64,
    /// Average number of steps of the bank to a false alarm.
    pub threshold: f64,
    /// Drift not worth a word, in standard deviations of a contrast.
    pub dead_zone: f64,
    /// Rows apart that are as good as independent, instead of what the reference says of each feature.
    pub lag: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { alpha: 0.01, threshold: 1e6, dead_zone: 0.05, lag: None }
    }
}

/// The longest lag.
pub const MAX_LAG: u32 = 65_535;

impl Options {
    /// Errors: [`Code::BadOption`], naming the option.
    pub fn check(&self) -> Result<(), KernelError> {
        let refuse = |message: &str| Err(KernelError::new(Code::BadOption, message));
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return refuse("alpha lies between 0 and 1, both excluded");
        }
        if !(2.0..=1e9).contains(&self.threshold) {
            return refuse("a threshold lies between 2 and 1e9");
        }
        if !(0.0..=1.0).contains(&self.dead_zone) {
            return refuse("a dead zone lies between 0 and 1");
        }
        if self.lag.is_some_and(|lag| !(1..=MAX_LAG).contains(&lag)) {
            return refuse("a lag lies between 1 and 65535 rows");
        }
        Ok(())
    }
}
