//! On a terminal, work that takes longer than a second shows a line, which disappears again; elsewhere there
//! is nothing of it. `script` gives the program a terminal.

use std::path::Path;

const EXE: &str = env!("CARGO_BIN_EXE_import-logs");
const LINE: &str = r#"192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] "GET /a HTTP/1.1" 200 5 "-" "Mozilla/5.0""#;

/// What a shell command writes to a terminal; `None` without `script`.
fn on_terminal(command: &str, term: &str) -> Option<String> {
    if !Path::new("/usr/bin/script").exists() {
        fixtures::skip("script (util-linux) is needed to look at a terminal");
        return None;
    }
    let command = format!("stty cols 80 rows 24; {command}");
    let run = fixtures::run("/usr/bin/script").args(["-qec", &command, "/dev/null"]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let done = run.env("TERM", term).env("PATH", path).env("SHELL", "/bin/sh").finish();
    Some(done.text())
}

/// A log that takes `secs` seconds to arrive.
fn slowly(secs: &str) -> String {
    format!("(echo '{LINE}'; sleep {secs}) | {EXE} --raw access --log-format combined")
}

#[test]
fn a_line_of_progress_comes_and_goes() {
    let Some(text) = on_terminal(&format!("{} >/dev/null", slowly("2.2")), "xterm") else { return };
    assert!(text.contains("import-logs  0:01") || text.contains("import-logs  0:02"), "{text:?}");
    let (_, rest) = text.rsplit_once("\x1b[2K").unwrap_or_default();
    assert!(!rest.contains("0:0"), "erased at last: {text:?}");
    assert!(rest.contains("import-logs: 1 line"), "and the message is whole: {text:?}");
}

#[test]
fn an_interrupted_program_leaves_no_line_behind() {
    let command =
        format!("sleep 3 | timeout -s INT 2 {EXE} --raw access --log-format combined >/dev/null; echo ended $?");
    let Some(text) = on_terminal(&command, "xterm") else { return };
    assert!(text.contains("import-logs  0:01"), "{text:?}");
    let (_, rest) = text.rsplit_once("\x1b[2K").unwrap_or_default();
    assert!(rest.trim_end().ends_with("ended 124") && !rest.contains("import-logs"), "{text:?}");
}

#[test]
fn there_is_no_progress_without_a_terminal_that_can_show_it() {
    for (command, term) in [
        (format!("{} >/dev/null 2>&1 | cat", slowly("1.6")), "xterm"),
        (format!("{} >/dev/null", slowly("1.6")), "dumb"),
        (format!("{} --quiet >/dev/null", slowly("1.6")), "xterm"),
        (format!("{} >/dev/null", slowly("0")), "xterm"),
        (format!("{} 2>&1 >/dev/null | cat -v", slowly("1.6")), "xterm"),
    ] {
        let Some(text) = on_terminal(&command, term) else { return };
        assert!(!text.contains("0:0") && !text.contains("\x1b[2K") && !text.contains("^["), "{command}: {text:?}");
    }
}
