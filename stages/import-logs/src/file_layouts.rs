//! Which layout each file has, according to the options, the configuration and its name, or whether
//! it must be recognised.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use hub::config::Config;
use kit::Usage;
use kit::path_text::base_name;
use logs::discovery;

use crate::args::Args;
use crate::layout::{Hints, Layout};
use crate::layouts::client::{Choice, networks};
use crate::layouts::entry::ClientFrom;
use crate::layouts::named;
use crate::server_conf;

/// The header in which proxies give the client's address, unless the user names another.
const FORWARDED: &str = "X-Forwarded-For";

/// The layouts of the files of a run.
#[derive(Debug, Clone)]
pub(crate) struct FileLayouts {
    hints: Arc<Hints>,
    /// The layout of all files, if one was given.
    asked: Option<Layout>,
    /// The site whose logs have a hub's layout.
    site: Option<String>,
}

impl FileLayouts {
    /// From the options, and from the configuration if there is one.
    ///
    /// # Errors
    /// A name or a format cannot be used.
    pub(crate) fn new(args: &Args, config: Option<&Config>) -> Result<Self> {
        let logs = config.map(|config| config.logs.clone()).unwrap_or_default();
        let usage = |text: String| Usage(text);
        let mut from = match (&args.client_from, &logs.client_from) {
            (Some(from), _) => from.0.clone(),
            (None, Some(text)) => {
                crate::args::client_from(text).map_err(|e| usage(format!("[logs] client_from: {e}")))?
            }
            (None, None) => ClientFrom::default(),
        };
        let proxies = match (&args.trusted_proxies, &logs.trusted_proxies) {
            (Some(proxies), _) => proxies.0.clone(),
            (None, Some(text)) => networks(text).map_err(|e| usage(format!("[logs] trusted_proxies: {e}")))?,
            (None, None) => Vec::new(),
        };
        if !proxies.is_empty() {
            from.header.get_or_insert_with(|| FORWARDED.to_owned());
            from.choice = Choice::Behind(proxies);
        }
        let today = kit::today()?;
        let latest = today.plus_days(1).to_ascii();
        let latest = *latest.first_chunk::<10>().unwrap_or(b"9999-12-31");
        let hints = Arc::new(Hints { from, prefixes: args.prefix.unwrap_or_default(), latest });
        let site = config.filter(|config| config.file.is_some() || config.site.explicit);
        let site = site.map(|config| config.site.name.clone());
        let mut made = Self { hints, asked: None, site };
        made.asked = match (&args.server_conf, &args.log_format, &logs.log_format) {
            (Some(conf), ..) => Some(made.of_server(conf)?),
            (None, Some(text), _) => Some(made.named(text).map_err(usage)?),
            (None, None, Some(text)) => Some(made.named(text).map_err(|e| usage(format!("[logs] log_format: {e}")))?),
            (None, None, None) => None,
        };
        Ok(made)
    }

    /// The layout that a web server's configuration names.
    fn of_server(&self, conf: &str) -> Result<Layout> {
        // a path may contain a colon itself
        let (path, name) = match conf.rsplit_once(':') {
            Some((path, name)) if !Path::new(conf).exists() => (path, Some(name)),
            _ => (conf, None),
        };
        let text = server_conf::format(Path::new(path), name)?;
        Ok(self.named(&text).map_err(Usage)?)
    }

    /// The layout for a name or a format text.
    ///
    /// # Errors
    /// There is no such layout.
    pub(crate) fn named(&self, text: &str) -> Result<Layout, String> {
        if text.trim().eq_ignore_ascii_case("auto") {
            return Ok(Layout::Auto(Arc::clone(&self.hints)));
        }
        let mut layout = named::Layout::new(text, &self.hints.from)?;
        if layout.is_hub() {
            return Ok(Layout::Hubzero);
        }
        layout.prefixes = self.hints.prefixes;
        layout.until(self.hints.latest);
        Ok(Layout::Other(Arc::new(layout)))
    }

    /// The layout of a hub's own logs.
    ///
    /// # Errors
    /// A header is requested that these logs do not have.
    pub(crate) fn of_hub(&self) -> Result<Layout> {
        match &self.asked {
            Some(asked) => Ok(asked.clone()),
            None => Ok(self.named("hubzero").map_err(Usage)?),
        }
    }

    /// The layout of one file, or of standard input.
    ///
    /// # Errors
    /// As [`FileLayouts::of_hub`].
    pub(crate) fn of(&self, path: Option<&Path>) -> Result<Layout> {
        let is_of_site = |path: &Path| {
            let site = self.site.as_deref();
            site.is_some() && discovery::is_of(discovery::Stream::Access, site, &base_name(path))
        };
        match &self.asked {
            Some(asked) => Ok(asked.clone()),
            None if path.is_some_and(is_of_site) => self.of_hub(),
            None => Ok(Layout::Auto(Arc::clone(&self.hints))),
        }
    }
}
