//! The sources of a staging file: which to import, which are known, which are not understood.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::Metadata;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use kit::path_text::base_name;
use kit::{Lines, door};
use logs::discovery;
use logs::fingerprint::{self, Identity, Prefix};
use logs::staged::{self, Outcome, StagedLog};

use super::ledger::{self, Ledger, Verdict};
use crate::layouts::named::State;
use crate::report::Report;
use crate::rules::{KeptFrom, Rules};
use crate::unit::{Source, Staged, Stream, Stretch};
use crate::{beginning, block};

/// What becomes of the sources.
#[derive(Debug, Default)]
pub(crate) struct Plan<'l> {
    /// Sources to import, each with the first byte of the staging file to read.
    pub(crate) wanted: Vec<(&'l StagedLog, u64, Source)>,
    /// Sources that are in the tables already.
    pub(crate) known: Vec<&'l StagedLog>,
    /// Sources that are not imported, and why.
    pub(crate) refused: Vec<(&'l StagedLog, String)>,
}

/// One staging file, and what is needed to judge its sources.
pub(crate) struct Sources<'a> {
    pub(crate) path: &'a Path,
    pub(crate) stream: &'a Stream,
    pub(crate) rules: &'a Rules,
    pub(crate) strict: bool,
}

impl Sources<'_> {
    /// Whether the list belongs to this staging file; a file that is not ours is loaded as legacy
    /// loads it.
    ///
    /// # Errors
    /// It belongs to it, but the size of the file has changed.
    pub(crate) fn are_listed(&self, logs: &[&StagedLog], meta: &Metadata) -> Result<bool> {
        let end = logs.last().map_or(0, |log| log.offset.saturating_add(log.bytes));
        match logs.first().and_then(|log| log.is_in(meta)) {
            Some(true) if end != meta.len() => bail!(
                "{} has {} bytes and had {end} when it was staged: nothing of it is imported; stage the logs again",
                self.path.display(),
                meta.len()
            ),
            Some(is_ours) if is_ours => Ok(true),
            _ => {
                let is_older = self.path.parent().is_some_and(|staging| staged::is_older_than(staging, self.path));
                Ok(!is_older && end == meta.len())
            }
        }
    }

    /// Judges the sources by the ledger, or if there is none, by what the last import recorded.
    ///
    /// # Errors
    /// The staging file cannot be read.
    pub(crate) fn plan<'l>(
        &self,
        logs: &[&'l StagedLog],
        ledger: Option<&Ledger>,
        outcomes: &[Outcome],
    ) -> Result<Plan<'l>> {
        let mut plan = Plan::default();
        let mut names = HashSet::new();
        let mut contents: HashMap<_, Option<String>> = HashMap::new();
        for log in logs {
            let base = base_name(&log.path);
            let verdict = match ledger {
                Some(ledger) => ledger.judge_staged(&base, log.read.as_ref(), |lengths| self.prefixes(log, lengths))?,
                None if outcomes.iter().any(|outcome| outcome.has_loaded(log)) => Verdict::Known(log.read.clone()),
                None => Verdict::New,
            };
            let (mut name, mut skip) = (base.clone(), 0);
            match verdict {
                Verdict::New if log.begin > 0 => {
                    name = log.read.as_ref().map_or(name, |read| ledger::rest_name(&base, read.hash, log.begin));
                }
                Verdict::New => {}
                Verdict::Known(_) => {
                    plan.known.push(log);
                    continue;
                }
                Verdict::Refused(why) => {
                    plan.refused.push((log, why));
                    continue;
                }
                Verdict::Another { read, .. } if log.begin > 0 => {
                    name = ledger::rest_name(&base, read.hash, log.begin);
                }
                Verdict::Another { name: other, .. } => name = other,
                Verdict::Rest { name: rest, offset, .. } => (name, skip) = (rest, offset.saturating_sub(log.begin)),
            }
            let content = log.read.as_ref().map(|read| (read.bytes, read.hash));
            let family = logs::discovery::without_suffix(&base).to_owned();
            // a log that occurs twice follows the first
            match content.and_then(|content| contents.get(&(family.clone(), content))) {
                Some(None) => {
                    plan.known.push(log);
                    continue;
                }
                Some(Some(why)) => {
                    plan.refused.push((log, String::clone(why)));
                    continue;
                }
                None => {}
            }
            if !names.insert(name.clone()) {
                let Some((_, hash)) = content else {
                    plan.known.push(log);
                    continue;
                };
                name = ledger::other_name(&base, hash);
                names.insert(name.clone());
            }
            self.check(log)?;
            let refusal = self.refusal(log)?;
            if let Some(content) = content {
                contents.insert((family, content), refusal.clone());
            }
            if let Some(why) = refusal {
                plan.refused.push((log, why));
                continue;
            }
            let source =
                Source { path: log.path.clone(), name, read: log.read.clone(), offset: log.begin.saturating_add(skip) };
            plan.wanted.push((log, log.offset.saturating_add(skip), source));
        }
        Ok(plan)
    }

    /// Whether the staging file still contains what was staged of a log. For the rest of a growing
    /// log the list has no hash: then the file must not have been modified since.
    fn check(&self, log: &StagedLog) -> Result<()> {
        let is_same = match log.read.as_ref().filter(|read| log.begin == 0 && log.bytes == read.bytes) {
            Some(read) => self.prefixes(log, &[log.bytes])?.iter().all(|found| found.hash == read.hash),
            None => !self.path.parent().is_some_and(|staging| staged::is_older_than(staging, self.path)),
        };
        ensure!(
            is_same,
            "{} does not hold what was staged of {}: nothing of it is imported; stage the logs again",
            self.path.display(),
            log.path.display()
        );
        Ok(())
    }

    fn open(&self, log: &StagedLog) -> Result<std::io::Take<std::fs::File>> {
        let opening = || format!("reading {}", self.path.display());
        let mut file = door::open(self.path).with_context(opening)?;
        file.seek(SeekFrom::Start(log.offset)).with_context(opening)?;
        Ok(file.take(log.bytes))
    }

    /// The fingerprints of the first bytes of a log, as far as they were staged.
    fn prefixes(&self, log: &StagedLog, lengths: &[u64]) -> Result<Vec<Prefix>> {
        let is_short = |length: &&u64| **length <= log.bytes;
        let lengths: Vec<u64> = lengths.iter().filter(is_short).copied().collect();
        if log.begin > 0 || lengths.is_empty() {
            return Ok(Vec::new());
        }
        fingerprint::prefixes(&mut self.open(log)?, &lengths)
            .with_context(|| format!("reading {}", self.path.display()))
    }

    /// Whether a log is named for a day of a month whose rows were removed for their age.
    fn is_late(&self, log: &StagedLog) -> bool {
        let KeptFrom { requests, logins, .. } = self.rules.kept_from;
        let kept = if matches!(self.stream, Stream::Auth) { logins } else { requests };
        let first = kept.map(|kept| String::from_utf8_lossy(&kept.to_ascii()[..10]).replace('-', ""));
        let name = base_name(&log.path);
        first.is_some_and(|first| discovery::date_of(&name).is_some_and(|day| day < first.as_str()))
    }

    /// Why a source is not imported. Reads until a line fits, or to the end if every line must fit.
    fn refusal(&self, log: &StagedLog) -> Result<Option<String>> {
        if self.is_late(log) {
            return Ok(Some(format!("its day is in a month {}: nothing would count it", self.rules.kept_from.why())));
        }
        let mut lines = Lines::new(self.open(log)?);
        let mut report = Report::default();
        let mut state = State::default();
        while let Some(line) = lines.next_line().with_context(|| format!("reading {}", self.path.display()))? {
            if line.cut {
                report.add_too_long(&line.text[..line.text.len().min(1024)]);
                report.n_lines += 1;
                report.n_rejected += 1;
                continue;
            }
            // the end of a line belongs to it
            let text = [line.text, if line.terminated { b"\n" } else { b"" }].concat();
            let (looks, is_recognised) = match self.stream {
                Stream::Access(layout) => block::access_looks(&text, layout, &mut state, self.rules),
                Stream::Auth => block::auth_looks(&text, self.rules),
            };
            if looks == logs::parse::Looks::Fits && !self.strict {
                return Ok(None);
            }
            if !line.terminated && matches!(self.stream, Stream::Access(_)) && report.n_lines > report.n_blank {
                break; // it is not used, and says nothing about a log with other lines
            }
            report.add_looks(looks, is_recognised, &text);
        }
        report.hide(self.rules.forgotten.as_ref(), self.stream);
        Ok(report.refusal(self.stream, self.strict, || beginning::looks_like(self.stream, self.open(log).ok()?)))
    }
}

/// The stretches with these sources; adjacent sources share one.
pub(crate) fn stretches(logs: &[(&StagedLog, u64, Source)], checked: Option<Identity>) -> Staged {
    let mut staged = Staged { checked, ..Staged::default() };
    for (log, begin, source) in logs {
        let end = log.offset.saturating_add(log.bytes);
        match staged.stretches.last_mut().filter(|last| last.end == *begin) {
            Some(last) => {
                last.end = end;
                last.cuts.push_back(end - last.start);
            }
            None => {
                let cuts = VecDeque::from([end.saturating_sub(*begin)]);
                staged.stretches.push(Stretch { start: *begin, end, cuts });
            }
        }
        staged.sources.push(source.clone());
    }
    staged
}

/// What became of the sources of a loaded staging file. `parts` are the figures of those that were
/// read; with `whole_lines` a last line without a line end is left to the next import.
pub(crate) fn outcomes(plan: &Plan<'_>, parts: &[(PathBuf, Report)], whole_lines: bool) -> Vec<Outcome> {
    let mut made: Vec<Outcome> = Vec::new();
    let mut wanted = plan.wanted.iter().peekable();
    while let Some((log, _, _)) = wanted.next() {
        let Some(mut outcome) = Outcome::of(log, None) else { continue };
        let part = parts.iter().find(|(path, _)| *path == log.path).map(|(_, part)| part);
        outcome.lines = part.map_or(0, |part| part.n_lines);
        let follows = wanted.peek().is_some_and(|(next, begin, _)| *begin == log.offset + log.bytes && next.bytes > 0);
        let is_used = follows && part.is_some_and(|part| !part.ends_with_reject);
        if is_used || !whole_lines {
            outcome.resume = outcome.read.bytes;
        }
        made.push(outcome);
    }
    made.extend(plan.known.iter().filter_map(|log| Outcome::of(log, None)));
    made.extend(plan.refused.iter().filter_map(|(log, why)| Outcome::of(log, Some(why.clone()))));
    made
}

#[cfg(test)]
mod tests {
    use logs::discovery;

    use super::*;

    fn log(offset: u64, bytes: u64) -> StagedLog {
        StagedLog {
            path: PathBuf::from(format!("/d/{offset}")),
            stream: discovery::Stream::Access,
            offset,
            bytes,
            begin: 0,
            open: 0,
            read: None,
            staged_in: None,
            line: 1,
        }
    }

    #[test]
    fn adjacent_sources_share_a_stretch() {
        let logs = [log(0, 5), log(5, 0), log(20, 7), log(27, 1), log(28, 9)];
        let wanted: Vec<_> = logs
            .iter()
            .map(|log| {
                let name = base_name(&log.path);
                // the last one has grown by four bytes
                let begin = if log.offset == 28 { 33 } else { log.offset };
                (log, begin, Source { name, ..Source::default() })
            })
            .collect();
        let staged = stretches(&wanted, None);
        let stretch = |start, end, cuts: &[u64]| Stretch { start, end, cuts: cuts.iter().copied().collect() };
        assert_eq!(staged.stretches, [stretch(0, 5, &[5, 5]), stretch(20, 28, &[7, 8]), stretch(33, 37, &[4])]);
        let names: Vec<_> = staged.sources.iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names, ["0", "5", "20", "27", "28"]);
    }
}
