use super::*;
use crate::State;
use crate::testing::Random;
use std::sync::Arc;

fn normal(random: &mut Random, count: usize, shift: f32) -> Vec<f32> {
    (0..count).map(|_| random.normal() + shift).collect()
}

fn report(reference: &[f32], live: &[f32]) -> FeatureReport {
    let reference = Arc::new(Reference::build(vec!["x".into()], reference).unwrap());
    let mut state = State::new(reference);
    state.observe(live).unwrap();
    state.report(0.01).unwrap().remove(0)
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
    assert_eq!(report(&[f32::NAN; 500], &[2.0; 500]).verdict, Verdict::Insufficient);
    let missing = report(&[1.0; 100], &[f32::NAN; 500]);
    assert_eq!((missing.n, missing.missing, missing.verdict), (0, 500, Verdict::Insufficient));
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
fn alpha_must_be_a_probability() {
    let reference = Arc::new(Reference::build(vec!["x".into()], &[]).unwrap());
    let state = State::new(reference);
    for alpha in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(state.report(alpha).unwrap_err().code, crate::Code::BadAlpha);
    }
}

/// Both tests together, on 8 features without drift: a family-wise rate at most alpha. 500 windows at alpha = .05, four
/// binomial deviations above: .089.
#[test]
fn false_alarms_stay_below_alpha() {
    let mut random = Random::new(77);
    let names: Vec<String> = (0..8).map(|i| format!("f{i}")).collect();
    let mut alarms = 0;
    for _ in 0..500 {
        let reference = Arc::new(Reference::build(names.clone(), &normal(&mut random, 8 * 1000, 0.0)).unwrap());
        let mut state = State::new(reference);
        state.observe(&normal(&mut random, 8 * 200, 0.0)).unwrap();
        alarms += u32::from(state.report(0.05).unwrap().iter().any(|f| f.verdict == Verdict::Drift));
    }
    assert!(f64::from(alarms) / 500.0 < 0.089, "{alarms} of 500");
}
