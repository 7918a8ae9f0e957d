//! The exact two-sample Kolmogorov–Smirnov test on values at hand: to audit what histograms say.

use crate::ks::ks_p_value;

/// Above so many pairs the p-value comes from the limit distribution.
const EXACT_PAIRS: u64 = 1_000_000;

/// The statistic, and how probable one as large is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KsTest {
    pub d: f64,
    pub p: f64,
}

/// Two-sided test of two samples; −0 equals 0, NaN are left out. No values on a side: (0, 1).
///
/// p is exact for continuous distributions where n·m ≤ 10⁶, and cautious with ties; else Kolmogorov's limit.
pub fn ks_two_sample(a: &[f64], b: &[f64]) -> KsTest {
    let (a, b) = (Sorted::new(a), Sorted::new(b));
    let (n, m) = (a.len() as u64, b.len() as u64);
    if n == 0 || m == 0 {
        return KsTest { d: 0.0, p: 1.0 };
    }
    // In units of 1/nm the statistic is an integer, so that nothing is lost by rounding.
    let steps = match (&a, &b) {
        (Sorted::Short(a), Sorted::Short(b)) => largest_gap(a, b, u32::MAX),
        _ => largest_gap(&a.long(), &b.long(), u64::MAX),
    };
    let d = steps as f64 / (n * m) as f64;
    let p = if n * m <= EXACT_PAIRS { exact_p(steps, n, m) } else { ks_p_value(d, n as f64, m as f64) };
    KsTest { d, p: p.clamp(0.0, 1.0) }
}

/// Values as integers in the same order; short ones where every value is an f32, as in stored windows.
enum Sorted {
    Short(Vec<u32>),
    Long(Vec<u64>),
}

impl Sorted {
    fn new(values: &[f64]) -> Self {
        let kept = || values.iter().filter(|x| !x.is_nan()).map(|x| x + 0.0);
        if kept().all(|x| f64::from(x as f32) == x) {
            let mut keys: Vec<u32> = kept().map(|x| short_key(x as f32)).collect();
            sort_short(&mut keys);
            return Self::Short(keys);
        }
        let mut keys: Vec<u64> = kept().map(long_key).collect();
        keys.sort_unstable();
        Self::Long(keys)
    }

    fn len(&self) -> usize {
        match self {
            Self::Short(keys) => keys.len(),
            Self::Long(keys) => keys.len(),
        }
    }

    fn long(self) -> Vec<u64> {
        match self {
            Self::Short(keys) => keys.into_iter().map(|key| long_key(f64::from(short_value(key)))).collect(),
            Self::Long(keys) => keys,
        }
    }
}

/// Bits that rise with the number: negative ones are complemented, the others get the highest bit.
fn short_key(x: f32) -> u32 {
    let bits = x.to_bits();
    bits ^ (((bits as i32 >> 31) as u32) | 0x8000_0000)
}

fn short_value(key: u32) -> f32 {
    f32::from_bits(key ^ (!((key as i32) >> 31) as u32 | 0x8000_0000))
}

fn long_key(x: f64) -> u64 {
    let bits = x.to_bits();
    bits ^ (((bits as i64 >> 63) as u64) | 1 << 63)
}

/// Least significant digit first, eleven bits at a time: a third of the time of comparing.
fn sort_short(keys: &mut Vec<u32>) {
    if keys.len() < 256 {
        return keys.sort_unstable();
    }
    let digit = |key: u32, pass: usize| (key >> (11 * pass)) as usize & 0x7ff;
    let mut places = vec![[0u32; 2048]; 3];
    for key in keys.iter() {
        for (pass, places) in places.iter_mut().enumerate() {
            places[digit(*key, pass)] += 1;
        }
    }
    let mut other = vec![0; keys.len()];
    for (pass, places) in places.iter_mut().enumerate() {
        let mut sum = 0;
        for place in places.iter_mut() {
            sum += std::mem::replace(place, sum);
        }
        for key in keys.iter() {
            let place = &mut places[digit(*key, pass)];
            other[*place as usize] = *key;
            *place += 1;
        }
        std::mem::swap(keys, &mut other);
    }
}

/// max |i·m − j·n| over all values, where i of n and j of m lie at or below it. `end` is above all keys.
fn largest_gap<T: Copy + Ord>(a: &[T], b: &[T], end: T) -> u64 {
    let (n, m) = (a.len(), b.len());
    let (mut i, mut j, mut most) = (0, 0, 0u64);
    let mut next = (a[0], b[0]);
    while i < n && j < m {
        let value = next.0.min(next.1);
        i += usize::from(next.0 == value);
        j += usize::from(next.1 == value);
        next = (*a.get(i).unwrap_or(&end), *b.get(j).unwrap_or(&end));
        // Between equal values the distribution functions have not arrived yet.
        let arrived = next.0 != value && next.1 != value;
        let gap = (i as u64 * m as u64).abs_diff(j as u64 * n as u64);
        most = most.max(if arrived { gap } else { 0 });
    }
    most
}

/// P(D ≥ steps/nm): the probability that a random path from (0, 0) to (n, m) ever lies so far off the diagonal. Of the
/// paths to (i, j), i in i+j come from the left (Hodges 1958). All terms are positive, so that small p-values are exact too.
fn exact_p(steps: u64, n: u64, m: u64) -> f64 {
    let inverse: Vec<f64> = (0..=n + m).map(|k| 1.0 / k as f64).collect();
    let mut left = vec![0.0; m as usize + 1];
    for i in 0..=n {
        let mut below = 0.0;
        for j in 0..=m {
            let from_left = if i == 0 { 0.0 } else { left[j as usize] * i as f64 };
            let from_below = if j == 0 { 0.0 } else { below * j as f64 };
            let off = (i * m).abs_diff(j * n) >= steps;
            below = if off {
                1.0
            } else if i + j == 0 {
                0.0
            } else {
                (from_left + from_below) * inverse[(i + j) as usize]
            };
            left[j as usize] = below;
        }
    }
    left[m as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn close(test: KsTest, d: f64, p: f64) {
        assert!((test.d - d).abs() < 1e-15 && (test.p - p).abs() < 1e-13 * p, "{test:?}, not {d} {p}");
    }

    #[test]
    fn exact_tests_match_their_oracles() {
        close(ks_two_sample(&[1., 2., 3., 4., 5.], &[3., 4., 5., 6., 7.]), 0.4, 0.873_015_873_015_873);
        close(ks_two_sample(&[0., 0., 1., 1.], &[0., 1., 1., 1.]), 0.25, 1.0);
        close(ks_two_sample(&[1.; 5], &[2.; 9]), 1.0, 0.000_999_000_999_000_999_2);
        let first: Vec<f64> = (0..10).map(f64::from).collect();
        let second: Vec<f64> = (0..20).map(|i| f64::from(i) + 0.5).collect();
        close(ks_two_sample(&first, &second), 0.55, 0.029_047_014_954_061_43);
    }

    #[test]
    fn zeros_are_one_value_and_missing_ones_none() {
        assert_eq!(ks_two_sample(&[-0.0; 9], &[0.0; 9]), KsTest { d: 0.0, p: 1.0 });
        assert_eq!(ks_two_sample(&[f64::NAN, 1.0], &[1.0, f64::NAN]), KsTest { d: 0.0, p: 1.0 });
        assert_eq!(ks_two_sample(&[f64::NAN], &[1.0]), KsTest { d: 0.0, p: 1.0 });
        let ends = ks_two_sample(&[f64::NEG_INFINITY, f64::INFINITY], &[f64::INFINITY, f64::INFINITY]);
        assert_eq!(ends.d, 0.5);
    }

    /// Both widths of keys and both sorts, against the definition.
    #[test]
    fn agrees_with_the_definition() {
        let mut random = Random::new(4);
        for (n, m, step) in [(300, 700, 0.25), (1, 1, 0.0), (999, 40, 0.0), (400, 400, 1e-3)] {
            let mut draw = |count: usize| -> Vec<f64> {
                let values = (0..count).map(|_| f64::from(random.normal()));
                values.map(|x| if step > 0.0 { (x / step).round() * step } else { x }).collect()
            };
            let (a, b) = (draw(n), draw(m));
            let share =
                |values: &[f64], x: f64| values.iter().filter(|v| **v <= x).count() as f64 / values.len() as f64;
            let want = a.iter().chain(&b).map(|&x| (share(&a, x) - share(&b, x)).abs()).fold(0.0, f64::max);
            let got = ks_two_sample(&a, &b);
            assert!((got.d - want).abs() < 1e-12, "{n} {m} {step}: {} {want}", got.d);
            assert!((0.0..=1.0).contains(&got.p));
        }
    }

    #[test]
    fn keys_keep_the_order_and_come_back() {
        let tiny = f32::from_bits(1);
        let rising = [f32::NEG_INFINITY, f32::MIN, -1.0, -tiny, 0.0, tiny, 1.0, f32::MAX, f32::INFINITY];
        assert!(rising.map(short_key).is_sorted_by(|a, b| a < b));
        assert!(rising.map(|x| long_key(x.into())).is_sorted_by(|a, b| a < b));
        assert_eq!(rising.map(|x| short_value(short_key(x))), rising);
    }

    /// The exact p-value and the limit meet where both may be used.
    #[test]
    fn the_limit_is_near_the_exact_value() {
        for steps in [40_000, 60_000, 90_000] {
            let exact = exact_p(steps, 1000, 1000);
            let limit = ks_p_value(steps as f64 / 1e6, 1000.0, 1000.0);
            assert!((exact / limit - 1.0).abs() < 0.1, "{steps}: {exact} {limit}");
        }
    }
}
