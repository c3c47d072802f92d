//! The property of `--why`: what the rows of a number come to is the number, for every number of every table.

use proptest::prelude::*;
use proptest::sample::select;
use schema::asked::{COPIED_COLUMNS, LISTS, TOOL_COLUMNS, TOPS};
use schema::{Month, Period, Stamp};

use super::*;
use crate::rows::{HubJob, HubSession, Resource};

const STARTS: [&str; 6] = [
    "2025-07-05 10:00:00",
    "2025-07-01 00:00:00",
    "2025-07-31 23:59:59",
    "2025-05-02 00:00:01",
    "2024-12-31 12:00:00",
    "2025-08-01 00:00:00",
];

/// Tools, one of them with two versions, one not published, one that is not a resource of its own, one without rows.
fn tools() -> Rows {
    let mut tables = Rows::default();
    for (id, alias, published, standalone) in [
        (3, "one", true, true),
        (5, "two", true, true),
        (7, "three", false, true),
        (8, "four", true, false),
        (9, "idle", true, true),
    ] {
        let (title, alias) = (alias.to_uppercase(), alias.to_owned());
        tables.resources.push(Resource { id, title, kind: 7, alias, published, standalone });
    }
    tables.versions.push(("one".to_owned(), "one_r2".to_owned()));
    tables.countries.insert("US".to_owned(), "UNITED STATES".to_owned());
    tables
}

fn rows() -> impl Strategy<Value = Rows> {
    let app = || select(&["one", "ONE ", "one_r2", "two", "three", "four", "other"][..]);
    let user = || select(&["ann", "Ann", "bob", "eve", "gridstat"][..]);
    let seconds = || select(&[0.0, 0.5, 977.0, 1e8 + 0.25][..]);
    let start = || select(&STARTS[..]);
    let session = (app(), user(), start(), seconds(), seconds());
    let event = select(&["simulation", "[waiting]", "application", "APPLICATION"][..]);
    let job = (1_u64..8, 0_u64..3, any::<bool>(), event, seconds(), seconds(), 0_i64..5);
    let domain = prop::option::of(select(&["a.org", "A.org", "b.org", "", "?"][..]));
    let country = prop::option::of(select(&["US", "us", "", "QQ"][..]));
    let tool_session = (app(), user(), start(), domain, country);
    let profile = (user(), select(&["industry", "university", ""][..]));
    let lists = (
        prop::collection::vec(session, 0..8),
        prop::collection::vec(job, 0..16),
        prop::collection::vec(tool_session, 0..12),
        prop::collection::vec(profile, 0..5),
    );
    lists.prop_map(|(sessions, jobs, tool_sessions, profiles)| {
        let mut t = tools();
        let at = |text: &str| Stamp::parse(text).unwrap();
        for ((app, user, start, walltime, viewtime), sessnum) in sessions.into_iter().zip(1..) {
            let (user, app) = (t.texts.add(user), t.texts.add(app));
            t.sessions.push(HubSession { sessnum, user, app, start: at(start), walltime, viewtime });
        }
        for (sessnum, job, is_top, event, walltime, cputime, ncpus) in jobs {
            let (event, venue) = (t.texts.add(event), t.texts.add(""));
            t.jobs.push(HubJob { sessnum, job, is_top, event, venue, walltime, cputime, ncpus });
        }
        for (app, user, start, domain, country) in tool_sessions {
            let (user, app) = (t.texts.add(user), t.texts.add(app));
            let (domain, country) = (domain.map(|d| t.texts.add(d)), country.map(|c| t.texts.add(c)));
            t.tool_sessions.push(ToolSession { user, app, start: at(start), domain, country });
        }
        for (user, orgtype) in profiles {
            let pair = (t.texts.add(user), t.texts.add(orgtype));
            t.profiles.push(pair);
        }
        t.sort();
        t
    })
}

/// Every number of a period with the value that the steps write.
fn written(tables: &Rows, rows: &[ToolStat], month: Month, period: Period, raw: bool) -> Vec<(Figure, String)> {
    let mut all = Vec::new();
    for row in rows.iter().filter(|row| row.period == period) {
        let resid = row.resid;
        all.extend(TOOL_COLUMNS.map(|column| (Figure::Tool { resid, column }, text_of(&row.stat, column))));
        all.extend(COPIED_COLUMNS.map(|column| (Figure::Resource { resid, column }, text_of_copy(&row.stat, column))));
    }
    for place in tops::compute(tables, rows, month) {
        if let Some(row) = rows.iter().find(|row| row.id == place.id && row.period == period) {
            let (resid, top, rank) = (row.resid, place.top, place.rank);
            all.push((Figure::Top { resid, top, rank }, place.value.to_string()));
        }
    }
    for place in lists::compute(tables, rows, month, raw).into_iter().filter(|place| place.period == period) {
        all.push((Figure::List { top: place.top, rank: place.rank }, place.value.to_string()));
    }
    all
}

fn asked(tables: &Rows, rows: &[ToolStat], question: &Question) -> Vec<serde_json::Value> {
    let mut out = Vec::new();
    let put = |line: &[u8]| {
        out.extend_from_slice(line);
        Ok(())
    };
    answer(tables, rows, question, put).unwrap();
    out.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn the_rows_of_every_number_come_to_the_number() {
    let strategy = (rows(), select(Period::BY_CODE.to_vec()), any::<bool>());
    fixtures::property::check(fixtures::property::cases(150), &strategy, |(tables, period, raw)| {
        let month: Month = "2025-07".parse().unwrap();
        let rows = stats::numbered(&tables, month, raw);
        for (figure, value) in written(&tables, &rows, month, period, raw) {
            let records = asked(&tables, &rows, &Question { figure, month, period, first: usize::MAX, raw });
            let (why, evidence) = records.split_first().unwrap();
            prop_assert_eq!(why["value"].as_str(), Some(value.as_str()), "{}", figure);
            prop_assert_eq!(why["rows"].as_u64(), Some(evidence.len() as u64));
            let sum = |part: Option<&str>| -> f64 {
                let of_part = evidence.iter().filter(|row| part.is_none_or(|part| row["part"] == part));
                of_part.map(|row| row["adds"].as_f64().unwrap()).sum()
            };
            let value: f64 = value.parse().unwrap();
            let is_average = matches!(figure, Figure::Tool { column, .. } | Figure::Resource { column, .. } if column.starts_with("avg"));
            if is_average {
                let parts: Vec<f64> =
                    ["tot_wall", "tot_cpu", "tot_view", "tot_wait", "tot_cpus"].map(|part| sum(Some(part))).to_vec();
                let (total, simulations): (f64, f64) = (parts.iter().sum(), sum(Some("simulations")));
                let average = if simulations == 0.0 { 0.0 } else { total / simulations };
                prop_assert!((average - value).abs() <= 0.5 + average * 1e-12, "{} {} {}", figure, average, value);
            } else {
                prop_assert!((sum(None) - value).abs() <= 0.5, "{} {} {}", figure, sum(None), value);
            }
        }
        Ok(())
    });
}

#[test]
fn numbers_that_are_not_written_have_no_value() {
    let (tables, month): (_, Month) = (tools(), "2025-07".parse().unwrap());
    let rows = stats::numbered(&tables, month, false);
    let value = |figure| {
        let question = Question { figure, month, period: Period::Month, first: 5, raw: false };
        asked(&tables, &rows, &question)[0].get("value").cloned()
    };
    for figure in [
        Figure::Tool { resid: 99, column: "users" },
        Figure::Top { resid: 3, top: 2, rank: 1 },
        Figure::Top { resid: 8, top: 1, rank: 0 },
        Figure::List { top: 2, rank: 99 },
    ] {
        assert_eq!(value(figure), None, "{figure}");
    }
    assert_eq!(value(Figure::Top { resid: 3, top: 1, rank: 1 }).unwrap(), "0", "the place of those unknown");
    assert!(TOPS.iter().all(|top| value(Figure::Top { resid: 3, top: *top, rank: 0 }).is_some()));
    assert!(LISTS.iter().all(|top| value(Figure::List { top: *top, rank: 0 }).is_some()));
}
