//! What the records say of tools and resources, by resource, period and month.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rustc_hash::{FxHashMap, FxHashSet};
use schema::{Month, Period, Stamp};
use serde::Deserialize;

use crate::amount::Amount;
use crate::document::plain;

/// Usage of one resource in one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stat {
    pub(super) users: Amount,
    pub(super) sessions: Amount,
    pub(super) runs: Amount,
    pub(super) wall: Amount,
    pub(super) cpu: Amount,
    pub(super) view: Amount,
    pub(super) average_wait: Amount,
    pub(super) average_wall: Amount,
    pub(super) average_cpu: Amount,
}

impl Stat {
    pub(super) const NONE: Self = Self {
        users: Amount::Missing,
        sessions: Amount::Missing,
        runs: Amount::Missing,
        wall: Amount::Missing,
        cpu: Amount::Missing,
        view: Amount::Missing,
        average_wait: Amount::Missing,
        average_wall: Amount::Missing,
        average_cpu: Amount::Missing,
    };
}

/// What a tool's users are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum By {
    Country,
    Organisation,
}

type Key = (u64, Period, Month);

/// Everything that the section knows.
#[derive(Debug, Default)]
pub(super) struct Stats {
    tools: FxHashMap<Key, Stat>,
    /// Those of `tools` that are whole statistics, not only places in lists.
    full: FxHashSet<Key>,
    resources: FxHashMap<Key, Amount>,
    titles: FxHashMap<u64, String>,
    /// Resources that are not published: their titles are not for everybody, whoever knows them.
    unpublished: FxHashSet<u64>,
    /// The statistics of a tool that had this id last: in a pipe each run numbers its own from 1.
    ids: FxHashMap<u64, Key>,
    /// Ranks without the total.
    tops: FxHashMap<(Key, By), BTreeMap<i64, (String, f64)>>,
    /// Ranks that came before their statistics, by id.
    early: FxHashMap<u64, Vec<(By, i64, String, f64)>>,
}

#[derive(Deserialize)]
struct ToolRecord<'a> {
    id: Option<u64>,
    resid: u64,
    users: Option<f64>,
    sessions: Option<f64>,
    jobs: Option<f64>,
    tot_wall: Option<f64>,
    tot_cpu: Option<f64>,
    tot_view: Option<f64>,
    avg_wait: Option<f64>,
    avg_wall: Option<f64>,
    avg_cpu: Option<f64>,
    #[serde(borrow)]
    datetime: Cow<'a, str>,
    period: u8,
}

#[derive(Deserialize)]
struct TopRecord<'a> {
    id: u64,
    top: u8,
    rank: i64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    value: f64,
}

#[derive(Deserialize)]
struct ListRecord<'a> {
    top: u8,
    #[serde(borrow)]
    datetime: Cow<'a, str>,
    period: u8,
    rank: i64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    value: f64,
}

#[derive(Deserialize)]
struct ResourceRecord<'a> {
    resid: u64,
    restype: Option<i64>,
    users: Option<f64>,
    #[serde(borrow)]
    datetime: Cow<'a, str>,
    period: u8,
}

#[derive(Deserialize)]
struct TitleRecord<'a> {
    id: u64,
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
    published: Option<i64>,
}

/// Why a second record of the same place is not used.
const TWICE: &str = "another value for what was there before";

/// The type of resources that are tools.
const TOOL: i64 = 7;

fn read<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|e| e.to_string())
}

fn amount(value: Option<f64>) -> Amount {
    value.filter(|value| value.is_finite()).map_or(Amount::Missing, Amount::Known)
}

fn key(resid: u64, period: u8, datetime: &str) -> Result<Key, String> {
    let month = Stamp::parse(datetime).and_then(Stamp::month);
    let month = month.ok_or_else(|| format!("`{datetime}` is not in a month"))?;
    let period = Period::from_code(period).ok_or_else(|| format!("there is no period {period}"))?;
    Ok((resid, period, month))
}

impl Stats {
    pub(super) fn add_tool(&mut self, line: &[u8]) -> Result<(), String> {
        let record: ToolRecord<'_> = read(line)?;
        let key = key(record.resid, record.period, &record.datetime)?;
        let stat = Stat {
            users: amount(record.users),
            sessions: amount(record.sessions),
            runs: amount(record.jobs),
            wall: amount(record.tot_wall),
            cpu: amount(record.tot_cpu),
            view: amount(record.tot_view),
            average_wait: amount(record.avg_wait),
            average_wall: amount(record.avg_wall),
            average_cpu: amount(record.avg_cpu),
        };
        // what a list said before is less than this
        if self.full.contains(&key) && self.tools.get(&key).is_some_and(|before| *before != stat) {
            return Err(TWICE.to_owned());
        }
        self.full.insert(key);
        self.tools.insert(key, stat);
        let Some(id) = record.id else { return Ok(()) };
        self.ids.insert(id, key);
        let early = self.early.remove(&id).unwrap_or_default();
        early.into_iter().try_for_each(|(by, rank, name, value)| self.rank(key, by, rank, name, value))
    }

    pub(super) fn add_top(&mut self, line: &[u8]) -> Result<(), String> {
        let record: TopRecord<'_> = read(line)?;
        let by = match record.top {
            1 => By::Country,
            3 => By::Organisation,
            _ => return Ok(()),
        };
        if record.rank <= 0 {
            return Ok(());
        }
        let name = plain(&record.name);
        match self.ids.get(&record.id).copied() {
            Some(key) => self.rank(key, by, record.rank, name, record.value),
            None => {
                self.early.entry(record.id).or_default().push((by, record.rank, name, record.value));
                Ok(())
            }
        }
    }

    fn rank(&mut self, key: Key, by: By, rank: i64, name: String, value: f64) -> Result<(), String> {
        let place = (name, value);
        match self.tops.entry((key, by)).or_default().entry(rank) {
            Entry::Vacant(entry) => {
                entry.insert(place);
                Ok(())
            }
            Entry::Occupied(entry) if *entry.get() == place => Ok(()),
            Entry::Occupied(_) => Err(TWICE.to_owned()),
        }
    }

    /// The name of a place is the number of the resource, ` ~ `, its title.
    pub(super) fn add_list(&mut self, line: &[u8]) -> Result<(), String> {
        let record: ListRecord<'_> = read(line)?;
        let Some((resid, title)) = record.name.split_once(" ~ ").filter(|_| record.rank > 0) else { return Ok(()) };
        let Ok(resid) = resid.trim().parse() else { return Err("the name has no number of a resource".to_owned()) };
        let key = key(resid, record.period, &record.datetime)?;
        self.titles.entry(resid).or_insert_with(|| plain(title));
        let stat = self.tools.entry(key).or_insert(Stat::NONE);
        let place = match record.top {
            2 => &mut stat.users,
            5 => &mut stat.runs,
            6 => &mut stat.wall,
            7 => &mut stat.cpu,
            8 => &mut stat.view,
            _ => return Ok(()),
        };
        if *place == Amount::Missing {
            *place = amount(Some(record.value));
        }
        Ok(())
    }

    pub(super) fn add_resource(&mut self, line: &[u8]) -> Result<(), String> {
        let record: ResourceRecord<'_> = read(line)?;
        if record.restype != Some(TOOL) {
            let key = key(record.resid, record.period, &record.datetime)?;
            let users = amount(record.users);
            if self.resources.insert(key, users).is_some_and(|before| before != users) {
                return Err(TWICE.to_owned());
            }
        }
        Ok(())
    }

    pub(super) fn add_title(&mut self, line: &[u8]) -> Result<(), String> {
        let record: TitleRecord<'_> = read(line)?;
        if record.published.is_some_and(|published| published != 1) {
            self.unpublished.insert(record.id);
        }
        if let Some(title) = record.title {
            self.titles.insert(record.id, plain(&title));
        }
        Ok(())
    }

    /// The months of the statistics, ascending.
    pub(super) fn months(&self) -> Vec<Month> {
        let mut months: Vec<_> = self.tools.keys().chain(self.resources.keys()).map(|key| key.2).collect();
        months.sort_unstable();
        months.dedup();
        months
    }

    /// The title of a resource, or its number.
    pub(super) fn title(&self, resid: u64) -> String {
        let title = self.titles.get(&resid).filter(|title| !title.is_empty() && !self.unpublished.contains(&resid));
        title.cloned().unwrap_or_else(|| format!("#{resid}"))
    }

    pub(super) fn tool(&self, resid: u64, period: Period, month: Month) -> Stat {
        self.tools.get(&(resid, period, month)).copied().unwrap_or(Stat::NONE)
    }

    pub(super) fn resource(&self, resid: u64, period: Period, month: Month) -> Amount {
        self.resources.get(&(resid, period, month)).copied().unwrap_or(Amount::Missing)
    }

    /// The tools of a month, by number.
    pub(super) fn tools_of(&self, period: Period, month: Month) -> Vec<u64> {
        of(self.tools.keys(), period, month)
    }

    /// The other resources of a month, by number.
    pub(super) fn resources_of(&self, period: Period, month: Month) -> Vec<u64> {
        of(self.resources.keys(), period, month)
    }

    /// The users of a tool by country or organisation, in the order of their ranks.
    pub(super) fn users_by(&self, by: By, tool: u64, period: Period, month: Month) -> Vec<(String, f64)> {
        let ranks = self.tops.get(&((tool, period, month), by));
        ranks.into_iter().flat_map(|ranks| ranks.values().cloned()).collect()
    }
}

fn of<'a>(keys: impl Iterator<Item = &'a Key>, period: Period, month: Month) -> Vec<u64> {
    let mut found: Vec<_> = keys.filter(|key| (key.1, key.2) == (period, month)).map(|key| key.0).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(id: u64, month: &str, users: u32) -> Vec<u8> {
        format!(
            r#"{{"kind":"toolstat","id":{id},"resid":9,"users":{users},"datetime":"{month}-00 00:00:00","period":12}}"#
        )
        .into_bytes()
    }

    fn top(id: u64, rank: u32, name: &str, value: u32) -> Vec<u8> {
        format!(r#"{{"kind":"toptool","id":{id},"top":1,"rank":{rank},"name":"{name}","value":{value}}}"#).into_bytes()
    }

    fn ranks(stats: &Stats, month: &str) -> Vec<(String, f64)> {
        stats.users_by(By::Country, 9, Period::TwelveMonths, month.parse().unwrap())
    }

    #[test]
    fn ranks_belong_to_the_statistics_of_their_run() {
        let mut stats = Stats::default();
        stats.add_top(&top(1, 1, "EARLY", 7)).unwrap();
        stats.add_tool(&tool(1, "2025-05", 10)).unwrap();
        stats.add_top(&top(1, 2, "FRANCE", 3)).unwrap();
        stats.add_tool(&tool(1, "2025-06", 20)).unwrap();
        stats.add_top(&top(1, 1, "PERU", 9)).unwrap();
        stats.add_top(&top(1, 0, "Total Users", 20)).unwrap();
        assert_eq!(ranks(&stats, "2025-05"), [("EARLY".to_owned(), 7.0), ("FRANCE".to_owned(), 3.0)]);
        assert_eq!(ranks(&stats, "2025-06"), [("PERU".to_owned(), 9.0)]);
        assert!(stats.add_top(&top(1, 1, "CHILE", 9)).is_err(), "whose it is cannot be told");
    }

    #[test]
    fn a_list_does_not_tell_the_title_of_what_is_not_published() {
        let list = br#"{"kind":"toplist","top":2,"datetime":"2025-06-00 00:00:00","period":12,"rank":1,"name":"9 ~ Secret","value":21}"#;
        let resource = |published: u8| format!(r#"{{"id":9,"title":"Of the hub","published":{published}}}"#);
        for (published, expected) in [(0, "#9"), (1, "Of the hub"), (4, "#9")] {
            let mut stats = [Stats::default(), Stats::default()];
            stats[0].add_list(list).unwrap();
            stats.iter_mut().for_each(|stats| stats.add_title(resource(published).as_bytes()).unwrap());
            stats[1].add_list(list).unwrap();
            assert_eq!(stats.each_ref().map(|stats| stats.title(9)), [expected, expected]);
        }
    }

    #[test]
    fn a_second_value_is_refused_and_lists_fill_in() {
        let mut stats = Stats::default();
        let list = br#"{"kind":"toplist","top":2,"datetime":"2025-06-00 00:00:00","period":12,"rank":1,"name":"9 ~ A title","value":21}"#;
        stats.add_list(list).unwrap();
        let users = |stats: &Stats| stats.tool(9, Period::TwelveMonths, "2025-06".parse().unwrap()).users;
        assert_eq!((users(&stats), stats.title(9)), (Amount::Known(21.0), "A title".to_owned()));
        stats.add_tool(&tool(1, "2025-06", 20)).unwrap();
        stats.add_tool(&tool(1, "2025-06", 20)).unwrap();
        assert_eq!(users(&stats), Amount::Known(20.0));
        assert!(stats.add_tool(&tool(2, "2025-06", 22)).is_err());
        assert_eq!(users(&stats), Amount::Known(20.0));
    }
}
