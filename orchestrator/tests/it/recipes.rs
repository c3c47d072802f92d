//! The recipes of docs/pipeline.md for work in parts, run as they are printed: with xargs, GNU parallel and Spark.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fixtures::{Finished, run};

use super::parts::{MadeUp, lines};

const PAGE: &str = include_str!("../../../docs/pipeline.md");

/// The code blocks of the section in one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let section = PAGE.split("\n## ").find(|section| section.starts_with("On several machines")).unwrap();
    let fence = format!("```{language}\n");
    section.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// A folder as the recipes expect it: `*.log`, an exclude list, programs on PATH.
struct Place {
    hub: MadeUp,
    folder: tempfile::TempDir,
    path: String,
}

impl Place {
    fn new() -> Self {
        let hub = MadeUp::new(14);
        let folder = tempfile::tempdir().unwrap();
        for (n, log) in hub.logs().iter().enumerate() {
            fs::copy(log, folder.path().join(format!("{n:03}.log"))).unwrap();
        }
        fs::write(folder.path().join("exclude.csv"), "filter,type\n%crawl%,host\nexample.net,domain\n").unwrap();
        let programs = Path::new(env!("CARGO_BIN_EXE_hzmetrics")).parent().unwrap();
        // a made-up hub has no name server, and its own records come from a file
        let names = folder.path().join("bin");
        fs::create_dir(&names).unwrap();
        let [real, records, map] =
            [programs.join("resolve-dns"), hub.at("hub.ndjson"), hub.at("hosts.csv")].map(|p| p.display().to_string());
        let script = format!("#!/bin/sh\nexec '{real}' --from - --from '{records}' --map '{map}'\n");
        fs::write(names.join("resolve-dns"), script).unwrap();
        fs::set_permissions(names.join("resolve-dns"), fs::Permissions::from_mode(0o755)).unwrap();
        let usual = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{}:{usual}", names.display(), programs.display());
        Self { hub, folder, path }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sh(&self, script: &str) -> Finished {
        run("/bin/sh").args(["-euc", script]).dir(self.folder.path()).env("PATH", &self.path).finish()
    }

    /// Cells and sessions of one process over `named.ndjson`.
    fn expect_the_same(&self) {
        let whole = "usage-metrics --exclude exclude.csv < named.ndjson > whole.ndjson\n\
                     summarize --month 2025-07 < whole.ndjson > expected.ndjson";
        let _ = self.sh(whole).ok();
        let read = |name: &str| fs::read(self.at(name)).unwrap();
        assert!(lines(&read("whole.ndjson"), "session").len() > 300);
        assert_eq!(lines(&read("usage.ndjson"), "session"), lines(&read("whole.ndjson"), "session"));
        assert_eq!(read("cells.ndjson"), read("expected.ndjson"));
        assert!(!read("cells.ndjson").is_empty() && self.hub.at("hub.ndjson").exists());
    }
}

/// Whether a command is there; otherwise says what is not checked.
fn has(place: &Place, command: &str, name: &str) -> bool {
    let found = place.sh(command).code == 0;
    if !found {
        fixtures::skip(&format!("there is no {name}; its recipe in docs/pipeline.md was not run"));
    }
    found
}

#[test]
fn the_recipe_with_xargs_gives_what_one_process_gives() {
    let place = Place::new();
    let _ = place.sh(blocks("sh").first().unwrap()).ok();
    assert!(place.at("part7.ndjson").exists());
    place.expect_the_same();
}

#[test]
fn the_recipe_with_gnu_parallel_gives_what_one_process_gives() {
    let place = Place::new();
    if !has(&place, "parallel --version | grep -q 'GNU parallel'", "GNU parallel") {
        return;
    }
    let [with_xargs, parallel] = [0, 1].map(|n| blocks("sh")[n]);
    assert!(parallel.starts_with("parallel "));
    let replaced = with_xargs.lines().map(|line| if line.contains("xargs") { parallel.trim() } else { line });
    let script: Vec<&str> = replaced.collect();
    let _ = place.sh(&script.join("\n")).ok();
    assert!(place.at("part7.ndjson").exists() && !script.join("").contains("xargs"));
    place.expect_the_same();
}

#[test]
fn the_recipe_with_spark_gives_what_one_process_gives() {
    let place = Place::new();
    if !has(&place, "java -version 2>&1 && python3 -c 'import pyspark'", "pyspark with Java") {
        return;
    }
    let options = "--already-cut --exclude exclude.csv";
    let list = place.at("exclude.csv").display().to_string();
    let recipe = blocks("python")[0].replace("--already-cut", &options.replace("exclude.csv", &list));
    let script = format!(
        "import json, os, zlib\nfrom pyspark import SparkContext\n\
         sc = SparkContext('local-cluster[2,1,1024]', 'parts')\n{recipe}\n\
         with open('parts.ndjson', 'w', encoding='utf-8') as out:\n    \
         out.writelines(line + '\\n' for line in piped.collect())\nsc.stop()\n"
    );
    fs::write(place.at("parts.py"), script).unwrap();
    let name = "import-logs --quiet *.log | resolve-dns > named.ndjson\n\
                SPARK_WORKER_DIR=$PWD/work SPARK_LOCAL_IP=127.0.0.1 python3 parts.py > spark.log 2>&1 || { cat spark.log; exit 1; }\n\
                usage-metrics --join --exclude exclude.csv < parts.ndjson > usage.ndjson\n\
                summarize --month 2025-07 < usage.ndjson > cells.ndjson";
    let _ = place.sh(name).ok();
    place.expect_the_same();
}
