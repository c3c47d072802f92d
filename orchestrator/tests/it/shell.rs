//! Plumbing: pipes, redirections, variables, which process is blamed, which are waited for.

use std::process::Stdio;
use std::time::{Duration, Instant};

use fixtures::closed::close_off;

use crate::support::{Place, with_signals};

fn place() -> Place {
    Place::new(&["one", "two", "three"])
}

#[test]
fn three_programs_are_joined_by_pipes() {
    let done = place().sh("one lines 1000 | two pass | three count").finish().ok();
    assert_eq!(done.text(), "8890\n");
    assert_eq!(done.stderr, "");
}

#[test]
fn a_pipe_carries_more_than_a_buffer_and_reads_our_input() {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(7) >> 3) as u8).collect();
    let done = place().sh("one pass | two pass | three pass").stdin(bytes.clone()).finish().ok();
    assert!(done.stdout == bytes);
}

#[test]
fn the_first_real_failure_is_blamed() {
    let place = place();
    for (line, code, words) in [
        ("one exit 3 | two pass | three pass", 3, "one failed with exit code 3 (process 1 of 3; -c:1: one exit 3)"),
        ("one lines 5 | two pass 4 | three pass", 4, "two failed with exit code 4 (process 2 of 3; -c:1: two pass 4)"),
        (
            "one lines 5 | two pass | three pass 5",
            5,
            "three failed with exit code 5 (process 3 of 3; -c:1: three pass 5)",
        ),
        (
            "one exit 3 | two pass 4 | three pass 5",
            3,
            "one failed with exit code 3 (process 1 of 3; -c:1: one exit 3; then also two, three)",
        ),
        ("one exit 75", 75, "one failed with exit code 75 (-c:1: one exit 75)"),
        ("\n# x\none exit 1", 1, "one failed with exit code 1 (-c:3: one exit 1)"),
    ] {
        let done = place.sh(line).finish().expect_code(code);
        assert_eq!(done.stderr, format!("hzmetrics: {words}\n"), "{line}");
    }
}

#[test]
fn a_reader_that_leaves_is_not_a_failure() {
    let place = place();
    let done = place.sh("one lines 1000000 | two pass | three head 2").finish().ok();
    assert_eq!((done.text().as_str(), done.stderr.as_str()), ("line 0\nline 1\n", ""));
    // killed by SIGPIPE instead of getting the error
    let done = place.sh("yes | one head 1").finish().ok();
    assert_eq!((done.text().as_str(), done.stderr.as_str()), ("y\n", ""));
    // the reader failed: it is blamed, not the process before it
    let done = place.sh("one lines 1000000 | two exit 6").finish().expect_code(6);
    assert!(
        done.stderr.contains("two failed with exit code 6") && !done.stderr.contains("one failed"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_reader_of_our_own_output_may_leave() {
    let done = place().sh("one lines 1000000").read_at_most(10).expect_code(141);
    assert_eq!(done.stderr, "");
    let done = place().sh("one lines 1000000 | two head 900000 && one lines 1").read_at_most(10).expect_code(141);
    assert_eq!(done.stderr, "");
}

#[test]
fn every_process_is_waited_for() {
    let place = place();
    let done = place.sh("one late 700 mark 0 | two exit 9").finish().expect_code(9);
    assert_eq!(place.read("mark"), "done");
    assert!(done.stderr.contains("two failed with exit code 9"));
    place.sh("one late 500 mark2 8 | two pass").finish().expect_code(8);
    assert_eq!(place.read("mark2"), "done");
}

#[test]
fn lists_continue_or_stop_as_in_sh() {
    let place = place();
    let done = place.sh("one argv a && two argv b; three argv c\none argv d").finish().ok();
    assert_eq!(done.text(), "\"a\"\n.\n\"b\"\n.\n\"c\"\n.\n\"d\"\n.\n");
    // && stops at a failure, ; and a new line continue, and the first failure is the exit code
    let done = place.sh("one exit 7 && two argv b; three argv c\none exit 8").finish().expect_code(7);
    assert_eq!(done.text(), "\"c\"\n.\n");
    assert_eq!(done.stderr.lines().count(), 2);
}

#[test]
fn streams_are_redirected() {
    let place = place();
    place.write("in", "hello\n");
    place.sh("one pass < in > out && one pass >> out < in").finish().ok();
    assert_eq!(place.read("out"), "hello\nhello\n");
    place.sh("two words > both 2>&1").finish().ok();
    assert_eq!(place.read("both"), "out\nerr\n");
    let done = place.sh("two words 2>&1 > half").finish().ok();
    assert_eq!((done.text().as_str(), place.read("half").as_str()), ("err\n", "out\n"));
    let done = place.sh("two words >&2 2>errors; two words 2>>errors >/dev/null").finish().ok();
    assert_eq!(
        (done.text().as_str(), done.stderr.as_str(), place.read("errors").as_str()),
        ("", "out\n", "err\nerr\n")
    );
    place.sh("two words 2>errors >&2").finish().ok();
    assert_eq!(place.read("errors"), "out\nerr\n");
    let done = place.sh("two words 2>&1 | three count").finish().ok();
    assert_eq!(done.text(), "8\n");
    place.sh("> empty").finish().ok();
    assert_eq!(place.read("empty"), "");
    place.sh("F='a b*'; one argv x > $F").finish().ok();
    assert_eq!(place.read("a b*"), "\"x\"\n.\n");
    // the middle of a pipe may read and write files instead
    let done = place.sh("one lines 3 | two pass < in | three pass").finish().ok();
    assert_eq!(done.text(), "hello\n");
}

#[test]
fn nothing_is_started_when_a_part_is_missing() {
    let place = place();
    for (line, code, words) in [
        ("one late 0 mark | nowhere-to-be-found", 127, "there is no program `nowhere-to-be-found` in "),
        ("one late 0 mark | ./nothing", 127, "there is no program ./nothing"),
        ("one late 0 mark < missing", 1, "opening missing: No such file"),
        ("one late 0 mark | two pass > no/such/folder", 1, "opening no/such/folder: No such file"),
        ("one late 0 mark | $NOTHING", 2, "a part of the pipe is empty"),
    ] {
        let done = place.sh(line).finish().expect_code(code);
        assert!(done.stderr.starts_with("hzmetrics: -c:1: ") && done.stderr.contains(words), "{line}: {}", done.stderr);
        assert!(done.stderr.contains("nothing was started"), "{line}: {}", done.stderr);
        assert!(!place.path("mark").exists(), "{line}");
    }
    // a program that cannot be started
    place.write("words", "just words");
    let done = place.sh("one lines 9 | ./words").finish().expect_code(126);
    assert!(done.stderr.contains("words cannot be started: "), "{}", done.stderr);
}

#[test]
fn stages_beside_the_executable_come_first() {
    let place = place();
    place.write("other/one", "");
    let done = place.sh("one argv here").env("PATH", place.path("other")).finish().ok();
    assert_eq!(done.text(), "\"here\"\n.\n");
    let done = place.sh("one lines 3 | wc -l").finish().ok();
    assert_eq!(done.text().trim(), "3");
}

#[test]
fn variables_are_set_and_expanded() {
    let place = place();
    let done = place
        .run([
            "sh",
            "-c",
            "A=1; B=$X C=$B two env A B C X; one argv $A $X \"$X\" $NONE; X=new; two env X",
            "X=p  q",
            "Y=",
        ])
        .env("A_NOT", "x")
        .finish()
        .ok();
    let env = "None\nSome(\"p  q\")\nSome(\"p  q\")\nSome(\"p  q\")\n";
    assert_eq!(done.text(), format!("{env}\"1\"\n\"p\"\n\"q\"\n\"p  q\"\n.\nSome(\"new\")\n"));
}

#[test]
fn texts_are_read_from_files_and_standard_input() {
    let place = place();
    place.write("chain", "# a comment\none argv \\\n  'a\nb' # c\n");
    let done = place.run(["sh", "chain"]).finish().ok();
    assert_eq!(done.text(), "\"a\\nb\"\n.\n");
    // what follows on standard input is text, not data
    let done = place.run(["sh"]).stdin("one pass\none argv x\n").finish().ok();
    assert_eq!(done.text(), "\"x\"\n.\n");
    let done = place.run(["sh", "-", "V=w"]).stdin("one argv $V").finish().ok();
    assert_eq!(done.text(), "\"w\"\n.\n");
    place.run(["sh"]).finish().ok();
    let done = place.run(["sh", "missing"]).finish().expect_code(1);
    assert!(done.stderr.starts_with("hzmetrics: reading missing: No such file"));
}

#[test]
fn a_text_that_is_not_understood_starts_nothing() {
    let place = place();
    for (line, words) in [
        ("one late 0 mark; two || three", "-c: line 1, column 22: `||` is not known here"),
        ("one late 0 mark\n two 'x", "-c: line 2, column 6: this quote (') is not closed"),
        ("one late 0 mark; two &", "-c: line 1, column 22: `&` is not known here"),
        ("one `two`", "-c: line 1, column 5: backquotes"),
        ("one $(two)", "-c: line 1, column 5: `$(`"),
    ] {
        let done = place.sh(line).finish().expect_code(2);
        assert!(done.stderr.contains(words), "{line}: {}", done.stderr);
        assert!(!place.path("mark").exists(), "{line}");
    }
    place.run(["sh", "-c", "one", "no assignment"]).finish().expect_code(2);
}

#[test]
fn random_bytes_do_no_harm() {
    let bytes = fixtures::random::ten_megabytes(7);
    let done = place().run(["sh"]).stdin(bytes).finish().expect_code(2);
    assert_eq!(done.stderr.lines().count(), 1);
}

#[test]
fn a_killed_process_is_blamed_by_its_signal() {
    let place = place();
    place.write("suicide", "#!/bin/sh\nkill -9 $$\n");
    std::fs::set_permissions(place.path("suicide"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let done = place.sh("one lines 3 | ./suicide | two pass").finish().expect_code(137);
    assert!(done.stderr.contains("suicide was killed by signal 9 (SIGKILL) (process 2 of 3"), "{}", done.stderr);
}

#[test]
fn a_signal_ends_all_processes() {
    let place = place();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let begun = Instant::now();
        let mut command = with_signals("--default-signal", &place.path("the bin/hzmetrics"));
        let mut child = close_off(&mut command, &place.path("root"))
            .args(["sh", "-c", "> begun; sleep 60 | sleep 60 | one late 60000 mark 0; one late 0 after 0"])
            .current_dir(place.path(""))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while !place.path("begun").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(200));
        let pid = child.id().to_string();
        fixtures::run("kill").args(["-s", signal, &pid]).finish().ok();
        let code_found = child.wait().unwrap().code();
        let mut words = String::new();
        std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut words).unwrap();
        assert_eq!(code_found, Some(code), "{words}");
        assert!(words.contains("interrupted by signal ") && words.contains(&format!("(SIG{signal})")), "{words}");
        // reaching the end of standard error shows that no process still holds it
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert!(!place.path("mark").exists() && !place.path("after").exists());
        std::fs::remove_file(place.path("begun")).unwrap();
    }
}

#[test]
fn a_signal_that_the_caller_ignores_stays_ignored() {
    let place = place();
    for signal in ["INT", "TERM", "HUP"] {
        let mut command = with_signals(&format!("--ignore-signal={signal}"), &place.path("the bin/hzmetrics"));
        let mut child = close_off(&mut command, &place.path("root"))
            .args(["sh", "-c", "> begun; sleep 1; grep SigIgn: /proc/self/status > mask; one late 0 after 0"])
            .current_dir(place.path(""))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        while !place.path("begun").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        fixtures::run("kill").args(["-s", signal, &child.id().to_string()]).finish().ok();
        assert_eq!(child.wait().unwrap().code(), Some(0), "SIG{signal}");
        assert!(place.path("after").exists(), "SIG{signal}: the text continues");
        // and so do the programs
        let text = std::fs::read_to_string(place.path("mask")).unwrap();
        let mask = u64::from_str_radix(text.trim_start_matches("SigIgn:").trim(), 16).unwrap();
        let number = [("INT", 2), ("TERM", 15), ("HUP", 1)].into_iter().find(|(name, _)| *name == signal).unwrap().1;
        assert!(mask >> (number - 1) & 1 == 1, "SIG{signal}: {text}");
        for name in ["begun", "mask", "after"] {
            std::fs::remove_file(place.path(name)).unwrap();
        }
    }
}
