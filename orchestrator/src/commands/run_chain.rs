//! `hzmetrics run-chain`: runs a named chain.

use std::time::Instant;

use anyhow::{Context as _, Result};
use hub::config::{Paths, process_env};
use hub::health::{self, Ended};
use kit::measure::Measures;
use kit::{Usage, Uses};

use super::chains::Named;
use super::{Call, Command};
use crate::shell::{Shell, code_of};

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
    /// A chain leaves this to its stages.
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
        let begun = Instant::now();
        let done = shell.run(&chain.text).context(place);
        note(&chain.name, begun, &done);
        done
    }
}

/// Records how a chain ended if it is one of the usual lines. A failure to do so is ignored.
fn note(name: &str, begun: Instant, done: &Result<u8>) {
    // pipes of filters are not part of the daily work, and what root writes there others cannot change
    if ["pipe", "demo"].contains(&name) || hub::identity::is_root() {
        return;
    }
    let exit = done.as_ref().map_or_else(code_of, |code| *code);
    let (elapsed, measures) = (begun.elapsed(), Measures::default());
    let Ok(at) = kit::seconds_since_1970() else { return };
    let ended = Ended { program: &format!("chain {name}"), exit, is_part: false, at, elapsed, measures: &measures };
    let _ = health::note(&Paths::new(&process_env), &ended);
}
