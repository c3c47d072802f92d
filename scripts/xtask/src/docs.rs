//! `docs`: writes the pages generated from the code. `--check` only compares, and so does a test.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use schema::Kind;
use schema::keys::KEYS;
use schema::kind::{KindSpec, Type};
use xshell::Shell;

use checkout::{place, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only check whether the pages are up to date
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(_sh: &Shell, args: &Args) -> Result<()> {
    let docs = place::root()?.join("docs");
    let mut is_current = true;
    for (name, page) in [("records.md", records()), ("configuration.md", configuration(&docs)?)] {
        let path = docs.join(name);
        if fs::read_to_string(&path).unwrap_or_default() == page {
            continue;
        }
        is_current = false;
        if args.check {
            bail!("{} is out of date; `cargo xtask docs` writes it", path.display());
        }
        fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
        say(&format!("xtask: wrote {}", path.display()));
    }
    if is_current {
        say("xtask: the generated pages are up to date");
    }
    Ok(())
}

/// What is around the table of keys on the page of the configuration.
const KEYS_BEGIN: &str = "<!-- The table is written by `cargo xtask docs` from schema/src/keys.rs. -->\n";
const KEYS_END: &str = "<!-- The end of the table. -->\n";

/// The page on the configuration, its table of keys as the code says.
fn configuration(docs: &Path) -> Result<String> {
    let path = docs.join("configuration.md");
    let page = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let parts = page.split_once(KEYS_BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(KEYS_END)?.1)));
    let (head, tail) = parts.with_context(|| format!("{} has no place for the keys", path.display()))?;
    Ok(format!("{head}{KEYS_BEGIN}{}{KEYS_END}{tail}", keys()))
}

/// The table of keys.
fn keys() -> String {
    let mut table = String::from("| key | value | default | variable | option | what |\n|---|---|---|---|---|---|\n");
    for key in KEYS {
        let code = |text: &str| format!("`{text}`");
        let variable = key.variable.map_or_else(String::new, code);
        let mut options: Vec<String> = key.options.iter().map(|o| format!("`--{}`", o.option)).collect();
        options.dedup();
        let name = if key.name == "*" { "NAME" } else { key.name };
        let _ = writeln!(
            table,
            "| `[{}] {name}` | {} | {} | {variable} | {} | {} |",
            key.section,
            key.value.word(),
            key.default,
            options.join(", "),
            key.doc
        );
    }
    table
}

/// The page on record kinds.
fn records() -> String {
    let mut page = "<!-- Written by `cargo xtask docs` from schema/src/kind.rs. -->\n\n# Records\n\n\
        Stages talk in records: one JSON object a line, with its kind in the field `kind`, the other \
        fields in the order below. A field that is absent is NULL in the table, or not known yet. \
        Kinds and fields that a stage does not know pass through it unchanged.\n\n\
        With `--format csv` a stream carries one kind: the header is always written, the first column \
        is `kind`, `\\N` is an absent field, a text that begins with a backslash gets one more, and \
        `\\=` is followed by raw JSON where a value is not of its column's type. Records survive the \
        way to CSV and back.\n\n\
        A line that is not a record, and a CSV row that has not as many cells as the header, is rejected. \
        If every line of a stream is rejected, the program writes nothing and ends with 1: it was probably \
        given something else than records.\n\n\
        Log text that is not UTF-8 has each wrong byte replaced by `?` when it is imported, and so has \
        a character outside the basic plane; that is what the tables hold, too.\n\n\
        | kind | made by | table | what |\n|---|---|---|---|\n"
        .to_owned();
    for spec in Kind::ALL {
        let table = if spec.table.is_empty() { String::new() } else { format!("`{}`", spec.table) };
        let _ = writeln!(page, "| [{0}](#{0}) | {1} | {table} | {2} |", spec.name, spec.made_by, spec.doc);
    }
    for spec in Kind::ALL {
        kind(&mut page, spec);
    }
    page
}

fn kind(page: &mut String, spec: &KindSpec) {
    let _ = write!(page, "\n## {}\n\n{}\n\n| field | type | meaning |\n|---|---|---|\n", spec.name, spec.doc);
    for column in spec.columns {
        let ty = match column.ty {
            Type::Int => "integer",
            Type::Float => "number",
            Type::Text => "text",
            Type::Stamp => "time",
        };
        let _ = writeln!(page, "| {} | {ty} | {} |", column.name, column.doc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_on_records_is_up_to_date() {
        let path = place::root().unwrap().join("docs/records.md");
        let page = fs::read_to_string(&path).unwrap();
        assert!(page == records(), "{} is out of date; `cargo xtask docs` writes it", path.display());
        assert!(page.contains("\n## hub_session\n") && page.contains("| sessnum | integer |"));
    }

    #[test]
    fn the_page_on_the_configuration_is_what_the_code_says() {
        let docs = place::root().unwrap().join("docs");
        let page = fs::read_to_string(docs.join("configuration.md")).unwrap();
        assert!(page == configuration(&docs).unwrap(), "configuration.md is out of date; `cargo xtask docs` writes it");
        assert!(page.contains("| `[dns] nameserver` | text | system | `HZMETRICS_DNS_NAMESERVER` | `--nameserver` |"));
    }

    #[test]
    fn the_page_on_compatibility_has_every_option_once() {
        let page = fs::read_to_string(place::root().unwrap().join("docs/compatibility.md")).unwrap();
        let options = page.split_once("\n## Options\n").unwrap().1.split("\n## ").next().unwrap();
        let listed: Vec<_> = options
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(name, _)| name)
            .collect();
        for (_, name) in schema::Opt::ALL {
            assert_eq!(listed.iter().filter(|listed| *listed == name).count(), 1, "{name}");
        }
        assert_eq!(listed.len(), schema::Opt::ALL.len(), "{listed:?}");
    }
}
