//! `usage-metrics` as a real executable.

#[test]
fn describes_itself() {
    let done = fixtures::run(env!("CARGO_BIN_EXE_usage-metrics")).arg("--describe").finish().ok();
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(json["name"], "usage-metrics");
}
