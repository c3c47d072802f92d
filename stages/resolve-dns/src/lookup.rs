//! Where names come from, in a pipe and with tables: a map, a cache, name servers.

use anyhow::Result;
use enrich::dns::Settings;
use enrich::hosts::{self, Hosts};
use hub::config::Dns;
use kit::Io;

use crate::args::Args;

/// Prints how many addresses got no answer.
pub(crate) fn report(hosts: &Hosts, io: &Io) {
    if hosts.n_failed() > 0 {
        io.messages.note(format_args!(
            "{} of {} got no answer in time and {} `?`",
            hosts.n_failed(),
            kit::counted(hosts.n_addresses(), "address", "addresses"),
            if hosts.n_failed() == 1 { "is" } else { "are" }
        ));
    }
}

/// How to ask name servers; `None` if only the map is used. Settings without an option are taken
/// from `dns`.
///
/// # Errors
/// The name server is not an address, or the system has none.
pub(crate) fn settings(args: &Args, dns: &Dns) -> Result<Option<Settings>> {
    let only_map = args.map.is_some() && args.servers.nameserver.is_none();
    (!only_map).then(|| args.servers.settings(dns, args.common.compat)).transpose()
}

/// Where names come from: the map, the cache, and name servers.
///
/// # Errors
/// A file cannot be read, or there is no name server.
pub(crate) fn hosts(args: &Args, dns: &Dns, io: &Io) -> Result<Hosts> {
    let settings = settings(args, dns)?;
    let mut hosts = Hosts::new();
    if let Some(path) = &args.map {
        hosts = hosts.with_table(hosts::read_table(path)?);
    }
    if let Some(settings) = settings {
        hosts = hosts.with_servers(settings);
        if let Some(path) = &args.cache {
            // reported now rather than after an hour of lookups
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                anyhow::bail!("the cache {}: there is no folder {}", path.display(), folder.display());
            }
            let (with_cache, n_bad) = hosts.with_cache(path)?;
            hosts = with_cache;
            if n_bad > 0 {
                io.messages.note(format_args!("{n_bad} damaged lines in {} were ignored", path.display()));
            }
        }
    }
    Ok(hosts)
}
