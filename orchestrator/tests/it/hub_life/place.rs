//! A hub below a root folder of its own, as the installer leaves it: programs, configuration, the
//! folders of the log rotation. Everything runs as on a real machine, with a clock set by the test.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use fixtures::closed::close_off;
use fixtures::db::{PASSWORD, Pair};
use fixtures::{EXECUTABLES, Finished, Run};
use schema::tables::{Engine, WRITER};

use super::world::{Logs, World};

pub(super) struct Place {
    pub(super) pair: Rc<Pair>,
    root: tempfile::TempDir,
    env: Vec<(&'static str, String)>,
    excluded: Excluded,
    engines: Engines,
}

/// The storage engine of the metrics tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Engines {
    pub(super) tables: Engine,
    /// The tables for state, migrations, imported files.
    pub(super) notes: Engine,
    /// Whether the big tables are divided by month.
    pub(super) by_month: bool,
}

impl Engines {
    pub(super) const ALL_INNODB: Self = Self { tables: Engine::InnoDb, notes: Engine::InnoDb, by_month: false };
}

/// The tables that the original package lacked.
const NOTES: [&str; 4] = ["import_files", "imported_sources", "migrations", "pipeline_state"];

/// Whose requests do not count as visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excluded {
    /// Some pages.
    Pages,
    /// Some hosts as well.
    Hosts,
}

/// Where to put a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folder {
    Daily,
    /// In a subfolder for the year.
    Year,
    Holding,
}

impl Place {
    /// An empty machine with the programs and a configuration. The hub's database exists, the
    /// metrics database does not.
    pub(super) fn install(pair: Pair, world: &World, compat: &str, excluded: Excluded, engines: Engines) -> Self {
        pair.create_hub(true);
        world.found(&pair);
        Self::on(Rc::new(pair), world, compat, excluded, engines)
    }

    /// A second machine that works on the same databases.
    pub(super) fn second(&self, world: &World, compat: &str) -> Self {
        Self::on(Rc::clone(&self.pair), world, compat, self.excluded, self.engines)
    }

    fn on(pair: Rc<Pair>, world: &World, compat: &str, excluded: Excluded, engines: Engines) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut env = world.env();
        env.extend([
            ("HZMETRICS_ROOT", root.path().to_string_lossy().into_owned()),
            ("HZMETRICS_DB_SOCKET", pair.socket().to_string_lossy().into_owned()),
        ]);
        if !compat.is_empty() {
            env.push(("HZMETRICS_COMPAT", compat.to_owned()));
        }
        let place = Self { pair, root, env, excluded, engines };
        place.programs();
        place.configuration(world);
        place
    }

    /// Runs the installer, below the root; links to the programs of this build replace the dummies
    /// it was given, which saves copying them.
    fn programs(&self) {
        let packed = tempfile::tempdir().unwrap();
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/deploy");
        fixtures::copy(&deploy, &packed.path().join("deploy"));
        let installer = packed.path().join("install.sh");
        let _ = fs::copy(deploy.join("install.sh"), &installer).unwrap();
        fs::create_dir(packed.path().join("bin")).unwrap();
        for name in EXECUTABLES {
            let path = packed.path().join("bin").join(name);
            fs::write(&path, "#!/bin/sh\necho \"$2\"\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let installed =
            fixtures::run("sh").arg(installer).args(["--cron", "cron.d", "--destdir"]).arg(self.root.path());
        let _ = installed.finish().ok();
        let cron = fs::read_to_string(self.at("etc/cron.d/hubzero-metrics")).unwrap();
        assert!(cron.lines().any(|line| line.starts_with("*/5 ") && line.contains(" tick")), "{cron}");
        let built = Path::new(env!("CARGO_BIN_EXE_hzmetrics"));
        for name in EXECUTABLES {
            let from = built.with_file_name(name);
            assert!(from.exists(), "{name} is not built; `cargo xtask test` builds everything");
            let to = self.program(name);
            fs::remove_file(&to).unwrap();
            if fs::hard_link(&from, &to).is_err() {
                let _ = fs::copy(&from, &to).unwrap();
            }
        }
    }

    fn configuration(&self, world: &World) {
        let hub_dir = self.at("var/www/hub");
        let maps = hub_dir.join("app/site/stats/maps");
        fs::create_dir_all(&maps).unwrap();
        self.hand_over(&maps);
        let values = [
            ("hub_dir", hub_dir.to_string_lossy().into_owned()),
            ("hub_db", self.pair.hub.clone()),
            ("metrics_db", self.pair.metrics.clone()),
            ("db_host", self.pair.host().to_owned()),
            ("db_user", self.pair.mode.user().to_owned()),
            ("db_pass", PASSWORD.to_owned()),
            ("db_prefix", "jos_".to_owned()),
            ("hubzero_ipgeo_url", world.geo_url()),
        ];
        let text: String = values.iter().map(|(name, value)| format!("${name} = '{value}';\n")).collect();
        fs::create_dir_all(self.at("etc/httpd")).unwrap();
        fs::write(self.at("etc/hubzero-metrics/access.cfg"), text).unwrap();
        fs::write(self.at("etc/hubzero.conf"), "[default]\nsite = hub\n").unwrap();
    }

    /// Changes the owner of a folder to the user who owns the others.
    fn hand_over(&self, folder: &Path) {
        let ours = fs::metadata(self.at("var/log/hubzero/daily")).unwrap();
        std::os::unix::fs::chown(folder, Some(ours.uid()), Some(ours.gid())).unwrap();
    }

    /// After `init`: sets the engines of the tables, and the settings an administrator makes at
    /// first.
    pub(super) fn found(&self) {
        if self.engines.tables != Engine::InnoDb || self.engines.notes != Engine::InnoDb {
            for table in
                self.pair.lines("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
            {
                if table == WRITER {
                    continue;
                }
                let engine = if NOTES.contains(&table.as_str()) { self.engines.notes } else { self.engines.tables };
                self.pair.sql(&format!("ALTER TABLE `{table}` ENGINE={}", engine.name()));
            }
        }
        if self.engines.by_month {
            // runs add partitions for the months that come later
            self.pair.divide_by_month("2025-02".parse().unwrap(), "2025-03".parse().unwrap());
        }
        self.pair.sql("INSERT INTO exclude_list (filter, type) VALUES ('/groups/', 'url')");
        if self.excluded == Excluded::Hosts {
            let rows = "('gatech.edu', 'domain'), ('%.ibm.com', 'host')";
            self.pair.sql(&format!("INSERT INTO exclude_list (filter, type) VALUES {rows}"));
        }
    }

    /// A path below the root.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Rotates the logs of a day, with or without compression.
    pub(super) fn rotate(&self, logs: &Logs, folder: Folder, gzip: bool) {
        self.put("httpd", &format!("hub-access.log-{}", logs.day), &logs.access, folder, gzip);
        self.put("hubzero", &format!("cmsauth.log-{}", logs.day), &logs.auth, folder, gzip);
    }

    /// A log in `httpd` or `hubzero`.
    pub(super) fn put(&self, of: &str, name: &str, bytes: &[u8], folder: Folder, gzip: bool) {
        let year = name.rsplit('-').next().and_then(|day| day.get(..4)).unwrap();
        let folder = match folder {
            Folder::Daily => format!("var/log/{of}/daily"),
            Folder::Year => format!("var/log/{of}/daily/{year}"),
            Folder::Holding => format!("var/log/{of}/daily.holding"),
        };
        let folder = self.at(&folder);
        fs::create_dir_all(&folder).unwrap();
        self.hand_over(&folder);
        if gzip {
            let file = fs::File::create(folder.join(format!("{name}.gz"))).unwrap();
            let mut out = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            out.write_all(bytes).unwrap();
            let _ = out.finish().unwrap();
        } else {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// Logs below `daily/` and `daily.holding/` (`false`) or in `imported/` (`true`), sorted.
    pub(super) fn logs(&self, imported: bool) -> Vec<PathBuf> {
        let mut todo = Vec::new();
        for of in ["httpd", "hubzero"] {
            let names: &[&str] = if imported { &["imported"] } else { &["daily", "daily.holding"] };
            todo.extend(names.iter().map(|name| self.at("var/log").join(of).join(name)));
        }
        let mut found = Vec::new();
        while let Some(folder) = todo.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { todo.push(path) } else { found.push(path) }
            }
        }
        found.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
        found
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.at("opt/hubzero/bin").join(name)
    }

    /// Prepares to run a program at this time.
    pub(super) fn start(&self, name: &str, now: &str) -> Run {
        let run = fixtures::run(self.program(name)).env("HZMETRICS_NOW", now);
        self.env.iter().fold(run, |run, (name, value)| run.env(name, value))
    }

    /// Runs `hzmetrics LINE`.
    pub(super) fn run(&self, line: &str, now: &str) -> Finished {
        self.start("hzmetrics", now).args(line.split(' ')).finish()
    }

    /// Starts `hzmetrics LINE` in its own process group, so that it can be killed.
    #[expect(clippy::disallowed_methods, reason = "processes that are killed are started by hand")]
    pub(super) fn doomed(&self, line: &str, now: &str) -> Child {
        let mut command = Command::new(self.program("hzmetrics"));
        close_off(&mut command, self.root.path());
        command.args(line.split(' ')).env("HZMETRICS_NOW", now);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let said = fs::File::create(self.at("said")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        command.process_group(0).spawn().unwrap()
    }
}
