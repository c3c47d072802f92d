//! Standard output that is closed or full, for every program: an error with a message, never a
//! success.

use std::path::PathBuf;

use fixtures::{EXECUTABLES, Finished, run};

/// Runs a program in a shell, with its streams set up by `redirects`.
fn shell(exe: &str, args: &[&str], redirects: &str) -> Finished {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(exe);
    run("sh").args(["-c", &format!("exec \"$0\" \"$@\" {redirects}")]).arg(path).args(args).finish()
}

fn check(exe: &str, args: &[&str]) {
    for (redirects, words) in [(">&-", "standard output is closed"), (">/dev/full", "No space left on device")] {
        let done = shell(exe, args, redirects);
        // a program started by another one gets a device that is always full
        let said = done.stderr.contains(words) || args.first() == Some(&"sh") && done.stderr.contains("No space");
        assert!(done.code != 0 && said, "{exe} {args:?} {redirects}: {done:?}");
    }
    shell(exe, args, ">/dev/null").ok();
}

#[test]
fn requested_output_is_not_lost() {
    for exe in EXECUTABLES {
        check(exe, &["--help"]);
        check(exe, &["--version"]);
        check(exe, &["--generate", "man"]);
        check(exe, &["--generate", "bash"]);
        if exe != "hzmetrics" {
            check(exe, &["--describe"]);
        }
    }
    check("hzmetrics", &[]);
    check("hzmetrics", &["chains"]);
    check("hzmetrics", &["chains", "pipe"]);
    check("hzmetrics", &["explain", "import"]);
}

#[test]
fn records_are_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r.ndjson");
    std::fs::write(&file, "{\"kind\":\"web\",\"ip\":\"8.8.8.8\",\"datetime\":\"2025-07-01 00:00:00\"}\n").unwrap();
    let file = file.to_str().unwrap();
    for exe in ["usage-metrics", "summarize", "tool-metrics"] {
        let month = if exe == "usage-metrics" { &[][..] } else { &["--month", "2025-07"] };
        check(exe, &[&["--from", file, "--format", "csv"], month].concat());
    }
    check("hzmetrics", &["convert", "--from", file]);
    // a program started by another one
    check("hzmetrics", &["sh", "-c", &format!("usage-metrics --from {file}")]);
}

#[test]
fn closed_standard_input_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for exe in ["usage-metrics", "summarize", "resolve-dns", "import-logs"] {
        let month = if exe == "summarize" { &["--month", "2025-07"][..] } else { &[] };
        let args = [&["--to", out.to_str().unwrap()], month].concat();
        let done = shell(exe, &args, "<&-").expect_code(1);
        assert!(done.stderr.contains("standard input is closed"), "{exe}: {}", done.stderr);
        assert!(!out.exists(), "{exe}");
    }
}
