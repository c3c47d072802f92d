//! The id of a run. A program passes it to the programs that it starts, so that their logs, records
//! and reports can be joined.

use std::sync::OnceLock;

use rustix::rand::{GetRandomFlags, getrandom};

/// The environment variable that passes the id on.
pub const RUN_ID: &str = "HZMETRICS_RUN_ID";

/// The greatest length of an id that was set by somebody else.
const LONGEST: usize = 64;

static ID: OnceLock<String> = OnceLock::new();

/// The id of this run: that of the program that started it, otherwise a new one.
pub fn run_id() -> &'static str {
    ID.get_or_init(|| std::env::var(RUN_ID).ok().filter(|id| is_id(id)).unwrap_or_else(made))
}

/// The id that another program passed on, if any.
pub fn handed_run_id() -> Option<&'static str> {
    let handed = std::env::var(RUN_ID).ok()?;
    Some(run_id()).filter(|id| *id == handed)
}

/// Accepts only characters that need no quoting in file names, names of metrics and JSON.
fn is_id(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// 16 hexadecimal digits; from process and time if there are no random numbers.
fn made() -> String {
    let mut bits = [0; 8];
    match getrandom(&mut bits, GetRandomFlags::empty()) {
        Ok(8) => format!("{:016x}", u64::from_ne_bytes(bits)),
        _ => {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            format!("{:08x}{:08x}", since.as_secs() & 0xffff_ffff, std::process::id())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_need_no_quoting() {
        assert!(is_id(&made()) && made() != made());
        assert!(is_id("nightly-2026-05-19"));
        for odd in ["", "a b", "a/b", "a\n", "é", &"x".repeat(65)] {
            assert!(!is_id(odd), "{odd:?}");
        }
        assert_eq!(run_id(), run_id());
    }
}
