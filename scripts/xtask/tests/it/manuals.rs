//! Man pages and completions of the executables next to this test's own xtask.

use std::path::{Path, PathBuf};

use fixtures::EXECUTABLES;

/// All executables. A test of the whole workspace builds them; `cargo test --package xtask` alone does not.
fn executables() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_BIN_EXE_xtask")).parent().unwrap();
    let all: Vec<_> = EXECUTABLES.iter().map(|name| folder.join(name)).collect();
    for path in &all {
        assert!(path.exists(), "there is no {}: run `cargo build --workspace --bins` first", path.display());
    }
    all
}

fn generated(program: &Path, what: &str) -> String {
    let finished = fixtures::run(program).args(["--generate", what]).finish().ok();
    assert_eq!(finished.stderr, "", "{} {what}", program.display());
    finished.text()
}

/// `--name` of every option in a help text.
fn options(help: &str) -> Vec<String> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let names = lines.filter_map(|line| {
        let start = line.find("--")?;
        let name = &line[start..];
        let end = name.find(|c: char| c != '-' && !c.is_ascii_alphanumeric()).unwrap_or(name.len());
        Some(name[..end].to_owned())
    });
    names.collect()
}

fn has(text: &str, program: &Path, what: &str, option: &str) {
    // roff writes a literal hyphen as `\-`; fish omits the hyphens
    let text = text.replace("\\-", "-");
    let looked_for = if what == "fish" { option.trim_start_matches('-') } else { option };
    assert!(text.contains(looked_for), "{option} is missing in {} --generate {what}", program.display());
}

#[test]
fn manuals_and_completions_have_every_option_and_command() {
    for program in executables() {
        let help = fixtures::run(&program).arg("--help").finish().ok().text();
        let mut names = options(&help);
        assert!(names.len() >= 3, "{}: {names:?}", program.display());
        let mut commands = Vec::new();
        if program.ends_with("hzmetrics") {
            let rows = help.lines().filter(|line| line.starts_with("  ") || line.starts_with(" *"));
            commands.extend(rows.filter_map(|row| row.get(2..)?.split_whitespace().next()).map(str::to_owned));
            commands.retain(|name| name.chars().all(|c| c == '-' || c.is_ascii_lowercase()) && !name.starts_with('-'));
            for wanted in ["tick", "status", "forget-import", "summarize-month", "sh"] {
                assert!(commands.iter().any(|name| name == wanted), "{wanted} in {commands:?}");
            }
            for command in &commands {
                names.extend(options(&fixtures::run(&program).args([command, "--help"]).finish().ok().text()));
            }
            names.retain(|name| name != "--help");
        }
        for what in ["man", "bash", "zsh", "fish"] {
            let text = generated(&program, what);
            for name in names.iter().chain(&commands) {
                has(&text, &program, what, name);
            }
        }
    }
}

#[test]
fn man_pages_are_well_formed() {
    let mandoc = ["/usr/bin/mandoc", "/usr/local/bin/mandoc"].iter().any(|path| Path::new(path).exists());
    for program in executables() {
        let page = generated(&program, "man");
        let name = program.file_name().unwrap().to_string_lossy().into_owned();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
            assert_eq!(page.lines().filter(|line| *line == format!(".SH {heading}")).count(), 1, "{name}: {heading}");
        }
        if mandoc {
            let lint = fixtures::run("mandoc").args(["-Tlint", "-Wwarning"]).stdin(page).finish();
            assert_eq!(lint.text(), "", "{name}");
        }
    }
    if !mandoc {
        fixtures::skip("mandoc is not installed: the pages were not looked at by a formatter");
    }
}

#[test]
fn completions_are_accepted_by_their_shells() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, args) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        if !["/usr/bin", "/bin", "/usr/local/bin"].iter().any(|bin| Path::new(bin).join(shell).exists()) {
            fixtures::skip(&format!("{shell} is not installed: its completions were not read"));
            continue;
        }
        for program in executables() {
            let path = folder.path().join("completion");
            std::fs::write(&path, generated(&program, shell)).unwrap();
            fixtures::run(shell).args(args).arg(&path).finish().ok();
        }
    }
}

#[test]
fn other_words_after_generate_are_wrong_usage() {
    for program in executables() {
        for words in [&["--generate"][..], &["--generate", "elvish"]] {
            let refused = fixtures::run(&program).args(words).finish().expect_code(2);
            assert!(
                refused.stderr.contains("man, bash, zsh or fish") && refused.stdout.is_empty(),
                "{}",
                refused.stderr
            );
        }
    }
}

/// A key of the configuration stands for options that the stages have.
#[test]
fn keys_of_the_configuration_stand_for_options() {
    let programs = executables();
    let help = |stage: &str| {
        let program = programs.iter().find(|program| program.file_name().is_some_and(|name| name == stage))?;
        Some(options(&fixtures::run(program).arg("--help").finish().ok().text()))
    };
    for option in schema::keys::KEYS.iter().flat_map(|key| key.options) {
        let stages = if option.stage == "*" { vec!["import-logs", "summarize"] } else { vec![option.stage] };
        for known in stages.into_iter().filter_map(help) {
            for name in option.unless.iter().chain([&option.option]) {
                assert!(known.contains(&format!("--{name}")), "{} has no option --{name}", option.stage);
            }
        }
    }
}
