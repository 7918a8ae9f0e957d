use super::*;

const EVEN: [u64; CELLS] = [625, 625, 625, 625, 625, 625, 625, 625, 625, 625, 625, 625, 625, 625, 625, 625, 0];

fn shapes() -> Vec<[u64; CELLS]> {
    let mut constant = [0; CELLS];
    constant[8] = 10_000;
    let mut lopsided = [0; CELLS];
    lopsided[..5].copy_from_slice(&[9000, 900, 90, 9, 1]);
    let mut gappy = EVEN;
    gappy[16] = 3000;
    let mut all_missing = [0; CELLS];
    all_missing[16] = 5000;
    vec![EVEN, constant, lopsided, gappy, all_missing, [0; CELLS]]
}

fn smoothed(counts: &[u64; CELLS]) -> [f64; CELLS] {
    let total: u64 = counts.iter().sum();
    counts.map(|count| (count as f64 + 0.5) / (total as f64 + 8.5))
}

/// Under the reference each bet loses at most: expectation 1 or less, and never everything.
#[test]
fn bets_are_fair_under_the_reference_and_within_its_tolerance() {
    for counts in shapes() {
        let total = counts.iter().sum();
        for dead_zone in [0.0, 0.05] {
            let known = Knowledge::new(16, total, 1, dead_zone);
            let (p, table) = (smoothed(&counts), factors(&counts, &known));
            for bet in 0..BETS {
                let mean: f64 = p.iter().zip(&table).map(|(p, factors)| p * factors[bet]).sum();
                assert!(mean <= 1.0 + 1e-9, "{counts:?}, bet {bet}: {mean}");
                assert!(table.iter().all(|factors| factors[bet] > 0.0 && factors[bet].is_finite()));
            }
        }
    }
}

#[test]
fn contrasts_are_orthonormal() {
    for counts in shapes() {
        let p = smoothed(&counts);
        let h = contrasts(&p);
        let dot = |a: &[f64; CELLS], b: &[f64; CELLS]| -> f64 { (0..CELLS).map(|j| p[j] * a[j] * b[j]).sum() };
        for i in 0..3 {
            assert!(dot(&h[i], &[1.0; CELLS]).abs() < 1e-9, "{counts:?}");
            for j in 0..3 {
                let want = f64::from(u8::from(i == j));
                assert!((dot(&h[i], &h[j]) - want).abs() < 1e-9, "{counts:?} {i} {j}");
            }
        }
    }
}

/// The figures of the specification: about .14 for a thousand rows, .045 for ten, .014 for a hundred thousand.
#[test]
fn tolerance_shrinks_with_the_reference_and_keeps_its_dead_zone() {
    let tolerance = |rows, lag, dead_zone| Knowledge::new(16, rows, lag, dead_zone).tolerance(0.0);
    assert!((tolerance(1000, 1, 0.0) - 0.143).abs() < 0.001);
    assert!((tolerance(10_000, 1, 0.0) - 0.045).abs() < 0.001);
    assert!((tolerance(100_000, 1, 0.0) - 0.0143).abs() < 0.001);
    assert_eq!(tolerance(100_000, 1, 0.05), 0.05);
    assert_eq!(tolerance(50_000, 5, 0.0), tolerance(10_000, 1, 0.0));
    assert_eq!(tolerance(0, 1, 0.0), MOST);
}

/// A share that was estimated too low by what chance allows must not feed a bet. Poisson(3.9) is 0 once in fifty.
#[test]
fn a_cell_that_the_reference_happened_to_miss_is_no_evidence() {
    let known = Knowledge::new(16, 10_000, 1, 0.0);
    let table = factors(&EVEN, &known);
    for bet in 0..BETS {
        for missing in [1e-4, 3.9e-4, 1e-3] {
            let mean =
                missing * table[16][bet] + (1.0 - missing) / 16.0 * table[..16].iter().map(|t| t[bet]).sum::<f64>();
            assert!(mean <= 1.0 + 1e-9, "bet {bet}: {mean}");
        }
    }
}
