//! Values as the tables store them: cut to the column, dates and numbers as a server without strict
//! mode reads them.

use database::Value;
use schema::{Stamp, json, text};

/// What an integer column from `min` to `max` stores for digits and dashes: the number at the start
/// of the text, or 0, limited to the range.
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

/// Log bytes as the value of a column of 255 bytes.
pub(crate) fn tinytext(bytes: &[u8]) -> Value {
    if bytes.is_ascii() {
        return Value::Bytes(bytes[..bytes.len().min(text::TINYTEXT)].to_vec());
    }
    Value::Bytes(text::cut_bytes(&text::storable(bytes), text::TINYTEXT).as_bytes().to_vec())
}

/// Log bytes as the value of a column of `width` characters.
pub(crate) fn varchar(bytes: &[u8], width: usize) -> Value {
    if bytes.is_ascii() {
        return Value::Bytes(bytes[..bytes.len().min(width)].to_vec());
    }
    Value::Bytes(text::cut_chars(&text::storable(bytes), width).as_bytes().to_vec())
}

/// A datetime as a value.
pub(crate) const fn date(stamp: Stamp) -> Value {
    let (hour, minute, second) = (stamp.hour(), stamp.minute(), stamp.second());
    Value::Date(stamp.year(), stamp.month_of_year(), stamp.day(), hour, minute, second, 0)
}

/// Whether the bytes are printable ASCII that JSON needs no escapes for. Most texts are a few
/// bytes, for which a table is fastest; for long ones a loop without an early exit becomes vector
/// code.
fn is_plain(bytes: &[u8]) -> bool {
    static PLAIN: [bool; 256] = {
        let mut table = [false; 256];
        let mut i = 0x20;
        while i < 0x80 {
            table[i] = i != b'"' as usize && i != b'\\' as usize;
            i += 1;
        }
        table
    };
    if bytes.len() < 24 {
        return bytes.iter().all(|&b| PLAIN[usize::from(b)]);
    }
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
    fn texts_are_made_storable_before_they_are_cut() {
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
