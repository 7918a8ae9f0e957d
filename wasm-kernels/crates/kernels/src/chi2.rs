//! The χ² distribution by the regularised incomplete gamma function, and the test of homogeneity.

use crate::math::{exp, ln, ln_gamma};

/// P(χ²_df > x), for df > 0, whole or not, up to some ten thousand.
pub fn chi2_sf(df: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    gamma_q(df / 2.0, x / 2.0)
}

/// A χ² test: what it measured, how improbable that is, and on how many degrees of freedom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chi2 {
    pub statistic: f64,
    pub p: f64,
    pub df: u32,
}

/// Pearson's test of homogeneity on a table of non-negative counts, row-major \[rows\]\[columns\]. Empty rows and columns
/// do not count; a table of one row or column has nothing to compare: (0, 1, 0).
pub fn chi2_test(table: &[f64], columns: usize) -> Chi2 {
    let rows: Vec<f64> = table.chunks(columns).map(|row| row.iter().sum()).collect();
    let column = |j: usize| table.iter().skip(j).step_by(columns).sum::<f64>();
    let sums: Vec<f64> = (0..columns).map(column).collect();
    let total: f64 = rows.iter().sum();
    let used = |sums: &[f64]| sums.iter().filter(|sum| **sum > 0.0).count() as u32;
    let df = used(&rows).saturating_sub(1) * used(&sums).saturating_sub(1);
    if df == 0 {
        return Chi2 { statistic: 0.0, p: 1.0, df };
    }
    let mut statistic = 0.0;
    for (row, row_sum) in table.chunks(columns).zip(&rows) {
        for (count, column_sum) in row.iter().zip(&sums) {
            let expected = row_sum * column_sum / total;
            if expected > 0.0 {
                statistic += (count - expected) * (count - expected) / expected;
            }
        }
    }
    Chi2 { statistic, p: chi2_sf(f64::from(df), statistic), df }
}

/// The x that χ²_df exceeds with probability `alpha` in (0, 1): `sf(x) = alpha`. No degrees of freedom: 0.
///
/// Halves an interval until no number lies between its ends: fifty or so steps, each the same on every machine.
pub fn chi2_quantile(df: u32, alpha: f64) -> f64 {
    if df == 0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, f64::from(df));
    let sf = |x| chi2_sf(f64::from(df), x);
    while sf(high) > alpha {
        low = high;
        high *= 2.0;
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return high;
        }
        if sf(middle) > alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Q(a, x) = Γ(a, x)/Γ(a) for a, x > 0. Numerical Recipes (3rd ed.) §6.2: the series for P
/// below a+1, Lentz's continued fraction for Q above it, so that neither subtracts nearly equal numbers.
fn gamma_q(a: f64, x: f64) -> f64 {
    let power = a * ln(x) - x - ln_gamma(a);
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
        for i in 1..2000 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert!((chi2_sf(2.0, 3.085_714_285_714_286) - 0.213_769_458_2).abs() < 1e-9);
        assert!((chi2_quantile(1, 0.05) - 3.841_458_820_694_124).abs() < 1e-12);
        assert!((chi2_quantile(15, 0.05) - 24.995_790_139_728_62).abs() < 1e-9);
        assert!((chi2_quantile(15, 0.01) - 30.577_914_166_892_49).abs() < 1e-9);
        assert_eq!(chi2_quantile(0, 0.01), 0.0);
        assert_eq!(chi2_sf(3.0, 0.0), 1.0);
    }

    /// With an even number of degrees of freedom the tail is a Poisson sum.
    #[test]
    fn even_degrees_have_a_closed_form() {
        for df in (2u32..=64).step_by(2) {
            for step in 1..60 {
                let half = f64::from(step) * 1.3;
                let (mut term, mut sum) = (1.0, 1.0);
                for i in 1..df / 2 {
                    term *= half / f64::from(i);
                    sum += term;
                }
                let want = (-half).exp() * sum;
                let got = chi2_sf(f64::from(df), 2.0 * half);
                assert!((got - want).abs() <= 1e-12 * want + 1e-15, "df {df}, x {}: {got} {want}", 2.0 * half);
            }
        }
    }

    #[test]
    fn quantile_inverts_the_tail() {
        for df in 1..=32 {
            for alpha in [0.5, 0.1, 0.05, 0.01, 1e-3, 1e-6, 1e-12] {
                let back = chi2_sf(f64::from(df), chi2_quantile(df, alpha));
                assert!((back / alpha - 1.0).abs() < 1e-9, "df {df}, alpha {alpha}: {back}");
            }
        }
        assert!(chi2_quantile(15, 1e-300) > 1000.0);
    }

    #[test]
    fn the_test_matches_its_oracle() {
        let test = chi2_test(&[10., 20., 30., 15., 15., 45.], 3);
        assert!((test.statistic - 3.085_714_285_7).abs() < 1e-9 && test.df == 2, "{test:?}");
        assert!((test.p - 0.213_769_458_2).abs() < 1e-9);
        // An empty column or row changes nothing; nothing to compare is no evidence.
        let padded = chi2_test(&[10., 0., 20., 30., 0., 0., 0., 0., 15., 0., 15., 45.], 4);
        assert!((padded.statistic - test.statistic).abs() < 1e-12 && padded.df == 2);
        assert_eq!(chi2_test(&[3., 4.], 2), Chi2 { statistic: 0.0, p: 1.0, df: 0 });
        assert_eq!(chi2_test(&[], 1).p, 1.0);
    }

    #[test]
    fn broken_degrees_lie_between_whole_ones() {
        for df in 1..60 {
            let x = f64::from(df) * 1.3;
            let [a, b, c] = [0.0, 0.5, 1.0].map(|more| chi2_sf(f64::from(df) + more, x));
            assert!(a < b && b < c, "{df}: {a} {b} {c}");
        }
    }
}
