use super::*;
use crate::testing::Random;

fn reference(rows: &[f32]) -> Arc<Reference> {
    Arc::new(Reference::build(vec!["a".into(), "b".into()], rows).unwrap())
}

fn rows(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..2 * count).map(|i| if i % 23 == 0 { f32::NAN } else { random.normal() }).collect()
}

fn state(reference: &Arc<Reference>, rows: &[f32]) -> State {
    let mut state = State::new(Arc::clone(reference));
    state.observe(rows).unwrap();
    state
}

#[test]
fn merging_equals_one_pass_in_any_order() {
    let reference = reference(&rows(1, 500));
    let parts = [rows(2, 100), rows(3, 1), rows(4, 333)];
    let whole = state(&reference, &parts.concat()).snapshot();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut merged = State::new(Arc::clone(&reference));
        order.iter().for_each(|&i| merged.merge(&state(&reference, &parts[i]).snapshot()).unwrap());
        assert_eq!(merged.snapshot(), whole);
    }
}

#[test]
fn a_restored_state_goes_on() {
    let reference = reference(&rows(1, 500));
    let first = state(&reference, &rows(5, 40));
    let mut back = State::restore(Arc::clone(&reference), &first.snapshot()).unwrap();
    assert_eq!((back.rows(), back.rows_missing()), (40, first.rows_missing()));
    back.observe(&rows(6, 2)).unwrap();
    assert_eq!(back.rows(), 42);
    back.reset();
    assert_eq!(back.snapshot(), State::new(reference).snapshot());
}

#[test]
fn counters_saturate() {
    let reference = reference(&[1.0, 1.0, 1.0, 1.0]);
    let mut full = state(&reference, &[1.0, f32::NAN]);
    full.counts[0][64] = u32::MAX - 1;
    full.counts[1][MISSING] = u32::MAX - 1;
    (full.rows, full.rows_missing) = (u64::from(u32::MAX) - 1, u64::from(u32::MAX) - 1);
    let nearly = full.snapshot();
    full.observe(&[1.0, f32::NAN, 1.0, f32::NAN, 1.0, f32::NAN]).unwrap();
    assert_eq!((full.counts[0][64], full.counts[1][MISSING]), (u32::MAX, u32::MAX));
    assert_eq!(full.rows(), u64::from(u32::MAX) + 2);
    full.merge(&nearly).unwrap();
    assert_eq!(full.counts[0][64], u32::MAX);
    let rows = full.rows();
    let again = State::restore(reference, &full.snapshot()).unwrap();
    assert_eq!((again.rows(), again.report(0.01).unwrap()[0].ks_low), (rows, 0.0));
}

#[test]
fn rows_stay_at_their_limit() {
    let reference = reference(&[]);
    let mut full = State::new(reference);
    full.add_rows(MAX_ROWS, 0);
    full.add_rows(7, 3);
    assert_eq!((full.rows(), full.rows_missing()), (MAX_ROWS, 3));
}

#[test]
fn half_a_row_is_refused_whole() {
    let mut state = State::new(reference(&[]));
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
    let foreign = State::new(reference(&rows(9, 500))).snapshot();
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

/// Flipping any one bit breaks the packing, the sums or the header: a snapshot has redundancy enough to notice.
#[test]
fn flipped_bits_are_refused() {
    let reference = reference(&rows(1, 500));
    let bytes = state(&reference, &rows(2, 60)).snapshot();
    for bit in 32 * 8..bytes.len() * 8 {
        let mut hostile = bytes.clone();
        hostile[bit / 8] ^= 1 << (bit % 8);
        assert!(State::restore(Arc::clone(&reference), &hostile).is_err(), "bit {bit}");
    }
}

#[test]
fn a_window_of_a_thousand_rows_fits_the_wire() {
    let mut random = Random::new(8);
    let names: Vec<String> = (0..16).map(|i| format!("feature {i}")).collect();
    let train: Vec<f32> = (0..16 * 10_000).map(|_| random.normal()).collect();
    let reference = Arc::new(Reference::build(names, &train).unwrap());
    assert!(reference.to_bytes().len() < 16 * 700);
    let live: Vec<f32> = (0..16 * 1000).map(|_| random.normal()).collect();
    let bytes = state(&reference, &live).snapshot().len();
    assert!(bytes < 2000, "{bytes}");
}
