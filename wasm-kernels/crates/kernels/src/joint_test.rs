use crate::testing::{Random, build, numbers, reference, state};
use crate::{Feature, JointReport, Kind, Reference};
use std::sync::Arc;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Rows of four normal numbers, the first two correlated by `rho`.
fn rows(random: &mut Random, count: usize, rho: f32) -> Vec<f32> {
    let row = |_| {
        let [a, b, c, d] = std::array::from_fn(|_| random.normal());
        [a, rho * a + (1.0 - rho * rho).sqrt() * b, c, 10.0 * d]
    };
    (0..count).flat_map(row).collect()
}

fn joint(reference: &Arc<Reference>, rows: &[f32]) -> JointReport {
    state(reference, rows).report().joint.expect("a joint part")
}

/// Rejections at 5 % without drift, .03 to .06 measured: four binomial deviations around that.
#[test]
fn the_test_holds_its_size() {
    let mut random = Random::new(6);
    let reference = reference(&NAMES, &rows(&mut random, 5000, 0.5));
    for n in [32, 256] {
        let rejected = (0..600).filter(|_| joint(&reference, &rows(&mut random, n, 0.5)).p < 0.05).count();
        let rate = rejected as f64 / 600.0;
        assert!((0.012..0.095).contains(&rate), "n = {n}: {rate}");
    }
}

/// Every feature by itself is as before: only together they are not.
#[test]
fn a_changed_correlation_is_seen() {
    let mut random = Random::new(7);
    let reference = reference(&NAMES, &rows(&mut random, 5000, 0.0));
    let report = state(&reference, &rows(&mut random, 500, 0.9)).report();
    assert!(report.joint.expect("a joint part").p < 1e-4, "{report:?}");
    assert!(report.features.iter().all(|f| f.verdict != crate::Verdict::Drift));
}

#[test]
fn rows_with_gaps_are_left_out_and_told() {
    let mut random = Random::new(8);
    let reference = reference(&NAMES, &rows(&mut random, 1000, 0.0));
    let whole = rows(&mut random, 40, 0.0);
    let mut gappy = whole.clone();
    for gap in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        gappy.extend([1.0, gap, 2.0, 3.0]);
    }
    let (clean, skipping) = (joint(&reference, &whole), joint(&reference, &gappy));
    assert_eq!(skipping, JointReport { skipped: 3, ..clean });
    assert_eq!(state(&reference, &[f32::NAN; 4]).report().joint, None);
    assert_eq!(state(&reference, &[]).report().joint, None);
}

#[test]
fn extreme_numbers_stay_numbers() {
    let mut random = Random::new(9);
    let reference = reference(&NAMES, &rows(&mut random, 1000, 0.0));
    let far = joint(&reference, &[f32::MAX, f32::MIN, 1e-45, -1e30].repeat(60));
    assert!(far.statistic.is_finite() && far.p < 1e-9, "{far:?}");
    let wild = [f32::MAX, 0.0, f32::MIN, 1e-45, 1.0, -0.0].repeat(100);
    assert!(crate::testing::reference(&NAMES[..2], &wild).has_joint());
}

#[test]
fn categories_take_part() {
    let mut random = Random::new(10);
    let features = || {
        let mut features = numbers(&["x"]);
        features.push(Feature { name: "c".into(), kind: Kind::Category { known: 4 } });
        features
    };
    // The category follows the sign of the number, or its opposite: each by itself is unchanged.
    let mut draw = |count: usize, follows: bool| -> Vec<f32> {
        let row = |_| {
            let x = random.normal();
            [x, if (x > 0.0) == follows { 1.0 } else { 0.0 }]
        };
        (0..count).flat_map(row).collect()
    };
    let reference = build(features(), &draw(2000, true));
    assert!(joint(&reference, &draw(200, true)).p > 1e-3);
    assert!(joint(&reference, &draw(200, false)).p < 1e-9);
}
