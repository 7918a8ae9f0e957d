//! The frozen training distribution: what live data is compared with.

use crate::bets::{Factors, Knowledge, factors};
use crate::bytes::{Reader, fnv1a, write_counts};
use crate::counts::total;
use crate::edges::Edges;
use crate::error::{Code, KernelError};
use crate::features::{Feature, Kind, MAX_FEATURES, cell_counts, check_features, read_feature, write_feature};
use crate::joint::Joint;
use crate::search::Search;
use crate::{BINS, KERNEL_ABI, SLOTS};

const MAGIC: &[u8; 4] = b"VDRF";

/// Features, bin edges and counts of the reference rows. Immutable; two references are the same when their hashes are.
/// [`crate::Builder`] makes them.
///
/// Bytes, little-endian: `VDRF`, abi u32, d u32, rows u32, then d times: name length u8, name, kind (see `features.rs`),
/// lag u16, for a number 127 edges f32, counts (see `bytes.rs`); last 0, or 1 and the joint part (see `joint.rs`), u8.
pub struct Reference {
    columns: Columns,
    hash: u64,
    searches: Vec<Search>,
    cells: Vec<[u8; SLOTS]>,
}

/// What a reference is made of.
pub(crate) struct Columns {
    pub features: Vec<Feature>,
    pub rows: u32,
    pub lags: Vec<u32>,
    pub edges: Vec<Edges>,
    pub counts: Vec<[u32; SLOTS]>,
    pub joint: Option<Joint>,
}

impl Reference {
    pub(crate) fn assemble(columns: Columns) -> Self {
        let searches = columns.edges.iter().map(Search::new).collect();
        let cells = columns.features.iter().map(|feature| feature.kind.cells()).collect();
        let mut reference = Self { columns, hash: 0, searches, cells };
        reference.hash = fnv1a(&reference.to_bytes());
        reference
    }

    /// Reads what [`Reference::to_bytes`] wrote. Errors: [`Code::ReferenceMalformed`], [`Code::AbiMismatch`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KernelError> {
        let mut reader = Reader::open(bytes, MAGIC, Code::ReferenceMalformed)?;
        let d = reader.u32()? as usize;
        let rows = reader.u32()?;
        if d == 0 || d > MAX_FEATURES {
            return Err(reader.malformed("it has no features, or too many"));
        }
        let (mut features, mut lags, mut edges, mut counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..d {
            let feature = read_feature(&mut reader)?;
            lags.push(u32::from(reader.u16()?));
            edges.push(match feature.kind {
                Kind::Number => read_edges(&mut reader)?,
                // A width out of range is told by check_features.
                Kind::Category { known } => Kind::code_edges(known.min(crate::MAX_KNOWN)),
            });
            counts.push(reader.counts()?);
            features.push(feature);
        }
        check_features(&features, Code::ReferenceMalformed)?;
        if lags.contains(&0) {
            return Err(reader.malformed("a feature has no lag"));
        }
        if counts.iter().any(|counts| total(counts) != u64::from(rows)) {
            return Err(reader.malformed("the counts of a feature do not add up to its rows"));
        }
        let impossible =
            |(edges, counts): (&Edges, &[u32; SLOTS])| (0..BINS).any(|j| edges.is_empty(j) && counts[j] > 0);
        if edges.iter().zip(&counts).any(impossible) {
            return Err(reader.malformed("a bin of no width holds a count"));
        }
        let joint = match reader.u8()? {
            0 => None,
            1 => Some(Joint::read(&features, rows, &mut reader)?),
            _ => return Err(reader.malformed("it neither has a joint part nor has none")),
        };
        reader.end()?;
        Ok(Self::assemble(Columns { features, rows, lags, edges, counts, joint }))
    }

    /// The one spelling of this reference in bytes: about 700 a feature, and 1,000 more for the joint part.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Columns { features, rows, lags, edges, counts, joint } = &self.columns;
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(KERNEL_ABI.to_le_bytes());
        out.extend((features.len() as u32).to_le_bytes());
        out.extend(rows.to_le_bytes());
        for (((feature, lag), edges), counts) in features.iter().zip(lags).zip(edges).zip(counts) {
            write_feature(feature, &mut out);
            out.extend((*lag as u16).to_le_bytes());
            if feature.kind == Kind::Number {
                edges.0[1..].iter().for_each(|edge| out.extend(edge.to_le_bytes()));
            }
            write_counts(counts, &mut out);
        }
        out.push(u8::from(joint.is_some()));
        if let Some(joint) = joint {
            joint.write(&mut out);
        }
        out
    }

    /// In column order; never empty.
    pub fn features(&self) -> &[Feature] {
        &self.columns.features
    }

    /// Reference rows, with those that miss values.
    pub fn rows(&self) -> u32 {
        self.columns.rows
    }

    /// FNV-1a of the bytes: names this reference in snapshots.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// For each feature, how many rows apart its values are as good as independent: 1 to 65,535.
    pub fn lags(&self) -> &[u32] {
        &self.columns.lags
    }

    /// The longest of the lags.
    pub fn lag(&self) -> u32 {
        self.lags().iter().copied().max().unwrap_or(1)
    }

    /// How far, in standard deviations, the mean of a contrast may lie off because the reference is finite: the most of
    /// any feature.
    pub fn tolerance(&self) -> f64 {
        let d = self.features().len();
        Knowledge::new(d, u64::from(self.rows()), self.lag(), 0.0).tolerance(0.0)
    }

    /// Whether all features can be tested at once.
    pub fn has_joint(&self) -> bool {
        self.columns.joint.is_some()
    }

    pub(crate) fn edges(&self) -> &[Edges] {
        &self.columns.edges
    }

    pub(crate) fn counts(&self) -> &[[u32; SLOTS]] {
        &self.columns.counts
    }

    pub(crate) fn joint(&self) -> Option<&Joint> {
        self.columns.joint.as_ref()
    }

    pub(crate) fn searches(&self) -> &[Search] {
        &self.searches
    }

    /// For each feature the cell of each slot.
    pub(crate) fn cells(&self) -> &[[u8; SLOTS]] {
        &self.cells
    }

    /// The bets' factors, feature by feature. `lag` instead of the features' own.
    pub(crate) fn factors(&self, dead_zone: f64, lag: Option<u32>) -> impl Iterator<Item = Factors> {
        let d = self.features().len();
        (0..d).map(move |f| {
            let lag = lag.unwrap_or(self.lags()[f]);
            let known = Knowledge::new(d, u64::from(self.rows()), lag, dead_zone);
            factors(&cell_counts(&self.cells[f], &self.counts()[f]), &known)
        })
    }
}

fn read_edges(reader: &mut Reader) -> Result<Edges, KernelError> {
    let mut edges = [f32::NEG_INFINITY; BINS];
    for edge in &mut edges[1..] {
        *edge = reader.f32()?;
    }
    let negative_zero = (-0f32).to_bits();
    let legal = |edge: &f32| *edge > f32::NEG_INFINITY && edge.to_bits() != negative_zero;
    if !edges[1..].iter().all(legal) || !edges.is_sorted() {
        return Err(reader.malformed("bin edges do not rise from finite numbers"));
    }
    Ok(Edges(edges))
}

#[cfg(test)]
#[path = "reference_test.rs"]
mod tests;
