//! A slow model of the summaries for tests: every cell is counted directly, period by period, from
//! the written rules. The one scan must give the same on random rows, and both must satisfy the
//! identities of the tables.

use std::collections::{BTreeMap, BTreeSet};

use fixtures::property::{cases, check, slow_cases};
use proptest::prelude::*;
use proptest::sample::select;
use schema::collation::{Like, equal, fold};
use schema::number::{integer_of, shortest, text14};
use schema::{Compat, Month, Opt, Period, Place, Stamp};

use crate::axis::Axis;
use crate::cells::{Cell, Section, cells};
use crate::places::Places;
use crate::row::*;
use crate::scan::{Ground, Scan};
use crate::why::{Keeper, Question, Requests, record};

const CONTINENTS: [(&str, &str); 7] =
    [("US", "NA"), ("CN", "AS"), ("TR", "as"), ("TR", "EU"), ("DE", "EU"), ("BR", "SA"), ("", "AF")];
const CLASSES: [(&str, i64); 8] = [
    ("mit.edu", 1),
    ("ibm.com", 2),
    ("nasa.gov", 3),
    ("isp.net", 4),
    ("odd.org", 5),
    ("other.org", 6),
    ("zero.org", 0),
    ("", 1),
];
const APPS: [&str; 1] = ["rapp"];
const EDU: &[&str] = &[
    "universityundergraduate",
    "universitygraduate",
    "universityfaculty",
    "universitystaff",
    "precollegestudent",
    "precollegefacultystaff",
    "university",
    "educational",
    "precollege",
];

/// All tables.
#[derive(Debug, Clone, Default)]
struct Data {
    web: Vec<WebRow<'static>>,
    sessions: Vec<SessionRow<'static>>,
    logins: Vec<LoginRow<'static>>,
    toolstarts: Vec<ToolstartRow<'static>>,
    hub_sessions: Vec<HubSessionRow<'static>>,
    hub_jobs: Vec<HubJobRow<'static>>,
    profiles: Vec<ProfileRow<'static>>,
    resources: Vec<&'static str>,
    versions: Vec<ToolVersionRow<'static>>,
    hits: Vec<HitsRow>,
}

impl Data {
    fn rows(&self) -> Vec<Row<'static>> {
        let mut rows: Vec<Row<'static>> = Vec::new();
        rows.extend(self.web.iter().copied().map(Row::Web));
        rows.extend(self.sessions.iter().copied().map(Row::Session));
        rows.extend(self.logins.iter().copied().map(Row::Login));
        rows.extend(self.toolstarts.iter().copied().map(Row::Toolstart));
        rows.extend(self.hub_sessions.iter().copied().map(Row::HubSession));
        rows.extend(self.hub_jobs.iter().copied().map(Row::HubJob));
        rows.extend(self.profiles.iter().copied().map(Row::Profile));
        rows.extend(self.resources.iter().copied().map(Row::Resource));
        rows.extend(self.versions.iter().copied().map(Row::ToolVersion));
        rows.extend(self.hits.iter().copied().map(Row::Hits));
        rows
    }
}

/// One period of the model.
struct Model<'a> {
    data: &'a Data,
    start: Stamp,
    stop: Stamp,
    compat: Compat,
}

fn distinct<'a>(keys: impl Iterator<Item = &'a str>) -> i64 {
    keys.map(fold).collect::<BTreeSet<_>>().len() as i64
}

fn is_in(list: &[&str], text: &str) -> bool {
    list.iter().any(|l| equal(l, text))
}

fn continent(country: &str, wanted: impl Fn(&str) -> bool) -> bool {
    CONTINENTS.iter().any(|(c, continent)| equal(c, country) && wanted(continent))
}

fn is_as(country: &str) -> bool {
    continent(country, |c| equal(c, "AS"))
}

fn is_eu(country: &str) -> bool {
    continent(country, |c| equal(c, "EU"))
}

fn is_elsewhere(country: &str) -> bool {
    continent(country, |c| !equal(c, "EU") && !equal(c, "AS"))
}

fn person_test(colid: u8, country: Option<&str>, org: Option<&str>) -> bool {
    let c = |test: &dyn Fn(&str) -> bool| country.is_some_and(test);
    let o = |test: &dyn Fn(&str) -> bool| org.is_some_and(test);
    match colid {
        1 => true,
        2 => c(&|c| !equal(c, "")),
        3 => c(&|c| equal(c, "US")),
        4 => c(&is_as),
        5 => c(&is_eu),
        6 => c(&|c| is_elsewhere(c) && !equal(c, "") && !equal(c, "US")),
        7 => o(&|o| !equal(o, "")),
        8 => o(&|o| is_in(EDU, o)),
        9 => o(&|o| equal(o, "industry")),
        10 => o(&|o| equal(o, "government")),
        _ => o(&|o| !equal(o, "") && !is_in(EDU, o) && !equal(o, "industry") && !equal(o, "government")),
    }
}

fn visitor_test(colid: u8, country: &str) -> bool {
    match colid {
        1 => true,
        2 => !equal(country, "") && !equal(country, "-"),
        3 => equal(country, "US"),
        4 => is_as(country),
        5 => is_eu(country),
        _ => is_elsewhere(country) && !equal(country, "US"),
    }
}

fn class_of(domain: Option<&str>) -> Option<i64> {
    let domain = domain?;
    CLASSES.iter().find(|(d, _)| equal(d, domain)).map(|c| c.1).filter(|&c| c > 0 && c != 4)
}

impl<'a> Model<'a> {
    fn inside(&self, t: Stamp) -> bool {
        t > self.start && t < self.stop
    }

    fn lite(&self) -> impl Iterator<Item = &'a LoginRow<'static>> {
        self.data.logins.iter().filter(|l| equal(l.action, "login") || equal(l.action, "simulation"))
    }

    fn login_ips(&self) -> Vec<&'a str> {
        self.lite().filter(|l| self.inside(l.datetime)).map(|l| l.ip).chain(["127.0.0.1"]).collect()
    }

    fn is_download(&self, w: &WebRow<'_>) -> bool {
        if w.dnload {
            return true;
        }
        if self.compat.has(Opt::DownloadsFlag) {
            return false;
        }
        let extensions = self.data.resources.iter().filter_map(|path| {
            let like = |p: &str| Like::new(p).matches(path);
            let named = !equal(path, "") && like("%.%") && !like("http%") && !like("%.php%") && !like("%.htm%");
            let name = path.trim_end_matches('/').rsplit('/').next()?;
            let extension = name.rsplit_once('.')?.1;
            (named && !extension.is_empty() && extension != "0").then(|| format!("/resources/%.{extension}%"))
        });
        std::iter::once("/resources/%/download/%".to_owned())
            .chain(extensions)
            .any(|p| Like::new(&p).matches(w.content))
    }

    fn has_download(&self, s: &SessionRow<'_>, dated: bool) -> bool {
        self.data.web.iter().any(|w| {
            Some(w.sessionid) == s.id && self.is_download(w) && (!dated || w.datetime.is_some_and(|t| self.inside(t)))
        })
    }

    /// Sessions of rows 7 (`long`) and 8.
    fn unregistered(&self, long: bool, dated: bool) -> Vec<&'a SessionRow<'static>> {
        let ips = self.login_ips();
        let wanted = |s: &&SessionRow<'_>| {
            self.inside(s.datetime)
                && s.jobs == 0
                && !is_in(&ips, s.ip)
                && if long { s.duration >= 900 } else { (0..900).contains(&s.duration) && self.has_download(s, dated) }
        };
        self.data.sessions.iter().filter(wanted).collect()
    }

    /// Sessions that rows 3 (`long`) and 4 join with.
    fn joined(&self, long: bool, dated: bool) -> Vec<&'a SessionRow<'static>> {
        let wanted = |s: &&SessionRow<'_>| {
            self.inside(s.datetime)
                && s.jobs == 0
                && if long { s.duration >= 900 } else { s.duration >= 0 && self.has_download(s, dated) }
        };
        self.data.sessions.iter().filter(wanted).collect()
    }

    fn visitors(sessions: &[&SessionRow<'_>]) -> i64 {
        let keys: BTreeSet<_> = sessions.iter().filter_map(|s| Some((fold(s.ip), fold(s.host?)))).collect();
        keys.len() as i64
    }

    fn users_at(&self, ips: &[&str]) -> i64 {
        distinct(self.lite().filter(|l| is_in(ips, l.ip)).filter_map(|l| l.user))
    }

    fn by_class(colid: u8, sessions: &[&SessionRow<'a>], count: impl Fn(&[&SessionRow<'a>]) -> i64) -> i64 {
        let of = |class: i64| {
            let part: Vec<_> = sessions.iter().copied().filter(|s| class_of(s.domain) == Some(class)).collect();
            count(&part)
        };
        match colid {
            7 => [1, 2, 3, 5, 6].into_iter().map(of).sum(),
            8 => of(1),
            9 => of(2),
            10 => of(3),
            _ => of(6),
        }
    }

    fn user(&self, rowid: u8, colid: u8) -> i64 {
        let of_country = |sessions: Vec<&'a SessionRow<'static>>| -> Vec<&'a SessionRow<'static>> {
            sessions.into_iter().filter(|s| visitor_test(colid, s.ipcountry)).collect()
        };
        match (rowid, colid) {
            (1, _) => self.user(6, colid) + self.user(7, colid) + self.user(8, colid),
            (2, _) => distinct(
                self.starts()
                    .filter(|t| self.inside(t.datetime) && person_test(colid, t.countryresident, t.orgtype))
                    .filter_map(|t| t.user),
            ),
            (6, _) => distinct(self.lite().filter(|l| self.inside(l.datetime)).filter_map(|l| l.user).filter(|user| {
                colid == 1
                    || self.data.profiles.iter().any(|p| {
                        p.username.is_some_and(|name| equal(name, user))
                            && person_test(colid, p.countryresident, p.orgtype)
                    })
            })),
            (7 | 8, 1..=6) => Self::visitors(&of_country(self.unregistered(rowid == 7, false))),
            (7 | 8, _) => Self::by_class(colid, &self.unregistered(rowid == 7, true), Self::visitors),
            (3 | 4, 1..=6) => {
                let sessions = of_country(self.joined(rowid == 3, false));
                let ips: Vec<_> = sessions.iter().map(|s| s.ip).chain(["127.0.0.1"]).collect();
                self.user(rowid + 4, colid) + self.users_at(&ips)
            }
            _ => Self::by_class(colid, &self.joined(rowid == 3, true), |sessions| {
                self.users_at(&sessions.iter().map(|s| s.ip).collect::<Vec<_>>())
            }),
        }
    }

    fn starts(&self) -> impl Iterator<Item = &'a ToolstartRow<'static>> {
        self.data.toolstarts.iter().filter(|t| t.success == 1)
    }

    /// Times of successful starts by user, ascending.
    fn groups(&self, since: Stamp) -> BTreeMap<Option<String>, Vec<Stamp>> {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for t in self.starts().filter(|t| self.inside(t.datetime) && t.datetime > since) {
            groups.entry(t.user.map(fold)).or_default().push(t.datetime);
        }
        groups.values_mut().for_each(|times| times.sort_unstable());
        groups
    }

    fn first(&self, user: Option<&String>, since: Option<Stamp>, before: Stamp) -> Option<Stamp> {
        let wanted = user.map_or(String::new(), Clone::clone);
        let of_user = self.starts().filter(|t| t.user.is_some_and(|u| fold(u) == wanted));
        of_user.map(|t| t.datetime).filter(|&t| since.is_none_or(|s| t > s) && t < before).min()
    }

    fn rappture(&self, app: &str) -> bool {
        let tools: Vec<_> = APPS.into_iter().chain(["workspace"]).collect();
        let instance = |v: &ToolVersionRow<'_>| {
            is_in(&tools, v.toolname) && !Like::new("%\\_dev").matches(v.instance) && equal(v.instance, app)
        };
        is_in(&tools, app) || self.data.versions.iter().any(instance)
    }

    fn simusage(&self) -> Vec<(u8, i64)> {
        let users = self.user(2, 1);
        let mut out = vec![(1, users)];
        if users == 0 {
            return out;
        }
        let starts = self.starts().filter(|t| self.inside(t.datetime) && t.user.is_some()).count() as i64;
        let ours: Vec<_> = self.data.hub_sessions.iter().filter(|s| self.inside(s.start)).collect();
        let person = |name: &str| !equal(name, "gridstat") && !Like::new("hctest%").matches(name);
        let sessions_cpu: f64 = ours.iter().filter(|s| !self.rappture(s.appname)).filter_map(|s| s.cputime).sum();
        let mut jobs_cpu = 0.0;
        for j in self.data.hub_jobs.iter().filter(|j| !equal(j.event, "[waiting]") && j.job > 0) {
            for s in ours.iter().filter(|s| s.sessnum == Some(j.sessnum)) {
                if self.rappture(s.appname) && person(s.username) {
                    jobs_cpu += j.cputime.unwrap_or(0.0);
                }
            }
        }
        let people: Vec<_> = ours.iter().filter(|s| person(s.username)).collect();
        let mut heavy: BTreeMap<String, f64> = BTreeMap::new();
        for s in &people {
            *heavy.entry(fold(s.username)).or_default() += s.cputime.unwrap_or(0.0);
        }
        let epoch = Stamp::from_parts(1995, 1, 1, 0, 0, 0);
        let mut days = 0;
        for (user, times) in self.groups(epoch).iter().filter(|(_, times)| times.len() > 1) {
            let latest = times[times.len() - 1];
            let first = self.first(user.as_ref(), Some(epoch), latest);
            days += latest.day_number().unwrap_or(0) - first.and_then(Stamp::day_number).unwrap_or(0);
        }
        let groups = self.groups(Stamp::ZERO);
        let faithful = groups.iter().filter(|(user, times)| {
            let latest = times[times.len() - 1];
            let first = self.first(user.as_ref(), None, latest).and_then(Stamp::day_number);
            first.is_some_and(|first| latest.day_number().unwrap_or(0) - first >= 90)
        });
        let php = |total: i64, unit: i64| {
            if total % users == 0 {
                total / users * unit
            } else {
                integer_of(&text14(total as f64 / users as f64 * unit as f64))
            }
        };
        let both = [sessions_cpu, jobs_cpu];
        let cpu = if both.iter().all(|x| x.fract() == 0.0) {
            both.iter().sum::<f64>() as i64
        } else {
            integer_of(&text14(both.iter().sum()))
        };
        out.push((2, starts));
        out.push((3, cpu));
        out.push((4, integer_of(&shortest(people.iter().filter_map(|s| s.walltime).sum()))));
        out.push((5, integer_of(&shortest(people.iter().filter_map(|s| s.viewtime).sum()))));
        out.push((6, heavy.values().filter(|&&cpu| cpu >= 600.0).count() as i64));
        out.push((7, php(starts, 1)));
        out.push((8, php(days, 86_400)));
        out.push((9, groups.values().filter(|times| times.len() >= 10).count() as i64));
        out.push((10, faithful.count() as i64));
        out
    }

    fn misc(&self) -> Vec<String> {
        let ours: Vec<_> = self.data.sessions.iter().filter(|s| self.inside(s.datetime)).collect();
        let stays: Vec<_> = ours.iter().filter(|s| s.duration >= 900 || s.jobs > 0).collect();
        let visits: Vec<_> = ours.iter().copied().filter(|s| s.duration >= 0 || s.jobs > 0).collect();
        let secs: i64 = stays.iter().map(|s| s.duration).sum();
        let accounts: BTreeSet<_> = self
            .data
            .profiles
            .iter()
            .filter(|p| p.registered.is_some_and(|t| self.inside(t)))
            .filter_map(|p| p.uid)
            .collect();
        let mut days: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for l in self.lite().filter(|l| self.inside(l.datetime)) {
            let day = days.entry(l.datetime.to_string()[..10].to_owned()).or_default();
            day.extend(l.user.map(fold));
        }
        days.retain(|_, users| !users.is_empty());
        let best = days.iter().rev().max_by_key(|(_, users)| users.len());
        let with_start = !self.compat.has(Opt::HitsStartExclusive);
        let hits: Vec<_> = self
            .data
            .hits
            .iter()
            .filter(|h| self.inside(h.datetime) || with_start && h.datetime == self.start && h.datetime < self.stop)
            .map(|h| h.hits)
            .collect();
        vec![
            distinct(ours.iter().filter_map(|s| s.domain)).to_string(),
            stays.len().to_string(),
            if stays.is_empty() { String::new() } else { secs.to_string() },
            Self::visitors(&visits).to_string(),
            visits.len().to_string(),
            accounts.len().to_string(),
            best.map_or(" users on ".to_owned(), |(day, users)| format!("{} users on {day}", users.len())),
            if hits.is_empty() { String::new() } else { hits.iter().sum::<i64>().to_string() },
        ]
    }
}

fn directly(data: &Data, months: &[Month], compat: Compat) -> Vec<Cell> {
    let mut out = Vec::new();
    for &month in months {
        for period in Period::WRITE_ORDER {
            let model = Model { data, start: period.start(month), stop: Period::stop(month), compat };
            let mut cell = |table, rowid, colid, value, valfmt| {
                out.push(Cell { table, rowid, colid, month, period, value, valfmt });
            };
            let mut user = |rowid, colid| {
                let valfmt = if [1, 2, 7].contains(&colid) { 1 } else { 2 };
                cell("summary_user_vals", rowid, colid, model.user(rowid, colid).to_string(), valfmt);
            };
            (1..=11).for_each(|c| user(6, c));
            for (unregistered, all) in [(7, 3), (8, 4)] {
                (1..=6).for_each(|c| {
                    user(unregistered, c);
                    user(all, c);
                });
                (7..=11).for_each(|c| user(unregistered, c));
                (7..=11).for_each(|c| user(all, c));
            }
            (1..=11).for_each(|c| user(1, c));
            (1..=11).for_each(|c| user(2, c));
            for (rowid, value) in model.simusage() {
                let valfmt = [3, 4, 5, 5, 5, 3, 4, 5, 3, 3][usize::from(rowid) - 1];
                cell("summary_simusage_vals", rowid, 1, value.to_string(), valfmt);
            }
            for ((rowid, value), valfmt) in (1..).zip(model.misc()).zip([1, 1, 5, 1, 1, 1, 6, 1]) {
                cell("summary_misc_vals", rowid, 1, value, valfmt);
            }
        }
    }
    out
}

fn in_one_scan(rows: &[Row<'static>], first: Month, last: Month, compat: Compat) -> Vec<Cell> {
    let mut scan = Scan::new(Ground {
        axis: Axis::new(first, last),
        places: Places::new(CONTINENTS.into_iter(), CLASSES.into_iter()),
        apps: APPS.map(str::to_owned).to_vec(),
        compat,
    });
    rows.iter().for_each(|&row| scan.add(row));
    all_cells(scan)
}

/// With hardly any memory.
fn in_parts(rows: &[Row<'static>], first: Month, last: Month, every: usize) -> Vec<Cell> {
    let mut scan = Scan::new(Ground {
        axis: Axis::new(first, last),
        places: Places::new(CONTINENTS.into_iter(), CLASSES.into_iter()),
        apps: APPS.map(str::to_owned).to_vec(),
        compat: Compat::LEGACY,
    });
    for rows in rows.chunks(every) {
        rows.iter().for_each(|&row| scan.add(row));
        scan.relieve(0).unwrap();
        assert_eq!(scan.held(), 0);
    }
    all_cells(scan)
}

fn all_cells(scan: Scan) -> Vec<Cell> {
    let figures = scan.finish().unwrap();
    let mut out = Vec::new();
    cells(&figures, &Period::WRITE_ORDER, &Section::ALL, |cell| out.push(cell));
    out
}

const USERS: &[&str] = &["alice", "ALICE ", "bob", "-", "", "Zo\u{eb}", "zoe", "gridstat", "hctest7"];

/// Instants at, next to and between the bounds of periods.
fn stamp() -> impl Strategy<Value = Stamp> {
    let month = select(&["2023-12", "2024-01", "2024-02", "2024-09", "2024-10", "2024-11", "2024-12", "2025-01"][..]);
    let rest =
        select(&["-01 00:00:00", "-01 00:00:01", "-02 00:00:00", "-15 12:00:00", "-28 23:59:59", "-00 00:00:00"][..]);
    prop_oneof![
        16 => (month, rest).prop_map(|(month, rest)| Stamp::parse(&format!("{month}{rest}")).unwrap()),
        1 => select(&[
            "0000-00-00 00:00:00", "1995-01-01 00:00:00", "1995-01-01 00:00:01", "1994-12-31 23:59:59",
            "2024-00-00 00:00:00", "2030-01-01 00:00:00", "2024-12-31 23:59:59",
        ][..]).prop_map(|text| Stamp::parse(text).unwrap()),
    ]
}

fn ip() -> impl Strategy<Value = &'static str> {
    select(&["1.1.1.1", "1.1.1.1 ", "2.2.2.2", "3.3.3.3", "127.0.0.1", "", "FE80::1", "fe80::1"][..])
}

fn maybe(list: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![1 => Just(None), 6 => select(list).prop_map(Some)]
}

fn quarters() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![1 => Just(None), 8 => (0_u32..2000).prop_map(|n| Some(f64::from(n) / 4.0))]
}

fn people() -> (impl Strategy<Value = Option<&'static str>>, impl Strategy<Value = Option<&'static str>>) {
    (
        maybe(&["US", "us", "CN", "TR", "DE", "BR", "GB", "", "-"]),
        maybe(&["", "INDUSTRY", "universityFaculty", "government", "K12", "Educational "]),
    )
}

prop_compose! {
    fn web()(
        sessionid in 0_i64..8,
        datetime in stamp(),
        content in select(&[
            "/resources/7/download/x", "/resources/7/style.css", "/resources/download/x.", "/", "/Resources/9/a.PDF?x",
            "/r\u{e9}sources/9/a.pdf", "/resources/7", "/site/resources/7/a.pdf",
        ][..]),
        dnload in prop::bool::weighted(0.1),
    ) -> WebRow<'static> {
        WebRow { sessionid, datetime: Some(datetime), content, dnload }
    }
}

prop_compose! {
    fn session(id: i64)(
        datetime in stamp(), ipcountry in select(&["", "-", "US", "CN", "TR", "DE", "BR", "GB"][..]), ip in ip(),
        host in maybe(&["?", "h1", "H1 ", "\u{e9}", "e"]),
        domain in maybe(&["mit.edu", "MIT.EDU", "ibm.com", "nasa.gov", "isp.net", "odd.org", "other.org", "zero.org", "x.zz", ""]),
        duration in select(&[-5_i64, 0, 1, 899, 900, 1500][..]), jobs in select(&[0_i64, 0, 0, 0, 1][..]),
        known in prop::bool::weighted(0.95),
    ) -> SessionRow<'static> {
        SessionRow { id: known.then_some(id), datetime, ipcountry, ip, host, domain, duration, jobs }
    }
}

prop_compose! {
    fn login()(
        datetime in stamp(), user in maybe(USERS), ip in ip(),
        action in select(&["login", "Login", "simulation", "logout", ""][..]),
    ) -> LoginRow<'static> {
        LoginRow { datetime, user, ip, action }
    }
}

prop_compose! {
    fn toolstart()(
        datetime in stamp(), success in select(&[1_i64, 1, 1, 0, 2][..]), user in maybe(USERS),
        (countryresident, orgtype) in people(),
    ) -> ToolstartRow<'static> {
        ToolstartRow { datetime, success, user, countryresident, orgtype }
    }
}

prop_compose! {
    fn hub_session()(
        sessnum in 1_i64..6, username in select(USERS), start in stamp(),
        appname in select(&["workspace", "rapp", "rapp_r1", "rapp_dev", "plain", "other_r1", ""][..]),
        walltime in quarters(), viewtime in quarters(), cputime in quarters(),
    ) -> HubSessionRow<'static> {
        HubSessionRow { sessnum: Some(sessnum), username, start, appname, walltime, viewtime, cputime }
    }
}

prop_compose! {
    fn hub_job()(
        sessnum in 1_i64..6, job in 0_i64..3, event in select(&["application", "[waiting]", "[Waiting]", ""][..]),
        cputime in quarters(),
    ) -> HubJobRow<'static> {
        HubJobRow { sessnum, job, event, cputime }
    }
}

prop_compose! {
    fn profile()(
        uid in 0_i64..4, username in maybe(USERS), (countryresident, orgtype) in people(), registered in stamp(),
    ) -> ProfileRow<'static> {
        ProfileRow { uid: Some(uid), username, countryresident, orgtype, registered: Some(registered) }
    }
}

fn data() -> impl Strategy<Value = Data> {
    let version = (select(&["rapp", "WORKSPACE", "plain"][..]), select(&["rapp_r1", "rapp_dev", "other_r1", ""][..]))
        .prop_map(|(toolname, instance)| ToolVersionRow { toolname, instance });
    let hit = (stamp(), 0_i64..1000).prop_map(|(datetime, hits)| HitsRow { datetime, hits });
    let sessions = (0_usize..8).prop_flat_map(|n| (0..n as i64).map(session).collect::<Vec<_>>());
    (
        prop::collection::vec(web(), 0..10),
        sessions,
        prop::collection::vec(login(), 0..8),
        // often enough for ten starts of one user
        prop_oneof![prop::collection::vec(toolstart(), 0..8), prop::collection::vec(toolstart(), 30..60)],
        prop::collection::vec(hub_session(), 0..6),
        prop::collection::vec(hub_job(), 0..6),
        prop::collection::vec(profile(), 0..5),
        prop::collection::vec(select(&["src/main.c", "a.pdf", "x.html", "none", "y.p_f"][..]), 0..3),
        prop::collection::vec(version, 0..3),
        prop::collection::vec(hit, 0..5),
    )
        .prop_map(
            |(web, sessions, logins, toolstarts, hub_sessions, hub_jobs, profiles, resources, versions, hits)| Data {
                web,
                sessions,
                logins,
                toolstarts,
                hub_sessions,
                hub_jobs,
                profiles,
                resources,
                versions,
                hits,
            },
        )
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn months() -> impl Strategy<Value = (Month, Month)> {
    let first = select(&["2023-12", "2024-01", "2024-09", "2024-10", "2024-11", "2024-12", "1995-01"][..]);
    (first, 0_u32..5).prop_map(|(first, n)| (month(first), month(first).plus(n)))
}

const CASES: u32 = 1500;

#[test]
fn one_scan_gives_the_same_as_the_rules() {
    let options = select(vec![
        Compat::LEGACY,
        Compat::LEGACY.with(Opt::HitsStartExclusive),
        Compat::LEGACY.with(Opt::DownloadsFlag),
    ]);
    check(cases(CASES), &(data(), months(), options, any::<u64>()), |(data, (first, last), options, seed)| {
        let months: Vec<_> = first.through(last).collect();
        let mut rows = data.rows();
        // any order is fine
        rows.sort_by_cached_key(|row| xxhash(&format!("{row:?}{seed}")));
        let ours = in_one_scan(&rows, first, last, options);
        let direct = directly(&data, &months, options);
        prop_assert_eq!(ours.len(), direct.len());
        for (a, b) in ours.iter().zip(&direct) {
            prop_assert_eq!(a, b);
        }
        Ok(())
    });
}

/// The answer to `--why all` as records.
fn answer(rows: &[Row<'static>], month: Month, compat: Compat) -> anyhow::Result<Vec<serde_json::Value>> {
    answer_to(rows, (month, compat), Period::WRITE_ORDER.to_vec(), Place::all().collect())
}

/// The answer to `--why` for some cells.
fn answer_to(
    rows: &[Row<'static>],
    (month, compat): (Month, Compat),
    periods: Vec<Period>,
    places: Vec<Place>,
) -> anyhow::Result<Vec<serde_json::Value>> {
    let scan = Scan::new(Ground {
        axis: Axis::new(month, month),
        places: Places::new(CONTINENTS.into_iter(), CLASSES.into_iter()),
        apps: APPS.map(str::to_owned).to_vec(),
        compat,
    });
    let question = Question { month, periods, places, requests: false, only: Vec::new(), first: usize::MAX };
    let mut keeper = Keeper::new(scan, question);
    for row in rows {
        let eye = keeper.eye();
        if let Some(fact) = eye.lens.digest(*row) {
            let kept = eye.wants(&fact).then(|| record(row, |_| None));
            drop(eye);
            keeper.take((fact, kept));
        }
    }
    let mut out = Vec::new();
    keeper.answer(
        |_| Ok(Requests::default()),
        |lines| {
            out.extend_from_slice(lines);
            Ok(())
        },
    )?;
    Ok(out.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect())
}

/// What the rows of an answer come to, by the kind of the cell: sums, quotients, the day of the logins.
fn value_of(cell: &str, evidence: &[&serde_json::Value]) -> String {
    let adds = |part: Option<&str>| {
        let of_part = evidence.iter().filter(|e| part.is_none_or(|part| e["part"] == part));
        of_part.map(|e| e["adds"].as_f64().unwrap()).fold(0.0, |a, b| a + b)
    };
    let of = |part: &str| adds(Some(part));
    let total = || adds(None);
    let quotient = |part: &str, unit: f64| {
        let (total, users) = (of(part), of("simulation users"));
        let value = total / users * unit;
        if total % users == 0.0 { value.to_string() } else { integer_of(&text14(value)).to_string() }
    };
    match cell {
        "simulation.cpu-time" | "simulation.wall-time" | "simulation.interaction-time" => {
            integer_of(&text14(total())).to_string()
        }
        "simulation.runs-per-user" => quotient("runs", 1.0),
        "simulation.time-between-runs" => quotient("days between the first and the last run", 86_400.0),
        "misc.stay-time" | "misc.hits" if evidence.is_empty() => String::new(),
        "misc.busiest-day" if evidence.is_empty() => " users on ".to_owned(),
        "misc.busiest-day" => {
            let days: BTreeSet<&str> = evidence.iter().map(|e| &e["datetime"].as_str().unwrap()[..10]).collect();
            assert_eq!(days.len(), 1, "{evidence:?}");
            format!("{} users on {}", total(), days.first().unwrap())
        }
        _ => total().to_string(),
    }
}

/// The property: what the rows of a cell come to is the cell, for every cell, whatever the rows.
#[test]
fn the_rows_of_a_cell_come_to_the_cell() {
    let options = select(vec![
        Compat::LEGACY,
        Compat::LEGACY.with(Opt::HitsStartExclusive),
        Compat::LEGACY.with(Opt::DownloadsFlag),
    ]);
    check(cases(300), &(data(), months(), options), |(data, (month, _), options)| {
        let answer = answer(&data.rows(), month, options).map_err(|e| TestCaseError::fail(format!("{e:#}")))?;
        let mut evidence: BTreeMap<(String, u64), Vec<&serde_json::Value>> = BTreeMap::new();
        let key = |record: &serde_json::Value| {
            (record["cell"].as_str().unwrap().to_owned(), record["period"].as_u64().unwrap())
        };
        for record in answer.iter().filter(|record| record["kind"] == "evidence") {
            evidence.entry(key(record)).or_default().push(record);
        }
        let mut written: BTreeMap<_, _> = directly(&data, &[month], options)
            .into_iter()
            .map(|cell| ((cell.table.to_owned(), cell.rowid, cell.colid, cell.period.code()), cell.value))
            .collect();
        for why in answer.iter().filter(|record| record["kind"] == "why") {
            let number = |name: &str| why[name].as_u64().unwrap() as u8;
            let place = (why["table"].as_str().unwrap().to_owned(), number("rowid"), number("colid"), number("period"));
            let cell = written.remove(&place);
            prop_assert_eq!(why.get("value").and_then(|value| value.as_str()), cell.as_deref(), "{:?}", place);
            let rows = evidence.remove(&key(why)).unwrap_or_default();
            prop_assert_eq!(why["rows"].as_u64(), Some(rows.len() as u64));
            match cell {
                Some(cell) => prop_assert_eq!(value_of(why["cell"].as_str().unwrap(), &rows), cell, "{:?}", why),
                None => prop_assert!(rows.is_empty()),
            }
        }
        prop_assert!(written.is_empty() && evidence.is_empty(), "{:?} {:?}", written, evidence);
        Ok(())
    });
}

/// A cell that is asked for alone keeps fewer rows, and lists the same.
#[test]
fn a_cell_that_is_asked_for_alone_gets_the_same_answer() {
    let place = select(Place::all().collect::<Vec<_>>());
    check(
        cases(300),
        &(data(), months(), place, select(Period::WRITE_ORDER.to_vec())),
        |(data, (month, _), place, period)| {
            let (rows, of) = (data.rows(), (month, Compat::LEGACY));
            let failed = |e: anyhow::Error| TestCaseError::fail(format!("{e:#}"));
            let all = answer_to(&rows, of, Period::WRITE_ORDER.to_vec(), Place::all().collect()).map_err(failed)?;
            let alone = answer_to(&rows, of, vec![period], vec![place]).map_err(failed)?;
            let (cell, period) = (place.to_string(), u64::from(period.code()));
            let of_cell = all.iter().filter(|record| record["cell"] == cell && record["period"] == period);
            prop_assert!(of_cell.eq(&alone), "{}", cell);
            Ok(())
        },
    );
}

/// The port's rules leave out starts without a user and empty addresses.
#[test]
fn the_rows_of_a_cell_come_to_the_cell_of_the_port() {
    check(cases(100), &(data(), months()), |(data, (month, _))| {
        // the answer compares each listing with its cell
        answer(&data.rows(), month, Compat::port()).map_err(|e| TestCaseError::fail(format!("{e:#}")))?;
        Ok(())
    });
}

#[test]
fn a_range_gives_the_same_as_its_months() {
    check(cases(CASES), &(data(), months()), |(data, (first, last))| {
        let rows = data.rows();
        let alone: Vec<_> = first.through(last).flat_map(|m| in_one_scan(&rows, m, m, Compat::LEGACY)).collect();
        prop_assert_eq!(in_one_scan(&rows, first, last, Compat::LEGACY), alone);
        Ok(())
    });
}

#[test]
fn identities_hold() {
    let m = select(&["2024-01", "2024-04", "2024-09", "2024-10", "2024-11", "2024-12"][..]);
    check(cases(CASES), &(data(), m), |(data, m)| {
        identities(&in_one_scan(&data.rows(), month(m), month(m), Compat::LEGACY), m)
    });
}

#[test]
fn little_memory_gives_the_same() {
    // each case writes files
    check(slow_cases(100), &(data(), months(), 1_usize..40), |(data, (first, last), every)| {
        let rows = data.rows();
        prop_assert_eq!(in_parts(&rows, first, last, every), in_one_scan(&rows, first, last, Compat::LEGACY));
        Ok(())
    });
}

fn xxhash(text: &str) -> u128 {
    schema::collation::hash(text)
}

/// The identities between the tables.
fn identities(cells: &[Cell], month: &str) -> Result<(), TestCaseError> {
    let index: BTreeMap<_, _> =
        cells.iter().map(|c| ((c.table, c.rowid, c.colid, c.period.code()), c.value.as_str())).collect();
    let text = |table: &str, rowid: u8, colid: u8, period: u8| {
        let table = match table {
            "user" => "summary_user_vals",
            "misc" => "summary_misc_vals",
            _ => "summary_simusage_vals",
        };
        index.get(&(table, rowid, colid, period)).copied()
    };
    let number = |table: &str, rowid: u8, colid: u8, period: u8| -> i64 {
        let text = text(table, rowid, colid, period).unwrap_or("0");
        text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    };
    let user = |rowid, colid, period| number("user", rowid, colid, period);
    let sim = |rowid, period| number("simusage", rowid, 1, period);
    let misc = |rowid, period| number("misc", rowid, 1, period);
    for p in [0, 1, 3, 12, 13, 14] {
        for c in 1..=11 {
            for rowid in [1, 2, 3, 4, 6, 7, 8] {
                prop_assert!(text("user", rowid, c, p).is_some());
            }
            prop_assert_eq!(user(1, c, p), user(6, c, p) + user(7, c, p) + user(8, c, p));
        }
        prop_assert_eq!(text("user", 5, 1, p), None);
        prop_assert_eq!(sim(1, p), user(2, 1, p));
        for rowid in [2, 6, 7, 8] {
            prop_assert!(user(rowid, 3, p) <= user(rowid, 2, p) && user(rowid, 2, p) <= user(rowid, 1, p));
            prop_assert!((4..=6).all(|c| user(rowid, c, p) <= user(rowid, 1, p)));
        }
        for rowid in [7, 8] {
            prop_assert!((8..=11).all(|c| user(rowid, c, p) <= user(rowid, 1, p)));
            prop_assert!(user(rowid, 7, p) >= (8..=11).map(|c| user(rowid, c, p)).sum());
        }
        prop_assert!(user(2, 7, p) <= (8..=11).map(|c| user(2, c, p)).sum());
        for (all, alone) in [(3, 7), (4, 8)] {
            prop_assert!((1..=6).all(|c| user(all, c, p) >= user(alone, c, p)));
            prop_assert!((8..=11).all(|c| user(all, c, p) <= user(all, 1, p) - user(alone, 1, p)));
        }
        prop_assert_eq!(
            cells.iter().filter(|c| c.table == "summary_simusage_vals" && c.period.code() == p).count(),
            if sim(1, p) == 0 { 1 } else { 10 }
        );
        if sim(1, p) > 0 {
            prop_assert!(sim(2, p) >= sim(1, p) && sim(9, p) <= sim(1, p) + 1 && sim(10, p) <= sim(1, p) + 1);
        }
        prop_assert!(misc(2, p) <= misc(5, p) && misc(4, p) <= misc(5, p) && misc(7, p) <= user(6, 1, p));
    }
    for (wide, narrow) in [(14, 12), (12, 0), (0, 3), (3, 1), (12, 13), (13, 3)] {
        for c in 1..=11 {
            prop_assert!([2, 6].iter().all(|&r| user(r, c, narrow) <= user(r, c, wide)));
            for (all, alone) in [(3, 7), (4, 8)] {
                let registered = |p| user(all, c, p) - if c <= 6 { user(alone, c, p) } else { 0 };
                prop_assert!(registered(narrow) <= registered(wide));
            }
        }
        prop_assert!([1, 2, 3, 4, 5, 6, 9, 10].iter().all(|&r| sim(r, narrow) <= sim(r, wide)));
        prop_assert!((1..=8).filter(|&r| r != 3).all(|r| misc(r, narrow) <= misc(r, wide)));
    }
    let equal_windows: &[&[u8]] = match &month[5..] {
        "01" => &[&[0, 1, 3]],
        "04" => &[&[1, 3]],
        "09" => &[&[12, 13]],
        "10" => &[&[1, 3, 13]],
        "12" => &[&[0, 12]],
        _ => &[],
    };
    let of = |period: u8| -> Vec<_> {
        let list = cells.iter().filter(|c| c.period.code() == period);
        list.map(|c| (c.table, c.rowid, c.colid, &c.value)).collect()
    };
    for periods in equal_windows {
        prop_assert!(periods.windows(2).all(|pair| of(pair[0]) == of(pair[1])), "{:?}", periods);
    }
    Ok(())
}

fn one(rows: &[Row<'static>], compat: Compat, rowid: u8) -> String {
    let cells = in_one_scan(rows, month("2025-07"), month("2025-07"), compat);
    let is = |c: &&Cell| c.table == "summary_simusage_vals" && c.rowid == rowid && c.period == Period::AllTime;
    cells.iter().find(is).map(|c| c.value.clone()).unwrap_or_default()
}

#[test]
fn seconds_are_added_in_the_order_of_the_rows() {
    let start = Stamp::parse("2025-07-10 00:00:00").unwrap();
    let mut rows = vec![Row::Toolstart(ToolstartRow {
        datetime: start,
        success: 1,
        user: Some("u"),
        countryresident: None,
        orgtype: None,
    })];
    let with = |walls: [f64; 3]| {
        let row = |wall| {
            Row::HubSession(HubSessionRow {
                sessnum: None,
                username: "u",
                start,
                appname: "x",
                walltime: Some(wall),
                viewtime: None,
                cputime: None,
            })
        };
        walls.map(row)
    };
    // a half is lost next to the large number, two halves are not
    let large = 4_503_599_627_370_496.0;
    rows.extend(with([large, 0.5, 0.5]));
    assert_eq!(one(&rows, Compat::LEGACY, 4), "4503599627370496");
    rows.truncate(1);
    rows.extend(with([0.5, 0.5, large]));
    assert_eq!(one(&rows, Compat::LEGACY, 4), "4503599627370497");
}

#[test]
fn the_port_leaves_out_starts_without_a_user_or_a_first_one() {
    let start = |user, day: &str| {
        let datetime = Stamp::parse(&format!("2025-{day} 08:00:00")).unwrap();
        Row::Toolstart(ToolstartRow { datetime, success: 1, user, countryresident: None, orgtype: None })
    };
    let rows = [start(Some("u"), "07-10"), start(Some("u"), "07-10"), start(None, "07-11"), start(None, "07-12")];
    // 2025-07-10 is day 739807 and 2025-07-12 day 739809; each is added as a whole
    assert_eq!(one(&rows, Compat::LEGACY, 8), ((739_807_i64 + 739_809) * 86_400).to_string());
    assert_eq!(one(&rows, Compat::port(), 8), "0");
    let rows = [start(Some("u"), "03-01"), start(Some("u"), "07-10"), start(Some(""), "01-01"), start(None, "07-12")];
    assert_eq!([one(&rows, Compat::LEGACY, 10), one(&rows, Compat::port(), 10)], ["2", "1"]);
}
