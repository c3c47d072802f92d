//! The language is a subset of that of `/bin/sh`: random lines give the same arguments in both.

use crate::support::{Place, fake};
use fixtures::property::{cases, check};
use proptest::prelude::*;

/// A piece of a word, of a kind that both shells know.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9_=,.:%@+/-]{1,4}",
        2 => "'[ -&(-~]{0,5}'",
        2 => proptest::collection::vec(
            prop_oneof![
                "[ a-z'*?|;&<>(){}#~!^-]{1,3}".boxed(),
                proptest::sample::select(vec!["\\\\", "\\\"", "\\$", "\\`", "\\a", "$V", "${W}", "$E", "$S", "\\\n"])
                    .prop_map(str::to_owned).boxed(),
            ], 0..4).prop_map(|parts| format!("\"{}\"", parts.concat())),
        2 => "\\\\[ -~]",
        2 => proptest::sample::select(vec!["$V", "${W}", "$E", "$S", "$G", "${E}", "$NONE", "$A/"]).prop_map(str::to_owned),
        2 => proptest::sample::select(
            vec!["*", "?", "f*", "[ab]*", "[!f]*", "d/*", "*/*", "[a-", "*.x", "\\*", "'*'", "f?", "*/", ".h*", "[]x]*", "[[:digit:]]*"])
            .prop_map(str::to_owned),
        1 => Just("a#b".to_owned()),
        1 => Just("\\\n".to_owned()),
    ]
}

fn line() -> impl Strategy<Value = String> {
    let word = proptest::collection::vec(piece(), 1..4).prop_map(|pieces| pieces.concat());
    let command = (proptest::collection::vec(word, 0..5), proptest::sample::select(vec![" ", "\t", "  \\\n"]))
        .prop_map(|(words, blank)| {
            format!("fake argv{}", words.iter().map(|w| format!("{blank}{w}")).collect::<String>())
        });
    let joint =
        proptest::sample::select(vec![" && ", ";", "\n", " # words 'not closed\n", " | fake pass | ", "&&\n\n"]);
    proptest::collection::vec((command, joint), 1..4).prop_map(|parts| {
        let mut line = String::new();
        for (i, (command, joint)) in parts.iter().enumerate() {
            line.push_str(command);
            if i + 1 < parts.len() {
                line.push_str(joint);
            }
        }
        line
    })
}

/// What comes before each line, after `A`, the absolute name of the folder.
const SETTING: &str = "V=value; W='two  words '; E=; S=' '; G='f* [a]x \\z'\n";

/// Whether the shell lists files that other programs of the machine can create and delete between
/// two runs, or `.` and `..`, which some shells match with `.*`.
fn leaves(work: &str, text: &str) -> bool {
    text.lines().any(|line| {
        let absolute = line.starts_with("\"/") && !line.starts_with(&format!("\"{work}/"));
        absolute || line.ends_with(".\"") || line.contains("./")
    })
}

#[test]
fn random_lines_mean_the_same() {
    let place = Place::new(&["fake"]);
    for name in ["f1", "f2", "a.x", "b", "1", "]", ".hidden", "d/e", "d/f", "d/.g"] {
        place.write(&format!("work/{name}"), "");
    }
    let work = place.path("work");
    let path = format!("{}:/usr/bin:/bin", place.path("the bin").display());
    assert!(fake().exists());
    check(cases(800), &line(), |line| {
        // a tilde may come first, and $ before a quote: refused here, see the parser's tests
        let text = format!("A='{}'; {SETTING}{line}", work.display());
        let ours = place.run(["sh", "-c", &text]).dir(&work).finish();
        prop_assume!(!(ours.code == 2 && ours.stderr.contains("is not known here")));
        let theirs =
            fixtures::run("/bin/sh").args(["-c", &text]).dir(&work).env("PATH", &path).env("LC_ALL", "C").finish();
        prop_assume!(ours.text() == theirs.text() || !leaves(&work.display().to_string(), &theirs.text()));
        prop_assert_eq!(ours.text(), theirs.text(), "{:?}\n{}\n{}", text, ours.stderr, theirs.stderr);
        prop_assert_eq!(ours.code, theirs.code, "{:?}\n{}\n{}", text, ours.stderr, theirs.stderr);
        Ok(())
    });
}
