//! The options `-c` and `--compat` before a command. They become variables that override the environment,
//! for this run and for every process that it starts.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use anyhow::Result;
use hub::config::{self, Config, process_env};
use kit::Usage;
use schema::Compat;

use crate::shell::Variables;

/// The variable with the compatibility options for the stages.
pub(crate) const COMPAT: &str = "HZMETRICS_COMPAT";

/// A name and its value.
pub(crate) type Assignment = (String, Vec<u8>);

/// Variables that override the environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides(Vec<Assignment>);

impl Overrides {
    /// For a configuration file and a list of compatibility options, if given.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn new(file: Option<&Path>, compat: Option<&str>) -> Result<Self> {
        let mut list = Vec::new();
        if let Some(file) = file {
            let config = config::read(Some(file), &process_env)?;
            list.extend(config.variables().into_iter().map(|(name, value)| (name.to_owned(), value.into_vec())));
        }
        list.extend(compat.map(|compat| (COMPAT.to_owned(), compat.as_bytes().to_vec())));
        Ok(Self(list))
    }

    /// The same with more variables, which take precedence.
    pub(crate) fn with(&self, more: impl IntoIterator<Item = Assignment>) -> Self {
        Self(self.0.iter().cloned().chain(more).collect())
    }

    /// All of them, in the order in which they are set.
    pub(crate) fn list(&self) -> &[Assignment] {
        &self.0
    }

    /// A variable as seen by the processes we start.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        let ours = self.0.iter().rev().find(|(known, _)| known == name);
        ours.map(|(_, value)| OsString::from_vec(value.clone())).or_else(|| process_env(name))
    }

    /// The initial variables of a chain: the environment, then these.
    pub(crate) fn variables(&self) -> Variables {
        let mut variables = Variables::from_environment();
        for (name, value) in &self.0 {
            variables.export(name, OsString::from_vec(value.clone()));
        }
        variables
    }

    /// The compatibility options: from the command line or the environment, or else from the
    /// configuration.
    ///
    /// # Errors
    /// An option is unknown.
    pub(crate) fn compat(&self, config: &Config) -> Result<Compat> {
        match self.get(COMPAT) {
            Some(list) => Compat::parse(&list.to_string_lossy()).map_err(|e| Usage(e.to_string()).into()),
            None => Ok(config.compat.unwrap_or_default()),
        }
    }
}
