//! `bench --peers`: other tools beside ours on the same log, by turns; medians, and which goals hold.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use checkout::show;
use fixtures::closed::close_off;

use super::args::Args;
use super::logs::LAYOUTS;
use super::measure::{Measured, Shell, goal, median};
use super::report::last_month;

/// Our work, and another tool's.
struct Row<'a> {
    what: &'a str,
    ours: &'a str,
    peer: &'a str,
    theirs: &'a str,
    /// How much of the other's time ours may take; `None` if it is there for comparison alone.
    most: Option<f64>,
}

pub(super) fn run(args: &Args, bin: &Path, directory: &Path) -> Result<()> {
    let layout = &LAYOUTS[0];
    let (log, n_lines) = layout.log(directory, args.lines)?;
    let place = directory.join("peers");
    fs::create_dir_all(&place)?;
    let shell = Shell { bin: bin.to_owned(), place: place.clone(), log: log.clone() };
    show(&format!("a log of {n_lines} lines; medians of {} pairs of runs", args.runs))?;
    let _ = shell.run("import-logs --quiet \"$LOG\" | usage-metrics --geo-url none > usage.ndjson")?;
    let month = last_month(&place.join("usage.ndjson"))?;
    let cells = format!(
        "import-logs --quiet \"$LOG\" | usage-metrics --geo-url none | summarize --quiet --month {month} > cells.ndjson"
    );
    let goaccess = words("goaccess", &layout.goaccess(&log, &place.join("goaccess.json")));
    let chdb = format!("{} with-chdb.py \"$LOG\"", args.python.display());
    let duckdb = format!("{} with-duckdb.py \"$LOG\"", args.python.display());
    let chdb_whole = format!("{chdb} whole");
    fs::write(place.join("with-chdb.py"), CHDB)?;
    fs::write(place.join("with-duckdb.py"), DUCKDB)?;
    let nothing = "import-logs --quiet --to /dev/null \"$LOG\"";
    for row in [
        Row { what: "log to all cells", ours: &cells, peer: "chdb", theirs: &chdb, most: Some(0.5) },
        Row { what: "log to all cells", ours: &cells, peer: "chdb, all fields", theirs: &chdb_whole, most: None },
        Row { what: "log to all cells", ours: &cells, peer: "DuckDB", theirs: &duckdb, most: None },
        Row { what: "log to all cells", ours: &cells, peer: "GoAccess", theirs: &goaccess, most: None },
        Row {
            what: "import-logs FILE",
            ours: nothing,
            peer: "import-logs < FILE",
            theirs: "import-logs --quiet --raw access --to /dev/null < \"$LOG\"",
            most: Some(1.1),
        },
        Row { what: "parse to nothing", ours: nothing, peer: "wc -l", theirs: "wc -l \"$LOG\"", most: Some(5.0) },
    ] {
        compare(args, &shell, &row)?;
    }
    pass_through(args, &shell)?;
    names(args, &shell)
}

/// Two distinct counts over one regular expression, without sessions: over the end of a line that has the two fields,
/// or with a second argument over all fields that our programs read.
const CHDB: &str = r#"import sys, chdb
end = r'" [0-9]{3} [0-9]+ ([^ ]+) "[^"]*" "([^"]*)"'
whole = (r'^([-0-9]+ [:0-9]+) [A-Z]+ ([^ ]+) [^ ]+ "([A-Z]+) ([^ "]*)[^"]*" ([0-9]{3}) ([0-9]+) ([^ ]+) "([^"]*)" "([^"]*)"'
    r' (.*)$')
fields, ip, agent = (end, 1, 2) if len(sys.argv) < 3 else (whole, 7, 9)
print(chdb.query(f"""SELECT uniqExact(g[{ip}]), uniqExact(g[{agent}]) FROM (SELECT extractGroups(line, '{fields}') AS g
    FROM file('{sys.argv[1]}', LineAsString)) SETTINGS max_threads = 2"""))
"#;

/// The same.
const DUCKDB: &str = r#"import sys, duckdb
duckdb.sql("SET threads = 2")
print(duckdb.sql(f"""SELECT count(DISTINCT g.ip), count(DISTINCT g.agent) FROM (SELECT regexp_extract(line,
    '" [0-9]{{3}} [0-9]+ ([^ ]+) "[^"]*" "([^"]*)"', ['ip', 'agent']) AS g FROM read_csv('{sys.argv[1]}',
    columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '', header = false, ignore_errors = true))"""))
"#;

fn words(program: &str, args: &[OsString]) -> String {
    let quoted = args.iter().map(|arg| format!("'{}'", arg.to_string_lossy().replace('\'', r"'\''")));
    quoted.fold(program.to_owned(), |line, arg| line + " " + &arg)
}

fn compare(args: &Args, shell: &Shell, row: &Row<'_>) -> Result<()> {
    // the first run also says whether the tool is there
    if let Err(error) = shell.output(row.theirs) {
        return show(&format!("{:<24}{} is not there: {error:#}", row.what, row.peer));
    }
    let pairs = (0..args.runs).map(|_| Ok((shell.run(row.ours)?, shell.run(row.theirs)?)));
    let pairs: Vec<(Measured, Measured)> = pairs.collect::<Result<_>>()?;
    let times = median(pairs.iter().map(|(ours, theirs)| ours.seconds / theirs.seconds));
    let of_processors = median(pairs.iter().map(|(ours, theirs)| ours.processor / theirs.processor.max(0.01)));
    let held = row.most.map(|most| format!(", {}", goal(times <= most, &format!("at most {most}"))));
    show(&format!(
        "{:<24}{:>7.3} s; {}: {:.3} s; {times:.2} times, {of_processors:.2} by processor time{}",
        row.what,
        median(pairs.iter().map(|pair| pair.0.seconds)),
        row.peer,
        median(pairs.iter().map(|pair| pair.1.seconds)),
        held.unwrap_or_default()
    ))
}

/// Bytes of the records that are passed through.
const PASSED: usize = 964_000_000;

/// Records that `usage-metrics` does not change.
fn pass_through(args: &Args, shell: &Shell) -> Result<()> {
    let path = shell.place.join("logins.ndjson");
    let mut file = BufWriter::new(File::create(&path)?);
    let (mut n_bytes, mut n) = (0, 0_u32);
    while n_bytes < PASSED {
        let line = format!(
            "{{\"kind\":\"login\",\"datetime\":\"2025-07-{:02} {:02}:{:02}:00\",\"user\":\"user{}\",\"uidNumber\":{n},\
             \"ip\":\"192.0.2.{}\",\"action\":\"login\"}}\n",
            n % 28 + 1,
            n % 24,
            n % 60,
            n % 977,
            n % 250
        );
        file.write_all(line.as_bytes())?;
        n_bytes += line.len();
        n += 1;
    }
    drop(file);
    let ours = "usage-metrics --geo-url none < logins.ndjson > /dev/null";
    let runs = (0..args.runs).map(|_| shell.run(ours)).collect::<Result<Vec<_>>>()?;
    let seconds = median(runs.iter().map(|one| one.seconds));
    let a_core = n_bytes as f64 / 1e9 / median(runs.iter().map(|one| one.processor));
    show(&format!(
        "{:<24}{seconds:>7.3} s; {:.2} GB/s, {a_core:.2} GB/s a core ({})",
        "records passed through",
        n_bytes as f64 / 1e9 / seconds,
        goal(a_core >= 1.0, "1 GB/s a core")
    ))?;
    for (peer, line) in [
        ("cat | cat", "cat logins.ndjson | cat > /dev/null"),
        ("jq -c .", "jq -c . < logins.ndjson > /dev/null"),
        ("xan from -f ndjson", "xan from -f ndjson logins.ndjson > /dev/null"),
        ("qsv jsonl", "qsv jsonl logins.ndjson > /dev/null"),
    ] {
        let program = peer.split(' ').next().unwrap_or_default();
        if shell.output(&format!("command -v {program}")).is_err() {
            show(&format!("{:<24}{program} is not there", ""))?;
            continue;
        }
        let one = shell.run(line)?;
        show(&format!("{:<24}{peer}: {:.3} s, {:.3} of processors", "", one.seconds, one.processor))?;
    }
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
}

/// Addresses that are looked up.
const ADDRESSES: u32 = 300_000;

/// Reverse lookups with unbound on this machine, beside dnsperf.
fn names(args: &Args, shell: &Shell) -> Result<()> {
    let Some(server) = Unbound::start(&shell.place)? else {
        return show("there is no unbound, so reverse lookups are not measured");
    };
    let mut records = BufWriter::new(File::create(shell.place.join("addresses.ndjson"))?);
    let mut queries = BufWriter::new(File::create(shell.place.join("queries"))?);
    for i in 0..ADDRESSES {
        let [_, a, b, c] = i.to_be_bytes();
        writeln!(
            records,
            "{{\"kind\":\"web\",\"datetime\":\"2025-07-01 00:00:00\",\"ip\":\"10.{a}.{b}.{c}\",\"host\":null}}"
        )?;
        writeln!(queries, "{c}.{b}.{a}.10.in-addr.arpa PTR")?;
    }
    drop((records, queries));
    let port = server.port;
    let ours = format!(
        "resolve-dns --quiet --nameserver 127.0.0.1:{port} --concurrency 500 < addresses.ndjson > named.ndjson\n\
         ! grep -q -v host.example named.ndjson"
    );
    let peer = format!("dnsperf -s 127.0.0.1 -p {port} -d queries -n 1 -c 1 -T 1 -q 500");
    let (mut rates, mut processors, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.runs {
        let one = shell.run(&ours)?;
        rates.push(f64::from(ADDRESSES) / one.seconds);
        processors.push(one.processor / f64::from(ADDRESSES) * 1e6);
        others.extend(shell.output(&peer).ok().as_deref().and_then(queries_per_second));
    }
    let rate = median(rates.into_iter());
    let other = if others.is_empty() {
        "dnsperf is not there or does not run".to_owned()
    } else {
        format!("dnsperf: {:.0}/s", median(others.into_iter()))
    };
    show(&format!(
        "{:<24}{rate:.0}/s, {:.1} µs of processors each; {other} ({})",
        "reverse lookups",
        median(processors.into_iter()),
        goal(rate >= 50_000.0, "50,000/s")
    ))
}

fn queries_per_second(text: &str) -> Option<f64> {
    text.split_once("Queries per second:")?.1.split_whitespace().next()?.parse().ok()
}

/// A name server on loopback that has a name for each address of 10.0.0.0/8.
struct Unbound {
    child: Child,
    port: u16,
}

impl Unbound {
    /// `None` if it is not installed.
    fn start(place: &Path) -> Result<Option<Self>> {
        let port = free_port()?;
        let place = fs::canonicalize(place)?;
        let settings = place.join("unbound.conf");
        fs::write(
            &settings,
            format!(
                "server:\n interface: 127.0.0.1\n port: {port}\n do-daemonize: no\n chroot: \"\"\n username: \"\"\n \
                 directory: \"{0}\"\n pidfile: \"{0}/unbound.pid\"\n use-syslog: no\n logfile: \"{0}/unbound.log\"\n \
                 num-threads: 1\n so-rcvbuf: 4m\n access-control: 127.0.0.0/8 allow\n \
                 local-zone: \"10.in-addr.arpa.\" redirect\n \
                 local-data: \"10.in-addr.arpa. 3600 IN PTR host.example.\"\n",
                place.display()
            ),
        )?;
        let mut command = Command::new("unbound");
        close_off(&mut command, &place).env("PATH", "/usr/sbin:/usr/bin:/bin").arg("-c").arg(&settings);
        let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else { return Ok(None) };
        let server = Self { child, port };
        std::thread::sleep(Duration::from_secs(1));
        Ok(Some(server))
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody uses for UDP or TCP.
fn free_port() -> Result<u16> {
    let udp = UdpSocket::bind("127.0.0.1:0").context("finding a port")?;
    let port = udp.local_addr()?.port();
    TcpListener::bind(("127.0.0.1", port)).context("finding a port")?;
    Ok(port)
}
