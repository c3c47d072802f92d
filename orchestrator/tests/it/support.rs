//! A folder with `hzmetrics` and tiny fake stages next to it.

use std::path::{Path, PathBuf};
use std::process::Command;

use fixtures::Run;

/// The fake stage, compiled once for all tests.
pub(crate) fn fake() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fake.rs");
    let text = std::fs::read(&source).unwrap();
    let sum = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, b| (sum ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = folder.join(format!("fake-{sum:016x}"));
    if !made.exists() {
        // tests run in parallel: the last one replaces the file with an identical one
        let scratch = tempfile::tempdir_in(folder).unwrap();
        let part = scratch.path().join("fake");
        #[expect(clippy::disallowed_methods, reason = "compiles the helper of the tests")]
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let done = rustc.args(["--edition", "2024", "-O", "-o"]).arg(&part).arg(&source).status();
        assert!(done.expect("rustc").success(), "compiling {}", source.display());
        std::fs::rename(part, &made).unwrap();
    }
    made
}

/// A scratch folder with a program folder in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// `hzmetrics` with the fake stage under these names next to it.
    pub(crate) fn new(stages: &[&str]) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let bin = folder.path().join("the bin");
        std::fs::create_dir_all(&bin).unwrap();
        link(Path::new(env!("CARGO_BIN_EXE_hzmetrics")), &bin.join("hzmetrics"));
        for stage in stages {
            link(&fake(), &bin.join(stage));
        }
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// `hzmetrics` in the scratch folder.
    pub(crate) fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Run {
        let root = self.path("root");
        fixtures::run(self.path("the bin/hzmetrics")).args(args).dir(self.folder.path()).env("HZMETRICS_ROOT", root)
    }

    /// `hzmetrics sh -c LINE`.
    pub(crate) fn sh(&self, line: &str) -> Run {
        self.run(["sh", "-c", line])
    }
}

fn link(from: &Path, to: &Path) {
    if std::fs::hard_link(from, to).is_err() {
        std::fs::copy(from, to).unwrap();
    }
}

/// Starts a program with signals as `env` sets them: tests may themselves run where signals are ignored.
#[expect(clippy::disallowed_methods, reason = "for processes that are needed while they run")]
pub(crate) fn with_signals(option: &str, program: &Path) -> Command {
    let mut command = Command::new("env");
    command.arg(option).arg(program);
    command
}
