//! `docs/security.md` names tests for each attack: every kind has one, and every name is that of a test.

use std::fs;
use std::path::Path;

use crate::install::deploy;

/// Kinds of attacks, as words in the first cell of a row.
const KINDS: [&str; 17] = [
    "links",
    "FIFOs",
    "devices",
    "climbing paths",
    "growing",
    "shrinking",
    "replaced",
    "vanishing",
    "hostile lines",
    "reverse names",
    "geo answers",
    "tables of the hub",
    "full disks",
    "dead servers",
    "rights",
    "interrupted",
    "TLS",
];

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_kind_of_attack_has_tests_that_exist() {
    let root = deploy().join("../..");
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let table = page.split_once("## How it is tested").unwrap().1.split_once("\n## ").unwrap().0;
    let rows: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .filter(|(_, tests)| tests.contains('`'))
        .collect();
    let missing = KINDS.iter().find(|kind| !rows.iter().any(|(attack, _)| attack.contains(*kind)));
    assert_eq!(missing, None, "a kind without a row");
    let mut text = String::new();
    for folder in ["schema", "stages", "orchestrator", "fixtures", "scripts"] {
        sources(&root.join(folder), &mut text);
    }
    for (attack, tests) in rows {
        for name in tests.split('`').skip(1).step_by(2) {
            assert!(text.contains(&format!("fn {name}(")), "{attack}: there is no test {name}");
        }
    }
}
