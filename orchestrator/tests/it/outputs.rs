//! Output goes where the user asked: devices, FIFOs and descriptors are written to, links are
//! followed, sockets are refused; none of them is ever replaced.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use fixtures::run;

fn program(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(name)
}

const RECORD: &str = "{\"kind\":\"web\",\"ip\":\"8.8.8.8\",\"datetime\":\"2025-07-01 00:00:00\"}\nno record\n";

/// Runs a program with an option for the output, and checks that `words` arrive.
fn check(exe: &str, args: &[&str], option: &str, words: &str) {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let start = |path: &std::path::Path| {
        run(program(exe)).args(args).arg(option).arg(path).env("HZMETRICS_ROOT", place.path()).stdin(RECORD)
    };
    run("mkfifo").arg(at("fifo")).finish().ok();
    let reader = std::thread::spawn({
        let fifo = at("fifo");
        move || fs::read_to_string(fifo).unwrap()
    });
    start(&at("fifo")).finish().ok();
    let came = reader.join().unwrap();
    assert!(came.contains(words), "{exe} {option}: {came}");
    assert!(fs::symlink_metadata(at("fifo")).unwrap().file_type().is_fifo(), "{exe} {option}: it was replaced");
    symlink(at("real"), at("link")).unwrap();
    start(&at("link")).finish().ok();
    assert!(at("link").is_symlink() && fs::read_to_string(at("real")).unwrap().contains(words), "{exe} {option}");
    start(std::path::Path::new("/dev/null")).finish().ok();
    let _listener = UnixListener::bind(at("socket")).unwrap();
    let done = start(&at("socket")).finish().expect_code(1);
    assert!(done.stderr.contains("is a socket"), "{exe} {option}: {}", done.stderr);
    assert!(fs::symlink_metadata(at("socket")).unwrap().file_type().is_socket());
}

#[test]
fn every_output_option_writes_where_it_says() {
    check("usage-metrics", &["--quiet"], "--to", "8.8.8.8");
    check("usage-metrics", &["--quiet", "--to", "/dev/null"], "--rejects", "no record");
    check("import-logs", &["--quiet", "--to", "/dev/null"], "--rejects", "no record");
    check(
        "resolve-dns",
        &["--quiet", "--to", "/dev/null", "--nameserver", "127.0.0.1:9", "--timeout", "0.2"],
        "--cache",
        "8.8.8.8",
    );
}
