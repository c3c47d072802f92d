//! The health of a hub: one model, read by `status`, `check`, the metrics, the heartbeat and the
//! notifications. None of them computes a figure on its own.
//!
//! [`facts`] collects the facts once, from folders, records of runs and databases. [`signals`] is the
//! table of checks, each with a value, a unit and limits. [`verdict`] compares the values with the
//! limits. Nothing here changes anything.

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
    /// All checks except those that run only when named, with the limits of the configuration.
    ///
    /// # Errors
    /// A limit is not understood, or the clock is set to an impossible time.
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

/// The limits that the configuration sets, by check; `None` for a check that is switched off.
///
/// # Errors
/// No check has that name, or its limits are not understood.
pub(crate) fn settled(hub: &Hub) -> Result<BTreeMap<&'static str, Option<Limits>>> {
    let checks = hub.config.checks.iter();
    checks.map(|(name, text)| settle(name, text).map_err(|why| kit::Usage(why).into())).collect()
}

/// A line of the section `[check]`: the check, and its limits unless it is switched off.
///
/// # Errors
/// No check has that name, or its limits are not understood; says which.
pub(crate) fn settle(name: &str, text: &str) -> Result<(&'static str, Option<Limits>), String> {
    let signal = signals::find(name).map_err(|why| format!("[check] {why}"))?;
    let limits = if text == "off" { None } else { Some(signal.parse(text)) };
    let limits = limits.transpose().map_err(|why| format!("[check] {name}: {why}"))?;
    Ok((signal.name, limits))
}
