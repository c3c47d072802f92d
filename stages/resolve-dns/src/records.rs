//! The pipe's face: which records need a name, and their way through the queue.

use std::borrow::Cow;

use anyhow::Result;
use enrich::hosts::Hosts;
use hub::config::{self, Dns};
use kit::{Io, Outcome};
use schema::Kind;
use schema::json::{self, Members};

use crate::args::Args;
use crate::lookup;
use crate::queue::Queue;

/// Runs the stage on records.
///
/// # Errors
/// A file cannot be read, a lookup or a stream fails.
pub(crate) fn run(args: &Args, io: &mut Io) -> Result<Outcome> {
    let mut hosts = lookup::hosts(args, &Dns::default().with_environment(&config::process_env), io)?;
    let done = walk(&mut hosts, io);
    // names that were found are kept even if the reader left
    let saved = hosts.save();
    done?;
    saved?;
    lookup::report(&hosts, io);
    Ok(Outcome::default())
}

fn walk(hosts: &mut Hosts, io: &mut Io) -> Result<()> {
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

/// The address of a record that needs a name: it has an address but no host.
fn wanted(line: &[u8]) -> Result<Option<Cow<'_, str>>, &'static str> {
    let kind = json::kind_of(line).map_err(json::Bad::reason)?;
    if !matches!(Kind::from_name(&kind), Some(Kind::Web | Kind::Toolstart | Kind::ToolSession)) {
        return Ok(None);
    }
    let (mut ip, mut host) = (None, None);
    for member in Members::new(line) {
        let member = member.map_err(json::Bad::reason)?;
        match member.key {
            b"ip" => ip = json::text(&line[member.value]).map_err(|_| "field `ip` is not text")?,
            b"host" => host = json::text(&line[member.value]).map_err(|_| "field `host` is not text")?,
            _ => {}
        }
    }
    // trailing blanks are ignored, as in the tables
    let filled = |text: &Cow<'_, str>| !text.trim_end_matches(' ').is_empty();
    Ok(ip.filter(filled).filter(|_| host.as_ref().is_none_or(|host| !filled(host))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_with_an_address_and_no_host_need_a_name() {
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
            (r#"{"kind":"web","ip":8}"#, Err("field `ip` is not text")),
            (r#"{"kind":"web","ip":"8","host":[]}"#, Err("field `host` is not text")),
            (r#"{"kind":"web","ip":"8"#, Err("not a JSON object")),
            (r#"{"ip":"8"}"#, Err("no field `kind`")),
        ] {
            assert_eq!(wanted(line.as_bytes()).as_ref().map(Option::as_deref), expected.as_ref().map(|e| *e), "{line}");
        }
    }
}
