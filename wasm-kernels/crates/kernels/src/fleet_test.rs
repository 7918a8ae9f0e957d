use super::*;
use crate::testing::{Random, reference, state};

fn rows(random: &mut Random, count: usize, shift: f32) -> Vec<f32> {
    (0..count).flat_map(|_| [random.normal() + shift, random.normal()]).collect()
}

fn bank(reference: &Arc<Reference>) -> FleetBank {
    FleetBank::new(Arc::clone(reference), Options::default()).unwrap()
}

fn sample(random: &mut Random) -> Arc<Reference> {
    reference(&["a", "b"], &rows(random, 5000, 0.0))
}

/// A round on merged windows is the round on all of them, in any order.
#[test]
fn merged_windows_weigh_as_their_parts() {
    let mut random = Random::new(1);
    let reference = sample(&mut random);
    let windows: Vec<Vec<u8>> = (0..5).map(|_| state(&reference, &rows(&mut random, 40, 0.1)).snapshot()).collect();
    let mut merged = state(&reference, &[]);
    windows.iter().for_each(|window| merged.merge(window).unwrap());
    let mut parts: Vec<&[u8]> = windows.iter().map(Vec::as_slice).collect();
    let (mut one, mut all) = (bank(&reference), bank(&reference));
    one.step(&[&merged.snapshot()], f64::INFINITY).unwrap();
    all.step(&parts, f64::INFINITY).unwrap();
    assert_eq!(one.save(), all.save());
    parts.reverse();
    let mut reversed = bank(&reference);
    reversed.step(&parts, f64::INFINITY).unwrap();
    assert_eq!(reversed.save(), all.save());
}

/// A shift too small for any device is seen by the fleet, and named; without one there is no alarm.
#[test]
fn the_fleet_sees_what_devices_cannot() {
    let mut random = Random::new(2);
    let reference = sample(&mut random);
    let (mut still, mut moved) = (bank(&reference), bank(&reference));
    let mut rounds = 0;
    while !moved.report().alarm && rounds < 50 {
        let mut round = |shift| -> Vec<Vec<u8>> {
            (0..40).map(|_| state(&reference, &rows(&mut random, 50, shift)).snapshot()).collect()
        };
        for (bank, windows) in [(&mut still, round(0.0)), (&mut moved, round(0.2))] {
            bank.step(&windows.iter().map(Vec::as_slice).collect::<Vec<_>>(), f64::INFINITY).unwrap();
        }
        rounds += 1;
    }
    assert!(rounds < 10 && moved.report().features[0] > moved.report().features[1] + 5.0, "{rounds}");
    assert!(!still.report().alarm && still.report().log_e < 6.0, "{:?}", still.report());
}

#[test]
fn a_capped_device_does_not_outvote_the_fleet() {
    let mut random = Random::new(3);
    let reference = sample(&mut random);
    let loud = state(&reference, &rows(&mut random, 20_000, 1.0)).snapshot();
    let quiet = state(&reference, &rows(&mut random, 20, 1.0)).snapshot();
    let step = |snapshot: &[u8], cap| {
        let mut bank = bank(&reference);
        bank.step(&[snapshot], cap).unwrap();
        bank.report().log_e
    };
    assert!(step(&loud, f64::INFINITY) > 30.0);
    assert!(step(&loud, 20.0) < 10.0);
    assert_eq!(step(&quiet, 20.0), step(&quiet, f64::INFINITY));
}

#[test]
fn banks_come_back_and_refuse_what_is_not_theirs() {
    let mut random = Random::new(4);
    let reference = sample(&mut random);
    let mut bank = bank(&reference);
    let window = state(&reference, &rows(&mut random, 60, 0.5)).snapshot();
    bank.step(&[&window], 30.0).unwrap();
    let saved = bank.save();
    let mut back = FleetBank::restore(Arc::clone(&reference), &saved).unwrap();
    assert_eq!((back.save(), back.rounds(), back.report()), (saved.clone(), 1, bank.report()));
    let other = sample(&mut random);
    let foreign = state(&other, &[]).snapshot();
    assert_eq!(back.step(&[&window, &foreign], 9.0).unwrap_err().code, Code::ReferenceMismatch);
    assert_eq!(back.step(&[&window[..20]], 9.0).unwrap_err().code, Code::SnapshotMalformed);
    assert_eq!(back.step(&[&window], 0.0).unwrap_err().code, Code::BadOption);
    assert_eq!(back.save(), saved);
    assert_eq!(FleetBank::restore(other, &saved).err().map(|error| error.code), Some(Code::ReferenceMismatch));
    for length in 0..saved.len() {
        assert!(FleetBank::restore(Arc::clone(&reference), &saved[..length]).is_err());
    }
    let mut nan = saved.clone();
    nan[40..48].copy_from_slice(&f64::NAN.to_le_bytes());
    assert_eq!(FleetBank::restore(reference, &nan).err().map(|error| error.code), Some(Code::SnapshotMalformed));
}
