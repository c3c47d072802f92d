//! Every stage has the same layout, and in no stage do files use each other in a circle.
//!
//! `main.rs` makes one call; `args.rs` has the options and uses no other file of the stage; `stage.rs`
//! decides which face runs; `records.rs` is the pipe's face, `tables.rs` that of the databases. Circles
//! between a file and the files in its own folder are those of a whole and its parts, and are allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::install::deploy;

/// Library crates next to the stages, whose files must not form circles either.
const LIBRARIES: [&str; 2] = ["schema", "stages/enrich"];

/// The files of a crate below `src`, except tests, as module paths (`tables::read`), with their text.
type Files = BTreeMap<String, String>;

fn files_of(src: &Path) -> Files {
    fn read(folder: &Path, prefix: &str, found: &mut Files) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy();
            if path.is_dir() {
                read(&path, &format!("{prefix}{name}::"), found);
            } else if name != "tests" && path.extension().is_some_and(|end| end == "rs") {
                found.insert(format!("{prefix}{name}"), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = Files::new();
    read(src, "", &mut found);
    found
}

/// The part of a file before its tests, without comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The paths after `head` (`crate::`, `super::`), with one level of braces expanded.
fn paths_behind(code: &str, head: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for rest in code.split(head).skip(1) {
        let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let list = rest.strip_prefix('{').and_then(|rest| rest.split_once(';')).map_or(rest, |(list, _)| list);
        if list.len() == rest.len() {
            paths.push(rest.split(|c| !is_path(c)).next().unwrap_or_default().to_owned());
            continue;
        }
        let mut depth = 0;
        for item in list.split_inclusive(['{', '}', ',']) {
            if depth == 0 {
                paths.push(item.trim().split(|c| !is_path(c)).next().unwrap_or_default().to_owned());
            }
            depth += item.matches('{').count();
            depth = depth.saturating_sub(item.matches('}').count());
        }
    }
    paths
}

/// Which files each file uses.
fn uses(files: &Files) -> BTreeMap<&str, BTreeSet<&str>> {
    let file_of = |path: &str| {
        let parts: Vec<&str> = path.split("::").collect();
        (1..=parts.len()).rev().find_map(|n| files.get_key_value(&parts[..n].join("::"))).map(|(name, _)| name.as_str())
    };
    let used_by = |name: &str, text: &str| {
        let code = code(text);
        let mut used: BTreeSet<&str> = paths_behind(&code, "crate::").iter().filter_map(|path| file_of(path)).collect();
        if let Some((folder, _)) = name.rsplit_once("::") {
            used.extend(paths_behind(&code, "super::").iter().filter_map(|path| file_of(&format!("{folder}::{path}"))));
        }
        // a whole and its parts
        used.retain(|other| !name.starts_with(&format!("{other}::")) && *other != name);
        used.extend(
            files
                .keys()
                .filter(|part| part.rsplit_once("::").is_some_and(|(whole, _)| whole == name))
                .map(String::as_str),
        );
        used
    };
    files.iter().map(|(name, text)| (name.as_str(), used_by(name, text))).collect()
}

/// Files that lead back to themselves.
fn circles(files: &Files) -> Vec<String> {
    let uses = uses(files);
    let comes_back = |from: &str| {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![from]);
        while let Some(at) = todo.pop() {
            for &next in uses.get(at).into_iter().flatten() {
                if next == from {
                    return true;
                }
                if seen.insert(next) {
                    todo.push(next);
                }
            }
        }
        false
    };
    uses.keys().filter(|file| comes_back(file)).map(|file| (*file).to_owned()).collect()
}

/// What is wrong with the layout of a stage.
fn complaints(files: &Files) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in ["main", "args", "stage"] {
        if !files.contains_key(name) {
            wrong.push(format!("no {name}.rs"));
        }
    }
    if !files.contains_key("records") && !files.contains_key("tables") {
        wrong.push("neither records.rs nor tables.rs".to_owned());
    }
    for name in ["cli", "db", "filter", "stream"] {
        if files.contains_key(name) {
            wrong.push(format!("{name}.rs has another name in this house"));
        }
    }
    // the types of option values may have files of their own, which know neither options nor faces
    let uses = uses(files);
    let leads_to_work = |file: &&&str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![**file]);
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(uses.get(next).into_iter().flatten());
            }
        }
        ["args", "stage", "records", "tables"].iter().any(|name| seen.contains(name))
    };
    let of_args: Vec<_> = uses.get("args").into_iter().flatten().filter(leads_to_work).copied().collect();
    if !of_args.is_empty() {
        wrong.push(format!("args.rs uses {}", of_args.join(", ")));
    }
    if files.get("main").is_some_and(|main| !main.contains("::run::<args::Args>(stage::stage)\n}")) {
        wrong.push("main.rs is more than one call".to_owned());
    }
    let circles = circles(files);
    if !circles.is_empty() {
        wrong.push(format!("a circle of files: {}", circles.join(", ")));
    }
    wrong
}

#[test]
fn every_stage_has_the_same_layout() {
    let root = deploy().join("../..");
    let mut wrong = Vec::new();
    let mut n_stages = 0;
    for entry in fs::read_dir(root.join("stages")).unwrap() {
        let crate_folder = entry.unwrap().path();
        let name = crate_folder.file_name().unwrap().to_string_lossy().into_owned();
        if crate_folder.join("src/main.rs").exists() {
            n_stages += 1;
            wrong.extend(
                complaints(&files_of(&crate_folder.join("src"))).into_iter().map(|what| format!("{name}: {what}")),
            );
        }
    }
    for library in LIBRARIES {
        let circles = circles(&files_of(&root.join(library).join("src")));
        wrong.extend((!circles.is_empty()).then(|| format!("{library}: a circle of files: {}", circles.join(", "))));
    }
    assert!(n_stages >= 8, "only {n_stages} stages were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_different_layout_is_found() {
    let files = |list: &[(&str, &str)]| -> Files {
        list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    let main = "fn main() {\n    kit::run::<args::Args>(stage::stage)\n}\n";
    let good = [
        ("main", main),
        ("args", "use kit::Common;\n// crate::stage is not used here\n"),
        ("stage", "use crate::args::Args;\nuse crate::{records, tables};\n"),
        ("records", "use crate::args::Args;\n#[cfg(test)]\nmod tests { use crate::stage; }\n"),
        ("tables", "mod read;\nuse crate::{args::{Args, Step}, records};\n"),
        ("tables::read", "use super::Whole;\nuse crate::args::Args;\n"),
    ];
    assert_eq!(complaints(&files(&good)), Vec::<String>::new());
    for (at, text, word) in [
        (0, "fn main() { work(); }\n", "more than one call"),
        (1, "use crate::stage;\n", "args.rs uses stage"),
        (3, "use crate::{args, tables::{self, read}};\n", "circle of files: records, tables"),
        (5, "use crate::stage;\n", "circle of files: stage, tables, tables::read"),
    ] {
        let mut list = good;
        list[at].1 = text;
        let found = complaints(&files(&list)).join("\n");
        assert!(found.contains(word), "{text}: {found}");
    }
    // a part that does not lead back may be used from elsewhere
    let mut list = good;
    list[3].1 = "fn f() { crate::tables::read::g() }\n";
    assert_eq!(complaints(&files(&list)), Vec::<String>::new());
    let mut old = files(&good);
    let cli = old.remove("args").unwrap();
    old.insert("cli".to_owned(), cli);
    assert_eq!(complaints(&old), ["no args.rs", "cli.rs has another name in this house"]);
}
