//! Builds a reference from rows that may be too many to hold, in two passes: the first draws a sample, from which bin
//! edges, scales and null moments follow; the second counts every row on them.

use crate::edges::Edges;
use crate::error::{Code, KernelError};
use crate::features::{Feature, Kind, check_features};
use crate::joint::{Joint, Sums};
use crate::joint_draft::{Draft, draft};
use crate::lag::{decorrelation_lag, run_of};
use crate::reference::Columns;
use crate::reservoir::Reservoir;
use crate::search::Search;
use crate::{Reference, SLOTS};

/// Above so many features the joint part is left out unless it is asked for.
pub const JOINT_FEATURES: usize = 256;

/// Two passes over the rows of a reference. Bounded memory: a sample of some 16 MB, whatever comes.
pub struct Builder {
    features: Vec<Feature>,
    seed: u32,
    joint: bool,
    reservoir: Reservoir,
    /// Of all bits of the first pass, in order.
    fingerprint: u64,
    second: Option<Box<Second>>,
}

/// What the second pass gathers.
struct Second {
    edges: Vec<Edges>,
    searches: Vec<Search>,
    counts: Vec<[u32; SLOTS]>,
    draft: Option<Draft>,
    sums: Sums,
    rows: u64,
    fingerprint: u64,
    /// Rows of which the slots are kept, to find the lag; by row.
    run: std::ops::Range<u64>,
    slots: Vec<u8>,
}

impl Builder {
    /// Errors: [`Code::BadFeatures`]. `joint`: whether all features can be tested at once.
    pub fn new(features: Vec<Feature>, seed: u32, joint: bool) -> Result<Self, KernelError> {
        check_features(&features, Code::BadFeatures)?;
        let reservoir = Reservoir::new(features.len(), seed);
        Ok(Self { features, seed, joint, reservoir, fingerprint: 0, second: None })
    }

    /// First pass, rows in batches of any size: row-major, NaN = missing.
    /// Errors: [`Code::BadShape`]; [`Code::PassesDiffer`] once the second has begun.
    pub fn sample(&mut self, rows: &[f32]) -> Result<(), KernelError> {
        let count = self.whole_rows(rows)?;
        if self.second.is_some() {
            return Err(KernelError::new(Code::PassesDiffer, "the first pass is over once rows are counted"));
        }
        if self.reservoir.seen() + count > u64::from(u32::MAX) {
            return Err(KernelError::new(Code::BadShape, "a reference counts at most 4294967295 rows"));
        }
        self.fingerprint = fingerprint(self.fingerprint, rows);
        self.reservoir.add(rows);
        Ok(())
    }

    /// Second pass, over the same rows in the same order. Errors: [`Code::BadShape`], [`Code::PassesDiffer`].
    pub fn count(&mut self, rows: &[f32]) -> Result<(), KernelError> {
        let count = self.whole_rows(rows)?;
        let seen = self.reservoir.seen();
        let second = self.second();
        if second.rows + count > seen {
            return Err(KernelError::new(Code::PassesDiffer, "the second pass over the rows sees more than the first"));
        }
        second.take(rows);
        Ok(())
    }

    /// The reference. Errors: [`Code::PassesDiffer`].
    pub fn finish(mut self) -> Result<Reference, KernelError> {
        self.second();
        let Self { features, reservoir, fingerprint, second, .. } = self;
        let Some(second) = second.filter(|second| second.rows == reservoir.seen() && second.fingerprint == fingerprint)
        else {
            return Err(KernelError::new(
                Code::PassesDiffer,
                "the second pass over the rows saw others than the first",
            ));
        };
        let d = features.len();
        let lag_of = |f: usize| {
            let run: Vec<u8> = second.slots.iter().skip(f).step_by(d).copied().collect();
            decorrelation_lag(features[f].kind, &run)
        };
        let lags = (0..d).map(lag_of).collect();
        let taken = (second.rows - second.sums.skipped) as u32;
        let joint = second.draft.filter(|_| taken > 0).map(|draft| {
            let Draft { seed, sigma, scalings, traces, projection } = draft;
            Joint { seed, sigma, scalings, taken, sums: second.sums.totals(), traces, projection }
        });
        let (edges, counts) = (second.edges, second.counts);
        Ok(Reference::assemble(Columns { features, rows: second.rows as u32, lags, edges, counts, joint }))
    }

    fn whole_rows(&self, rows: &[f32]) -> Result<u64, KernelError> {
        let d = self.features.len();
        if !rows.len().is_multiple_of(d) {
            let message = format!("{} values are not whole rows of {d} features", rows.len());
            return Err(KernelError::new(Code::BadShape, message));
        }
        Ok((rows.len() / d) as u64)
    }

    fn second(&mut self) -> &mut Second {
        let Self { features, seed, joint, reservoir, .. } = self;
        self.second.get_or_insert_with(|| {
            let d = features.len();
            let edges: Vec<Edges> = (0..d).map(|f| edges(features[f].kind, reservoir.sample(), f, d)).collect();
            let searches: Vec<Search> = edges.iter().map(Search::new).collect();
            let draft = joint.then(|| draft(features, &searches, reservoir.sample(), *seed)).flatten();
            Box::new(Second {
                edges,
                searches,
                counts: vec![[0; SLOTS]; d],
                draft,
                sums: Sums::default(),
                rows: 0,
                fingerprint: 0,
                run: run_of(reservoir.seen(), d),
                slots: Vec::new(),
            })
        })
    }
}

impl Second {
    fn take(&mut self, rows: &[f32]) {
        let d = self.counts.len();
        let (mut slots, mut terms) = (vec![0; d], Vec::with_capacity(d));
        self.fingerprint = fingerprint(self.fingerprint, rows);
        for row in rows.chunks_exact(d) {
            for (f, x) in row.iter().enumerate() {
                let slot = self.searches[f].slot(*x);
                self.counts[f][slot] += 1;
                slots[f] = slot as u8;
            }
            if let Some(draft) = &self.draft {
                if draft.projection.terms(row, &slots, &mut terms) {
                    self.sums.add(&draft.projection, &terms);
                } else {
                    self.sums.skip();
                }
            }
            if self.run.contains(&self.rows) {
                self.slots.extend(&slots);
            }
            self.rows += 1;
        }
    }
}

fn edges(kind: Kind, sample: &[f32], feature: usize, d: usize) -> Edges {
    if let Kind::Category { known } = kind {
        return Kind::code_edges(known);
    }
    // Adding 0 turns −0 into 0, which the total order below would tell apart.
    let column = sample.iter().skip(feature).step_by(d);
    let mut sorted: Vec<f32> = column.filter(|x| !x.is_nan()).map(|x| x + 0.0).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    Edges::equal_mass(&sorted)
}

/// Guards against a second pass over other rows, by accident: a polynomial of their bits.
fn fingerprint(so_far: u64, rows: &[f32]) -> u64 {
    let next = |sum: u64, x: &f32| (sum ^ u64::from(x.to_bits())).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
    rows.iter().fold(so_far, next)
}

#[cfg(test)]
#[path = "builder_test.rs"]
mod tests;
