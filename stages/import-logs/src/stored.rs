//! Values as the tables would hold them: cut to the column, dates and numbers as a server
//! without strict mode reads them.

use schema::{Stamp, json, text};

/// A number made of ASCII digits, wrapping at 32 bits as the server's date reader does.
fn wrapping(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0_u32, |n, d| d.is_ascii_digit().then(|| n.wrapping_mul(10).wrapping_add(u32::from(d - b'0'))))
}

/// The stored datetime of a logged `YYYY-MM-DD` and time of day (hours of any length); what is no
/// date becomes the zero datetime.
#[must_use]
pub(crate) fn datetime(date: &[u8], time: &[u8]) -> Stamp {
    let inner = || {
        let [year @ .., b'-', m1, m2, b'-', d1, d2] = date else { return None };
        let [hours @ .., b':', i1, i2, b':', s1, s2] = time else { return None };
        let small = |n: u32| u8::try_from(n).ok();
        let year = u16::try_from(wrapping(year)?).ok()?;
        let (month, day) = (small(wrapping(&[*m1, *m2])?)?, small(wrapping(&[*d1, *d2])?)?);
        let (minute, second) = (small(wrapping(&[*i1, *i2])?)?, small(wrapping(&[*s1, *s2])?)?);
        if year == 0 && month == 2 && day == 29 {
            return None; // the server knows no leap day in the year 0
        }
        Stamp::new(year, month, day, small(wrapping(hours)?)?, minute, second)
    };
    inner().unwrap_or(Stamp::ZERO)
}

/// What an integer column between `min` and `max` stores for digits and dashes: the number at the
/// start of the text, or 0, moved into the range.
#[must_use]
pub(crate) fn integer(digits: &[u8], min: i64, max: i64) -> i64 {
    let (negative, rest) = match digits {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, digits),
    };
    let value = rest.iter().take_while(|d| d.is_ascii_digit()).fold(0_i64, |n, d| {
        let digit = i64::from(d - b'0');
        let n = n.saturating_mul(10);
        if negative { n.saturating_sub(digit) } else { n.saturating_add(digit) }
    });
    value.clamp(min, max)
}

/// Appends log bytes as a JSON string, made storable and cut to `width` bytes.
pub(crate) fn push_tinytext(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) {
        push_plain(out, &bytes[..bytes.len().min(text::TINYTEXT)]);
    } else {
        json::push_str(out, text::cut_bytes(&text::storable(bytes), text::TINYTEXT));
    }
}

/// Appends log bytes as a JSON string, made storable and cut to `width` characters.
pub(crate) fn push_varchar(out: &mut Vec<u8>, bytes: &[u8], width: usize) {
    if is_plain(bytes) {
        push_plain(out, &bytes[..bytes.len().min(width)]);
    } else {
        json::push_str(out, text::cut_chars(&text::storable(bytes), width));
    }
}

/// Whether the bytes are printable ASCII that JSON writes as it is. No early end: short texts
/// without a branch a byte are what the compiler makes fast.
fn is_plain(bytes: &[u8]) -> bool {
    let odd = |b: u8| u8::from(!(0x20..0x80).contains(&b)) | u8::from(b == b'"') | u8::from(b == b'\\');
    bytes.iter().fold(0, |any, &b| any | odd(b)) == 0
}

fn push_plain(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes_as_a_lenient_server_stores_them() {
        for (date, time, stored) in [
            ("2025-05-01", "08:00:01", "2025-05-01 08:00:01"),
            ("2025-05-01", "8:00:01", "2025-05-01 08:00:01"),
            ("2025-05-01", "0008:00:01", "2025-05-01 08:00:01"),
            ("2025-05-01", "108:00:01", "0000-00-00 00:00:00"),
            ("2025-05-01", "4294967297:00:00", "2025-05-01 01:00:00"),
            ("2025-05-01", "24:00:00", "0000-00-00 00:00:00"),
            ("2025-05-01", "23:60:00", "0000-00-00 00:00:00"),
            ("2025-05-01", "23:59:60", "0000-00-00 00:00:00"),
            ("2025-02-30", "10:00:00", "0000-00-00 00:00:00"),
            ("2024-02-29", "10:00:00", "2024-02-29 10:00:00"),
            ("0000-02-29", "10:00:00", "0000-00-00 00:00:00"),
            ("2025-13-01", "10:00:00", "0000-00-00 00:00:00"),
            ("2025-00-10", "10:00:00", "2025-00-10 10:00:00"),
            ("2025-05-00", "10:00:00", "2025-05-00 10:00:00"),
            ("2025-00-31", "00:00:00", "2025-00-31 00:00:00"),
            ("0000-00-00", "10:00:00", "0000-00-00 10:00:00"),
        ] {
            assert_eq!(datetime(date.as_bytes(), time.as_bytes()).to_string(), stored, "{date} {time}");
        }
    }

    #[test]
    fn integers_as_a_lenient_server_stores_them() {
        let int = |text: &str| integer(text.as_bytes(), i32::MIN.into(), i32::MAX.into());
        for (text, stored) in [
            ("", 0),
            ("-", 0),
            ("--", 0),
            ("---5", 0),
            ("-5", -5),
            ("007", 7),
            ("5-", 5),
            ("5-3", 5),
            ("2147483648", 2_147_483_647),
            ("99999999999999999999999999-", 2_147_483_647),
            ("-99999999999999999999999999", -2_147_483_648),
        ] {
            assert_eq!(int(text), stored, "{text}");
        }
        assert_eq!(integer(b"99999999999999999999", i64::MIN, i64::MAX), i64::MAX);
    }

    #[test]
    fn texts_are_cut_after_they_were_made_storable() {
        let tiny = |bytes: &[u8]| {
            let mut out = Vec::new();
            push_tinytext(&mut out, bytes);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(tiny(b"a\"b\\\xff\n"), "\"a\\\"b\\\\?\\n\"");
        assert_eq!(tiny(&[b'x'; 300]).len(), 257);
        assert_eq!(tiny(&[b'\xff'; 300]), format!("\"{}\"", "?".repeat(255)));
        let mut out = Vec::new();
        push_varchar(&mut out, "é".repeat(20).as_bytes(), 15);
        assert_eq!(out.len(), 32);
    }
}
