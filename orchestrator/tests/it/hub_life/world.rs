//! The outside world: requests, logins and tool sessions of a made-up hub, day by day, and the
//! servers for names and countries.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use fixtures::db::Pair;
use fixtures::geo::{GeoServer, Says};
use fixtures::hub::Plan;
use schema::Month;
use serde_json::Value;

use fixtures::name_server::{NameServer, Reply};

/// The logs of a day.
#[derive(Debug, Clone)]
pub(super) struct Logs {
    /// `YYYYMMDD`.
    pub(super) day: String,
    pub(super) access: Vec<u8>,
    pub(super) auth: Vec<u8>,
}

impl Logs {
    /// `YYYY-MM-DD`.
    pub(super) fn date(&self) -> String {
        format!("{}-{}-{}", &self.day[..4], &self.day[4..6], &self.day[6..])
    }
}

/// The whole world.
pub(super) struct World {
    pub(super) days: Vec<Logs>,
    /// Rows of the hub's tables that exist from the beginning.
    lasting: BTreeMap<&'static str, Vec<Value>>,
    /// Tool sessions and jobs by the date on which they began.
    daily: BTreeMap<String, Vec<(&'static str, Value)>>,
    names: NameServer,
    places: GeoServer,
}

/// The hub's table for a kind of record.
pub(crate) fn table(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "hub_user" => "jos_users",
        "hub_profile" => "jos_xprofiles",
        "hub_user_profile" => "jos_user_profiles",
        "hub_resource" => "jos_resources",
        "hub_tool_version" => "jos_tool_version",
        "hub_session" => "sessionlog",
        "hub_job" => "joblog",
        // the nightly job creates them from the jobs
        _ => return None,
    })
}

impl World {
    pub(super) fn new(seed: u64, first: Month, n_months: u32) -> Self {
        let plan =
            Plan { seed, first, n_months, visits_a_day: 7, n_members: 30, odd: 5, gzip: false, old_layout: true };
        let folder = tempfile::tempdir().unwrap();
        let _ = plan.make(folder.path(), || {}).unwrap();
        let mut days = Vec::new();
        for month in first.through(plan.last()) {
            for day in 1..=month.days() {
                let day = format!("{}{day:02}", month.to_string().replace('-', ""));
                let read = |name: String| without_midnight(&std::fs::read(folder.path().join(name)).unwrap());
                days.push(Logs {
                    access: read(format!("httpd/daily/hub-access.log-{day}")),
                    auth: read(format!("hubzero/daily/cmsauth.log-{day}")),
                    day,
                });
            }
        }
        let (mut lasting, mut daily) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for line in std::fs::read_to_string(folder.path().join("hub.ndjson")).unwrap().lines() {
            let mut record: Value = serde_json::from_str(line).unwrap();
            let kind = record.as_object_mut().unwrap().remove("kind").unwrap();
            let Some(table) = table(kind.as_str().unwrap()) else { continue };
            match record["start"].as_str().map(|start| start[..10].to_owned()) {
                Some(date) => daily.entry(date).or_default().push((table, record)),
                None => lasting.entry(table).or_default().push(record),
            }
        }
        let names = names(folder.path());
        Self { days, lasting, daily, names: NameServer::start(names), places: GeoServer::start(place) }
    }

    /// Writes the rows that exist from the beginning to the hub's database.
    pub(super) fn found(&self, pair: &Pair) {
        for (table, rows) in &self.lasting {
            insert(pair, table, rows);
        }
        // who is online: long enough for the test
        pair.sql(
            "INSERT INTO {hub}.jos_session (session_id, guest, time, userid, username, ip) VALUES \
             ('a', 0, '4000000000', 1001, 'emmy1', '9.0.0.1'), ('b', 1, '4000000001', 0, '', '9.0.0.2')",
        );
    }

    /// Writes the tool sessions that began on a day to the hub's database.
    pub(super) fn work(&self, pair: &Pair, logs: &Logs) {
        for table in ["sessionlog", "joblog"] {
            let rows = self.daily.get(&logs.date()).into_iter().flatten().filter(|(of, _)| *of == table);
            insert(pair, table, &rows.map(|(_, row)| row.clone()).collect::<Vec<_>>());
        }
    }

    /// The environment in which names and countries come from these servers only.
    pub(super) fn env(&self) -> Vec<(&'static str, String)> {
        let url = self.places.url();
        let proxy = url.split_once("/ipinfo").unwrap().0.to_owned();
        vec![
            ("HZMETRICS_DNS_NAMESERVER", self.names.address()),
            ("HZMETRICS_DNS_TIMEOUT", "60".to_owned()),
            // the address of the geo service is fixed
            ("ALL_PROXY", proxy.clone()),
            ("HTTP_PROXY", proxy.clone()),
            ("HTTPS_PROXY", proxy),
            ("NO_PROXY", String::new()),
        ]
    }

    pub(super) fn geo_url(&self) -> String {
        self.places.url()
    }

    /// How many names and places were looked up.
    pub(super) fn asked(&self) -> (u64, usize) {
        (self.names.n_asked(), self.places.asked().len())
    }
}

/// A request exactly at midnight is outside all periods of the name lookup, so its result would
/// depend on when its month was processed: there are none here.
fn without_midnight(bytes: &[u8]) -> Vec<u8> {
    let (from, to) = (b" 00:00:00 ", b" 00:00:01 ");
    let mut out = bytes.to_vec();
    while let Some(at) = out.windows(from.len()).position(|part| part == from) {
        out[at..at + to.len()].copy_from_slice(to);
    }
    out
}

pub(crate) fn insert(pair: &Pair, table: &str, rows: &[Value]) {
    let Some(first) = rows.first().and_then(Value::as_object) else { return };
    let names: Vec<&String> = first.keys().collect();
    let mut text = serde_json::to_string(&names).unwrap();
    for row in rows {
        let cells: Vec<Value> = names
            .iter()
            .map(|name| match &row[name.as_str()] {
                Value::Null => Value::Null,
                Value::String(text) => text.as_str().into(),
                other => other.to_string().into(),
            })
            .collect();
        text += "\n";
        text += &Value::from(cells).to_string();
    }
    pair.load(&format!("{{hub}}.{table}"), &text);
}

pub(crate) fn names(folder: &Path) -> impl Fn(Ipv4Addr) -> Reply + Send + Sync + 'static {
    let text = std::fs::read_to_string(folder.join("hosts.csv")).unwrap();
    let pairs = text.lines().skip(1).filter_map(|line| line.split_once(','));
    let known: BTreeMap<Ipv4Addr, String> = pairs.map(|(ip, host)| (ip.parse().unwrap(), host.to_owned())).collect();
    move |ip| match known.get(&ip) {
        Some(host) => Reply::name(host.as_str()),
        None => Reply::NxDomain,
    }
}

fn place(ip: u32) -> Says {
    let country = ["US", "DE", "BR", "IN", "-", "JP", ""][(ip >> 24) as usize % 7];
    Says::place([country, "Somewhere", "R", "C", "1.5", "-2.25"])
}
