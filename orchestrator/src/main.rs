//! `hzmetrics`: the orchestrator.

fn main() {}
