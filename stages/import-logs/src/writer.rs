//! The writing side of a run: counts, and gives rows, hits and bots to the sink in the order of the
//! input.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result, anyhow};
use kit::Progress;
use schema::Opt;

use crate::beginning;
use crate::block::BlockResult;
use crate::bots::hashes::Hashes;
use crate::bots::list::{BotList, BotTexts};
use crate::queue::{Message, Queue};
use crate::reason::Reasons;
use crate::report::Report;
use crate::rules::{Rule, Rules};
use crate::sink::Sink;
use crate::totals::Tally;
use crate::unit::{Stream, Unit};

/// The writing side.
pub(crate) struct Writer<'a, 'b, S> {
    rules: &'a Rules,
    queue: &'a Queue,
    sink: &'a mut S,
    tally: &'a mut Tally<'b>,
    logins: Hashes,
    // of the current file
    report: Report,
    /// The same when the current source of a staging file began.
    before: Report,
    date: Option<[u8; 10]>,
    n_hits: u64,
    kept_days: BTreeMap<[u8; 10], u64>,
    bots: BotTexts,
    /// The list before the current file.
    bots_before: BotList,
    any_bot: bool,
    months: BTreeSet<[u8; 7]>,
}

impl<'a, 'b, S: Sink> Writer<'a, 'b, S> {
    pub(crate) fn new(rules: &'a Rules, queue: &'a Queue, sink: &'a mut S, tally: &'a mut Tally<'b>) -> Self {
        Self {
            rules,
            queue,
            sink,
            tally,
            logins: Hashes::default(),
            report: Report::default(),
            before: Report::default(),
            date: None,
            n_hits: 0,
            kept_days: BTreeMap::new(),
            bots: BotTexts::default(),
            bots_before: BotList::default(),
            any_bot: false,
            months: BTreeSet::new(),
        }
    }

    /// Writes what the reading side sends, to its end.
    ///
    /// # Errors
    /// A file cannot be read, or what was made of it cannot be written.
    pub(crate) fn run(&mut self, units: &[Unit], messages: Receiver<Message>, progress: &Progress) -> Result<()> {
        let done = self.write(units, messages, progress);
        if done.is_err() {
            let (report, tried) = (std::mem::take(&mut self.report), &mut self.tally.tried);
            tried.n_lines = tried.n_lines.max(report.n_lines);
            tried.n_rejected = tried.n_rejected.max(report.n_rejected);
            self.queue.give_up();
        }
        done
    }

    fn write(&mut self, units: &[Unit], messages: Receiver<Message>, progress: &Progress) -> Result<()> {
        let mut current = units.iter();
        let mut unit: Option<Unit> = None;
        let mut wanted = true;
        for message in messages {
            match message {
                Message::Begin(stream) => {
                    let next = current.next().context("a beginning without its file")?;
                    let unit = unit.insert(Unit { stream, ..next.clone() });
                    self.report.layout = unit.stream.layout_name();
                    self.bots_before = self.queue.lock().bots.clone();
                    wanted = self.sink.begin(unit)?;
                }
                Message::Failed(error) => return Err(error),
                Message::TooLong(text) if wanted => {
                    let name = unit.as_ref().map(Unit::name).unwrap_or_default();
                    self.report.add_too_long(&text);
                    self.looked_at(1);
                    let number = self.report.n_lines - self.report.n_fused;
                    self.reject(&name, number, "line too long", &text)?;
                }
                Message::Block(receive, n_bytes) => {
                    if wanted {
                        let mut done = receive.recv().map_err(|_| anyhow!("a worker thread ended early"))?;
                        self.block(&mut done, unit.as_ref().context("a block without its file")?)?;
                    }
                    self.queue.give_back(n_bytes);
                }
                Message::Cut if wanted => self.cut(unit.as_ref().context("a cut without its file")?)?,
                Message::TooLong(_) | Message::Cut => {}
                Message::End(read, offset) => {
                    let unit = unit.as_ref().context("an end without its file")?;
                    if wanted {
                        (self.report.read, self.report.offset) = (read, offset);
                        self.end(unit)?;
                    }
                    self.queue.unit_done();
                    progress.advance(1);
                }
            }
        }
        Ok(())
    }

    /// Counts lines, once even when a file is tried again.
    fn looked_at(&mut self, n: u64) {
        self.report.n_lines += n;
        let new = self.report.n_lines.saturating_sub(self.tally.tried.n_lines).min(n);
        self.tally.rejects.looked_at(new);
    }

    fn reject(&mut self, name: &str, line: u64, reason: &str, text: &[u8]) -> Result<()> {
        self.report.n_rejected += 1;
        if self.report.n_rejected > self.tally.tried.n_rejected {
            self.tally.rejects.reject(name, line, reason, text)?;
        }
        Ok(())
    }

    fn block(&mut self, done: &mut BlockResult, unit: &Unit) -> Result<()> {
        let n_before = self.report.n_lines - self.report.n_fused;
        self.report.add(done);
        self.looked_at(done.n_lines);
        if !done.rejected.is_empty() {
            let name = unit.name();
            let mut reasons = Reasons::new(&unit.stream, std::mem::take(&mut done.state));
            for line in &done.rejected {
                let text = line.of(&done.text);
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                let reason = reasons.of(text, line.start(), &done.text);
                self.reject(&name, n_before + line.number() + 1, &reason, text)?;
            }
        }
        self.months.extend(&done.months);
        match unit.stream {
            Stream::Access(_) => self.access(done),
            Stream::Auth => self.auth(done),
        }
    }

    fn access(&mut self, done: &mut BlockResult) -> Result<()> {
        for stored in &done.bots {
            self.any_bot = true;
            if self.queue.lock().bots.insert_new(stored, &self.rules.judge.words) {
                self.bots.push(stored)?;
            }
        }
        let derived = self.rules.compat.has(Opt::LpWebhitsDerived);
        let mut start = 0;
        for segment in &done.segments {
            self.report.n_rows += segment.n_kept;
            if derived {
                if segment.n_kept > 0 {
                    *self.kept_days.entry(segment.date).or_default() += segment.n_kept;
                }
                continue;
            }
            if self.date != Some(segment.date) {
                if let Some(date) = self.date.replace(segment.date) {
                    self.hits(&date, self.n_hits)?;
                }
                self.n_hits = 0;
            }
            self.n_hits += segment.n_hits;
            if self.rules.steps.web {
                self.sink.rows(&mut done.rows, start..segment.end)?;
            }
            start = segment.end;
        }
        if self.rules.steps.web {
            let end = done.rows.end();
            self.sink.rows(&mut done.rows, start..end)?;
        }
        Ok(())
    }

    fn hits(&mut self, date: &[u8], n: u64) -> Result<()> {
        if self.rules.steps.webhits {
            self.sink.hits(logs::parse::datetime(date, b"00:00:00"), i64::try_from(n).unwrap_or(i64::MAX))?;
        }
        Ok(())
    }

    fn auth(&mut self, done: &mut BlockResult) -> Result<()> {
        if S::KEYS_ARE_CHECKED {
            let end = done.rows.end();
            self.report.n_rows += done.logins.len() as u64;
            return self.sink.rows(&mut done.rows, 0..end);
        }
        // unique records lie beside each other most of the time: write them together
        let mut start = 0;
        let mut end = 0;
        for &(key, next) in &done.logins {
            if self.logins.insert(key) {
                self.report.n_rows += 1;
            } else {
                self.report.dropped[Rule::Duplicate as usize] += 1;
                self.sink.rows(&mut done.rows, start..end)?;
                start = next;
            }
            end = next;
        }
        self.sink.rows(&mut done.rows, start..end)
    }

    /// A source of a staging file ends.
    fn cut(&mut self, unit: &Unit) -> Result<()> {
        let mut part = self.report.since(&self.before);
        self.before = self.report.clone();
        let n_parts = self.report.parts.len();
        if let Some(source) = unit.staged.as_ref().and_then(|staged| staged.sources.get(n_parts)) {
            (part.read, part.offset) = (source.read.clone(), source.offset);
            self.sink.cut(unit, &part)?;
            self.warn(&source.path.display().to_string(), &part, unit);
            self.report.parts.push((source.path.clone(), part));
        }
        Ok(())
    }

    /// Names a file of which many lines do not fit.
    fn warn(&self, name: &str, report: &Report, unit: &Unit) {
        if let Some(warning) = report.warning(&unit.stream) {
            self.tally.messages.warn(format_args!("{name}: {warning}"));
        }
    }

    fn end(&mut self, unit: &Unit) -> Result<()> {
        // sources of a staging file were judged before
        let refusal = self.report.refusal(&unit.stream, self.tally.strict && unit.path.is_some());
        if let Some(why) = refusal.filter(|_| unit.staged.is_none() && !unit.plain) {
            if !self.tally.accept {
                let looks = beginning::looks_like(unit).filter(|_| self.report.n_rejected == self.report.n_unfit);
                return self.refuse(unit, looks.map_or(why.clone(), |name| format!("{why}; it looks like {name}")));
            }
            self.report.is_accepted = true;
        }
        if let Stream::Access(_) = unit.stream {
            self.end_access()?;
        }
        self.before = Report::default();
        let mut report = std::mem::take(&mut self.report);
        if unit.staged.is_none() && unit.path.is_some() {
            self.warn(&unit.name(), &report, unit);
        }
        self.sink.end(unit, &mut report)?;
        self.tally.tried = Report::default();
        self.tally.totals.reports.push(report);
        self.say_months(unit);
        Ok(())
    }

    fn end_access(&mut self) -> Result<()> {
        if self.rules.compat.has(Opt::LpWebhitsDerived) {
            for (date, n) in std::mem::take(&mut self.kept_days) {
                self.hits(&date, n)?;
            }
        } else {
            let (date, n) = (self.date.take(), std::mem::take(&mut self.n_hits));
            // a file without a hit makes a row of the zero date all the same
            self.hits(date.as_ref().map_or(b"", |d| d), n)?;
        }
        let mut bots = std::mem::take(&mut self.bots);
        let any = std::mem::take(&mut self.any_bot);
        if self.rules.steps.bots {
            self.sink.bots(&mut bots, any)?;
        }
        if self.rules.judge.exact && any {
            self.queue.lock().bots.remove_spared();
        }
        Ok(())
    }

    /// Leaves out a file that was not understood, with all that was made of it.
    fn refuse(&mut self, unit: &Unit, why: String) -> Result<()> {
        (self.date, self.n_hits, self.any_bot) = (None, 0, false);
        self.kept_days.clear();
        self.bots = BotTexts::default();
        self.months.clear();
        let mut bots = std::mem::take(&mut self.bots_before);
        bots.renew();
        self.queue.lock().bots = bots;
        self.before = Report::default();
        self.tally.refuse(&unit.name(), &why);
        let mut report = std::mem::take(&mut self.report);
        (report.refused, report.n_rows) = (Some(why), 0);
        self.sink.refuse(unit, &report)?;
        self.tally.tried = Report::default();
        self.tally.totals.reports.push(report);
        Ok(())
    }

    fn say_months(&mut self, unit: &Unit) {
        let months = std::mem::take(&mut self.months);
        if months.len() > 1 {
            let names: Vec<_> = months.iter().map(|m| String::from_utf8_lossy(m).into_owned()).collect();
            let what = if months.len() > 2 { "WARNING: spillover: " } else { "" };
            self.tally.messages.note(format_args!(
                "{what}{} holds {} months: {}",
                unit.name(),
                names.len(),
                names.join(", ")
            ));
        }
    }
}
