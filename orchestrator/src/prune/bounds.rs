//! The keys of `[retention]`, understood.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use anyhow::Result;
use hub::config::Retention;
use kit::Usage;
use schema::Month;

/// The keys that say for how long.
const KEYS: &str = "logs_months, web_months, logins_months, dns_cache_days, staged_days, rejects_days or backups_keep";

/// Pages and explanations of the last month look at single rows of twelve months.
const YEAR: u32 = 12;

/// How long things are kept; `None` is forever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The first months whose logs, requests and logins stay.
    pub(crate) logs: Option<Month>,
    pub(crate) web: Option<Month>,
    pub(crate) logins: Option<Month>,
    /// Days.
    pub(crate) dns_cache: Option<u64>,
    pub(crate) staged: Option<u64>,
    pub(crate) rejects: Option<u64>,
    /// A folder, and how many backups stay in it.
    pub(crate) backups: Option<(PathBuf, usize)>,
}

impl Bounds {
    /// # Errors
    /// A value is not what it must be, or there is none.
    pub(crate) fn of(retention: &Retention, current: Month) -> Result<Self> {
        let bounds = Self::read(retention, current)?;
        if bounds == Self::default() {
            return Err(Usage(format!("nothing is to be removed: set [retention] {KEYS} in hzmetrics.conf")).into());
        }
        Ok(bounds)
    }

    /// # Errors
    /// A value is not what it must be.
    pub(crate) fn read(retention: &Retention, current: Month) -> Result<Self> {
        let months = |name, least| {
            let n = number(retention, name, least..=1200, "months")?;
            Ok::<_, Usage>(n.map(|n| current.minus(n)))
        };
        let days = |name| Ok::<_, Usage>(number(retention, name, 1..=36_500, "days")?.map(u64::from));
        let keep = number(retention, "backups_keep", 1..=65_535, "backups")?;
        let folder = retention.get("backups_path").map(PathBuf::from);
        let backups = match (folder, keep) {
            (Some(folder), Some(keep)) if folder.is_absolute() => Some((folder, keep as usize)),
            (None, None) => None,
            _ => {
                let text = "[retention] backups_keep needs backups_path, an absolute path, and the other way round";
                return Err(Usage(text.to_owned()).into());
            }
        };
        Ok(Self {
            logs: months("logs_months", 1)?,
            web: months("web_months", YEAR)?,
            logins: months("logins_months", YEAR)?,
            dns_cache: days("dns_cache_days")?,
            staged: days("staged_days")?,
            rejects: days("rejects_days")?,
            backups,
        })
    }
}

fn number(retention: &Retention, name: &str, may: RangeInclusive<u32>, what: &str) -> Result<Option<u32>, Usage> {
    // the sample of the configuration has the default as a word
    let default = schema::keys::find("retention", name).map(|key| key.default);
    let Some(text) = retention.get(name).filter(|text| Some(*text) != default) else { return Ok(None) };
    let n = text.parse::<u32>().ok().filter(|n| may.contains(n));
    let (least, most) = may.into_inner();
    n.map(Some).ok_or_else(|| Usage(format!("[retention] {name} is `{text}`, which is not {least} to {most} {what}")))
}
