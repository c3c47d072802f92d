//! A live session, with what the map needs: from a row of the hub's table or from a record.

use std::borrow::Cow;

use anyhow::Result;
use database::Db;
use schema::number;
use serde::Deserialize;

use crate::domain::{self, Rule};

/// The hub's table of live sessions, without the hub's prefix.
pub(crate) const TABLE: &str = "session_geo";

/// A coordinate: as a number, and as printed by the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Degrees {
    pub(crate) value: f64,
    pub(crate) text: String,
}

impl Degrees {
    pub(crate) fn new(value: f64) -> Self {
        Self { value, text: number::shortest(value) }
    }

    fn from_text(text: &str) -> Option<Self> {
        Some(Self { value: text.parse().ok()?, text: text.to_owned() })
    }
}

/// A live session. `None` is NULL.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Session {
    pub(crate) latitude: Option<Degrees>,
    pub(crate) longitude: Option<Degrees>,
    pub(crate) city: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) country: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) guest: Option<i64>,
    pub(crate) ip: Option<String>,
    pub(crate) bot: Option<i64>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(rename = "ipLATITUDE")]
    latitude: Option<f64>,
    #[serde(rename = "ipLONGITUDE")]
    longitude: Option<f64>,
    #[serde(rename = "ipCITY")]
    city: Option<String>,
    #[serde(rename = "ipREGION")]
    region: Option<String>,
    #[serde(rename = "countrySHORT")]
    country: Option<String>,
    #[serde(borrow)]
    host: Option<Cow<'a, str>>,
    domain: Option<String>,
    username: Option<String>,
    guest: Option<i64>,
    ip: Option<String>,
    bot: Option<i64>,
}

impl Session {
    /// From an `online` record. If it has a host but no domain, the domain is derived by `rule`.
    pub(crate) fn from_record(line: &[u8], rule: Rule) -> serde_json::Result<Self> {
        let record: Record<'_> = serde_json::from_slice(line)?;
        let ip = record.ip.as_deref().unwrap_or_default();
        let of_host = || Some(domain::of(ip, record.host.as_deref()?, rule).to_owned());
        Ok(Self {
            domain: record.domain.clone().or_else(of_host),
            latitude: record.latitude.map(Degrees::new),
            longitude: record.longitude.map(Degrees::new),
            city: record.city,
            region: record.region,
            country: record.country,
            username: record.username,
            guest: record.guest,
            ip: record.ip,
            bot: record.bot,
        })
    }
}

/// The sessions in the hub's table that have a place, in storage order.
pub(crate) fn on_the_map(hub: &mut Db) -> Result<Vec<Session>> {
    let sql = format!(
        "SELECT ipLATITUDE, ipLONGITUDE, ipCITY, ipREGION, countrySHORT, domain, username, guest, ip, bot FROM {} \
         WHERE ipLATITUDE <> 0",
        hub.prefixed(TABLE)
    );
    hub.all(&sql, (), |row| {
        let text = |at| row.text(at).map(Cow::into_owned);
        let degrees = |at| row.text(at).and_then(|text| Degrees::from_text(&text));
        Ok(Session {
            latitude: degrees(0),
            longitude: degrees(1),
            city: text(2),
            region: text(3),
            country: text(4),
            domain: text(5),
            username: text(6),
            guest: row.int(7),
            ip: text(8),
            bot: row.int(9),
        })
    })
}
