use super::*;
use crate::MISSING;
use crate::testing::{build, numbers, reference};
use std::sync::Arc;

/// Two numbers, one of them often missing, and a category.
fn sample() -> Arc<Reference> {
    let mut features = numbers(&["a", "b"]);
    features.push(Feature { name: "c".into(), kind: Kind::Category { known: 3 } });
    let rows = (0..200).flat_map(|i| {
        let gap = if i % 7 == 0 { f32::NAN } else { (i * 3 % 89) as f32 };
        [(i * i % 97) as f32, gap, (i % 5) as f32]
    });
    build(features, &rows.collect::<Vec<_>>())
}

fn refusal(bytes: &[u8]) -> KernelError {
    Reference::from_bytes(bytes).err().expect("refused")
}

#[test]
fn bytes_come_back_the_same() {
    let reference = sample();
    let bytes = reference.to_bytes();
    let back = Reference::from_bytes(&bytes).unwrap();
    assert_eq!(back.to_bytes(), bytes);
    assert_eq!((back.hash(), back.rows(), back.features()), (reference.hash(), 200, reference.features()));
    assert_eq!((back.lags(), back.has_joint(), back.tolerance()), (reference.lags(), true, reference.tolerance()));
}

#[test]
fn degenerate_columns_work() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    for column in [vec![], vec![3.0], vec![1.0, 2.0], vec![nan; 90], vec![0.0; 90], vec![inf; 90], vec![-inf; 90]] {
        let built = reference(&["x"], &column);
        assert_eq!(total(&built.counts()[0]), column.len() as u64);
        assert!(Reference::from_bytes(&built.to_bytes()).is_ok(), "{column:?}");
    }
}

#[test]
fn both_zeros_are_one_value() {
    let mixed: Vec<f32> = (0..200).map(|i| if i % 2 == 0 { 0.0 } else { -0.0 }).collect();
    let built = reference(&["x"], &mixed);
    assert_eq!(built.hash(), reference(&["x"], &[0.0; 200]).hash());
    assert!(built.counts()[0].contains(&200));
}

#[test]
fn missing_values_fill_their_slot_only() {
    let built = reference(&["x"], &[f32::NAN, 1.0, f32::NAN, 2.0]);
    assert_eq!(built.counts()[0][MISSING], 2);
    assert_eq!(total(&built.counts()[0]), 4);
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let bytes = sample().to_bytes();
    for length in 0..bytes.len() {
        assert_eq!(refusal(&bytes[..length]).code, Code::ReferenceMalformed);
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(refusal(&longer).message.contains("follow"));
}

/// A flipped bit is refused, or read as another reference with a hash of its own: never a panic, never a mix-up.
#[test]
fn flipped_bits_never_pass_for_the_original() {
    let reference = sample();
    let bytes = reference.to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut hostile = bytes.clone();
        hostile[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = Reference::from_bytes(&hostile) {
            assert_eq!(read.to_bytes(), hostile);
            assert_ne!(read.hash(), reference.hash());
        }
    }
}

#[test]
fn planted_lies_are_named() {
    let bytes = reference(&["f0"], &[5.0; 10]).to_bytes();
    let lag = 4 + 4 + 4 + 4 + 1 + 2 + 1;
    let edges = lag + 2;
    let with = |at: usize, value: &[u8]| {
        let mut hostile = bytes.clone();
        hostile[at..at + value.len()].copy_from_slice(value);
        refusal(&hostile)
    };
    assert!(with(0, b"JUNK").message.contains("magic"));
    assert_eq!(with(4, &9u32.to_le_bytes()).code, Code::AbiMismatch);
    assert!(with(8, &u32::MAX.to_le_bytes()).message.contains("too many"));
    assert!(with(12, &11u32.to_le_bytes()).message.contains("add up"));
    assert!(with(17, &[0xff, 0xfe]).message.contains("UTF-8"));
    assert!(with(lag - 1, &[2]).message.contains("neither a number"));
    assert!(with(lag, &[0, 0]).message.contains("no lag"));
    for edge in [f32::NAN, f32::NEG_INFINITY, -0.0, 9.0] {
        assert!(with(edges, &edge.to_le_bytes()).message.contains("edges"), "{edge}");
    }
    // The atom's bin, given away to its empty neighbour by making both edges equal.
    let last_of_atom = edges + 4 * 63;
    assert!(with(last_of_atom, &5f32.next_up().to_le_bytes()).message.contains("no width"));
    assert!(with(bytes.len() - 1, &[2]).message.contains("joint part"));
}

/// Moments, scales and sums that no rows can have had, in the last bytes of a reference: three traces of eight bytes.
#[test]
fn planted_lies_about_the_joint_part_are_named() {
    let bytes = sample().to_bytes();
    for trace in 1..=3 {
        for lie in [f64::NAN, -1.0, 0.0, 1e300, f64::INFINITY] {
            let mut hostile = bytes.clone();
            let at = bytes.len() - 8 * trace;
            hostile[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            assert_eq!(refusal(&hostile).code, Code::ReferenceMalformed, "{trace} {lie}");
        }
    }
}
