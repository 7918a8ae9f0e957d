//! A sample of rows from a stream of any length, each as likely as any other (Vitter 1985, algorithm R).

use crate::random::Random;

/// Numbers a sample may hold, and the rows it holds at least and at most.
const BUDGET: usize = 1 << 22;
const ROWS: [usize; 2] = [1024, 65_536];

pub(crate) struct Reservoir {
    d: usize,
    capacity: usize,
    rows: Vec<f32>,
    seen: u64,
    random: Random,
}

impl Reservoir {
    pub fn new(d: usize, seed: u32) -> Self {
        let capacity = (BUDGET / d).clamp(ROWS[0], ROWS[1]);
        Self { d, capacity, rows: Vec::new(), seen: 0, random: Random::new(seed) }
    }

    /// Takes whole rows.
    pub fn add(&mut self, rows: &[f32]) {
        for row in rows.chunks_exact(self.d) {
            self.seen += 1;
            if self.seen <= self.capacity as u64 {
                self.rows.extend(row);
                continue;
            }
            let place = self.random.below(self.seen) as usize;
            if place < self.capacity {
                self.rows[place * self.d..][..self.d].copy_from_slice(row);
            }
        }
    }

    /// Rows seen.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The sample, row-major: all rows in their order where they were few.
    pub fn sample(&self) -> &[f32] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_all_kept_and_many_evenly() {
        let mut few = Reservoir::new(3, 1);
        few.add(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!((few.seen(), few.sample()), (2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..]));
        let mut many = Reservoir::new(1, 1);
        let rows: Vec<f32> = (0..200_000).map(|i| i as f32).collect();
        rows.chunks(777).for_each(|batch| many.add(batch));
        assert_eq!((many.seen(), many.sample().len()), (200_000, ROWS[1]));
        let mean = many.sample().iter().map(|x| f64::from(*x)).sum::<f64>() / ROWS[1] as f64;
        // Four deviations of the mean of so many uniform numbers.
        assert!((mean - 100_000.0).abs() < 4.0 * 57_735.0 / (ROWS[1] as f64).sqrt(), "{mean}");
    }
}
