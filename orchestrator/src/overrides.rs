//! The options `-c` and `--compat` before a command. They become variables that this run and every process
//! that it starts see in place of those of the environment.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use anyhow::Result;
use hub::config::{self, Config, process_env};
use kit::Usage;
use schema::Compat;

use crate::shell::Variables;

/// The compatibility options, as the stages read them.
pub(crate) const COMPAT: &str = "HZMETRICS_COMPAT";

/// A name and its value.
pub(crate) type Assignment = (String, Vec<u8>);

/// Variables that come before those of the environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides(Vec<Assignment>);

impl Overrides {
    /// Those of a configuration file and a list of compatibility options, where they were given.
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

    /// The same with more variables, which come first.
    pub(crate) fn with(&self, more: impl IntoIterator<Item = Assignment>) -> Self {
        Self(self.0.iter().cloned().chain(more).collect())
    }

    /// All of them, in the order in which they are set.
    pub(crate) fn list(&self) -> &[Assignment] {
        &self.0
    }

    /// A variable as the processes that we start see it.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        let ours = self.0.iter().rev().find(|(known, _)| known == name);
        ours.map(|(_, value)| OsString::from_vec(value.clone())).or_else(|| process_env(name))
    }

    /// The variables that a chain starts with: the environment, then these.
    pub(crate) fn variables(&self) -> Variables {
        let mut variables = Variables::from_environment();
        for (name, value) in &self.0 {
            variables.export(name, OsString::from_vec(value.clone()));
        }
        variables
    }

    /// The compatibility options: of the command line or the environment, else of the configuration.
    ///
    /// # Errors
    /// There is no option of that name.
    pub(crate) fn compat(&self, config: &Config) -> Result<Compat> {
        match self.get(COMPAT) {
            Some(list) => Compat::parse(&list.to_string_lossy()).map_err(|e| Usage(e.to_string()).into()),
            None => Ok(config.compat.unwrap_or_default()),
        }
    }
}
