//! Long lines, and lists with a quote left open, need no more memory than others.

use std::io::{self, BufReader, Read};
use std::time::Duration;

use fixtures::bounds::Bounds;

use super::*;

const BOUNDS: Bounds = Bounds { processor: Duration::from_secs(600), wall: Duration::from_secs(1800), megabytes: 200 };

/// A compressed file with these bytes.
fn gzip(dir: &TempDir, name: &str, text: impl Read) -> PathBuf {
    let path = dir.path().join(name);
    let mut gz = flate2::write::GzEncoder::new(fs::File::create(&path).unwrap(), flate2::Compression::fast());
    io::copy(&mut BufReader::with_capacity(1 << 20, text), &mut gz).unwrap();
    gz.finish().unwrap();
    path
}

/// Lines that are only just short enough to be read.
fn long_lines(n: u64, unit: &str) -> impl Read {
    let line = [unit.repeat(kit::MAX_LINE / unit.len() - 10).as_bytes(), b"\n"].concat();
    let len = line.len() as u64;
    (0..n).fold(Box::new(io::empty()) as Box<dyn Read>, move |lines, _| {
        Box::new(lines.chain(io::Cursor::new(line.clone()).take(len)))
    })
}

#[test]
fn long_lines_are_not_held_many_at_a_time() {
    let dir = TempDir::new().unwrap();
    for (compat, unit) in [("default", "x"), ("lp_parse", "é")] {
        let log = gzip(&dir, "hub-access.log.gz", long_lines(10, unit));
        let rejects = dir.path().join("rejects");
        let run = import_logs().args(["--compat", compat]).arg(log).arg("--rejects").arg(&rejects);
        let (done, used) = run.within(BOUNDS).unwrap();
        assert_eq!(done.code, 1, "{}", done.stderr);
        assert!(done.stderr.contains("0 of 1 lines fit"), "{}", done.stderr);
        fixtures::say(&format!("long lines, {compat}: {} MB", used.megabytes));
        assert!(fs::metadata(&rejects).unwrap().len() > 10 * (kit::MAX_LINE as u64 - 1000));
    }
}

/// In a year of attacks no two requests have anything in common. What an agent is judged to be is
/// remembered for a part of them only.
#[test]
fn field_85_requests_that_are_all_different_need_no_more_memory() {
    let dir = TempDir::new().unwrap();
    let used = [20_000_u32, 200_000].map(|n_lines| {
        let line = |n: u32| {
            let ip = std::net::Ipv4Addr::from(0x0B00_0000 + n);
            format!(
                "{ip} - - [10/Jul/2025:08:00:01 +0000] \"GET /{n:x}/{} HTTP/1.1\" 200 12 \"https://a{n}.example/\" \"UA/{n} ({})\"\n",
                "p".repeat(60),
                "x".repeat(80)
            )
        };
        let log = file(&dir, &format!("{n_lines}.log"), (0..n_lines).map(line).collect::<String>());
        let run = import_logs().arg(log).args(["--to", "/dev/null"]);
        let (done, used) = run.within(Bounds { megabytes: 120, ..BOUNDS }).unwrap();
        assert!(done.code == 0 && done.stderr.contains(&format!("{n_lines} rows")), "{}", done.stderr);
        used.megabytes
    });
    fixtures::say(&format!("all different: {used:?} MB"));
}

#[test]
fn a_list_with_an_open_quote_is_an_error_in_bounded_memory() {
    let dir = TempDir::new().unwrap();
    for (option, header) in [("--exclude", "filter,type"), ("--bots", "useragent")] {
        let open = io::Cursor::new(format!("{header}\na,ip\n\"")).chain(io::repeat(b'x').take(300 << 20));
        let list = gzip(&dir, "list.gz", open);
        let run = raw("access", line("2025-07-10", "/a", "UA")).arg(option).arg(list);
        let (done, _) = run.within(Bounds { megabytes: 100, ..BOUNDS }).unwrap();
        assert!(done.code == 1 && done.stderr.contains("a quote that is not closed"), "{}", done.stderr);
    }
}

#[test]
fn hostile_logins_and_long_exclude_lists_take_little_time() {
    let dir = TempDir::new().unwrap();
    let filters: String = (0..20_000).map(|i| format!("{}{i},ip\n", "1.".repeat(i % 40))).collect();
    let list = file(&dir, "exclude.csv", format!("filter,type\n{filters}"));
    let units = ["[", "]", " ", "1", "1.", "[ ", "] 1", "\t1.1 ", "_", "] 1.2.3.4 login "];
    let line = |unit: &&str| format!("2025-05-01 08:00:01 1 [{}] 1.1.1.1 login\n", unit.repeat((1 << 20) / unit.len()));
    let run = raw("auth", units.iter().map(line).collect::<String>()).arg("--exclude").arg(list);
    let bounds = Bounds { processor: Duration::from_secs(60), ..BOUNDS };
    let (done, used) = run.within(bounds).unwrap();
    fixtures::say(&format!("hostile logins: {used:?}"));
    assert!(done.code == 0 && done.stderr.contains("10 lines"), "{}", done.stderr);
}
