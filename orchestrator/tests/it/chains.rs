//! Named chains: the list, the text, running one, and the lines for `/bin/sh`.

use crate::support::Place;

/// Three programs that show their arguments and pass on their input.
fn place() -> Place {
    Place::new(&["one", "two", "three"])
}

#[test]
fn the_list_names_origin_and_purpose() {
    let place = place();
    place.write("root/etc/hubzero-metrics/chains/pipe.sh", "# our own pipe\none argv\n");
    place.write("mine/extra.sh", "# one more\none argv\n");
    let done = place.run(["chains", "--chains", "mine"]).finish().ok();
    let text = done.text();
    let line = |name: &str| text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap().to_owned();
    for name in [
        "fetch",
        "import",
        "archive",
        "tool-metrics",
        "usage-metrics",
        "summarize",
        "whoisonline",
        "port-import",
        "port-analyze",
        "port-summarize",
        "report",
        "demo",
    ] {
        assert!(line(name).contains("  built in  "), "{text}");
    }
    assert!(line("pipe").ends_with("root/etc/hubzero-metrics/chains/pipe.sh  our own pipe"), "{text}");
    assert!(line("extra").contains("mine/extra.sh") && line("extra").ends_with("one more"), "{text}");
    place.run(["chains"]).read_at_most(3).ok();
}

#[test]
fn the_text_is_printed_unchanged() {
    let place = place();
    let built_in = include_str!("../../chains/pipe.sh");
    assert_eq!(place.run(["chains", "pipe"]).finish().ok().text(), built_in);
    place.write("mine/pipe.sh", "# x\none argv");
    let done = place.run(["chains", "pipe"]).env("HZMETRICS_CHAINS", "mine").finish().ok();
    assert_eq!(done.text(), "# x\none argv");
    let done = place.run(["chains", "nothing"]).finish().expect_code(2);
    assert!(done.stderr.contains("there is no chain `nothing`; there are fetch, import,"), "{}", done.stderr);
    place.run(["chains", "--chains", "no-folder"]).finish().expect_code(1);
}

#[test]
fn a_named_chain_is_run_with_its_variables() {
    let place = place();
    place.write("mine/x.sh", "# x\n# needs NAME: a name\n# takes MONTH: a month\none argv \"$NAME\" $MONTH\n");
    let run = |args: &[&str]| {
        place.run(["run-chain", "x"].into_iter().chain(args.iter().copied())).env("HZMETRICS_CHAINS", "mine")
    };
    assert_eq!(run(&["NAME=a b"]).finish().ok().text(), "\"a b\"\n.\n");
    assert_eq!(run(&["2025-07", "NAME=a"]).finish().ok().text(), "\"a\"\n\"2025-07\"\n.\n");
    assert_eq!(run(&["2025-07"]).env("NAME", "env").finish().ok().text(), "\"env\"\n\"2025-07\"\n.\n");
    let done = run(&["2025-07"]).finish().expect_code(2);
    assert!(done.stderr.contains("needs NAME: a name"), "{}", done.stderr);
    let done = run(&["2025-13", "NAME=a"]).finish().expect_code(2);
    assert!(done.stderr.contains("`2025-13` is not a month"), "{}", done.stderr);
    place.write("mine/bad.sh", "# bad\none &\n");
    let done = place.run(["run-chain", "--chains", "mine", "bad"]).finish().expect_code(2);
    assert!(done.stderr.contains("mine/bad.sh: line 2, column 5: `&`"), "{}", done.stderr);
    place.write("mine/fails.sh", "# fails\none exit 4 | two pass\n");
    let done = place.run(["run-chain", "--chains", "mine", "fails"]).finish().expect_code(4);
    assert!(
        done.stderr.contains("one failed with exit code 4 (process 1 of 2; mine/fails.sh:2: one exit 4)"),
        "{}",
        done.stderr
    );
}

#[test]
fn the_chains_of_a_day_start_their_stages() {
    let place = Place::new(&[
        "fetch-logs",
        "import-logs",
        "archive",
        "tool-metrics",
        "usage-metrics",
        "summarize",
        "whoisonline",
        "report",
    ]);
    // the fake stage does not know these words, which shows that it was started with them
    for (chain, month, blamed) in [
        ("fetch", None, "fetch-logs --stage"),
        ("import", None, "import-logs --db"),
        ("archive", None, "archive --db"),
        ("tool-metrics", Some("2025-07"), "tool-metrics --db $MONTH"),
        ("usage-metrics", None, "usage-metrics --db $MONTH"),
        ("summarize", Some("2025-07"), "summarize --db $MONTH"),
        ("whoisonline", None, "whoisonline --db"),
    ] {
        let done = place.run(["run-chain", chain].into_iter().chain(month)).finish().expect_code(99);
        assert!(done.stderr.contains(&format!("(chain {chain}:")) && done.stderr.contains(blamed), "{}", done.stderr);
    }
    let done = place.run(["run-chain", "report", "PAGE=a page.html"]).finish().expect_code(99);
    done.said(&["(chain report:", "report --from db --to"]);
    place.run(["run-chain", "report"]).env("PAGE", "").finish().expect_code(2).said(&["needs PAGE: file to write"]);
}

#[test]
fn explained_lines_do_the_same_in_sh() {
    let place = place();
    place.write("f1", "");
    place.write("mine/a.sh", "# first\n# needs WORDS: what to say\n# takes MONTH: a month\n\none argv \"$WORDS\" $MONTH f* | two pass | # then\n  three pass && one argv 'it''s' $WORDS # last");
    place.write("mine/b.sh", "# second\none argv a; two exit 5 # no\nA=x; B=y; one argv $A > made; one exit 6 && one argv never\n'two' argv \"$B\"\n");
    place.write("mine/c.sh", "# third\none lines 4 | two pass 7");
    for (chain, code, args) in
        [("a", 0, &["2025-07", "WORDS=it's \"two\" $words\nline"][..]), ("b", 5, &[]), ("c", 7, &[])]
    {
        let ours = place
            .run(["run-chain", "--chains", "mine", chain].into_iter().chain(args.iter().copied()))
            .finish()
            .expect_code(code);
        let lines =
            place.run(["explain", "--chains", "mine", chain].into_iter().chain(args.iter().copied())).finish().ok();
        for shell in ["/bin/sh", "/bin/bash"] {
            if !std::path::Path::new(shell).exists() {
                continue;
            }
            let theirs =
                fixtures::run(shell).dir(place.path("")).stdin(lines.stdout.clone()).finish().expect_code(code);
            assert_eq!(theirs.text(), ours.text(), "{shell}\n{}", lines.text());
        }
        assert!(lines.text().contains("the bin/one'"), "{}", lines.text());
    }
}

#[test]
fn explained_lines_say_what_is_missing() {
    let place = place();
    let lines = place.run(["explain", "pipe", "2025-07"]).finish().ok();
    assert!(lines.text().contains("MONTH='2025-07'; export MONTH"), "{}", lines.text());
    let done = fixtures::run("/bin/sh").stdin(lines.stdout).finish();
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("folder with the rotated logs"), "{}", done.stderr);
    place.run(["explain"]).finish().expect_code(2);
    place.run(["explain", "nothing"]).finish().expect_code(2);
}

#[test]
fn in_bash_failures_anywhere_in_a_pipe_count() {
    let place = place();
    place.write("mine/x.sh", "# x\none exit 3 | two pass\n");
    let lines = place.run(["explain", "--chains", "mine", "x"]).finish().ok();
    if std::path::Path::new("/bin/bash").exists() {
        fixtures::run("/bin/bash").dir(place.path("")).stdin(lines.stdout).finish().expect_code(3);
    }
}
