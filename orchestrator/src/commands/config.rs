//! `hzmetrics config`: what holds now and where each value comes from, keys that do not exist, and a sample.
//! All of it from the one table of keys, `schema::keys`.

mod values;

use std::fmt::Write as _;

use anyhow::Result;
use hub::config::{self, Config, Origin, Setting};
use kit::Uses;
use schema::Exit;
use schema::keys::{KEYS, Key, SECTIONS};

use super::{Call, Command, print};
use crate::health;
use crate::overrides::{COMPAT, Overrides};
use crate::shell::Shell;

/// Show the configuration and where each value comes from
///
/// Values come from the built-in defaults, the files, the environment and the options before a command, each of
/// which overrides the ones before it. Secrets are not shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Look for keys and sections that do not exist, and for values that a program cannot use; exit code 2 if there
    /// are any
    #[arg(long, conflicts_with = "sample")]
    check: bool,

    /// Print a sample file with every key
    #[arg(long)]
    sample: bool,
}

impl Command for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, call: &Call) -> Result<u8> {
        if self.sample {
            return print(sample().as_bytes());
        }
        let config = config::read(None, &|name: &str| call.overrides.get(name))?;
        if self.check { check(&config, call) } else { print(shown(&config, &call.overrides).as_bytes()) }
    }
}

/// What holds, section by section.
fn shown(config: &Config, overrides: &Overrides) -> String {
    let mut out = String::new();
    let files = config.files();
    if files.is_empty() {
        out.push_str("; no file is read\n");
    }
    files.iter().for_each(|file| out.push_str(&format!("; read: {}\n", file.display())));
    for (section, _) in SECTIONS {
        let _ = writeln!(out, "\n[{section}]");
        for key in KEYS.iter().filter(|key| key.section == section) {
            let set: Vec<&Setting> = config.settings().iter().filter(|setting| setting.key == key).collect();
            for setting in &set {
                let _ = line(&mut out, &setting.name, setting.shown(), &origin(setting, overrides));
            }
            if set.is_empty() && key.name != "*" {
                let (value, origin) = of_default(key, config);
                let _ = line(&mut out, key.name, &value, &origin);
            }
        }
    }
    out
}

fn line(out: &mut String, name: &str, value: &str, origin: &str) -> std::fmt::Result {
    let mut seen = String::new();
    kit::push_seen(&mut seen, value);
    writeln!(out, "{name:<20} = {seen:<32} ; {origin}")
}

/// Where a value comes from, options before the command considered.
fn origin(setting: &Setting, overrides: &Overrides) -> String {
    let of_option = setting.origin == Origin::Environment(COMPAT) && overrides.list().iter().any(|(n, _)| n == COMPAT);
    if of_option { "option --compat".to_owned() } else { setting.origin.to_string() }
}

/// What holds without a setting.
fn of_default(key: &Key, config: &Config) -> (String, String) {
    if (key.section, key.name) == ("hub", "site") && config.site.explicit {
        return (config.site.name.clone(), config.paths.hubzero_conf().display().to_string());
    }
    (key.default.to_owned(), "default".to_owned())
}

/// Stages that take options from the configuration, as filters without input: they say what they cannot use.
const TRIED: [&str; 5] = [
    "import-logs --quiet --dry-run --raw access < /dev/null > /dev/null",
    "resolve-dns --quiet < /dev/null > /dev/null",
    "usage-metrics --quiet < /dev/null > /dev/null",
    "summarize --quiet < /dev/null > /dev/null",
    "report --quiet < /dev/null > /dev/null",
];

/// Looks for what cannot be meant; the exit code.
fn check(config: &Config, call: &Call) -> Result<u8> {
    let mut is_sound = true;
    for stray in config.strays() {
        is_sound = false;
        call.messages.error(format_args!("{}, line {}: {}", stray.path.display(), stray.line, stray.what));
    }
    for setting in config.settings().iter().filter(|setting| setting.key.section == "check") {
        if let Err(why) = health::settle(&setting.name, setting.shown()) {
            is_sound = false;
            call.messages.error(format_args!("{}: {why}", setting.origin));
        }
    }
    for why in values::complaints(config)? {
        is_sound = false;
        call.messages.error(why);
    }
    let mut shell = Shell::new("config", call.overrides.variables(), call.messages)?;
    shell.hand_on(config)?;
    for text in TRIED {
        is_sound &= shell.run(text.as_bytes())? == 0;
    }
    if !is_sound {
        return Ok(Exit::Usage.code());
    }
    let n = config.settings().len();
    print(format!("{n} keys are set, all of them known\n").as_bytes())
}

/// A file with every key, each commented out.
fn sample() -> String {
    let mut out = String::from(
        "# hzmetrics.conf, written by `hzmetrics config --sample`. Each key is shown with what holds without it;\n\
         # remove the # in front of a key to set it. See docs/configuration.md.\n",
    );
    for (section, doc) in SECTIONS {
        let _ = writeln!(out, "\n# {doc}\n[{section}]");
        for key in KEYS.iter().filter(|key| key.section == section) {
            let variable = key.variable.map_or_else(String::new, |name| format!(" Also {name}."));
            let _ = writeln!(out, "# {} ({}; default: {}){variable}", key.doc, key.value.word(), key.default);
            let name = if key.name == "*" { "NAME" } else { key.name };
            let value = if key.default.contains([' ', '\'']) { "" } else { key.default };
            let value = if matches!(value, "none" | "required") { "" } else { value };
            let _ = writeln!(out, "#{name} = {value}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_every_key_once_and_sets_none() {
        let text = sample();
        for key in KEYS {
            let line = format!("#{} = ", if key.name == "*" { "NAME" } else { key.name });
            let (_, rest) = text.split_once(&format!("\n[{}]\n", key.section)).unwrap();
            let here = rest.split("\n[").next().unwrap();
            assert_eq!(here.lines().filter(|l| l.starts_with(line.trim_end())).count(), 1, "{line}\n{here}");
        }
        let sets = |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.starts_with('[');
        assert_eq!(text.lines().find(sets), None);
    }
}
