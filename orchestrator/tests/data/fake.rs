//! A tiny program that replaces any stage in tests: its arguments say what it does.
//! Compiled by the tests themselves; needs nothing but std.

use std::io::{self, BufRead, Read, Write};
use std::process::exit;

fn fail(error: io::Error) -> ! {
    exit(if error.kind() == io::ErrorKind::BrokenPipe { 141 } else { 1 })
}

fn main() {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let text = |i: usize| args.get(i).map(|a| a.to_string_lossy().into_owned()).unwrap_or_default();
    let number = |i: usize| text(i).parse::<u64>().unwrap_or(0);
    let mut out = io::stdout().lock();
    match text(0).as_str() {
        // prints its arguments, one per line
        "argv" => {
            for arg in &args[1..] {
                writeln!(out, "{arg:?}").unwrap_or_else(|e| fail(e));
            }
            writeln!(out, ".").unwrap_or_else(|e| fail(e));
        }
        "exit" => exit(number(1) as i32),
        // writes lines until it is done or the reader leaves
        "lines" => {
            for i in 0..number(1) {
                writeln!(out, "line {i}").unwrap_or_else(|e| fail(e));
            }
        }
        // reads everything, writes everything, ends with a code
        "pass" => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).unwrap_or_else(|e| fail(e));
            out.write_all(&bytes).unwrap_or_else(|e| fail(e));
            out.flush().unwrap_or_else(|e| fail(e));
            exit(number(1) as i32);
        }
        // reads some lines and leaves
        "head" => {
            for line in io::stdin().lock().lines().take(number(1) as usize) {
                writeln!(out, "{}", line.unwrap_or_else(|e| fail(e))).unwrap_or_else(|e| fail(e));
            }
        }
        // counts bytes
        "count" => {
            let n = io::copy(&mut io::stdin(), &mut io::sink()).unwrap_or_else(|e| fail(e));
            writeln!(out, "{n}").unwrap_or_else(|e| fail(e));
        }
        // closes its streams by not using them, waits, then leaves a mark
        "late" => {
            std::thread::sleep(std::time::Duration::from_millis(number(1)));
            std::fs::write(text(2), "done").unwrap_or_else(|e| fail(e));
            exit(number(3) as i32);
        }
        "env" => {
            for name in &args[1..] {
                writeln!(out, "{:?}", std::env::var_os(name)).unwrap_or_else(|e| fail(e));
            }
        }
        "words" => {
            writeln!(out, "out").unwrap_or_else(|e| fail(e));
            eprintln!("err");
        }
        // import-logs: records which file it was given; fails for the file named by FAKE_FAILS_ON
        "--quiet" => {
            let file = text(args.len() - 1);
            if std::env::var("FAKE_FAILS_ON").is_ok_and(|name| file.ends_with(&name)) {
                exit(1);
            }
            let lines = std::fs::read_to_string(&file).unwrap_or_else(|e| fail(e)).lines().count();
            let list = std::env::var("FAKE_LIST").unwrap_or_default();
            let mut list = std::fs::File::options().append(true).create(true).open(list).unwrap_or_else(|e| fail(e));
            let compat = std::env::var("HZMETRICS_COMPAT").unwrap_or_default();
            std::fs::write("compat", compat).unwrap_or_else(|e| fail(e));
            let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
            writeln!(list, "{}", words.join(" ")).unwrap_or_else(|e| fail(e));
            let receipt = if std::env::var("FAKE_LOADED_BEFORE").is_ok_and(|name| file.ends_with(&name)) {
                format!("{{\"kind\":\"receipt\",\"path\":{file:?},\"rows\":0,\"rejected\":0,\"already\":1}}")
            } else {
                format!("{{\"kind\":\"receipt\",\"path\":{file:?},\"rows\":{lines},\"rejected\":7}}")
            };
            writeln!(out, "{receipt}").unwrap_or_else(|e| fail(e));
        }
        // usage-metrics: records its arguments if requested
        "--db" if std::env::var_os("FAKE_LIST").is_some() => {
            let list = std::env::var("FAKE_LIST").unwrap_or_default();
            let mut list = std::fs::File::options().append(true).create(true).open(list).unwrap_or_else(|e| fail(e));
            let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
            writeln!(list, "{}", words.join(" ")).unwrap_or_else(|e| fail(e));
            exit(i32::from(std::env::var("FAKE_FAILS_ON").is_ok_and(|word| words.iter().any(|w| *w == word))));
        }
        other => {
            eprintln!("fake: what is {other}?");
            exit(99);
        }
    }
}
