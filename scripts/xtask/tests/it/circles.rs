//! No file needs a file that needs it: the `use` dependencies between the files of a crate have no
//! circle.
//!
//! All paths that begin with `crate`, `super` or a child module are read, in all code except tests; a
//! name that a file only re-exports (`pub use`) leads to the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Allowed circles: the crate, the files of the circle, and the reason. One that no longer exists fails
/// the test.
const ALLOWED: &[(&str, &[&str], &str)] =
    &[("stages/enrich", &["table", "table/write"], "a table, and how its rows are written back")];

/// The name of a module in messages and in [`ALLOWED`].
fn name(module: &[String]) -> String {
    if module.is_empty() { "the root".to_owned() } else { module.join("/") }
}

/// The module of a file: its path without `main`, `lib` and the extension.
fn module(path: &Path) -> Vec<String> {
    let path = path.with_extension("");
    let names = path.iter().map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| !["main", "lib"].contains(&name.as_str())).collect()
}

/// The code of a file: without comments, up to its tests.
fn code(text: &str) -> String {
    let lines =
        text.lines().take_while(|line| *line != "mod tests {").filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The paths in a tree of `use`, from its start: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(tree: &str) -> Vec<Vec<String>> {
    let mut open: Vec<Vec<String>> = Vec::new();
    let (mut path, mut word, mut found) = (Vec::new(), String::new(), Vec::new());
    for c in tree.chars() {
        match c {
            _ if c.is_alphanumeric() || c == '_' => word.push(c),
            ':' if word.is_empty() => {}
            ':' => path.push(std::mem::take(&mut word)),
            '{' => open.push(path.clone()),
            ',' | '}' if !open.is_empty() => {
                if !word.is_empty() {
                    path.push(std::mem::take(&mut word));
                    found.push(path);
                }
                if c == '}' && open.pop().is_some() && open.is_empty() {
                    return found;
                }
                path = open.last().cloned().unwrap_or_default();
            }
            // ` as other`, and line breaks between the names of a list
            ' ' | '\n' if !open.is_empty() => {}
            _ => break,
        }
    }
    path.extend((!word.is_empty()).then_some(word));
    found.push(path);
    found
}

/// One crate: its files by module, with the code of each.
struct Crate {
    files: BTreeMap<Vec<String>, String>,
}

impl Crate {
    fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut folders = vec![src.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    // the library of a package that also has a program is a separate crate
                    let is_second = path.ends_with("src/lib.rs") && src.join("main.rs").exists();
                    let module =
                        if is_second { vec!["lib".to_owned()] } else { module(path.strip_prefix(src).unwrap()) };
                    files.insert(module, code(&text));
                }
            }
        }
        Self { files }
    }

    /// The file of a path as written in `from`, and the name after it.
    fn find(&self, from: &[String], path: &[String]) -> Option<(Vec<String>, Option<String>)> {
        let mut at = from.to_vec();
        let mut rest = path;
        while let Some((first, tail)) = rest.split_first() {
            match first.as_str() {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                name => {
                    let below = [at.as_slice(), &[name.to_owned()]].concat();
                    if !self.files.contains_key(&below) {
                        break;
                    }
                    at = below;
                }
            }
            rest = tail;
        }
        self.files.contains_key(&at).then(|| (at, rest.first().cloned()))
    }

    /// Every path in a file, with whether it is only re-exported.
    fn written(&self, module: &[String]) -> Vec<(Vec<String>, bool)> {
        let text = &self.files[module];
        let children = self.files.keys().filter(|key| key.len() == module.len() + 1 && key.starts_with(module));
        let mut roots: Vec<String> = children.filter_map(|key| key.last()).cloned().collect();
        roots.retain(|child| text.contains(&format!("mod {child};")));
        roots.extend(["crate".to_owned(), "super".to_owned()]);
        let mut found = Vec::new();
        for root in roots {
            for (at, _) in text.match_indices(&format!("{root}::")) {
                let before = text[..at].chars().next_back().unwrap_or(' ');
                if before.is_alphanumeric() || "_:$".contains(before) {
                    continue;
                }
                let line = text[..at].rsplit('\n').next().unwrap_or_default();
                let passes_on = line.starts_with("pub") && line.contains("use ");
                found.extend(paths(&text[at..]).into_iter().map(|path| (path, passes_on)));
            }
        }
        found
    }

    /// The file that a path finally leads to.
    fn leads_to(&self, from: &[String], path: &[String], depth: u8) -> Option<Vec<String>> {
        let (file, name) = self.find(from, path)?;
        let passed_on =
            self.written(&file).into_iter().find(|(path, passes_on)| *passes_on && path.last() == name.as_ref());
        match passed_on {
            Some((path, _)) if file != from && depth < 9 => self.leads_to(&file, &path, depth + 1),
            _ => Some(file),
        }
    }

    fn arrows(&self) -> BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> {
        let of = |module: &Vec<String>| {
            let written = self.written(module).into_iter();
            let files = written.filter_map(|(path, _)| self.leads_to(module, &path, 0));
            files.filter(|file| file != module).collect()
        };
        self.files.keys().map(|module| (module, of(module))).collect()
    }

    /// The dependencies between the files of a circle, one per line.
    fn inside(&self, circle: &BTreeSet<String>) -> String {
        let mut lines = String::new();
        for (from, to) in self.arrows() {
            for to in to.iter().map(|to| name(to)).filter(|to| circle.contains(to) && circle.contains(&name(from))) {
                lines.push_str(&format!("  {} -> {to}\n", name(from)));
            }
        }
        lines
    }

    /// The files of each circle.
    fn circles(&self) -> BTreeSet<BTreeSet<String>> {
        let arrows = self.arrows();
        let reach: BTreeMap<_, BTreeSet<_>> = arrows
            .keys()
            .map(|from| {
                let mut seen = BTreeSet::new();
                let mut open: Vec<_> = arrows[*from].iter().collect();
                while let Some(next) = open.pop() {
                    if seen.insert(next) {
                        open.extend(&arrows[next]);
                    }
                }
                (*from, seen)
            })
            .collect();
        let circle = |from: &&Vec<String>| -> BTreeSet<String> {
            reach[from].iter().filter(|to| reach[*to].contains(from)).map(|to| name(to)).collect()
        };
        reach.keys().map(circle).filter(|circle| !circle.is_empty()).collect()
    }
}

fn crates() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    let names = members.split(',').map(|name| name.trim().trim_matches('"').to_owned()).filter(|name| !name.is_empty());
    names.map(|name| (name.clone(), root.join(name).join("src"))).collect()
}

#[test]
fn files_do_not_depend_on_each_other_in_a_circle() {
    let (mut wrong, mut found) = (String::new(), Vec::new());
    for (package, src) in crates() {
        let files = Crate::read(&src);
        for circle in files.circles() {
            let is_this = |(of, files): (&str, &[&str])| of == package && circle.iter().eq(files.iter());
            match ALLOWED.iter().find(|(of, files, _)| is_this((of, files))) {
                Some(allowed) => found.push(allowed),
                None => wrong.push_str(&format!("{package}:\n{}", files.inside(&circle))),
            }
        }
    }
    for (package, files, _) in ALLOWED.iter().filter(|allowed| !found.contains(allowed)) {
        wrong.push_str(&format!("{package}: {} is allowed, but is not a circle any more\n", files.join(", ")));
    }
    assert!(wrong.is_empty(), "circles of files:\n{wrong}");
}

#[test]
fn trees_of_use_are_read_completely() {
    let check = |tree: &str, expected: &[&str]| {
        let found: Vec<_> = paths(tree).iter().map(|path| path.join(" ")).collect();
        assert_eq!(found, expected, "{tree}");
    };
    check("crate::a::b;", &["crate a b"]);
    check("super::{a, b::C}", &["super a", "super b C"]);
    check("crate::{self, a::{b, c}, d}", &["crate self", "crate a b", "crate a c", "crate d"]);
    check("super::a::f(x, y)", &["super a f"]);
}

#[test]
fn a_circle_is_found_through_a_re_exported_name() {
    let files = |list: &[(&str, &str)]| Crate {
        files: list.iter().map(|(path, text)| (module(Path::new(path)), code(text))).collect(),
    };
    let line = files(&[("main.rs", "mod a;\nmod b;\nuse a::A;"), ("a.rs", "use crate::b::B;"), ("b.rs", "")]);
    assert!(line.circles().is_empty(), "{:?}", line.circles());
    let circle = files(&[("main.rs", ""), ("a.rs", "use super::b::B;"), ("b.rs", "fn f() { crate::a::g() }")]);
    assert_eq!(circle.circles().into_iter().flatten().collect::<Vec<_>>(), ["a", "b"]);
    // the facade is skipped: what it re-exports comes from another file
    let facade = files(&[
        ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;"),
        ("a.rs", "use crate::B;"),
        ("b.rs", "#[cfg(test)]\nmod tests {\nuse crate::A;"),
    ]);
    assert!(facade.circles().is_empty(), "{:?}", facade.circles());
}
