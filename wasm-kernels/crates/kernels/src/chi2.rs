//! The χ² distribution with a whole number of degrees of freedom, by the regularised incomplete gamma function.

use crate::math::{exp, ln};

/// P(χ²_df > x), for df from 1 to 128.
pub fn chi2_sf(df: u32, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    gamma_q(f64::from(df) / 2.0, x / 2.0)
}

/// The x that χ²_df exceeds with probability `alpha` in (0, 1): `sf(x) = alpha`. No degrees of freedom: 0.
///
/// Halves an interval until no number lies between its ends: fifty or so steps, each the same on every machine.
pub fn chi2_quantile(df: u32, alpha: f64) -> f64 {
    if df == 0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, f64::from(df));
    while chi2_sf(df, high) > alpha {
        low = high;
        high *= 2.0;
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return high;
        }
        if chi2_sf(df, middle) > alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Q(a, x) = Γ(a, x)/Γ(a) for x > 0 and a a multiple of ½ up to 64. Numerical Recipes (3rd ed.) §6.2: the series for P
/// below a+1, Lentz's continued fraction for Q above it, so that neither subtracts nearly equal numbers.
fn gamma_q(a: f64, x: f64) -> f64 {
    let power = a * ln(x) - x - ln(gamma_of_halves(a));
    if power < -745.0 {
        return if x < a { 1.0 } else { 0.0 };
    }
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        1.0 - exp(power) * sum
    } else {
        let mut b = x + 1.0 - a;
        let (mut c, mut d) = (1e300, 1.0 / b);
        let mut fraction = d;
        for i in 1..500 {
            let i = f64::from(i);
            let numerator = i * (a - i);
            b += 2.0;
            d = 1.0 / (numerator * d + b);
            c = b + numerator / c;
            fraction *= d * c;
            if (d * c - 1.0).abs() < 1e-16 {
                break;
            }
        }
        exp(power) * fraction
    }
}

/// Γ(a) for a multiple of ½, from Γ(½) = √π and Γ(1) = 1.
fn gamma_of_halves(a: f64) -> f64 {
    let mut rest = a;
    let mut product = 1.0;
    while rest > 1.0 {
        rest -= 1.0;
        product *= rest;
    }
    if rest == 0.5 { product * std::f64::consts::PI.sqrt() } else { product }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert!((chi2_sf(2, 3.085_714_285_714_286) - 0.213_769_458_2).abs() < 1e-9);
        assert!((chi2_quantile(1, 0.05) - 3.841_458_820_694_124).abs() < 1e-12);
        assert!((chi2_quantile(15, 0.05) - 24.995_790_139_728_62).abs() < 1e-9);
        assert!((chi2_quantile(15, 0.01) - 30.577_914_166_892_49).abs() < 1e-9);
        assert_eq!(chi2_quantile(0, 0.01), 0.0);
        assert_eq!(chi2_sf(3, 0.0), 1.0);
    }

    /// With an even number of degrees of freedom the tail is a Poisson sum.
    #[test]
    fn even_degrees_have_a_closed_form() {
        for df in (2..=64).step_by(2) {
            for step in 1..60 {
                let half = f64::from(step) * 1.3;
                let (mut term, mut sum) = (1.0, 1.0);
                for i in 1..df / 2 {
                    term *= half / f64::from(i);
                    sum += term;
                }
                let want = (-half).exp() * sum;
                let got = chi2_sf(df, 2.0 * half);
                assert!((got - want).abs() <= 1e-12 * want + 1e-15, "df {df}, x {}: {got} {want}", 2.0 * half);
            }
        }
    }

    #[test]
    fn quantile_inverts_the_tail() {
        for df in 1..=32 {
            for alpha in [0.5, 0.1, 0.05, 0.01, 1e-3, 1e-6, 1e-12] {
                let back = chi2_sf(df, chi2_quantile(df, alpha));
                assert!((back / alpha - 1.0).abs() < 1e-9, "df {df}, alpha {alpha}: {back}");
            }
        }
        assert!(chi2_quantile(15, 1e-300) > 1000.0);
    }
}
