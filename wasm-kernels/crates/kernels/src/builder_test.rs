use super::*;
use crate::features::{MAX_FEATURES, MAX_KNOWN};
use crate::testing::{Random, build, numbers};

fn rows(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..2 * count).map(|_| random.normal()).collect()
}

#[test]
fn batches_make_no_difference() {
    let rows = rows(1, 5000);
    let whole = build(numbers(&["a", "b"]), &rows).to_bytes();
    let mut builder = Builder::new(numbers(&["a", "b"]), 1, true).unwrap();
    rows.chunks(2 * 17).for_each(|batch| builder.sample(batch).unwrap());
    rows.chunks(2 * 1009).for_each(|batch| builder.count(batch).unwrap());
    assert_eq!(builder.finish().unwrap().to_bytes(), whole);
}

/// More rows than the sample holds: bins are as even as the sample is good, and counts are exact.
#[test]
fn long_streams_are_counted_whole() {
    let rows = rows(2, 150_000);
    let reference = build(numbers(&["a", "b"]), &rows);
    assert_eq!((reference.rows(), reference.lag()), (150_000, 1));
    for counts in reference.counts() {
        assert_eq!(crate::counts::total(counts), 150_000);
        assert!(counts[..128].iter().all(|count| (900..1500).contains(count)), "{counts:?}");
    }
}

#[test]
fn passes_over_other_rows_are_refused() {
    let seen = rows(3, 60);
    let begun = || {
        let mut builder = Builder::new(numbers(&["a", "b"]), 1, true).unwrap();
        builder.sample(&seen).unwrap();
        builder
    };
    let code = |result: Result<Reference, KernelError>| result.err().map(|error| error.code);
    assert_eq!(code(begun().finish()), Some(Code::PassesDiffer));
    let mut fewer = begun();
    fewer.count(&seen[2..]).unwrap();
    assert_eq!(fewer.sample(&seen).unwrap_err().code, Code::PassesDiffer);
    assert_eq!(code(fewer.finish()), Some(Code::PassesDiffer));
    let mut more = begun();
    more.count(&seen).unwrap();
    assert_eq!(more.count(&seen[..2]).unwrap_err().code, Code::PassesDiffer);
    let mut turned = begun();
    turned.count(&[&seen[2..], &seen[..2]].concat()).unwrap();
    assert_eq!(code(turned.finish()), Some(Code::PassesDiffer));
    let mut same = begun();
    same.count(&seen).unwrap();
    assert_eq!(code(same.finish()), None);
}

#[test]
fn features_and_shapes_are_checked() {
    let code = |features| Builder::new(features, 1, true).err().map(|error| error.code);
    let many: Vec<String> = (0..=MAX_FEATURES).map(|i| format!("f{i}")).collect();
    let long = "a".repeat(256);
    for names in [&[][..], &[""], &["a", "a"], &[&long], &many.iter().map(String::as_str).collect::<Vec<_>>()] {
        assert_eq!(code(numbers(names)), Some(Code::BadFeatures));
    }
    let wide = Feature { name: "c".into(), kind: Kind::Category { known: MAX_KNOWN + 1 } };
    assert_eq!(code(vec![wide]), Some(Code::BadFeatures));
    let mut builder = Builder::new(numbers(&["a", "b"]), 1, true).unwrap();
    assert_eq!(builder.sample(&[1.0]).unwrap_err().code, Code::BadShape);
    assert_eq!(builder.count(&[1.0]).unwrap_err().code, Code::BadShape);
}

#[test]
fn the_joint_part_is_left_out_where_it_can_say_nothing() {
    let joint = |names: &[&str], rows: &[f32]| build(numbers(names), rows).has_joint();
    assert!(joint(&["a", "b"], &rows(4, 100)));
    assert!(!joint(&["a", "b"], &rows(4, 49)));
    assert!(!joint(&["a"], &[f32::NAN; 500]));
    assert!(!joint(&["a"], &[3.0; 500]));
    // One column that is often missing does not keep the other out.
    let gaps: Vec<f32> = rows(5, 400)
        .chunks(2)
        .enumerate()
        .flat_map(|(i, row)| [row[0], if i % 3 == 0 { f32::NAN } else { row[1] }])
        .collect();
    assert!(joint(&["a", "b"], &gaps));
}
