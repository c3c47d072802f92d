//! `hzmetrics trace`: follows a request from its log line to the cells that it counts in. `import-logs
//! --verdicts` reads the logs again, and `summarize --why` lists the cells. Nothing is changed.

mod logs;
mod rows;

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use database::Db;
use database::address_changes::AddressChanges;
use database::pruned::Pruned;
use kit::door::named;
use kit::{Usage, Uses, push_seen};
use schema::{Month, Period};
use serde_json::Value;

use super::values::Day;
use super::{HubCommand, print};
use crate::hub::Hub;
use logs::{FoundLine, Line, Lists, Log};
use rows::Request;

/// Follow a request from its log line to the cells that it counts in
///
/// Shows what became of the line at the import, its host, country and session, and the cells that count
/// it. To find out, it reads the archived log again, with today's rules and lists. Changes nothing.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct Args {
    /// All requests of this address in a month (see --month) or on a day (see --day)
    #[arg(long, value_name = "ADDRESS", group = "what")]
    ip: Option<String>,

    /// A request, by the id of its row in the table `web` or, with --day, by the id that the server
    /// logged
    #[arg(long, value_name = "ID", group = "what")]
    request: Option<String>,

    /// A line of a log, counted from 1 in the decompressed log
    #[arg(long, value_name = "FILE:N", group = "what")]
    line: Option<Line>,

    /// Read the logs of this day again
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "line")]
    day: Option<Day>,

    /// With --ip: the month [default: that of the latest request]
    #[arg(long, value_name = "YYYY-MM", requires = "ip", conflicts_with = "day")]
    month: Option<Month>,

    /// Period of the cells, with its code
    #[arg(long, value_name = "CODE", default_value = "1")]
    period: Period,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let mut db = hub.db()?;
        let pruned = Pruned::read(&mut db)?;
        if let Some(month) = self.month.filter(|month| self.ip.is_some() && pruned.has_no_requests(*month)) {
            bail!("`hzmetrics prune` removed the requests of {month}; `trace --line` still looks at a log");
        }
        let changes = AddressChanges::read(&mut db)?;
        if let Some(month) = self.month.filter(|month| self.ip.is_some() && changes.is_hashed(*month)) {
            bail!(
                "the addresses of {month} are hashed: nobody knows which rows are of this one; `trace --line` still looks at a log"
            );
        }
        let lists = Lists::new(&mut db)?;
        let mut trace = Trace { hub, db, lists, period: self.period, text: String::new() };
        match (&self.ip, &self.request, &self.line) {
            (Some(ip), ..) => trace.address(ip, self.month, self.day)?,
            (_, Some(id), _) => trace.request(id, self.day)?,
            (.., Some(line)) => trace.line(line)?,
            _ => return Err(Usage("name --ip, --request or --line".to_owned()).into()),
        }
        print(trace.text.as_bytes())
    }
}

/// The most rows that are shown of an address.
const SHOWN: usize = 50;

/// The answer being written.
struct Trace<'h> {
    hub: &'h Hub,
    db: Db,
    lists: Lists,
    period: Period,
    text: String,
}

impl Trace<'_> {
    /// Writes a line of the answer. Control characters from logs and tables cannot reach the
    /// terminal.
    fn say(&mut self, label: &str, what: &str) {
        let mut seen = String::new();
        push_seen(&mut seen, what);
        let _ = writeln!(self.text, "  {label:<8} {seen}");
    }

    fn title(&mut self, what: &str) {
        let mut seen = String::new();
        push_seen(&mut seen, what);
        let _ = writeln!(self.text, "{}{seen}", if self.text.is_empty() { "" } else { "\n" });
    }

    /// A request, by its row or by the id that the server logged.
    fn request(&mut self, id: &str, day: Option<Day>) -> Result<()> {
        if day.is_none()
            && let Ok(row) = id.parse::<i64>()
        {
            let Some(request) = rows::request(&mut self.db, row)? else {
                let pruned = Pruned::read(&mut self.db)?.web.map_or_else(String::new, |gone| {
                    format!(" (`hzmetrics prune` removed those of the months through {})", gone.rows)
                });
                bail!(
                    "the table web has no row {row}{pruned}; if {row} is an id that the server logged, name the day with --day"
                );
            };
            self.title(&format!("Request {row}"));
            match logs::of_row(self.hub, &mut self.db, &self.lists, &request)? {
                Ok((log, verdict)) => self.verdict(&log, &verdict),
                Err(why) => self.say("log", &why),
            }
            return self.row(&request);
        }
        let Some(day) = day else {
            let text =
                "the tables do not contain the request ids of servers: name the day of the log with --day YYYY-MM-DD";
            return Err(Usage(text.to_owned()).into());
        };
        let mut found = 0;
        for log in logs::of_day(self.hub, &mut self.db, day, |why| self.text.push_str(&format!("{why}\n")))? {
            for line in log
                .verdicts(self.hub, &self.lists, |verdict| verdict.get("request_id").is_some_and(|known| known == id))?
            {
                found += 1;
                self.found(&log, &line)?;
            }
        }
        anyhow::ensure!(found > 0, "{}no line of the logs of {day} has the request id {id}", self.text);
        Ok(())
    }

    /// A line of a log.
    fn line(&mut self, line: &Line) -> Result<()> {
        let log = Log::named(&mut self.db, &line.path)?;
        let found = log.verdicts(self.hub, &self.lists, |verdict| {
            verdict.get("line").and_then(Value::as_u64) == Some(line.number)
        })?;
        let Some(found) = found.first() else {
            bail!("{} has no line {}, or import-logs does not read it as a log", line.path.display(), line.number);
        };
        self.found(&log, found)
    }

    /// A line that was found, and its row if it was kept.
    fn found(&mut self, log: &Log, line: &FoundLine) -> Result<()> {
        self.title(&format!("Line {} of {}", line.text("line"), log.path.display()));
        self.verdict(log, line);
        if line.text("verdict") != "kept" {
            return Ok(());
        }
        let place = (&*line.text("datetime"), &*line.text("client"));
        let rows = match &log.entry {
            Some(entry) => rows::of_line(&mut self.db, entry, place, line.kept_before)?,
            None => Vec::new(),
        };
        match rows.as_slice() {
            [] if log.entry.is_none() => self.say("row", "none: the ledger does not know this log, it is not imported"),
            [] => self
                .say("row", "none in the table web: it was deleted since, as rows of bots are, or lists have changed"),
            [request] => {
                let request = request.clone();
                self.row(&request)?;
            }
            several => {
                let ids: Vec<String> = several.iter().map(|request| request.id.to_string()).collect();
                self.say("row", &format!("one of {} of web: the same address in the same second", ids.join(", ")));
                if let Some(request) = several.first().cloned() {
                    self.row(&request)?;
                }
            }
        }
        Ok(())
    }

    /// What an import would do with the line today.
    fn verdict(&mut self, log: &Log, line: &FoundLine) {
        let place = format!("{}, line {}, byte {}", log.path.display(), line.text("line"), line.text("offset"));
        self.say("log", &format!("{place}, layout {}", line.text("layout")));
        self.say("time", &line.text("datetime"));
        self.say("client", [line.text("client"), line.text("host")].join(" ").trim());
        if !line.text("request_id").is_empty() {
            self.say("id", &line.text("request_id"));
        }
        let verdict = match line.text("verdict").as_str() {
            "dropped" => format!("dropped: {}", line.text("rule")),
            "rejected" => format!("rejected: {}", line.text("reason")),
            other => other.to_owned(),
        };
        self.say("import", &verdict);
    }

    /// A row of `web`, its session, and the cells.
    fn row(&mut self, request: &Request) -> Result<()> {
        self.say("row", &format!("{} of web, {}, {}", request.id, request.datetime, request.ip));
        self.say("asks for", &request.content);
        self.names(&request.host, &request.domain, &request.country);
        let mut of = vec![format!("web:{}", request.id)];
        match request.session {
            None => self.say("session", "none yet: sessions are built when the month is analyzed"),
            Some(0) => self.say("session", "none"),
            Some(id) => match rows::session(&mut self.db, id)? {
                None => self.say("session", &format!("{id}, which is not in websessions")),
                Some(session) => {
                    self.say("session", &session.words());
                    of.push(format!("session:{id}"));
                    if let Some(month) = session.datetime.month() {
                        return self.cells(month, &of, true);
                    }
                }
            },
        }
        match request.datetime.month() {
            Some(month) => self.cells(month, &of, true),
            None => Ok(()),
        }
    }

    fn names(&mut self, host: &str, domain: &str, country: &str) {
        let known = |text: &str, none: &str| match text {
            "" => "not filled in yet".to_owned(),
            "?" | "-" => none.to_owned(),
            text => text.to_owned(),
        };
        self.say("host", &known(host, "looked up, no answer"));
        self.say("domain", &known(domain, "none"));
        self.say("country", &known(country, "looked up, not known"));
    }

    /// What the tables contain of an address.
    fn address(&mut self, ip: &str, month: Option<Month>, day: Option<Day>) -> Result<()> {
        let latest = rows::latest(&mut self.db, ip)?;
        let month = day.map(|day| day.month).or(month).or_else(|| latest?.month());
        let Some(month) = month else {
            bail!("the tables hold nothing of {ip}; --day YYYY-MM-DD looks into the logs of a day")
        };
        self.title(&format!("Address {ip}, {}", day.map_or_else(|| month.to_string(), |day| day.to_string())));
        if let Some(day) = day {
            let mut said = String::new();
            for log in logs::of_day(self.hub, &mut self.db, day, |why| said.push_str(&format!("  {why}\n")))? {
                let lines = log.verdicts(self.hub, &self.lists, |verdict| {
                    verdict.get("client").is_some_and(|client| client == ip)
                })?;
                self.lines(&log, &lines);
            }
            self.text.push_str(&said);
        }
        let requests = rows::requests(&mut self.db, ip, month, day)?;
        self.say("requests", &format!("{} rows of web", requests.n));
        for request in requests.list.iter().take(SHOWN) {
            self.say("", &format!("{} {} {}", request.id, request.datetime, request.content));
        }
        if let Some(request) = requests.list.first() {
            self.names(&request.host.clone(), &request.domain.clone(), &request.country.clone());
        }
        let sessions = rows::sessions(&mut self.db, ip, month)?;
        self.say("sessions", &sessions.len().to_string());
        for session in sessions.iter().take(SHOWN) {
            self.say("", &session.words());
        }
        let logins = rows::logins(&mut self.db, ip, month)?;
        self.say("logins", &logins.len().to_string());
        for login in logins.iter().take(SHOWN) {
            self.say("", login);
        }
        self.cells(month, &[format!("ip:{ip}")], false)
    }

    /// What became of the lines of an address in a log.
    fn lines(&mut self, log: &Log, lines: &[FoundLine]) {
        let mut verdicts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        for line in lines {
            let why = [line.text("rule"), line.text("reason")].concat();
            let verdict =
                if why.is_empty() { line.text("verdict") } else { format!("{}: {why}", line.text("verdict")) };
            *verdicts.entry(verdict).or_default() += 1;
        }
        let words: Vec<String> = verdicts.iter().map(|(verdict, n)| format!("{n} {verdict}")).collect();
        let words = if words.is_empty() { "no line".to_owned() } else { words.join("; ") };
        self.say("log", &format!("{}: {words}", log.path.display()));
    }

    /// The cells of a month that count these rows.
    fn cells(&mut self, month: Month, of: &[String], is_hit: bool) -> Result<()> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let file = folder.path().join("answer");
        let mut shell = self.hub.shell(None)?;
        shell.variables.set("MONTH", month.to_string().into());
        shell.variables.set("PERIOD", self.period.to_string().into());
        shell.variables.set("ANSWER", file.as_os_str().to_owned());
        let mut line = "summarize --quiet --from db --why all --month $MONTH --periods $PERIOD".to_owned();
        for (i, row) in of.iter().enumerate() {
            shell.variables.set(&format!("OF{i}"), row.into());
            let _ = write!(line, " --of \"$OF{i}\"");
        }
        if shell.run(format!("{line} > \"$ANSWER\"\n").as_bytes())? != 0 {
            bail!("summarize failed; its own message says why");
        }
        let text = named::read_to_string(&file).context("reading the answer")?;
        let mut cells: Vec<String> = Vec::new();
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).context("reading the answer")?;
            if record.get("kind").is_some_and(|kind| kind == "why")
                && let Some(cell) = record.get("cell").and_then(Value::as_str)
            {
                cells.push(cell.to_owned());
            }
        }
        if is_hit {
            cells.push("misc.hits".to_owned());
        }
        self.say("cells", &format!("of {month}, period {}, as the tables are now:", self.period));
        for cells in cells.chunks(4) {
            self.say("", &cells.join(", "));
        }
        if cells.is_empty() {
            self.say("", "none");
        }
        Ok(())
    }
}
