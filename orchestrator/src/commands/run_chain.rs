//! `hzmetrics run-chain`: runs a named chain.

use anyhow::{Context as _, Result};
use kit::Usage;
use kit::Uses;

use super::chains::Named;
use super::{Call, Command};
use crate::shell::Shell;

/// Run a named chain
///
/// `hzmetrics chains` lists the chains; `hzmetrics chains NAME` shows the text of one and the variables
/// that it takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    named: Named,
}

impl Command for Args {
    /// A chain leaves that to its stages.
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, call: &Call) -> Result<u8> {
        let (chain, overrides) = self.named.chain(call)?;
        let variables = overrides.variables();
        let place = chain.place();
        if let Some(missing) = chain.parameters().into_iter().find(|p| p.required && variables.get(&p.name).is_empty())
        {
            let (name, about) = (missing.name, missing.about);
            let text = format!("{place} needs {name}: {about} (`hzmetrics chains {}` shows it)", chain.name);
            return Err(Usage(text).into());
        }
        let mut shell = Shell::new(&place, variables, call.messages)?;
        shell.hand_on_if_there()?;
        shell.run(&chain.text).context(place)
    }
}
