use super::*;
use crate::MISSING;

fn names(d: usize) -> Vec<String> {
    (0..d).map(|i| format!("f{i}")).collect()
}

fn sample() -> Reference {
    let rows: Vec<f32> = (0..600).map(|i| if i % 7 == 0 { f32::NAN } else { (i * i % 97) as f32 }).collect();
    Reference::build(names(3), &rows).unwrap()
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
    assert_eq!((back.hash(), back.rows(), back.names()), (reference.hash(), 200, &names(3)[..]));
}

#[test]
fn degenerate_columns_work() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    for column in [vec![], vec![3.0], vec![1.0, 2.0], vec![nan; 90], vec![0.0; 90], vec![inf; 90], vec![-inf; 90]] {
        let reference = Reference::build(names(1), &column).unwrap();
        assert_eq!(total(&reference.counts()[0]), column.len() as u64);
        assert!(Reference::from_bytes(&reference.to_bytes()).is_ok(), "{column:?}");
    }
}

#[test]
fn both_zeros_are_one_value() {
    let mixed: Vec<f32> = (0..200).map(|i| if i % 2 == 0 { 0.0 } else { -0.0 }).collect();
    let reference = Reference::build(names(1), &mixed).unwrap();
    assert_eq!(reference.hash(), Reference::build(names(1), &[0.0; 200]).unwrap().hash());
    assert!(reference.counts()[0].contains(&200));
}

#[test]
fn missing_values_fill_their_slot_only() {
    let reference = Reference::build(names(1), &[f32::NAN, 1.0, f32::NAN, 2.0]).unwrap();
    assert_eq!(reference.counts()[0][MISSING], 2);
    assert_eq!(total(&reference.counts()[0]), 4);
}

#[test]
fn names_and_shapes_are_checked() {
    let code = |names: Vec<String>, rows: &[f32]| Reference::build(names, rows).err().map(|error| error.code);
    assert_eq!(code(vec![], &[]), Some(Code::BadNames));
    assert_eq!(code(vec!["".into()], &[]), Some(Code::BadNames));
    assert_eq!(code(vec!["a".into(), "a".into()], &[]), Some(Code::BadNames));
    assert_eq!(code(vec!["a".repeat(256)], &[]), Some(Code::BadNames));
    assert_eq!(code(names(MAX_FEATURES + 1), &[]), Some(Code::BadNames));
    assert_eq!(code(names(2), &[1.0]), Some(Code::BadShape));
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
    let bytes = Reference::build(names(1), &[5.0; 10]).unwrap().to_bytes();
    let edges = 4 + 4 + 4 + 4 + 1 + 2;
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
    for edge in [f32::NAN, f32::NEG_INFINITY, -0.0, 9.0] {
        assert!(with(edges, &edge.to_le_bytes()).message.contains("edges"), "{edge}");
    }
    // The atom's bin, given away to its empty neighbour by making both edges equal.
    let last_of_atom = edges + 4 * 63;
    assert!(with(last_of_atom, &5f32.next_up().to_le_bytes()).message.contains("no width"));
}
