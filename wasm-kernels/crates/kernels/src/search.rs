//! Finding the slot of a value without a branch. Two ways with one answer; the build picks one.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use simd::Search;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) use scalar::Search;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod scalar {
    use crate::edges::Edges;
    use crate::{BINS, MISSING};

    /// The edges of one feature, laid out for a binary search of exactly seven steps.
    pub(crate) struct Search([f32; BINS]);

    impl Search {
        pub fn new(edges: &Edges) -> Self {
            Self(edges.0)
        }

        /// The slot (0..=128) of x: its bin, or [`MISSING`] for NaN.
        #[inline]
        pub fn slot(&self, x: f32) -> usize {
            let mut bin = 0;
            for step in [64, 32, 16, 8, 4, 2, 1] {
                // A sum of a truth value, not an `if`: half the time of a mispredicted branch.
                bin += step * usize::from(self.0[(bin + step) & (BINS - 1)] <= x);
            }
            if x.is_nan() { MISSING } else { bin }
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use crate::edges::Edges;
    use crate::{BINS, COARSE_BINS, MISSING};
    use core::arch::wasm32::{
        f32x4, f32x4_le, f32x4_splat, i8x16_bitmask, i8x16_narrow_i16x8, i16x8_bitmask, i16x8_narrow_i32x4, v128,
    };

    /// The edges of one feature in two levels: count those of 15 coarse edges at or below x, then those of the 7 inside
    /// the coarse bin. Padding is NaN, which is at or below nothing.
    pub(crate) struct Search {
        coarse: [v128; 4],
        fine: [[v128; 2]; COARSE_BINS],
    }

    impl Search {
        pub fn new(edges: &Edges) -> Self {
            let width = BINS / COARSE_BINS;
            let edge = |j: usize, last: usize| if j < last { edges.0[j] } else { f32::NAN };
            let four = |start: usize, by: usize, last: usize| {
                let [a, b, c, d] = [0, 1, 2, 3].map(|i| edge(start + i * by, last));
                f32x4(a, b, c, d)
            };
            Self {
                coarse: [0, 1, 2, 3].map(|i| four((4 * i + 1) * width, width, BINS)),
                fine: std::array::from_fn(|c| {
                    let first = c * width + 1;
                    [0, 1].map(|i| four(first + 4 * i, 1, (c + 1) * width))
                }),
            }
        }

        /// The slot (0..=128) of x: its bin, or [`MISSING`] for NaN.
        #[inline]
        pub fn slot(&self, x: f32) -> usize {
            let value = f32x4_splat(x);
            let [a, b, c, d] = self.coarse.map(|edges| f32x4_le(edges, value));
            let below = i8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d));
            let coarse = i8x16_bitmask(below).count_ones() as usize & (COARSE_BINS - 1);
            let [a, b] = self.fine[coarse].map(|edges| f32x4_le(edges, value));
            let fine = i16x8_bitmask(i16x8_narrow_i32x4(a, b)).count_ones() as usize & 7;
            if x.is_nan() { MISSING } else { coarse * 8 + fine }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Search;
    use crate::edges::Edges;
    use crate::testing::Random;

    #[test]
    fn finds_what_counting_all_edges_finds() {
        let mut random = Random::new(7);
        let mut sorted: Vec<f32> = (0..5000).map(|_| random.normal()).chain([0.25; 700]).collect();
        sorted.sort_unstable_by(f32::total_cmp);
        let edges = Edges::equal_mass(&sorted);
        let search = Search::new(&edges);
        let special = [f32::MIN, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.25, 0.25f32.next_up()];
        let values = (0..5000).map(|_| random.normal() * 2.0).chain(special).chain(edges.0);
        for x in values {
            let want = edges.0.iter().filter(|e| **e <= x).count() - 1;
            assert_eq!(search.slot(x), want, "{x}");
        }
        assert_eq!(search.slot(f32::NAN), 128);
    }
}
