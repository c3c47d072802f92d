//! The chain in parts on made-up hubs: requests split by visitor, joined, summarized, against one
//! process over everything.

use std::fs;
use std::path::{Path, PathBuf};

use fixtures::hub::Plan;
use fixtures::{Finished, Run, asked, run};
use schema::Month;

const MONTHS: [&str; 4] = ["--since", "2024-12", "--through", "2025-02"];

fn program(name: &str) -> Run {
    let exe = Path::new(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(name);
    assert!(exe.exists(), "{name} is not built; `cargo xtask test` builds everything");
    run(exe)
}

/// A made-up hub whose requests have names.
pub(crate) struct MadeUp {
    folder: tempfile::TempDir,
    /// What usage-metrics reads.
    named: Vec<u8>,
}

impl MadeUp {
    pub(crate) fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let first = Month::new(2024, 12).unwrap();
        let plan =
            Plan { seed, first, n_months: 3, visits_a_day: 6, n_members: 25, odd: 5, gzip: false, old_layout: true };
        plan.make(folder.path(), || ()).unwrap();
        let hub = Self { folder, named: Vec::new() };
        let imported = program("import-logs").arg("--quiet").args(hub.logs()).finish().ok();
        let resolve = program("resolve-dns").args(["--from", "-", "--from"]).arg(hub.at("hub.ndjson"));
        let named = resolve.arg("--map").arg(hub.at("hosts.csv")).stdin(imported.stdout).finish().ok();
        Self { named: named.stdout, ..hub }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        let entries = ["httpd/daily", "hubzero/daily"].map(|folder| fs::read_dir(self.at(folder)).unwrap());
        let mut paths: Vec<_> = entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// usage-metrics with what it is given on every hub.
    fn usage(&self, compat: &str) -> Run {
        let excludes = self.at("exclude.csv");
        fs::write(&excludes, "filter,type\n%crawl%,host\nexample.net,domain\n").unwrap();
        let run = program("usage-metrics").args(["--compat", compat, "--timezone", "America/New_York", "--exclude"]);
        run.arg(excludes).arg("--geoip").arg(self.at("countries.mmdb"))
    }

    /// What usage-metrics makes of everything in one process.
    pub(crate) fn whole(&self, compat: &str) -> Vec<u8> {
        self.usage(compat).stdin(self.named.clone()).finish().ok().stdout
    }
}

fn cells(usage: Vec<u8>, compat: &str) -> String {
    program("summarize").args(MONTHS).args(["--compat", compat]).stdin(usage).finish().ok().text()
}

pub(crate) fn lines(records: &[u8], kind: &str) -> Vec<String> {
    let head = format!("{{\"kind\":\"{kind}\"");
    let text = String::from_utf8(records.to_vec()).unwrap();
    text.lines().filter(|line| line.starts_with(&head)).map(str::to_owned).collect()
}

#[test]
fn joined_parts_of_a_hub_give_the_cells_of_one_process() {
    for seed in 0..u64::from(asked("HZMETRICS_CAMPAIGN", 5).div_ceil(5)) {
        let hub = MadeUp::new(seed + 14);
        for compat in ["default", "port", "ipv6,clear-orphan-stamps"] {
            let whole = hub.whole(compat);
            let expected = cells(whole.clone(), compat);
            assert!(lines(&whole, "session").len() > 300, "{}", lines(&whole, "session").len());
            let with_jobs = lines(&whole, "session").iter().filter(|line| !line.contains("\"jobs\":0")).count();
            assert!(with_jobs > 0, "no tool start belongs to a session");
            for n in [2, 3, 7] {
                let part = |i: u32| {
                    let part = hub.usage(compat).arg("--part").arg(format!("{i}/{n}"));
                    part.stdin(hub.named.clone()).finish().ok().stdout
                };
                // the last part first: their order does not matter
                let parts: Vec<u8> = (1..=n).rev().flat_map(part).collect();
                let unjoined =
                    || -> Finished { program("summarize").args(MONTHS).stdin(parts.clone()).finish().expect_code(1) };
                unjoined().said(&["that were not joined"]);
                let joined = hub.usage(compat).arg("--join").stdin(parts.clone()).finish().ok().stdout;
                for kind in ["session", "toolstart"] {
                    assert_eq!(lines(&joined, kind), lines(&whole, kind), "{n} parts, {compat}, seed {seed}");
                }
                assert_eq!(cells(joined, compat), expected, "{n} parts, {compat}, seed {seed}");
            }
        }
    }
}
