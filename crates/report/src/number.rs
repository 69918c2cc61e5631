//! Numbers as readers of tables expect them. Tables for LaTeX are escaped by [`crate::table::Table::latex`].

/// What stands where a number is missing or undefined.
pub const MISSING: &str = "n/a";

/// `5123.4` as `5,123` (with 0 decimals). What is not finite is [`MISSING`].
#[must_use]
pub fn grouped(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return MISSING.to_owned();
    }
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut text = String::new();
    // Rounding may leave nothing of a small negative number: no sign on a zero.
    if value < 0.0 && digits.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        text.push('-');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// A number with three digits that count, and no more than six decimals: `0.0123`, `1,234`.
#[must_use]
pub fn significant(value: f64) -> String {
    let magnitude = if value == 0.0 { 0.0 } else { value.abs().log10().floor() };
    grouped(value, (2.0 - magnitude).clamp(0.0, 6.0) as usize)
}

/// A relative gain as a signed percentage: `1.13` as `+113 %`.
#[must_use]
pub fn percent_gain(gain: f64) -> String {
    let text = grouped(100.0 * gain, 0);
    match text.as_str() {
        MISSING => text,
        "0" => "0 %".to_owned(),
        _ if text.starts_with('-') => text + " %",
        _ => format!("+{text} %"),
    }
}

/// An estimate with its interval, all written by `format`: `4,102 [3,800, 4,410]`.
pub fn with_interval(estimate: f64, low: f64, high: f64, format: impl Fn(f64) -> String) -> String {
    format!("{} [{}, {}]", format(estimate), format(low), format(high))
}

/// A value with its spread: `4,102 ± 210`. Say elsewhere which spread it is.
pub fn plus_minus(value: f64, spread: f64, format: impl Fn(f64) -> String) -> String {
    format!("{} ± {}", format(value), format(spread))
}

/// A number of environment steps: `300000` as `300k`, `1000000` as `1M`, `12345` as `12,345`.
#[must_use]
pub fn steps(count: u64) -> String {
    match count {
        0 => "0".to_owned(),
        n if n % 1_000_000 == 0 => format!("{}M", grouped((n / 1_000_000) as f64, 0)),
        n if n % 1000 == 0 && n < 10_000_000 => format!("{}k", n / 1000),
        n => grouped(n as f64, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let check = |value, decimals, expect: &str| assert_eq!(grouped(value, decimals), expect);
        check(5123.4, 0, "5,123");
        check(-5123.46, 1, "-5,123.5");
        check(999.0, 0, "999");
        check(1_234_567.0, 2, "1,234,567.00");
        check(-0.4, 0, "0");
        check(-0.04, 2, "-0.04");
        check(f64::NAN, 0, "n/a");
        check(f64::INFINITY, 0, "n/a");
    }

    #[test]
    fn gains_ratios_and_intervals() {
        let whole = |x| grouped(x, 0);
        let check = |found: String, expect: &str| assert_eq!(found, expect);
        check(significant(0.012_345), "0.0123");
        check(significant(-12.345), "-12.3");
        check(significant(1234.5), "1,234");
        check(significant(0.0), "0.00");
        check(significant(1e-9), "0.000000");
        check(percent_gain(1.13), "+113 %");
        check(percent_gain(-0.254), "-25 %");
        check(percent_gain(0.001), "0 %");
        check(percent_gain(f64::NAN), "n/a");
        check(with_interval(4102.3, 3800.0, 4410.0, whole), "4,102 [3,800, 4,410]");
        check(with_interval(1.6, 0.9, 2.2, percent_gain), "+160 % [+90 %, +220 %]");
        check(plus_minus(9636.95, 859.065, whole), "9,637 ± 859");
        check(steps(300_000), "300k");
        check(steps(1_000_000), "1M");
        check(steps(12_345), "12,345");
        check(steps(0), "0");
    }
}
