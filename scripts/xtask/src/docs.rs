//! `docs`: writes the pages generated from the code. `--check` only compares, and so does a test.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, bail};
use schema::Kind;
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
    let path = place::root()?.join("docs/records.md");
    let page = records();
    let old = fs::read_to_string(&path).unwrap_or_default();
    if old == page {
        say("xtask: the generated pages are up to date");
    } else if args.check {
        bail!("{} is out of date; `cargo xtask docs` writes it", path.display());
    } else {
        fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
        say(&format!("xtask: wrote {}", path.display()));
    }
    Ok(())
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
