use super::*;
use crate::testing::{self, Random, state};
use crate::{MAX_ROWS, MISSING};

fn reference(rows: &[f32]) -> Arc<Reference> {
    testing::reference(&["a", "b"], rows)
}

fn fresh(reference: &Arc<Reference>) -> State {
    state(reference, &[])
}

fn rows(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..2 * count).map(|i| if i % 23 == 0 { f32::NAN } else { random.normal() }).collect()
}

#[test]
fn merging_equals_one_pass_in_any_order() {
    let reference = reference(&rows(1, 500));
    let parts = [rows(2, 100), rows(3, 1), rows(4, 333)];
    let whole = state(&reference, &parts.concat()).snapshot();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut merged = fresh(&reference);
        order.iter().for_each(|&i| merged.merge(&state(&reference, &parts[i]).snapshot()).unwrap());
        assert_eq!(merged.snapshot(), whole);
    }
}

/// Saved at any row, a state goes on as if nothing had been: window, bank, thinning and correlation.
#[test]
fn a_restored_state_goes_on() {
    let reference = reference(&rows(1, 500));
    let stream = rows(5, 300);
    for lag in [None, Some(3), Some(7)] {
        let options = Options { alpha: 0.05, threshold: 50.0, dead_zone: 0.01, lag };
        let mut whole = State::new(Arc::clone(&reference), options).unwrap();
        let mut broken = State::new(Arc::clone(&reference), options).unwrap();
        for (i, batch) in stream.chunks(2 * 37).enumerate() {
            whole.observe(batch).unwrap();
            broken.observe(batch).unwrap();
            broken = State::restore(Arc::clone(&reference), &broken.save()).unwrap();
            if i % 3 == 2 {
                whole.roll();
                broken.roll();
            }
            assert_eq!((broken.report(), broken.save()), (whole.report(), whole.save()));
        }
    }
}

#[test]
fn a_new_window_begins_empty_and_the_bank_goes_on() {
    let reference = reference(&rows(1, 500));
    let mut state = state(&reference, &[9.0, 9.0].repeat(200));
    let before = state.report();
    assert!(before.alarm && before.log_e > 10.0 && before.features[0].lag1 == 0.0);
    state.roll();
    let after = state.report();
    assert_eq!((after.rows, after.log_e, after.alarm), (0, before.log_e, false));
    assert_eq!(state.snapshot(), fresh(&reference).snapshot());
    // Still far above its threshold, it alarms at the next row.
    state.observe(&[9.0, 9.0]).unwrap();
    assert!(state.report().alarm);
}

/// The bank sees every lag-th row, and the counts see all.
#[test]
fn the_bank_is_thinned() {
    let reference = reference(&rows(1, 500));
    let options = |lag| Options { lag: Some(lag), ..Options::default() };
    let stream = rows(7, 60);
    let mut thinned = State::new(Arc::clone(&reference), options(5)).unwrap();
    // Batches must not matter.
    stream.chunks(2 * 7).for_each(|batch| thinned.observe(batch).unwrap());
    let every_fifth: Vec<f32> = stream.chunks(10).flat_map(|five| five[..2].to_vec()).collect();
    let factors = BankFactors::new(reference.factors(0.05, Some(5)));
    let mut bank = Bank::new(2);
    for row in every_fifth.chunks(2) {
        for (f, x) in row.iter().enumerate() {
            let slot = reference.searches()[f].slot(*x);
            bank.step(&factors, f, reference.cells()[f][slot]);
        }
    }
    assert_eq!(thinned.bank.log_evidence(), bank.log_evidence());
    assert_eq!((thinned.rows(), bank.sum()), (60, thinned.bank.sum()));
}

#[test]
fn neighbours_are_correlated_by_what_they_share() {
    let mut random = Random::new(3);
    let train: Vec<f32> = (0..4000).map(|_| random.normal()).collect();
    let reference = reference(&train);
    let (mut x, mut stream) = (0.0f32, Vec::new());
    for _ in 0..4000 {
        x = 0.8 * x + 0.6 * random.normal();
        stream.extend([x, random.normal()]);
    }
    let report = state(&reference, &stream).report();
    let [moving, still] = [0, 1].map(|f| report.features[f].lag1);
    assert!((moving - 0.8).abs() < 0.06 && still.abs() < 0.06, "{moving} {still}");
    let stays = state(&reference, &[1.0, f32::NAN].repeat(50)).report();
    assert_eq!([stays.features[0].lag1, stays.features[1].lag1], [0.0, 0.0]);
}

#[test]
fn counters_saturate() {
    let reference = reference(&[1.0, 1.0, 1.0, 1.0]);
    let mut full = state(&reference, &[1.0, f32::NAN]);
    full.window.counts[0][64] = u32::MAX - 1;
    full.window.counts[1][MISSING] = u32::MAX - 1;
    (full.window.rows, full.window.rows_missing) = (u64::from(u32::MAX) - 1, u64::from(u32::MAX) - 1);
    let nearly = full.snapshot();
    full.observe(&[1.0, f32::NAN, 1.0, f32::NAN, 1.0, f32::NAN]).unwrap();
    assert_eq!((full.window.counts[0][64], full.window.counts[1][MISSING]), (u32::MAX, u32::MAX));
    assert_eq!(full.rows(), u64::from(u32::MAX) + 2);
    full.merge(&nearly).unwrap();
    assert_eq!(full.window.counts[0][64], u32::MAX);
    let rows = full.rows();
    let again = State::restore(reference, &full.save()).unwrap();
    assert_eq!((again.rows(), again.report().features[0].ks_low), (rows, 0.0));
}

#[test]
fn rows_stay_at_their_limit() {
    let reference = reference(&[]);
    let mut full = fresh(&reference);
    full.window.add_rows(MAX_ROWS, 0);
    full.window.add_rows(7, 3);
    assert_eq!((full.rows(), full.window.rows_missing), (MAX_ROWS, 3));
}

#[test]
fn half_a_row_is_refused_whole() {
    let mut state = fresh(&reference(&[]));
    assert_eq!(state.observe(&[1.0, 2.0, 3.0]).unwrap_err().code, Code::BadShape);
    assert_eq!(state.rows(), 0);
    state.observe(&[]).unwrap();
    assert_eq!(state.rows(), 0);
}

#[test]
fn foreign_snapshots_are_refused_and_change_nothing() {
    let mine = reference(&rows(1, 500));
    let mut state = state(&mine, &rows(2, 9));
    let before = state.snapshot();
    let foreign = fresh(&reference(&rows(9, 500))).snapshot();
    assert_eq!(state.merge(&foreign).unwrap_err().code, Code::ReferenceMismatch);
    let mut other_abi = before.clone();
    other_abi[4] ^= 2;
    assert_eq!(state.merge(&other_abi).unwrap_err().code, Code::AbiMismatch);
    for length in 0..before.len() {
        assert_eq!(state.merge(&before[..length]).unwrap_err().code, Code::SnapshotMalformed);
    }
    assert!(state.merge(&[&before[..], &[0]].concat()).unwrap_err().message.contains("follow"));
    assert_eq!(state.snapshot(), before);
}

/// Flipping any one bit of the counts breaks the packing, the sums or the header; a joint sum may read as another.
#[test]
fn flipped_bits_are_refused_or_read_as_they_are() {
    let reference = reference(&rows(1, 500));
    let bytes = state(&reference, &rows(2, 60)).snapshot();
    for bit in 16 * 8..bytes.len() * 8 {
        let mut hostile = bytes.clone();
        hostile[bit / 8] ^= 1 << (bit % 8);
        match Window::from_bytes(&reference, &hostile) {
            Ok(window) => assert_eq!(window.to_bytes(&reference), hostile),
            Err(error) => assert_eq!(error.code, Code::SnapshotMalformed),
        }
    }
}

/// Whatever single bit of a saved state is flipped, it is refused, or is the one spelling of another state.
#[test]
fn saved_states_are_read_as_what_they_say_or_not_at_all() {
    let reference = reference(&rows(1, 500));
    let bytes = state(&reference, &rows(2, 60)).save();
    for length in 0..bytes.len() {
        assert!(State::restore(Arc::clone(&reference), &bytes[..length]).is_err());
    }
    for bit in 0..bytes.len() * 8 {
        let mut hostile = bytes.clone();
        hostile[bit / 8] ^= 1 << (bit % 8);
        if let Ok(state) = State::restore(Arc::clone(&reference), &hostile) {
            assert_eq!(state.save(), hostile, "bit {bit}");
        }
    }
}

#[test]
fn a_window_of_a_thousand_rows_fits_the_wire() {
    let mut random = Random::new(8);
    let names: Vec<String> = (0..16).map(|i| format!("feature {i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let train: Vec<f32> = (0..16 * 10_000).map(|_| random.normal()).collect();
    let reference = testing::reference(&names, &train);
    assert!(reference.has_joint() && reference.lag() == 1);
    let size = reference.to_bytes().len();
    assert!(size < 16 * 700 + 1000, "{size}");
    let live: Vec<f32> = (0..16 * 1000).map(|_| random.normal()).collect();
    let bytes = state(&reference, &live).snapshot().len();
    assert!(bytes < 2048, "{bytes}");
}

/// The average run length without drift, with the reference taken for the truth, independent rows: at a nominal 500 the
/// bank alarms after 500 or later on average. 60 streams of up to 2,000 rows; few alarm at all.
#[test]
fn false_alarms_are_as_rare_as_promised() {
    let mut random = Random::new(31);
    let train: Vec<f32> = (0..2 * 5000).map(|_| random.normal()).collect();
    let reference = reference(&train);
    let options = Options { threshold: 500.0, lag: Some(1), ..Options::default() };
    let (mut rows, mut alarms) = (0u32, 0u32);
    for _ in 0..60 {
        let mut state = State::new(Arc::clone(&reference), options).unwrap();
        for _ in 0..40 {
            let batch: Vec<f32> = (0..2 * 50).map(|_| random.normal()).collect();
            state.observe(&batch).unwrap();
            rows += 50;
            if state.report().alarm {
                alarms += 1;
                break;
            }
        }
    }
    assert!(f64::from(rows) / f64::from(alarms.max(1)) >= 500.0, "{alarms} in {rows} rows");
}

/// What the specification measured: a shift of one deviation in one of 16 features is seen within some 70 rows, a
/// quarter within some 800, at an average run length of a million and a reference of ten thousand rows.
#[test]
fn drift_is_seen_in_time() {
    let mut random = Random::new(12);
    let names: Vec<String> = (0..16).map(|i| format!("f{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let train: Vec<f32> = (0..16 * 10_000).map(|_| random.normal()).collect();
    let reference = testing::reference(&names, &train);
    for (shift, most) in [(1.0, 100), (0.25, 1200)] {
        let mut delays: Vec<u32> = (0..15)
            .map(|_| {
                let mut state = fresh(&reference);
                let mut rows = 0;
                while !state.report().alarm && rows < 5000 {
                    let mut batch: Vec<f32> = (0..16 * 10).map(|_| random.normal()).collect();
                    batch.iter_mut().skip(5).step_by(16).for_each(|x| *x += shift);
                    state.observe(&batch).unwrap();
                    rows += 10;
                }
                assert_eq!(state.report().top(), 5);
                rows
            })
            .collect();
        delays.sort_unstable();
        assert!(delays[7] < most, "{shift}: {delays:?}");
    }
}
