//! A small hub for the tests: its two databases, its folder of maps, a name server and a geo
//! service that know a few addresses.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use fixtures::Run;
use fixtures::db::{Pair, SqlMode};
use fixtures::geo::{GeoServer, Says};
use schema::tables::Engine;

use fixtures::name_server::{NameServer, Reply};

/// The time on the server's clock in these tests.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) struct Hub {
    pub(crate) pair: Pair,
    pub(crate) names: NameServer,
    pub(crate) geo: GeoServer,
}

fn name(ip: Ipv4Addr) -> Reply {
    match ip.octets() {
        [1, 1, 1, 1] => Reply::name("one.one.one.one"),
        [8, 8, _, _] => Reply::name("Dns.Google"),
        [9, 9, 9, 9] => Reply::name("livebot-65-55.search.msn.com"),
        [9, 9, 9, 10] => Reply::name("foo_bar.example.com"),
        [9, 9, 9, 11] => Reply::name("ab.cd_ef.com"),
        [9, 9, 9, 12] => Reply::name("a.1-2-3-4-isp.net"),
        [9, 9, 9, 13] => Reply::name("1-2-3-4-isp.net"),
        [9, 9, 9, 14] => Reply::name("abcmsnbot.msn.com"),
        [9, 9, 9, 15] => Reply::name("x.foo.br"),
        [9, 9, 9, 16] => Reply::ServFail,
        [200, 1, 1, 1] => Reply::name("h.co.uk"),
        _ => Reply::NxDomain,
    }
}

fn place(number: u32) -> Says {
    let values = match Ipv4Addr::from(number).octets() {
        [1, 1, 1, 1] => ["AU", "Australia", "Queensland", "Brisbane", "-27.46754", "153.02809"],
        [8, 8, _, _] => ["US", "United States of America", "California", "\"Mountain View\"", "37", "-122.08385"],
        [9, 9, 9, 9] => ["US", "United States of America", "California", "Berkeley", "37.87159", "-122.27275"],
        [9, 9, 9, 15] => ["BR", "Brazil", "R & S", "Rio", "-22", "-43"],
        [9, 9, 9, 16] => ["-", "-", "-", "-", "-", "-"],
        [9, 9, 9, 17] => return Says::NotFound,
        [200, 1, 1, 1] => ["UK", "United Kingdom", "", "London", "51.5", "0"],
        _ => return Says::Unknown,
    };
    Says::place(values)
}

impl Hub {
    /// A hub with a stopped clock, and this engine for its table of live sessions; `None` without a
    /// database server.
    pub(crate) fn new(engine: Engine, mode: SqlMode) -> Option<Self> {
        let pair = fixtures::db::pair(engine, mode)?;
        fs::create_dir_all(pair.home().join("hub/app/site/stats/maps")).unwrap();
        let (names, geo) = (NameServer::start(name), GeoServer::start(place));
        let hub = Self { pair, names, geo };
        hub.sql(&format!("ALTER TABLE jos_session_geo ENGINE = {}", engine.name()));
        Some(hub)
    }

    pub(crate) fn map_path(&self) -> PathBuf {
        self.pair.home().join("hub/app/site/stats/maps/whoisonline.xml")
    }

    pub(crate) fn map(&self) -> String {
        fs::read_to_string(self.map_path()).unwrap()
    }

    /// Prepares to run the stage.
    pub(crate) fn run(&self) -> Run {
        let run = self
            .pair
            .run(env!("CARGO_BIN_EXE_whoisonline"))
            .env("HZMETRICS_DNS_NAMESERVER", self.names.address())
            .env("HZMETRICS_DNS_TIMEOUT", "20");
        // the configuration exists now, and names the service
        let path = self.pair.home().join("access.cfg");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}$hubzero_ipgeo_url = '{}';\n", self.geo.url())).unwrap();
        run
    }

    /// Runs the cron line, which prints nothing.
    #[track_caller]
    pub(crate) fn cron(&self, args: &[&str]) {
        let done = self.run().arg("--db").args(args).finish().ok();
        assert_eq!((done.text().as_str(), done.stderr.as_str()), ("", ""));
    }

    /// Runs statements in the hub's database.
    #[track_caller]
    pub(crate) fn sql(&self, statements: &str) {
        self.pair.sql(&format!("USE hub;\n{statements}"));
    }

    /// A session of the CMS, last active this many seconds ago.
    #[track_caller]
    pub(crate) fn session(&self, id: &str, idle: &str, username: &str, ip: &str) {
        let guest = u8::from(username.is_empty());
        self.sql(&format!(
            "INSERT INTO jos_session (session_id, client_id, guest, time, userid, username, ip) \
             VALUES ('{id}', 0, {guest}, UNIX_TIMESTAMP() - {idle}, 7, '{username}', '{ip}')"
        ));
    }

    /// Some columns of the table, by session.
    #[track_caller]
    pub(crate) fn rows(&self, columns: &str) -> Vec<String> {
        self.pair.lines(&format!("SELECT {columns} FROM {{hub}}.jos_session_geo ORDER BY session_id"))
    }

    /// How many lookups the services got: names, places.
    pub(crate) fn n_asked(&self) -> (u64, usize) {
        (self.names.n_asked(), self.geo.asked().len())
    }
}
