//! Usage of each tool in each period, from one scan of the sessions and one of the jobs.

use std::collections::{HashMap, HashSet};

use schema::{Month, Period, Stamp, collation, number};

use crate::rows::{HubJob, HubSession, Resource, Rows, TextId};

/// Periods in the order in which rows are created.
pub(crate) const PERIODS: [Period; 6] = Period::BY_CODE;

/// One row of tool statistics; all zero if the tool had no user.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Stat {
    pub(crate) users: i64,
    pub(crate) sessions: i64,
    pub(crate) simulations: i64,
    pub(crate) jobs: i64,
    pub(crate) avg_wall: f64,
    pub(crate) tot_wall: f64,
    pub(crate) avg_cpu: f64,
    pub(crate) tot_cpu: f64,
    pub(crate) avg_view: f64,
    pub(crate) tot_view: f64,
    pub(crate) avg_wait: f64,
    pub(crate) tot_wait: f64,
    pub(crate) avg_cpus: i64,
    pub(crate) tot_cpus: i64,
}

/// The statistics of one tool in one period.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ToolStat {
    pub(crate) id: i64,
    pub(crate) resid: i64,
    pub(crate) period: Period,
    pub(crate) stat: Stat,
}

/// The tools in the order in which their rows are created: by title, then number.
pub(crate) fn tools(tables: &Rows) -> Vec<&Resource> {
    let mut tools: Vec<_> =
        tables.resources.iter().filter(|r| r.kind == 7 && !collation::equal(&r.alias, "")).collect();
    tools.sort_by(|a, b| collation::compare(&a.title, &b.title).then(a.id.cmp(&b.id)));
    tools
}

/// Which tools each application name belongs to.
pub(crate) fn tools_of_apps(tables: &Rows, tools: &[&Resource]) -> HashMap<TextId, Vec<usize>> {
    let names = tables.app_names();
    let mut map: HashMap<TextId, Vec<usize>> = HashMap::new();
    for (i, tool) in tools.iter().enumerate() {
        for app in names.of(&tool.alias) {
            map.entry(app).or_default().push(i);
        }
    }
    map
}

/// The periods of the month that include the instant, as indexes into [`PERIODS`].
pub(crate) fn windows(month: Month, at: Stamp) -> impl Iterator<Item = usize> {
    let before_stop = at < Period::stop(month);
    PERIODS.into_iter().enumerate().filter(move |(_, p)| before_stop && at > p.start(month)).map(|(i, _)| i)
}

/// The same with the ids that they get where there are no rows yet.
pub(crate) fn numbered(tables: &Rows, month: Month, raw_averages: bool) -> Vec<ToolStat> {
    let mut rows = compute(tables, month, raw_averages);
    for (id, row) in (1..).zip(rows.iter_mut()) {
        row.id = id;
    }
    rows
}

/// A row that counts for a tool in a period.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted<'a> {
    Session(&'a HubSession),
    Job(&'a HubJob, JobAs),
}

/// What a job counts as.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobAs {
    pub(crate) run: bool,
    pub(crate) wait: bool,
    pub(crate) simulation: bool,
}

/// Passes each row that counts to `each`, with the tool and the period as indexes: sessions first, then jobs.
pub(crate) fn walk<'a>(
    tables: &'a Rows,
    month: Month,
    of_app: &HashMap<TextId, Vec<usize>>,
    mut each: impl FnMut(usize, usize, Counted<'a>),
) {
    let mut started: HashMap<u64, (TextId, Stamp)> = HashMap::new();
    for session in &tables.sessions {
        let app = tables.texts.group(session.app);
        let Some(owners) = of_app.get(&app) else { continue };
        started.insert(session.sessnum, (app, session.start));
        for &tool in owners {
            windows(month, session.start).for_each(|window| each(tool, window, Counted::Session(session)));
        }
    }
    let waiting = tables.texts.find_group("[waiting]");
    let application = tables.texts.find_group("application");
    for job in &tables.jobs {
        let Some((app, start)) = started.get(&job.sessnum) else { continue };
        let event = Some(tables.texts.group(job.event));
        let counts = JobAs {
            run: job.job > 0 && event != waiting,
            wait: job.job > 0 && event == waiting,
            simulation: job.is_top && event != application,
        };
        for &tool in of_app.get(app).into_iter().flatten() {
            windows(month, *start).for_each(|window| each(tool, window, Counted::Job(job, counts)));
        }
    }
}

/// Rows for every tool and period of the month. `raw_averages` keeps averages as doubles (the port)
/// instead of 14 digits. The rows have no ids yet (0).
pub(crate) fn compute(tables: &Rows, month: Month, raw_averages: bool) -> Vec<ToolStat> {
    let tools = tools(tables);
    let of_app = tools_of_apps(tables, &tools);
    let mut stats = vec![[Stat::default(); 6]; tools.len()];
    let mut users: Vec<[HashSet<TextId>; 6]> = tools.iter().map(|_| Default::default()).collect();
    walk(tables, month, &of_app, |tool, window, counted| {
        let stat = &mut stats[tool][window];
        match counted {
            Counted::Session(session) => {
                users[tool][window].insert(tables.texts.group(session.user));
                stat.sessions += 1;
                stat.tot_wall = number::sum(stat.tot_wall, session.walltime);
                stat.tot_view = number::sum(stat.tot_view, session.viewtime);
            }
            Counted::Job(job, counts) => {
                if counts.run {
                    stat.jobs += 1;
                    stat.tot_cpu = number::sum(stat.tot_cpu, job.cputime);
                }
                if counts.wait {
                    stat.tot_wait = number::sum(stat.tot_wait, job.walltime);
                }
                if counts.simulation {
                    stat.simulations += 1;
                }
                stat.tot_cpus = stat.tot_cpus.saturating_add(job.ncpus);
            }
        }
    });
    let mut rows = Vec::with_capacity(tools.len() * 6);
    for (i, tool) in tools.iter().enumerate() {
        for (window, period) in PERIODS.into_iter().enumerate() {
            let mut stat = stats[i][window];
            stat.users = users[i][window].len() as i64;
            average(&mut stat, raw_averages);
            if stat.users == 0 {
                stat = Stat::default();
            }
            rows.push(ToolStat { id: 0, resid: tool.id, period, stat });
        }
    }
    rows
}

/// Fills in the averages.
pub(crate) fn average(stat: &mut Stat, raw: bool) {
    let n = stat.simulations as f64;
    let mean = |total: f64| {
        if n == 0.0 || total == 0.0 {
            0.0
        } else if raw {
            total / n
        } else {
            number::text14(total / n).parse().unwrap_or(0.0)
        }
    };
    stat.avg_wall = mean(stat.tot_wall);
    stat.avg_cpu = mean(stat.tot_cpu);
    stat.avg_view = mean(stat.tot_view);
    stat.avg_wait = mean(stat.tot_wait);
    let cpus = if n == 0.0 { 0.0 } else { stat.tot_cpus as f64 / n };
    stat.avg_cpus = if raw { cpus.round_ties_even() } else { cpus.round() } as i64;
}

/// A total or average as the 32-bit integer columns of `resource_stats` store it.
pub(crate) fn as_int(value: f64) -> i64 {
    number::integer_of(&number::shortest(value)).clamp(i32::MIN.into(), i32::MAX.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Rows {
        let mut t = Rows::default();
        let tool = |id, title: &str, alias: &str| Resource {
            id,
            title: title.to_owned(),
            kind: 7,
            alias: alias.to_owned(),
            published: true,
            standalone: true,
        };
        t.resources = vec![tool(2, "b", "two"), tool(9, "A", "one"), tool(3, "a", "three"), tool(4, "x", " ")];
        let user = t.texts.add("gridstat");
        let (one, waiting, sim, app) =
            (t.texts.add("ONE"), t.texts.add("[waiting]"), t.texts.add("simulation"), t.texts.add("application"));
        let venue = t.texts.add("");
        let start = |s: &str| Stamp::parse(s).unwrap();
        for (n, at, wall) in
            [(1, "2025-07-05 10:00:00", 977.0), (2, "2025-07-01 00:00:00", 2031.0), (3, "2025-08-01 00:00:00", 5.0)]
        {
            t.sessions.push(HubSession { sessnum: n, user, app: one, start: start(at), walltime: wall, viewtime: 1.0 });
        }
        for (sessnum, job, event, ncpus) in [(1, 1, sim, 2), (1, 2, waiting, 3), (1, 0, app, 0), (2, 0, sim, 1)] {
            t.jobs.push(HubJob { sessnum, job, is_top: true, event, venue, walltime: 10.0, cputime: 7.0, ncpus });
        }
        t.sort();
        t
    }

    #[test]
    fn totals_beyond_the_range_stay_finite() {
        let mut t = tables();
        t.sessions.iter_mut().for_each(|session| session.walltime = 1e308);
        t.jobs.iter_mut().for_each(|job| (job.cputime, job.ncpus) = (-1e308, i64::MAX));
        let rows = compute(&t, "2025-07".parse().unwrap(), false);
        let all = rows.iter().find(|r| r.resid == 9 && r.period == Period::AllTime).unwrap().stat;
        assert_eq!((all.tot_wall, all.tot_cpus), (f64::MAX, i64::MAX));
        assert!(all.avg_wall.is_finite() && all.tot_cpu.is_finite());
    }

    #[test]
    fn counts_and_totals_are_computed() {
        let rows = compute(&tables(), "2025-07".parse().unwrap(), false);
        let titles: Vec<_> = rows.iter().map(|r| r.resid).collect();
        assert_eq!(titles, [[3; 6], [9; 6], [2; 6]].concat(), "by title without case, then number; blank alias out");
        let month = rows.iter().find(|r| r.resid == 9 && r.period == Period::Month).unwrap().stat;
        // the session at the very start of the month is outside; gridstat counts here
        assert_eq!((month.users, month.sessions, month.jobs, month.simulations), (1, 1, 1, 2));
        assert_eq!((month.tot_wall, month.tot_cpu, month.tot_wait, month.tot_cpus), (977.0, 7.0, 10.0, 5));
        assert_eq!((month.avg_wall, month.avg_cpus), (488.5, 3), "half away from zero");
        assert_eq!(as_int(month.avg_wall), 489);
        let year = rows.iter().find(|r| r.resid == 9 && r.period == Period::Year).unwrap().stat;
        assert_eq!((year.sessions, year.simulations, year.tot_wall), (2, 3, 3008.0));
        assert_eq!(number::shortest(3008.0 / 7.0), "429.7142857142857");
        let port = compute(&tables(), "2025-07".parse().unwrap(), true);
        assert_eq!(port.iter().find(|r| r.resid == 9 && r.period == Period::Month).unwrap().stat.avg_cpus, 2);
        assert!(rows.iter().filter(|r| r.resid == 2).all(|r| r.stat == Stat::default()));
    }
}
