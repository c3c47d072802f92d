//! Man page and shell completions, generated from the command line definition: `PROGRAM --generate man`,
//! `bash`, `zsh` or `fish`, without further arguments.
//!
//! The completions ask the program itself for values ([`crate::complete`]). For packaging and installing.
//! It is not an option of the parser, so that it works without mandatory
//! arguments and does not appear in help texts.

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use schema::Exit;

use crate::complete::{Asked, candidates};
use crate::is_unseen;

/// Handles `--generate` and `--complete`; `None` if neither was given. `values` knows what an argument may be,
/// for completions.
#[must_use]
pub fn generate(command: impl FnOnce() -> Command, values: &dyn Fn(&Asked<'_>) -> Vec<String>) -> Option<Exit> {
    let mut words = std::env::args_os().skip(1);
    let first = words.next()?;
    if first == "--complete" {
        return Some(complete(&mut command(), words, values));
    }
    if first != "--generate" {
        return None;
    }
    let mut command = command();
    let name = command.get_name().to_owned();
    let Some(text) = text(&mut command, &name, words.next()) else {
        let _ = writeln!(io::stderr(), "{name}: --generate takes man, bash, zsh or fish");
        return Some(Exit::Usage);
    };
    Some(crate::run::printed(&name, &text))
}

/// Prints the candidates for a word. Whatever is wrong, a shell sees nothing of it.
fn complete(
    command: &mut Command,
    words: impl Iterator<Item = OsString>,
    values: &dyn Fn(&Asked<'_>) -> Vec<String>,
) -> Exit {
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some((at, words)) = words.split_first()
        && let Ok(at) = at.parse()
    {
        // lines of a shell: nothing in them may end a line or control a terminal
        let found = candidates(command, words, at, values);
        let lines = found.iter().filter(|text| !text.chars().any(is_unseen)).map(|text| format!("{text}\n"));
        let _ = crate::print(lines.collect::<String>().as_bytes());
    }
    Exit::Done
}

fn text(command: &mut Command, name: &str, what: Option<OsString>) -> Option<Vec<u8>> {
    let shell = match what.as_ref()?.to_str()? {
        "man" => return page(command).ok(),
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => return None,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, command, name, &mut text);
    let text = String::from_utf8_lossy(&text);
    Some(asking(shell, name, &text).into_bytes())
}

/// A script that asks the program first. `{}` below is the name of the program as a shell function.
fn asking(shell: Shell, program: &str, script: &str) -> String {
    let name = &program.replace('-', "_");
    match shell {
        Shell::Zsh => {
            let begin = format!("_{program}() {{\n");
            script.replacen(&begin, &(begin.clone() + ZSH), 1)
        }
        Shell::Fish => {
            let mut text = FISH.replace("{}", name);
            for line in script.lines() {
                // what the script knows no values for
                let more = if line.ends_with(" -r") { format!(" -k -a \"(__{name}_values)\"") } else { String::new() };
                text.push_str(&format!("{line}{more}\n"));
            }
            text + &format!("complete -c {program} -k -a \"(__{name}_values)\"\n")
        }
        _ => {
            let words = || script.split_whitespace();
            let function = words().zip(words().skip(1)).find(|(word, _)| *word == "-F").map_or("", |(_, name)| name);
            let more = BASH.replace("{}", name).replace("FUNCTION", function).replace("PROGRAM", program);
            format!("{script}{more}")
        }
    }
}

const BASH: &str = r#"
__{}_values() {
    mapfile -t COMPREPLY < <("$1" --complete "$COMP_CWORD" "${COMP_WORDS[@]}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -gt 0 ]] || FUNCTION "$@"
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F __{}_values -o nosort -o bashdefault -o default PROGRAM
else
    complete -F __{}_values -o bashdefault -o default PROGRAM
fi
"#;

const ZSH: &str = r#"    local -a known
    known=(${(f)"$("${(Q)words[1]}" --complete $((CURRENT - 1)) "${(@Q)words}" 2>/dev/null)"})
    if (( ${#known} )); then
        # the value of an option is completed behind its name
        [[ $PREFIX == --*=* ]] && compset -P '*='
        compadd -V values -a known
        return
    fi
"#;

const FISH: &str = r#"function __{}_values
    set -l words (commandline -opc) (commandline -ct)
    $words[1] --complete (math (count $words) - 1) $words 2>/dev/null
end
"#;

/// One page for a program with all its commands, so that a single search finds any word.
fn page(command: &mut Command) -> io::Result<Vec<u8>> {
    command.build();
    let source = format!("{} {}", command.get_name(), command.get_version().unwrap_or_default());
    let man = Man::new(command.clone()).manual("HUBzero usage metrics").source(source).date(RELEASED);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut commands = command.get_subcommands().filter(|sub| sub.get_name() != "help").peekable();
    if commands.peek().is_some() {
        page.write_all(b".SH COMMANDS\n")?;
    }
    for sub in commands {
        let man = Man::new(sub.clone());
        let mut part = Vec::new();
        man.render_synopsis_section(&mut part)?;
        part.write_all(b".PP\n")?;
        man.render_description_section(&mut part)?;
        man.render_options_section(&mut part)?;
        writeln!(page, ".SS \"{}\"", sub.get_name())?;
        page.write_all(&without_headings(&part))?;
    }
    if command.get_after_long_help().is_some() {
        let mut notes = Vec::new();
        man.render_extra_section(&mut notes)?;
        page.write_all(b".SH NOTES\n")?;
        let mut between: &[u8] = b"";
        for line in without_headings(&notes).split_inclusive(|byte| *byte == b'\n') {
            if !line.starts_with(b".") && line != b"\n" {
                page.write_all(between)?;
                between = b".PP\n";
            }
            page.write_all(line)?;
        }
    }
    page.write_all(exit_status().as_bytes())?;
    Ok(tidy(&page))
}

/// The text of a part of a page, without headings that would belong to the whole page.
fn without_headings(part: &[u8]) -> Vec<u8> {
    let lines = part.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !line.starts_with(b".SH")).flatten().copied().collect()
}

/// Removes what formatters complain about: empty lines, breaks without text between them, and
/// characters beyond ASCII (which only some formatters convert). What a help text has in backticks is bold.
fn tidy(page: &[u8]) -> Vec<u8> {
    let page = String::from_utf8_lossy(page);
    let mut tidy = String::with_capacity(page.len());
    let mut broken = false;
    for line in page.lines().filter(|line| !line.trim().is_empty()) {
        let breaks = line == ".br";
        if !(breaks && broken) {
            let (mut marked, pairs) = (false, line.matches('`').count() % 2 == 0);
            for character in line.chars() {
                match character {
                    '`' if pairs => {
                        tidy.push_str(if marked { r"\fR" } else { r"\fB" });
                        marked = !marked;
                    }
                    ' '..='~' => tidy.push(character),
                    _ => tidy.push_str(&format!("\\[u{:04X}]", u32::from(character))),
                }
            }
            tidy.push('\n');
        }
        broken = breaks;
    }
    tidy.into_bytes()
}

/// The date on the pages.
const RELEASED: &str = "2026-11-20";

/// The section on the codes of [`Exit`].
fn exit_status() -> String {
    let entry = |exit: Exit| format!(".TP\n.B {}\n{}\n", exit.code(), exit.meaning().replace("--", r"\-\-"));
    format!(".SH \"EXIT STATUS\"\n{}", Exit::ALL.map(entry).concat())
}

/// The codes of [`Exit`] as the end of a help text.
#[must_use]
pub fn exit_codes() -> String {
    let line = |exit: Exit| format!("\n  {:>3}  {}", exit.code(), exit.meaning());
    format!("Exit codes:{}", Exit::ALL.map(line).concat())
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn command() -> Command {
        let flag = Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help("Change\n\nnothing… in `x`");
        let word = Arg::new("FILE").required(true).help(".starts with a dot");
        let sub = Command::new("tick").about("For cron").arg(flag);
        let notes = "First.\n\nSecond: the character ` alone stays.";
        Command::new("demo").version("1.2").about("Shows things").arg(word).subcommand(sub).after_long_help(notes)
    }

    #[test]
    fn one_page_has_every_command_and_the_exit_codes() {
        let page = String::from_utf8(page(&mut command()).unwrap()).unwrap();
        for part in ["\n.SH COMMANDS\n.SS \"tick\"\n", "\\-\\-dry\\-run", "For cron", "\n.SH \"EXIT STATUS\"\n", "1.2"]
        {
            assert!(page.contains(part), "{part} in\n{page}");
        }
        assert_eq!(page.matches("\n.SH NAME").count(), 1, "{page}");
        assert!(!page.contains("\n\n") && !page.contains("\n.starts"), "{page}");
        assert!(page.is_ascii() && page.contains("nothing\\[u2026] in \\fBx\\fR"), "{page}");
        assert!(page.contains("First.\n.PP\nSecond: the character ` alone") && !page.contains(".PP\nFirst."), "{page}");
    }

    #[test]
    fn each_shell_has_completions_and_other_words_are_errors() {
        for (what, says) in [("bash", "complete -F"), ("zsh", "#compdef demo"), ("fish", "complete -c demo")] {
            let text = String::from_utf8(text(&mut command(), "demo", Some(what.into())).unwrap()).unwrap();
            assert!(text.contains(says) && text.contains("dry-run"), "{what}: {text}");
        }
        assert!(text(&mut command(), "demo", Some("elvish".into())).is_none());
        assert!(text(&mut command(), "demo", None).is_none());
    }
}
