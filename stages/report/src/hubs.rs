//! Several hubs: a page for each, and the index, which is about all of them together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use kit::{Endpoint, Input, Io};
use schema::Month;

use crate::args::{Args, Part};
use crate::compose::{document, title};
use crate::document::{Column, Document, Label, Row, Section, Table};
use crate::folder::{INDEX, Pages, list};
use crate::ground::Ground;
use crate::margins;
use crate::records;
use crate::sections::Sections;
use crate::words::fill;

/// Reads the records of all hubs together, then those of each, and writes the pages.
///
/// # Errors
/// An input cannot be read, the records of all have no month, or a page cannot be written.
pub(crate) fn write(folder: &Path, args: &Args, ground: &mut Ground, logo: Option<String>, io: &mut Io) -> Result<()> {
    let pages = Pages::open(folder, args, ground.words)?;
    if let Some(month) = pages.months()?.first() {
        bail!("{} holds pages of months ({month}); the pages of hubs need a folder of their own", folder.display());
    }
    // resources of several hubs have the same numbers
    let parts = [Part::Usage];
    let all = records::read_from(&mut io.input()?, &parts, false, &mut io.rejects)?;
    let Some(month) = ground.month.or_else(|| ground.month_among(&all.leading_months())) else {
        bail!("the records of all hubs together have no month that a page could be about");
    };
    ground.month = Some(month);
    let mut hubs = Vec::new();
    for (name, files) in of_hubs(args) {
        let mut input = Input::new(files.into_iter().map(Endpoint::File).collect());
        let sections = records::read_from(&mut input, &args.sections, false, &mut io.rejects)?;
        hubs.push(Hub::new(name, args, ground, &sections, month, logo.clone()));
    }
    let documents: Vec<&Document> = hubs.iter().map(|hub| &hub.page).collect();
    let mut index = document(args, ground, &all, logo);
    margins::protect(&mut index, &documents, ground.words);
    index.sections.insert(0, section(&hubs, &all, month, ground));
    index.remarks.push(ground.words.remark_hubs.to_owned());
    for hub in &hubs {
        pages.write(&page_of(&hub.name), &hub.page)?;
    }
    pages.write(INDEX, &index)?;
    pages.sweep(INDEX)
}

/// One hub.
struct Hub {
    name: String,
    /// Its most important numbers.
    numbers: Table,
    page: Document,
}

impl Hub {
    fn new(name: &str, args: &Args, ground: &Ground, sections: &Sections, month: Month, logo: Option<String>) -> Self {
        let mut page = document(args, ground, sections, logo);
        page.title = format!("{}: {name}", title(args, ground));
        page.pages = vec![(INDEX.to_owned(), ground.words.all_hubs.to_owned())];
        Self { name: name.to_owned(), numbers: sections.overview(&[month], ground), page }
    }
}

fn page_of(name: &str) -> String {
    format!("{name}.html")
}

/// The files of each hub.
fn of_hubs(args: &Args) -> BTreeMap<&str, Vec<PathBuf>> {
    let mut hubs: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    for hub in &args.pages.hub {
        hubs.entry(&hub.name).or_default().push(hub.file.clone());
    }
    hubs
}

/// The list of the hubs: all together, then each, the one with the most users first.
fn section(hubs: &[Hub], all: &Sections, month: Month, ground: &Ground) -> Section {
    let words = ground.words;
    let together = all.overview(&[month], ground);
    let numbers = |table: &Table| table.rows.first().map(|row| row.cells.clone()).unwrap_or_default();
    let columns: Vec<Column> = together.columns.clone();
    let row = |label: &str, cells| Row { label: Label::Text(label.to_owned()), ..Row::new("", cells) };
    let mut rows: Vec<Row> = hubs
        .iter()
        .map(|hub| Row { page: Some(page_of(&hub.name)), ..row(&hub.name, numbers(&hub.numbers)) })
        .collect();
    rows.sort_by(|a, b| b.cell(0).value().unwrap_or(-1.0).total_cmp(&a.cell(0).value().unwrap_or(-1.0)));
    rows.insert(0, row(words.all_hubs, numbers(&together)));
    let state = ground.state(month);
    rows.iter_mut().for_each(|row| row.state = state);
    let table = Table { head: words.hub.to_owned(), columns, rows, n_more: 0 };
    Section {
        id: "hubs",
        title: words.hubs.to_owned(),
        intro: words.hubs_intro.to_owned(),
        cards: Vec::new(),
        figures: vec![list("list-of-hubs", &fill(words.hubs_in, &[&words.month_name(month)]), table)],
    }
}
