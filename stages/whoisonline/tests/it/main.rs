//! `whoisonline` as a real executable.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod cron;
mod filter;
mod hub;

use fixtures::Run;

fn stage() -> Run {
    fixtures::run(env!("CARGO_BIN_EXE_whoisonline"))
}

#[test]
fn describes_itself() {
    let done = stage().arg("--describe").finish().ok();
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(json["name"], "whoisonline");
}
