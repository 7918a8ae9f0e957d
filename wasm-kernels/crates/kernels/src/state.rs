//! One stream on one device: the window that is open, and the bank that goes on from window to window.

use crate::bank::{Bank, BankFactors};
use crate::bets::BETS;
use crate::bytes::Reader;
use crate::error::{Code, KernelError};
use crate::neighbours::Neighbours;
use crate::options::Options;
use crate::report::{Report, compare};
use crate::rff::Term;
use crate::window::Window;
use crate::{KERNEL_ABI, Reference};
use std::sync::Arc;

const MAGIC: &[u8; 4] = b"VDSV";

/// Live rows, seen on the bins of a [`Reference`]. Nothing is allocated while it observes.
///
/// A snapshot holds the window (see `window.rs`); what [`State::save`] writes holds everything. Bytes, little-endian:
/// `VDSV`, abi u32, hash of the reference u64, alpha, threshold and dead zone f64, lag u32 (0: the reference's own),
/// whether it alarmed u8, the window, the detectors f32, then for each feature the rows to the next step u16, the slot of
/// the last row u8, pairs u64 and products u64 of neighbouring rows.
pub struct State {
    reference: Arc<Reference>,
    options: Options,
    factors: BankFactors,
    lags: Vec<u32>,
    window: Window,
    bank: Bank,
    /// Rows that each feature's detectors still pass over.
    waits: Vec<u32>,
    neighbours: Neighbours,
    alarmed: bool,
    /// Scratch: of the row at hand.
    slots: Vec<u8>,
    terms: Vec<Term>,
}

impl State {
    /// A state that has seen nothing. Errors: [`Code::BadOption`].
    pub fn new(reference: Arc<Reference>, options: Options) -> Result<Self, KernelError> {
        options.check()?;
        let features = reference.features();
        let d = features.len();
        let lags = reference.lags().iter().map(|own| options.lag.unwrap_or(*own)).collect();
        Ok(Self {
            options,
            factors: BankFactors::new(reference.factors(options.dead_zone, options.lag)),
            lags,
            window: Window::new(d),
            bank: Bank::new(d),
            waits: vec![0; d],
            neighbours: Neighbours::new(features),
            alarmed: false,
            slots: vec![0; d],
            terms: Vec::with_capacity(d),
            reference,
        })
    }

    /// Takes `rows` in the order of their coming: row-major \[n\]\[d\], NaN = missing. Errors: [`Code::BadShape`], and
    /// then none was taken.
    pub fn observe(&mut self, rows: &[f32]) -> Result<(), KernelError> {
        let d = self.slots.len();
        if !rows.len().is_multiple_of(d) {
            let message = format!("{} values are not whole rows of {d} features", rows.len());
            return Err(KernelError::new(Code::BadShape, message));
        }
        let limit = self.limit();
        let mut rows_missing = 0;
        for row in rows.chunks_exact(d) {
            rows_missing += u64::from(self.count(row));
            let greatest = self.step_bank();
            if greatest > 0.0 && self.bank.reaches(limit, greatest) {
                self.alarmed = true;
            }
            if let Some(joint) = self.reference.joint() {
                if joint.projection.terms(row, &self.slots, &mut self.terms) {
                    self.window.joint.add(&joint.projection, &self.terms);
                } else {
                    self.window.joint.skip();
                }
            }
        }
        self.window.add_rows((rows.len() / d) as u64, rows_missing);
        Ok(())
    }

    /// Fills `slots` and counts them; whether a value was missing.
    #[inline(always)]
    fn count(&mut self, row: &[f32]) -> bool {
        let mut missing = false;
        let searches = self.reference.searches().iter();
        let places = self.slots.iter_mut().zip(&mut self.window.counts);
        for ((&x, search), (place, counts)) in row.iter().zip(searches).zip(places) {
            let slot = search.slot(x);
            counts[slot] = counts[slot].saturating_add(1);
            missing |= x.is_nan();
            *place = slot as u8;
        }
        self.neighbours.take(&self.slots);
        missing
    }

    /// Steps the detectors of each feature whose turn it is; the greatest factor of all, 0 where there was none.
    #[inline(always)]
    fn step_bank(&mut self) -> f32 {
        let mut greatest = 0.0f32;
        for (f, cells) in self.reference.cells().iter().enumerate() {
            if self.waits[f] > 0 {
                self.waits[f] -= 1;
                continue;
            }
            self.waits[f] = self.lags[f] - 1;
            greatest = greatest.max(self.bank.step(&self.factors, f, cells[usize::from(self.slots[f])]));
        }
        greatest
    }

    /// The sum of all detectors at which their mean is at the threshold.
    fn limit(&self) -> f32 {
        (self.options.threshold * (self.slots.len() * BETS) as f64) as f32
    }

    /// Rows of the window, at most [`crate::MAX_ROWS`].
    pub fn rows(&self) -> u64 {
        self.window.rows
    }

    /// Adds the window of another state of the same reference: the same as having seen its rows here, in any order. The
    /// bank does not see them. Errors: [`Code::SnapshotMalformed`], [`Code::AbiMismatch`], [`Code::ReferenceMismatch`];
    /// then nothing was added.
    pub fn merge(&mut self, snapshot: &[u8]) -> Result<(), KernelError> {
        let other = Window::from_bytes(&self.reference, snapshot)?;
        self.window.merge(&other);
        Ok(())
    }

    /// The one spelling of this window in bytes: a thousand rows of 16 features fit in 2 KB.
    pub fn snapshot(&self) -> Vec<u8> {
        self.window.to_bytes(&self.reference)
    }

    /// What the window and the bank say.
    pub fn report(&self) -> Report {
        let mut report = compare(&self.reference, &self.window, &self.lags, self.options.alpha);
        for (f, (feature, counts)) in report.features.iter_mut().zip(&self.window.counts).enumerate() {
            feature.lag1 = self.neighbours.correlation(f, counts);
        }
        let (by_feature, log_e) = self.bank.log_evidence();
        for (feature, own) in report.features.iter_mut().zip(by_feature) {
            feature.log_e = own;
        }
        report.log_e = log_e;
        report.alarm = self.alarmed;
        report
    }

    /// Begins a new window. The bank, its thinning and the last row go on.
    pub fn roll(&mut self) {
        self.window.clear();
        self.neighbours.roll();
        self.alarmed = false;
    }

    /// Everything, to go on after a restart.
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(KERNEL_ABI.to_le_bytes());
        out.extend(self.reference.hash().to_le_bytes());
        let Options { alpha, threshold, dead_zone, lag } = self.options;
        [alpha, threshold, dead_zone].iter().for_each(|option| out.extend(option.to_le_bytes()));
        out.extend(lag.unwrap_or(0).to_le_bytes());
        out.push(u8::from(self.alarmed));
        self.window.write(&self.reference, &mut out);
        self.bank.write(&mut out);
        for (f, wait) in self.waits.iter().enumerate() {
            out.extend((*wait as u16).to_le_bytes());
            self.neighbours.write(f, &mut out);
        }
        out
    }

    /// Reads what [`State::save`] wrote. Errors: as [`State::merge`].
    pub fn restore(reference: Arc<Reference>, saved: &[u8]) -> Result<Self, KernelError> {
        let mut reader = Reader::open(saved, MAGIC, Code::SnapshotMalformed)?;
        reader.reference(reference.hash())?;
        let (alpha, threshold, dead_zone) = (reader.f64()?, reader.f64()?, reader.f64()?);
        let lag = Some(reader.u32()?).filter(|lag| *lag > 0);
        let options = Options { alpha, threshold, dead_zone, lag };
        let impossible = |_| reader.malformed("its options are impossible");
        let mut state = Self::new(Arc::clone(&reference), options).map_err(impossible)?;
        state.alarmed = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(reader.malformed("it neither alarmed nor did not")),
        };
        state.window = Window::read(&reference, &mut reader)?;
        state.bank = Bank::read(&mut reader, state.slots.len())?;
        for f in 0..state.slots.len() {
            state.waits[f] = u32::from(reader.u16()?);
            if state.waits[f] >= state.lags[f] {
                return Err(reader.malformed("its bank waits longer than its lag"));
            }
            state.neighbours.read(f, state.window.rows, &mut reader)?;
        }
        reader.end()?;
        Ok(state)
    }
}

#[cfg(test)]
#[path = "state_test.rs"]
mod tests;
