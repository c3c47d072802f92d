//! The health of a hub: one model, which `status`, `check`, the metrics, the heartbeat and the
//! notifications read. Nobody works a figure out for himself.
//!
//! [`facts`] looks at folders, records of runs and databases once; [`signals`] is the table of checks,
//! each with a value, a unit and limits; [`verdict`] holds the values against the limits.
//! Nothing here changes anything.

pub(crate) mod facts;
pub(crate) mod json;
pub(crate) mod metrics;
pub(crate) mod ranges;
pub(crate) mod reading;
pub(crate) mod signals;
pub(crate) mod verdict;

use std::collections::BTreeMap;

use anyhow::Result;

use crate::hub::Hub;
use facts::{Facts, Look, Outside};
use ranges::Limits;
use reading::State;
use verdict::Checked;

/// Facts, and what they mean.
pub(crate) struct Health {
    pub(crate) facts: Facts,
    pub(crate) checks: Vec<Checked>,
}

impl Health {
    /// All checks but those that only run when they are named, with the limits of the configuration.
    ///
    /// # Errors
    /// A limit cannot be understood, or the clock is set to something else than a time.
    pub(crate) fn examine(hub: &Hub, look: Look) -> Result<Self> {
        let settled = settled(hub)?;
        let (facts, outside) = (Facts::look(hub, look)?, Outside::look(hub));
        let usual = signals::SIGNALS.iter().filter(|signal| signal.is_usual);
        let checks = usual.filter_map(|signal| {
            let limits = settled.get(signal.name).cloned().unwrap_or_else(|| Some(signal.limits()))?;
            Some(verdict::judge(signal, &(signal.look)(&facts, &outside), &limits))
        });
        let checks = checks.collect();
        Ok(Self { facts, checks })
    }

    /// The worst of all states.
    pub(crate) fn state(&self) -> State {
        verdict::worst(&self.checks)
    }
}

/// The limits that the configuration names, by check; `None` for one that is switched off.
///
/// # Errors
/// There is no check of that name, or the limits are not understood.
pub(crate) fn settled(hub: &Hub) -> Result<BTreeMap<&'static str, Option<Limits>>> {
    let settle = |(name, text): (&String, &String)| {
        let signal = signals::find(name).map_err(|why| kit::Usage(format!("[check] {why}")))?;
        let limits = if text == "off" { None } else { Some(signal.parse(text)) };
        let limits = limits.transpose().map_err(|why| kit::Usage(format!("[check] {name}: {why}")))?;
        Ok((signal.name, limits))
    };
    hub.config.checks.iter().map(settle).collect()
}
