//! The top lists of each tool: users by country of residence, by domain, by organisation.

use std::collections::{HashMap, HashSet};

use schema::{Month, collation};

use crate::rows::{Rows, TextId, ToolSession};
use crate::stats::{self, ToolStat};

const UNKNOWN: &str = "Unknown";

/// One place in the list of one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) id: i64,
    pub(crate) top: u8,
    pub(crate) rank: i64,
    pub(crate) name: String,
    pub(crate) value: i64,
}

/// Users with one value of the grouped column; the key is `None` for NULL.
type Groups = HashMap<Option<TextId>, (Option<TextId>, HashSet<TextId>)>;

/// The lists 1 to 3 for the given statistics rows of one month.
pub(crate) fn compute(tables: &Rows, rows: &[ToolStat], month: Month) -> Vec<Place> {
    let listed: HashSet<i64> = rows.iter().map(|row| row.resid).collect();
    let tools: Vec<_> = tables.resources.iter().filter(|r| r.standalone && listed.contains(&r.id)).collect();
    let of_app = stats::tools_of_apps(tables, &tools);
    let mut grouped: Vec<[[Groups; 6]; 3]> = tools.iter().map(|_| Default::default()).collect();
    walk(tables, month, &of_app, |tool, window, top, session, value| {
        add(tables, &mut grouped[tool][top][window], session, value);
    });
    // the first resource with a number counts
    let by_id: HashMap<i64, usize> = tools.iter().enumerate().rev().map(|(i, tool)| (tool.id, i)).collect();
    let mut places = Vec::new();
    for top in 0..3_u8 {
        for row in rows {
            let Some(&tool) = by_id.get(&row.resid) else { continue };
            let window = stats::PERIODS.iter().position(|p| *p == row.period).unwrap_or(0);
            let place = |rank: usize, name: &str, value| Place {
                id: row.id,
                top: top + 1,
                rank: (rank as i64).min(127),
                name: name.to_owned(),
                value,
            };
            places.push(place(0, "Total Users", row.stat.users));
            let groups = ranked(tables, &grouped[tool][usize::from(top)][window]);
            if top == 0 && groups.is_empty() {
                places.push(place(1, UNKNOWN, row.stat.users));
            }
            let limit = if top == 2 { usize::MAX } else { 10 };
            for (i, (value, n_users)) in groups.into_iter().take(limit).enumerate() {
                let text = value.map(|value| tables.texts.text(value));
                places.push(place(i + 1, name_of(tables, top, text), n_users));
            }
        }
    }
    places
}

/// Passes each session of a tool to `each`: the tool, the period and the list as indexes, the session, and the
/// value that the list groups by.
pub(crate) fn walk<'a>(
    tables: &'a Rows,
    month: Month,
    of_app: &HashMap<TextId, Vec<usize>>,
    mut each: impl FnMut(usize, usize, usize, &'a ToolSession, Option<TextId>),
) {
    let orgtypes = orgtypes_of_users(tables);
    for session in &tables.tool_sessions {
        let user = tables.texts.group(session.user);
        for &tool in of_app.get(&tables.texts.group(session.app)).into_iter().flatten() {
            for window in stats::windows(month, session.start) {
                for top in 0..3 {
                    let found = values(session, top, user, &orgtypes).into_iter();
                    found.for_each(|value| each(tool, window, top, session, value));
                }
            }
        }
    }
}

fn values(
    session: &ToolSession,
    top: usize,
    user: TextId,
    orgtypes: &HashMap<TextId, Vec<TextId>>,
) -> Vec<Option<TextId>> {
    match top {
        0 => vec![session.country],
        1 => vec![session.domain],
        _ => orgtypes.get(&user).into_iter().flatten().map(|&o| Some(o)).collect(),
    }
}

fn orgtypes_of_users(tables: &Rows) -> HashMap<TextId, Vec<TextId>> {
    let mut map: HashMap<TextId, Vec<TextId>> = HashMap::new();
    let mut seen = HashSet::new();
    for &(user, orgtype) in &tables.profiles {
        let user = tables.texts.group(user);
        // a repetition would not add a user
        if seen.insert((user, tables.texts.group(orgtype))) {
            map.entry(user).or_default().push(orgtype);
        }
    }
    map
}

/// How a list names a value.
fn name_of<'a>(tables: &'a Rows, top: u8, text: Option<&'a str>) -> &'a str {
    match (top, text) {
        (0, Some(code)) => tables.countries.get(&collation::fold(code)).map_or(UNKNOWN, String::as_str),
        (_, Some(text)) if !text.is_empty() => text,
        _ => UNKNOWN,
    }
}

/// Most users first; ties are ordered with NULL first, then by text.
fn ranked(tables: &Rows, groups: &Groups) -> Vec<(Option<TextId>, i64)> {
    let mut list: Vec<_> = groups.values().map(|(value, users)| (*value, users.len() as i64)).collect();
    list.sort_by(|(a, n), (b, m)| {
        m.cmp(n).then_with(|| match (a, b) {
            (Some(a), Some(b)) => collation::compare(tables.texts.text(*a), tables.texts.text(*b)),
            (a, b) => a.is_some().cmp(&b.is_some()),
        })
    });
    list
}

/// The values of a list in its order, as groups, from the sessions that it counts.
pub(crate) fn in_order(tables: &Rows, sessions: &[(&ToolSession, Option<TextId>)]) -> Vec<Option<TextId>> {
    let mut groups = Groups::new();
    for (session, value) in sessions {
        add(tables, &mut groups, session, *value);
    }
    ranked(tables, &groups).into_iter().map(|(value, _)| value.map(|text| tables.texts.group(text))).collect()
}

fn add(tables: &Rows, groups: &mut Groups, session: &ToolSession, value: Option<TextId>) {
    let key = value.map(|text| tables.texts.group(text));
    let users = &mut groups.entry(key).or_insert_with(|| (value, HashSet::new())).1;
    users.insert(tables.texts.group(session.user));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Resource;
    use schema::{Period, Stamp};

    fn tables() -> Rows {
        let mut t = Rows::default();
        for (id, alias, standalone) in [(1, "tool", true), (2, "part", false), (3, "idle", true)] {
            t.resources.push(Resource {
                id,
                title: alias.to_owned(),
                kind: 7,
                alias: alias.to_owned(),
                published: false,
                standalone,
            });
        }
        t
    }

    fn session(t: &mut Rows, user: &str, country: Option<&str>, domain: Option<&str>) {
        let row = ToolSession {
            user: t.texts.add(user),
            app: t.texts.add("Tool"),
            start: Stamp::parse("2025-07-05 10:00:00").unwrap(),
            domain: domain.map(|d| t.texts.add(d)),
            country: country.map(|c| t.texts.add(c)),
        };
        t.tool_sessions.push(row);
    }

    fn lists(t: &mut Rows) -> Vec<Place> {
        let month = "2025-07".parse().unwrap();
        let mut rows = stats::compute(t, month, false);
        for (id, row) in (1..).zip(rows.iter_mut()) {
            row.id = id;
        }
        let rows: Vec<_> = rows.into_iter().filter(|r| r.period == Period::Month).collect();
        compute(t, &rows, month)
    }

    #[test]
    fn groups_have_names_and_an_order() {
        let mut t = tables();
        t.countries.insert("US".to_owned(), "UNITED STATES".to_owned());
        session(&mut t, "a", Some("US"), Some("b.org"));
        session(&mut t, "A ", Some("us"), Some("a.org"));
        session(&mut t, "b", Some("US"), None);
        session(&mut t, "c", Some(""), Some(""));
        session(&mut t, "d", None, Some("?"));
        session(&mut t, "e", Some("QQ"), Some("?"));
        for (user, orgtype) in [("a", "industry"), ("c", ""), ("nobody", "university")] {
            let pair = (t.texts.add(user), t.texts.add(orgtype));
            t.profiles.push(pair);
        }
        let all = lists(&mut t);
        let of = |top: u8| -> Vec<(i64, &str, i64)> {
            let id = all.iter().find(|p| p.value > 0 || p.rank > 1).map_or(0, |p| p.id);
            all.iter().filter(|p| p.top == top && p.id == id).map(|p| (p.rank, p.name.as_str(), p.value)).collect()
        };
        assert_eq!(
            of(1),
            [(0, "Total Users", 0), (1, "UNITED STATES", 2), (2, "Unknown", 1), (3, "Unknown", 1), (4, "Unknown", 1)]
        );
        assert_eq!(
            of(2),
            [
                (0, "Total Users", 0),
                (1, "?", 2),
                (2, "Unknown", 1),
                (3, "Unknown", 1),
                (4, "a.org", 1),
                (5, "b.org", 1)
            ]
        );
        assert_eq!(of(3), [(0, "Total Users", 0), (1, "Unknown", 1), (2, "industry", 1)]);
    }

    #[test]
    fn a_tool_without_sessions_has_only_totals() {
        let all = lists(&mut tables());
        let shown: Vec<_> = all.iter().map(|p| (p.top, p.rank, p.name.as_str(), p.value)).collect();
        let idle = [(1, 0, "Total Users", 0), (1, 1, "Unknown", 0)];
        assert_eq!(
            shown,
            [&idle[..], &idle[..], &[(2, 0, "Total Users", 0); 2], &[(3, 0, "Total Users", 0); 2]].concat()
        );
    }
}
