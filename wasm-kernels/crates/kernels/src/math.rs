//! `exp` and `ln` made of IEEE additions, multiplications and divisions only, which every machine rounds alike.

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
}
