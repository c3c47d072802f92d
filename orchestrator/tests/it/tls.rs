//! Commands and stages over an encrypted connection to a server that requires it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fixtures::db::networked_server;
use fixtures::tls::Authority;

/// A configuration for a server on this port.
fn config(folder: &Path, port: u16, more: &str) -> PathBuf {
    let path = folder.join("access.cfg");
    let text = format!(
        "$hub_db = 't_hub';\n$metrics_db = 't_hub_metrics';\n$db_host = '127.0.0.1:{port}';\n$db_user = 'u';\n\
         $db_pass = 'p';\n{more}"
    );
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_server_that_requires_encryption_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let ca = Authority::new("our CA");
    ca.write(&folder.path().join("ca.pem"));
    Authority::new("another CA").write(&folder.path().join("other.pem"));
    let _ = ca.sign(&["db.example.org"], 2100).write(folder.path(), "server");
    let options = [
        format!("--ssl-ca={}", at("ca.pem")),
        format!("--ssl-cert={}", at("server.pem")),
        format!("--ssl-key={}", at("server.key")),
        "--require-secure-transport=ON".to_owned(),
    ];
    let Some(server) = networked_server(&options) else { return };
    server.sql(&[
        "CREATE USER u@127.0.0.1 IDENTIFIED BY 'p'".to_owned(),
        "GRANT ALL ON `t\\_hub\\_metrics`.* TO u@127.0.0.1".to_owned(),
        "CREATE DATABASE t_hub".to_owned(),
        "GRANT SELECT ON `t\\_hub`.* TO u@127.0.0.1".to_owned(),
    ]);
    let run = |more: &str, line: &str| {
        let mut words = line.split(' ');
        fixtures::run(env!("CARGO_BIN_EXE_hzmetrics"))
            .env("HZMETRICS_ACCESS_CFG", config(folder.path(), server.port(), more))
            .env("HZMETRICS_ROOT", folder.path())
            .env("HZMETRICS_HOME", folder.path())
            .arg(words.next().unwrap())
            .args(words)
            .finish()
    };
    let (good, other) = (format!("$ssl_ca = '{}';\n", at("ca.pem")), format!("$ssl_ca = '{}';\n", at("other.pem")));
    run("", "setup-db").ok();
    // a stage, started by a command
    for more in ["$ssl_mode = 'REQUIRED';\n".to_owned(), format!("$db_ssl_mode = 'verify_ca';\n{good}"), good.clone()] {
        run(&more, "fill-domain metrics web 2025-07").ok();
    }
    for (more, code, words) in [
        ("$ssl_mode = 'disabled';\n".to_owned(), 1, "ssl_mode is disabled"),
        (format!("$ssl_mode = 'verify-ca';\n{other}"), 1, "was not signed by the CA in"),
        (other.clone(), 1, "other.pem"),
        (format!("$ssl_mode = 'VERIFY_IDENTITY';\n{good}"), 1, "is not for the host 127.0.0.1, but for"),
        ("$ssl_mode = 'always';\n".to_owned(), 2, "is not one of disabled, preferred, required"),
        ("$ssl_mode = 'verify-full';\n".to_owned(), 2, "needs ssl_ca"),
    ] {
        for line in ["setup-db", "migrate", "audit", "fill-domain metrics web 2025-07"] {
            let failed = run(&more, line).expect_code(code);
            assert!(failed.stderr.contains(words), "{line} {more}\n{}", failed.stderr);
        }
    }
}
