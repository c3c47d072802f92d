//! A real server with certificates of all kinds.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fixtures::db::{Private, networked_server};
use fixtures::tls::Authority;

use super::*;
use crate::{Db, ErrorKind, Target, Which};

/// A folder with a CA, a server certificate, and whatever else a test puts there.
struct Place {
    folder: tempfile::TempDir,
    ca: Authority,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // the server may run as another user
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let ca = Authority::new("our CA");
        ca.write(&folder.path().join("ca.pem"));
        Authority::new("another CA").write(&folder.path().join("other.pem"));
        let place = Self { folder, ca };
        place.serve(&["127.0.0.1", "localhost"], 2100);
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The certificate that the server presents from now on.
    fn serve(&self, names: &[&str], last_year: i32) {
        let _ = self.ca.sign(names, last_year).write(self.folder.path(), "server");
    }

    fn server(&self, more: &[&str]) -> Option<Private> {
        let mut options: Vec<String> = ["ca", "cert", "key"]
            .iter()
            .zip(["ca.pem", "server.pem", "server.key"])
            .map(|(option, file)| format!("--ssl-{option}={}", self.at(file).display()))
            .collect();
        options.extend(more.iter().map(|option| (*option).to_owned()));
        let server = networked_server(&options)?;
        server.sql(&[
            "CREATE USER u@127.0.0.1 IDENTIFIED BY 'p'".to_owned(),
            "CREATE USER x@127.0.0.1 IDENTIFIED BY 'p' REQUIRE X509".to_owned(),
        ]);
        Some(server)
    }

    fn tls(&self, mode: SslMode, ca: Option<&str>) -> Tls {
        Tls { mode, ca: ca.map(|name| self.at(name)), ..Tls::default() }
    }
}

fn target(port: u16, user: &str, tls: &Tls) -> Target {
    Target {
        host: format!("127.0.0.1:{port}"),
        user: user.to_owned(),
        password: "p".to_owned(),
        tls: tls.clone(),
        ..Target::default()
    }
}

/// The cipher of a new connection; empty if it is not encrypted.
fn cipher_of(target: &Target) -> Result<String, DbError> {
    let connected = Db::connect(target, Which::Neither);
    let mut db = connected.map_err(|error| error.downcast::<DbError>().unwrap())?;
    let found =
        db.all("SHOW SESSION STATUS LIKE 'Ssl_cipher'", (), |row| Ok(row.text(1).unwrap_or_default().into_owned()));
    Ok(found.unwrap().concat())
}

fn is_encrypted(server: &Private, tls: &Tls) -> bool {
    !cipher_of(&target(server.port(), "u", tls)).unwrap().is_empty()
}

#[track_caller]
fn refused(target: &Target, words: &[&str]) {
    let error = cipher_of(target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[test]
fn the_mode_decides_which_server_is_trusted() {
    let place = Place::new();
    let Some(server) = place.server(&["--require-secure-transport=ON"]) else { return };
    let on_this = |mode, ca| target(server.port(), "u", &place.tls(mode, ca));
    for (mode, ca) in [
        (SslMode::Preferred, None),
        (SslMode::Preferred, Some("other.pem")),
        (SslMode::Required, None),
        (SslMode::Required, Some("ca.pem")),
        (SslMode::VerifyCa, Some("ca.pem")),
        (SslMode::VerifyFull, Some("ca.pem")),
    ] {
        assert!(is_encrypted(&server, &place.tls(mode, ca)), "{mode} {ca:?}");
    }
    let plain = cipher_of(&on_this(SslMode::Disabled, None)).unwrap_err().to_string();
    assert!(plain.contains("encrypted connections only") && plain.contains("ssl_mode is disabled"), "{plain}");
    let other = place.at("other.pem").display().to_string();
    for mode in [SslMode::Required, SslMode::VerifyCa, SslMode::VerifyFull] {
        refused(&on_this(mode, Some("other.pem")), &["was not signed by the CA in", &other]);
    }
    refused(&on_this(SslMode::VerifyCa, None), &["needs ssl_ca"]);

    // somebody else's good certificate
    place.serve(&["db.example.org"], 2100);
    server.sql(&["FLUSH SSL".to_owned()]);
    assert!(is_encrypted(&server, &place.tls(SslMode::VerifyCa, Some("ca.pem"))));
    refused(&on_this(SslMode::VerifyFull, Some("ca.pem")), &["is not for the host 127.0.0.1", "db.example.org"]);

    place.serve(&["127.0.0.1"], 2021);
    server.sql(&["FLUSH SSL".to_owned()]);
    assert!(is_encrypted(&server, &place.tls(SslMode::Preferred, None)));
    for mode in [SslMode::Required, SslMode::VerifyCa, SslMode::VerifyFull] {
        refused(&on_this(mode, Some("ca.pem")), &["has expired on 2021-12-31"]);
    }

    // over the socket nothing is encrypted, whatever the settings are
    let mut socket = on_this(SslMode::VerifyFull, Some("no such file"));
    socket.host = server.socket().display().to_string();
    "root".clone_into(&mut socket.user);
    String::new().clone_into(&mut socket.password);
    assert_eq!(cipher_of(&socket), Ok(String::new()));
}

#[test]
fn our_own_certificate_is_presented() {
    let place = Place::new();
    let Some(server) = place.server(&[]) else { return };
    let folder = place.folder.path();
    let (cert, key) = place.ca.sign(&["client"], 2100).write(folder, "client");
    let (strange, strange_key) = Authority::new("another CA").sign(&["client"], 2100).write(folder, "strange");
    let with = |cert: &Path, key: &Path| {
        let tls = Tls {
            cert: Some(cert.to_owned()),
            key: Some(key.to_owned()),
            ..place.tls(SslMode::VerifyCa, Some("ca.pem"))
        };
        target(server.port(), "x", &tls)
    };
    assert!(!cipher_of(&with(&cert, &key)).unwrap().is_empty());
    let without = cipher_of(&target(server.port(), "x", &place.tls(SslMode::Required, None))).unwrap_err();
    assert_eq!(without.kind(), ErrorKind::Denied, "{without}");
    refused(&with(&strange, &strange_key), &["strange.pem"]);
    refused(&with(&cert, &strange_key), &["client.pem", "strange.key", "cannot be used"]);

    // useless files are named
    fs::write(place.at("empty.pem"), "").unwrap();
    fs::write(place.at("words.pem"), "no certificate").unwrap();
    fs::write(place.at("torn.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap();
    fs::write(place.at("odd.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n").unwrap();
    fs::write(
        place.at("locked.key"),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    .unwrap();
    for name in ["none.pem", "empty.pem", "words.pem", "torn.pem", "odd.pem"] {
        let path = place.at(name).display().to_string();
        refused(&target(server.port(), "u", &place.tls(SslMode::VerifyCa, Some(name))), &["ssl_ca", &path]);
        refused(&target(server.port(), "u", &place.tls(SslMode::Preferred, Some(name))), &["ssl_ca", &path]);
        refused(&with(&place.at(name), &key), &["ssl_cert", &path]);
        refused(&with(&cert, &place.at(name)), &["ssl_key", &path]);
    }
    refused(&with(&cert, &place.at("locked.key")), &["locked.key", "passphrase"]);
}

#[test]
fn a_server_without_encryption_is_refused_if_required() {
    let Some(server) = networked_server(&["--skip-ssl".to_owned()]) else { return };
    server.sql(&["CREATE USER u@127.0.0.1 IDENTIFIED BY 'p'".to_owned()]);
    for mode in [SslMode::Disabled, SslMode::Preferred] {
        assert!(!is_encrypted(&server, &Tls { mode, ..Tls::default() }), "{mode}");
    }
    let place = Place::new();
    for mode in [SslMode::Required, SslMode::VerifyCa, SslMode::VerifyFull] {
        let target = target(server.port(), "u", &place.tls(mode, Some("ca.pem")));
        refused(&target, &["offers no encrypted connections", mode.name()]);
    }
}

/// An attacker on the network can disturb a handshake; this must not make the connection
/// unencrypted.
#[test]
fn a_disturbed_handshake_never_falls_back_to_plain() {
    use std::io::{Read as _, Write as _};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&greeting()).unwrap();
        // the request for encryption, then a ClientHello
        let mut bytes = [0; 512];
        let n = stream.read(&mut bytes).unwrap();
        stream.write_all(b"plain talk instead of a handshake").unwrap();
        drop(stream);
        listener.set_nonblocking(true).unwrap();
        (n, listener.accept().is_err())
    });
    refused(&target(port, "u", &Tls::default()), &["an encrypted connection cannot be made", "ssl_mode = disabled"]);
    let (n, is_alone) = seen.join().unwrap();
    assert!(n >= 36 && is_alone, "{n}");
}

/// The first message of a server that offers encryption.
fn greeting() -> Vec<u8> {
    let mut body = b"\x0a10.11.0-MariaDB\0\x01\0\0\0abcdefgh\0".to_vec();
    // capabilities: 4.1, SSL, secure connection, plugin names; latin1; autocommit
    body.extend([0x00, 0x8a, 0x08, 0x02, 0x00, 0x08, 0x00, 21]);
    body.extend([0; 10]);
    body.extend(b"ijklmnopqrst\0mysql_native_password\0");
    let mut packet = vec![u8::try_from(body.len()).unwrap(), 0, 0, 0];
    packet.extend(body);
    packet
}
