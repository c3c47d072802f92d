//! `hzmetrics chains`: lists the named chains, or prints one; and how other commands name one.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use hub::config::{Paths, process_env};
use kit::Uses;
use schema::Month;
use serde_json::json;

use super::values::assignment;
use super::{Call, Command, print};
use crate::chains::{Chain, Chains, Parameter};
use crate::json::VERSION;
use crate::overrides::{Assignment, Overrides};

/// Folder with an administrator's own chains.
const VARIABLE: &str = "HZMETRICS_CHAINS";

/// List the named chains, or print the text of one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The chain to print
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Print one JSON object instead of lines
    #[arg(long, conflicts_with = "name")]
    json: bool,

    #[command(flatten)]
    folder: Folder,
}

/// Where to search for chains.
#[derive(Debug, clap::Args)]
struct Folder {
    /// Folder with chains of your own, searched first (also HZMETRICS_CHAINS)
    #[arg(long, value_name = "DIR")]
    chains: Option<PathBuf>,
}

impl Folder {
    fn open(&self) -> Result<Chains> {
        let variable = || std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        Chains::new(self.chains.clone().or_else(variable), Paths::new(&process_env).chains())
    }
}

/// The names of all chains.
///
/// # Errors
/// A folder cannot be read.
pub(crate) fn names() -> Result<Vec<String>> {
    let chains = Folder { chains: None }.open()?.all()?;
    Ok(chains.into_iter().map(|chain| chain.name).collect())
}

/// A named chain with values for its variables.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// The chain; `hzmetrics chains` lists them
    #[arg(value_name = "NAME")]
    name: String,

    /// A month (it becomes MONTH) and variables for the chain
    #[arg(value_name = "MONTH|NAME=VALUE", value_parser = OsStringValueParser::new().try_map(variable))]
    variables: Vec<Assignment>,

    #[command(flatten)]
    folder: Folder,
}

impl Named {
    /// The chain, and the variables that are set before it starts.
    ///
    /// # Errors
    /// There is no chain with that name, or it cannot be read.
    pub(super) fn chain(&self, call: &Call) -> Result<(Chain, Overrides)> {
        let chain = self.folder.open()?.get(&self.name)?;
        Ok((chain, call.overrides.with(self.variables.iter().cloned())))
    }
}

fn variable(word: OsString) -> Result<Assignment, String> {
    if let Some(variable) = assignment(&word) {
        return Ok(variable);
    }
    let month = word.to_string_lossy().parse::<Month>();
    let month = month.map_err(|e| format!("neither a month nor NAME=VALUE: {e}"))?;
    Ok(("MONTH".to_owned(), month.to_string().into_bytes()))
}

impl Command for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, _: &Call) -> Result<u8> {
        let chains = self.folder.open()?;
        if let Some(name) = &self.name {
            return print(&chains.get(name)?.text);
        }
        let all = chains.all()?;
        if self.json {
            return print(as_json(&all).as_bytes());
        }
        let width = |text: fn(&Chain) -> String| all.iter().map(|chain| text(chain).chars().count()).max().unwrap_or(0);
        let (names, origins) = (width(|chain| chain.name.clone()), width(Chain::origin));
        let mut text = String::new();
        for chain in &all {
            text.push_str(&format!("{:names$}  {:origins$}  {}\n", chain.name, chain.origin(), chain.about()));
        }
        print(text.as_bytes())
    }
}

/// The chains with their variables.
fn as_json(chains: &[Chain]) -> String {
    let variable = |one: Parameter| json!({"name": one.name, "about": one.about, "required": one.required});
    let chain = |chain: &Chain| {
        json!({
            "name": chain.name,
            "about": chain.about(),
            "file": chain.file.as_ref().map(|file| file.to_string_lossy()),
            "variables": chain.parameters().into_iter().map(variable).collect::<Vec<_>>(),
        })
    };
    format!("{}\n", json!({"version": VERSION, "chains": chains.iter().map(chain).collect::<Vec<_>>()}))
}
