//! The frozen training distribution: what live data is compared with.

use crate::bytes::{Reader, fnv1a, write_counts};
use crate::counts::total;
use crate::edges::Edges;
use crate::error::{Code, KernelError};
use crate::search::Search;
use crate::{BINS, KERNEL_ABI, SLOTS};

const MAGIC: &[u8; 4] = b"VDRF";

/// Most features a reference may have.
pub const MAX_FEATURES: usize = 4096;

/// Longest feature name, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 255;

/// Names, bin edges and counts of the reference rows. Immutable; two references are the same when their hashes are.
///
/// Bytes, little-endian: `VDRF`, abi u32, d u32, rows u32, then d times: name length u8, name, 127 edges f32, counts (the
/// missing slot u32, then per eight bins a width byte w and w bytes; see `bytes.rs`).
pub struct Reference {
    names: Vec<String>,
    rows: u32,
    hash: u64,
    edges: Vec<Edges>,
    counts: Vec<[u32; SLOTS]>,
    searches: Vec<Search>,
}

impl Reference {
    /// Draws equal-mass bins from reference rows and counts the rows on them.
    ///
    /// `rows`: row-major \[m\]\[names.len()\], NaN = missing; m may be 0. Errors: [`Code::BadNames`], [`Code::BadShape`].
    pub fn build(names: Vec<String>, rows: &[f32]) -> Result<Self, KernelError> {
        check_names(&names, Code::BadNames)?;
        let d = names.len();
        if !rows.len().is_multiple_of(d) {
            let message = format!("{} values are not whole rows of {d} features", rows.len());
            return Err(KernelError::new(Code::BadShape, message));
        }
        let Ok(m) = u32::try_from(rows.len() / d) else {
            return Err(KernelError::new(Code::BadShape, "a reference counts at most 4294967295 rows"));
        };
        let mut edges = Vec::with_capacity(d);
        let mut counts = Vec::with_capacity(d);
        for feature in 0..d {
            let column = || rows.iter().skip(feature).step_by(d);
            // Adding 0 turns −0 into 0, which the total order below would tell apart.
            let mut sorted: Vec<f32> = column().filter(|x| !x.is_nan()).map(|x| x + 0.0).collect();
            sorted.sort_unstable_by(f32::total_cmp);
            let own = Edges::equal_mass(&sorted);
            let search = Search::new(&own);
            let mut tally = [0u32; SLOTS];
            column().for_each(|&x| tally[search.slot(x)] += 1);
            edges.push(own);
            counts.push(tally);
        }
        Ok(Self::assemble(names, m, edges, counts))
    }

    /// Reads what [`Reference::to_bytes`] wrote. Errors: [`Code::ReferenceMalformed`], [`Code::AbiMismatch`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KernelError> {
        let mut reader = Reader::open(bytes, MAGIC, Code::ReferenceMalformed)?;
        let d = reader.u32()? as usize;
        let m = reader.u32()?;
        if d == 0 || d > MAX_FEATURES {
            return Err(reader.malformed("it has no features, or too many"));
        }
        let (mut names, mut edges, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..d {
            let length = reader.u8()?;
            let name = std::str::from_utf8(reader.take(length.into())?);
            names.push(name.map_err(|_| reader.malformed("a name is not UTF-8"))?.to_owned());
            edges.push(read_edges(&mut reader)?);
            counts.push(reader.counts()?);
        }
        check_names(&names, Code::ReferenceMalformed)?;
        if counts.iter().any(|counts| total(counts) != u64::from(m)) {
            return Err(reader.malformed("the counts of a feature do not add up to its rows"));
        }
        let impossible =
            |(edges, counts): (&Edges, &[u32; SLOTS])| (0..BINS).any(|j| edges.is_empty(j) && counts[j] > 0);
        if edges.iter().zip(&counts).any(impossible) {
            return Err(reader.malformed("a bin of no width holds a count"));
        }
        reader.end()?;
        Ok(Self::assemble(names, m, edges, counts))
    }

    /// The one spelling of this reference in bytes: about 700 a feature.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(KERNEL_ABI.to_le_bytes());
        out.extend((self.names.len() as u32).to_le_bytes());
        out.extend(self.rows.to_le_bytes());
        for ((name, edges), counts) in self.names.iter().zip(&self.edges).zip(&self.counts) {
            out.push(name.len() as u8);
            out.extend(name.as_bytes());
            edges.0[1..].iter().for_each(|edge| out.extend(edge.to_le_bytes()));
            write_counts(counts, &mut out);
        }
        out
    }

    /// Feature names, in column order; never empty.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reference rows, with those that miss values.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// FNV-1a of the bytes: names this reference in snapshots.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn edges(&self) -> &[Edges] {
        &self.edges
    }

    pub(crate) fn counts(&self) -> &[[u32; SLOTS]] {
        &self.counts
    }

    pub(crate) fn searches(&self) -> &[Search] {
        &self.searches
    }

    fn assemble(names: Vec<String>, rows: u32, edges: Vec<Edges>, counts: Vec<[u32; SLOTS]>) -> Self {
        let searches = edges.iter().map(Search::new).collect();
        let mut reference = Self { names, rows, hash: 0, edges, counts, searches };
        reference.hash = fnv1a(&reference.to_bytes());
        reference
    }
}

fn check_names(names: &[String], code: Code) -> Result<(), KernelError> {
    let refuse = |message: String| Err(KernelError::new(code, message));
    if names.is_empty() || names.len() > MAX_FEATURES {
        return refuse(format!("{} features: one to {MAX_FEATURES} are possible", names.len()));
    }
    if let Some(name) = names.iter().find(|name| name.is_empty() || name.len() > MAX_NAME_BYTES) {
        return refuse(format!("a feature name of {} bytes: one to {MAX_NAME_BYTES} are possible", name.len()));
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => refuse(format!("two features are named {}", pair[0])),
        None => Ok(()),
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
