//! Names chosen to do harm: whoever controls an address controls its reverse name.

use fixtures::db::{SqlMode, pair};
use schema::tables::Engine;

use crate::{ask, hosts, web};
use fixtures::name_server::{NameServer, Reply};

/// Labels with everything that controls a terminal or ends a text, a line, a record or a statement.
const NAMES: [&str; 12] = [
    "'; DROP TABLE web; -- .example.com",
    "\" OR 1=1 #.example.com",
    "\u{1b}[31mred\u{7}.example.com",
    "two\nlines\r\n.example.com",
    "{\"kind\":\"web\"},\"x\".example.com",
    "a\0b.example.com",
    "\u{202e}moc.elpmaxe\u{200b}",
    "%_*?.example.com",
    "<script>alert(1)</script>.example.com",
    "../../etc/passwd",
    "$(reboot)`reboot`.example.com",
    "\\032\\.\\\\.example.com",
];

/// A name server that gives the address `8.0.0.N` the name with this number, after a plain label
/// from `8.0.1.0` on; further addresses get names of maximum length.
fn names() -> NameServer {
    NameServer::start(|ip| {
        let [_, _, plain, n] = ip.octets();
        match NAMES.get(usize::from(n)) {
            Some(name) if plain == 1 => Reply::name(format!("plain.{name}")),
            Some(name) => Reply::name(*name),
            None => Reply::Names(vec![["\u{ff}\u{fe}x".repeat(12).as_str(); 4].join("."); 40]),
        }
    })
}

fn addresses() -> impl Iterator<Item = String> {
    [0, 1].into_iter().flat_map(|plain| (0..=NAMES.len()).map(move |n| format!("8.0.{plain}.{n}")))
}

/// What the original extracts from a name: letters, digits, hyphens, dots; or the question mark.
fn is_plain(host: &str) -> bool {
    host == "?" || (!host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'))
}

#[test]
fn in_the_pipe_hostile_names_are_plain_or_unknown() {
    let server = names();
    let input: String = addresses().map(|ip| web(&ip)).collect();
    let found = hosts(ask(&server).stdin(input.clone()));
    assert_eq!(found.len(), 2 * (NAMES.len() + 1));
    assert_eq!(found.iter().find(|host| !is_plain(host)), None, "{found:?}");
    assert_eq!(found.iter().filter(|host| *host == "plain").count(), NAMES.len(), "{found:?}");
    // the port's names are complete, with every odd byte escaped
    let found = hosts(ask(&server).args(["--compat", "port"]).stdin(input));
    let odd = |host: &&String| !host.bytes().all(|b| (0x21..=0x7E).contains(&b)) || host.len() > 255;
    assert_eq!((found.iter().find(odd), found.len()), (None, 2 * (NAMES.len() + 1)), "{found:?}");
}

#[test]
fn in_tables_hostile_names_are_values() {
    let server = names();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    let rows: Vec<String> = addresses().map(|ip| format!("('2025-07-05 10:00:00', '{ip}')")).collect();
    pair.sql(&format!("INSERT INTO web (datetime, ip) VALUES {}", rows.join(", ")));
    let stage = env!("CARGO_BIN_EXE_resolve-dns");
    let done = pair.run(stage).args(["-n", &server.address(), "--db", "2025-07"]).finish().ok();
    assert_eq!((done.text(), done.stderr.as_str()), (String::new(), ""));
    let stored = pair.lines("SELECT host FROM web");
    assert_eq!(stored.len(), rows.len());
    assert_eq!(stored.iter().find(|host| !is_plain(host)), None, "{stored:?}");
}
