//! The stage as a filter: which records want a name, and their way through the queue.

use std::borrow::Cow;

use anyhow::{Context as _, Result};
use enrich::dns::{self, Settings};
use enrich::hosts::{self, Hosts};
use kit::door::named;
use kit::{Io, Outcome};
use schema::Kind;
use schema::json::{self, Members};

use crate::cli::Args;
use crate::queue::Queue;

/// Runs the stage.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    let mut hosts = hosts(args, args.settings()?, io)?;
    let done = run(&mut hosts, io);
    // what was learned is kept even when the reader left
    let saved = hosts.save();
    done?;
    saved?;
    report(&hosts, io);
    Ok(Outcome::default())
}

/// Says how many addresses got no answer.
pub(crate) fn report(hosts: &Hosts, io: &Io) {
    if hosts.n_failed() > 0 {
        io.messages.note(format_args!(
            "{} of {} addresses got no answer in time and are `?`",
            hosts.n_failed(),
            hosts.n_addresses()
        ));
    }
}

/// Where names come from: the table of names, the cache, and name servers when there are `settings`.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn hosts(args: &Args, settings: Option<Settings>, io: &Io) -> Result<Hosts> {
    let mut hosts = Hosts::new();
    if let Some(path) = &args.map {
        let read = || hosts::table(named::open(path)?);
        hosts = hosts.with_table(read().with_context(|| format!("reading the table {}", path.display()))?);
    }
    if let Some(mut settings) = settings {
        let most = dns::max_concurrency();
        if settings.concurrency > most {
            io.messages.note(format_args!(
                "{} lookups at a time instead of {}: each needs a socket, and the limit of open files is near",
                most, settings.concurrency
            ));
            settings.concurrency = most;
        }
        hosts = hosts.with_servers(settings);
        if let Some(path) = &args.cache {
            // said now, not after an hour of lookups
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                anyhow::bail!("the cache {}: there is no folder {}", path.display(), folder.display());
            }
            let (with_cache, n_bad) = hosts.with_cache(path)?;
            hosts = with_cache;
            if n_bad > 0 {
                io.messages.note(format_args!("{n_bad} damaged lines in {} passed over", path.display()));
            }
        }
    }
    Ok(hosts)
}

fn run(hosts: &mut Hosts, io: &mut Io) -> Result<()> {
    let mut input = io.input()?;
    let mut output = io.output()?;
    let mut queue = Queue::default();
    while let Some(batch) = input.next_batch(&mut io.rejects)? {
        for i in 0..batch.len() {
            let line = batch.line(i);
            match wanted(line) {
                Ok(ip) => {
                    let slot = ip.map(|ip| hosts.slot(&ip)).transpose()?;
                    queue.push(line, slot, hosts, &mut output)?;
                }
                Err(reason) => {
                    let (path, n) = batch.place(i);
                    io.rejects.reject(path, n, reason, line)?;
                }
            }
            if i % 1024 == 0 {
                hosts.poll()?;
                queue.advance(hosts, &mut output)?;
            }
        }
        hosts.poll()?;
        queue.advance(hosts, &mut output)?;
        queue.flush(&mut output)?;
    }
    queue.finish(hosts, &mut output)?;
    output.finish()
}

/// The address whose name a record wants: one that has an address and no host yet.
fn wanted(line: &[u8]) -> Result<Option<Cow<'_, str>>, &'static str> {
    let kind = json::kind_of(line).map_err(json::Bad::reason)?;
    if !matches!(Kind::from_name(&kind), Some(Kind::Web | Kind::Toolstart | Kind::ToolSession)) {
        return Ok(None);
    }
    let (mut ip, mut host) = (None, None);
    for member in Members::new(line) {
        let member = member.map_err(json::Bad::reason)?;
        match member.key {
            b"ip" => ip = text(&line[member.value]).ok_or("field `ip` is no text")?,
            b"host" => host = text(&line[member.value]).ok_or("field `host` is no text")?,
            _ => {}
        }
    }
    // blanks at the end do not count, as in the tables
    let filled = |text: &Cow<'_, str>| !text.trim_end_matches(' ').is_empty();
    Ok(ip.filter(filled).filter(|_| host.as_ref().is_none_or(|host| !filled(host))))
}

/// A raw JSON value as text, `Some(None)` for null, `None` for anything else.
fn text(raw: &[u8]) -> Option<Option<Cow<'_, str>>> {
    if raw == b"null" {
        return Some(None);
    }
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', inner).is_none() {
        return Some(Some(Cow::Borrowed(std::str::from_utf8(inner).ok()?)));
    }
    serde_json::from_slice::<String>(raw).ok().map(|text| Some(Cow::Owned(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_records_want_a_name() {
        for (line, expected) in [
            (r#"{"kind":"web","ip":"8.8.8.8"}"#, Ok(Some("8.8.8.8"))),
            (r#"{"kind":"toolstart","host":"","ip":"8.8.8.8"}"#, Ok(Some("8.8.8.8"))),
            (r#"{"kind":"tool_session","host":"  ","ip":"8.8.8.\u0038"}"#, Ok(Some("8.8.8.8"))),
            (r#"{"kind":"web","host":null,"ip":"x"}"#, Ok(Some("x"))),
            (r#"{"kind":"web","host":"?","ip":"8.8.8.8"}"#, Ok(None)),
            (r#"{"kind":"web","host":"a.b","ip":"8.8.8.8"}"#, Ok(None)),
            (r#"{"kind":"web","ip":""}"#, Ok(None)),
            (r#"{"kind":"web","ip":" "}"#, Ok(None)),
            (r#"{"kind":"web"}"#, Ok(None)),
            (r#"{"kind":"login","ip":"8.8.8.8"}"#, Ok(None)),
            (r#"{"kind":"web","ip":8}"#, Err("field `ip` is no text")),
            (r#"{"kind":"web","ip":"8","host":[]}"#, Err("field `host` is no text")),
            (r#"{"kind":"web","ip":"8"#, Err("not a JSON object")),
            (r#"{"ip":"8"}"#, Err("no field `kind`")),
        ] {
            assert_eq!(wanted(line.as_bytes()).as_ref().map(Option::as_deref), expected.as_ref().map(|e| *e), "{line}");
        }
    }
}
