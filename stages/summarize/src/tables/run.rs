//! One run on the databases: the connections, and what is computed from the options.

use anyhow::Result;
use database::{Db, Which};
use hub::config::Config;
use kit::Messages;
use schema::Opt;

use super::needs::Needs;
use super::read::{self, Extent};
use crate::args::Args;
use crate::axis::Axis;
use crate::scan::Ground;
use crate::{reference, tools};

/// Where Rappture tools are installed on a hub.
const APPS: &str = "/apps";

/// One run on the databases.
pub(super) struct Run<'a> {
    pub(super) args: &'a Args,
    pub(super) config: Config,
    pub(super) metrics: Db,
    pub(super) hub: Db,
    pub(super) messages: Messages,
}

impl<'a> Run<'a> {
    pub(super) fn new(args: &'a Args, config: Config, messages: Messages) -> Result<Self> {
        let target = config.target();
        let (metrics, hub) = (Db::connect(&target, Which::Metrics)?, Db::connect(&target, Which::Hub)?);
        Ok(Self { args, config, metrics, hub, messages })
    }

    /// What the cells depend on besides the rows.
    pub(super) fn ground(&mut self, axis: Axis) -> Result<Ground> {
        let places = reference::places(self.args.lists(), Some(read::places(&mut self.metrics)?))?;
        Ok(Ground { axis, places, apps: self.apps()?, compat: self.args.compat() })
    }

    /// What reads the tables that are needed.
    pub(super) fn reader(&self, needs: Needs, room: usize) -> read::Reader {
        let (target, extent) = (self.config.target(), Extent::Whole);
        read::Reader { target, extent, needs, compat: self.args.compat(), room }
    }

    /// The Rappture tools: those from the options, otherwise those installed.
    fn apps(&self) -> Result<Vec<String>> {
        let as_port = self.args.compat().has(Opt::LpSummary);
        if self.args.apps.is_empty() && self.args.apps_root.is_none() {
            let root = std::path::Path::new(APPS);
            return if root.is_dir() { tools::installed(root, as_port) } else { Ok(Vec::new()) };
        }
        tools::of_options(self.args, as_port)
    }
}
