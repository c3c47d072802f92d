//! The `.deb` and the `.rpm`, from the same folder as the archive. What they install is laid out here;
//! cargo-deb and cargo-generate-rpm pack it.
//!
//! Only `hzmetrics` is on PATH: the names of the stages are too general, so they are in
//! `/usr/libexec/hzmetrics`, where `hzmetrics` finds them.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use checkout::{place, say};
use xshell::{Shell, cmd};

use crate::files::{copy, copy_tree, list, write};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The tools, and the versions that were tried.
const TOOLS: [(&str, &str); 3] =
    [("cargo-deb", "3.8.0"), ("cargo-generate-rpm", "0.21.1"), ("cargo-cyclonedx", "0.5.9")];
const STEPS: &str = include_str!("../../package/steps.sh");
const ABOUT: &str = "Usage metrics of HUBzero hubs from web server logs";
const DESCRIPTION: &str = "Counts the users of a HUBzero hub (science gateway) from the access logs of Apache and the \
login logs of the CMS, and writes the numbers to the MariaDB tables that the pages of the hub and its reports read. \
Replaces the original scripts and hzmetrics.py with the same numbers.";

/// A way to pack, and what differs between the systems that use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Deb,
    Rpm,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }

    /// The web server's user and group, its number, and its home.
    const fn user(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Deb => ("www-data", "33", "/var/www"),
            Self::Rpm => ("apache", "48", "/usr/share/httpd"),
        }
    }

    const fn zsh(self) -> &'static str {
        match self {
            Self::Deb => "usr/share/zsh/vendor-completions",
            Self::Rpm => "usr/share/zsh/site-functions",
        }
    }

    fn fill_in(self, text: &str) -> String {
        let (user, uid, home) = self.user();
        let pairs = [("@PREFIX@/bin/hzmetrics-postrotate.sh", "/usr/libexec/hzmetrics/postrotate.sh")];
        let pairs = pairs.into_iter().chain([("@PREFIX@", "/usr"), ("@USER@", user), ("@GROUP@", user)]);
        let pairs = pairs.chain([("@UID@", uid), ("@HOME@", home)]);
        pairs.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

/// Makes both packages in `to` from the folder `from` that `package` made. Returns their paths.
pub(crate) fn make(sh: &Shell, from: &Path, to: &Path) -> Result<Vec<PathBuf>> {
    let path = tools(sh)?;
    let _path = sh.push_env("PATH", path);
    let _time = sh.push_env("SOURCE_DATE_EPOCH", time_of_commit(sh));
    [Format::Deb, Format::Rpm].into_iter().map(|format| pack(sh, format, from, to)).collect()
}

/// The time of the commit, in seconds since 1970.
pub(crate) fn time_of_commit(sh: &Shell) -> String {
    if let Ok(time) = sh.var("SOURCE_DATE_EPOCH") {
        return time;
    }
    // the target directory, where packages are made, may be outside of the checkout
    let commit = place::root()
        .and_then(|root| Ok(cmd!(sh, "git -C {root} log -1 --format=%ct").quiet().ignore_stderr().read()?));
    commit.unwrap_or_else(|_| "0".to_owned())
}

/// PATH with the tools, which are built into the target directory if they are missing.
pub(crate) fn tools(sh: &Shell) -> Result<OsString> {
    let folder = place::target(sh)?.join("tools/packages");
    let bin = folder.join("bin");
    for (name, version) in TOOLS {
        if !bin.join(name).exists() {
            say(&format!("xtask: building {name} {version} into {}", folder.display()));
            cmd!(sh, "cargo install --quiet --locked {name}@{version} --root {folder}").run()?;
        }
    }
    let path = sh.var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)))?)
}

fn pack(sh: &Shell, format: Format, from: &Path, to: &Path) -> Result<PathBuf> {
    let work = to.join(format.name());
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))?;
    }
    let root = work.join("root");
    lay_out(sh, format, from, &root)?;
    let mut files = Vec::new();
    list(&root, &root, &mut files)?;
    files.sort();
    write(&work.join("lib.rs"), b"")?;
    write(&work.join("changelog"), changelog(sh)?.as_bytes())?;
    scripts(format, &work.join("scripts"))?;
    write(&work.join("Cargo.toml"), manifest(format, &files, &maintainer(sh)).as_bytes())?;
    let _there = sh.push_dir(&work);
    let name = match format {
        Format::Deb => format!("hzmetrics_{VERSION}-1_amd64.deb"),
        Format::Rpm => format!("hzmetrics-{VERSION}-1.x86_64.rpm"),
    };
    let made = to.join(&name);
    match format {
        Format::Deb => cmd!(sh, "cargo deb --quiet --no-build --no-strip --output {made}"),
        Format::Rpm => cmd!(sh, "cargo generate-rpm --payload-compress xz --arch x86_64 --output {made}"),
    }
    .quiet()
    .run()?;
    Ok(made)
}

/// Everything that the package installs, below `root`.
fn lay_out(sh: &Shell, format: Format, from: &Path, root: &Path) -> Result<()> {
    let (deploy, own) = (from.join("deploy"), place::root()?.join("scripts/package"));
    let at = |path: &str| root.join(path);
    let filled = |file: &str, to: &str| -> Result<()> {
        let path = file.strip_prefix("package/").map_or_else(|| deploy.join(file), |file| own.join(file));
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        write(&at(to), with_condition(to, format.fill_in(&text))?.as_bytes())
    };
    for name in place::executables(sh)? {
        let is_hzmetrics = name == "hzmetrics";
        let folder = if is_hzmetrics { "usr/bin" } else { "usr/libexec/hzmetrics" };
        copy(&from.join("bin").join(&name), &at(folder).join(&name))?;
        let page = if is_hzmetrics { "hzmetrics.1".to_owned() } else { format!("hzmetrics-{name}.1") };
        copy(&from.join(format!("share/man/man1/{name}.1")), &at("usr/share/man/man1").join(page))?;
    }
    let share = from.join("share");
    copy(&share.join("bash-completion/completions/hzmetrics"), &at("usr/share/bash-completion/completions/hzmetrics"))?;
    copy(&share.join("zsh/site-functions/_hzmetrics"), &at(format.zsh()).join("_hzmetrics"))?;
    let fish = "fish/vendor_completions.d/hzmetrics.fish";
    copy(&share.join(fish), &at("usr/share").join(fish))?;
    copy_tree(&share.join("doc/hzmetrics"), &at("usr/share/doc/hzmetrics"))?;
    fs::remove_file(at("usr/share/doc/hzmetrics/LICENSE")).context("the licence is in the file copyright")?;
    compress(sh, root)?;
    copy(&from.join("LICENSE"), &at("usr/share/doc/hzmetrics/copyright"))?;
    copy(&deploy.join("grafana-dashboard.json"), &at("usr/share/hzmetrics/grafana-dashboard.json"))?;
    copy(&deploy.join("access.cfg"), &at("usr/share/hzmetrics/access.cfg"))?;
    copy(&deploy.join("hzmetrics.conf"), &at("etc/hubzero-metrics/hzmetrics.conf"))?;
    for unit in sh.read_dir(deploy.join("systemd"))? {
        let name = unit.file_name().unwrap_or_default().to_string_lossy().into_owned();
        filled(&format!("systemd/{name}"), &format!("usr/lib/systemd/system/{name}"))?;
    }
    filled("hzmetrics-postrotate.sh", "usr/libexec/hzmetrics/postrotate.sh")?;
    filled("tmpfiles.conf", "usr/lib/tmpfiles.d/hzmetrics.conf")?;
    filled("package/sysusers.conf", "usr/lib/sysusers.d/hzmetrics.conf")?;
    filled("logrotate.conf", "etc/logrotate.d/hzmetrics")?;
    match format {
        Format::Deb => {
            filled("package/lintian-overrides", "usr/share/lintian/overrides/hzmetrics")?;
            filled("package/cron", "etc/cron.d/hzmetrics")
        }
        // every system with rpm on which the programs start has systemd
        Format::Rpm => Ok(()),
    }
}

/// Timers of a package do nothing before `hzmetrics init` was run.
fn with_condition(path: &str, text: String) -> Result<String> {
    if !path.ends_with(".timer") {
        return Ok(text);
    }
    let Some(end) = text.find("\n\n[Timer]") else { bail!("{path} has no section [Timer]") };
    let mut text = text;
    text.insert_str(end, "\nConditionPathExists=/etc/hubzero-metrics/ready");
    Ok(text)
}

/// Manuals and the changelog are compressed, as both systems expect.
fn compress(sh: &Shell, root: &Path) -> Result<()> {
    let doc = root.join("usr/share/doc/hzmetrics");
    let changelog = doc.join("changelog");
    fs::rename(doc.join("CHANGELOG.md"), &changelog).context("renaming the changelog")?;
    let mut files = sh.read_dir(root.join("usr/share/man/man1"))?;
    files.push(changelog);
    cmd!(sh, "gzip -9n {files...}").quiet().run()?;
    Ok(())
}

/// Who answers for the package: `DEBFULLNAME` and `DEBEMAIL`, as with Debian's own tools.
fn maintainer(sh: &Shell) -> String {
    let or = |name: &str, default: &str| sh.var(name).unwrap_or_else(|_| default.to_owned());
    let (name, address) = ("hzmetrics developers", "hzmetrics@users.noreply.github.com");
    format!("{} <{}>", or("DEBFULLNAME", name), or("DEBEMAIL", address))
}

/// Debian's changelog; the changes themselves are in that of the project.
fn changelog(sh: &Shell) -> Result<String> {
    let time = time_of_commit(sh);
    let date = cmd!(sh, "date -u -R -d @{time}").quiet().read()?;
    let by = maintainer(sh);
    Ok(format!("hzmetrics ({VERSION}-1) stable; urgency=medium\n\n  * Release {VERSION}.\n\n -- {by}  {date}\n"))
}

/// The scripts around installation and removal: the steps, and the call of one.
fn scripts(format: Format, to: &Path) -> Result<()> {
    let calls: &[(&str, &str)] = match format {
        Format::Deb => &[
            ("preinst", "case ${1-} in install) refuse_second_installation ;; esac"),
            ("postinst", "case ${1-} in configure) after_install \"$([ -n \"${2-}\" ] || echo yes)\" ;; esac"),
            ("prerm", "case ${1-} in remove) before_removal ;; esac"),
            (
                "postrm",
                "case ${1-} in purge) after_purge ;; esac\nif systemd_runs; then systemctl daemon-reload || :; fi",
            ),
        ],
        Format::Rpm => &[
            ("preinst", "if [ \"${1-1}\" = 1 ]; then refuse_second_installation; fi"),
            ("postinst", "after_install \"$([ \"${1-1}\" != 1 ] || echo yes)\""),
            ("prerm", "if [ \"${1-0}\" = 0 ]; then before_removal; fi"),
            ("postrm", "if systemd_runs; then systemctl daemon-reload || :; fi"),
        ],
    };
    for (name, call) in calls {
        write(&to.join(name), format!("{}\n{call}\n", format.fill_in(STEPS)).as_bytes())?;
    }
    Ok(())
}

fn mode(path: &str) -> &'static str {
    let is_program = path.starts_with("usr/bin/") || path.starts_with("usr/libexec/");
    if is_program { "755" } else { "644" }
}

/// The manifest that tells the tools what to pack.
fn manifest(format: Format, files: &[PathBuf], maintainer: &str) -> String {
    let mut text = format!(
        "[package]\nname = \"hzmetrics\"\nversion = \"{VERSION}\"\nedition = \"2021\"\nlicense = \"MIT\"\n\
         description = \"{ABOUT}\"\n\n[lib]\npath = \"lib.rs\"\n\n[workspace]\n\n"
    );
    let files = files.iter().map(|path| path.to_string_lossy());
    match format {
        Format::Deb => {
            let _ = write!(
                text,
                "[package.metadata.deb]\nmaintainer = \"{maintainer}\"\nchangelog = \"changelog\"\n\
                 extended-description = \"{DESCRIPTION}\"\nsection = \"web\"\npriority = \"optional\"\n\
                 depends = \"libc6 (>= 2.17)\"\nrecommends = \"logrotate\"\nsuggests = \"mariadb-server\"\n\
                 maintainer-scripts = \"scripts\"\nassets = [\n"
            );
            for path in files {
                let _ = writeln!(text, "  [\"root/{path}\", \"{path}\", \"{}\"],", mode(&path));
            }
            text.push_str("]\n");
        }
        Format::Rpm => {
            text.push_str("[package.metadata.generate-rpm]\nauto-req = \"no\"\n");
            let scripts = [
                ("pre_install", "preinst"),
                ("post_install", "postinst"),
                ("pre_uninstall", "prerm"),
                ("post_uninstall", "postrm"),
            ];
            for (key, file) in scripts {
                let _ = writeln!(text, "{key}_script = \"scripts/{file}\"");
            }
            let _ = write!(text, "requires = {{ \"glibc\" = \">= 2.17\", \"logrotate\" = \"*\" }}\nassets = [\n");
            for path in files {
                let config = if path.starts_with("etc/") { ", config = \"noreplace\"" } else { "" };
                let is_doc = path.starts_with("usr/share/doc/") || path.starts_with("usr/share/man/");
                let doc = if is_doc { ", doc = true" } else { "" };
                let mode = mode(&path);
                let _ = writeln!(
                    text,
                    "  {{ source = \"root/{path}\", dest = \"/{path}\", mode = \"{mode}\"{config}{doc} }},"
                );
            }
            text.push_str("]\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_wait_for_the_hub_to_be_set_up() {
        let timer = "[Unit]\nDescription=x\n\n[Timer]\nOnCalendar=*:30\n".to_owned();
        let text = with_condition("usr/lib/systemd/system/hzmetrics.timer", timer).unwrap();
        assert!(text.contains("[Unit]\nDescription=x\nConditionPathExists=/etc/hubzero-metrics/ready\n\n[Timer]"));
        assert_eq!(with_condition("x.service", "[Unit]\n".to_owned()).unwrap(), "[Unit]\n");
        assert!(with_condition("x.timer", String::new()).is_err());
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        for format in [Format::Deb, Format::Rpm] {
            assert!(!format.fill_in(STEPS).contains('@'), "{format:?}");
        }
    }

    #[test]
    fn only_hzmetrics_and_the_stages_are_programs() {
        assert_eq!(mode("usr/bin/hzmetrics"), "755");
        assert_eq!(mode("usr/libexec/hzmetrics/report"), "755");
        assert_eq!(mode("etc/cron.d/hzmetrics"), "644");
    }
}
