//! How connections to the server are encrypted. The settings may be in either file; their names are
//! those of the mysql clients.
//!
//! Contradictory files or keys are an error: a connection that somebody believes to be encrypted must
//! not be plain.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Result;

use super::access::Access;
use super::ini::Ini;
use kit::Usage;

/// The requirement for a connection over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// Not encrypted.
    Disabled,
    /// Encrypted if the server offers it. The server is not verified.
    #[default]
    Preferred,
    /// Encrypted. The server's certificate is verified only if a CA is named.
    Required,
    /// Encrypted, and the server's certificate must be signed by the CA.
    VerifyCa,
    /// The same, and the certificate must be for the host in the configuration.
    VerifyFull,
}

impl SslMode {
    const ALL: [Self; 5] = [Self::Disabled, Self::Preferred, Self::Required, Self::VerifyCa, Self::VerifyFull];

    /// Its name.
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

    /// In any case, with `_` or `-`; also MySQL's name for the last one, `VERIFY_IDENTITY`.
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
    /// The requirement.
    pub mode: SslMode,
    /// The certificates, PEM or DER, of the CAs that may have signed the server's.
    pub ca: Option<PathBuf>,
    /// Our own certificate with its chain, for accounts that require one.
    pub cert: Option<PathBuf>,
    /// The private key of that certificate.
    pub key: Option<PathBuf>,
}

impl Tls {
    /// Checks that no key is missing.
    ///
    /// # Errors
    /// The names of the keys, in words.
    pub fn check(&self) -> Result<(), String> {
        if matches!(self.mode, SslMode::VerifyCa | SslMode::VerifyFull) && self.ca.is_none() {
            let mode = self.mode;
            return Err(format!("ssl_mode = {mode} needs ssl_ca, the file with the CA of the server's certificate"));
        }
        match (&self.cert, &self.key) {
            (Some(_), None) => Err("ssl_cert needs ssl_key, the file of its private key".to_owned()),
            (None, Some(_)) => Err("ssl_key needs ssl_cert, the file of its certificate".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether the server must prove its identity.
    #[must_use]
    pub const fn verifies(&self) -> bool {
        match self.mode {
            SslMode::Disabled | SslMode::Preferred => false,
            SslMode::Required => self.ca.is_some(),
            SslMode::VerifyCa | SslMode::VerifyFull => true,
        }
    }
}

/// A value and its place.
#[derive(Debug)]
struct Given<T> {
    value: T,
    place: String,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Keys {
    mode: Option<Given<SslMode>>,
    encrypted: Option<Given<bool>>,
    /// CA, certificate, key.
    files: [Option<Given<String>>; 3],
}

const FILES: [&str; 3] = ["ssl_ca", "ssl_cert", "ssl_key"];

impl Keys {
    /// The keys of the section `[db]`.
    pub(super) fn take_ini(&mut self, ini: &Ini, path: &Path) -> Result<()> {
        for name in ["ssl_mode", "tls"].iter().chain(&FILES) {
            for spelled in [(*name).to_owned(), name.replace('_', "-")] {
                if let Some(value) = ini.get("db", &spelled) {
                    self.take(name, value, format!("{}, [db] {spelled}", path.display()))?;
                }
            }
        }
        Ok(())
    }

    /// The same names in `access.cfg`, with or without `db_` in front.
    pub(super) fn take_access(&mut self, access: &Access, path: &Path) -> Result<()> {
        for name in ["ssl_mode"].iter().chain(&FILES) {
            for spelled in [(*name).to_owned(), format!("db_{name}")] {
                if let Some(hint) = access.hint(&spelled) {
                    return Err(Usage(format!("{}: ${spelled}: {hint}", path.display())).into());
                }
                if let Some(value) = access.get(&spelled) {
                    self.take(name, value, format!("{}, ${spelled}", path.display()))?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, name: &str, value: &str, place: String) -> Result<()> {
        let value = value.trim();
        if value.is_empty() {
            return Ok(());
        }
        if let Some(at) = FILES.iter().position(|known| *known == name) {
            return put(&mut self.files[at], value.to_owned(), place);
        }
        let unusable = |e: String| Usage(format!("{place}: {e}"));
        match name {
            "tls" => {
                let value = yes_or_no(value).map_err(unusable)?;
                put(&mut self.encrypted, value, place)
            }
            _ => {
                let value = value.parse().map_err(unusable)?;
                put(&mut self.mode, value, place)
            }
        }
    }

    /// All settings combined.
    pub(super) fn settle(self) -> Result<Tls> {
        if let (Some(mode), Some(encrypted)) = (&self.mode, &self.encrypted)
            && !agree(mode.value, encrypted.value)
        {
            disagree(&mode.place, &encrypted.place)?;
        }
        let place = self.mode.as_ref().map_or_else(|| "the configuration".to_owned(), |given| given.place.clone());
        let (mode, encrypted) = (self.mode.map(|given| given.value), self.encrypted.map(|given| given.value));
        let [ca, cert, key] = self.files.map(|given| given.map(|given| given.value.into()));
        let mode = match (mode, encrypted) {
            (Some(mode), _) => mode,
            (None, Some(true)) => SslMode::Required,
            (None, Some(false)) => SslMode::Disabled,
            // naming a CA implies verification, as with the mysql clients
            (None, None) if ca.is_some() => SslMode::VerifyCa,
            (None, None) => SslMode::default(),
        };
        let tls = Tls { mode, ca, cert, key };
        tls.check().map_err(|e| Usage(format!("{place}: {e}")))?;
        Ok(tls)
    }
}

/// Whether `ssl_mode` and `tls` agree.
const fn agree(mode: SslMode, encrypted: bool) -> bool {
    match mode {
        SslMode::Disabled => !encrypted,
        SslMode::Preferred => false,
        SslMode::Required | SslMode::VerifyCa | SslMode::VerifyFull => encrypted,
    }
}

fn put<T: PartialEq>(slot: &mut Option<Given<T>>, value: T, place: String) -> Result<()> {
    match slot {
        Some(before) if before.value != value => disagree(&before.place, &place),
        Some(_) => Ok(()),
        None => {
            *slot = Some(Given { value, place });
            Ok(())
        }
    }
}

fn disagree(one: &str, other: &str) -> Result<()> {
    Err(Usage(format!("{one} and {other} contradict each other: remove one of them")).into())
}

fn yes_or_no(word: &str) -> Result<bool, String> {
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(format!("`{word}` is neither yes nor no")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ini(text: &str) -> Result<Tls> {
        let mut keys = Keys::default();
        let parsed = Ini::parse(&format!("[db]\n{text}")).map_err(|e| anyhow::anyhow!("{e:?}"))?;
        keys.take_ini(&parsed, Path::new("x.conf"))?;
        keys.settle()
    }

    fn access(text: &str) -> Result<Tls> {
        let mut keys = Keys::default();
        keys.take_access(&Access::parse(text).unwrap(), Path::new("x.cfg"))?;
        keys.settle()
    }

    #[track_caller]
    fn check_refused(found: Result<Tls>, words: &[&str]) {
        let error = found.unwrap_err();
        assert!(error.is::<Usage>(), "{error:?}");
        for word in words {
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn modes_have_the_names_of_the_mysql_clients() {
        for (words, mode) in [
            ("disabled DISABLED Disabled", SslMode::Disabled),
            ("preferred PREFERRED", SslMode::Preferred),
            ("required REQUIRED", SslMode::Required),
            ("verify-ca VERIFY_CA verify_ca", SslMode::VerifyCa),
            ("verify-full verify_full VERIFY_IDENTITY verify-identity", SslMode::VerifyFull),
        ] {
            for word in words.split(' ') {
                assert_eq!(ini(&format!("ssl_mode = {word}\nssl_ca = /ca\n")).unwrap().mode, mode, "{word}");
                assert_eq!(access(&format!("$ssl_mode = '{word}'; $ssl_ca = '/ca';")).unwrap().mode, mode, "{word}");
            }
        }
        let choices = ["[db] ssl_mode: `maybe` is not one of disabled, preferred, required, verify-ca, verify-full"];
        check_refused(ini("ssl_mode = maybe\n"), &choices);
        check_refused(access("$db_ssl_mode = 'on';"), &["$db_ssl_mode: `on` is not one of disabled, "]);
    }

    #[test]
    fn missing_keys_have_a_default() {
        assert_eq!(ini("").unwrap(), Tls::default());
        assert_eq!(ini("ssl_mode =\ntls =\nssl_ca =\n").unwrap().mode, SslMode::Preferred);
        assert_eq!(ini("ssl_ca = /ca\n").unwrap().mode, SslMode::VerifyCa);
        check_refused(ini("ssl_mode = verify-full\n"), &["x.conf, [db] ssl_mode", "needs ssl_ca"]);
        check_refused(ini("ssl_cert = /c\n"), &["ssl_cert needs ssl_key"]);
        check_refused(access("$db_ssl_key = '/k';"), &["ssl_key needs ssl_cert"]);
    }

    #[test]
    fn the_old_key_tls_still_works() {
        for (text, mode) in [
            ("tls = yes", SslMode::Required),
            ("tls = TRUE", SslMode::Required),
            ("tls = off", SslMode::Disabled),
            ("tls = yes\nssl_mode = required", SslMode::Required),
            ("tls = yes\nssl_mode = verify-ca\nssl_ca = /ca", SslMode::VerifyCa),
            ("tls = no\nssl_mode = disabled", SslMode::Disabled),
            ("tls = yes\nssl_ca = /ca", SslMode::Required),
        ] {
            assert_eq!(ini(text).unwrap().mode, mode, "{text}");
        }
        check_refused(ini("tls = maybe\n"), &["[db] tls: `maybe` is neither yes nor no"]);
        for text in ["tls = yes\nssl_mode = disabled", "tls = no\nssl_mode = required"] {
            check_refused(ini(text), &["[db] ssl_mode and x.conf, [db] tls contradict each other"]);
        }
        for word in ["yes", "no"] {
            check_refused(ini(&format!("tls = {word}\nssl_mode = preferred")), &["contradict each other"]);
        }
    }

    #[test]
    fn every_spelling_of_a_key_is_read() {
        let expected = Tls {
            mode: SslMode::VerifyFull,
            ca: Some("/ca".into()),
            cert: Some("/cert".into()),
            key: Some("/key".into()),
        };
        let of_access =
            |p: &str| format!("${p}ssl_mode='verify-full';${p}ssl_ca='/ca';${p}ssl_cert='/cert';${p}ssl_key='/key';");
        assert_eq!(access(&of_access("")).unwrap(), expected);
        assert_eq!(access(&of_access("db_")).unwrap(), expected);
        assert_eq!(access(&(of_access("") + &of_access("db_"))).unwrap(), expected);
        let text = "ssl_mode = verify-full\nssl_ca = /ca\nssl_cert = /cert\nssl_key = /key\n";
        assert_eq!(ini(text).unwrap(), expected);
        assert_eq!(ini(&text.replace("ssl_", "ssl-")).unwrap(), expected);
        check_refused(access("$ssl_ca = '/a'; $db_ssl_ca = '/b';"), &["$ssl_ca and x.cfg, $db_ssl_ca contradict"]);
        check_refused(access("$ssl_mode = \"required\";"), &["$ssl_mode: line 1 has it in double quotes"]);
    }

    #[test]
    fn files_that_contradict_each_other_are_an_error() {
        let mut keys = Keys::default();
        keys.take_access(&Access::parse("$ssl_mode = 'required';").unwrap(), Path::new("x.cfg")).unwrap();
        let beside = Ini::parse("[db]\nssl_mode = disabled\n").unwrap();
        check_refused(
            keys.take_ini(&beside, Path::new("x.conf")).map(|()| Tls::default()),
            &["x.cfg, $ssl_mode and x.conf"],
        );
    }
}
