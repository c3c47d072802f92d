//! Pages in a folder: one for each month, and an index of them. A page appears whole or not at all.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use hub::identity::Owner;
use kit::door::{self, Folder};
use kit::{Format, WholeFile};
use rustix::fs::{FileType, Stat};
use schema::Month;

use crate::args::Args;
use crate::compose::{document, title};
use crate::document::{Chart, Document, Figure, Section, Table};
use crate::ground::Ground;
use crate::render;
use crate::sections::Sections;
use crate::words::{Rule, Words};

/// The page that lists the others.
pub(crate) const INDEX: &str = "index.html";

/// A folder that pages are written into.
pub(crate) struct Pages<'a> {
    path: &'a Path,
    mode: u32,
    owner: Owner,
    words: &'static Words,
}

impl<'a> Pages<'a> {
    /// The folder, which is created if only it is missing.
    ///
    /// # Errors
    /// It cannot be created, or there is no such owner.
    pub(crate) fn open(path: &'a Path, args: &Args, words: &'static Words) -> Result<Self> {
        let owner = Owner::parse(args.pages.owner.as_deref().unwrap_or_default())?;
        if door::look(path)?.is_none() {
            door::make_one_folder(path).with_context(|| format!("creating the folder {}", path.display()))?;
        }
        Ok(Self { path, mode: args.pages.mode, owner, words })
    }

    /// Writes one page. Until it is complete, a file that was there before stays.
    ///
    /// # Errors
    /// The page cannot be written, or not be given to its owner.
    pub(crate) fn write(&self, name: &str, document: &Document) -> Result<()> {
        let mut file = WholeFile::create(&self.path.join(name))?;
        let bytes = render::bytes(document, Format::Html, self.words)?;
        file.write_all(&bytes).with_context(|| format!("writing {}", self.path.join(name).display()))?;
        file.set_mode(self.mode)?;
        if self.owner != Owner::default() {
            file.give(self.owner.uid, self.owner.gid)?;
        }
        file.publish()
    }

    /// The months that have a page, the latest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn months(&self) -> Result<Vec<Month>> {
        let folder = Folder::open(self.path)?;
        let names = folder.names().with_context(|| format!("reading the folder {}", self.path.display()))?;
        let is_file = |stat: Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let month = |name: &OsStr| {
            let month: Month = name.to_str()?.strip_suffix(".html")?.parse().ok()?;
            folder.look(name).ok().flatten().filter(|stat| is_file(*stat)).map(|_| month)
        };
        let mut months: Vec<_> = names.iter().filter_map(|name| month(name)).collect();
        months.sort_unstable_by(|a, b| b.cmp(a));
        Ok(months)
    }

    /// Removes what runs left that were killed more than an hour before this page was written.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn sweep(&self, page: &str) -> Result<()> {
        const HOUR: i64 = 3600;
        let folder = Folder::open(self.path)?;
        let Some(now) = folder.look(OsStr::new(page))?.map(|stat| stat.st_mtime) else { return Ok(()) };
        for name in folder.names()? {
            let is_ours = name.to_str().is_some_and(|name| name.starts_with(".hzmetrics-") && name.ends_with(".part"));
            if is_ours && folder.look(&name)?.is_some_and(|stat| stat.st_mtime < now - HOUR) {
                // whoever else removes it has done the same
                let _ = folder.remove(&name);
            }
        }
        Ok(())
    }
}

/// The name of the page of a month.
pub(crate) fn page_of(month: Month) -> String {
    format!("{month}.html")
}

/// Writes the page of the month, then the index.
///
/// # Errors
/// The records have no month, or a page cannot be written.
pub(crate) fn write(
    path: &Path,
    args: &Args,
    ground: &Ground,
    sections: &Sections,
    logo: Option<String>,
) -> Result<()> {
    let leading = sections.leading_months();
    let Some(month) = ground.month.or_else(|| ground.month_among(&leading)) else {
        bail!("the records have no month that a page could be about");
    };
    let pages = Pages::open(path, args, ground.words)?;
    let mut page = document(args, ground, sections, logo.clone());
    page.pages = vec![(INDEX.to_owned(), ground.words.all_months.to_owned())];
    pages.write(&page_of(month), &page)?;
    pages.write(INDEX, &index(args, ground, sections, &pages.months()?, logo))?;
    pages.sweep(INDEX)
}

/// The page that lists the months.
fn index(args: &Args, ground: &Ground, sections: &Sections, months: &[Month], logo: Option<String>) -> Document {
    let words = ground.words;
    let mut table = sections.overview(months, ground);
    for (row, month) in table.rows.iter_mut().zip(months) {
        row.page = Some(page_of(*month));
    }
    Document {
        title: title(args, ground),
        subtitle: words.all_months.to_owned(),
        pages: Vec::new(),
        logo,
        sections: vec![Section {
            id: "months",
            title: words.months_title.to_owned(),
            intro: words.all_months_intro.to_owned(),
            cards: Vec::new(),
            figures: vec![list("list-of-months", words.months_at_a_glance, table)],
        }],
        remarks: Vec::new(),
        is_private: false,
        is_brief: false,
    }
}

/// A table of pages.
pub(crate) fn list(id: &'static str, title: &str, table: Table) -> Figure {
    Figure {
        id,
        title: title.to_owned(),
        summary: String::new(),
        chart: Chart::Plain,
        table,
        notes: Vec::new(),
        rule: Rule::Users,
        is_wide: true,
    }
}
