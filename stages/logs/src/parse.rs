//! Parsing log lines: the grammar of access and auth logs, requests, and the datetime that a table
//! stores.
//!
//! Pure functions on bytes. Used by the importer, and by the commands that later look for the rows of a
//! log. Which lines are kept is decided elsewhere.

mod access;
mod auth;
mod fits;
mod ipv6;
mod request;

use schema::Stamp;

pub use access::{Fields, Span, access, access_unicode, is_blank};
pub use auth::{Login, auth};
pub use fits::{Looks, looks_like_access, looks_like_auth};
pub use ipv6::{access_ipv6, access_ipv6_unicode, auth_ipv6};
pub use request::{collapse_slashes, is_download, split, split_at_whitespace};

/// A number of ASCII digits, wrapping at 32 bits as in the server's date parser.
fn wrapping(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0_u32, |n, d| d.is_ascii_digit().then(|| n.wrapping_mul(10).wrapping_add(u32::from(d - b'0'))))
}

/// The stored datetime for a logged `YYYY-MM-DD` and time of day (hours of any length); anything
/// that is not a date becomes the zero datetime.
#[must_use]
pub fn datetime(date: &[u8], time: &[u8]) -> Stamp {
    let inner = || {
        let [year @ .., b'-', m1, m2, b'-', d1, d2] = date else { return None };
        let [hours @ .., b':', i1, i2, b':', s1, s2] = time else { return None };
        let small = |n: u32| u8::try_from(n).ok();
        let year = u16::try_from(wrapping(year)?).ok()?;
        let (month, day) = (small(wrapping(&[*m1, *m2])?)?, small(wrapping(&[*d1, *d2])?)?);
        let (minute, second) = (small(wrapping(&[*i1, *i2])?)?, small(wrapping(&[*s1, *s2])?)?);
        if year == 0 && month == 2 && day == 29 {
            return None; // for the server, the year 0 has no leap day
        }
        Stamp::new(year, month, day, small(wrapping(hours)?)?, minute, second)
    };
    inner().unwrap_or(Stamp::ZERO)
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
}
