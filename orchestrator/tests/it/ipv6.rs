//! Visitors with IPv6 addresses count like any others: the same traffic with IPv4 and with IPv6
//! addresses gives the same cells, through the pipe and through tables of both engines.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use fixtures::Run;
use fixtures::db::{Pair, SqlMode, pair};
use fixtures::name_server::{NameServer, Reply};
use schema::tables::Engine;

/// The number of visitors, in addition to the one whose session is open at the end of the month.
const VISITORS: u32 = 50;

fn stage(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(name)
}

/// The address of a visitor; IPv6 addresses have the same ending as IPv4 ones, which the name
/// server uses.
fn address(n: u32, is_ipv6: bool) -> IpAddr {
    let number = 0x0801_0000 + n;
    if is_ipv6 {
        Ipv6Addr::from_bits(0x2001_0db8_0000_0000_0000_0000 << 32 | u128::from(number)).into()
    } else {
        Ipv4Addr::from_bits(number).into()
    }
}

/// Day, time and path of two requests of each visitor, the second of them a download.
fn requests() -> impl Iterator<Item = (u32, String, String)> {
    (0..=VISITORS).flat_map(|n| {
        let day = if n == VISITORS { 31 } else { [1, 3, 9, 12, 17, 20, 25, 28][n as usize % 8] };
        let at = move |minute: u32| format!("2025-07-{day:02} {:02}:{minute:02}:00", 1 + n % 20);
        [(n, at(0), "/about".to_owned()), (n, at(20), format!("/resources/{n}/download/a.pdf"))]
    })
}

/// The folder with the countries and the resources.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let networks =
        [("8.1.0.0".parse().unwrap(), 16, "DE".to_owned()), ("2001:db8::".parse().unwrap(), 32, "DE".to_owned())];
    let file = fixtures::mmdb::country_database_of_both(&networks);
    std::fs::write(folder.path().join("countries.mmdb"), file).unwrap();
    folder
}

fn names() -> NameServer {
    NameServer::start(|ip| match ip.octets()[3] {
        n if n % 3 == 0 => Reply::NxDomain,
        n => Reply::name(format!("pc{n}.example{}.edu", n % 5)),
    })
}

/// The requests as a log of a hub.
fn log(is_ipv6: bool) -> String {
    requests().fold(String::new(), |mut text, (n, at, path)| {
        let ip = address(n, is_ipv6);
        let _ = writeln!(
            text,
            "{at} EDT 4711 - \"GET {path} HTTP/1.1\" 200 12 {ip} \"-\" \"Mozilla/5.0\" T 0 12 - - - - - - - - -"
        );
        text
    })
}

fn run(name: &str, folder: &tempfile::TempDir) -> Run {
    fixtures::run(stage(name)).dir(folder.path())
}

fn through_the_pipe(is_ipv6: bool) -> Vec<String> {
    let (folder, server) = (folder(), names());
    let options = ["--raw", "access", "--compat", "lp_dnload_inline,ipv6"];
    let read = run("import-logs", &folder).args(options).stdin(log(is_ipv6)).finish().ok();
    let named = run("resolve-dns", &folder).args(["--nameserver", &server.address()]).stdin(read.stdout).finish().ok();
    let used = run("usage-metrics", &folder).args(["--geoip", "countries.mmdb"]).stdin(named.stdout).finish().ok();
    let sessions = used.records().iter().filter(|record| record["kind"] == "session").count();
    assert_eq!(sessions, VISITORS as usize, "the last one stays open");
    let cells = run("summarize", &folder).args(["--month", "2025-07"]).stdin(used.stdout).finish().ok();
    let mut lines: Vec<String> = cells.text().lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn fifty_ipv6_visitors_are_fifty_users() {
    let (v4, v6) = (through_the_pipe(false), through_the_pipe(true));
    assert_eq!(v4, v6);
    let users = "\"table\":\"summary_user_vals\",\"rowid\":1,\"colid\":1,";
    let total: Vec<&String> = v6.iter().filter(|line| line.contains(users)).collect();
    assert!(!total.is_empty() && total.iter().all(|line| line.contains("\"value\":\"50\"")), "{total:?}\n{v6:#?}");
}

fn on(pair: &Pair, name: &str) -> Run {
    pair.run(stage(name)).env("HZMETRICS_COMPAT", "ipv6")
}

/// The cells of a month after the nightly and the monthly job.
fn through_tables(pair: &Pair, is_ipv6: bool) -> Vec<String> {
    let (folder, server) = (folder(), names());
    pair.sql(
        "DELETE FROM web;\nDELETE FROM websessions;\nDELETE FROM summary_user_vals;\nDELETE FROM imported_sources;\n\
         DELETE FROM import_files",
    );
    let path = folder.path().join("hub-access.log-20250801");
    std::fs::write(&path, log(is_ipv6)).unwrap();
    on(pair, "import-logs").args(["--to", "db", "--raw", "access"]).arg(path).finish().ok();
    pair.sql("UPDATE web SET dnload = content LIKE '/resources/%'");
    let geoip = folder.path().join("countries.mmdb");
    let asked = ["--nameserver", &server.address(), "--geo-url", "none"];
    on(pair, "usage-metrics").args(["--db", "2025-07"]).args(asked).arg("--geoip").arg(geoip).finish().ok();
    let seen =
        pair.lines("SELECT COUNT(*), COUNT(DISTINCT ip), COUNT(host), MIN(ipcountry), MAX(ipcountry) FROM websessions");
    assert_eq!(seen, ["50\t50\t50\tDE\tDE"]);
    on(pair, "summarize").args(["--db", "--month", "2025-07"]).finish().ok();
    pair.lines("SELECT rowid, colid, period, value FROM summary_user_vals ORDER BY 1, 2, 3")
}

/// Fifty visitors in a combined log, as IPv4, IPv6 and mapped addresses, without any option.
#[test]
fn field_02_fifty_ipv6_visitors_of_any_log() {
    let cells = |log: &str| {
        let folder = folder();
        let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/field/in").join(log);
        std::fs::write(folder.path().join("names.csv"), "ip,host\n").unwrap();
        let read = run("import-logs", &folder).arg(log).finish().ok();
        let named = run("resolve-dns", &folder).args(["--map", "names.csv"]).stdin(read.stdout).finish().ok();
        let used = run("usage-metrics", &folder).stdin(named.stdout).finish().ok();
        let cells = run("summarize", &folder).args(["--month", "2025-07"]).stdin(used.stdout).finish().ok();
        cells.text()
    };
    let v4 = cells("col-v4.log");
    let visitors = "\"table\":\"summary_misc_vals\",\"rowid\":4,\"colid\":1,\"datetime\":\"2025-07-00 00:00:00\",\
                    \"period\":1,\"value\":\"50\"";
    assert!(v4.contains(visitors), "{v4}");
    assert_eq!(cells("col-v6.log"), v4);
    assert_eq!(cells("col-mapped.log"), v4);
}

#[test]
fn fifty_ipv6_visitors_count_in_tables_of_both_engines_too() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        let (v4, v6) = (through_tables(&pair, false), through_tables(&pair, true));
        assert_eq!(v4, v6, "{engine:?}");
        assert!(v6.iter().any(|cell| cell == "1\t1\t1\t50"), "{v6:?}");
        assert_eq!(pair.lines("SELECT COUNT(*) FROM {hub}.jos_metrics_ipgeo_cache"), ["0"]);
    }
}
