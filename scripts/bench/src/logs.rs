//! The logs that are parsed: made once, of a made-up hub, and the same requests as other servers write them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use checkout::say;
use fixtures::hub::Plan;
use schema::Month;

/// A layout that is measured, and how GoAccess reads it.
pub(super) struct Layout {
    pub(super) name: &'static str,
    /// How many times as fast as GoAccess parsing has to be.
    pub(super) goal: f64,
    line: fn(&Request<'_>) -> String,
    format: &'static str,
    date_format: &'static str,
    time_format: &'static str,
}

pub(super) const LAYOUTS: [Layout; 4] = [
    Layout {
        name: "hubzero",
        goal: 30.0,
        line: |request| request.line.to_owned(),
        format: "%d %t %^ %^ %e \"%r\" %s %b %h \"%R\" \"%u\" %^",
        date_format: "%Y-%m-%d",
        time_format: "%H:%M:%S",
    },
    Layout {
        name: "combined",
        goal: 25.0,
        line: combined,
        format: "%h %^[%d:%t %^] \"%r\" %s %b \"%R\" \"%u\"",
        date_format: "%d/%b/%Y",
        time_format: "%H:%M:%S",
    },
    Layout {
        name: "nginx-json",
        goal: 10.0,
        line: nginx_json,
        format: "{\"time\":\"%dT%t+%^\",\"remote_addr\":\"%h\",\"request\":\"%r\",\"status\":\"%s\",\
                 \"body_bytes_sent\":\"%b\",\"http_referer\":\"%R\",\"http_user_agent\":\"%u\"}",
        date_format: "%Y-%m-%d",
        time_format: "%H:%M:%S",
    },
    Layout {
        name: "caddy",
        goal: 10.0,
        line: caddy,
        format: "{\"ts\":\"%x.%^\",\"request\":{\"remote_ip\":\"%h\",\"proto\":\"%H\",\"method\":\"%m\",\"host\":\"%v\",\
                 \"uri\":\"%U\",\"headers\":{\"User-Agent\":[\"%u\"],\"Referer\":[\"%R\"]}},\"duration\":\"%T\",\
                 \"size\":\"%b\",\"status\":\"%s\"}",
        date_format: "%s",
        time_format: "%s",
    },
];

impl Layout {
    /// The arguments with which GoAccess reads a log and writes a report.
    pub(super) fn goaccess(&self, log: &Path, report: &Path) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec![log.into(), "--no-progress".into(), "--no-global-config".into()];
        for (option, value) in [("log", self.format), ("date", self.date_format), ("time", self.time_format)] {
            all.push(format!("--{option}-format={value}").into());
        }
        all.extend(["-o".into(), report.into()]);
        all
    }

    /// The log, made once. Lines that other servers would escape are left out of their logs.
    pub(super) fn log(&self, directory: &Path, n_lines: u64) -> Result<(PathBuf, u64)> {
        let hub = hub(directory, n_lines)?;
        if self.name == "hubzero" {
            return Ok((hub, n_lines));
        }
        let path = directory.join(format!("{}-{n_lines}.log", self.name));
        if !path.exists() {
            say(&format!("making {}", path.display()));
            let part = path.with_extension("part");
            let mut out = BufWriter::new(File::create(&part).with_context(|| format!("making {}", part.display()))?);
            for line in String::from_utf8_lossy(&fs::read(&hub)?).lines() {
                if let Some(request) = Request::of(line) {
                    writeln!(out, "{}", (self.line)(&request))?;
                }
            }
            out.into_inner()?;
            fs::rename(&part, &path)?;
        }
        let n_lines = fs::read(&path)?.iter().filter(|byte| **byte == b'\n').count();
        Ok((path, u64::try_from(n_lines)?))
    }
}

/// A line of a hub taken apart.
struct Request<'a> {
    line: &'a str,
    date: &'a str,
    time: &'a str,
    request: &'a str,
    method: &'a str,
    url: &'a str,
    protocol: &'a str,
    status: &'a str,
    bytes: &'a str,
    client: &'a str,
    referrer: &'a str,
    agent: &'a str,
}

impl<'a> Request<'a> {
    /// `None` of an odd line.
    fn of(line: &'a str) -> Option<Self> {
        let parts: Vec<&str> = line.split('"').collect();
        let &[before, request, between, referrer, " ", agent, _] = parts.as_slice() else { return None };
        let mut before = before.split(' ');
        let (date, time) = (before.next()?, before.next()?);
        let &[method, url, protocol] = request.split(' ').collect::<Vec<_>>().as_slice() else { return None };
        let &[status, bytes, client] = between.trim().split(' ').collect::<Vec<_>>().as_slice() else { return None };
        let is_plain = |c: char| (' '..='~').contains(&c) && c != '\\';
        let is_day = date.len() == 10 && time.len() == 8 && day_number(date).is_some();
        let is_usual = is_day && line.chars().all(is_plain) && !agent.is_empty() && !referrer.is_empty();
        is_usual.then_some(Self {
            line,
            date,
            time,
            request,
            method,
            url,
            protocol,
            status,
            bytes,
            client,
            referrer,
            agent,
        })
    }
}

fn combined(request: &Request<'_>) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Request { date, time, request, status, bytes, client, referrer, agent, .. } = request;
    let month = date[5..7].parse::<usize>().ok().and_then(|n| MONTHS.get(n.wrapping_sub(1))).unwrap_or(&"Jan");
    let (day, year) = (&date[8..], &date[..4]);
    format!(
        "{client} - - [{day}/{month}/{year}:{time} +0000] \"{request}\" {status} {bytes} \"{referrer}\" \"{agent}\""
    )
}

fn nginx_json(request: &Request<'_>) -> String {
    let Request { date, time, request, status, bytes, client, referrer, agent, .. } = request;
    format!(
        "{{\"time\":\"{date}T{time}+00:00\",\"remote_addr\":\"{client}\",\"request\":\"{request}\",\"status\":\"{status}\",\
         \"body_bytes_sent\":\"{bytes}\",\"http_referer\":\"{referrer}\",\"http_user_agent\":\"{agent}\"}}"
    )
}

fn caddy(request: &Request<'_>) -> String {
    let Request { date, time, method, url, protocol, status, bytes, client, referrer, agent, .. } = request;
    let part = |range: std::ops::Range<usize>| time.get(range).and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
    let seconds = day_number(date).unwrap_or(0) * 86_400 + part(0..2) * 3600 + part(3..5) * 60 + part(6..8);
    let bytes = if *bytes == "-" { "0" } else { bytes };
    format!(
        "{{\"level\":\"info\",\"ts\":{seconds}.5048583,\"logger\":\"http.log.access.log0\",\"msg\":\"handled request\",\
         \"request\":{{\"remote_ip\":\"{client}\",\"remote_port\":\"41342\",\"client_ip\":\"{client}\",\
         \"proto\":\"{protocol}\",\"method\":\"{method}\",\"host\":\"www.example.org\",\"uri\":\"{url}\",\
         \"headers\":{{\"User-Agent\":[\"{agent}\"],\"Accept\":[\"*/*\"],\"Accept-Encoding\":[\"gzip, deflate, br\"],\
         \"Referer\":[\"{referrer}\"]}},\"tls\":{{\"resumed\":false,\"version\":772,\"cipher_suite\":4865,\
         \"proto\":\"h2\",\"server_name\":\"www.example.org\"}}}},\"bytes_read\":0,\"user_id\":\"\",\
         \"duration\":0.001203,\"size\":{bytes},\"status\":{status},\"resp_headers\":{{\"Server\":[\"Caddy\"],\
         \"Content-Type\":[\"text/html; charset=utf-8\"]}}}}"
    )
}

/// Days from 1970 on to a date `YYYY-MM-DD`.
fn day_number(date: &str) -> Option<i64> {
    let mut numbers = date.split('-').map(|n| n.parse::<i64>().ok());
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    // years begin in March, so that the day of a leap year is the last one
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469)
}

/// The access log, made once: whole days of a hub in the new layout, cut to the number of lines.
pub(super) fn hub(directory: &Path, n_lines: u64) -> Result<PathBuf> {
    let path = directory.join(format!("access-{n_lines}.log"));
    if path.exists() {
        return Ok(path);
    }
    say(&format!("making {} ({n_lines} lines)", path.display()));
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let made = tempfile::tempdir_in(directory)?;
    let mut plan = Plan {
        seed: 7,
        first: Month::new(2024, 1).context("the first month")?,
        n_months: 12,
        visits_a_day: 1,
        n_members: 4000,
        odd: 2,
        gzip: false,
        old_layout: false,
    };
    // a visit leaves about nine lines, days in a row about three quarters of the busiest one
    plan.visits_a_day = u32::try_from(n_lines / plan.n_days() / 6 + 1).context("too many lines")?;
    plan.make(made.path(), || {}).with_context(|| format!("writing {}", made.path().display()))?;
    let mut files: Vec<_> =
        fs::read_dir(made.path().join("httpd/daily"))?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut log = Vec::new();
    for file in files {
        log.extend(fs::read(file)?);
    }
    let ends = log.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    let Some(end) = ends.clone().nth(usize::try_from(n_lines - 1)?) else {
        bail!("only {} lines were made", ends.count());
    };
    let part = path.with_extension("part");
    fs::write(&part, &log[..end])?;
    fs::rename(&part, &path)?;
    Ok(path)
}

/// A log whose agents are all different, each of a visitor of its own, made once.
pub(super) fn agents(directory: &Path, n_lines: u64) -> Result<PathBuf> {
    let path = directory.join(format!("agents-{n_lines}.log"));
    if !path.exists() {
        say(&format!("making {}", path.display()));
        fs::create_dir_all(directory)?;
        let part = path.with_extension("part");
        let mut out = BufWriter::new(File::create(&part).with_context(|| format!("making {}", part.display()))?);
        for n in 0..n_lines {
            writeln!(
                out,
                "192.0.{}.{} - - [10/Jul/2025:08:{:02}:{:02} +0000] \"GET /resources/{} HTTP/1.1\" 200 12 \"-\" \
                 \"Mozilla/5.0 (Linux; Android 14; SM-{n:x} Build/UP1A.{n}) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/120.0.{n}.0 Mobile Safari/537.36\"",
                n / 256 % 256,
                n % 256,
                n / 60 % 60,
                n % 60,
                n % 997
            )?;
        }
        out.into_inner()?;
        fs::rename(&part, &path)?;
    }
    Ok(path)
}

/// Three lists of bots as long as the published ones: regular expressions that ignore case, others in which
/// case matters, and plain names.
pub(super) fn bots(directory: &Path) -> Result<Vec<PathBuf>> {
    let counter: Vec<String> =
        (0..300).map(|n| format!("{{\"pattern\":\"crawl{n}[\\\\s\\\\+]er|^bot{n}\\\\d*$\"}}")).collect();
    let crawlers: Vec<String> = (0..600)
        .map(|n| format!("{{\"pattern\":\"Spider{n}\\\\/v?[0-9]\",\"instances\":[\"Spider{n}/1\"]}}"))
        .collect();
    let names: Vec<String> = (0..130).map(|n| format!("\"Reader{n}AI\":{{\"function\":\"AI\"}}")).collect();
    let mut paths = Vec::new();
    for (name, text) in [
        ("counter", format!("[{}]", counter.join(","))),
        ("crawlers", format!("[{}]", crawlers.join(","))),
        ("names", format!("{{{}}}", names.join(","))),
    ] {
        let path = directory.join(format!("{name}.json"));
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        paths.push(path);
    }
    Ok(paths)
}
