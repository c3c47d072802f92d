//! All counts of requests. A batch is read in parallel, then each count takes it in order, beside the others: the
//! same records give the same numbers on any number of cores.

use kit::Batch;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use schema::Stamp;
use xxhash_rust::xxh3::xxh3_64;

use super::agents::Agents;
use super::count::Counts;
use super::course::Course;
use super::request::Request;
use super::subject::{N_SUBJECTS, Subject, plain_page};
use super::visitor::Visitor;

/// What is counted of one request; texts are read again when a name is new.
struct Fact {
    line: usize,
    when: Stamp,
    visitor: Visitor,
    is_download: bool,
    agent: u64,
    /// By subject; 0 where the request has no name.
    keys: [u64; N_SUBJECTS],
}

/// The counts.
#[derive(Default)]
pub(super) struct Tally {
    is_private: bool,
    pub(super) course: Course,
    pub(super) agents: Agents,
    counts: [Counts; N_SUBJECTS],
}

impl Tally {
    pub(super) fn new(is_private: bool) -> Self {
        Self { is_private, ..Self::default() }
    }

    pub(super) fn of(&self, subject: Subject) -> Option<&Counts> {
        Subject::ALL.iter().zip(&self.counts).find(|(known, _)| **known == subject).map(|(_, counts)| counts)
    }

    /// Counts the requests in these lines of a batch. Returns those that cannot be used, and why.
    pub(super) fn add(&mut self, batch: &Batch, lines: &[usize]) -> Vec<(usize, String)> {
        let is_private = self.is_private;
        let (facts, bad) = read(lines, |i| batch.line(i), is_private);
        self.count(&facts, |i| batch.line(i));
        bad
    }

    /// Counts one request.
    ///
    /// # Errors
    /// It cannot be used: the reason.
    pub(super) fn add_line(&mut self, line: &[u8]) -> Result<(), String> {
        let (facts, bad) = read(&[0], |_| line, self.is_private);
        self.count(&facts, |_| line);
        bad.into_iter().next().map_or(Ok(()), |(_, reason)| Err(reason))
    }

    fn count<'l>(&mut self, facts: &[Vec<Fact>], line: impl Fn(usize) -> &'l [u8] + Sync) {
        let Self { is_private, course, agents, counts } = self;
        let is_private = *is_private;
        let of_agents = || {
            for fact in facts.iter().flatten() {
                course.add(fact.when, fact.is_download);
                agents.add(fact.agent, fact.visitor, || text(line(fact.line)));
            }
        };
        let of_subjects = || {
            Subject::ALL.par_iter().zip(counts).for_each(|(subject, counts)| {
                for fact in facts.iter().flatten() {
                    let Some(key) = fact.keys.get(*subject as usize).copied().filter(|key| *key != 0) else { continue };
                    counts.add(key, fact.visitor, || name(*subject, line(fact.line), is_private));
                }
            });
        };
        rayon::join(of_agents, of_subjects);
    }
}

/// The agent of a request.
fn text(line: &[u8]) -> String {
    Request::from_line(line).map(|request| request.agent.into_owned()).unwrap_or_default()
}

/// What a request is called in a count.
fn name(subject: Subject, line: &[u8], is_private: bool) -> String {
    let mut name = String::new();
    if let Ok(request) = Request::from_line(line) {
        subject.write(&request, is_private, &mut name);
    }
    name
}

/// Lines that cannot be used, with the reason.
type Bad = Vec<(usize, String)>;

/// Reads the lines, those that are good and the others.
fn read<'l>(lines: &[usize], line: impl Fn(usize) -> &'l [u8] + Sync, is_private: bool) -> (Vec<Vec<Fact>>, Bad) {
    const LINES: usize = 2048;
    let parts: Vec<(Vec<Fact>, Bad)> = lines
        .par_chunks(LINES)
        .map(|part| {
            let (mut facts, mut bad) = (Vec::with_capacity(part.len()), Vec::new());
            let mut names = Names { is_private, ..Names::default() };
            for &i in part {
                match Request::from_line(line(i)) {
                    Ok(request) => facts.push(fact(i, &request, &mut names)),
                    Err(reason) => bad.push((i, reason)),
                }
            }
            (facts, bad)
        })
        .collect();
    let (facts, bad): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    (facts, bad.into_iter().flatten().collect())
}

/// Names of requests, and those that were made before of the same text: most requests come from few pages.
#[derive(Default)]
struct Names {
    is_private: bool,
    room: String,
    known: FxHashMap<u64, Option<u64>>,
}

impl Names {
    /// The key of a name.
    fn key(&mut self, subject: Subject, request: &Request<'_>) -> Option<u64> {
        if let Some(page) = self.page(subject, request) {
            return (!page.is_empty()).then(|| xxh3_64(page.as_bytes()));
        }
        let text = match subject {
            Subject::Referrer => &*request.referrer,
            Subject::Domain if !request.domain.is_empty() => &*request.domain,
            _ => return self.write(subject, request),
        };
        if text.is_empty() || text == "-" {
            return None;
        }
        let of_text = xxh3_64(text.as_bytes()) ^ subject as u64;
        if let Some(known) = self.known.get(&of_text) {
            return *known;
        }
        let key = self.write(subject, request);
        self.known.insert(of_text, key);
        key
    }

    /// A page that need not be written down to be named.
    fn page<'r>(&self, subject: Subject, request: &'r Request<'_>) -> Option<&'r str> {
        match subject {
            Subject::Page => plain_page(&request.content, self.is_private),
            Subject::Download if request.is_download => plain_page(&request.content, self.is_private),
            _ => None,
        }
    }

    fn write(&mut self, subject: Subject, request: &Request<'_>) -> Option<u64> {
        self.room.clear();
        subject.write(request, self.is_private, &mut self.room);
        (!self.room.is_empty()).then(|| xxh3_64(self.room.as_bytes()))
    }
}

/// The keys of a request.
fn fact(line: usize, request: &Request<'_>, names: &mut Names) -> Fact {
    Fact {
        line,
        when: request.when,
        visitor: Visitor::of(&request.ip),
        is_download: request.is_download,
        agent: xxh3_64(request.agent.as_bytes()),
        keys: Subject::ALL.map(|subject| names.key(subject, request).unwrap_or(0)),
    }
}
