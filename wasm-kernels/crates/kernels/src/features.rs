//! What a column is, and how its bins fall into the few cells that PSI, χ² and the bets look at.

use crate::bytes::Reader;
use crate::edges::Edges;
use crate::error::{Code, KernelError};
use crate::{BINS, CELLS, COARSE_BINS, MISSING, SLOTS};

/// Most features a reference may have.
pub const MAX_FEATURES: usize = 4096;

/// Longest feature name, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 255;

/// Most categories that are told apart: with "other", "unseen" and the numbers below zero they fill the bins.
pub const MAX_KNOWN: u8 = 125;

/// The cell of missing values.
pub(crate) const MISSING_CELL: usize = COARSE_BINS;

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    /// Codes 0..known are the known categories, the most frequent first, `known` one that was rare in training, and any
    /// other number one that was never seen.
    Category {
        known: u8,
    },
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    pub name: String,
    pub kind: Kind,
}

impl Kind {
    /// The bins of codes: whatever is below 0, then one each for 0 ..= known, then all above.
    pub(crate) fn code_edges(known: u8) -> Edges {
        let mut edges = [f32::INFINITY; BINS];
        edges[0] = f32::NEG_INFINITY;
        for (code, edge) in edges[1..=usize::from(known) + 2].iter_mut().enumerate() {
            *edge = code as f32;
        }
        Edges(edges)
    }

    /// For each slot its cell: eight bins of a number make one; of a category's codes the first fourteen stand alone, the
    /// rare ones together, and the unseen last.
    pub(crate) fn cells(self) -> [u8; SLOTS] {
        let mut cells = [MISSING_CELL as u8; SLOTS];
        for (bin, cell) in cells[..MISSING].iter_mut().enumerate() {
            *cell = match self {
                Kind::Number => (bin >> 3) as u8,
                Kind::Category { known } => {
                    let unseen = (known + 1).min(15);
                    let is_code = (1..=usize::from(known) + 1).contains(&bin);
                    if is_code { (bin as u8 - 1).min(unseen - 1) } else { unseen }
                }
            };
        }
        cells
    }
}

/// The counts of a feature summed to its cells: the coarse ones, then the missing.
pub(crate) fn cell_counts(cells: &[u8; SLOTS], counts: &[u32; SLOTS]) -> [u64; CELLS] {
    let mut sums = [0; CELLS];
    for (cell, count) in cells.iter().zip(counts) {
        sums[usize::from(*cell)] += u64::from(*count);
    }
    sums
}

pub(crate) fn check_features(features: &[Feature], code: Code) -> Result<(), KernelError> {
    let refuse = |message: String| Err(KernelError::new(code, message));
    if features.is_empty() || features.len() > MAX_FEATURES {
        return refuse(format!("{} features: one to {MAX_FEATURES} are possible", features.len()));
    }
    for Feature { name, kind } in features {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return refuse(format!("a feature name of {} bytes: one to {MAX_NAME_BYTES} are possible", name.len()));
        }
        if matches!(kind, Kind::Category { known } if *known > MAX_KNOWN) {
            return refuse(format!("{name} has too many known categories: {MAX_KNOWN} are possible"));
        }
    }
    let mut sorted: Vec<&String> = features.iter().map(|feature| &feature.name).collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => refuse(format!("two features are named {}", pair[0])),
        None => Ok(()),
    }
}

/// Name and kind: name length u8, name, 0 for a number or 1 and `known` for a category.
pub(crate) fn write_feature(feature: &Feature, out: &mut Vec<u8>) {
    out.push(feature.name.len() as u8);
    out.extend(feature.name.as_bytes());
    match feature.kind {
        Kind::Number => out.push(0),
        Kind::Category { known } => out.extend([1, known]),
    }
}

pub(crate) fn read_feature(reader: &mut Reader) -> Result<Feature, KernelError> {
    let length = reader.u8()?;
    let name = std::str::from_utf8(reader.take(length.into())?);
    let name = name.map_err(|_| reader.malformed("a name is not UTF-8"))?.to_owned();
    let kind = match reader.u8()? {
        0 => Kind::Number,
        1 => Kind::Category { known: reader.u8()? },
        _ => return Err(reader.malformed("a feature is neither a number nor a category")),
    };
    Ok(Feature { name, kind })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Search;

    #[test]
    fn codes_have_bins_of_their_own_and_strangers_are_unseen() {
        for known in [0, 1, 5, 14, 15, 60, MAX_KNOWN] {
            let kind = Kind::Category { known };
            let (search, cells) = (Search::new(&Kind::code_edges(known)), kind.cells());
            let cell = |x: f32| cells[search.slot(x)];
            let unseen = cell(f32::from(known) + 1.0);
            for stranger in [-1.0, f32::NEG_INFINITY, f32::INFINITY, f32::from(known) + 2.0, 1e9] {
                assert_eq!(cell(stranger), unseen, "{known}: {stranger}");
            }
            let slots: Vec<usize> = (0..=known).map(|code| search.slot(f32::from(code))).collect();
            assert!(slots.windows(2).all(|pair| pair[0] + 1 == pair[1]));
            assert!((0..=known).all(|code| cell(f32::from(code)) == code.min(14) && code.min(14) < unseen));
            assert_eq!(cell(-0.0), cell(0.0));
            assert_eq!(usize::from(cell(f32::NAN)), MISSING_CELL);
        }
    }

    #[test]
    fn eight_bins_of_a_number_make_a_cell() {
        let mut counts = [1; SLOTS];
        counts[MISSING] = 5;
        let mut want = [8; CELLS];
        want[MISSING_CELL] = 5;
        assert_eq!(cell_counts(&Kind::Number.cells(), &counts), want);
    }
}
