//! The pipe's face: fills the rows from records, writes the results as records.

use std::borrow::Cow;
use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use kit::{Endpoint, Io, Output, list};
use schema::json::{push_int, push_str};
use schema::{Kind, Month, Stamp, collation, reference};
use serde::Deserialize;

use crate::args::{Question, Step};
use crate::rows::{HubJob, HubSession, Resource, Rows, ToolSession};
use crate::stats::{self, ToolStat};
use crate::{lists, tops};

#[derive(Deserialize)]
struct ResourceRecord<'a> {
    id: i64,
    #[serde(borrow, default)]
    title: Cow<'a, str>,
    #[serde(rename = "type", default)]
    kind: i64,
    #[serde(borrow, default)]
    alias: Cow<'a, str>,
    #[serde(default)]
    published: i64,
    #[serde(default)]
    standalone: i64,
}

#[derive(Deserialize)]
struct VersionRecord<'a> {
    #[serde(borrow)]
    toolname: Cow<'a, str>,
    #[serde(borrow)]
    instance: Cow<'a, str>,
}

#[derive(Deserialize)]
struct SessionRecord<'a> {
    sessnum: u64,
    #[serde(borrow)]
    username: Cow<'a, str>,
    #[serde(borrow)]
    appname: Cow<'a, str>,
    start: Stamp,
    walltime: Option<f64>,
    viewtime: Option<f64>,
}

#[derive(Deserialize)]
struct JobRecord<'a> {
    sessnum: u64,
    job: u64,
    #[serde(default)]
    superjob: u64,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    venue: Cow<'a, str>,
    walltime: Option<f64>,
    cputime: Option<f64>,
    ncpus: Option<i64>,
}

#[derive(Deserialize)]
struct ToolSessionRecord<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    appname: Cow<'a, str>,
    start: Stamp,
    #[serde(borrow)]
    domain: Option<Cow<'a, str>>,
    #[serde(borrow)]
    countryresident: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ProfileRecord<'a> {
    #[serde(borrow)]
    username: Cow<'a, str>,
    #[serde(borrow, default)]
    orgtype: Cow<'a, str>,
    #[serde(rename = "emailConfirmed", default = "confirmed")]
    email_confirmed: Option<i64>,
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional field")]
const fn confirmed() -> Option<i64> {
    Some(1)
}

/// Adds one record; `false` if its kind is not used here.
fn add(tables: &mut Rows, kind: &str, line: &[u8]) -> serde_json::Result<bool> {
    let texts = &mut tables.texts;
    match kind {
        "hub_resource" => {
            let r: ResourceRecord<'_> = serde_json::from_slice(line)?;
            tables.resources.push(Resource {
                id: r.id,
                title: r.title.into_owned(),
                kind: r.kind,
                alias: r.alias.into_owned(),
                published: r.published == 1,
                standalone: r.standalone == 1,
            });
        }
        "hub_tool_version" => {
            let r: VersionRecord<'_> = serde_json::from_slice(line)?;
            tables.versions.push((r.toolname.into_owned(), r.instance.into_owned()));
        }
        "hub_session" => {
            let r: SessionRecord<'_> = serde_json::from_slice(line)?;
            let (user, app) = (texts.add(&r.username), texts.add(&r.appname));
            let (walltime, viewtime) = (r.walltime.unwrap_or(0.0), r.viewtime.unwrap_or(0.0));
            tables.sessions.push(HubSession { sessnum: r.sessnum, user, app, start: r.start, walltime, viewtime });
        }
        "hub_job" => {
            let r: JobRecord<'_> = serde_json::from_slice(line)?;
            if r.ncpus.is_some_and(|n| n < 0) {
                return Err(serde::de::Error::custom("field `ncpus` is negative"));
            }
            tables.jobs.push(HubJob {
                sessnum: r.sessnum,
                job: r.job,
                is_top: r.superjob == 0,
                event: texts.add(&r.event),
                venue: texts.add(&r.venue),
                walltime: r.walltime.unwrap_or(0.0),
                cputime: r.cputime.unwrap_or(0.0),
                ncpus: r.ncpus.unwrap_or(0),
            });
        }
        "tool_session" => {
            let r: ToolSessionRecord<'_> = serde_json::from_slice(line)?;
            let (user, app) = (texts.add(&r.user), texts.add(&r.appname));
            let domain = r.domain.map(|d| texts.add(&d));
            let country = r.countryresident.map(|c| texts.add(&c));
            tables.tool_sessions.push(ToolSession { user, app, start: r.start, domain, country });
        }
        "hub_profile" => {
            let r: ProfileRecord<'_> = serde_json::from_slice(line)?;
            if r.email_confirmed.is_some_and(|n| n > 0) {
                let pair = (texts.add(&r.username), texts.add(&r.orgtype));
                tables.profiles.push(pair);
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// The names of the built-in country list, by the collation key of their codes.
pub(crate) fn built_in_countries() -> HashMap<String, String> {
    reference::countries().map(|c| (collation::fold(c.code), c.name.to_owned())).collect()
}

/// Reads a country list: CSV with the columns `code` and `name`.
pub(crate) fn read_countries(path: &std::path::Path) -> Result<HashMap<String, String>> {
    let mut countries = HashMap::new();
    let each = |row: list::Entry<'_>| match (row.get(0), row.get(1)) {
        (Some(code), Some(name)) => {
            countries.insert(collation::fold(code), name.to_owned());
            Ok(())
        }
        _ => bail!("line {} lacks `code` or `name`", row.line),
    };
    list::read(kit::open(path)?, &["code", "name"], &[], each)
        .with_context(|| format!("reading {}", path.display()))?;
    Ok(countries)
}

/// Reads everything.
pub(crate) fn read(io: &mut Io, countries: HashMap<String, String>) -> Result<Rows> {
    let mut tables = Rows { countries, ..Rows::default() };
    let mut input = io.input()?;
    input.for_each(&mut io.rejects, |record, rejects| {
        if let Err(error) = add(&mut tables, &record.kind, record.line) {
            rejects.reject(record.path, record.number, &error.to_string(), record.line)?;
        }
        Ok(())
    })?;
    tables.sort();
    Ok(tables)
}

/// Writes the answer to `--why`; CSV and tables show the rows.
pub(crate) fn why(io: &Io, tables: &Rows, rows: &[ToolStat], question: &Question) -> Result<()> {
    let common = io.common();
    let kind = common.kind.as_deref().unwrap_or(Kind::Evidence.name());
    let mut output = Output::new(&Endpoint::from_arg(&common.to), common.format, kind, io.messages)?;
    crate::why::answer(tables, rows, question, |line| output.block(line))?;
    output.finish()
}

/// Runs the steps on the tables and writes their records.
pub(crate) fn write(io: &Io, month: Month, steps: &[Step], tables: &Rows, raw: bool) -> Result<()> {
    let mut output = io.output()?;
    let rows = stats::numbered(tables, month, raw);
    let mut line = Vec::new();
    if steps.contains(&Step::ToolStats) {
        for row in &rows {
            write_stat(&mut output, row, month, &mut line)?;
        }
    }
    if steps.contains(&Step::ToolTops) {
        for place in tops::compute(tables, &rows, month) {
            line.clear();
            line.extend_from_slice(b"{\"kind\":\"toptool\"");
            ints(&mut line, &[("id", place.id), ("top", place.top.into()), ("rank", place.rank)]);
            texts(&mut line, &[("name", &place.name)]);
            ints(&mut line, &[("value", place.value)]);
            line.push(b'}');
            output.record(&line)?;
        }
    }
    if steps.contains(&Step::ToolToplists) {
        for entry in lists::compute(tables, &rows, month, raw) {
            line.clear();
            line.extend_from_slice(b"{\"kind\":\"toplist\"");
            ints(&mut line, &[("top", entry.top.into())]);
            texts(&mut line, &[("datetime", &month.label().to_string())]);
            ints(&mut line, &[("period", entry.period.code().into()), ("rank", entry.rank)]);
            texts(&mut line, &[("name", &entry.name)]);
            ints(&mut line, &[("value", entry.value)]);
            line.push(b'}');
            output.record(&line)?;
        }
    }
    output.finish()
}

fn write_stat(output: &mut Output, row: &ToolStat, month: Month, line: &mut Vec<u8>) -> Result<()> {
    let s = &row.stat;
    let label = month.label().to_string();
    line.clear();
    line.extend_from_slice(b"{\"kind\":\"toolstat\"");
    ints(
        line,
        &[
            ("id", row.id),
            ("resid", row.resid),
            ("restype", 7),
            ("users", s.users),
            ("sessions", s.sessions),
            ("simulations", s.simulations),
            ("jobs", s.jobs),
        ],
    );
    let doubles = [
        ("avg_wall", s.avg_wall),
        ("tot_wall", s.tot_wall),
        ("avg_cpu", s.avg_cpu),
        ("tot_cpu", s.tot_cpu),
        ("avg_view", s.avg_view),
        ("tot_view", s.tot_view),
        ("avg_wait", s.avg_wait),
        ("tot_wait", s.tot_wait),
    ];
    for (name, value) in doubles {
        field(line, name);
        line.extend_from_slice(value.to_string().as_bytes());
    }
    ints(line, &[("avg_cpus", s.avg_cpus), ("tot_cpus", s.tot_cpus)]);
    texts(line, &[("datetime", &label)]);
    ints(line, &[("period", row.period.code().into())]);
    line.push(b'}');
    output.record(line)?;
    line.clear();
    line.extend_from_slice(b"{\"kind\":\"resource_stat\"");
    ints(line, &[("resid", row.resid), ("restype", 7), ("users", s.users), ("jobs", s.jobs)]);
    let rounded = [("avg_wall", s.avg_wall), ("tot_wall", s.tot_wall), ("avg_cpu", s.avg_cpu), ("tot_cpu", s.tot_cpu)];
    ints(line, &rounded.map(|(name, value)| (name, stats::as_int(value))));
    texts(line, &[("datetime", &label)]);
    ints(line, &[("period", row.period.code().into())]);
    line.push(b'}');
    output.record(line)
}

fn field(line: &mut Vec<u8>, name: &str) {
    line.push(b',');
    push_str(line, name);
    line.push(b':');
}

fn ints(line: &mut Vec<u8>, fields: &[(&str, i64)]) {
    for (name, value) in fields {
        field(line, name);
        push_int(line, *value);
    }
}

fn texts(line: &mut Vec<u8>, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        field(line, name);
        push_str(line, value);
    }
}
