//! How far apart rows must lie to be as good as independent. Every test and bet here assumes independent rows; those of a
//! sensor are not, and an AR(1) stream of correlation .8 that is taken for independent alarms after a hundred rows.

use crate::features::Kind;
use crate::{MISSING, SLOTS};

/// The longest lag that is looked for.
const LONGEST: usize = 256;

/// Inflation of a mean's variance by correlation that is let pass.
const LET_PASS: f64 = 0.1;

/// Deviations of chance that are let pass on top: so many correlations are looked at that one is always large.
const CHANCE: f64 = 4.5;

/// Rows kept to estimate correlation, in values, and at least.
const BUDGET: usize = 1 << 18;
const LEAST: usize = 1024;

/// Of `rows` rows of `d` features, how many in a run to keep, from the middle.
pub(crate) fn run_of(rows: u64, d: usize) -> std::ops::Range<u64> {
    let length = ((BUDGET / d).max(LEAST) as u64).min(rows);
    let start = (rows - length) / 2;
    start..start + length
}

/// The shortest lag k at which no sum 2·(ρ_k + ρ_2k + …) up to any multiple exceeds what is let pass: then a mean of every
/// k-th row is as good as one of independent rows, for seasons as for noise with a memory. The longest looked at if none.
///
/// `run`: slots of one feature in order of time; `missing` ones count as average.
pub(crate) fn decorrelation_lag(kind: Kind, run: &[u8]) -> u32 {
    let n = run.len();
    let longest = LONGEST.min(n / 4);
    let correlations = match kind {
        Kind::Number => correlations(run, longest),
        Kind::Category { .. } => agreements(run, longest),
    };
    let chance = CHANCE * 2.0 / (n as f64).sqrt();
    let independent = |lag: usize| {
        let mut sum = 0.0;
        (1..=longest / lag).all(|multiple| {
            sum += 2.0 * correlations[multiple * lag - 1];
            sum <= LET_PASS + chance * (multiple as f64).sqrt()
        })
    };
    (1..=longest).find(|lag| independent(*lag)).unwrap_or(longest.max(1)) as u32
}

/// Of the bins' numbers, which are ranks: heavy tails do not matter. At lags 1 ..= longest.
fn correlations(run: &[u8], longest: usize) -> Vec<f64> {
    let present = || run.iter().filter(|slot| usize::from(**slot) != MISSING);
    let count = present().count().max(1) as i64;
    let mean = present().map(|slot| i64::from(*slot)).sum::<i64>() / count;
    let centred: Vec<i16> =
        run.iter().map(|slot| if usize::from(*slot) == MISSING { 0 } else { i16::from(*slot) - mean as i16 }).collect();
    let product = |lag: usize| {
        let pairs = centred.len() - lag;
        // In pieces that fit 32 bits: a product is at most 2¹⁴.
        let pieces = centred[..pairs].chunks(4096).zip(centred[lag..].chunks(4096));
        let sum: i64 = pieces
            .map(|(a, b)| i64::from(a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>()))
            .sum();
        sum as f64 / pairs as f64
    };
    let variance = product(0);
    (1..=longest).map(|lag| if variance > 0.0 { product(lag) / variance } else { 0.0 }).collect()
}

/// How much more often values a lag apart are the same than chance has it: 1 if always.
fn agreements(run: &[u8], longest: usize) -> Vec<f64> {
    let mut counts = [0u32; SLOTS];
    run.iter().for_each(|slot| counts[usize::from(*slot)] += 1);
    let share = |count: u32| f64::from(count) / run.len() as f64;
    let by_chance: f64 = counts.iter().map(|count| share(*count) * share(*count)).sum();
    (1..=longest)
        .map(|lag| {
            let pairs = run.len() - lag;
            let same = run[..pairs].iter().zip(&run[lag..]).filter(|(a, b)| a == b).count();
            if by_chance < 1.0 { (same as f64 / pairs as f64 - by_chance) / (1.0 - by_chance) } else { 0.0 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// Slots of an AR(1) process, by its normal distribution function, roughly.
    fn autoregressive(rho: f32, rows: usize) -> Vec<u8> {
        let mut random = Random::new(5);
        let mut x = 0.0;
        let innovation = (1.0 - rho * rho).sqrt();
        let step = |_| {
            x = rho * x + innovation * random.normal();
            (64.0 + 30.0 * x).clamp(0.0, 127.0) as u8
        };
        (0..rows).map(step).collect()
    }

    #[test]
    fn memory_sets_the_lag() {
        let lag = |rho| decorrelation_lag(Kind::Number, &autoregressive(rho, 10_000));
        assert_eq!(lag(0.0), 1);
        let [short, middle, long] = [0.2, 0.5, 0.8].map(lag);
        assert!(
            (1..=3).contains(&short) && (3..=6).contains(&middle) && (9..=16).contains(&long),
            "{short} {middle} {long}"
        );
    }

    #[test]
    fn a_season_is_cut_where_its_parts_balance() {
        let season: Vec<u8> = (0..9600).map(|t| (64.0 + 60.0 * (f64::from(t) * 0.2618).sin()) as u8).collect();
        let lag = decorrelation_lag(Kind::Number, &season);
        assert!((5..=8).contains(&lag), "{lag}");
    }

    #[test]
    fn degenerate_runs_have_a_lag_of_one() {
        for run in [&[][..], &[3], &[128; 500], &[64; 500], &[1, 2, 3]] {
            assert_eq!(decorrelation_lag(Kind::Number, run), 1, "{run:?}");
            assert_eq!(decorrelation_lag(Kind::Category { known: 3 }, run), 1, "{run:?}");
        }
        // What only rises never decorrelates.
        let trend: Vec<u8> = (0..12_800).map(|t| (t / 100) as u8).collect();
        assert_eq!(decorrelation_lag(Kind::Number, &trend), 256);
    }

    #[test]
    fn categories_that_stay_a_while_are_correlated() {
        let stays: Vec<u8> = (0..8000u32).map(|t| (t / 5).wrapping_mul(2_654_435_761).to_le_bytes()[3] % 4).collect();
        let lag = decorrelation_lag(Kind::Category { known: 4 }, &stays);
        assert!((4..=5).contains(&lag), "{lag}");
    }

    #[test]
    fn the_run_is_the_middle() {
        assert_eq!(run_of(10, 2), 0..10);
        assert_eq!(run_of(1 << 20, 16), 516_096..532_480);
        assert_eq!(run_of(0, 1), 0..0);
    }
}
