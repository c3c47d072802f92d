//! `hzmetrics rebuild-summaries`: the months and periods passed to the stage, what is refused, and
//! that the state of the daily work is unchanged.

use fixtures::db::{Pair, SqlMode, pair};
use fixtures::{Finished, Run};
use schema::tables::Engine;

use super::support::Place;

struct Rebuild {
    pair: Pair,
    place: Place,
}

impl Rebuild {
    fn new() -> Option<Self> {
        let pair = pair(Engine::InnoDb, SqlMode::Strict)?;
        let place = Place::new(&[]);
        let rebuild = Self { pair, place };
        rebuild.stage("");
        Some(rebuild)
    }

    /// A stage that records how it was started, and then runs `body`.
    fn stage(&self, body: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let list = self.place.path("list").display().to_string();
        self.place.write("the bin/summarize", &format!("#!/bin/sh\necho \"$*\" >> '{list}'\n{body}\n"));
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.place.path("the bin/summarize"), mode).unwrap();
    }

    /// In the middle of May 2026.
    fn start(&self, args: &[&str]) -> Run {
        let run = self.pair.run(self.place.path("the bin/hzmetrics")).env("HZMETRICS_ROOT", self.place.path("root"));
        run.env("HZMETRICS_NOW", "2026-05-19T10:10").arg("rebuild-summaries").args(args)
    }

    fn run(&self, args: &[&str]) -> Finished {
        self.start(args).finish()
    }

    /// How the stage was started since the last call.
    fn calls(&self) -> Vec<String> {
        let list = self.place.path("list");
        let text = std::fs::read_to_string(&list).unwrap_or_default();
        let _ = std::fs::remove_file(list);
        text.lines().map(str::to_owned).collect()
    }

    fn state(&self) -> Vec<String> {
        self.pair.lines("SELECT k, v FROM pipeline_state ORDER BY k")
    }
}

#[test]
fn months_and_periods_are_passed_to_the_stage() {
    let Some(rebuild) = Rebuild::new() else { return };
    for (args, call) in [
        (&["--since", "2024-06", "--through", "2024-06"][..], "--db --month 2024-06"),
        (&["--since", "2024-01", "--through", "2024-03"], "--db --since 2024-01 --through 2024-03"),
        (&["--since", "2022-11", "--through", "2023-02"], "--db --since 2022-11 --through 2023-02"),
        // up to the previous month
        (&["--since", "2026-03"], "--db --since 2026-03 --through 2026-04"),
        (
            &["--since", "2024-06", "--through", "2024-06", "--periods", "12,13,14"],
            "--db --month 2024-06 --periods 12,13,14",
        ),
        (&["--since", "2024-06", "--through", "2024-06", "--periods", "1, 14"], "--db --month 2024-06 --periods 1,14"),
        (
            &["--since", "2024-06", "--through", "2024-06", "--periods", "1"],
            "--db --month 2024-06 --periods 1 --only import-hub-data,summary",
        ),
        (&["--since", "2024-06", "--through", "2024-06", "--dry-run"], "--db --dry-run --month 2024-06"),
    ] {
        let done = rebuild.run(args).ok();
        assert_eq!(rebuild.calls(), [call], "{args:?}: {}", done.stderr);
    }
}

#[test]
fn invalid_ranges_start_nothing() {
    let Some(rebuild) = Rebuild::new() else { return };
    for (args, code, reason) in [
        (&["--since", "2024-06", "--periods", "99"][..], 2, "`99` is not a period"),
        (&["--since", "2024-06", "--periods", "one,two"], 2, "`one` is not a period"),
        (&["--since", "2024-06", "--periods", ""], 2, "is not a period"),
        (&["--since", "2024-08", "--through", "2024-06"], 2, "--since 2024-08 is after --through 2024-06"),
        (&["--since", "2024-13"], 2, "2024-13"),
        (&["--since", "2024-06-01"], 2, "2024-06-01"),
        (&[], 2, "--since"),
    ] {
        let done = rebuild.run(args).expect_code(code);
        assert!(done.stderr.contains(reason), "{args:?}: {}", done.stderr);
        assert_eq!(rebuild.calls(), [""; 0], "{args:?}");
    }
}

#[test]
fn the_state_is_unchanged() {
    let Some(rebuild) = Rebuild::new() else { return };
    rebuild.pair.sql(
        "INSERT INTO pipeline_state (k, v) VALUES ('mode', 'rebuild'), ('rebuild_cursor', '2025-03'),
         ('dirty_months', '2024-06,2025-01'), ('catchup_started', '2023-01')",
    );
    let before = rebuild.state();
    assert_eq!(before.len(), 4);
    for args in [&["--since", "2024-01", "--through", "2024-12"][..], &["--since", "2024-06", "--dry-run"]] {
        let _ = rebuild.run(args).ok();
        assert_eq!(rebuild.state(), before, "{args:?}");
    }
    rebuild.stage("exit 1");
    let failed = rebuild.run(&["--since", "2024-06", "--through", "2024-06"]);
    assert_ne!(failed.code, 0, "{}", failed.stderr);
    assert_eq!(rebuild.state(), before, "a stage that failed");
}

/// With the real stage, which `cargo xtask test` builds next to `hzmetrics`.
#[test]
fn months_after_a_filled_gap_get_their_long_periods() {
    let Some(rebuild) = Rebuild::new() else { return };
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name("summarize");
    assert!(built.exists(), "summarize is not built; `cargo xtask test` builds everything");
    std::fs::copy(built, rebuild.place.path("the bin/summarize")).unwrap();
    let hits = |month: &str| {
        let sql = format!(
            "SELECT period, value FROM summary_misc_vals WHERE rowid = 8 AND `datetime` = '{month}-00' ORDER BY period"
        );
        rebuild.pair.lines(&sql).join(" ").replace('\t', "=")
    };
    let counts = || {
        rebuild
            .pair
            .lines("SELECT period, COUNT(*) FROM summary_user_vals WHERE `datetime` = '2024-06-00' GROUP BY period")
    };
    rebuild.pair.sql("INSERT INTO webhits (`datetime`, hits) VALUES ('2024-06-15', 200)");
    let _ = rebuild.run(&["--since", "2024-06", "--through", "2024-06", "--periods", "1"]).ok();
    assert_eq!((hits("2024-06").as_str(), counts()), ("1=200", vec!["1\t77".to_owned()]));
    let uses = "SELECT COUNT(*) FROM {hub}.jos_resource_stats";
    assert_eq!(rebuild.pair.value(uses).as_deref(), Some("0"), "the month's own period counts no usage");
    let _ = rebuild.run(&["--since", "2024-06", "--through", "2024-06"]).ok();
    assert_eq!(hits("2024-06"), "0=200 1=200 3=200 12=200 13=200 14=200");
    assert_eq!(counts(), ["0\t77", "1\t77", "3\t77", "12\t77", "13\t77", "14\t77"]);
    // data for a year earlier arrives later
    rebuild.pair.sql("INSERT INTO webhits (`datetime`, hits) VALUES ('2023-06-15', 100)");
    let dry = rebuild.run(&["--since", "2023-06", "--through", "2024-06", "--dry-run"]).ok();
    assert_eq!(hits("2024-06"), "0=200 1=200 3=200 12=200 13=200 14=200", "{}", dry.stderr);
    let _ = rebuild.run(&["--since", "2023-06", "--through", "2024-06"]).ok();
    assert_eq!(hits("2024-06"), "0=200 1=200 3=200 12=200 13=200 14=300");
    assert_eq!(hits("2023-12"), "0=100 1= 3= 12=100 13= 14=100");
}
