//! The cells of the summary tables by name: `users.download.us` is row 4, column 3 of `summary_user_vals`.
//!
//! Names are what people type (`hzmetrics why`, `summarize --why`) and what `hzmetrics show` prints; the
//! labels of rows are in [`crate::reference`].

use std::fmt;
use std::str::FromStr;

use crate::near::nearest;

/// One of the summary tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Summary {
    /// `summary_user_vals`: users by residence and organisation.
    Users,
    /// `summary_simusage_vals`: the use of simulation tools.
    Simulation,
    /// `summary_misc_vals`: everything else.
    Misc,
}

impl Summary {
    /// All, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Users, Self::Simulation, Self::Misc];

    /// The table of the cells.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Users => "summary_user_vals",
            Self::Simulation => "summary_simusage_vals",
            Self::Misc => "summary_misc_vals",
        }
    }

    /// The first word of the names of its cells.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Simulation => "simulation",
            Self::Misc => "misc",
        }
    }

    /// The summary with this table.
    #[must_use]
    pub fn of_table(table: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|summary| summary.table() == table)
    }

    fn of_word(word: &str) -> Option<Self> {
        let short = |summary: Self| {
            summary.table().strip_prefix("summary_").and_then(|name| name.strip_suffix("_vals")).unwrap_or_default()
        };
        Self::ALL.into_iter().find(|summary| [summary.word(), summary.table(), short(*summary)].contains(&word))
    }

    /// Its rows and their words.
    const fn rows(self) -> &'static [(u8, &'static str)] {
        match self {
            Self::Users => &[
                (1, "total"),
                (2, "simulation"),
                (3, "interactive"),
                (4, "download"),
                (6, "registered"),
                (7, "unregistered-interactive"),
                (8, "unregistered-download"),
            ],
            Self::Simulation => &[
                (1, "users"),
                (2, "runs"),
                (3, "cpu-time"),
                (4, "wall-time"),
                (5, "interaction-time"),
                (6, "heavy-users"),
                (7, "runs-per-user"),
                (8, "time-between-runs"),
                (9, "regular-users"),
                (10, "returning-users"),
            ],
            Self::Misc => &[
                (1, "domains"),
                (2, "stays"),
                (3, "stay-time"),
                (4, "visitors"),
                (5, "visits"),
                (6, "registrations"),
                (7, "busiest-day"),
                (8, "hits"),
            ],
        }
    }
}

/// The columns of `summary_user_vals` and their words, from column 1.
const COLUMNS: [(&str, &str); 11] = [
    ("all", "all"),
    ("residence-known", "whose residence is known"),
    ("us", "in the United States"),
    ("asia", "in Asia"),
    ("europe", "in Europe"),
    ("elsewhere", "on other continents"),
    ("organisation-known", "whose organisation is known"),
    ("education", "in education"),
    ("industry", "in industry"),
    ("government", "in government"),
    ("other", "in other organisations"),
];

/// The place of a cell in its table.
///
/// ```
/// let place: schema::Place = "users.download.us".parse().unwrap();
/// assert_eq!((place.summary.table(), place.rowid, place.colid), ("summary_user_vals", 4, 3));
/// assert_eq!("summary_user_vals.4.3".parse(), Ok(place));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The table.
    pub summary: Summary,
    /// Its row.
    pub rowid: u8,
    /// Its column.
    pub colid: u8,
}

impl Place {
    /// A cell.
    #[must_use]
    pub const fn new(summary: Summary, rowid: u8, colid: u8) -> Self {
        Self { summary, rowid, colid }
    }

    /// Every cell of a month and a period.
    pub fn all() -> impl Iterator<Item = Self> {
        Summary::ALL.into_iter().flat_map(|summary| {
            let n_columns = if summary == Summary::Users { 11 } else { 1 };
            let row = move |rowid| (1..=n_columns).map(move |colid| Self::new(summary, rowid, colid));
            summary.rows().iter().flat_map(move |(rowid, _)| row(*rowid))
        })
    }

    /// Which users a column of `summary_user_vals` counts.
    #[must_use]
    pub fn column_in_words(self) -> &'static str {
        COLUMNS.get(usize::from(self.colid).wrapping_sub(1)).map_or("", |(_, words)| words)
    }

    fn exists(self) -> bool {
        let n_columns = if self.summary == Summary::Users { 11 } else { 1 };
        self.summary.rows().iter().any(|(rowid, _)| *rowid == self.rowid) && (1..=n_columns).contains(&self.colid)
    }

    fn of_words(summary: Summary, words: &[&str]) -> Option<Self> {
        let row = |word: &str| summary.rows().iter().find(|(_, known)| *known == word).map(|(rowid, _)| *rowid);
        let column = |word: &str| {
            let at = COLUMNS.iter().position(|(known, _)| *known == word)?;
            u8::try_from(at + 1).ok().filter(|_| summary == Summary::Users)
        };
        let place = |rowid, colid| Some(Self::new(summary, rowid, colid));
        match words {
            [] if summary == Summary::Users => place(1, 1),
            [word] => row(word)
                .and_then(|rowid| place(rowid, 1))
                .or_else(|| column(word).and_then(|colid| place(1, colid)))
                .or_else(|| place(word.parse().ok()?, 1)),
            [first, second] => {
                let rowid = row(first).or_else(|| first.parse().ok())?;
                place(rowid, column(second).or_else(|| second.parse().ok())?)
            }
            _ => None,
        }
        .filter(|place| place.exists())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.summary.rows().iter().find(|(rowid, _)| *rowid == self.rowid).map_or("?", |(_, word)| word);
        write!(f, "{}.{row}", self.summary.word())?;
        match COLUMNS.get(usize::from(self.colid).wrapping_sub(1)) {
            Some((word, _)) if self.colid > 1 => write!(f, ".{word}"),
            _ => Ok(()),
        }
    }
}

/// A text that names no cell, and the most similar name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCell {
    text: String,
    like: Option<String>,
    /// What there is to say of the table, if it is one of numbers that are not explained.
    of_table: Option<String>,
}

/// Tables of numbers whose rows are not listed, and why.
const NOT_EXPLAINED: [(&str, &str); 3] = [
    ("summary_andmore", "none of the programs writes the numbers of that table"),
    ("toolstart", "usage-metrics (`middleware-wall` and `middleware-cpu`) fills that table, a row for each start"),
    ("webhits", "import-logs fills that table, a row for each day"),
];

/// Why the numbers of the table that a text begins with are not explained, if so.
fn not_explained(text: &str) -> Option<String> {
    // the tables of the CMS have a prefix
    let begins =
        |name: &str| text.starts_with(name) || text.split_once('_').is_some_and(|(_, rest)| rest.starts_with(name));
    NOT_EXPLAINED.iter().find(|(name, _)| begins(name)).map(|(_, why)| (*why).to_owned())
}

impl fmt::Display for NoCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.of_table {
            return write!(f, "`{}` is not explained: {why}", self.text);
        }
        write!(f, "`{}` is not a cell", self.text)?;
        match &self.like {
            Some(like) => write!(f, "; did you mean `{like}`?"),
            None => f.write_str(" like users.download.us or summary_user_vals.4.3"),
        }
    }
}

impl std::error::Error for NoCell {}

impl NoCell {
    /// A text that begins with a known table and continues wrongly; `form` is what its names look like.
    pub(crate) fn not_of_table(text: &str, form: String) -> Self {
        Self { text: text.to_owned(), like: None, of_table: Some(format!("its table has numbers like {form}")) }
    }
}

impl FromStr for Place {
    type Err = NoCell;

    fn from_str(text: &str) -> Result<Self, NoCell> {
        let lower = text.trim().to_ascii_lowercase();
        let words: Vec<&str> = lower.split(['.', '/']).collect();
        let place = words.split_first().and_then(|(first, rest)| match Summary::of_word(first) {
            Some(summary) => Self::of_words(summary, rest),
            // two numbers are a row and a column of the users
            None if rest.len() == 1 && first.parse::<u8>().is_ok() => Self::of_words(Summary::Users, &words),
            None => None,
        });
        place.ok_or_else(|| {
            let names: Vec<String> = Self::all().map(|place| place.to_string()).collect();
            let like = nearest(&lower, names.iter().map(String::as_str)).map(str::to_owned);
            NoCell { text: text.to_owned(), like, of_table: not_explained(&lower) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_found_by_its_name_and_by_its_numbers() {
        let all: Vec<Place> = Place::all().collect();
        assert_eq!(all.len(), 7 * 11 + 10 + 8);
        for place in all {
            let numbers = format!("{}.{}.{}", place.summary.table(), place.rowid, place.colid);
            assert_eq!(place.to_string().parse(), Ok(place));
            assert_eq!(numbers.parse(), Ok(place));
            assert_eq!(numbers.replace('.', "/").parse(), Ok(place));
        }
    }

    #[test]
    fn rows_of_the_reference_are_those_that_have_words() {
        for summary in Summary::ALL {
            let labels = crate::reference::labels().filter(|l| format!("{}_vals", l.table) == summary.table());
            assert!(labels.map(|l| l.rowid).eq(summary.rows().iter().map(|(rowid, _)| *rowid)), "{summary:?}");
        }
    }

    #[test]
    fn tables_that_are_not_explained_are_named_as_such() {
        let said = |text: &str| text.parse::<Place>().unwrap_err().to_string();
        for (text, by) in [
            ("summary_andmore_vals.1.1", "none of the programs writes"),
            ("toolstart.walltime", "usage-metrics"),
            ("webhits", "import-logs"),
        ] {
            let words = said(text);
            assert!(words.contains(&format!("`{text}` is not explained")) && words.contains(by), "{words}");
        }
        assert!(!said("user_stats").contains("not explained"));
    }

    #[test]
    fn short_names_are_understood_and_wrong_ones_get_a_suggestion() {
        for (text, expected) in [
            ("users", "users.total"),
            ("USERS.us", "users.total.us"),
            ("4/3", "users.download.us"),
            ("user.4", "users.download"),
            ("misc.8", "misc.hits"),
            ("simusage.2", "simulation.runs"),
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), expected, "{text}");
        }
        for (text, like) in [
            ("users.downlod.us", Some("users.download.us")),
            ("misc.hit", Some("misc.hits")),
            ("", None),
            ("summary_user_vals.5.1", None),
            ("misc.8.2", None),
            ("4/12", None),
            ("simulation", None),
        ] {
            let error = text.parse::<Place>().unwrap_err();
            assert_eq!(error.like.as_deref(), like, "{text}");
        }
    }
}
