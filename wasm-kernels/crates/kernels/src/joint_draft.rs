//! Chooses the parameters of a reference's joint part from a sample of its rows: scales, bandwidth and null moments.

use crate::features::{Feature, Kind};
use crate::joint::{SIGMAS, Sums, usable};
use crate::random::Random;
use crate::rff::{ONE, Projection, SUMS, Scaling, Term, WAVES, distance2};
use crate::search::Search;

/// Rows that the null moments are estimated from.
const MOMENT_ROWS: usize = 2048;

/// Pairs of rows whose median distance is the bandwidth.
const PAIRS: u64 = 1024;

/// Fewer rows than this can be no reference for all features at once.
const LEAST_ROWS: usize = 50;

/// All of a joint part but the sums over all rows.
pub(crate) struct Draft {
    pub seed: u32,
    pub sigma: f32,
    pub scalings: Vec<Scaling>,
    pub traces: [f64; 3],
    pub projection: Projection,
}

/// `sample`: row-major. None where there are too few whole rows, or where they are all the same.
pub(crate) fn draft(features: &[Feature], searches: &[Search], sample: &[f32], seed: u32) -> Option<Draft> {
    let d = features.len();
    let scalings: Vec<Scaling> = (0..d).map(|f| scaling(features[f].kind, sample, f, d)).collect();
    if scalings.iter().all(|scaling| *scaling == Scaling::Out) {
        return None;
    }
    let unscaled = Projection::new(features, &scalings, seed, 1.0);
    let mut slots = vec![0; d];
    let mut terms_of = |projection: &Projection, row: &[f32]| {
        for ((slot, search), x) in slots.iter_mut().zip(searches).zip(row) {
            *slot = search.slot(*x) as u8;
        }
        let mut terms = Vec::new();
        projection.terms(row, &slots, &mut terms).then_some(terms)
    };
    // Evenly out of the sample, which may still lie in the order of time.
    let step = (sample.len() / d).div_ceil(MOMENT_ROWS).max(1);
    let rows = sample.chunks_exact(d).step_by(step);
    let terms: Vec<Vec<Term>> = rows.filter_map(|row| terms_of(&unscaled, row)).collect();
    if terms.len() < LEAST_ROWS {
        return None;
    }
    let sigma = bandwidth(&terms, seed);
    let projection = Projection::new(features, &scalings, seed, sigma);
    let traces = traces(&projection, &terms)?;
    Some(Draft { seed, sigma, scalings, traces, projection })
}

/// Numbers are centred on their median and scaled by half of what two thirds of them span; a column missing or infinite
/// in over a tenth of the rows stays out, or most rows would.
fn scaling(kind: Kind, sample: &[f32], feature: usize, d: usize) -> Scaling {
    let column = || sample.iter().skip(feature).step_by(d).copied();
    let known = |x: &f32| if kind == Kind::Number { x.is_finite() } else { !x.is_nan() };
    let mut values: Vec<f32> = column().filter(known).collect();
    if values.is_empty() || values.len() * 10 < sample.len() / d * 9 {
        return Scaling::Out;
    }
    if kind != Kind::Number {
        return Scaling::Category;
    }
    values.sort_unstable_by(f32::total_cmp);
    let quantile = |share: f64| f64::from(values[((values.len() - 1) as f64 * share) as usize]);
    let center = quantile(0.5);
    let n = values.len() as f64;
    let deviation =
        || (values.iter().map(|x| (f64::from(*x) - center) * (f64::from(*x) - center)).sum::<f64>() / n).sqrt();
    // Most of the values may be one: then all of them have a say, and of a constant its size.
    let candidates = [(quantile(0.84) - quantile(0.16)) / 2.0, deviation(), center.abs().max(1.0)];
    let scale = candidates.into_iter().find(|scale| *scale > 0.0).unwrap_or(1.0);
    let inverse = (1.0 / scale).clamp(f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX));
    Scaling::Number { center: center as f32, inverse: inverse as f32 }
}

/// The median distance of two rows; if most are the same, the mean.
fn bandwidth(terms: &[Vec<Term>], seed: u32) -> f32 {
    let mut random = Random::new(!seed);
    let mut draw = || &terms[random.below(terms.len() as u64) as usize];
    let mut distances: Vec<f64> = (0..PAIRS).map(|_| distance2(draw(), draw()).sqrt()).collect();
    distances.sort_unstable_by(f64::total_cmp);
    let median = distances[distances.len() / 2];
    let sigma = if median > 0.0 { median } else { distances.iter().sum::<f64>() / PAIRS as f64 };
    (sigma as f32).clamp(SIGMAS[0], SIGMAS[1])
}

/// tr Σ, tr Σ², tr Σ³ of the covariance of one row's features, without what estimating Σ from s rows adds on average:
/// to the second t₁²/s, to the third 3t₁t₂/s + t₁³/s².
fn traces(projection: &Projection, terms: &[Vec<Term>]) -> Option<[f64; 3]> {
    let rows = terms.len() as f64;
    let mut products = vec![[0i32; SUMS]; SUMS];
    let mut sums = Sums::default();
    for terms in terms {
        let mut one = [0; SUMS];
        projection.add(terms, &mut one);
        sums.add(projection, terms);
        for (products, a) in products.iter_mut().zip(one) {
            products.iter_mut().zip(one).for_each(|(product, b)| *product += a * b);
        }
    }
    let unit = (ONE * ONE) as f64 * WAVES as f64;
    let mean = sums.totals().map(|sum| sum as f64 / rows);
    let covariance: Vec<[f64; SUMS]> = products
        .iter()
        .zip(mean)
        .map(|(products, a)| std::array::from_fn(|k| (f64::from(products[k]) / rows - a * mean[k]) / unit))
        .collect();
    let t1: f64 = (0..SUMS).map(|k| covariance[k][k]).sum();
    let (mut t2, mut t3) = (0.0, 0.0);
    for row in &covariance {
        t2 += row.iter().map(|x| x * x).sum::<f64>();
        let mut squared = [0.0; SUMS];
        for (x, other) in row.iter().zip(&covariance) {
            squared.iter_mut().zip(other).for_each(|(sum, y)| *sum += x * y);
        }
        t3 += row.iter().zip(squared).map(|(x, y)| x * y).sum::<f64>();
    }
    let plain = [t1, t2, t3];
    let t2 = t2 - t1 * t1 / rows;
    let t3 = t3 - 3.0 * t1 * t2 / rows - t1 * t1 * t1 / (rows * rows);
    [[t1, t2, t3], plain].into_iter().find(usable)
}
