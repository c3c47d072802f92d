//! A number of any table that our programs write, by name: a cell of a summary table, or a column of a row of
//! the tables of tools and resources. `hzmetrics why` is asked for it.

use std::fmt;
use std::str::FromStr;

use crate::cells::{NoCell, Place};

/// A number by name.
///
/// ```
/// use schema::asked::{Asked, Figure};
/// assert_eq!("resource_stats_tools.42".parse(), Ok(Asked::Row(Figure::Tool { resid: 42, column: "users" })));
/// assert_eq!("jos_stats_topvals.2.1".parse(), Ok(Asked::Row(Figure::List { top: 2, rank: 1 })));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A cell of a summary table.
    Cell(Place),
    /// A number of the other tables.
    Row(Figure),
}

/// A number of the tables of tools and resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// `resource_stats`: the usage of a resource, or a copy of the statistics of a tool.
    Resource {
        /// The resource.
        resid: i64,
        /// The column.
        column: &'static str,
    },
    /// `resource_stats_tools`: the statistics of a tool.
    Tool {
        /// Its resource.
        resid: i64,
        /// The column.
        column: &'static str,
    },
    /// `resource_stats_tools_topvals`: a place in a list of a tool.
    Top {
        /// Its resource.
        resid: i64,
        /// The list.
        top: u8,
        /// The place; 0 is the total.
        rank: i64,
    },
    /// `stats_topvals`: a place in a list over all tools.
    List {
        /// The list.
        top: u8,
        /// The place; 0 is the total.
        rank: i64,
    },
}

/// The columns of `resource_stats_tools` that are computed.
pub const TOOL_COLUMNS: [&str; 14] = [
    "users",
    "sessions",
    "simulations",
    "jobs",
    "avg_wall",
    "tot_wall",
    "avg_cpu",
    "tot_cpu",
    "avg_view",
    "tot_view",
    "avg_wait",
    "tot_wait",
    "avg_cpus",
    "tot_cpus",
];

/// Those that `resource_stats` has a copy of.
pub const COPIED_COLUMNS: [&str; 6] = ["users", "jobs", "avg_wall", "tot_wall", "avg_cpu", "tot_cpu"];

/// The lists of one tool, and those over all tools.
pub const TOPS: [u8; 3] = [1, 2, 3];
/// See [`TOPS`].
pub const LISTS: [u8; 5] = [2, 5, 6, 7, 8];

impl Figure {
    /// The table, without the prefix of the CMS.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Resource { .. } => "resource_stats",
            Self::Tool { .. } => "resource_stats_tools",
            Self::Top { .. } => "resource_stats_tools_topvals",
            Self::List { .. } => "stats_topvals",
        }
    }

    /// The form of the names of a table's numbers.
    fn form(table: &str) -> String {
        match table {
            "resource_stats" => format!("{table}.RESOURCE.COLUMN, with a column of {}", COPIED_COLUMNS.join(", ")),
            "resource_stats_tools" => format!("{table}.RESOURCE.COLUMN, with a column of {}", TOOL_COLUMNS.join(", ")),
            "stats_topvals" => format!("{table}.TOP.RANK, with a top of 2, 5, 6, 7, 8"),
            _ => format!("{table}.RESOURCE.TOP.RANK, with a top of 1, 2, 3"),
        }
    }

    fn of_words(table: &str, words: &[&str]) -> Option<Self> {
        let column = |known: &[&'static str], word: &str| known.iter().find(|name| **name == word).copied();
        let top = |known: &[u8], word: &str| word.parse().ok().filter(|top| known.contains(top));
        let rank = |word: &str| word.parse().ok().filter(|rank: &i64| *rank >= 0);
        match (table, words) {
            ("resource_stats" | "resource_stats_tools", [resid]) => Self::of_words(table, &[resid, "users"]),
            ("resource_stats", [resid, word]) => {
                Some(Self::Resource { resid: resid.parse().ok()?, column: column(&COPIED_COLUMNS, word)? })
            }
            ("resource_stats_tools", [resid, word]) => {
                Some(Self::Tool { resid: resid.parse().ok()?, column: column(&TOOL_COLUMNS, word)? })
            }
            ("resource_stats_tools_topvals", [resid, list, place]) => {
                Some(Self::Top { resid: resid.parse().ok()?, top: top(&TOPS, list)?, rank: rank(place)? })
            }
            ("stats_topvals", [list, place]) => Some(Self::List { top: top(&LISTS, list)?, rank: rank(place)? }),
            _ => None,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table();
        match self {
            Self::Resource { resid, column } | Self::Tool { resid, column } => write!(f, "{table}.{resid}.{column}"),
            Self::Top { resid, top, rank } => write!(f, "{table}.{resid}.{top}.{rank}"),
            Self::List { top, rank } => write!(f, "{table}.{top}.{rank}"),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cell(place) => place.fmt(f),
            Self::Row(figure) => figure.fmt(f),
        }
    }
}

/// The table that a text begins with, with or without a prefix.
fn table_of(word: &str) -> Option<&'static str> {
    const TABLES: [&str; 4] =
        ["resource_stats_tools_topvals", "resource_stats_tools", "resource_stats", "stats_topvals"];
    let is = |name: &&str| {
        word == *name || word.split_once('_').is_some_and(|(_, rest)| rest == *name && !word.starts_with("resource_"))
    };
    TABLES.into_iter().find(is)
}

impl FromStr for Asked {
    type Err = NoCell;

    fn from_str(text: &str) -> Result<Self, NoCell> {
        let lower = text.trim().to_ascii_lowercase();
        let words: Vec<&str> = lower.split(['.', '/']).collect();
        let Some((table, rest)) = words.split_first().and_then(|(first, rest)| Some((table_of(first)?, rest))) else {
            return text.parse().map(Self::Cell);
        };
        Figure::of_words(table, rest).map(Self::Row).ok_or_else(|| NoCell::not_of_table(text, Figure::form(table)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_tables_have_names() {
        let mut all: Vec<Asked> = Place::all().map(Asked::Cell).collect();
        all.extend(COPIED_COLUMNS.map(|column| Asked::Row(Figure::Resource { resid: 7, column })));
        all.extend(TOOL_COLUMNS.map(|column| Asked::Row(Figure::Tool { resid: 7, column })));
        all.extend(TOPS.map(|top| Asked::Row(Figure::Top { resid: 7, top, rank: 3 })));
        all.extend(LISTS.map(|top| Asked::Row(Figure::List { top, rank: 0 })));
        for asked in all {
            assert_eq!(asked.to_string().parse(), Ok(asked));
            if matches!(asked, Asked::Row(_)) {
                assert_eq!(format!("jos_{asked}").parse(), Ok(asked));
            }
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_form() {
        for (text, words) in [
            ("resource_stats", "resource_stats.RESOURCE.COLUMN"),
            ("resource_stats.x.users", "resource_stats.RESOURCE.COLUMN"),
            ("resource_stats.7.sessions", "a column of users, jobs"),
            ("jos_resource_stats_tools.7.cpu", "avg_cpus"),
            ("stats_topvals.3.1", "a top of 2, 5, 6, 7, 8"),
            ("resource_stats_tools_topvals.7.1.-1", "RESOURCE.TOP.RANK"),
            ("users.nobody", "is not a cell"),
        ] {
            let said = text.parse::<Asked>().unwrap_err().to_string();
            assert!(said.contains(words) && said.contains(text), "{said}");
        }
    }
}
