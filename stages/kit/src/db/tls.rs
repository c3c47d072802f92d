//! Encrypted connections: what the configuration asks for and what the driver is told.
//!
//! The words are those of the mysql clients. A server that is asked over its socket is on this
//! machine, and nothing here applies to it.

mod failure;
mod roots;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use mysql::{ClientIdentity, Conn, DriverError, OptsBuilder, SslOpts};
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::{DbError, ErrorKind};
use crate::door::named;

/// What a connection over the network must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// Plain.
    Disabled,
    /// Encrypted where the server offers it, else plain. The server proves nothing.
    #[default]
    Preferred,
    /// Encrypted. The server's certificate is looked at only where a CA is named.
    Required,
    /// Encrypted, and the server's certificate is signed by the CA.
    VerifyCa,
    /// The same, and the certificate is for the host that was asked for.
    VerifyFull,
}

impl SslMode {
    const ALL: [Self; 5] = [Self::Disabled, Self::Preferred, Self::Required, Self::VerifyCa, Self::VerifyFull];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Preferred => "preferred",
            Self::Required => "required",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SslMode {
    type Err = String;

    /// In any case, with `_` or `-`, and also as MySQL calls the last one: `VERIFY_IDENTITY`.
    fn from_str(text: &str) -> Result<Self, String> {
        let word = text.trim().to_ascii_lowercase().replace('_', "-");
        if word == "verify-identity" {
            return Ok(Self::VerifyFull);
        }
        let found = Self::ALL.into_iter().find(|mode| mode.name() == word);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("`{}` is not one of {names}", text.trim())
        })
    }
}

/// How connections over the network are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// What they must be.
    pub mode: SslMode,
    /// The certificates, PEM or DER, of those who may have signed the server's.
    pub ca: Option<PathBuf>,
    /// Our own certificate with its chain, for accounts that ask for one.
    pub cert: Option<PathBuf>,
    /// The private key of that certificate.
    pub key: Option<PathBuf>,
}

impl Tls {
    /// What is missing beside what is there.
    ///
    /// # Errors
    /// In words, with the names of the keys.
    pub fn check(&self) -> Result<(), String> {
        if matches!(self.mode, SslMode::VerifyCa | SslMode::VerifyFull) && self.ca.is_none() {
            return Err(format!("ssl_mode = {} needs ssl_ca, the file of the CA that signed the server's", self.mode));
        }
        match (&self.cert, &self.key) {
            (Some(_), None) => Err("ssl_cert needs ssl_key, the file of its private key".to_owned()),
            (None, Some(_)) => Err("ssl_key needs ssl_cert, the file of its certificate".to_owned()),
            _ => Ok(()),
        }
    }

    const fn verifies(&self) -> bool {
        match self.mode {
            SslMode::Disabled | SslMode::Preferred => false,
            SslMode::Required => self.ca.is_some(),
            SslMode::VerifyCa | SslMode::VerifyFull => true,
        }
    }

    /// Opens a connection to `host` over the network. `other` explains what has nothing to do with
    /// encryption.
    pub(super) fn connect(
        &self,
        opts: OptsBuilder,
        host: &str,
        other: &dyn Fn(&mysql::Error) -> DbError,
    ) -> Result<Conn, DbError> {
        let explained = |error: mysql::Error| self.explain(&error, host, other);
        if self.mode == SslMode::Disabled {
            return Conn::new(opts).map_err(explained);
        }
        self.check().map_err(DbError::tls)?;
        let roots = self.roots()?;
        let ssl = self.options()?;
        let encrypted = opts.clone().ssl_opts(Some(ssl));
        let opened = if self.verifies() {
            roots::trusting_only(&roots, || Conn::new(encrypted))?
        } else {
            roots::install();
            Conn::new(encrypted)
        };
        match opened {
            Err(mysql::Error::DriverError(DriverError::TlsNotSupported)) if self.mode == SslMode::Preferred => {
                Conn::new(opts)
            }
            opened => opened,
        }
        .map_err(explained)
    }

    fn explain(&self, error: &mysql::Error, host: &str, other: &dyn Fn(&mysql::Error) -> DbError) -> DbError {
        if let Some(words) = failure::words(error, self, host) {
            return DbError::tls(words);
        }
        let error = other(error);
        if self.mode == SslMode::Disabled && error.kind() == ErrorKind::Denied {
            // MariaDB says no more than that, whatever the reason
            return error.followed_by("; ssl_mode is disabled, and the server may take encrypted connections only");
        }
        error
    }

    fn options(&self) -> Result<SslOpts, DbError> {
        let mut opts = SslOpts::default()
            .with_root_cert_path(self.ca.clone())
            .with_danger_accept_invalid_certs(!self.verifies())
            .with_danger_skip_domain_validation(self.mode != SslMode::VerifyFull);
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            if certificates("ssl_cert", cert)?.is_empty() {
                return Err(useless("ssl_cert", cert, "there is no certificate in it"));
            }
            private_key(key)?;
            opts = opts.with_client_identity(Some(ClientIdentity::new(cert.clone(), key.clone())));
        }
        Ok(opts)
    }

    /// Those who may have signed the server's certificate.
    fn roots(&self) -> Result<RootCertStore, DbError> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.ca else { return Ok(roots) };
        for certificate in certificates("ssl_ca", path)? {
            roots.add(certificate).map_err(|e| useless("ssl_ca", path, e))?;
        }
        if roots.is_empty() {
            return Err(useless("ssl_ca", path, "there is no certificate in it"));
        }
        Ok(roots)
    }
}

fn useless(key: &str, path: &Path, why: impl fmt::Display) -> DbError {
    DbError::tls(format!("{key} {}: {why}", path.display()))
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, DbError> {
    named::read(path).map_err(|e| useless(key, path, e))
}

/// The certificates of a file; one that is not PEM is taken for DER.
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
            Err(useless("ssl_key", path, "it is protected by a passphrase, which nobody can type under cron"))
        }
        Err(pem::Error::NoItemsFound) => Err(useless("ssl_key", path, "there is no private key in it")),
        Err(e) => Err(useless("ssl_key", path, e)),
    }
}

fn is_locked(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains("ENCRYPTED")
}
