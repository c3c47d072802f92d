//! Named chains: texts for the shell, kept as files that an administrator can read and replace.
//!
//! A chain is searched for in the folder given by `--chains`, then in
//! `/etc/hubzero-metrics/chains`, then among the built-in ones. The comments at its beginning
//! describe it and its variables.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kit::Usage;
use kit::door::named;

/// The built-in chains.
const BUILT_IN: &[(&str, &str)] = &[
    ("fetch", include_str!("../chains/fetch.sh")),
    ("import", include_str!("../chains/import.sh")),
    ("archive", include_str!("../chains/archive.sh")),
    ("tool-metrics", include_str!("../chains/tool-metrics.sh")),
    ("usage-metrics", include_str!("../chains/usage-metrics.sh")),
    ("summarize", include_str!("../chains/summarize.sh")),
    ("whoisonline", include_str!("../chains/whoisonline.sh")),
    ("port-import", include_str!("../chains/port-import.sh")),
    ("port-analyze", include_str!("../chains/port-analyze.sh")),
    ("port-summarize", include_str!("../chains/port-summarize.sh")),
    ("report", include_str!("../chains/report.sh")),
    ("pipe", include_str!("../chains/pipe.sh")),
    ("demo", include_str!("../chains/demo.sh")),
];

/// The suffix of a chain's file.
const SUFFIX: &str = "sh";

/// A named chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) name: String,
    pub(crate) text: Vec<u8>,
    /// The file it was read from; `None` for a built-in one.
    pub(crate) file: Option<PathBuf>,
}

/// A variable that a chain declares in a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) about: String,
    /// Whether the chain cannot run without it.
    pub(crate) required: bool,
}

impl Chain {
    /// The comment lines at the beginning, without their `#`.
    fn header(&self) -> impl Iterator<Item = String> {
        let lines = self.text.split(|b| *b == b'\n').map_while(|line| line.trim_ascii().strip_prefix(b"#"));
        lines.filter(|line| !line.starts_with(b"!")).map(|line| String::from_utf8_lossy(line).trim().to_owned())
    }

    /// Its description: the first comment line.
    pub(crate) fn about(&self) -> String {
        self.header().find(|line| !line.is_empty()).unwrap_or_default()
    }

    /// The variables that it declares: comment lines `needs NAME: …` and `takes NAME: …`.
    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let parameter = |line: String| {
            let (verb, rest) = line.split_once(' ')?;
            let required = match verb {
                "needs" => true,
                "takes" => false,
                _ => return None,
            };
            let (name, about) = rest.split_once(':')?;
            let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            is_name.then(|| Parameter { name: name.to_owned(), about: about.trim().to_owned(), required })
        };
        self.header().filter_map(parameter).collect()
    }

    /// Its name in messages.
    pub(crate) fn place(&self) -> String {
        self.file.as_ref().map_or_else(|| format!("chain {}", self.name), |file| file.display().to_string())
    }

    /// Its origin, for the list.
    pub(crate) fn origin(&self) -> String {
        self.file.as_ref().map_or_else(|| "built in".to_owned(), |file| file.display().to_string())
    }
}

/// All chains; those in earlier folders take precedence.
pub(crate) struct Chains {
    folders: Vec<PathBuf>,
}

impl Chains {
    /// Chains of the given folder, if any, and of the system's folder.
    ///
    /// # Errors
    /// The given folder cannot be read.
    pub(crate) fn new(named: Option<PathBuf>, system: PathBuf) -> Result<Self> {
        if let Some(folder) = &named {
            fs::read_dir(folder).with_context(|| format!("reading the chains in {}", folder.display()))?;
        }
        Ok(Self { folders: named.into_iter().chain([system]).collect() })
    }

    /// Every chain by name.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn all(&self) -> Result<Vec<Chain>> {
        let built_in = BUILT_IN.iter().map(|(name, text)| {
            ((*name).to_owned(), Chain { name: (*name).to_owned(), text: text.as_bytes().to_vec(), file: None })
        });
        // the built-in ones keep their order: it is that of the day's work
        let mut order: Vec<_> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut chains: BTreeMap<_, _> = built_in.collect();
        for folder in self.folders.iter().rev() {
            for (name, file) in files(folder)? {
                let text = named::read(&file).with_context(|| format!("reading {}", file.display()))?;
                if !order.contains(&name) {
                    order.push(name.clone());
                }
                chains.insert(name.clone(), Chain { name, text, file: Some(file) });
            }
        }
        Ok(order.into_iter().filter_map(|name| chains.remove(&name)).collect())
    }

    /// The chain with this name.
    ///
    /// # Errors
    /// There is none ([`Usage`]), or its file cannot be read.
    pub(crate) fn get(&self, name: &str) -> Result<Chain> {
        let all = self.all()?;
        let names: Vec<_> = all.iter().map(|chain| chain.name.clone()).collect();
        let found = all.into_iter().find(|chain| chain.name == name);
        found.ok_or_else(|| Usage(format!("there is no chain `{name}`; there are {}", names.join(", "))).into())
    }
}

fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(e) => return Err(e).with_context(|| format!("reading the chains in {}", folder.display())),
    };
    let mut found = BTreeMap::new();
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(name) = name
            && path.extension().is_some_and(|end| end == SUFFIX)
            && !name.starts_with('.')
            && path.is_file()
        {
            found.insert(name.to_owned(), path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::parse::{WordPart, parse, variables};

    fn built_in() -> Vec<Chain> {
        Chains::new(None, PathBuf::from("/nowhere/at/all")).unwrap().all().unwrap()
    }

    #[test]
    fn built_in_chains_are_understood_and_described() {
        for chain in built_in() {
            let script = parse(&chain.text).unwrap_or_else(|bad| panic!("{}: {bad}", chain.name));
            assert!(!script.lists.is_empty(), "{} is empty", chain.name);
            assert!(chain.about().len() > 20, "{} says `{}`", chain.name, chain.about());
            let parameters: Vec<_> = chain.parameters().into_iter().map(|parameter| parameter.name).collect();
            assert_eq!(variables(&script).iter().find(|name| !parameters.contains(name)), None, "{}", chain.name);
            let unused = |name: &&String| !variables(&script).contains(name);
            assert_eq!(parameters.iter().find(unused), None, "{} does not use it", chain.name);
        }
    }

    #[test]
    fn built_in_chains_are_made_of_stages() {
        let stages = [
            "fetch-logs",
            "import-logs",
            "archive",
            "resolve-dns",
            "tool-metrics",
            "usage-metrics",
            "summarize",
            "whoisonline",
            "report",
        ];
        for chain in built_in() {
            let script = parse(&chain.text).unwrap();
            for command in script.lists.iter().flat_map(|l| &l.pipelines).flat_map(|p| &p.commands) {
                if let Some(word) = command.words.first() {
                    let [WordPart::Plain(text)] = word.parts.as_slice() else {
                        panic!("{}: no plain name", chain.name)
                    };
                    let name = std::str::from_utf8(text).unwrap();
                    assert!(stages.contains(&name) || name == "tee", "{}: {name}", chain.name);
                }
            }
        }
    }

    #[test]
    fn files_replace_built_in_chains_and_add_others() {
        let (named, system) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(named.path().join("pipe.sh"), "# mine\na").unwrap();
        fs::write(system.path().join("pipe.sh"), "# system\na").unwrap();
        fs::write(system.path().join("more.sh"), "#!/bin/sh\n#\n# more  \n# needs X: an x\n# takes Y: a y\na $X $Y")
            .unwrap();
        fs::write(system.path().join("notes.txt"), "no chain").unwrap();
        let chains = Chains::new(Some(named.path().to_owned()), system.path().to_owned()).unwrap();
        assert_eq!(chains.get("pipe").unwrap().about(), "mine");
        let more = chains.get("more").unwrap();
        assert_eq!(more.about(), "more");
        let parameters: Vec<_> = more.parameters().into_iter().map(|p| (p.name, p.about, p.required)).collect();
        assert_eq!(parameters, [("X".to_owned(), "an x".to_owned(), true), ("Y".to_owned(), "a y".to_owned(), false)]);
        assert_eq!(chains.all().unwrap().len(), BUILT_IN.len() + 1);
        assert!(chains.get("notes").unwrap_err().to_string().contains("there is no chain `notes`; there are fetch,"));
        assert!(Chains::new(Some(named.path().join("none")), PathBuf::new()).is_err());
    }
}
