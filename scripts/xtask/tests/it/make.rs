//! `make -C source`: the same as `cargo xtask install`, in words that administrators know. Uses a copy of
//! parts of the checkout, programs that are short scripts, and a `cargo` that records how it was called.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fixtures::{EXECUTABLES, Finished, Run};
use tempfile::TempDir;

use crate::install::{PROGRAM, deploy, executable};

struct Checkout {
    folder: TempDir,
}

impl Checkout {
    /// `None`, after printing a message, if there is no `make`.
    fn new() -> Option<Self> {
        if !["/usr/bin/make", "/bin/make", "/usr/local/bin/make"].iter().any(|path| Path::new(path).exists()) {
            fixtures::skip("make is not installed: the Makefile was not tried");
            return None;
        }
        let checkout = Self { folder: tempfile::tempdir().unwrap() };
        for name in EXECUTABLES {
            executable(&checkout.at("programs").join(name), PROGRAM);
        }
        let copy = |from: PathBuf, to: &str| {
            let to = checkout.at("a checkout").join(to);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        };
        copy(deploy().join("../../source/Makefile"), "source/Makefile");
        copy(deploy().join("install.sh"), "scripts/deploy/install.sh");
        let (xtask, programs) = (env!("CARGO_BIN_EXE_xtask"), checkout.at("programs"));
        let cargo = format!(
            "#!/bin/sh\n[ \"$1\" = xtask ] || exec '{}' \"$@\"\necho \"$PWD: $*\" >>'{}'\nshift 2\n\
             exec '{xtask}' package --bin '{}' \"$@\"\n",
            env!("CARGO"),
            checkout.at("called").display(),
            programs.display(),
        );
        executable(&checkout.at("tools/cargo"), &cargo);
        Some(checkout)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// `make` in the folder `source` of a checkout or an unpacked archive.
    fn make_in(&self, top: &Path, words: &[&str]) -> Finished {
        let path = format!("{}:{}", self.at("tools").display(), std::env::var("PATH").unwrap());
        let make: Run = fixtures::run("make").arg("-C").arg(top.join("source")).args(words);
        // variables passed on by a `make` that runs the tests must not affect it
        make.env("PATH", path).env("MAKEFLAGS", "").env("PREFIX", "").env("DESTDIR", "").finish()
    }

    fn make(&self, words: &[&str]) -> Finished {
        self.make_in(&self.at("a checkout"), words)
    }

    fn called(&self) -> String {
        fs::read_to_string(self.at("called")).unwrap_or_default()
    }

    /// Files, links and folders below a folder: mode and content, except the manifest of the choices.
    fn everything(&self, below: &str) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let base = self.at(below);
        let mut found = BTreeMap::new();
        let mut folders = vec![base.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let meta = path.symlink_metadata().unwrap();
                let content = if meta.is_dir() {
                    folders.push(path.clone());
                    Vec::new()
                } else if meta.is_symlink() {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                } else {
                    fs::read(&path).unwrap()
                };
                found.insert(path.strip_prefix(&base).unwrap().to_owned(), (meta.mode(), content));
            }
        }
        found
    }

    fn n_files(&self, below: &str) -> usize {
        self.everything(below).values().filter(|(mode, _)| mode & 0o170_000 != 0o040_000).count()
    }
}

#[test]
fn make_installs_the_same_as_cargo_xtask_install() {
    let Some(checkout) = Checkout::new() else { return };
    checkout.make(&[]).ok();
    let top = fs::canonicalize(checkout.at("a checkout")).unwrap();
    let called = format!("{}: xtask package source/build\n", top.display());
    assert_eq!(checkout.called(), called);
    for (n, options) in
        [&[][..], &["--prefix=/usr/local"], &["--systemd", "--user=root", "--group=root"]].iter().enumerate()
    {
        let (ours, theirs) = (format!("by make {n}"), format!("by xtask {n}"));
        let destdir = format!("DESTDIR={}", checkout.at(&ours).display());
        let words: &[&str] = match n {
            0 => &[],
            1 => &["prefix=/usr/local"],
            _ => &["OPTIONS=--systemd --user root --group root"],
        };
        let install = [&["install", destdir.as_str()][..], words].concat();
        checkout.make(&install).ok();
        let xtask = fixtures::run(env!("CARGO_BIN_EXE_xtask")).arg("install").arg("--bin").arg(checkout.at("programs"));
        xtask.arg("--destdir").arg(checkout.at(&theirs)).args(options.iter()).finish().ok();
        let (made, expected) = (checkout.everything(&ours), checkout.everything(&theirs));
        assert!(made.len() > 60, "{}", made.len());
        let list = |all: &BTreeMap<PathBuf, (u32, Vec<u8>)>| {
            all.iter().map(|(p, (mode, _))| (p.clone(), *mode)).collect::<Vec<_>>()
        };
        assert_eq!(list(&made), list(&expected), "{words:?}");
        assert!(made == expected, "{words:?}: other contents");
        let again = checkout.make(&install).ok();
        assert!(again.text().contains("everything is there already: nothing was changed\n"), "{}", again.text());
        checkout.make(&[&["uninstall", destdir.as_str()][..], words].concat()).ok();
        assert_eq!(checkout.n_files(&ours), 0, "{words:?}");
    }
    assert_eq!(checkout.called(), called, "installing builds nothing");
}

#[test]
fn the_five_files_keep_their_paths() {
    let Some(checkout) = Checkout::new() else { return };
    checkout.make(&["all"]).ok();
    let destdir = format!("DESTDIR={}", checkout.at("stage").display());
    checkout.make(&["install", &destdir]).ok();
    let files = [
        "opt/hubzero/bin/hzmetrics.py",
        "opt/hubzero/bin/hzmetrics-postrotate.sh",
        "etc/tmpfiles.d/hzmetrics.conf",
        "etc/cron.d/hubzero-metrics",
    ];
    for (file, mode) in files.into_iter().zip([0o755, 0o755, 0o644, 0o644]) {
        assert_eq!(
            fs::metadata(checkout.at("stage").join(file)).unwrap().permissions().mode() & 0o7777,
            mode,
            "{file}"
        );
    }
    // the fifth is the other way to use cron, which would do the work twice
    checkout.make(&["install", &destdir, "OPTIONS=--cron spool --user apache"]).ok();
    assert!(checkout.at("stage/var/spool/cron/apache").exists());
    assert!(!checkout.at("stage/etc/cron.d/hubzero-metrics").exists());
}

#[test]
fn installing_never_builds() {
    let Some(checkout) = Checkout::new() else { return };
    let destdir = format!("DESTDIR={}", checkout.at("stage").display());
    let refused = checkout.make(&["install", &destdir]).expect_code(2);
    assert!(refused.stderr.contains("nothing is built here: first run `make -C source`"), "{}", refused.stderr);
    assert_eq!(checkout.called(), "");
    assert!(!checkout.at("stage").exists());
    // the script refuses wrong arguments, and its exit code makes make fail
    checkout.make(&["all"]).ok();
    let refused = checkout.make(&["install", &destdir, "prefix=relative"]).expect_code(2);
    assert!(refused.stderr.contains("--prefix must be a whole path"), "{}", refused.stderr);
    assert!(!checkout.at("stage").exists());
    checkout.make(&["clean"]).ok();
    assert!(!checkout.at("a checkout/source/build").exists());
}

#[test]
fn make_works_in_the_archive_of_a_release() {
    let Some(checkout) = Checkout::new() else { return };
    checkout.make(&["all"]).ok();
    // the archive of `dist` is this folder, packed
    let archive = checkout.at("unpacked");
    fs::rename(checkout.at("a checkout/source/build"), &archive).unwrap();
    fs::remove_file(checkout.at("called")).unwrap();
    let said = checkout.make_in(&archive, &["all"]).ok();
    assert!(said.text().contains("built already"), "{}", said.text());
    let destdir = format!("DESTDIR={}", checkout.at("stage").display());
    checkout.make_in(&archive, &["install", &destdir, "PREFIX=/usr/local"]).ok();
    assert!(checkout.at("stage/usr/local/bin/hzmetrics").exists());
    checkout.make_in(&archive, &["uninstall", &destdir, "PREFIX=/usr/local"]).ok();
    assert_eq!(checkout.n_files("stage"), 0);
    assert_eq!(checkout.called(), "");
}

#[test]
fn somebody_elses_folder_is_not_replaced() {
    let Some(checkout) = Checkout::new() else { return };
    executable(&checkout.at("a checkout/source/build/mine"), "");
    let refused = checkout.make(&["all"]).expect_code(2);
    assert!(refused.stderr.contains("was not created by this command"), "{}", refused.stderr);
    assert!(checkout.at("a checkout/source/build/mine").exists());
    // it may replace its own folder
    fs::remove_dir_all(checkout.at("a checkout/source/build")).unwrap();
    checkout.make(&["all"]).ok();
    executable(&checkout.at("a checkout/source/build/bin/old"), "");
    checkout.make(&["all"]).ok();
    assert!(!checkout.at("a checkout/source/build/bin/old").exists());
    assert!(checkout.at("a checkout/source/build/bin/hzmetrics").exists());
}
