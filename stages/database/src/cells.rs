//! The values of one row of a result, from the text or the binary protocol.

use std::borrow::Cow;

use mysql::{Row, Value};
use schema::Stamp;

/// The values of one row, by position.
#[derive(Clone, Copy)]
pub struct Cells<'r> {
    row: &'r Row,
}

impl<'r> Cells<'r> {
    pub(super) const fn new(row: &'r Row) -> Self {
        Self { row }
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.row.len()
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.row.is_empty()
    }

    /// The value as the driver returns it; NULL outside the row.
    #[must_use]
    pub fn value(&self, at: usize) -> &'r Value {
        self.row.as_ref(at).unwrap_or(&Value::NULL)
    }

    /// Whether it is NULL.
    #[must_use]
    pub fn is_null(&self, at: usize) -> bool {
        *self.value(at) == Value::NULL
    }

    /// The bytes of the value, or of its text; `None` for NULL.
    #[must_use]
    pub fn bytes(&self, at: usize) -> Option<Cow<'r, [u8]>> {
        Some(match self.value(at) {
            Value::NULL => return None,
            Value::Bytes(bytes) => Cow::Borrowed(bytes.as_slice()),
            Value::Int(n) => Cow::Owned(n.to_string().into_bytes()),
            Value::UInt(n) => Cow::Owned(n.to_string().into_bytes()),
            Value::Float(n) => Cow::Owned(n.to_string().into_bytes()),
            Value::Double(n) => Cow::Owned(n.to_string().into_bytes()),
            Value::Date(..) => Cow::Owned(self.stamp(at)?.to_ascii().to_vec()),
            time @ Value::Time(..) => Cow::Owned(time.as_sql(true).trim_matches('\'').as_bytes().to_vec()),
        })
    }

    /// The value as text; `None` for NULL. The connection speaks UTF-8, so nothing is lost.
    #[must_use]
    pub fn text(&self, at: usize) -> Option<Cow<'r, str>> {
        Some(match self.bytes(at)? {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    /// An integer; `None` for NULL and for any value that is not an integer or too large.
    #[must_use]
    pub fn int(&self, at: usize) -> Option<i64> {
        match self.value(at) {
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Value::Int(n) => Some(*n),
            Value::UInt(n) => i64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// A non-negative integer; `None` for NULL and for any other value.
    #[must_use]
    pub fn uint(&self, at: usize) -> Option<u64> {
        match self.value(at) {
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Value::Int(n) => u64::try_from(*n).ok(),
            Value::UInt(n) => Some(*n),
            _ => None,
        }
    }

    /// A number; `None` for NULL and for any other value.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "as the server converts whole numbers")]
    pub fn float(&self, at: usize) -> Option<f64> {
        match self.value(at) {
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Value::Int(n) => Some(*n as f64),
            Value::UInt(n) => Some(*n as f64),
            Value::Float(n) => Some(f64::from(*n)),
            Value::Double(n) => Some(*n),
            _ => None,
        }
    }

    /// A date and time, day zero included; `None` for NULL and for any other value.
    #[must_use]
    pub fn stamp(&self, at: usize) -> Option<Stamp> {
        match self.value(at) {
            Value::Bytes(bytes) => Stamp::parse(std::str::from_utf8(bytes).ok()?),
            Value::Date(year, month, day, hour, minute, second, _) => {
                Stamp::new(*year, *month, *day, *hour, *minute, *second)
            }
            _ => None,
        }
    }
}
