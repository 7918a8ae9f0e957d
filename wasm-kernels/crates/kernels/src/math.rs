//! `exp`, `ln`, `sin` and `cos` made of IEEE additions, multiplications and divisions only, which every machine rounds
//! alike. The f32 ones have no branch, so that loops over them become vector code with the bits of the scalar code.

const LN2_HI: f64 = 6.931_471_803_691_238e-1; // the upper 33 bits of ln 2, so that k·LN2_HI is exact
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;

/// eˣ for x ≤ 709, within 2 units in the last place. Results below the smallest normal number are 0.
pub(crate) fn exp(x: f64) -> f64 {
    debug_assert!(x <= 709.0);
    let k = (x * std::f64::consts::LOG2_E + 0.5).floor();
    if k < -1022.0 {
        return 0.0;
    }
    let r = (x - k * LN2_HI) - k * LN2_LO; // |r| ≤ ln(2)/2: fourteen Taylor terms reach the last bit
    let mut sum = 1.0;
    for i in (1..=13).rev() {
        sum = 1.0 + sum * r / f64::from(i);
    }
    sum * f64::from_bits(((k as i64 + 1023) as u64) << 52)
}

/// Natural logarithm of a positive normal number, within 2 units in the last place.
pub(crate) fn ln(x: f64) -> f64 {
    debug_assert!(x >= f64::MIN_POSITIVE && x.is_finite());
    let bits = x.to_bits();
    let mut k = (bits >> 52) as i64 - 1023;
    let mut m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        k += 1;
    }
    let s = (m - 1.0) / (m + 1.0); // ln m = 2·atanh s, |s| ≤ .172
    let z = s * s;
    let mut sum = 0.0;
    for i in (0..=11).rev() {
        sum = sum * z + 1.0 / f64::from(2 * i + 1);
    }
    let k = k as f64;
    k * LN2_HI + (2.0 * s * sum + k * LN2_LO)
}

/// ln Γ(x) for x > 0, by Stirling's series from 16 on and Γ(x+1) = xΓ(x) below; within 1e-14 of its size.
pub(crate) fn ln_gamma(mut x: f64) -> f64 {
    let mut product = 1.0;
    while x < 16.0 {
        product *= x;
        x += 1.0;
    }
    let z = 1.0 / (x * x);
    let series = (1.0 / 12.0 - z * (1.0 / 360.0 - z * (1.0 / 1260.0 - z * (1.0 / 1680.0 - z / 1188.0)))) / x;
    (x - 0.5) * ln(x) - x + 0.5 * ln(std::f64::consts::TAU) + series - ln(product)
}

/// Added and taken away again, it rounds an f32 below 2²² to the nearest integer, which then stands in its low bits.
const ROUND: f32 = 12_582_912.0;

/// The nearest integer, ties to even, for |x| < 2²².
#[inline(always)]
pub(crate) fn round(x: f32) -> f32 {
    (x + ROUND) - ROUND
}

/// The nearest integer, ties to even, for |x| < 2²².
#[inline(always)]
pub(crate) fn round_to_i32(x: f32) -> i32 {
    (x + ROUND).to_bits() as i32 - ROUND.to_bits() as i32
}

/// eˣ for x ≤ 0, within 3e-7 of its size; below −87 as at −87, some 1e-38.
#[inline(always)]
pub(crate) fn exp_f32(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    let k = round(x * std::f32::consts::LOG2_E);
    let r = (x - k * 0.693_359_4) + k * 2.121_944_4e-4; // ln 2 in two parts, the first with few bits
    let mut sum = 1.0 / 720.0;
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = sum * r + c;
    }
    sum * f32::from_bits(((k as i32 + 127) as u32) << 23)
}

/// (sin, cos) of 2π·x, within 3e-6, for |x| < 2²². Polynomials in the square of what is left of a turn, through the
/// twelve Chebyshev points of [0, ¼].
#[inline(always)]
pub(crate) fn sin_cos_turns<const TIMES: u32>(x: f32) -> (f32, f32) {
    let times = TIMES as f32;
    let t = x - round(x);
    let z = t * t;
    let mut cos = -21.065_43 * times;
    for c in [58.786_94, -85.270_84, 64.928_59, -19.738_977, 0.999_999_2] {
        cos = cos * z + c * times;
    }
    let mut sin = -12.468_819 * times;
    for c in [41.341_366, -76.614_14, 81.599_915, -41.341_587, std::f32::consts::TAU] {
        sin = sin * z + c * times;
    }
    (sin * t, cos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_host_to_the_last_bits() {
        for i in -7000..7000 {
            let x = f64::from(i) * 0.1 + 0.037;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-15, "exp({x})");
        }
        for i in 1..20_000 {
            let x = f64::from(i) * f64::from(i) * 1.7e-4;
            let error = (ln(x) - x.ln()).abs();
            assert!(error <= 4e-16 * x.ln().abs().max(1e-3), "ln({x}) off by {error}");
        }
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-800.0), 0.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(ln(1.0), 0.0);
        assert!((ln(f64::MIN_POSITIVE) + 708.396_418_532_264_1).abs() < 1e-12);
        assert!((ln(f64::MAX) - 709.782_712_893_384).abs() < 1e-12);
    }

    #[test]
    fn short_floats_are_as_good_as_they_say() {
        for i in 0..87_000 {
            let x = i as f32 * -0.001;
            assert!((f64::from(exp_f32(x)) / f64::from(x).exp() - 1.0).abs() < 3e-7, "exp({x})");
        }
        assert_eq!(exp_f32(0.0), 1.0);
        assert!(exp_f32(f32::NEG_INFINITY) < 2e-38);
        for i in -40_000..40_000 {
            let x = i as f32 / 4096.0;
            let (sin, cos) = sin_cos_turns::<1>(x);
            let angle = f64::from(x) * std::f64::consts::TAU;
            assert!((f64::from(sin) - angle.sin()).abs() < 3e-6, "sin {x}");
            assert!((f64::from(cos) - angle.cos()).abs() < 3e-6, "cos {x}");
        }
        assert_eq!([-2.5, -0.4, 1.5, 3.6].map(round_to_i32), [-2, 0, 2, 4]);
    }

    #[test]
    fn gamma_matches_factorials_and_its_half() {
        let mut factorial = 0.0;
        for n in 1..100 {
            factorial += f64::from(n).ln();
            assert!((ln_gamma(f64::from(n) + 1.0) - factorial).abs() < 1e-13 * factorial.max(1.0));
        }
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-14);
    }
}
