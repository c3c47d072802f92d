//! The account's rights: printed, documented, sufficient, and named if missing. All tests on
//! databases show that they are sufficient for everything else: `fixtures::db` gives its accounts
//! these rights and no others.

use std::fs;
use std::path::Path;

use fixtures::db::{Pair, SqlMode, names};
use schema::rights::{Account, Names};
use schema::tables::Engine;

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");

fn grants(config: &Path, account: &str) -> fixtures::Finished {
    fixtures::run(HZMETRICS).env("HZMETRICS_ACCESS_CFG", config).args(["setup-db", "--grants", account]).finish()
}

/// A configuration with these names, and nothing else that `--grants` does not need.
fn config(folder: &Path, hub: &str, metrics: &str) -> std::path::PathBuf {
    let path = folder.join("names.cfg");
    fs::write(&path, format!("$hub_db = '{hub}';\n$metrics_db = '{metrics}';\n")).unwrap();
    path
}

#[test]
fn the_documentation_shows_the_printed_rights() {
    let folder = tempfile::tempdir().unwrap();
    let printed = grants(&config(folder.path(), "hub", "hub_metrics"), "hub_metrics@localhost").ok();
    assert_eq!(printed.stderr, "");
    let account: Account = "hub_metrics@localhost".parse().unwrap();
    let expected = Names { hub: "hub", metrics: "hub_metrics", prefix: "jos_" }.grants(&account);
    assert_eq!(printed.text().lines().map(|line| line.trim_end_matches(';')).collect::<Vec<_>>(), expected);
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/database.md")).unwrap();
    let shown: String =
        page.lines().filter(|line| line.starts_with("GRANT ")).map(|line| format!("{line}\n")).collect();
    assert_eq!(shown, printed.text(), "docs/database.md");
}

#[test]
fn invalid_accounts_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "hub", "hub_metrics");
    for account in ["hub", "", "@localhost", "hub@", "a\nb@localhost"] {
        let refused = grants(&config, account).expect_code(2);
        assert!(refused.text().is_empty() && !refused.stderr.is_empty(), "{account:?}");
    }
    let missing = fixtures::run(HZMETRICS).args(["setup-db", "--grants", "u@h"]).env("HZMETRICS_ROOT", folder.path());
    assert!(missing.finish().expect_code(2).stderr.contains("there is no configuration"));
}

/// Gives the printed rights to an account with a difficult name; returns its configuration.
fn troublesome(pair: &Pair, user: &str) -> std::path::PathBuf {
    let quoted = schema::tables::quote(user);
    pair.sql(&format!("CREATE OR REPLACE USER {quoted}@localhost IDENTIFIED BY 'p'"));
    let printed = grants(&pair.config(), &format!("{user}@localhost")).ok();
    pair.sql(&printed.text());
    let text = fs::read_to_string(pair.config()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("$db_user") && !line.starts_with("$db_pass"));
    let path = pair.home().join("other.cfg");
    fs::write(
        &path,
        lines.map(|line| format!("{line}\n")).collect::<String>() + &format!("$db_user = '{user}';\n$db_pass = 'p';\n"),
    )
    .unwrap();
    path
}

fn hzmetrics(pair: &Pair, config: &Path, line: &str) -> fixtures::Finished {
    pair.run(HZMETRICS).env("HZMETRICS_ACCESS_CFG", config).args(line.split(' ')).finish()
}

#[test]
fn the_printed_rights_are_enough_and_no_more() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = names(SqlMode::Lax) else { return };
        pair.create_hub(true);
        let user = format!("a\"b`c\\d%_{engine:?}");
        let config = troublesome(&pair, &user);
        hzmetrics(&pair, &config, &format!("setup-db --engine {}", engine.name())).ok();
        hzmetrics(&pair, &config, "migrate --apply").ok();
        hzmetrics(&pair, &config, "run --force").ok();
        hzmetrics(&pair, &config, "rebuild-summaries --since 2025-01 --through 2025-02").ok();
        // `_` in a name is literal: another hub on this server is not accessible
        let neighbour = pair.metrics.replacen('_', "x", 1);
        let text = fs::read_to_string(&config).unwrap().replace(&pair.metrics, &neighbour);
        fs::write(&config, text).unwrap();
        let refused = hzmetrics(&pair, &config, "setup-db").expect_code(1);
        assert!(refused.stderr.contains("missing: GRANT CREATE ON"), "{}", refused.stderr);
        pair.sql(&format!("DROP USER {}@localhost", schema::tables::quote(&user)));
    }
}

#[test]
fn a_missing_right_is_named() {
    let Some(pair) = names(SqlMode::Lax) else { return };
    pair.create_hub(true);
    let config = troublesome(&pair, "poor");
    hzmetrics(&pair, &config, "setup-db").ok();
    let escaped = pair.metrics.replace('_', "\\_");
    for (right, line) in [("UPDATE", "mark-dirty 2025-01"), ("DROP", "import-hub-data"), ("SELECT", "audit")] {
        pair.sql(&format!("REVOKE {right} ON `{escaped}`.* FROM poor@localhost"));
        let failed = hzmetrics(&pair, &config, line);
        assert_ne!(failed.code, 0, "{line}");
        let said = failed.stderr.clone() + &failed.text();
        assert!(
            said.contains(&format!("missing: GRANT {right} ON `{escaped}`.* TO `poor`@`localhost`")),
            "{line}\n{said}"
        );
        pair.sql(&format!("GRANT {right} ON `{escaped}`.* TO poor@localhost"));
    }
    pair.sql("DROP USER poor@localhost");
    let failed = hzmetrics(&pair, &config, "audit");
    assert!(failed.code != 0 && failed.stderr.contains("setup-db --grants USER@HOST"), "{}", failed.stderr);
}
