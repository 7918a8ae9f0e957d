//! Correlation of neighbouring rows in a window: integers, so that a restart in between changes nothing.

use crate::bytes::Reader;
use crate::counts::present;
use crate::error::KernelError;
use crate::features::Kind;
use crate::{MISSING, SLOTS};

/// In place of a slot: there was no row before.
const NONE: u8 = u8::MAX;

/// Of one feature.
#[derive(Clone)]
pub(crate) struct Neighbours {
    category: bool,
    previous: u8,
    /// Neighbouring rows of which neither value was missing.
    pairs: u64,
    /// Sum of the products of their bins' numbers; of a category, how many were the same.
    products: u64,
}

impl Neighbours {
    pub fn new(kind: Kind) -> Self {
        Self { category: kind != Kind::Number, previous: NONE, pairs: 0, products: 0 }
    }

    #[inline(always)]
    pub fn take(&mut self, slot: u8) {
        let both = u64::from((usize::from(slot) < MISSING) & (usize::from(self.previous) < MISSING));
        let same = u64::from(slot == self.previous);
        let product = if self.category { same } else { u64::from(slot) * u64::from(self.previous) };
        self.pairs += both;
        self.products += both * product;
        self.previous = slot;
    }

    /// A new window: the row before its first is remembered.
    pub fn roll(&mut self) {
        (self.pairs, self.products) = (0, 0);
    }

    /// Correlation by the bins' numbers, which are ranks; of a category, how much more often neighbours are the same than
    /// by chance. 0 where nothing varies. `counts`: of the window.
    pub fn correlation(&self, counts: &[u32; SLOTS]) -> f64 {
        let n = present(counts) as f64;
        if n == 0.0 || self.pairs == 0 {
            return 0.0;
        }
        let mean_product = self.products as f64 / self.pairs as f64;
        let bins = || counts[..MISSING].iter().enumerate().map(|(bin, count)| (bin as f64, f64::from(*count) / n));
        let (by_chance, most) = if self.category {
            (bins().map(|(_, share)| share * share).sum::<f64>(), 1.0)
        } else {
            let mean: f64 = bins().map(|(bin, share)| bin * share).sum();
            (mean * mean, bins().map(|(bin, share)| bin * bin * share).sum())
        };
        let spread: f64 = most - by_chance;
        if spread > 1e-9 { ((mean_product - by_chance) / spread).clamp(-1.0, 1.0) } else { 0.0 }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.previous);
        out.extend(self.pairs.to_le_bytes());
        out.extend(self.products.to_le_bytes());
    }

    pub fn read(&mut self, rows: u64, reader: &mut Reader) -> Result<(), KernelError> {
        self.previous = reader.u8()?;
        self.pairs = reader.u64()?;
        self.products = reader.u64()?;
        let known = self.previous == NONE || usize::from(self.previous) <= MISSING;
        let most = if self.category { 1 } else { 127 * 127 };
        if known && self.pairs <= rows && self.products <= most * self.pairs {
            Ok(())
        } else {
            Err(reader.malformed("its neighbouring rows are impossible"))
        }
    }
}
