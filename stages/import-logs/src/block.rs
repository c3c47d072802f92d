//! The work on one block of lines: parse, judge, write records. Blocks are independent of each
//! other, so many are processed in parallel; the caller does what depends on their order.

use std::borrow::Cow;

use logs::parse::{self, Looks};
use memchr::{memchr_iter, memchr2};
use schema::{Compat, Opt, Stamp, address};
use xxhash_rust::xxh3::Xxh3;

use crate::addresses::Addresses;
use crate::bots::cache::{Agents, with_agents};
use crate::bots::hashes::HashList;
use crate::bots::list::BotList;
use crate::bots::uses::Uses;
use crate::bots::words::stored;
use crate::bots::{Agent, LookAhead};
use crate::choices::{Assets, is_web2020};
use crate::join::{self, Fate};
use crate::layout::{self, Layout, Misfit};
use crate::layouts::What;
use crate::layouts::named::{Nuls, State};
use crate::layouts::writing::{OddBytes, for_each_odd, may_be_odd};
use crate::line::Line;
use crate::pieces::BLOCK;
use crate::request;
use crate::rows::Rows;
use crate::rules::{Dropped, Rule, Rules};
use crate::verdict::{Outcome, Verdicts};
use crate::zone::Zone;
use crate::{auth, forgotten, web, zone};

/// A run of hits with the same date text.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) date: [u8; 10],
    pub(crate) n_hits: u64,
    pub(crate) n_kept: u64,
    /// End of its last row in [`BlockResult::rows`].
    pub(crate) end: usize,
}

/// A line that was not recognised: its number within the block, from 0, and its place there. It is
/// small because a block of empty lines has a quarter of a million of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rejected {
    n: u32,
    start: u32,
    end: u32,
}

impl Rejected {
    pub(crate) fn number(self) -> u64 {
        self.n.into()
    }

    /// Start of the line in the block.
    pub(crate) const fn start(self) -> usize {
        self.start as usize
    }

    /// Its bytes in the block.
    pub(crate) fn of(self, block: &[u8]) -> &[u8] {
        block.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// How many bytes of a line are kept to be shown.
pub(crate) const KEPT: usize = 1024;

fn beginning(line: &[u8]) -> Vec<u8> {
    line[..line.len().min(KEPT)].to_vec()
}

/// What became of one block.
#[derive(Debug, Default)]
pub(crate) struct BlockResult {
    /// The rows.
    pub(crate) rows: Rows,
    /// Access logs: runs of hits, in order; together they cover all rows.
    pub(crate) segments: Vec<Segment>,
    /// Auth logs: identity and end of each row.
    pub(crate) logins: Vec<(u128, usize)>,
    /// Stored texts of bots, in the order in which they were first seen.
    pub(crate) bots: Vec<String>,
    /// Lines that were not recognised.
    pub(crate) rejected: Vec<Rejected>,
    /// The block itself and the joined lines behind it, when some lines of it were not recognised, and
    /// the state before it.
    pub(crate) text: Vec<u8>,
    /// Lines of the block that were joined from parts.
    pub(crate) joined: Vec<u8>,
    pub(crate) state: State,
    /// How many of these are blank, have another layout, or have an IPv6 client.
    pub(crate) n_blank: u64,
    pub(crate) n_unfit: u64,
    pub(crate) n_ipv6: u64,
    /// The first line with another layout: its number within the block, and its beginning.
    pub(crate) first_unfit: Option<(u64, Vec<u8>)>,
    /// Whether there is an unused last line without a line end, and its beginning if it has another
    /// layout.
    pub(crate) has_tail: bool,
    pub(crate) unfit_tail: Option<Vec<u8>>,
    pub(crate) n_lines: u64,
    /// How many of them follow another request in the same line of the file.
    pub(crate) n_fused: u64,
    /// NUL bytes that were skipped.
    pub(crate) nuls: Nuls,
    /// Rows with an impossible time.
    pub(crate) n_odd_times: u64,
    /// Rows of months whose rows were removed.
    pub(crate) n_late: u64,
    pub(crate) dropped: Dropped,
    /// The rows in order, if double clicks matter.
    pub(crate) clicks: Vec<Click>,
    /// Requests with a virtual host.
    pub(crate) n_vhosts: u64,
    /// What bots requested, if a report was requested.
    pub(crate) uses: Uses,
    /// What became of each line, if verdicts were requested.
    pub(crate) verdicts: Option<Verdicts>,
    /// Distinct months of recognised lines, `YYYY-MM`; needed by one option only.
    pub(crate) months: Vec<[u8; 7]>,
}

/// A row that may be a double click.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Click {
    /// Hash of user and URL.
    pub(crate) key: u128,
    /// Its time in seconds, counted from any fixed moment.
    pub(crate) at: Option<i64>,
    pub(crate) date: [u8; 10],
    /// End of the row in [`BlockResult::rows`].
    pub(crate) end: usize,
}

/// Where a line is.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Its number within the block, from 0.
    n: u64,
    /// Where it begins in the block; one that was joined, where its first part does.
    start: usize,
    /// Whether it stands behind another one in the same line of the file.
    is_fused: bool,
    /// Where its text begins: in the block, or in the joined lines behind it.
    text: usize,
}

impl Place {
    const fn new(n: u64, start: usize) -> Self {
        Self { n, start, is_fused: false, text: start }
    }

    /// Of what stands behind the first bytes of the same line of the file.
    const fn behind(self, n_bytes: usize) -> Self {
        Self { start: self.start + n_bytes, text: self.text + n_bytes, is_fused: true, ..self }
    }
}

impl BlockResult {
    /// Records what became of a line.
    fn judged(&mut self, place: Place, outcome: Outcome) {
        if let Some(verdicts) = &mut self.verdicts {
            verdicts.push(place.start, place.is_fused, outcome);
        }
    }

    /// Records a line of the block that was not recognised.
    fn reject(&mut self, line: &[u8], place: Place, looks: Looks) {
        let Place { n, text, .. } = place;
        // a block is not longer than a line may be
        let [n32, start, end] = [n as usize, text, text + line.len()].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        self.rejected.push(Rejected { n: n32, start, end });
        match looks {
            Looks::Blank => self.n_blank += 1,
            Looks::Ipv6 => self.n_ipv6 += 1,
            Looks::Fits => {}
            Looks::Odd => {
                self.n_unfit += 1;
                self.first_unfit.get_or_insert_with(|| (n, beginning(line)));
            }
        }
    }
}

/// What an unrecognised line looks like.
fn looks(line: &[u8], layout: &Layout, misfit: Misfit) -> Looks {
    match misfit {
        Misfit::Plain if layout.is_hub() => parse::looks_like_access(line),
        Misfit::Plain | Misfit::Other(_) => Looks::Odd,
    }
}

/// The rule that drops a line that cannot be a request.
fn rule_of(line: &[u8], layout: &Layout, misfit: Misfit) -> Option<Rule> {
    match misfit {
        Misfit::Other(What::Blank) => Some(Rule::Blank),
        Misfit::Other(What::Comment) => Some(Rule::Comment),
        Misfit::Other(What::NotARequest) => Some(Rule::Message),
        Misfit::Other(_) => None,
        // legacy rejects it in the layout of hubs
        Misfit::Plain => (!layout.is_hub() && line.iter().all(|&b| parse::is_blank(b))).then_some(Rule::Blank),
    }
}

/// What a line of an access log looks like, and whether it is recognised.
pub(crate) fn access_looks(line: &[u8], layout: &Layout, state: &mut State, rules: &Rules) -> (Looks, bool) {
    match with_line(line, layout, state, rules.compat, |parsed| parsed.map(|_| ())) {
        Ok(()) => (Looks::Fits, true),
        // says nothing about the layout
        Err(misfit) if rule_of(line, layout, misfit).is_some() => (Looks::Blank, true),
        Err(misfit) => (looks(line, layout, misfit), false),
    }
}

/// The same for an auth log.
pub(crate) fn auth_looks(line: &[u8], rules: &Rules) -> (Looks, bool) {
    let is_recognised = login(line, rules.compat).is_some();
    (if is_recognised { Looks::Fits } else { parse::looks_like_auth(line) }, is_recognised)
}

/// Calls `each` with every line of a block, including its end, and its number.
///
/// Blocks are cut after line feeds. Legacy reads a line, then asks for the end of the file, and
/// only then uses the line, so its access log importers never use a last line without a line feed
/// (`keep_last` is false for them).
fn for_each_line<'a>(block: &'a [u8], bare_returns: bool, keep_last: bool, mut each: impl FnMut(&'a [u8], u64)) -> u64 {
    let mut n = 0;
    let mut start = 0;
    if bare_returns {
        while let Some(at) = memchr2(b'\n', b'\r', &block[start..]) {
            let mut end = start + at + 1;
            if block[end - 1] == b'\r' && block.get(end) == Some(&b'\n') {
                end += 1;
            }
            each(&block[start..end], n);
            n += 1;
            start = end;
        }
    } else {
        for at in memchr_iter(b'\n', block) {
            each(&block[start..=at], n);
            n += 1;
            start = at + 1;
        }
    }
    if start < block.len() && keep_last {
        each(&block[start..], n);
        n += 1;
    }
    n
}

/// The same with lines that were cut into parts joined: then `each` gets the whole line where its first
/// part is, and nothing where the others are. Returns the number of lines and the text of the joined.
fn for_each_whole(
    block: &[u8],
    layout: &Layout,
    bare_returns: bool,
    keep_last: bool,
    mut each: impl FnMut(Option<&[u8]>, Place),
) -> (u64, Vec<u8>) {
    let joined = layout.joins().map(|prefix| join::join(block, prefix)).unwrap_or_default();
    let mut fates = joined.fates.iter().peekable();
    let n = for_each_line(block, bare_returns, keep_last, |line, n| {
        let place = Place::new(n, line.as_ptr().addr() - block.as_ptr().addr());
        match fates.next_if(|fate| fate.start == place.start) {
            None => each(Some(line), place),
            Some(Fate { whole: None, .. }) => each(None, place),
            Some(Fate { whole: Some(whole), .. }) => {
                let place = Place { text: block.len() + whole.start, ..place };
                each(joined.text.get(whole.clone()), place);
            }
        }
    });
    (n, joined.text)
}

fn without_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|b| !matches!(b, b'\n' | b'\r')).map_or(0, |at| at + 1);
    &line[..end]
}

/// The look-ahead in one block: parses only lines whose agent may matter.
pub(crate) fn look_ahead(block: &[u8], layout: &Layout, mut state: State, rules: &Rules) -> LookAhead {
    let mut ahead = LookAhead::default();
    let port = rules.compat.has(Opt::LpParse);
    let mut look = |line: &[u8]| {
        with_line(line, layout, &mut state, rules.compat, |parsed| {
            if let Ok(parsed) = parsed
                && LookAhead::concerns(parsed.agent)
            {
                ahead.note(parsed.agent, &rules.judge.words);
            }
        });
    };
    let writing = layout.writing();
    let keep_last = keeps_last(layout, port);
    if !port && layout.joins().is_none() && !layout.has_directives() {
        let end = if keep_last { block.len() } else { memchr::memrchr(b'\n', block).map_or(0, |at| at + 1) };
        for_each_odd(&block[..end], writing, look);
        return ahead;
    }
    let odd = OddBytes::of(block, writing);
    for_each_whole(block, layout, port, keep_last, |line, _| {
        let line = line.unwrap_or_default();
        let is_directive = layout.has_directives() && line.first() == Some(&b'#');
        if is_directive || may_be_odd(line, writing, odd) {
            look(line);
        }
    });
    ahead
}

/// Which of the suspects occur in a block as plain ASCII.
pub(crate) fn find_suspects(
    block: &[u8],
    layout: &Layout,
    mut state: State,
    rules: &Rules,
    suspects: &HashList,
) -> HashList {
    let mut found = HashList::default();
    let port = rules.compat.has(Opt::LpParse);
    for_each_whole(block, layout, port, keeps_last(layout, port), |line, _| {
        with_line(line.unwrap_or_default(), layout, &mut state, rules.compat, |parsed| {
            if let Some(agent) = parsed.ok().map(|p| p.agent).filter(|a| a.is_ascii())
                && let Ok(agent) = std::str::from_utf8(agent)
            {
                let key = schema::collation::hash(agent);
                if suspects.contains(key) {
                    found.insert(key);
                }
            }
        });
    });
    found
}

/// Parses a line according to the options.
fn with_line<T>(
    line: &[u8],
    layout: &Layout,
    state: &mut State,
    compat: Compat,
    work: impl FnOnce(Result<Line<'_>, Misfit>) -> T,
) -> T {
    let port = compat.has(Opt::LpParse);
    let text: Cow<'_, str> = if port { String::from_utf8_lossy(without_end(line)) } else { "".into() };
    let parsed = if port { layout.parse_unicode(&text, state) } else { layout.parse(line, state) };
    if parsed.is_ok() || !compat.has(Opt::Ipv6) || !layout.is_hub() {
        return work(parsed);
    }
    let found = if port { parse::access_ipv6_unicode(&text) } else { parse::access_ipv6(line) };
    let Some(fields) = found else { return work(parsed) };
    let mut line = layout::from_fields(if port { text.as_bytes() } else { line }, &fields);
    let client = String::from_utf8_lossy(line.client);
    let client = address::canonical(&client);
    line.client = client.as_bytes();
    line.is_ipv6 = true;
    work(Ok(line))
}

/// Whether the look-ahead includes the agents of a last line without a line end. It may, even if
/// the line is not used in the end.
const fn keeps_last(layout: &Layout, port: bool) -> bool {
    port || !layout.is_hub()
}

/// A block of an access log.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    pub(crate) block: &'a [u8],
    /// The block's own number, above zero.
    pub(crate) number: u64,
    pub(crate) layout: &'a Layout,
    /// What earlier lines say about how to read these.
    pub(crate) state: State,
    /// Whether a last line without a line end is used.
    pub(crate) keep_last: bool,
    /// Memory for the rows.
    pub(crate) spare: Vec<u8>,
}

/// The work on a block of an access log.
pub(crate) fn access(lines: Lines<'_>, rules: &Rules, known: &BotList) -> BlockResult {
    let Lines { block, number, layout, mut state, keep_last, spare } = lines;
    // a line takes about 250 bytes, and more than a third of the lines give a row
    let room = block.len().max(BLOCK);
    let rows = Rows::new(rules.judge.format, spare, room + room / 4, block.len() / 40);
    let mut done = BlockResult { rows, verdicts: rules.verdicts.then(Verdicts::default), ..BlockResult::default() };
    let port = rules.compat.has(Opt::LpParse);
    let spill = rules.compat.has(Opt::LpSpilloverWarning);
    let is_plain = rules.is_plain();
    done.state = layout.state_after(&state, b"");
    with_agents(&rules.judge, known, number, |agents| {
        let mut each = |line: &[u8], place: Place, state: &mut State, done: &mut BlockResult| {
            let misfit = with_line(line, layout, state, rules.compat, |parsed| {
                let parsed = match parsed {
                    Ok(parsed) => parsed,
                    Err(misfit) => return Some(misfit),
                };
                if !is_plain {
                    by_choice(parsed, rules, agents, place, done);
                    return None;
                }
                if spill && let Some(month) = parsed.date.first_chunk::<7>() {
                    note_month(&mut done.months, *month);
                }
                if let Err(rule) = one(&parsed, rules, agents, None, done) {
                    done.dropped[rule as usize] += 1;
                }
                None
            });
            match misfit.map(|misfit| (misfit, rule_of(line, layout, misfit))) {
                None => {}
                Some((_, Some(rule))) => {
                    done.dropped[rule as usize] += 1;
                    done.judged(place, Outcome::Dropped(rule));
                }
                Some((misfit, None)) => {
                    done.reject(line, place, looks(line, layout, misfit));
                    done.judged(place, Outcome::Rejected);
                }
            }
        };
        (done.n_lines, done.joined) = for_each_whole(block, layout, port, keep_last || port, |line, place| {
            let Some(line) = line else {
                done.dropped[Rule::Part as usize] += 1;
                done.judged(place, Outcome::Dropped(Rule::Part));
                return;
            };
            // a complete line may follow a first line that a crash cut off
            let is_whole = |at: &usize, state: &mut State| layout.parse(&line[*at..], state).is_ok();
            let second = if place.text == place.start { layout.second_line(line) } else { None };
            match second.filter(|at| is_whole(at, &mut state)) {
                None => each(line, place, &mut state, &mut done),
                Some(at) => {
                    done.n_fused += 1;
                    each(&line[..at], place, &mut state, &mut done);
                    each(&line[at..], place.behind(at), &mut state, &mut done);
                }
            }
        });
    });
    done.n_lines += done.n_fused;
    done.nuls = state.nuls;
    if !port && !keep_last {
        let tail = &block[memchr::memrchr(b'\n', block).map_or(0, |at| at + 1)..];
        done.has_tail = !tail.is_empty();
        let is_odd = done.has_tail && access_looks(tail, layout, &mut state, rules).0 == Looks::Odd;
        done.unfit_tail = is_odd.then(|| beginning(tail));
    }
    done
}

fn note_month(months: &mut Vec<[u8; 7]>, month: [u8; 7]) {
    if !months.contains(&month) {
        months.push(month);
    }
}

/// A recognised line of a run in which more than its row matters: its zone, its instant, its verdict, or
/// which bot sent it.
#[cold]
fn by_choice(mut parsed: Line<'_>, rules: &Rules, agents: &mut Agents<'_>, place: Place, done: &mut BlockResult) {
    let instant = instant(&parsed, rules);
    shift(&mut parsed, &rules.zone);
    if rules.compat.has(Opt::LpSpilloverWarning)
        && let Some(month) = parsed.date.first_chunk::<7>()
    {
        note_month(&mut done.months, *month);
    }
    let became = one(&parsed, rules, agents, instant, done);
    if let Err(rule) = became {
        done.dropped[rule as usize] += 1;
    }
    if rules.judge.explain && became != Err(Rule::OtherSite) {
        count_bot(&parsed, agents, became == Err(Rule::Bot), &mut done.uses);
    }
    if let Some(verdicts) = &mut done.verdicts {
        verdicts.fields(&parsed);
    }
    done.judged(place, became.map_or_else(Outcome::Dropped, |()| Outcome::Kept));
}

/// The instant of a request, if it is known and matters.
fn instant(line: &Line<'_>, rules: &Rules) -> Option<i64> {
    let offset = line.offset.filter(|_| rules.choices.double_click.is_some())?;
    let time = *line.time.bytes().first_chunk()?;
    Some(zone::seconds(line.date, time)? - i64::from(offset))
}

/// Converts the time of a line to the requested zone, if the line gives its own zone.
fn shift(line: &mut Line<'_>, zone: &Zone) {
    if let Some(offset) = line.offset
        && let Some(time) = line.time.bytes().first_chunk()
        && let Some(shifted) = zone.shift(line.date, *time, offset)
    {
        (line.date, line.time, line.twice) = (shifted.date, shifted.time.into(), shifted.twice);
    }
}

/// Counts what a bot requested.
fn count_bot(line: &Line<'_>, agents: &mut Agents<'_>, is_hit: bool, uses: &mut Uses) {
    if let (Agent { cause: Some(cause), .. }, _) = agents.get(line.agent) {
        let client = line.host.filter(|host| !host.is_empty()).unwrap_or(line.client);
        uses.add(line.agent, *cause, client, is_hit, line.bytes);
    }
}

/// One recognised line: counts its hit and writes its record, or says which rule dropped it.
#[inline]
fn one(
    line: &Line<'_>,
    rules: &Rules,
    agents: &mut Agents<'_>,
    instant: Option<i64>,
    done: &mut BlockResult,
) -> Result<(), Rule> {
    let (compat, choices) = (rules.compat, &rules.choices);
    if choices.has_vhosts() {
        done.n_vhosts += u64::from(!matches!(line.vhost, b"" | b"-"));
        if choices.is_other_site(line.vhost) {
            return Err(Rule::OtherSite);
        }
    }
    let (agent, first) = agents.get(line.agent);
    if first && agent.is_bot {
        done.bots.push(stored(line.agent));
    }
    let is_200 = if compat.has(Opt::LpParse) { line.status == b"200" } else { is_number_200(line.status) };
    if !choices.status(line.status).unwrap_or(is_200) {
        return Err(Rule::Status);
    }
    if line.bytes.iter().all(|&digit| digit == b'0') && !choices.is_without_bytes(line.status) {
        return Err(Rule::Bytes);
    }
    let (method, url) = line.method_and_url.unwrap_or_else(|| {
        if compat.has(Opt::LpParse) { parse::split_at_whitespace(line.request) } else { parse::split(line.request) }
    });
    if !matches!(method, b"GET" | b"POST") {
        return Err(Rule::Method);
    }
    let exclude = &rules.judge.exclude;
    if exclude.ip(line.host.filter(|host| !host.is_empty()).unwrap_or(line.client)) {
        return Err(Rule::Ip);
    }
    if agent.is_excluded {
        return Err(Rule::Agent);
    }
    let url = parse::collapse_slashes(url);
    if exclude.url(&url) {
        return Err(Rule::Url);
    }
    match done.segments.last_mut() {
        Some(segment) if segment.date == line.date => segment.n_hits += 1,
        _ => done.segments.push(Segment { date: line.date, n_hits: 1, n_kept: 0, end: done.rows.end() }),
    }
    if agent.is_known {
        return Err(Rule::Bot);
    }
    if compat.has(Opt::LpMsie) && line.date >= *b"2022-01-01" && agent.is_old_explorer() {
        return Err(Rule::OldExplorer);
    }
    if !choices.keeps(&url) {
        if choices.drops(&url) {
            return Err(Rule::DroppedPath);
        }
        if request::is_dropped(&url, rules.paths) {
            return Err(Rule::Path);
        }
        if choices.assets == Assets::Web2020 && is_web2020(&url) {
            return Err(Rule::Asset);
        }
    }
    if matches!(line.referrer, b"" | b"-") {
        if compat.has(Opt::LpRefererSpam) && request::is_referrer_spam(&url) {
            return Err(Rule::ReferrerSpam);
        }
        if compat.has(Opt::LpEventsArchive) && request::is_old_event(&url, &line.date) {
            return Err(Rule::OldEvent);
        }
    }
    let stamp = match (&rules.forgotten, rules.addresses) {
        (None, Addresses::Keep) => web::push(&mut done.rows, line, &url, &agent.text, compat),
        _ => push_about_people(line, &url, &agent.text, rules, done)?,
    };
    done.n_odd_times += u64::from(!rules.is_believed(stamp));
    done.n_late += u64::from(rules.kept_from.is_request_late(stamp));
    if choices.double_click.is_some() {
        let key = click_key(line, &url);
        let at = instant.or_else(|| stamp.is_calendar_day().then(|| stamp.wall_seconds()));
        done.clicks.push(Click { key, at, date: line.date, end: done.rows.end() });
    }
    if let Some(segment) = done.segments.last_mut() {
        segment.n_kept += 1;
        segment.end = done.rows.end();
    }
    Ok(())
}

/// Appends the row of a line where not everything is stored as it is.
///
/// # Errors
/// The rule, if it has none.
#[cold]
fn push_about_people(
    line: &Line<'_>,
    url: &[u8],
    agent: &[u8],
    rules: &Rules,
    done: &mut BlockResult,
) -> Result<Stamp, Rule> {
    let found = rules.forgotten.as_ref().map(|list| forgotten::of_request(list, line, url)).transpose()?;
    let other = found.as_ref();
    let line = other.map_or(*line, |found| found.line(line));
    let client = rules.addresses.stored(line.client);
    let stored = other.and_then(|found| found.agent.as_deref()).map(|text| rules.judge.stored(text));
    let url = other.and_then(|found| found.url.as_deref()).unwrap_or(url);
    let line = Line { client: &client, ..line };
    Ok(web::push(&mut done.rows, &line, url, stored.as_deref().unwrap_or(agent), rules.compat))
}

/// What makes two requests the same, apart from their time: user and URL.
fn click_key(line: &Line<'_>, url: &[u8]) -> u128 {
    let mut hash = Xxh3::new();
    for text in [line.client, line.host.unwrap_or_default(), line.agent, url] {
        hash.update(&text.len().to_le_bytes());
        hash.update(text);
    }
    hash.digest128()
}

/// Whether a status is the number 200, leading zeros allowed.
fn is_number_200(status: &[u8]) -> bool {
    status == b"200" || (status.strip_suffix(b"200").is_some_and(|zeros| zeros.iter().all(|&b| b == b'0')))
}

/// The login in a line of an auth log; of an IPv6 client only if those count.
fn login(line: &[u8], compat: Compat) -> Option<parse::Login<'_>> {
    parse::auth(line, compat).or_else(|| compat.has(Opt::Ipv6).then(|| parse::auth_ipv6(line, compat)).flatten())
}

/// Appends the row of a login.
///
/// # Errors
/// The rule, if it has none.
fn keep(login: &parse::Login<'_>, rules: &Rules, done: &mut BlockResult) -> Result<(), Rule> {
    let whole = rules.compat.has(Opt::Ipv6);
    let other = rules.forgotten.as_ref().map(|list| forgotten::of_login(list, login)).transpose()?;
    let login = other.as_ref().map_or_else(|| login.clone(), |names| names.login(login));
    let ip = rules.addresses.stored(login.ip);
    done.n_late += u64::from(rules.kept_from.is_login_late(login.date));
    let key = auth::push(&parse::Login { ip: &ip, ..login }, &mut done.rows, whole);
    done.logins.push((key, done.rows.end()));
    Ok(())
}

/// The work on a block of an auth log; with `keep_last` a last line without a line end is used.
pub(crate) fn auth(block: &[u8], rules: &Rules, keep_last: bool) -> BlockResult {
    let rows = Rows::new(rules.judge.format, Vec::new(), block.len() * 2, block.len() / 10);
    let mut done = BlockResult { rows, verdicts: rules.verdicts.then(Verdicts::default), ..BlockResult::default() };
    let spill = rules.compat.has(Opt::LpSpilloverWarning);
    let bare_returns = rules.compat.has(Opt::LpParse);
    let end = memchr::memrchr(b'\n', block).map_or(0, |at| at + 1);
    let (block, tail) = if keep_last { (block, &b""[..]) } else { block.split_at(end) };
    done.has_tail = !tail.is_empty();
    done.unfit_tail = (auth_looks(tail, rules).0 == Looks::Odd).then(|| beginning(tail));
    let n_lines = for_each_line(block, bare_returns, true, |line, n| {
        let place = Place::new(n, line.as_ptr().addr() - block.as_ptr().addr());
        match login(line, rules.compat) {
            // a last line `0` ends the reading unnoticed, as in legacy
            None if line == b"0" => {}
            None => {
                done.reject(line, place, parse::looks_like_auth(line));
                done.judged(place, Outcome::Rejected);
            }
            Some(login) => {
                if spill && let Some(month) = login.date.first_chunk::<7>() {
                    note_month(&mut done.months, *month);
                }
                let rule = match auth::dropped(&login, rules.compat) {
                    Some(auth::Dropped::Watcher) => Some(Rule::Watcher),
                    Some(auth::Dropped::Action) => Some(Rule::Action),
                    None => rules.judge.exclude.ip(login.ip).then_some(Rule::Ip),
                };
                let rule = rule.or_else(|| keep(&login, rules, &mut done).err());
                if let Some(rule) = rule {
                    done.dropped[rule as usize] += 1;
                }
                if let Some(verdicts) = &mut done.verdicts {
                    verdicts.login(login.date, login.time, login.ip);
                }
                done.judged(place, rule.map_or(Outcome::Kept, Outcome::Dropped));
            }
        }
    });
    done.n_lines = n_lines;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_without_a_line_feed_counts_only_if_kept() {
        let lines = |block: &'static str, bare: bool, last: bool| {
            let mut all = Vec::new();
            let n = for_each_line(block.as_bytes(), bare, last, |line, n| {
                all.push((String::from_utf8_lossy(line).into_owned(), n))
            });
            assert_eq!(n, all.len() as u64);
            all.into_iter().map(|(line, _)| line).collect::<Vec<_>>()
        };
        assert_eq!(lines("a\nb", false, false), ["a\n"]);
        assert_eq!(lines("a\nb", false, true), ["a\n", "b"]);
        assert_eq!(lines("a\rb\r\nc\n\n", true, true), ["a\r", "b\r\n", "c\n", "\n"]);
        assert_eq!(lines("", true, true), [""; 0]);
    }

    #[test]
    fn numbers_of_the_rules() {
        for (status, is) in
            [("200", true), ("0200", true), ("206", false), ("200-", false), ("-200", false), ("1200", false)]
        {
            assert_eq!(is_number_200(status.as_bytes()), is, "{status}");
        }
        for (i, (rule, _)) in Rule::ALL.iter().enumerate() {
            assert_eq!(*rule as usize, i);
        }
    }
}
