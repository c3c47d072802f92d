//! Encrypted connections: translates the settings of the configuration for the driver.
//!
//! The names are those of the mysql clients. A server reached over its socket is on this machine,
//! and nothing here applies to it.

mod failure;
mod roots;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use hub::config::{SslMode, Tls};
use kit::door::named;
use mysql::{ClientIdentity, Conn, DriverError, OptsBuilder, SslOpts};
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::{DbError, ErrorKind};

/// Opens a connection to `host` over the network. `other` explains errors that have nothing to do
/// with encryption.
pub(super) fn connect(
    tls: &Tls,
    opts: OptsBuilder,
    host: &str,
    other: &dyn Fn(&mysql::Error) -> DbError,
) -> Result<Conn, DbError> {
    let explained = |error: mysql::Error| explain(tls, &error, host, other);
    if tls.mode == SslMode::Disabled {
        return Conn::new(opts).map_err(explained);
    }
    tls.check().map_err(DbError::tls)?;
    let roots = roots(tls)?;
    let ssl = options(tls)?;
    let encrypted = opts.clone().ssl_opts(Some(ssl));
    let opened = if tls.verifies() {
        roots::trusting_only(&roots, || Conn::new(encrypted))?
    } else {
        roots::install();
        Conn::new(encrypted)
    };
    match opened {
        Err(mysql::Error::DriverError(DriverError::TlsNotSupported)) if tls.mode == SslMode::Preferred => {
            Conn::new(opts)
        }
        opened => opened,
    }
    .map_err(explained)
}

fn explain(tls: &Tls, error: &mysql::Error, host: &str, other: &dyn Fn(&mysql::Error) -> DbError) -> DbError {
    if let Some(words) = failure::words(error, tls, host) {
        return DbError::tls(words);
    }
    let error = other(error);
    if tls.mode == SslMode::Disabled && error.kind() == ErrorKind::Denied {
        // MariaDB says no more than that, whatever the cause
        return error.followed_by("; ssl_mode is disabled, and the server may take encrypted connections only");
    }
    error
}

fn options(tls: &Tls) -> Result<SslOpts, DbError> {
    let mut opts = SslOpts::default()
        .with_root_cert_path(tls.ca.clone())
        .with_danger_accept_invalid_certs(!tls.verifies())
        .with_danger_skip_domain_validation(tls.mode != SslMode::VerifyFull);
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        if certificates("ssl_cert", cert)?.is_empty() {
            return Err(useless("ssl_cert", cert, "it contains no certificate"));
        }
        private_key(key)?;
        opts = opts.with_client_identity(Some(ClientIdentity::new(cert.clone(), key.clone())));
    }
    Ok(opts)
}

/// The CAs that may have signed the server's certificate.
fn roots(tls: &Tls) -> Result<RootCertStore, DbError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &tls.ca else { return Ok(roots) };
    for certificate in certificates("ssl_ca", path)? {
        roots.add(certificate).map_err(|e| useless("ssl_ca", path, e))?;
    }
    if roots.is_empty() {
        return Err(useless("ssl_ca", path, "it contains no certificate"));
    }
    Ok(roots)
}

fn useless(key: &str, path: &Path, why: impl fmt::Display) -> DbError {
    DbError::tls(format!("{key} {}: {why}", path.display()))
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, DbError> {
    named::read(path).map_err(|e| useless(key, path, e))
}

/// The certificates in a file; a file that is not PEM is read as DER.
fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, DbError> {
    let bytes = read(key, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|e| useless(key, path, e))?;
    let is_der = found.is_empty() && bytes.first() == Some(&0x30);
    Ok(if is_der { vec![CertificateDer::from(bytes)] } else { found })
}

fn private_key(path: &Path) -> Result<(), DbError> {
    let bytes = read("ssl_key", path)?;
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(_) => Ok(()),
        Err(pem::Error::NoItemsFound) if is_locked(&bytes) => {
            Err(useless("ssl_key", path, "it is protected by a passphrase, which cannot be entered under cron"))
        }
        Err(pem::Error::NoItemsFound) => Err(useless("ssl_key", path, "it contains no private key")),
        Err(e) => Err(useless("ssl_key", path, e)),
    }
}

fn is_locked(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains("ENCRYPTED")
}
