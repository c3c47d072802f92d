//! The packages of `cargo xtask dist`, installed, upgraded, removed and purged in a root of their own,
//! with the life of a hub in between. `cargo xtask campaign` names the folder of the packages in
//! `HZMETRICS_PACKAGES`; without it there is nothing to try.
//!
//! Needs root, a Debian mirror, and mmdebstrap; the .rpm also needs rpm.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fixtures::db::{Private, SqlMode, networked_server};
use tempfile::TempDir;

const TIMERS: [&str; 2] = ["hzmetrics.timer", "hzmetrics-whoisonline.timer"];

fn packages() -> Option<PathBuf> {
    let folder = std::env::var_os("HZMETRICS_PACKAGES").map(PathBuf::from)?;
    Some(fs::canonicalize(folder).unwrap())
}

fn package(folder: &Path, ending: &str) -> PathBuf {
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|ext| ext == ending));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A small Debian below a temporary folder.
struct Root(TempDir);

impl Root {
    fn new(include: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new("mmdebstrap");
        command.args(["--quiet", "--variant=minbase", &format!("--include={include}"), "bookworm"]).arg(root.path());
        let done = output(&mut command);
        assert!(done.status.success(), "{}", text(&done));
        Self(root)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn has(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    fn run(&self, line: &str) -> Output {
        // /proc is mounted for this process alone
        const ENTER: &str = r#"mount -t proc proc "$1/proc" && exec chroot "$1" /usr/bin/env -i \
            PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=readline /bin/sh -c "$2""#;
        output(Command::new("unshare").args(["-m", "sh", "-c", ENTER, "enter"]).arg(self.0.path()).arg(line))
    }

    fn ok(&self, line: &str) -> String {
        let done = self.run(line);
        assert!(done.status.success(), "{line}: {}\n{}", done.status, text(&done));
        text(&done)
    }

    fn bring(&self, package: &Path) -> String {
        let name = package.file_name().unwrap().to_str().unwrap();
        fs::copy(package, self.at("tmp").join(name)).unwrap();
        format!("/tmp/{name}")
    }

    fn enabled(&self) -> Vec<&'static str> {
        let wants = |timer: &&str| self.has(&format!("etc/systemd/system/timers.target.wants/{timer}"));
        TIMERS.into_iter().filter(wants).collect()
    }

    /// Permissions, user and group.
    fn owner(&self, path: &str) -> (u32, u32, u32) {
        let found = fs::metadata(self.at(path)).unwrap();
        (found.permissions().mode() & 0o7777, found.uid(), found.gid())
    }
}

/// The package as it would be of an older version: with another default, and a file that is gone today.
fn as_version(deb: &Path, version: &str) -> (TempDir, PathBuf) {
    let work = tempfile::tempdir().unwrap();
    let tree = work.path().join("tree");
    let done = output(Command::new("dpkg-deb").arg("-R").arg(deb).arg(&tree));
    assert!(done.status.success(), "{}", text(&done));
    fs::write(tree.join("usr/share/hzmetrics/old"), "").unwrap();
    let rotation = tree.join("etc/logrotate.d/hzmetrics");
    fs::write(&rotation, fs::read_to_string(&rotation).unwrap() + "# an old default\n").unwrap();
    let control = tree.join("DEBIAN/control");
    let lines = fs::read_to_string(&control).unwrap();
    let lines: Vec<_> = lines
        .lines()
        .map(|line| if line.starts_with("Version: ") { format!("Version: {version}") } else { line.to_owned() })
        .collect();
    fs::write(&control, lines.join("\n") + "\n").unwrap();
    let made = work.path().join(format!("hzmetrics_{version}_amd64.deb"));
    let done = output(Command::new("dpkg-deb").args(["-Znone", "--root-owner-group", "-b"]).arg(&tree).arg(&made));
    assert!(done.status.success(), "{}", text(&done));
    (work, made)
}

/// Access log lines of a day in January 2025, in the layout of hubs.
fn day(day: u32) -> String {
    let line = |n: u32| {
        format!(
            "2025-01-{day:02} 10:00:{:02} EST - \"GET /resources/{n} HTTP/1.1\" 200 1000 192.0.2.{n} \"-\" \"Mozilla/5.0\" TLSv1.2 0 8 cookie{n}\n",
            n % 60
        )
    };
    (1..40).map(line).collect()
}

/// Fills in the configuration for databases of the server.
fn configure(root: &Root, server: &Private) -> fixtures::db::Pair {
    let pair = server.names(SqlMode::Lax);
    pair.create_hub(true);
    server.sql(&[
        "CREATE USER package@'127.0.0.1' IDENTIFIED BY 'secret'".to_owned(),
        "GRANT ALL ON *.* TO package@'127.0.0.1'".to_owned(),
    ]);
    let config = format!(
        "$hub_dir = '/var/www/hub';\n$hub_db = '{}';\n$metrics_db = '{}';\n$db_host = '127.0.0.1:{}';\n\
         $db_user = 'package';\n$db_pass = 'secret';\n$db_prefix = 'jos_';\n",
        pair.hub,
        pair.metrics,
        server.port()
    );
    let path = root.at("etc/hubzero-metrics/access.cfg");
    fs::write(&path, config).unwrap();
    fs::write(root.at("etc/hubzero.conf"), "[DEFAULT]\nsite = myhub\n").unwrap();
    pair
}

/// Sets the hub up, imports a log, and runs what is due, all with the installed programs.
fn life(root: &Root, server: &Private) {
    let daily = "var/log/httpd/daily";
    let pair = configure(root, server);
    assert!(!root.has("etc/hubzero-metrics/ready"));
    let said = root.ok("hzmetrics init");
    assert!(said.contains("systemctl start hzmetrics.timer"), "{said}");
    assert!(root.has("etc/hubzero-metrics/ready"));
    fs::write(root.at(daily).join("myhub-access.log-20250112"), day(11)).unwrap();
    let said = root.run("hzmetrics import --next; hzmetrics status; hzmetrics doctor; true");
    assert_eq!(pair.value("SELECT COUNT(*) FROM web").as_deref(), Some("39"), "{}", text(&said));
    assert!(!root.at(daily).join("myhub-access.log-20250112").exists(), "the log was archived");
    let said = root.ok("summarize --version 2>/dev/null || /usr/libexec/hzmetrics/summarize --version");
    assert!(said.starts_with("summarize "), "{said}");
}

#[test]
fn the_debian_package_lives_through_install_upgrade_remove_and_purge() {
    let Some(folder) = packages() else { return };
    let deb = package(&folder, "deb");
    let Some(server) = networked_server(&[]) else { return };
    let root = Root::new("systemd,logrotate,cron");
    fs::create_dir_all(root.at("opt/hubzero/bin")).unwrap();
    fs::create_dir(root.at("var/log/httpd")).unwrap();
    fs::write(root.at("opt/hubzero/bin/archive"), "of the hub").unwrap();

    // an older version first
    let (_work, old) = as_version(&deb, "0.0.1-1");
    root.ok(&format!("dpkg -i {}", root.bring(&old)));
    assert_eq!(root.enabled(), TIMERS);
    assert!(root.has("usr/share/hzmetrics/old"));
    assert!(fs::read_to_string(root.at("etc/logrotate.d/hzmetrics")).unwrap().contains("old default"));
    assert_eq!(root.owner("etc/hubzero-metrics"), (0o750, 0, 33));
    assert_eq!(root.owner("etc/hubzero-metrics/access.cfg"), (0o640, 0, 33));
    assert_eq!(root.owner("var/log/hubzero/daily"), (0o750, 33, 33));
    assert_eq!(fs::read_link(root.at("opt/hubzero/bin/hzmetrics")).unwrap(), Path::new("/usr/bin/hzmetrics"));
    assert_eq!(fs::read_to_string(root.at("opt/hubzero/bin/archive")).unwrap(), "of the hub");
    root.ok(
        "systemd-analyze verify /usr/lib/systemd/system/hzmetrics.timer 2>&1 | grep -i 'hzmetrics' && exit 1 || true",
    );

    life(&root, &server);

    // what the administrator changed and chose survives the upgrade, and nothing is asked
    let conf = root.at("etc/hubzero-metrics/hzmetrics.conf");
    let edited = fs::read_to_string(&conf).unwrap() + "# edited\n";
    fs::write(&conf, &edited).unwrap();
    root.ok("systemctl -q disable hzmetrics-whoisonline.timer");
    root.ok(&format!("dpkg -i {}", root.bring(&deb)));
    assert_eq!(fs::read_to_string(&conf).unwrap(), edited);
    assert!(!root.has("usr/share/hzmetrics/old"));
    assert!(!fs::read_to_string(root.at("etc/logrotate.d/hzmetrics")).unwrap().contains("old default"));
    assert_eq!(root.enabled(), ["hzmetrics.timer"]);
    let version = root.ok("dpkg-query -W -f '${Version}' hzmetrics");
    assert_eq!(version, concat!(env!("CARGO_PKG_VERSION"), "-1"));
    assert!(root.ok("hzmetrics --version").starts_with(concat!("hzmetrics ", env!("CARGO_PKG_VERSION"))));

    root.ok("dpkg -r hzmetrics");
    assert!(!root.has("usr/bin/hzmetrics") && !root.has("opt/hubzero/bin/hzmetrics"));
    assert!(root.has("opt/hubzero/bin/archive"));
    assert_eq!(root.enabled(), <[&str; 0]>::default());
    assert!(root.has("etc/hubzero-metrics/access.cfg") && root.has("var/log/httpd/imported"));
    root.ok("dpkg -P hzmetrics");
    assert!(!root.has("etc/hubzero-metrics/ready") && !root.has("etc/hubzero-metrics/hzmetrics.conf"));
    assert!(root.has("etc/hubzero-metrics/access.cfg"), "the credentials are the administrator's");
    let archived = fs::read_dir(root.at("var/log/httpd/imported")).unwrap().count();
    assert_eq!(archived, 1, "purge keeps the data");

    // where something else does the work, the timers stay off
    fs::write(root.at("etc/cron.d/hubzero"), "0 1 * * * root /opt/hubzero/bin/metrics/x.sh\n").unwrap();
    let said = root.ok(&format!("dpkg -i {}", root.bring(&deb)));
    assert!(said.contains("/etc/cron.d/hubzero starts the work already"), "{said}");
    assert_eq!(root.enabled(), <[&str; 0]>::default());
    root.ok("dpkg -P hzmetrics");

    // an installation from the archive would do the work twice
    fs::create_dir_all(root.at("opt/hubzero/share/hzmetrics")).unwrap();
    fs::write(root.at("opt/hubzero/share/hzmetrics/manifest"), "").unwrap();
    let done = root.run(&format!("dpkg -i {}", root.bring(&deb)));
    assert!(!done.status.success() && text(&done).contains("install.sh --uninstall"), "{}", text(&done));
    assert!(!root.has("usr/bin/hzmetrics"));
}

/// The `.rpm` as it would be of an older version: with another default, and a file that is gone today. `dist`
/// keeps what cargo-generate-rpm packs beside the package.
fn older_rpm(folder: &Path) -> (TempDir, PathBuf) {
    let work = tempfile::tempdir().unwrap();
    let tree = work.path().join("rpm");
    let done = output(Command::new("cp").arg("-a").arg(folder.join("rpm")).arg(&tree));
    assert!(done.status.success(), "{}", text(&done));
    let manifest = fs::read_to_string(tree.join("Cargo.toml")).unwrap();
    let version = concat!("version = \"", env!("CARGO_PKG_VERSION"), "\"");
    let gone = "assets = [\n  { source = \"lib.rs\", dest = \"/usr/share/hzmetrics/old\", mode = \"644\" },";
    assert!(manifest.contains(version));
    let manifest = manifest.replacen(version, "version = \"0.0.1\"", 1).replacen("assets = [", gone, 1);
    fs::write(tree.join("Cargo.toml"), manifest).unwrap();
    let conf = tree.join("root/etc/hubzero-metrics/hzmetrics.conf");
    fs::write(&conf, fs::read_to_string(&conf).unwrap() + "# an old default\n").unwrap();
    let made = work.path().join("hzmetrics-0.0.1-1.x86_64.rpm");
    let tools = folder.join("../tools/packages/bin");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut pack = Command::new("cargo");
    pack.args(["generate-rpm", "--payload-compress", "none", "--arch", "x86_64", "--output"]).arg(&made);
    let done = output(pack.current_dir(&tree).env("PATH", path));
    assert!(done.status.success(), "{}", text(&done));
    (work, made)
}

#[test]
fn the_rpm_lives_through_install_upgrade_and_removal() {
    let Some(folder) = packages() else { return };
    let new = package(&folder, "rpm");
    let Some(server) = networked_server(&[]) else { return };
    // rpm works on the database below the root and runs its scripts there
    let root = Root::new("systemd,logrotate");
    fs::create_dir(root.at("var/log/httpd")).unwrap();
    fs::create_dir_all(root.at("opt/hubzero/bin")).unwrap();
    fs::write(root.at("opt/hubzero/bin/archive"), "of the hub").unwrap();
    let run = |args: &[&str]| output(Command::new("rpm").arg("--root").arg(root.0.path()).args(args));
    let rpm = |args: &[&str]| {
        let done = run(args);
        assert!(done.status.success(), "{args:?}: {}", text(&done));
        text(&done)
    };
    let version = || rpm(&["-q", "--qf", "%{VERSION}\n", "hzmetrics"]);

    // an older version first
    let (_work, old) = older_rpm(&folder);
    rpm(&["--nodeps", "-i", old.to_str().unwrap()]);
    assert_eq!(version(), "0.0.1\n");
    assert_eq!(root.enabled(), TIMERS);
    assert_eq!(root.owner("etc/hubzero-metrics"), (0o750, 0, 48));
    assert_eq!(root.owner("etc/hubzero-metrics/access.cfg"), (0o640, 0, 48));
    assert_eq!(root.owner("var/log/hubzero/daily"), (0o750, 48, 48));
    assert_eq!(fs::read_link(root.at("opt/hubzero/bin/hzmetrics")).unwrap(), Path::new("/usr/bin/hzmetrics"));
    assert!(root.has("usr/share/hzmetrics/old") && !root.has("etc/cron.d/hzmetrics"));
    life(&root, &server);

    // what the administrator changed and chose survives the upgrade; the new default is put beside it
    let conf = root.at("etc/hubzero-metrics/hzmetrics.conf");
    let edited = fs::read_to_string(&conf).unwrap() + "# edited\n";
    fs::write(&conf, &edited).unwrap();
    let credentials = fs::read(root.at("etc/hubzero-metrics/access.cfg")).unwrap();
    root.ok("systemctl -q disable hzmetrics.timer");
    rpm(&["--nodeps", "-U", new.to_str().unwrap()]);
    assert_eq!(version(), concat!(env!("CARGO_PKG_VERSION"), "\n"));
    assert!(root.ok("hzmetrics --version").starts_with(concat!("hzmetrics ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(fs::read_to_string(&conf).unwrap(), edited);
    assert!(root.has("etc/hubzero-metrics/hzmetrics.conf.rpmnew"));
    assert_eq!(fs::read(root.at("etc/hubzero-metrics/access.cfg")).unwrap(), credentials);
    assert!(root.has("etc/hubzero-metrics/ready") && !root.has("usr/share/hzmetrics/old"));
    assert_eq!(root.enabled(), ["hzmetrics-whoisonline.timer"]);
    assert_eq!(fs::read_link(root.at("opt/hubzero/bin/hzmetrics")).unwrap(), Path::new("/usr/bin/hzmetrics"));

    rpm(&["-e", "hzmetrics"]);
    assert!(!root.has("usr/bin/hzmetrics") && !root.has("opt/hubzero/bin/hzmetrics"));
    assert_eq!(fs::read_to_string(root.at("opt/hubzero/bin/archive")).unwrap(), "of the hub");
    assert_eq!(root.enabled(), <[&str; 0]>::default());
    assert_eq!(fs::read(root.at("etc/hubzero-metrics/access.cfg")).unwrap(), credentials);
    let saved = fs::read_to_string(root.at("etc/hubzero-metrics/hzmetrics.conf.rpmsave"));
    assert_eq!(saved.ok(), Some(edited), "rpm keeps what was edited");
    assert_eq!(fs::read_dir(root.at("var/log/httpd/imported")).unwrap().count(), 1, "the data stays");

    // where something else does the work, the timers stay off
    fs::write(root.at("etc/cron.d/hubzero"), "0 1 * * * root /opt/hubzero/bin/metrics/x.sh\n").unwrap();
    let said = rpm(&["--nodeps", "-i", new.to_str().unwrap()]);
    assert!(said.contains("/etc/cron.d/hubzero starts the work already"), "{said}");
    assert_eq!(root.enabled(), <[&str; 0]>::default());
    rpm(&["-e", "hzmetrics"]);

    // an installation from the archive would do the work twice
    fs::create_dir_all(root.at("opt/hubzero/share/hzmetrics")).unwrap();
    fs::write(root.at("opt/hubzero/share/hzmetrics/manifest"), "").unwrap();
    let done = run(&["--nodeps", "-i", new.to_str().unwrap()]);
    assert!(!done.status.success() && text(&done).contains("install.sh --uninstall"), "{}", text(&done));
    assert!(!root.has("usr/bin/hzmetrics"));
}

#[test]
fn linters_find_nothing_beyond_the_reasoned_lists() {
    let Some(folder) = packages() else { return };
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/package/rpmlint.toml");
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error,warning"]).arg(package(&folder, "deb"));
    let mut rpmlint = Command::new("rpmlint");
    rpmlint.arg("--config").arg(rules).arg(package(&folder, "rpm"));
    for (mut linter, expected) in [(lintian, ""), (rpmlint, "; 0 errors, 0 warnings")] {
        let name = linter.get_program().to_string_lossy().into_owned();
        let Ok(done) = linter.stdin(Stdio::null()).output() else {
            fixtures::skip(&format!("no {name}"));
            continue;
        };
        let said = text(&done);
        assert!(done.status.success() && said.contains(expected), "{name}: {said}");
    }
}
