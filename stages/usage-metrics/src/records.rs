//! The pipe's face: lines into rows and a spool, the months' run, lines out again. One part of a
//! stream, or the join of all, takes the same way.

use std::borrow::Cow;
use std::net::IpAddr;
use std::slice::Chunks;

use anyhow::{Context as _, Result, bail};
use enrich::country::{self, Countries};
use jiff::tz::TimeZone;
use kit::door::named;
use kit::{Batch, Io, Outcome, Output, Usage};
use rayon::prelude::*;
use schema::{Compat, Kind, Opt, Stamp, json};

use crate::args::{Args, Step};
use crate::clock::{self, Clock};
use crate::exclude::Filters;
use crate::months::{AllRows, Rows, Rules, Steps, mark};
use crate::names::Name;
use crate::parse::{self, Fields, Parsed};
use crate::parts::{self, Role};
use crate::session_record::session_record;
use crate::sessions::Session;
use crate::spool::{Counts, Lines, Spool};

/// How many blocks are in progress at a time.
const BLOCKS: usize = 4;

/// How many sessions make a block: about a megabyte.
const SESSIONS: usize = 5000;

/// Runs the stage on records.
///
/// # Errors
/// A list or the country database cannot be used, or a stream fails.
pub(crate) fn run(args: &Args, io: &mut Io) -> Result<Outcome> {
    let common = io.common();
    let compat = common.compat;
    let filters = filters(args)?;
    let countries = args.geoip.as_deref().filter(|_| args.makes(Step::Countries)).map(Countries::open).transpose()?;
    let zone = zone(args, io)?;
    let steps = Steps {
        domains: args.makes(Step::Domains),
        sessions: args.makes(Step::Sessions),
        bots: args.makes(Step::CleanBots),
    };
    let open_month = compat.has(Opt::SessionsAtMonthClose).then(kit::current_month).transpose()?;
    let mut role = Role::of(args);
    let settings = match &role {
        Role::Whole => String::new(),
        _ => parts::settings(args, compat, &zone, steps, open_month)?,
    };
    let mut input = io.input()?;
    let mut output = io.output()?;

    let mut world = AllRows::new();
    let mut spool = Spool::new()?;
    let mut counts = Counts::default();
    input.each_batch(&mut io.rejects, |batch| {
        let bad = take_in(&mut world, &mut role, batch, &mut spool, &mut counts)?;
        // rows are numbered with 32 bits; a batch has far fewer lines than are left
        if [counts.web, counts.tool, counts.session].into_iter().any(|n| n > u32::MAX / 2) {
            bail!("more than two thousand million records of a kind; give fewer months at a time");
        }
        Ok(bad)
    })?;
    drop(input);

    if let Role::Joined(joined) = &mut role {
        joined.settle(&mut world, &settings)?;
    }
    let share = role.share();
    let mut clock = Clock::new(zone);
    let first_id = args.first_id;
    let months = world.run(&Rules { share, steps, filters: &filters, compat, first_id, open_month }, &mut clock)?;
    if let Role::Joined(joined) = &role {
        joined.check_months(&months)?;
    }
    let countries = CountryOfName::of(&world, countries.as_ref(), compat)?;
    let n_records = write(&world, &countries, &role, spool, &mut output)?;
    if let Role::Part(worker) = role {
        worker.write_pieces(&world, &months, &settings, n_records, &mut output)?;
    }
    output.finish()?;
    Ok(Outcome::default())
}

/// Takes in the lines of a batch: parsed in parallel, kept in order. Returns the lines that cannot be used, and why.
fn take_in(
    world: &mut AllRows,
    role: &mut Role,
    batch: &Batch,
    spool: &mut Spool,
    counts: &mut Counts,
) -> Result<Vec<(usize, String)>> {
    let parsed: Vec<_> = (0..batch.len()).into_par_iter().map(|i| parse::parse(batch.line(i))).collect();
    let mut bad = Vec::new();
    for (i, parsed) in parsed.into_iter().enumerate() {
        let (line, before) = (batch.line(i), *counts);
        match parsed.and_then(|parsed| world.take(role, line, &parsed, counts)) {
            Ok(Taken::Kept) => spool.push(line, before)?,
            Ok(Taken::Dropped) => {}
            Ok(Taken::Unjoined) => bail!(parts::UNJOINED),
            Err(reason) => bad.push((i, reason.to_owned())),
        }
    }
    Ok(bad)
}

/// What becomes of a line at first.
enum Taken {
    /// It is kept until it can be written.
    Kept,
    /// It belongs to another part, or is used up.
    Dropped,
    /// It comes from a part, and nobody asked for the join.
    Unjoined,
}

impl AllRows {
    fn take(
        &mut self,
        role: &mut Role,
        line: &[u8],
        parsed: &Parsed<'_>,
        counts: &mut Counts,
    ) -> Result<Taken, &'static str> {
        match role {
            Role::Whole => {}
            Role::Part(worker) => {
                let is_mine = worker.sees(parsed, &mut self.other_months);
                return Ok(match parsed {
                    Parsed::Piece | Parsed::PartEnd => Taken::Unjoined,
                    Parsed::Web(fields) if is_mine => self.count(Kind::Web, fields, &mut counts.web),
                    _ if is_mine => Taken::Kept,
                    _ => Taken::Dropped,
                });
            }
            Role::Joined(joined) => match parsed {
                Parsed::Piece => return joined.piece(line, &mut self.names).map(|()| Taken::Dropped),
                Parsed::PartEnd => return joined.end(line).map(|()| Taken::Dropped),
                Parsed::Web(fields) => {
                    joined.request(fields.piece);
                    let stamp = fields.datetime.unwrap_or(Stamp::ZERO);
                    // its names matter to nobody any more
                    self.web.push(stamp, Name::NULL, Name::NULL, Name::NULL, fields.session, 0);
                    counts.web += 1;
                    return Ok(Taken::Kept);
                }
                _ => joined.record(),
            },
        }
        Ok(match parsed {
            Parsed::Other => Taken::Kept,
            Parsed::Piece | Parsed::PartEnd => Taken::Unjoined,
            Parsed::Web(fields) => self.count(Kind::Web, fields, &mut counts.web),
            Parsed::Tool(fields) => self.count(Kind::Toolstart, fields, &mut counts.tool),
            Parsed::Session(fields) => self.count(Kind::Session, fields, &mut counts.session),
        })
    }

    fn count(&mut self, kind: Kind, fields: &Fields<'_>, count: &mut u32) -> Taken {
        if fields.piece.is_some() {
            return Taken::Unjoined;
        }
        self.push(kind, fields);
        *count += 1;
        Taken::Kept
    }
}

fn filters(args: &Args) -> Result<Filters> {
    let Some(path) = args.exclude.as_deref().filter(|_| args.makes(Step::CleanBots)) else {
        return Ok(Filters::default());
    };
    let read = || Filters::from_csv(named::open(path)?);
    read().with_context(|| format!("reading the exclude list {}", path.display()))
}

fn zone(args: &Args, io: &Io) -> Result<TimeZone> {
    match &args.timezone {
        Some(name) => TimeZone::get(name).map_err(|_| Usage(format!("`{name}` is not a known time zone")).into()),
        None => Ok(TimeZone::try_system().unwrap_or_else(|_| {
            io.messages.note("the time zone of this machine is unknown, using UTC; --timezone sets one");
            TimeZone::UTC
        })),
    }
}

impl AllRows {
    fn push(&mut self, kind: Kind, fields: &Fields<'_>) {
        let names = &mut self.names;
        let ip = names.intern_option(fields.ip.as_deref());
        let host = names.intern_option(fields.host.as_deref());
        let domain = names.intern_option(fields.domain.as_deref());
        let no_country = fields.ipcountry.as_deref().is_none_or(|country| country.trim_end_matches(' ').is_empty());
        let mut marks = if no_country { mark::NO_COUNTRY } else { 0 };
        marks |= if fields.has_results { 0 } else { mark::BARE };
        let rows = match kind {
            Kind::Web => &mut self.web,
            Kind::Toolstart => {
                self.success.push(fields.success);
                &mut self.tools
            }
            _ => &mut self.old,
        };
        // a record without a time belongs to no month, and neither does one with the zero datetime
        if let (Kind::Web, Some(offset), Some(stamp)) = (kind, fields.utc_offset, fields.datetime) {
            let row = u32::try_from(rows.stamp.len()).unwrap_or(u32::MAX);
            self.instants.extend(clock::instant(stamp, offset).map(|instant| (row, instant)));
        }
        rows.push(fields.datetime.unwrap_or(Stamp::ZERO), ip, host, domain, fields.session, marks);
    }
}

/// The country of each address, looked up once per address.
struct CountryOfName(Vec<[u8; 2]>);

impl CountryOfName {
    fn of(world: &AllRows, countries: Option<&Countries>, compat: Compat) -> Result<Self> {
        let Some(countries) = countries else { return Ok(Self(Vec::new())) };
        let mut wanted = vec![false; world.names.len()];
        for rows in [&world.web, &world.tools, &world.old] {
            for (ip, marks) in rows.ip.iter().zip(&rows.marks) {
                wanted[ip.index()] |= marks & (mark::NO_COUNTRY | mark::GONE) == mark::NO_COUNTRY;
            }
        }
        for session in &world.made {
            wanted[session.ip.index()] = true;
        }
        let port = compat.has(Opt::LpIpcountry);
        let look_up = |ip: &str| -> Result<[u8; 2]> {
            let none = if port { [country::NONE.as_bytes()[0], 0] } else { [0; 2] };
            if port && country::is_private_text(ip) {
                return Ok(none);
            }
            let quad = if port { country::lenient_dotted_quad(ip) } else { country::dotted_quad(ip) };
            let Some(ip) = quad.map(IpAddr::V4).or_else(|| country::ipv6(ip)) else { return Ok(none) };
            let code = countries.country(ip)?.filter(|code| code != country::NONE);
            Ok(code.and_then(|code| code.into_bytes().try_into().ok()).unwrap_or(none))
        };
        // an empty address is never looked up
        wanted[Name::NULL.index()] = false;
        wanted[Name::EMPTY.index()] = false;
        let names = &world.names;
        let look_up_all = wanted
            .par_iter()
            .enumerate()
            .map(|(i, &wanted)| if wanted { look_up(names.text_at(i)) } else { Ok([0; 2]) });
        Ok(Self(look_up_all.collect::<Result<_>>()?))
    }

    /// The country of an address, `None` if nothing is to be written.
    fn get(&self, ip: Name) -> Option<&str> {
        let code = self.0.get(ip.index())?;
        let n = code.iter().take_while(|&&b| b != 0).count();
        std::str::from_utf8(&code[..n]).ok().filter(|code| !code.is_empty())
    }
}

/// Writes all records; how many came from the spool.
fn write(world: &AllRows, countries: &CountryOfName, role: &Role, spool: Spool, output: &mut Output) -> Result<u64> {
    let mut n_records = 0;
    let mut left = Left { lines: Some(spool.read()?), sessions: world.made.chunks(SESSIONS), buffers: Vec::new() };
    let (mut written, mut making) = (Vec::new(), vec![Vec::new(); BLOCKS]);
    let mut blocks = left.next()?;
    // what is done is written while the blocks after it are made and the next ones are read
    while !blocks.is_empty() {
        let (done, next) = rayon::join(
            || write_all(&written, output),
            || {
                blocks.par_iter().zip(&mut making).try_for_each(|(block, out)| {
                    out.clear();
                    match block {
                        Block::Lines { bytes, before } => lines(world, countries, role, bytes, *before, out),
                        Block::Sessions(sessions) => {
                            sessions.iter().for_each(|made| session(world, countries, made, out));
                            Ok(())
                        }
                    }
                })?;
                left.next()
            },
        );
        done?;
        making.truncate(blocks.len());
        if matches!(role, Role::Part(_)) {
            let stored = blocks.iter().zip(&making).filter(|(block, _)| matches!(block, Block::Lines { .. }));
            n_records += stored.map(|(_, out)| memchr::memchr_iter(b'\n', out).count() as u64).sum::<u64>();
        }
        left.buffers.extend(std::mem::replace(&mut blocks, next?).into_iter().filter_map(|block| match block {
            Block::Lines { bytes, .. } => Some(bytes),
            Block::Sessions(_) => None,
        }));
        std::mem::swap(&mut written, &mut making);
        making.resize(BLOCKS, Vec::new());
    }
    write_all(&written, output)?;
    Ok(n_records)
}

/// What becomes one block of the output.
enum Block<'a> {
    /// Lines of the spool, and the records before them.
    Lines { bytes: Vec<u8>, before: Counts },
    /// Sessions that were built here.
    Sessions(&'a [Session]),
}

/// What is not written yet: the rest of the spool, then the sessions.
struct Left<'a> {
    lines: Option<Lines>,
    sessions: Chunks<'a, Session>,
    /// Memory of blocks that are done.
    buffers: Vec<Vec<u8>>,
}

impl<'a> Left<'a> {
    /// The next blocks, none at the end.
    fn next(&mut self) -> Result<Vec<Block<'a>>> {
        let mut blocks = Vec::new();
        while let Some(lines) = self.lines.as_mut().filter(|_| blocks.len() < BLOCKS) {
            let mut bytes = self.buffers.pop().unwrap_or_default();
            match lines.next_block(&mut bytes)? {
                Some(block) => blocks.push(Block::Lines { bytes, before: block.before }),
                // the temporary file goes while something is written
                None => self.lines = None,
            }
        }
        blocks.extend(self.sessions.by_ref().take(BLOCKS - blocks.len()).map(Block::Sessions));
        Ok(blocks)
    }
}

fn write_all(blocks: &[Vec<u8>], output: &mut Output) -> Result<()> {
    blocks.iter().try_for_each(|block| output.block(block))
}

/// Writes the record of a session.
fn session(world: &AllRows, countries: &CountryOfName, session: &Session, out: &mut Vec<u8>) {
    session_record(&world.names, countries.get(session.ip).unwrap_or_default(), session, out);
    out.push(b'\n');
}

/// Writes the lines of a block with the results.
fn lines(
    world: &AllRows,
    countries: &CountryOfName,
    role: &Role,
    bytes: &[u8],
    mut at: Counts,
    out: &mut Vec<u8>,
) -> Result<()> {
    let is_part = matches!(role, Role::Part(_));
    let mut rest = bytes;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let (rows, count) = match parse::kind_of(line) {
            Ok(Some(Kind::Web)) => (&world.web, &mut at.web),
            Ok(Some(Kind::Toolstart)) if !is_part => (&world.tools, &mut at.tool),
            Ok(Some(Kind::Session)) if !is_part => (&world.old, &mut at.session),
            _ => {
                out.extend_from_slice(line);
                out.push(b'\n');
                continue;
            }
        };
        let i = *count as usize;
        *count += 1;
        let piece = match role {
            Role::Part(worker) => worker.piece_field(&world.piece_of, i),
            _ => None,
        };
        let line = match role {
            Role::Joined(_) => parts::without_piece(line),
            _ => Cow::Borrowed(line),
        };
        record(world, countries, rows, i, &line, piece.as_deref(), out)?;
    }
    Ok(())
}

fn record(
    world: &AllRows,
    countries: &CountryOfName,
    rows: &Rows,
    i: usize,
    line: &[u8],
    piece: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let marks = rows.marks[i];
    if marks & mark::GONE != 0 {
        return Ok(());
    }
    if marks & mark::BARE != 0
        && let Some(head) = line.strip_suffix(b"}")
    {
        // the line was read as an object before
        out.extend_from_slice(head);
        results(world, countries, rows, i, piece, |name, write| {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            write(out);
        });
        out.extend_from_slice(b"}\n");
        return Ok(());
    }
    let mut fields: Vec<(&str, Vec<u8>)> = Vec::new();
    results(world, countries, rows, i, piece, |name, write| {
        let mut value = Vec::new();
        write(&mut value);
        fields.push((name, value));
    });
    if marks & (mark::SESSION | mark::UNSTAMPED) == mark::UNSTAMPED
        && matches!(json::find(line, "sessionid"), Ok(Some(_)))
    {
        fields.push(("sessionid", b"null".to_vec()));
    }
    if fields.is_empty() {
        out.extend_from_slice(line);
    } else {
        let fields: Vec<(&str, &[u8])> = fields.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        json::set_fields(line, &fields, out).map_err(|bad| anyhow::anyhow!("writing a record: {}", bad.reason()))?;
    }
    out.push(b'\n');
    Ok(())
}

/// The results of a row, in the order in which they are added: calls `set` with the name of each field and what
/// writes its value.
fn results(
    world: &AllRows,
    countries: &CountryOfName,
    rows: &Rows,
    i: usize,
    piece: Option<&[u8]>,
    mut set: impl FnMut(&'static str, &dyn Fn(&mut Vec<u8>)),
) {
    let marks = rows.marks[i];
    if marks & mark::DOMAIN != 0 {
        set("domain", &|out| json::push_str(out, world.names.text(rows.domain[i])));
    }
    if marks & mark::NO_COUNTRY != 0
        && let Some(country) = countries.get(rows.ip[i])
    {
        set("ipcountry", &|out| json::push_str(out, country));
    }
    if marks & mark::SESSION != 0 {
        set("sessionid", &|out| json::push_int(out, rows.session[i].into()));
    }
    if let Some(piece) = piece {
        set("session_part", &|out| out.extend_from_slice(piece));
    }
}
