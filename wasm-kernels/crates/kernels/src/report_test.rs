use super::*;
use crate::testing::{self, Random, state};
use crate::{Feature, Kind, Options, State};

fn normal(random: &mut Random, count: usize, shift: f32) -> Vec<f32> {
    (0..count).map(|_| random.normal() + shift).collect()
}

fn report(reference: &[f32], live: &[f32]) -> FeatureReport {
    state(&testing::reference(&["x"], reference), live).report().features.remove(0)
}

#[test]
fn a_moved_feature_drifts_and_an_unmoved_one_does_not() {
    let mut random = Random::new(21);
    let train = normal(&mut random, 5000, 0.0);
    let same = report(&train, &normal(&mut random, 1000, 0.0));
    let moved = report(&train, &normal(&mut random, 1000, 0.5));
    assert_eq!((same.verdict, moved.verdict), (Verdict::None, Verdict::Drift));
    assert!(moved.p_value < 1e-9 && moved.psi > moved.psi_critical && moved.ks_low <= moved.ks_high);
}

#[test]
fn few_values_are_insufficient() {
    for live in [&[][..], &[1.0], &[1.0, 2.0], &[9.0; 49]] {
        let few = report(&[1.0; 100], live);
        assert_eq!((few.n, few.verdict), (live.len() as u64, Verdict::Insufficient));
        assert!([few.psi, few.ks_low, few.ks_high, few.p_value].iter().all(|x| x.is_finite()), "{few:?}");
    }
    assert_eq!(report(&[1.0; 49], &[2.0; 500]).verdict, Verdict::Insufficient);
}

#[test]
fn a_changed_rate_of_missing_values_is_drift_and_an_equal_one_is_not() {
    let gaps = |every: usize, count: usize| -> Vec<f32> {
        (0..count).map(|i| if i % every == 0 { f32::NAN } else { (i * 7 % 31) as f32 }).collect()
    };
    let train = gaps(10, 2000);
    let same = report(&train, &gaps(10, 300));
    assert_eq!((same.verdict, same.missing), (Verdict::None, 30));
    assert!(same.p_missing > 0.5);
    assert_eq!(report(&train, &gaps(3, 300)).verdict, Verdict::Drift);
    assert_eq!(report(&train, &(0..300).map(|i| (i * 7 % 31) as f32).collect::<Vec<_>>()).verdict, Verdict::Drift);
    // A sensor that says nothing any more, and one that never did.
    assert_eq!(report(&train, &[f32::NAN; 60]).verdict, Verdict::Drift);
    let never = report(&[f32::NAN; 500], &[f32::NAN; 60]);
    assert_eq!((never.verdict, never.p_missing, never.n, never.missing), (Verdict::Insufficient, 1.0, 0, 60));
    assert_eq!(report(&train, &[f32::NAN; 40]).verdict, Verdict::Insufficient);
}

fn category(reference: &[f32], live: &[f32]) -> FeatureReport {
    let feature = Feature { name: "c".into(), kind: Kind::Category { known: 3 } };
    state(&testing::build(vec![feature], reference), live).report().features.remove(0)
}

#[test]
fn categories_have_their_own_test() {
    let codes = |weights: [u32; 5], count: usize, seed: u64| -> Vec<f32> {
        let mut random = Random::new(seed);
        let total = f64::from(weights.iter().sum::<u32>());
        let draw = |left: f64| {
            let mut left = left * total;
            weights.iter().position(|weight| {
                left -= f64::from(*weight);
                left < 0.0
            })
        };
        (0..count).map(|_| draw(random.uniform()).unwrap_or(0) as f32).collect()
    };
    let train = codes([60, 30, 9, 1, 0], 5000, 1);
    let same = category(&train, &codes([60, 30, 9, 1, 0], 400, 2));
    assert_eq!((same.verdict, same.w1), (Verdict::None, 0.0));
    assert!(same.ks_low == same.ks_high && same.linf < 0.1, "{same:?}");
    let swapped = category(&train, &codes([30, 60, 9, 1, 0], 400, 3));
    assert_eq!(swapped.verdict, Verdict::Drift);
    assert!((swapped.linf - 0.3).abs() < 0.1 && swapped.js > 0.2);
    let unseen = category(&train, &codes([55, 28, 8, 1, 8], 400, 4));
    assert_eq!(unseen.verdict, Verdict::Drift);
    assert_eq!(category(&train, &[-7.0; 80]).p_value, category(&train, &[99.0; 80]).p_value);
}

#[test]
fn a_constant_feature_that_stays_is_quiet_and_one_that_moves_is_seen() {
    let stays = report(&[3.0; 10_000], &[3.0; 60]);
    assert_eq!((stays.psi, stays.ks_high, stays.p_value, stays.verdict), (0.0, 0.0, 1.0, Verdict::None));
    for moved in [3f32.next_up(), 3f32.next_down(), 0.0, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(report(&[3.0; 10_000], &[moved; 60]).verdict, Verdict::Drift, "{moved}");
    }
}

#[test]
fn options_out_of_range_are_refused() {
    let reference = testing::reference(&["x"], &[]);
    let sound = Options::default();
    let mut wrong = vec![];
    for bad in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
        wrong.push(Options { alpha: bad, ..sound });
    }
    for bad in [1.0, -1.0, 2e9, f64::NAN] {
        wrong.push(Options { threshold: bad, ..sound });
    }
    for bad in [-0.1, 1.1, f64::NAN] {
        wrong.push(Options { dead_zone: bad, ..sound });
    }
    wrong.extend([0, 65_536].map(|lag| Options { lag: Some(lag), ..sound }));
    for options in wrong {
        let refused = State::new(std::sync::Arc::clone(&reference), options).err().expect("refused");
        assert_eq!(refused.code, crate::Code::BadOption, "{options:?}");
    }
}

/// AR(1) of correlation .8 without drift, in windows of 256: taken for independent, tests at .01 alarm in most windows;
/// with the lag that the reference found they hold their level.
#[test]
fn correlated_rows_do_not_alarm() {
    let mut random = Random::new(41);
    let mut x = 0.0;
    let mut stream = |count: usize| -> Vec<f32> {
        let step = |_| {
            x = 0.8 * x + 0.6 * random.normal();
            x
        };
        (0..count).map(step).collect()
    };
    let reference = testing::reference(&["x"], &stream(10_000));
    assert!((8..=20).contains(&reference.lag()), "{}", reference.lag());
    let (mut naive, mut thinned) = (0, 0);
    for _ in 0..200 {
        let window = stream(256);
        thinned += u32::from(state(&reference, &window).report().features[0].verdict == Verdict::Drift);
        let options = Options { lag: Some(1), ..Options::default() };
        let mut state = State::new(std::sync::Arc::clone(&reference), options).unwrap();
        state.observe(&window).unwrap();
        naive += u32::from(state.report().features[0].verdict == Verdict::Drift);
    }
    // Four binomial deviations above .01 of 200.
    assert!(thinned <= 7 && naive >= 40, "{thinned} {naive}");
}

/// Both tests together, on 8 features without drift: a family-wise rate at most alpha. 500 windows at alpha = .05, four
/// binomial deviations above: .089.
#[test]
fn false_alarms_stay_below_alpha() {
    let mut random = Random::new(77);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut alarms = 0;
    for _ in 0..500 {
        let features = testing::numbers(&names);
        let mut builder = crate::Builder::new(features, 1, false).unwrap();
        let train = normal(&mut random, 8 * 1000, 0.0);
        builder.sample(&train).unwrap();
        builder.count(&train).unwrap();
        let reference = std::sync::Arc::new(builder.finish().unwrap());
        let options = Options { alpha: 0.05, lag: Some(1), ..Options::default() };
        let mut state = State::new(reference, options).unwrap();
        state.observe(&normal(&mut random, 8 * 200, 0.0)).unwrap();
        alarms += u32::from(state.report().features.iter().any(|f| f.verdict == Verdict::Drift));
    }
    assert!(f64::from(alarms) / 500.0 < 0.089, "{alarms} of 500");
}
