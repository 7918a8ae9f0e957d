//! Where the bins of one feature begin.

use crate::BINS;

/// The lower edges of 128 bins, rising but not strictly: bin j holds e\[j\] ≤ x < e\[j+1\], so a bin whose edges are equal
/// holds nothing. e\[0\] is −∞; the others lie above −∞ and are never −0 or NaN. The last bin ends with +∞ included.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Edges(pub [f32; BINS]);

impl Edges {
    /// Equal-mass bins on `sorted`: reference values in rising order, without NaN, −0 written as 0.
    ///
    /// A value that fills at least two bins is an atom. It gets a bin of its own, between edges v and nextUp(v), and that
    /// bin stands in the middle of those the atom fills: a new value just below or above it then lands in another coarse
    /// bin, and a constant feature is no blind spot. No values at all give one bin for everything.
    pub fn equal_mass(sorted: &[f32]) -> Self {
        let mut edges = [f32::INFINITY; BINS];
        edges[0] = f32::NEG_INFINITY;
        if sorted.is_empty() {
            return Self(edges);
        }
        for (j, edge) in edges.iter_mut().enumerate().skip(1) {
            let at = (j as u64 * sorted.len() as u64 / BINS as u64) as usize;
            // Infinite values belong in the end bins, so no edge is drawn beyond the finite numbers.
            *edge = sorted[at].clamp(f32::MIN, f32::MAX);
        }
        let mut first = 1;
        while first < BINS {
            let atom = edges[first];
            let run = edges[first..].iter().take_while(|&&e| e == atom).count();
            let own_bin = first + (run - 1) / 2;
            // The number after the largest negative one is −0; adding 0 makes it 0.
            edges[own_bin + 1..first + run].fill(atom.next_up() + 0.0);
            first += run;
        }
        Self(edges)
    }

    /// Whether bin j holds exactly one number, so that nothing inside it is unknown.
    pub fn holds_one_value(&self, j: usize) -> bool {
        match self.0.get(j + 1) {
            Some(&upper) => self.0[j].next_up() == upper,
            None => self.0[j] == f32::INFINITY,
        }
    }

    /// Whether bin j holds no number at all.
    pub fn is_empty(&self, j: usize) -> bool {
        self.0.get(j + 1).is_some_and(|&upper| upper == self.0[j])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Search;

    fn bin(edges: &Edges, x: f32) -> usize {
        Search::new(edges).slot(x)
    }

    #[test]
    fn distinct_values_fill_bins_evenly() {
        let sorted: Vec<f32> = (0..12_800).map(|i| i as f32).collect();
        let edges = Edges::equal_mass(&sorted);
        let mut counts = [0; BINS];
        sorted.iter().for_each(|&x| counts[bin(&edges, x)] += 1);
        assert_eq!(counts, [100; BINS]);
    }

    #[test]
    fn an_atom_stands_alone_amid_its_bins() {
        let edges = Edges::equal_mass(&[7.0; 1000]);
        let [below, at, above] = [7f32.next_down(), 7.0, 7f32.next_up()].map(|x| bin(&edges, x));
        assert_eq!([below, at, above], [0, 64, 127]);
        assert!(edges.holds_one_value(at));
        assert!(!edges.holds_one_value(below) && !edges.holds_one_value(above));
    }

    #[test]
    fn few_distinct_values_are_told_apart_in_coarse_bins() {
        let mut sorted = vec![0.0; 500];
        sorted.extend([1.0; 500]);
        let edges = Edges::equal_mass(&sorted);
        let coarse = [-1.0, 0.0, 0.5, 1.0, 2.0].map(|x| bin(&edges, x) >> 3);
        assert!(coarse.windows(2).all(|pair| pair[0] < pair[1]), "{coarse:?}");
    }

    #[test]
    fn neighbouring_subnormals_stay_apart_and_in_order() {
        let tiny = f32::from_bits(1);
        let mut sorted = vec![-tiny; 100];
        sorted.extend([0.0; 100]);
        sorted.extend([tiny; 100]);
        let edges = Edges::equal_mass(&sorted);
        assert!(edges.0.is_sorted());
        let bins = [-tiny, 0.0, tiny].map(|x| bin(&edges, x));
        assert!(bins[0] < bins[1] && bins[1] < bins[2], "{bins:?}");
        assert!(edges.0.iter().all(|edge| edge.to_bits() != (-0f32).to_bits()));
        assert_eq!(bin(&edges, -0.0), bin(&edges, 0.0));
    }

    #[test]
    fn infinities_go_to_the_end_bins_even_when_they_are_common() {
        let mut sorted = vec![f32::NEG_INFINITY; 300];
        sorted.extend((0..400).map(|i| i as f32));
        sorted.extend([f32::INFINITY; 300]);
        let edges = Edges::equal_mass(&sorted);
        assert_eq!(bin(&edges, f32::NEG_INFINITY), 0);
        assert_eq!(bin(&edges, f32::INFINITY), 127);
        assert!(edges.0[1..].iter().all(|e| *e > f32::NEG_INFINITY));
    }

    #[test]
    fn no_values_make_one_bin() {
        let edges = Edges::equal_mass(&[]);
        assert_eq!([f32::NEG_INFINITY, -3.0, 0.0, f32::MAX].map(|x| bin(&edges, x)), [0; 4]);
        assert_eq!(bin(&edges, f32::NAN), 128);
    }
}
