//! Numbers as text: how legacy turned numbers into statement text, and how a column reads that
//! text.
//!
//! Legacy computes in double precision, prints 14 significant digits, and lets an integer column
//! round the text half away from zero; the last digit depends on all three steps.

/// A double with 14 significant digits, as the original scripts print it: trailing zeros removed,
/// exponent form from 1e14 up (`1.0E+14`) and below 1e-4 (`5.0E-5`).
#[must_use]
pub fn text14(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value.is_finite() { "0".to_owned() } else { value.to_string() };
    }
    let scientific = format!("{value:.13e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let n_digits = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    if !(-4..14).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { "0" } else { rest };
        return format!("{sign}{first}.{rest}E{exponent:+}");
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", zeros(-exponent - 1));
    }
    if n_digits <= exponent + 1 {
        return format!("{sign}{digits}{}", zeros(exponent + 1 - n_digits));
    }
    let (whole, fraction) = digits.split_at(usize::try_from(exponent + 1).unwrap_or(digits.len()));
    format!("{sign}{whole}.{fraction}")
}

/// What a BIGINT column stores for a decimal text: its digits rounded half away from zero, limited
/// to the range of the type; 0 for a text that does not begin with a number.
#[must_use]
pub fn integer_of(text: &str) -> i64 {
    let text = text.trim_start();
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let n_whole = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = rest.split_at(n_whole);
    let fraction = rest.strip_prefix('.').map_or("", |f| &f[..f.bytes().take_while(u8::is_ascii_digit).count()]);
    let rest = if fraction.is_empty() && !rest.starts_with('.') { rest } else { &rest[1 + fraction.len()..] };
    let exponent = match rest.as_bytes() {
        [b'e' | b'E', tail @ ..] if !(whole.is_empty() && fraction.is_empty()) => {
            let tail = std::str::from_utf8(tail).unwrap_or("");
            let sign = usize::from(tail.starts_with(['-', '+']));
            let end = sign + tail[sign..].bytes().take_while(u8::is_ascii_digit).count();
            tail[..end].trim_start_matches('+').parse::<i64>().unwrap_or(0)
        }
        _ => 0,
    };
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|b| b - b'0').collect();
    let n_integer = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(exponent);
    let mut value: i128 = 0;
    let limit = i128::from(i64::MAX) + 1;
    for at in 0..n_integer.max(0) {
        let digit = usize::try_from(at).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0);
        value = value * 10 + i128::from(digit);
        if value > limit {
            break;
        }
        if value == 0 && at > i64::try_from(digits.len()).unwrap_or(i64::MAX) {
            break; // only zeros, whatever the exponent says
        }
    }
    if let Ok(next) = usize::try_from(n_integer)
        && digits.get(next).is_some_and(|&d| d >= 5)
    {
        value += 1;
    }
    let value = if negative { -value } else { value };
    i64::try_from(value).unwrap_or(if negative { i64::MIN } else { i64::MAX })
}

/// A sum of doubles that stays finite: limited to the range of the type, as in a column.
#[must_use]
pub fn sum(a: f64, b: f64) -> f64 {
    (a + b).clamp(f64::MIN, f64::MAX)
}

/// A double as the server prints it: the shortest text that reads back as the same number.
#[must_use]
pub fn shortest(value: f64) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_printed_with_fourteen_digits() {
        let table = [
            (17.0 / 5.0, "3.4"),
            (10.0 / 5.0, "2"),
            (7.0 / 3.0, "2.3333333333333"),
            (100.0 / 3.0, "33.333333333333"),
            (3008.0 / 7.0, "429.71428571429"),
            (1e14, "1.0E+14"),
            (99_999_999_999_999.5, "1.0E+14"),
            (99_999_999_999_999.0, "99999999999999"),
            (0.000_05, "5.0E-5"),
            (0.0001, "0.0001"),
            (0.000_123_4, "0.0001234"),
            (-2.5, "-2.5"),
            (1.5e25, "1.5E+25"),
            (472.499_999_999_999_94, "472.5"),
            (0.0, "0"),
            (1200.0, "1200"),
            (63_919_324_800.0, "63919324800"),
        ];
        for (value, text) in table {
            assert_eq!(text14(value), text);
        }
    }

    #[test]
    fn sums_stay_finite() {
        assert_eq!((sum(1e308, 1e308), sum(-1e308, -1e308), sum(1.0, 2.0)), (f64::MAX, f64::MIN, 3.0));
        assert_eq!(integer_of(&format!("{}7", "0".repeat(500))), 7);
    }

    #[test]
    fn integer_columns_round_the_text() {
        let table = [
            ("2.5", 3),
            ("3.4", 3),
            ("472.5", 473),
            ("-2.5", -3),
            ("-0.4", 0),
            ("", 0),
            ("x", 0),
            ("12abc", 12),
            ("1.0E+14", 100_000_000_000_000),
            ("5.0E-5", 0),
            ("5e-1", 1),
            ("4.9e-1", 0),
            ("1e400", i64::MAX),
            ("-1e30", i64::MIN),
            ("9223372036854775807", i64::MAX),
            ("9223372036854775808", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("0e999999999999", 0),
            (".5", 1),
            ("7.", 7),
            ("+3", 3),
            ("1.5e1", 15),
            ("1.25e1", 13),
            ("e5", 0),
        ];
        for (text, value) in table {
            assert_eq!(integer_of(text), value, "{text}");
        }
    }
}
