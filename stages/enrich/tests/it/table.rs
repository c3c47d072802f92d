//! Filling tables on a real server, in all four modes.

use std::net::Ipv4Addr;
use std::time::Duration;

use database::{Db, Target, Which};
use enrich::dns::NameRule;
use enrich::geo_service::{GeoService, Manner};
use enrich::hosts::Hosts;
use enrich::place_cache::PlaceCache;
use enrich::table::countries::{self, Geo};
use enrich::table::{Filled, Span, Table, When, domains, hosts, user_info};
use fixtures::db::{MODES, PASSWORD, Pair, SqlMode, pair};
use schema::Stamp;
use schema::tables::Engine;

use fixtures::geo::{GeoServer, Says};
use fixtures::name_server::{NameServer, Reply};

fn target(pair: &Pair) -> Target {
    Target::at_socket(&pair.socket(), pair.mode.user(), PASSWORD).with_databases(&pair.hub, &pair.metrics)
}

fn metrics(pair: &Pair) -> Db {
    Db::connect(&target(pair), Which::Metrics).unwrap()
}

fn hub(pair: &Pair) -> Db {
    Db::connect(&target(pair), Which::Hub).unwrap()
}

/// The day of the run; it must not affect any range given explicitly.
fn today() -> Stamp {
    Stamp::parse("2026-03-31 00:00:00").unwrap()
}

fn when(text: &str) -> When {
    text.parse::<schema::Dates>().unwrap().into()
}

fn table(name: &str) -> Table {
    Table::new(name).unwrap()
}

#[test]
fn names_of_tables_are_checked() {
    for bad in ["", "web;", "web x", "`web`", "hub.web", "wéb"] {
        assert!(Table::new(bad).is_err(), "{bad}");
    }
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    let error = domains::fill(&mut metrics(&pair), &table("nothing"), &Span::all(), domains::Rule::Legacy);
    assert!(format!("{:#}", error.unwrap_err()).contains("there is no table `nothing`"));
}

fn zone(ip: Ipv4Addr) -> Reply {
    match ip.octets()[3] {
        1 => Reply::name("one.Example.com"),
        2 => Reply::NxDomain,
        3 => Reply::Names(vec!["foo_bar.example.com".to_owned(), "second.example.com".to_owned()]),
        4 => Reply::name("host.my_net.example.com"),
        5 => Reply::Silence,
        6 => Reply::name(format!("{}.example.com", ["x".repeat(60), "y".repeat(60), "z".repeat(60)].join("."))),
        _ => Reply::NoData,
    }
}

fn names(server: &NameServer, rule: NameRule) -> Hosts {
    let settings = crate::settings(&[server], 50, 600, rule);
    Hosts::new().with_servers(settings)
}

const HOSTS: &str = "INSERT INTO web (id, datetime, ip, host) VALUES
    (1, '2025-07-05 00:00:00', '8.0.0.1', NULL), (2, '2025-07-05 00:00:01', '8.0.0.1', ''),
    (3, '2024-01-01 10:00:00', '8.0.0.1', NULL), (4, '2025-07-06 10:00:00', '8.0.0.1', 'kept'),
    (5, '2025-07-07 00:00:00', '8.0.0.3', NULL), (6, '2025-07-31 23:59:59', '8.0.0.2', NULL),
    (7, '2025-07-10 10:00:00', '', NULL), (8, '2025-07-10 10:00:00', 'not an address', NULL),
    (9, '2025-07-10 10:00:00', '8.0.0.4', NULL), (10, '2025-08-01 00:00:00', '8.0.0.4', ''),
    (11, '2025-07-01 00:00:00', '8.0.0.7', NULL), (12, '2025-07-10 10:00:00', '8.0.0.5', NULL),
    (13, '2025-07-10 10:00:00', '8.0.0.9', '?'), (14, '2025-07-10 10:00:00', '8.0.0.6', NULL)";

#[test]
fn host_names_of_a_month_are_filled() {
    let server = NameServer::start(zone);
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        pair.sql(HOSTS);
        let mut db = metrics(&pair);
        let span = Span::hosts(when("2025-07"), today(), false);
        assert_eq!(hosts::missing(&mut db, &table("web"), &span).unwrap().len(), 6);
        let filled = hosts::fill(&mut db, &table("web"), &span, &mut names(&server, NameRule::Legacy), false).unwrap();
        assert_eq!(filled, Filled { keys: 6, rows: 9 });
        let long = format!("{}.example.com", ["x".repeat(60), "y".repeat(60), "z".repeat(60)].join("."));
        let expected = [
            // a row at midnight does not select an address, but is filled if another row does
            "1\tone.Example.com",
            "2\tone.Example.com",
            "3\tone.Example.com",
            "4\tkept",
            "5\tNULL",
            "6\t?",
            "7\tNULL",
            // the name is cut at a letter that host names do not have
            "8\t?",
            "9\thost",
            "10\thost",
            "11\tNULL",
            "12\t?",
            "13\t?",
            &format!("14\t{long}"),
        ];
        assert_eq!(pair.lines("SELECT id, host FROM web ORDER BY id"), expected, "{engine:?} {mode:?}");
        let n_asked = server.n_asked();
        let again = hosts::fill(&mut db, &table("web"), &span, &mut names(&server, NameRule::Legacy), false).unwrap();
        assert_eq!((again, server.n_asked()), (Filled::default(), n_asked), "nothing is looked up twice");
        // all dates, and a span that includes the second name of an address
        let filled = hosts::fill(&mut db, &table("web"), &Span::all(), &mut names(&server, NameRule::Legacy), false);
        assert_eq!(filled.unwrap(), Filled { keys: 2, rows: 2 });
        assert_eq!(pair.lines("SELECT host FROM web WHERE id IN (5, 11) ORDER BY id"), ["second.example.com", "?"]);
    }
}

#[test]
fn host_names_are_filled_as_by_the_port() {
    let server = NameServer::start(zone);
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql(HOSTS);
    pair.sql(
        "INSERT INTO sessionlog_metrics (sessnum, user, ip, start) VALUES (1, 'u', '8.0.0.1', '2025-07-01 00:00:00')",
    );
    let span = Span::hosts(when("2025-07"), today(), true);
    let mut hosts = names(&server, NameRule::Port);
    for name in ["web", "sessionlog_metrics"] {
        hosts::fill(&mut metrics(&pair), &table(name), &span, &mut hosts, true).unwrap();
    }
    // lower case, midnights included, nothing outside the span
    assert_eq!(
        pair.lines("SELECT id, host FROM web WHERE ip = '8.0.0.1' ORDER BY id"),
        ["1\tone.example.com", "2\tone.example.com", "3\tNULL", "4\tkept"]
    );
    assert_eq!(pair.lines("SELECT host FROM web WHERE id IN (5, 10, 11) ORDER BY id"), ["second.example.com", "", "?"]);
    assert_eq!(pair.lines("SELECT host FROM sessionlog_metrics"), ["one.example.com"]);
}

#[test]
fn domains_of_a_month_are_filled() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        pair.sql(
            "INSERT INTO web (id, datetime, host, domain) VALUES
             (1, '2025-06-30 00:00:00', 'www.a.com', NULL), (2, '2025-06-29 23:59:59', 'www.a.com', NULL),
             (3, '2025-07-31 23:59:59', 'WWW.A.COM', ''), (4, '2025-08-01 00:00:00', 'www.a.com', NULL),
             (5, '2025-07-10 10:00:00', 'www.a.com', 'kept'), (6, '2025-07-10 10:00:00', 'x.ub.cc', '?'),
             (7, '2025-07-10 10:00:00', '?', NULL), (8, '2025-07-10 10:00:00', NULL, NULL),
             (9, '2025-07-10 10:00:00', '', NULL), (10, '2025-07-10 10:00:00', 'host', NULL),
             (11, '2025-07-10 10:00:00', 'a-b-c-d-foo.com', NULL), (12, '2025-07-10 10:00:00', 'x.a-b-c-d-foo.com', NULL),
             (13, '2025-07-10 10:00:00', 'example.com.', NULL), (14, '2025-07-10 10:00:00', '10.20.30.40', NULL),
             (15, '2025-07-10 10:00:00', 'www.é.com', NULL), (16, '2025-07-10 10:00:00', 'www.e.com', NULL),
             (17, '2025-07-10 10:00:00', 'www.e.com ', NULL)",
        );
        let mut db = metrics(&pair);
        let span = Span::domains(when("2025-07"), today(), false);
        let filled = domains::fill(&mut db, &table("web"), &span, domains::Rule::Legacy).unwrap();
        assert_eq!(filled, Filled { keys: 12, rows: 12 }, "{engine:?} {mode:?}");
        let expected = [
            "1\ta.com",
            "2\tNULL",
            "3\ta.com",
            "4\tNULL",
            "5\tkept",
            "6\tub.cc",
            "7\t?",
            "8\tNULL",
            "9\tNULL",
            "10\t?",
            "11\tfoo.com",
            "12\ta-b-c-d-foo.com",
            "13\tcom.",
            "14\t20.30.40",
            // hosts are compared by their bytes, not under the collation
            "15\té.com",
            "16\te.com",
            "17\te.com ",
        ];
        assert_eq!(pair.lines("SELECT id, domain FROM web ORDER BY id"), expected, "{engine:?} {mode:?}");
        let again = domains::fill(&mut db, &table("web"), &span, domains::Rule::Legacy).unwrap();
        assert_eq!(again.rows, 0, "rows with `?` are examined again and stay");
    }
}

#[test]
fn domains_are_filled_as_by_the_port() {
    let Some(pair) = pair(Engine::MyIsam, SqlMode::Lax) else { return };
    pair.sql(
        "INSERT INTO web (id, datetime, host) VALUES (1, '2025-07-10 10:00:00', 'www.A.com'), (2, '2025-07-10 10:00:00', 'x.éé.de');
         INSERT INTO websessions (id, datetime, host) VALUES (1, '2025-07-10 10:00:00', 'www.A.com')",
    );
    let span = Span::domains(when("2025-07-10"), today(), true);
    for name in ["web", "websessions"] {
        domains::fill(&mut metrics(&pair), &table(name), &span, domains::Rule::Port).unwrap();
    }
    assert_eq!(pair.lines("SELECT domain FROM web ORDER BY id"), ["NULL", "x.éé.de"], "capitals are ignored in web");
    assert_eq!(pair.lines("SELECT domain FROM websessions"), ["a.com"]);
}

/// Enough rows of July for two sessions, then rows of other months with the same addresses, before
/// and after them.
const MANY: &str = "INSERT INTO web (id, datetime, ip, host, domain, ipcountry)
    SELECT seq, '2025-07-01' + INTERVAL seq MOD 43200 MINUTE, CONCAT('8.', seq MOD 3, '.0.', seq MOD 7),
        IF(seq MOD 4 = 0, 'kept', NULL), IF(seq MOD 4 = 0, 'kept', NULL), IF(seq MOD 4 = 0, 'XX', NULL)
    FROM seq_1001_to_81000
    UNION ALL SELECT seq, '2024-02-02', '8.1.0.1', NULL, NULL, NULL FROM seq_1_to_10
    UNION ALL SELECT 1000000 + seq, '2026-02-02', '8.2.0.2', NULL, NULL, NULL FROM seq_1_to_10";

#[test]
fn two_sessions_write_the_same_as_one() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    let names = NameServer::start(|ip| Reply::name(format!("h{}.d{}.com", ip.octets()[3], ip.octets()[1])));
    let places = GeoServer::start(|number| Says::country(["US", "DE", "FR"][(number >> 16 & 255) as usize]));
    pair.sql(MANY);
    let (mut db, mut hub) = (metrics(&pair), hub(&pair));
    let mut hosts_of = crate::table::names(&names, NameRule::Legacy);
    let (web, july) = (table("web"), when("2025-07"));
    // hosts and countries of other months are filled with the addresses of July, domains are not
    let filled = hosts::fill(&mut db, &web, &Span::hosts(july, today(), true), &mut hosts_of, false).unwrap();
    assert_eq!(filled, Filled { keys: 21, rows: 60_020 });
    let domains = Span::domains(july, today(), false);
    let filled = domains::fill(&mut db, &web, &domains, domains::Rule::Legacy).unwrap();
    assert_eq!(filled, Filled { keys: 21, rows: 60_000 });
    let span = Span::closed_weeks(july, today(), false).unwrap();
    let mut from = geo(&places, countries::Rule::Legacy);
    let filled = countries::fill(&mut db, &mut hub, &web, &span, &mut from).unwrap();
    assert_eq!(filled, Filled { keys: 21, rows: 60_020 });
    let wrong = "SELECT COUNT(*) FROM web WHERE NOT (
        host <=> IF(id MOD 4 = 0 AND datetime LIKE '2025-07%', 'kept',
            CONCAT('h', SUBSTRING_INDEX(ip, '.', -1), '.d', SUBSTRING(ip, 3, 1), '.com'))
        AND domain <=> IF(datetime NOT LIKE '2025-07%', NULL,
            IF(host = 'kept', 'kept', CONCAT('d', SUBSTRING(ip, 3, 1), '.com')))
        AND ipcountry <=> IF(host = 'kept', 'XX', ELT(SUBSTRING(ip, 3, 1) + 1, 'US', 'DE', 'FR')))";
    assert_eq!(pair.value(wrong).as_deref(), Some("0"));
    let again = domains::fill(&mut db, &web, &domains, domains::Rule::Legacy).unwrap();
    assert_eq!(again, Filled::default());
}

#[test]
fn a_row_held_by_another_only_delays_both_sessions() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    pair.sql("INSERT INTO web (id, datetime, host) SELECT seq, '2025-07-10', CONCAT('a.d', seq MOD 9, '.com') FROM seq_1_to_60000");
    let mut holder = metrics(&pair);
    holder.run("START TRANSACTION", ()).unwrap();
    holder.run("UPDATE web SET host = 'a.other.com' WHERE id = 30001", ()).unwrap();
    std::thread::scope(|scope| {
        let span = Span::domains(when("2025-07"), today(), false);
        let ours = scope.spawn(move || domains::fill(&mut metrics(&pair), &table("web"), &span, domains::Rule::Legacy));
        std::thread::sleep(Duration::from_secs(2));
        assert!(!ours.is_finished());
        holder.run("COMMIT", ()).unwrap();
        // the host that was changed meanwhile was not looked up
        assert_eq!(ours.join().unwrap().unwrap(), Filled { keys: 9, rows: 59_999 });
    });
}

/// Countries by the first byte of the address.
fn countries_of(number: u32) -> Says {
    match number >> 24 {
        1 => Says::country("AU"),
        8 => Says::country("US"),
        9 => Says::country("-"),
        11 => Says::country(""),
        12 => Says::country("XYZ"),
        208 => Says::country("FR"),
        _ => Says::Unknown,
    }
}

fn geo(server: &GeoServer, rule: countries::Rule) -> Geo {
    let manner = if rule == countries::Rule::Port { Manner::Port } else { Manner::Legacy };
    let service = GeoService::new(&server.url(), "key", manner, Some(Duration::from_secs(5)));
    Geo::new(None, Some(service), rule)
}

const COUNTRIES: &str = "INSERT INTO web (id, datetime, ip, ipcountry) VALUES
    (1, '2025-06-30 23:59:00', '1.0.0.1', NULL), (2, '2025-08-01 00:01:00', '1.0.0.1', ''),
    (3, '2025-07-10 10:00:00', '8.8.8.8', '-'), (4, '2025-07-10 10:00:00', '8.8.8.8', NULL),
    (5, '2025-07-10 10:00:00', '10.0.0.1', NULL), (6, '2025-06-30 00:00:00', '8.8.4.4', NULL),
    (7, '2025-08-01 00:00:00', '8.8.2.2', NULL), (8, '2025-07-10 10:00:00', '9.9.9.9', NULL),
    (9, '2025-07-10 10:00:00', '', NULL), (10, '2025-07-10 10:00:00', '08.8.8.8', NULL),
    (11, '2025-07-10 10:00:00', '208.67.222.222', NULL), (12, '2025-07-10 10:00:00', '11.1.1.1', ''),
    (13, '2025-07-10 10:00:00', '12.1.1.1', NULL), (14, '2025-07-10 10:00:00', '13.1.1.1', NULL),
    (15, '2025-07-10 10:00:00', '2001:db8::1', NULL), (16, '2020-07-10 10:00:00', '10.0.0.1', NULL);
    INSERT INTO websessions (id, datetime, ip) VALUES (1, '2025-07-10 10:00:00', '8.8.8.8');
    INSERT INTO {hub}.jos_metrics_ipgeo_cache (ip, countrySHORT, lookup_datetime) VALUES
    (218169601, 'ZZ', CURDATE() - INTERVAL 90 DAY), (201392385, 'OL', CURDATE() - INTERVAL 91 DAY)";

fn number(ip: &str) -> u32 {
    u32::from(ip.parse::<Ipv4Addr>().unwrap())
}

#[test]
fn countries_of_a_month_are_filled() {
    let server = GeoServer::start(countries_of);
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        pair.sql(COUNTRIES);
        let (mut db, mut hub) = (metrics(&pair), hub(&pair));
        let span = Span::closed_weeks(when("2025-07"), today(), false).unwrap();
        let mut first = geo(&server, countries::Rule::Legacy);
        let filled = countries::fill(&mut db, &mut hub, &table("web"), &span, &mut first).unwrap();
        assert_eq!(filled, Filled { keys: 12, rows: 6 }, "{engine:?} {mode:?}");
        let expected = [
            // every row of an address, whatever its date; `XYZ` is not a country
            "1\tAU", "2\tAU", // `-` is not empty
            "3\t-", "4\tUS", "5\tNULL", // the first instant is outside, the last inside
            "6\tNULL", "7\tUS", "8\tNULL", "9\tNULL", "10\tNULL", "11\tFR", "12\t", "13\tNULL", "14\tZZ", "15\tNULL",
            "16\tNULL",
        ];
        assert_eq!(pair.lines("SELECT id, ipcountry FROM web ORDER BY id"), expected, "{engine:?} {mode:?}");
        // private addresses are looked up; one that is at most ninety days old in the table is not, an
        // older one is
        let asked = ["1.0.0.1", "8.8.2.2", "8.8.8.8", "9.9.9.9", "10.0.0.1", "11.1.1.1", "12.1.1.1", "208.67.222.222"];
        assert_eq!(server.take_addresses(), asked.map(number));
        assert_eq!((first.n_asked(), first.n_failed(), first.trouble()), (8, 0, None));
        // neither `-` nor addresses beyond the signed column are kept; an empty code is
        let cache = "SELECT ip, countrySHORT, countryLONG, ipLATITUDE, ipLONGITUDE FROM {hub}.jos_metrics_ipgeo_cache ORDER BY ip";
        let kept = [
            "16777217\tAU\tLAND & AU\t37\t0",
            "134742530\tUS\tLAND & US\t37\t0",
            "134744072\tUS\tLAND & US\t37\t0",
            "184615169\t\tLAND & \t37\t0",
            "201392385\t\tLAND & XYZ\t37\t0",
            "218169601\tZZ\t\tNULL\tNULL",
        ];
        let numbers = pair.lines(cache);
        assert_eq!(numbers, kept, "{engine:?} {mode:?}");
        // the same run knows them already; another run looks up again what has no row of its own
        let filled = countries::fill(&mut db, &mut hub, &table("websessions"), &span, &mut first).unwrap();
        assert_eq!((filled, server.take_addresses()), (Filled { keys: 1, rows: 1 }, vec![]));
        assert_eq!(pair.lines("SELECT ipcountry FROM websessions"), ["US"]);
        pair.sql("UPDATE web SET ipcountry = NULL WHERE id IN (4, 11)");
        let mut second = geo(&server, countries::Rule::Legacy);
        countries::fill(&mut db, &mut hub, &table("web"), &span, &mut second).unwrap();
        assert_eq!(server.take_addresses(), ["9.9.9.9", "10.0.0.1", "208.67.222.222"].map(number));
        assert_eq!(pair.lines("SELECT ipcountry FROM web WHERE id IN (4, 11)"), ["US", "FR"]);
    }
}

#[test]
fn countries_are_filled_as_by_the_port() {
    let server = GeoServer::start(countries_of);
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql(COUNTRIES);
    let (mut db, mut hub) = (metrics(&pair), hub(&pair));
    let span = Span::closed_weeks(when("2025-07"), today(), true).unwrap();
    let mut geo = geo(&server, countries::Rule::Port);
    countries::fill(&mut db, &mut hub, &table("web"), &span, &mut geo).unwrap();
    let expected = [
        "1\tAU", "2\tAU", "3\t-", "4\tUS", "5\t-", "6\tNULL", "7\tUS", "8\t-", "9\t-", "10\tUS", "11\tFR", "12\t-",
        "13\t-", // a private address is marked in the span only
        "14\tZZ", "15\t-", "16\tNULL",
    ];
    assert_eq!(pair.lines("SELECT id, ipcountry FROM web ORDER BY id"), expected);
    assert!(!server.take_addresses().contains(&number("10.0.0.1")));
    // `-` is kept too
    let kept = pair.lines("SELECT countrySHORT FROM {hub}.jos_metrics_ipgeo_cache WHERE ip IN (151587081, 184615169)");
    assert_eq!(kept, ["-", "-"]);
}

#[test]
fn a_service_in_trouble_is_asked_a_few_times_and_loses_nothing() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    let mut rows: Vec<String> =
        (0..3000).map(|n| format!("('2025-07-10 10:00:00', '8.8.{}.{}')", n / 250, n % 250)).collect();
    rows.push("('2025-07-10 10:00:00', '10.0.0.1')".to_owned());
    pair.sql(&format!("INSERT INTO web (datetime, ip) VALUES {}", rows.join(",")));
    let span = Span::closed_weeks(when("2025-07"), today(), false).unwrap();
    let nowhere = || GeoService::new("http://127.0.0.1:1/ipinfo", "key", Manner::Legacy, Some(Duration::from_secs(1)));
    for (says, word) in [(Says::Silence, "timeout"), (Says::Garbage, "XML"), (Says::BadKey, "key")] {
        let server = GeoServer::start({
            let says = says.clone();
            move |_| says.clone()
        });
        for rule in [countries::Rule::Legacy, countries::Rule::Port] {
            // the other URLs of the port's service are on the internet, so this test does not use
            // them
            let service = GeoService::new(&server.url(), "key", Manner::Legacy, Some(Duration::from_secs(1)));
            let mut geo = Geo::new(None, Some(service), rule);
            let before = server.asked().len();
            let filled = countries::fill(&mut metrics(&pair), &mut hub(&pair), &table("web"), &span, &mut geo).unwrap();
            // it is given up after 20 requests without an answer, while up to nine others are in progress;
            // a service that refuses the key answers, and is given up after the first 1,000 addresses
            let most = if matches!(says, Says::BadKey) { 1000 } else { 29 };
            let n_requests = server.asked().len() - before;
            assert!(n_requests <= most, "{says:?} {rule:?}: {n_requests} requests");
            assert_eq!(filled.keys, 3001);
            let trouble = geo.trouble().unwrap();
            assert!(trouble.text.contains(word), "{says:?}: {trouble:?}");
            let kind = if matches!(says, Says::BadKey) { "our key is not accepted" } else { "no answer" };
            assert_eq!(trouble.kind, kind);
            assert!(geo.n_failed() >= 3000, "{says:?}: {}", geo.n_failed());
            let marked = pair.lines("SELECT DISTINCT ipcountry FROM web WHERE ip <> '10.0.0.1'");
            assert_eq!(marked, ["NULL"], "{says:?} {rule:?}: an address without an answer stays empty");
            assert_eq!(pair.value("SELECT COUNT(*) FROM {hub}.jos_metrics_ipgeo_cache").as_deref(), Some("0"));
            pair.sql("UPDATE web SET ipcountry = NULL");
        }
    }
    let mut geo = Geo::new(None, Some(nowhere()), countries::Rule::Legacy);
    countries::fill(&mut metrics(&pair), &mut hub(&pair), &table("web"), &span, &mut geo).unwrap();
    assert!(geo.trouble().is_some());
    // once it works again, the next run fills everything
    let server = GeoServer::start(countries_of);
    let service = GeoService::new(&server.url(), "key", Manner::Legacy, Some(Duration::from_secs(5)));
    let mut geo = Geo::new(None, Some(service), countries::Rule::Legacy);
    let filled = countries::fill(&mut metrics(&pair), &mut hub(&pair), &table("web"), &span, &mut geo).unwrap();
    assert_eq!(filled.rows, 3000);
}

/// IPv6 addresses: from the file, from the cache file, from the service; never in the table of places,
/// whose key is a number.
#[test]
fn countries_of_ipv6_addresses_are_filled() {
    let of = |address: &str, prefix, code: &str| (address.parse().unwrap(), prefix, code.to_owned());
    let file = || {
        let file = fixtures::mmdb::country_database_of_both(&[of("2001:db8:1::", 48, "CH")]);
        enrich::country::Countries::from_bytes(file).unwrap()
    };
    let span = Span::closed_weeks(when("2025-07"), today(), false).unwrap();
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        pair.sql(
            "INSERT INTO web (id, datetime, ip) VALUES (1, '2025-07-10 10:00:00', '2001:db8:1::801:1'),
             (2, '2025-07-10 10:00:00', '2001:db8::801:1'), (3, '2025-07-10 10:00:00', '2001:db8:9:aaaa:bbbb:cccc:901:1'),
             (4, '2025-07-10 10:00:00', '::ffff:1.0.0.1'), (5, '2025-07-10 10:00:00', 'fe80::801:1'),
             (6, '2025-07-10 10:00:00', '2001:db8:aaaa:b')",
        );
        let server = GeoServer::start(countries_of);
        let folder = tempfile::tempdir().unwrap();
        let service = || GeoService::new(&server.url(), "key", Manner::Legacy, Some(Duration::from_secs(5)));
        let fill = |geo: &mut Geo| {
            countries::fill(&mut metrics(&pair), &mut hub(&pair), &table("web"), &span, geo).unwrap();
            pair.lines("SELECT IFNULL(ipcountry, '') FROM web ORDER BY id")
        };
        // legacy knows none of them and does not look them up
        assert_eq!(fill(&mut Geo::new(None, Some(service()), countries::Rule::Legacy)), [""; 6], "{engine:?} {mode:?}");
        assert!(server.asked().is_empty());
        assert_eq!(fill(&mut Geo::new(Some(file()), None, countries::Rule::Legacy)), ["CH", "", "", "", "", ""]);
        for times in [2, 1] {
            pair.sql("UPDATE web SET ipcountry = NULL WHERE id > 1");
            let cache = PlaceCache::load(folder.path()).unwrap();
            let mut geo = Geo::new(None, Some(service()), countries::Rule::Legacy).with_ipv6(cache);
            assert_eq!(fill(&mut geo), ["CH", "US", "", "AU", "US", ""], "{engine:?} {mode:?}");
            // addresses without a country are looked up again, as with the table of places
            assert_eq!(geo.n_asked(), [1, 4][times - 1]);
        }
        assert_eq!(server.asked().iter().filter(|path| path.contains("&ip=2001:db8::801:1")).count(), 1);
        assert_eq!(pair.lines("SELECT ip FROM {hub}.jos_metrics_ipgeo_cache"), [number("1.0.0.1").to_string()]);
        // the port writes `-` for private addresses and for text that is not an address
        pair.sql("UPDATE web SET ipcountry = NULL WHERE id > 4");
        let cache = PlaceCache::load(folder.path()).unwrap();
        let mut geo = Geo::new(None, Some(service()), countries::Rule::Port).with_ipv6(cache);
        assert_eq!(fill(&mut geo), ["CH", "US", "-", "AU", "-", "-"]);
    }
}

#[test]
fn a_database_file_fills_only_the_given_dates() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        pair.sql(
            "INSERT INTO web (id, datetime, ip) VALUES (1, '2025-06-30 23:59:59', '8.8.8.8'),
             (2, '2025-07-01 00:00:00', '8.8.8.8'), (3, '2025-07-31 23:59:59', '8.8.8.8'),
             (4, '2025-08-01 00:00:00', '8.8.8.8'), (5, '2020-01-01 00:00:00', '8.8.8.8')",
        );
        let file = fixtures::mmdb::country_database(&[(Ipv4Addr::new(8, 0, 0, 0), 8, "CH".to_owned())]);
        let file = enrich::country::Countries::from_bytes(file).unwrap();
        let mut geo = Geo::new(Some(file), None, countries::Rule::Legacy);
        let span = Span::days(when("2025-07"), today(), false).unwrap();
        let filled = countries::fill(&mut metrics(&pair), &mut hub(&pair), &table("web"), &span, &mut geo).unwrap();
        assert_eq!(filled, Filled { keys: 1, rows: 2 });
        assert_eq!(pair.lines("SELECT id FROM web WHERE ipcountry = 'CH' ORDER BY id"), ["2", "3"], "{engine:?}");
    }
}

#[test]
fn a_database_file_takes_precedence() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    let file = fixtures::mmdb::country_database(&[(Ipv4Addr::new(8, 0, 0, 0), 8, "CH".to_owned())]);
    let file = enrich::country::Countries::from_bytes(file).unwrap();
    pair.sql("INSERT INTO web (id, datetime, ip) VALUES (1, '2025-07-10 10:00:00', '8.8.8.8'), (2, '2025-07-10 10:00:00', '1.0.0.1')");
    let server = GeoServer::start(countries_of);
    let service = GeoService::new(&server.url(), "key", Manner::Legacy, Some(Duration::from_secs(5)));
    let mut geo = Geo::new(Some(file), Some(service), countries::Rule::Legacy);
    let span = Span::closed_weeks(when("2025-07"), today(), false).unwrap();
    countries::fill(&mut metrics(&pair), &mut hub(&pair), &table("web"), &span, &mut geo).unwrap();
    assert_eq!(pair.lines("SELECT ipcountry FROM web ORDER BY id"), ["CH", "AU"]);
    assert_eq!(server.take_addresses(), [number("1.0.0.1")]);
}

const USERS: &str = "INSERT INTO {hub}.jos_users (id, username) VALUES (1, 'Ann'), (2, 'bob'), (3, 'cat'), (4, 'dora');
    INSERT INTO {hub}.jos_user_profiles (id, user_id, profile_key, profile_value, ordering) VALUES
    (10, 1, 'orgtype', 'industry', 1), (11, 1, 'orgtype', 'university', 0), (12, 1, 'countryorigin', 'deu', 0),
    (13, 1, 'countryresident', 'us', 0), (14, 2, 'orgtype', '0', 0), (15, 2, 'countryresident', '', 0),
    (16, 2, 'countryresident', 'br', 0), (17, 3, 'orgtype', 'größe', 0), (18, 3, 'countryorigin', ' ', 0),
    (19, 3, 'countryorigin', 'ch', 0), (20, 9, 'orgtype', 'nobody', 0), (21, 4, 'nickname', 'd', 0);
    INSERT INTO toolstart (id, datetime, user) VALUES (1, '2025-06-15 10:00:00', 'ann'), (2, '2025-06-15 10:00:00', 'BOB'),
    (3, '2025-06-29 10:00:00', 'cat'), (4, '2025-06-29 10:00:00', 'unknown'), (5, '2025-06-29 10:00:00', NULL)";

const INFO: &str = "SELECT id, countrycitizen, countryresident, orgtype FROM toolstart ORDER BY id";

#[test]
fn profiles_are_applied_once_the_gate_is_open() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        pair.sql(USERS);
        let (mut db, mut hub) = (metrics(&pair), hub(&pair));
        let span = Span::weeks(when("2025-07"), today(), false);
        let mut fill =
            || user_info::fill(&mut db, &mut hub, &table("toolstart"), &span, user_info::Rule::Legacy).unwrap();
        // rows of June only: the gate for July stays shut
        assert_eq!(fill(), Filled::default());
        // neither a July row of an unknown user nor one with all columns filled opens it
        pair.sql(
            "INSERT INTO toolstart (id, datetime, user) VALUES (6, '2025-07-02 10:00:00', 'unknown');
             INSERT INTO toolstart (id, datetime, user, countrycitizen, countryresident, orgtype)
             VALUES (7, '2025-07-02 10:00:00', 'bob', 'US', 'US', 'X')",
        );
        assert_eq!(fill(), Filled::default());
        // a row of a known user without a profile opens it, for all users and dates; its first instant is
        // outside
        pair.sql("INSERT INTO toolstart (id, datetime, user) VALUES (8, '2025-06-30 00:00:00', 'dora')");
        assert_eq!(fill(), Filled::default());
        pair.sql(
            "INSERT INTO toolstart (id, datetime, user, orgtype) VALUES (9, '2025-08-01 00:00:00', 'dora', 'kept')",
        );
        assert_eq!(fill(), Filled { keys: 3, rows: 3 });
        let expected = [
            "1\tDE\tUS\tNULL",
            "2\tNULL\tBR\tNULL",
            "3\tCH\tNULL\tNULL",
            "4\tNULL\tNULL\tNULL",
            "5\tNULL\tNULL\tNULL",
            "6\tNULL\tNULL\tNULL",
            "7\tUS\tUS\tX",
            "8\tNULL\tNULL\tNULL",
            "9\tNULL\tNULL\tkept",
        ];
        assert_eq!(pair.lines(INFO), expected, "each column has its own gate; {engine:?} {mode:?}");
        pair.sql("UPDATE toolstart SET orgtype = '' WHERE id = 9");
        assert_eq!(fill(), Filled { keys: 2, rows: 2 });
        // the first value by number wins, only ASCII letters become capitals, `0` is not a value
        let orgtypes = pair.lines("SELECT id, orgtype FROM toolstart WHERE id < 4 ORDER BY id");
        assert_eq!(orgtypes, ["1\tINDUSTRY", "2\tNULL", "3\tGRößE"], "{engine:?} {mode:?}");
        assert_eq!(fill().rows, 0);
    }
}

#[test]
fn profiles_are_applied_as_by_the_port() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql(USERS);
    let span = Span::weeks(when("2025-07"), today(), true);
    user_info::fill(&mut metrics(&pair), &mut hub(&pair), &table("toolstart"), &span, user_info::Rule::Port).unwrap();
    let expected =
        ["1\tDE\tUS\tINDUSTRY", "2\tNULL\tBR\t0", "3\tCH\tNULL\tGRÖSSE", "4\tNULL\tNULL\tNULL", "5\tNULL\tNULL\tNULL"];
    assert_eq!(pair.lines(INFO), expected);
    pair.sql("DROP TABLE {hub}.jos_user_profiles");
    let error =
        user_info::missing(&mut metrics(&pair), &mut hub(&pair), &table("toolstart"), &span, user_info::Rule::Port);
    assert!(format!("{:#}", error.unwrap_err()).contains("jos_user_profiles"));
}
