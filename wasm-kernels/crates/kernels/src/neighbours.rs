//! Correlation of neighbouring rows in a window: integers, so that a restart in between changes nothing.

use crate::bytes::Reader;
use crate::counts::present;
use crate::error::KernelError;
use crate::features::{Feature, Kind};
use crate::{MISSING, SLOTS};

/// In place of a slot: there was no row before.
const NONE: u8 = u8::MAX;

/// Of each feature, side by side so that a row is taken by vector instructions.
#[derive(Clone)]
pub(crate) struct Neighbours {
    category: Vec<bool>,
    previous: Vec<u8>,
    /// Neighbouring rows of which neither value was missing.
    pairs: Vec<u64>,
    /// Sum of the products of their bins' numbers; of a category, how many were the same.
    products: Vec<u64>,
}

impl Neighbours {
    pub fn new(features: &[Feature]) -> Self {
        let d = features.len();
        let category = features.iter().map(|feature| feature.kind != Kind::Number).collect();
        Self { category, previous: vec![NONE; d], pairs: vec![0; d], products: vec![0; d] }
    }

    /// Takes the slots of a row.
    #[inline(always)]
    pub fn take(&mut self, slots: &[u8]) {
        let places = self.pairs.iter_mut().zip(&mut self.products).zip(&self.category);
        for ((&slot, previous), ((pairs, products), &category)) in slots.iter().zip(&mut self.previous).zip(places) {
            // Neither is missing, nor was there no row before: those slots alone have the highest bit.
            let both = u16::from((slot | *previous) >> 7) ^ 1;
            let same = u16::from(slot == *previous);
            let product = if category { same } else { u16::from(slot) * u16::from(*previous) };
            *pairs += u64::from(both);
            *products += u64::from(both.wrapping_neg() & product);
            *previous = slot;
        }
    }

    /// A new window: the row before its first is remembered.
    pub fn roll(&mut self) {
        self.pairs.fill(0);
        self.products.fill(0);
    }

    /// Correlation by the bins' numbers, which are ranks; of a category, how much more often neighbours are the same than
    /// by chance. 0 where nothing varies. `counts`: of feature `f` in the window.
    pub fn correlation(&self, f: usize, counts: &[u32; SLOTS]) -> f64 {
        let n = present(counts) as f64;
        if n == 0.0 || self.pairs[f] == 0 {
            return 0.0;
        }
        let mean_product = self.products[f] as f64 / self.pairs[f] as f64;
        let bins = || counts[..MISSING].iter().enumerate().map(|(bin, count)| (bin as f64, f64::from(*count) / n));
        let (by_chance, most) = if self.category[f] {
            (bins().map(|(_, share)| share * share).sum::<f64>(), 1.0)
        } else {
            let mean: f64 = bins().map(|(bin, share)| bin * share).sum();
            (mean * mean, bins().map(|(bin, share)| bin * bin * share).sum())
        };
        let spread: f64 = most - by_chance;
        if spread > 1e-9 { ((mean_product - by_chance) / spread).clamp(-1.0, 1.0) } else { 0.0 }
    }

    pub fn write(&self, f: usize, out: &mut Vec<u8>) {
        out.push(self.previous[f]);
        out.extend(self.pairs[f].to_le_bytes());
        out.extend(self.products[f].to_le_bytes());
    }

    pub fn read(&mut self, f: usize, rows: u64, reader: &mut Reader) -> Result<(), KernelError> {
        let (previous, pairs, products) = (reader.u8()?, reader.u64()?, reader.u64()?);
        let known = previous == NONE || usize::from(previous) <= MISSING;
        let most = if self.category[f] { 1 } else { 127 * 127 };
        if !known || pairs > rows || products > most * pairs {
            return Err(reader.malformed("its neighbouring rows are impossible"));
        }
        (self.previous[f], self.pairs[f], self.products[f]) = (previous, pairs, products);
        Ok(())
    }
}
