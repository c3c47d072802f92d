//! Which tables, and which of their rows, cells are made from.

use schema::cells::Summary;
use schema::{Period, Stamp};

use crate::cells::Section;
use crate::why::Question;

/// The tables that are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) sessions: bool,
    /// Requests, for downloads.
    pub(super) requests: bool,
    pub(super) logins: bool,
    pub(super) profiles: bool,
    pub(super) starts: bool,
    pub(super) hits: bool,
    pub(super) middleware: bool,
    /// Other sessions than those from the one time to the other are not needed, nor are their requests.
    pub(super) window: Option<(Stamp, Stamp)>,
}

impl Needs {
    /// What groups of cells need; all users are computed from three of them.
    pub(super) fn of_sections(sections: &[Section]) -> Self {
        let feeds = |wanted: &[Section]| {
            let total = [Section::Reg, Section::Int, Section::Dl].iter().any(|s| wanted.contains(s));
            sections.iter().any(|s| wanted.contains(s) || total && *s == Section::Total)
        };
        Self {
            sessions: feeds(&[Section::Int, Section::Dl, Section::Misc]),
            requests: feeds(&[Section::Dl]),
            logins: feeds(&[Section::Reg, Section::Int, Section::Dl, Section::Misc]),
            profiles: feeds(&[Section::Reg, Section::Misc]),
            starts: feeds(&[Section::Sim, Section::SimUsage]),
            hits: feeds(&[Section::Misc]),
            middleware: feeds(&[Section::SimUsage]),
            window: None,
        }
    }

    /// What the asked cells need, and no other cell of their groups.
    pub(super) fn of_question(question: &Question) -> Self {
        let is_misc =
            |rows: &[u8]| question.places.iter().any(|p| p.summary == Summary::Misc && rows.contains(&p.rowid));
        let others = question.sections().into_iter().filter(|section| *section != Section::Misc);
        let of_others = Self::of_sections(&Vec::from_iter(others));
        let starts = question.periods.iter().map(|period| period.start(question.month));
        Self {
            sessions: of_others.sessions || is_misc(&[1, 2, 3, 4, 5]),
            profiles: of_others.profiles || is_misc(&[6]),
            logins: of_others.logins || is_misc(&[7]),
            hits: is_misc(&[8]),
            window: starts.min().map(|start| (start, Period::stop(question.month))),
            ..of_others
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cells: &[&str]) -> Needs {
        let places = cells.iter().map(|cell| cell.parse().unwrap()).collect();
        let periods = vec!["12".parse().unwrap(), "1".parse().unwrap()];
        Needs::of_question(&Question {
            month: "2025-07".parse().unwrap(),
            periods,
            places,
            requests: false,
            only: Vec::new(),
            first: usize::MAX,
        })
    }

    #[test]
    fn a_cell_needs_only_its_own_tables() {
        let stamp = |text| Stamp::parse(text).unwrap();
        let none = Needs { window: Some((stamp("2024-08-01"), stamp("2025-08-01"))), ..Needs::default() };
        assert_eq!(of(&["misc.hits"]), Needs { hits: true, ..none });
        assert_eq!(of(&["misc.busiest-day"]), Needs { logins: true, ..none });
        assert_eq!(of(&["misc.registrations"]), Needs { profiles: true, ..none });
        assert_eq!(of(&["misc.visits", "misc.hits"]), Needs { sessions: true, hits: true, ..none });
        assert_eq!(of(&["users.registered"]), Needs { logins: true, profiles: true, ..none });
        let download = Needs { sessions: true, requests: true, logins: true, ..none };
        assert_eq!(of(&["users.download.us"]), download);
        assert_eq!(of(&["users.total"]), Needs { profiles: true, ..download });
    }
}
