//! Explains why a connection could not be encrypted, in messages that say what to check.

use std::io;

use hub::config::{SslMode, Tls};
use jiff::Timestamp;
use mysql::error::tls::TlsError;
use mysql::{DriverError, Error};
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

/// The server's answer if it only accepts encrypted connections.
const SECURE_TRANSPORT_REQUIRED: u16 = 3159;

/// In words, if it is about encryption.
pub(super) fn words(error: &Error, tls: &Tls, host: &str) -> Option<String> {
    let text = match error {
        Error::DriverError(DriverError::TlsNotSupported) => {
            format!("the server offers no encrypted connections, and ssl_mode = {} asks for one", tls.mode)
        }
        Error::MySqlError(e) if e.code == SECURE_TRANSPORT_REQUIRED => {
            format!("the server accepts encrypted connections only, and ssl_mode is {}: set it to required", tls.mode)
        }
        Error::TlsError(TlsError::Tls(e)) => prepared(e, tls),
        Error::TlsError(e) => other(e, tls),
        other => handshake(beneath(other)?, tls, host),
    };
    Some(text)
}

/// The error of the handshake, which the driver gets while it writes its first packet.
fn beneath(error: &Error) -> Option<&rustls::Error> {
    match error {
        Error::IoError(e) => e.get_ref()?.downcast_ref(),
        Error::CodecError(e) => std::error::Error::source(e)?.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// The driver checks our own certificate before the handshake.
fn prepared(error: &rustls::Error, tls: &Tls) -> String {
    let (Some(cert), Some(key)) = (&tls.cert, &tls.key) else { return other(error, tls) };
    format!("ssl_cert {} with ssl_key {} cannot be used: {error}", cert.display(), key.display())
}

fn handshake(error: &rustls::Error, tls: &Tls, host: &str) -> String {
    match error {
        rustls::Error::InvalidCertificate(why) => certificate(why, tls, host),
        rustls::Error::AlertReceived(alert) => refused(*alert, tls),
        error => other(error, tls),
    }
}

fn other(error: &dyn std::fmt::Display, tls: &Tls) -> String {
    let way_out = match tls.mode {
        SslMode::Preferred => "; ssl_mode = disabled connects without encryption",
        _ => "",
    };
    format!("an encrypted connection cannot be made: {error}{way_out}")
}

fn certificate(why: &CertificateError, tls: &Tls, host: &str) -> String {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            format!("the server's certificate was not signed by the CA in {}", file(tls.ca.as_deref()))
        }
        CertificateError::NotValidForName => format!("the server's certificate is not for the host {host}"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = if presented.is_empty() { "no name at all".to_owned() } else { presented.join(", ") };
            format!("the server's certificate is not for the host {host}, but for {names}")
        }
        CertificateError::Expired => "the server's certificate has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the server's certificate has expired on {}", day(*not_after))
        }
        CertificateError::NotValidYet => "the server's certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the server's certificate is not valid before {}", day(*not_before))
        }
        why => format!("the server's certificate cannot be verified: {why}"),
    }
}

fn refused(alert: AlertDescription, tls: &Tls) -> String {
    let ours = tls.cert.as_deref();
    match alert {
        AlertDescription::CertificateRequired => "the server asks for a client certificate: set ssl_cert".to_owned(),
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::DecryptError
            if ours.is_some() =>
        {
            format!("the server refuses our certificate {}: {alert:?}", file(ours))
        }
        alert => other(&format_args!("the server says {alert:?}"), tls),
    }
}

fn file(path: Option<&std::path::Path>) -> String {
    path.map_or_else(|| "ssl_ca".to_owned(), |path| path.display().to_string())
}

/// The moment, to the minute.
fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds)
        .map_or_else(|_| "a day unknown".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}
