//! What a shell offers for the word at the cursor: `PROGRAM --complete N WORD…`, where N is the index of
//! that word. The scripts of `--generate` ask this first and fall back to the names of the options.
//!
//! It prints one candidate per line and nothing else, whatever is wrong.

use clap::{Arg, ArgAction, Command};
use schema::{Opt, Period};

use crate::current_month;

/// What is asked for: an option or a positional argument, and where it stands.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The command, without the name of the program; empty for one without commands.
    pub command: &'a str,
    /// The argument.
    pub arg: &'a Arg,
    /// What is typed so far of the value.
    pub typed: &'a str,
}

impl Asked<'_> {
    /// The name of the argument, as in the code.
    #[must_use]
    pub fn id(&self) -> &str {
        self.arg.get_id().as_str()
    }

    /// Its value in words, such as `YYYY-MM`.
    #[must_use]
    pub fn value_name(&self) -> &str {
        self.arg.get_value_names().and_then(<[_]>::first).map_or("", |name| name)
    }
}

/// The candidates for word `at`. `more` knows values that are not in the definition of the command line.
pub(crate) fn candidates(
    command: &mut Command,
    words: &[String],
    at: usize,
    more: &dyn Fn(&Asked<'_>) -> Vec<String>,
) -> Vec<String> {
    command.build();
    let before = words.get(1..at).unwrap_or_default();
    let typed = words.get(at).map_or("", String::as_str);
    let Some((name, arg, typed)) = expected(command, before, typed) else { return Vec::new() };
    let is_list = arg.get_value_delimiter().is_some() || matches!(arg.get_id().as_str(), "compat" | "periods" | "only");
    let (done, last) = match typed.rfind(',').filter(|_| is_list) {
        Some(comma) => typed.split_at(comma + 1),
        None => ("", typed),
    };
    let asked = Asked { command: &name, arg, typed: last };
    let mut values = usual(&asked);
    if values.is_empty() {
        values = more(&asked);
    }
    let is_new = |value: &&String| !done.split(',').any(|known| known == *value);
    values.iter().filter(|value| value.starts_with(last)).filter(is_new).map(|value| format!("{done}{value}")).collect()
}

/// The argument that the word at the cursor belongs to, with the name of its command and what is typed of
/// its value.
fn expected<'c, 't>(mut command: &'c Command, before: &[String], typed: &'t str) -> Option<(String, &'c Arg, &'t str)> {
    let mut name = String::new();
    let mut n_positional = 0;
    let mut only_positional = false;
    let mut words = before.iter().filter(|word| *word != "=").peekable();
    while let Some(word) = words.next() {
        if only_positional || !word.starts_with('-') || word == "-" {
            if let Some(sub) = command.find_subcommand(word).filter(|_| n_positional == 0 && !only_positional) {
                (command, name) = (sub, word.clone());
            } else {
                n_positional += 1;
            }
        } else if word == "--" {
            only_positional = true;
        } else if !word.contains('=')
            && let Some(arg) = option(command, word)
            && words.next().is_none()
        {
            return Some((name, arg, if typed == "=" { "" } else { typed }));
        }
    }
    if let Some((word, value)) = typed.split_once('=').filter(|(word, _)| word.starts_with("--") && !only_positional) {
        return Some((name, option(command, word)?, value));
    }
    if typed.starts_with('-') && !only_positional {
        return None;
    }
    let mut positionals = command.get_positionals();
    let last = command.get_positionals().last().filter(|arg| arg.get_num_args().is_some_and(|n| n.max_values() > 1));
    Some((name, positionals.nth(n_positional).or(last)?, typed))
}

/// The option of this name, if it takes a value.
fn option<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let is_it = |arg: &&Arg| match (word.strip_prefix("--"), word.strip_prefix('-')) {
        (Some(long), _) => arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|all| all.contains(&long)),
        (None, Some(short)) => arg.get_short().is_some_and(|known| short == known.to_string()),
        (None, None) => false,
    };
    let takes = |arg: &&Arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    command.get_arguments().find(is_it).filter(takes)
}

/// The values that follow from the definition of the command line.
fn usual(asked: &Asked<'_>) -> Vec<String> {
    let possible = asked.arg.get_possible_values();
    if !possible.is_empty() {
        let shown = possible.iter().filter(|value| !value.is_hide_set());
        return shown.map(|value| value.get_name().to_owned()).collect();
    }
    match asked.id() {
        "compat" => {
            let options = Opt::ALL.iter().map(|(_, name)| *name);
            ["default", "legacy", "port"].into_iter().chain(options).map(str::to_owned).collect()
        }
        "period" | "periods" => Period::BY_CODE.map(|period| period.code().to_string()).into(),
        _ => Vec::new(),
    }
}

/// How many months are offered by somebody who knows no tables.
const MONTHS: u32 = 24;

/// The last months, the newest first, where a month is asked for.
pub(crate) fn months(asked: &Asked<'_>) -> Vec<String> {
    let Ok(current) = current_month() else { return Vec::new() };
    let is_month = asked.value_name() == "YYYY-MM";
    (0..MONTHS).filter(|_| is_month).map(|ago| current.minus(ago).to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let value = |name: &'static str| Arg::new(name).long(name);
        let months = Arg::new("months").value_name("YYYY-MM").num_args(1..);
        let sub = clap::Command::new("show")
            .arg(value("periods").value_delimiter(','))
            .arg(value("month").short('m').value_name("YYYY-MM"))
            .arg(months);
        let flag = Arg::new("quiet").long("quiet").action(ArgAction::SetTrue);
        clap::Command::new("demo").arg(flag).arg(value("compat").global(true)).subcommand(sub)
    }

    fn check(line: &str, expected: &[&str]) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let months = |asked: &Asked<'_>| match (asked.command, asked.value_name()) {
            ("show", "YYYY-MM") => vec!["2025-07".to_owned(), "2025-06".to_owned(), "2024-06".to_owned()],
            _ => Vec::new(),
        };
        assert_eq!(candidates(&mut command(), &words, words.len() - 1, &months), expected, "{line}");
    }

    #[test]
    fn values_are_offered_where_they_belong() {
        let months = ["2025-07", "2025-06", "2024-06"];
        check("demo show ", &months);
        check("demo show 2025-0", &months[..2]);
        check("demo show 2025-07 2024", &months[2..]);
        for line in [
            "demo show --month ",
            "demo show -m ",
            "demo show --month=",
            "demo --quiet show --month =",
            "demo show -- ",
        ] {
            check(line, &months);
        }
        check("demo show --month = 2024", &months[2..]);
        check("demo show --month 2025-07 2024", &months[2..]);
    }

    #[test]
    fn lists_go_on_behind_the_comma() {
        check("demo show --periods ", &["0", "1", "3", "12", "13", "14"]);
        check("demo show --periods 1", &["1", "12", "13", "14"]);
        check("demo show --periods 0,12,1", &["0,12,1", "0,12,13", "0,12,14"]);
        check("demo --compat ipv", &["ipv6"]);
        check("demo show --compat port,lp_cl", &["port,lp_cli"]);
    }

    #[test]
    fn nothing_is_offered_where_nothing_is_known() {
        for line in ["demo ", "demo sh", "demo --qu", "demo show --mo", "demo none 2025", ""] {
            check(line, &[]);
        }
        let words = [String::new()];
        assert!(candidates(&mut command(), &words, 9, &|_| Vec::new()).is_empty());
    }
}
