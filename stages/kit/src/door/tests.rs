//! Links, FIFOs, sockets, folders and devices under the name of a file.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode};

use super::*;

type Do<'a> = (&'a str, &'a dyn Fn(&Path) -> io::Result<()>);

/// Everything but files, each with the words that describe it.
fn menagerie() -> (tempfile::TempDir, Vec<(PathBuf, &'static str)>) {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::write(at("precious"), "kept").unwrap();
    symlink(at("precious"), at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("/dev/null", at("link-to-device")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    rustix::fs::mkfifoat(CWD, at("fifo"), Mode::from_raw_mode(0o666)).unwrap();
    drop(UnixListener::bind(at("socket")).unwrap());
    let mut all = vec![
        (at("link"), "a symbolic link"),
        (at("dangling"), "a symbolic link"),
        (at("link-to-device"), "a symbolic link"),
        (at("folder"), "a folder"),
        (at("fifo"), "a FIFO"),
        (at("socket"), "a socket"),
    ];
    // only root can create devices, and not even root everywhere
    let device = rustix::fs::makedev(1, 3);
    if rustix::fs::mknodat(CWD, at("device"), rustix::fs::FileType::CharacterDevice, 0o666.into(), device).is_ok() {
        all.push((at("device"), "a device"));
    }
    (place, all)
}

#[test]
fn anything_but_a_file_is_named_and_left_alone() {
    let (place, all) = menagerie();
    let old = place.path().join("old");
    let doing: [Do<'_>; 6] = [
        ("open", &|path| open(path).map(drop)),
        ("read", &|path| read(path, 100).map(drop)),
        ("append", &|path| append(path).map(drop)),
        ("open_or_create", &|path| open_or_create(path).map(drop)),
        ("rename", &|path| {
            fs::write(&old, "old").unwrap();
            rename(&old, path)
        }),
        ("publish", &|path| Temporary::beside(path)?.publish(path.file_name().unwrap())),
    ];
    for (path, what) in &all {
        for (name, act) in &doing {
            let error = act(path).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains(path.to_str().unwrap()), "{name}: {error}");
        }
    }
    assert_eq!(fs::read_to_string(place.path().join("precious")).unwrap(), "kept");
    assert!(!place.path().join("nowhere").exists());
    let left = list(place.path()).unwrap().into_iter().filter(|name| name.to_str().unwrap().contains("hzmetrics"));
    assert_eq!(left.count(), 0, "a temporary file was left behind");
}

#[test]
fn nothing_is_created_over_an_existing_name() {
    let (place, all) = menagerie();
    for (path, _) in &all {
        assert_eq!(create_new(path, 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists, "{}", path.display());
        let old = place.path().join("old");
        fs::write(&old, "old").unwrap();
        assert_eq!(rename_new(&old, path).unwrap_err().kind(), io::ErrorKind::AlreadyExists, "{}", path.display());
    }
}

#[test]
fn files_with_hard_links_are_not_written() {
    let place = tempfile::tempdir().unwrap();
    let (precious, planted) = (place.path().join("precious"), place.path().join("planted"));
    fs::write(&precious, "kept").unwrap();
    fs::hard_link(&precious, &planted).unwrap();
    assert!(append(&planted).unwrap_err().to_string().contains("hard links"));
    assert!(open_or_create(&planted).is_err());
    assert_eq!(read(&planted, 10).unwrap(), b"kept");
}

#[test]
fn files_are_created_read_and_removed() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    assert_eq!(open(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    append(&path).unwrap().write_all(b"one ").unwrap();
    append(&path).unwrap().write_all(b"two").unwrap();
    assert_eq!(read(&path, 7).unwrap(), b"one two");
    let error = read(&path, 6).unwrap_err().to_string();
    assert!(error.contains("larger than 6 bytes"), "{error}");
    rename(&path, &place.path().join("other")).unwrap();
    assert!(look(&path).unwrap().is_none() && look(&place.path().join("other")).unwrap().is_some());
    remove(&place.path().join("other")).unwrap();
    assert!(list(place.path()).unwrap().is_empty());
    assert!(look(Path::new("/nowhere/at/all")).unwrap().is_none());
}

#[test]
fn temporary_names_cannot_be_guessed() {
    let names: std::collections::HashSet<_> = (0..100).map(|_| temporary::unguessable().unwrap()).collect();
    assert_eq!(names.len(), 100);
    assert!(names.iter().all(|name| name.len() == ".hzmetrics-.part".len() + 32));
}

#[test]
fn a_mode_applies_whatever_the_umask() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    let file = Temporary::beside(&path).unwrap();
    for mode in [0o640, 0o666, 0o600] {
        file.set_mode(mode).unwrap();
        assert_eq!(file.file().metadata().unwrap().mode() & 0o777, mode);
    }
    drop(create_new(&path, 0o666).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o666);
}

#[test]
fn names_given_by_the_user_follow_links_and_may_be_devices() {
    let (place, all) = menagerie();
    let at = |name: &str| place.path().join(name);
    let write = |path: &Path| -> io::Result<()> {
        match named::output(path)? {
            named::Output::Whole(mut file, real) => {
                file.write_all(b"new")?;
                file.publish(real.file_name().unwrap())
            }
            named::Output::Direct(mut file) => file.write_all(b"new"),
        }
    };
    write(&at("link")).unwrap();
    assert!(at("link").is_symlink());
    assert_eq!(fs::read_to_string(at("precious")).unwrap(), "new");
    write(&at("dangling")).unwrap();
    assert_eq!(fs::read_to_string(at("nowhere")).unwrap(), "new");
    write(&at("link-to-device")).unwrap();
    let reader = std::thread::spawn({
        let fifo = at("fifo");
        move || fs::read_to_string(fifo).unwrap()
    });
    write(&at("fifo")).unwrap();
    assert_eq!(reader.join().unwrap(), "new");
    for (name, what) in [("socket", "a socket"), ("folder", "a folder")] {
        let error = write(&at(name)).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains(name), "{error}");
    }
    for (path, _) in all.iter().filter(|(_, what)| *what == "a device") {
        write(path).unwrap();
        assert!(!fs::symlink_metadata(path).unwrap().is_file(), "a device was replaced");
    }
}

#[test]
fn a_descriptor_is_written_at_its_position() {
    use std::os::fd::AsRawFd as _;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"head ").unwrap();
    let path = PathBuf::from(format!("/dev/fd/{}", file.as_raw_fd()));
    let named::Output::Direct(mut direct) = named::output(&path).unwrap() else { panic!("a file of its own") };
    direct.write_all(b"tail").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "head tail");
}

/// A log folder with a log in a subfolder, and a place outside.
fn log_folder() -> (tempfile::TempDir, Logs) {
    let place = tempfile::tempdir().unwrap();
    let daily = place.path().join("daily");
    fs::create_dir_all(daily.join("2025")).unwrap();
    fs::write(daily.join("2025/x-access.log"), "lines").unwrap();
    fs::write(place.path().join("outside.log"), "secret").unwrap();
    let logs = Logs::new([daily]);
    (place, logs)
}

fn text(logs: &Logs, path: &Path) -> io::Result<String> {
    io::read_to_string(logs.open(path)?)
}

#[test]
fn links_in_log_folders_stay_in_log_folders() {
    let (place, logs) = log_folder();
    let daily = place.path().join("daily");
    let plant = |name: &str, target: &Path| {
        symlink(target, daily.join(name)).unwrap();
        text(&logs, &daily.join(name))
    };
    assert_eq!(text(&logs, &daily.join("2025/x-access.log")).unwrap(), "lines");
    assert_eq!(plant("relative", Path::new("2025/x-access.log")).unwrap(), "lines");
    assert_eq!(plant("absolute", &daily.join("2025/x-access.log")).unwrap(), "lines");
    assert_eq!(plant("twice", Path::new("relative")).unwrap(), "lines");
    for (name, target, words) in [
        ("out", place.path().join("outside.log"), "out of the log folders"),
        ("climbing", "../outside.log".into(), "out of the log folders"),
        ("climbing-absolute", daily.join("2025/../../outside.log"), "out of the log folders"),
        ("shadow", "/etc/shadow".into(), "out of the log folders"),
        ("loop", "loop".into(), "too many"),
        ("to-folder", "2025".into(), "a folder"),
    ] {
        let error = plant(name, &target).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(name), "{name}: {error}");
    }
    symlink(place.path(), daily.join("up")).unwrap();
    assert!(text(&logs, &daily.join("up/outside.log")).is_err(), "through a folder that is a link");
    assert!(plant("through", Path::new("up/outside.log")).is_err());
    for path in ["/etc/passwd".into(), daily.join("../outside.log"), daily.clone()] {
        assert!(!logs.holds(&path) && text(&logs, &path).is_err(), "{}", path.display());
    }
}

#[test]
fn a_log_folder_may_be_a_link_owned_by_root() {
    let (place, _) = log_folder();
    let link = place.path().join("link");
    symlink("daily", &link).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let opened = text(&Logs::new([link.clone()]), &link.join("2025/x-access.log"));
    assert_eq!(opened.is_ok(), is_root);
    if is_root {
        std::os::unix::fs::lchown(&link, Some(12345), None).unwrap();
        let error = text(&Logs::new([link.clone()]), &link.join("2025/x-access.log")).unwrap_err().to_string();
        assert!(error.contains("root does not own"), "{error}");
    }
}

#[test]
fn a_link_does_not_let_its_owner_read_more() {
    if !rustix::process::geteuid().is_root() {
        return fixtures::skip("only root can give files to others");
    }
    let (place, logs) = log_folder();
    let (secret, link) = (place.path().join("daily/secret.log"), place.path().join("daily/link.log"));
    fs::write(&secret, "secret").unwrap();
    symlink("secret.log", &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(12345), None).unwrap();
    for (mode, allowed) in [(0o600, false), (0o640, false), (0o644, true)] {
        fs::set_permissions(&secret, Permissions::from_mode(mode)).unwrap();
        assert_eq!(text(&logs, &link).is_ok(), allowed, "{mode:o}");
    }
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(&secret, place.path().join("daily/hard.log")).unwrap();
    std::os::unix::fs::chown(place.path().join("daily"), Some(12345), None).unwrap();
    let error = text(&logs, &place.path().join("daily/hard.log")).unwrap_err().to_string();
    assert!(error.contains("a hard link"), "{error}");
}
