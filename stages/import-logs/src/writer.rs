//! The writing side of a run: counts, and passes rows, hits and bots to the sink in the order of
//! the input.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result, anyhow};
use kit::Usage;
use logs::fingerprint::Reading;
use schema::Opt;

use crate::beginning;
use crate::block::{BlockResult, Click};
use crate::bots::hashes::Hashes;
use crate::bots::list::{BotList, BotTexts};
use crate::bots::uses::Uses;
use crate::double_click::{DoubleClicks, Out};
use crate::forgotten;
use crate::queue::{Message, Queue};
use crate::reason::Reasons;
use crate::report::Report;
use crate::rows::Rows;
use crate::rules::{Rule, Rules};
use crate::sink::Sink;
use crate::totals::Tally;
use crate::unit::{Stream, Unit};
use crate::verdict::{self, Verdicts};

/// The writing side.
pub(crate) struct Writer<'a, 'b, S> {
    rules: &'a Rules,
    queue: &'a Queue,
    sink: &'a mut S,
    tally: &'a mut Tally<'b>,
    logins: Hashes,
    // of the current file
    report: Report,
    /// The same at the start of the current source of a staging file.
    before: Report,
    date: Option<[u8; 10]>,
    n_hits: u64,
    kept_days: BTreeMap<[u8; 10], u64>,
    bots: BotTexts,
    /// The list before the current file.
    bots_before: BotList,
    any_bot: bool,
    months: BTreeSet<[u8; 7]>,
    /// What bots requested.
    uses: Uses,
    /// Requests with a virtual host.
    n_vhosts: u64,
    /// Rows that wait until no double click of them can follow.
    clicks: Option<DoubleClicks<Held>>,
    place: Place,
}

/// What is held back while earlier rows may still get double clicks.
#[derive(Debug)]
enum Held {
    /// A row, with its day and the beginning of its verdict.
    Row(Rows, [u8; 10], Option<Vec<u8>>),
    Hits([u8; 10], u64),
    Verdict(Vec<u8>),
}

/// Position of the next line in a log.
#[derive(Debug, Default)]
struct Place {
    path: PathBuf,
    n_lines: u64,
    offset: u64,
}

/// The verdicts of a block, as far as they are written.
struct OfBlock<'d, 'u> {
    verdicts: &'d Verdicts,
    layout: &'u str,
    reasons: Vec<Cow<'static, str>>,
    n_reasons: usize,
    next: usize,
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
            uses: Uses::default(),
            n_vhosts: 0,
            clicks: rules.choices.double_click.map(DoubleClicks::new),
            place: Place::default(),
        }
    }

    /// Writes everything that the reading side sends.
    ///
    /// # Errors
    /// A file cannot be read, or its result cannot be written.
    pub(crate) fn run(&mut self, units: &[Unit], messages: Receiver<Message>) -> Result<()> {
        let done = self.write(units, messages);
        if done.is_err() {
            let (report, tried) = (std::mem::take(&mut self.report), &mut self.tally.tried);
            tried.n_lines = tried.n_lines.max(report.n_lines);
            tried.n_rejected = tried.n_rejected.max(report.n_rejected);
            self.forget();
            self.queue.give_up();
        }
        done
    }

    fn write(&mut self, units: &[Unit], messages: Receiver<Message>) -> Result<()> {
        let mut current = units.iter();
        let mut unit: Option<Unit> = None;
        let mut wanted = true;
        for message in messages {
            match message {
                Message::Begin(stream, offset, hole) => {
                    let next = current.next().context("a beginning without its file")?;
                    let unit = unit.insert(Unit { stream, ..next.clone() });
                    unit.begin_at(offset);
                    self.report.layout = unit.stream.layout_name();
                    self.report.addresses = self.rules.addresses.named();
                    self.report.why_late = self.rules.kept_from.why();
                    self.report.hash_after_days = self.rules.hash_after_days;
                    self.report.nuls.add(hole);
                    self.bots_before = self.queue.lock().bots.clone();
                    let path = unit.path.clone().unwrap_or_else(|| "-".into());
                    self.place = Place { path, n_lines: 0, offset: offset + hole };
                    self.begin_source(unit);
                    wanted = self.sink.begin(unit)?;
                }
                Message::Failed(error) => return Err(error),
                Message::TooLong(text, n_bytes) if wanted => {
                    self.report.add_too_long(&text);
                    self.unread(unit.as_ref().context("a line without its file")?, "line too long", &text, n_bytes)?;
                }
                Message::Rest(text, n_bytes) if wanted => {
                    let reason = "the rest of a line that was imported before it had its end";
                    self.report.ends_with_reject = true;
                    self.unread(unit.as_ref().context("a line without its file")?, reason, &text, n_bytes)?;
                }
                Message::Block(receive, n_bytes) => {
                    if wanted {
                        let mut done = receive.recv().map_err(|_| anyhow!("a worker thread ended early"))?;
                        self.block(&mut done, n_bytes, unit.as_ref().context("a block without its file")?)?;
                        if let Rows::Records(bytes) = done.rows {
                            self.queue.rows.give_back(bytes);
                        }
                    }
                    self.queue.give_back(n_bytes);
                }
                Message::Cut if wanted => self.cut(unit.as_ref().context("a cut without its file")?)?,
                Message::TooLong(..) | Message::Rest(..) | Message::Cut => {}
                Message::End { read, offset, lacks_part } => {
                    let unit = unit.as_ref().context("an end without its file")?;
                    if wanted {
                        (self.report.read, self.report.offset) = (read, offset);
                        self.report.lacks_part = lacks_part;
                        self.end(unit)?;
                    }
                    self.queue.unit_done();
                }
            }
        }
        Ok(())
    }

    /// Counts lines, only once even if a file is tried again.
    fn looked_at(&mut self, n: u64) {
        self.report.n_lines += n;
        let new = self.report.n_lines.saturating_sub(self.tally.tried.n_lines).min(n);
        self.tally.rejects.looked_at(new);
    }

    /// Rejects a line; the list of the forgotten is applied to what is shown and written of it. Returns why, in words.
    fn reject(&mut self, unit: &Unit, line: u64, reason: Cow<'static, str>, text: &[u8]) -> Result<Cow<'static, str>> {
        self.report.n_rejected += 1;
        let list = self.rules.forgotten.as_ref();
        let reason = match forgotten::of_reason(list, &reason) {
            Cow::Borrowed(_) => reason,
            Cow::Owned(other) => other.into(),
        };
        if self.report.n_rejected > self.tally.tried.n_rejected {
            let text = forgotten::of_rejected(list, text, &unit.stream);
            self.tally.rejects.reject(&unit.name(), line, &reason, &text)?;
        }
        Ok(reason)
    }

    fn block(&mut self, done: &mut BlockResult, n_bytes: usize, unit: &Unit) -> Result<()> {
        let n_before = self.report.n_lines - self.report.n_fused;
        let mut said = Vec::new();
        self.report.add(done);
        self.looked_at(done.n_lines);
        if !done.rejected.is_empty() {
            let mut reasons = Reasons::new(&unit.stream, std::mem::take(&mut done.state));
            for line in &done.rejected {
                let text = line.of(&done.text);
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                let reason = reasons.of(text, line.start(), &done.text);
                let reason = self.reject(unit, n_before + line.number() + 1, reason, text)?;
                if done.verdicts.is_some() {
                    said.push(reason);
                }
            }
        }
        self.months.extend(&done.months);
        if !done.uses.is_empty() {
            self.uses.merge(&done.uses);
        }
        self.n_vhosts += done.n_vhosts;
        let verdicts = done.verdicts.take();
        let mut of_block = verdicts.as_ref().map(|verdicts| OfBlock {
            verdicts,
            layout: unit.stream.layout_name(),
            reasons: said,
            n_reasons: 0,
            next: 0,
        });
        match unit.stream {
            Stream::Access(_) => self.access(done, of_block.as_mut())?,
            Stream::Auth => self.auth(done, of_block.as_mut())?,
        }
        if let Some(of_block) = &mut of_block {
            while let Some((record, is_kept)) = self.next_verdict(of_block) {
                self.say(record, is_kept)?;
            }
        }
        self.place.offset += n_bytes as u64;
        if unit.path.is_none()
            && let Some(verdicts) = &mut self.tally.verdicts
        {
            verdicts.commit()?;
        }
        Ok(())
    }

    /// The record of the next line of a block, and whether the line is kept, so that the end of the
    /// record is not known yet.
    fn next_verdict(&mut self, of: &mut OfBlock<'_, '_>) -> Option<(Vec<u8>, bool)> {
        let (start, is_fused, fields, outcome) = of.verdicts.get(of.next)?;
        of.next += 1;
        self.place.n_lines += u64::from(!is_fused);
        let offset = self.place.offset + start as u64;
        let mut record = verdict::begin(&self.place.path, self.place.n_lines, offset, of.layout, fields);
        match outcome {
            verdict::Outcome::Kept => return Some((record, true)),
            verdict::Outcome::Dropped(rule) => verdict::end(&mut record, Some(*rule)),
            verdict::Outcome::Rejected => {
                verdict::end_rejected(&mut record, of.reasons.get(of.n_reasons).map_or("", |reason| reason));
                of.n_reasons += 1;
            }
        }
        Some((record, false))
    }

    /// Writes the record of a verdict; `is_kept` if its end is still missing.
    fn say(&mut self, mut record: Vec<u8>, is_kept: bool) -> Result<()> {
        if is_kept {
            verdict::end(&mut record, None);
        }
        match (&mut self.clicks, &mut self.tally.verdicts) {
            (Some(clicks), Some(_)) => clicks.push(Held::Verdict(record)),
            (None, Some(file)) => file.add(&record)?,
            (_, None) => {}
        }
        Ok(())
    }

    /// Rejects a line that is not looked at.
    fn unread(&mut self, unit: &Unit, reason: &'static str, text: &[u8], n_bytes: u64) -> Result<()> {
        self.looked_at(1);
        let number = self.report.n_lines - self.report.n_fused;
        self.reject(unit, number, reason.into(), text)?;
        let Place { path, n_lines, offset } = &mut self.place;
        *n_lines += 1;
        let record = self.rules.verdicts.then(|| {
            let mut record = verdict::begin(path, *n_lines, *offset, unit.stream.layout_name(), b"");
            verdict::end_rejected(&mut record, reason);
            record
        });
        *offset += n_bytes;
        record.map_or(Ok(()), |record| self.say(record, false))
    }

    /// The next source of a staging file begins: positions are those in the log itself.
    fn begin_source(&mut self, unit: &Unit) {
        if let Some(source) = unit.staged.as_ref().and_then(|staged| staged.sources.get(self.report.parts.len())) {
            self.place = Place { path: source.path.clone(), n_lines: 0, offset: source.offset };
        }
    }

    /// Passes on what need not wait any longer; everything if `all`.
    fn settle(&mut self, all: bool) -> Result<()> {
        while let Some(clicks) = &mut self.clicks {
            let out = if all { clicks.pop() } else { clicks.next() };
            match out {
                None => break,
                Some(Out::Kept(Held::Hits(date, n))) => self.give_hits(&date, n)?,
                Some(Out::Kept(Held::Verdict(record)) | Out::DoubleClick(Held::Verdict(record))) => {
                    if let Some(file) = &mut self.tally.verdicts {
                        file.add(&record)?;
                    }
                }
                Some(Out::Kept(Held::Row(mut rows, _, record))) => {
                    if self.rules.steps.web {
                        let end = rows.end();
                        self.sink.rows(&mut rows, 0..end)?;
                    }
                    self.end_verdict(record, None)?;
                }
                Some(Out::DoubleClick(Held::Row(_, date, record))) => {
                    self.report.n_rows = self.report.n_rows.saturating_sub(1);
                    self.report.dropped[Rule::DoubleClick as usize] += 1;
                    if let Some(n) = self.kept_days.get_mut(&date) {
                        *n = n.saturating_sub(1);
                    }
                    self.end_verdict(record, Some(Rule::DoubleClick))?;
                }
                Some(Out::DoubleClick(Held::Hits(..))) => {}
            }
        }
        Ok(())
    }

    fn end_verdict(&mut self, record: Option<Vec<u8>>, dropped: Option<Rule>) -> Result<()> {
        if let (Some(mut record), Some(file)) = (record, &mut self.tally.verdicts) {
            verdict::end(&mut record, dropped);
            file.add(&record)?;
        }
        Ok(())
    }

    /// Holds the rows of a segment, with the verdicts of the lines around them.
    fn hold(
        &mut self,
        done: &mut BlockResult,
        rows: Range<usize>,
        n_clicks: &mut usize,
        mut of_block: Option<&mut OfBlock<'_, '_>>,
    ) -> Result<()> {
        let mut start = rows.start;
        while let Some(&Click { key, at, date, end }) = done.clicks.get(*n_clicks).filter(|click| click.end <= rows.end)
        {
            *n_clicks += 1;
            let mut record = None;
            if let Some(of_block) = of_block.as_deref_mut() {
                while let Some((text, is_kept)) = self.next_verdict(of_block) {
                    if is_kept {
                        record = Some(text);
                        break;
                    }
                    self.say(text, false)?;
                }
            }
            let row = Held::Row(done.rows.take(start..end), date, record);
            start = end;
            if let Some(clicks) = &mut self.clicks {
                clicks.click(key, at, row);
            }
            self.settle(false)?;
        }
        Ok(())
    }

    fn access(&mut self, done: &mut BlockResult, mut of_block: Option<&mut OfBlock<'_, '_>>) -> Result<()> {
        for stored in &done.bots {
            self.any_bot = true;
            if self.queue.lock().bots.insert_new(stored, &self.rules.judge.words) {
                self.bots.push(stored)?;
            }
        }
        let derived = self.rules.compat.has(Opt::LpWebhitsDerived);
        let (mut start, mut n_clicks) = (0, 0);
        for segment in std::mem::take(&mut done.segments) {
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
            if self.clicks.is_some() {
                self.hold(done, start..segment.end, &mut n_clicks, of_block.as_deref_mut())?;
            } else if self.rules.steps.web {
                self.sink.rows(&mut done.rows, start..segment.end)?;
            }
            start = segment.end;
        }
        if self.clicks.is_some() {
            let end = done.rows.end();
            self.hold(done, start..end, &mut n_clicks, of_block)?;
        } else if self.rules.steps.web {
            let end = done.rows.end();
            self.sink.rows(&mut done.rows, start..end)?;
        }
        Ok(())
    }

    fn hits(&mut self, date: &[u8], n: u64) -> Result<()> {
        if let (Some(clicks), Ok(date)) = (&mut self.clicks, date.try_into()) {
            clicks.push(Held::Hits(date, n));
            return Ok(());
        }
        self.give_hits(date, n)
    }

    fn give_hits(&mut self, date: &[u8], n: u64) -> Result<()> {
        if self.rules.steps.webhits {
            self.sink.hits(logs::parse::datetime(date, b"00:00:00"), i64::try_from(n).unwrap_or(i64::MAX))?;
        }
        Ok(())
    }

    fn auth(&mut self, done: &mut BlockResult, mut of_block: Option<&mut OfBlock<'_, '_>>) -> Result<()> {
        if S::KEYS_ARE_CHECKED {
            let end = done.rows.end();
            self.report.n_rows += done.logins.len() as u64;
            return self.sink.rows(&mut done.rows, 0..end);
        }
        // new records are usually adjacent: write them together
        let mut start = 0;
        let mut end = 0;
        for &(key, next) in &done.logins {
            let is_new = self.logins.insert(key);
            if let Some(of_block) = of_block.as_deref_mut() {
                while let Some((mut record, is_kept)) = self.next_verdict(of_block) {
                    if is_kept {
                        verdict::end(&mut record, (!is_new).then_some(Rule::Duplicate));
                    }
                    self.say(record, false)?;
                    if is_kept {
                        break;
                    }
                }
            }
            if is_new {
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
        self.settle(true)?;
        let mut part = self.report.since(&self.before);
        self.before = self.report.clone();
        let n_parts = self.report.parts.len();
        if let Some(source) = unit.staged.as_ref().and_then(|staged| staged.sources.get(n_parts)) {
            (part.read, part.offset) = (source.read.clone(), source.offset);
            part.hide(self.rules.forgotten.as_ref(), &unit.stream);
            self.sink.cut(unit, &part)?;
            self.warn(&source.path.display().to_string(), &part, unit);
            self.report.parts.push((source.path.clone(), part));
        }
        self.begin_source(unit);
        Ok(())
    }

    /// Warns about a file in which many lines do not fit.
    fn warn(&self, name: &str, report: &Report, unit: &Unit) {
        if let Some(warning) = report.warning(&unit.stream) {
            self.tally.messages.warn(format_args!("{name}: {warning}"));
        }
    }

    fn end(&mut self, unit: &Unit) -> Result<()> {
        // the sources of a staging file were judged before
        if !unit.is_ended {
            self.report.leave_tail();
        }
        self.report.hide(self.rules.forgotten.as_ref(), &unit.stream);
        let like = || {
            let mut reading = Reading::open(unit.path.as_deref()?).ok()?;
            reading.look();
            beginning::looks_like(&unit.stream, reading)
        };
        let judge = || self.report.refusal(&unit.stream, self.tally.strict && unit.path.is_some(), like);
        if let Some(why) = if unit.staged.is_none() && !unit.plain { judge() } else { None } {
            if !self.tally.accept {
                return self.refuse(unit, why);
            }
            self.report.is_accepted = true;
        }
        if let Some(late) = self.report.late().filter(|_| unit.staged.is_some() && !self.tally.accept) {
            anyhow::bail!("{}: {late}", unit.name());
        }
        let n_requests = self.report.n_lines - self.report.n_rejected;
        if self.rules.choices.has_vhosts()
            && self.n_vhosts == 0
            && n_requests > 0
            && matches!(unit.stream, Stream::Access(_))
        {
            return Err(Usage(format!(
                "{}: its lines have no virtual host (layout {}), so --vhost cannot choose among them",
                unit.name(),
                unit.stream.layout_name()
            ))
            .into());
        }
        self.settle(true)?;
        if let Stream::Access(_) = unit.stream {
            self.end_access()?;
        }
        self.before = Report::default();
        let mut report = std::mem::take(&mut self.report);
        if unit.staged.is_none() && unit.path.is_some() {
            self.warn(&unit.name(), &report, unit);
        }
        if let Some(late) = report.late_addresses(self.rules.kept_from) {
            self.tally.messages.warn(format_args!("{}: {late}", unit.name()));
        }
        self.sink.end(unit, &mut report)?;
        if let Some(verdicts) = &mut self.tally.verdicts {
            verdicts.commit()?;
        }
        if !self.uses.is_empty() {
            self.tally.uses.merge(&std::mem::take(&mut self.uses));
        }
        self.n_vhosts = 0;
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
            // even a file without a hit gives a row with the zero date
            self.hits(date.as_ref().map_or(b"", |d| d), n)?;
        }
        self.settle(true)?;
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

    /// Discards everything of a file that was not understood.
    fn refuse(&mut self, unit: &Unit, why: String) -> Result<()> {
        (self.date, self.n_hits, self.any_bot) = (None, 0, false);
        self.kept_days.clear();
        self.forget();
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

    /// Forgets what is known about a file that is not imported.
    fn forget(&mut self) {
        (self.uses, self.n_vhosts) = (Uses::default(), 0);
        if let Some(clicks) = &mut self.clicks {
            clicks.clear();
        }
        if let Some(verdicts) = &mut self.tally.verdicts {
            verdicts.forget();
        }
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
