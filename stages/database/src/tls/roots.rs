//! Only the certificate authorities that the administrator names are trusted.
//!
//! The driver trusts the public CAs of the web as well as the given file, and this cannot be
//! configured. So while it verifies a database server, signatures made with the keys of those CAs
//! are rejected, unless the file contains them. Elsewhere (the geo service) they are accepted.

use std::cell::RefCell;
use std::sync::OnceLock;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use webpki_roots::TLS_SERVER_ROOTS;

use crate::error::DbError;

thread_local! {
    /// Public keys of the trusted CAs; `None` while no server is being verified.
    static BELIEVED: RefCell<Option<Vec<Vec<u8>>>> = const { RefCell::new(None) };
}

/// Runs `work`, which verifies a certificate on this thread, with only `roots` trusted.
pub(super) fn trusting_only<T>(roots: &RootCertStore, work: impl FnOnce() -> T) -> Result<T, DbError> {
    if !install() {
        return Err(DbError::tls(
            "another part of this program has already set up certificate verification".to_owned(),
        ));
    }
    let keys = roots.roots.iter().map(|root| root.subject_public_key_info.as_ref().to_vec()).collect();
    BELIEVED.set(Some(keys));
    let done = work();
    BELIEVED.set(None);
    Ok(done)
}

/// Makes the process use our signature verification; must be called before the driver chooses its
/// own. Returns whether that worked.
pub(super) fn install() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        let provider = ring::default_provider();
        let algorithms = narrowed(&provider.signature_verification_algorithms);
        CryptoProvider { signature_verification_algorithms: algorithms, ..provider }.install_default().is_ok()
    })
}

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

/// The same algorithms, each checking first whose key it is. Called once, so little memory is
/// leaked.
fn narrowed(of: &WebPkiSupportedAlgorithms) -> WebPkiSupportedAlgorithms {
    let all = |list: &[Algorithm]| -> &'static [Algorithm] {
        list.iter()
            .map(|algorithm| -> Algorithm { Box::leak(Box::new(Narrowed(*algorithm))) })
            .collect::<Vec<_>>()
            .leak()
    };
    let mapping: Vec<_> = of.mapping.iter().map(|(scheme, list)| (*scheme, all(list))).collect();
    WebPkiSupportedAlgorithms { all: all(of.all), mapping: mapping.leak() }
}

#[derive(Debug)]
struct Narrowed(Algorithm);

impl SignatureVerificationAlgorithm for Narrowed {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        if is_unasked(public_key) {
            return Err(InvalidSignature);
        }
        self.0.verify_signature(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0.signature_alg_id()
    }
}

/// Whether this is the key of a public CA that the administrator has not named.
fn is_unasked(public_key: &[u8]) -> bool {
    // the key is at the end of the structure that describes it
    BELIEVED.with_borrow(|believed| {
        believed.as_ref().is_some_and(|ours| {
            !ours.iter().any(|info| info.ends_with(public_key))
                && TLS_SERVER_ROOTS.iter().any(|root| root.subject_public_key_info.ends_with(public_key))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_authorities_count_only_if_named_or_elsewhere() {
        let [first, second] = [&TLS_SERVER_ROOTS[0], &TLS_SERVER_ROOTS[1]];
        let key = |root: &rustls::pki_types::TrustAnchor<'_>| {
            let info = &root.subject_public_key_info;
            info[info.len() - 64..].to_vec()
        };
        let mut own = RootCertStore::empty();
        own.roots.push(first.to_owned());
        assert!(!is_unasked(&key(first)) && !is_unasked(&key(second)), "while nothing is verified");
        let seen = trusting_only(&own, || [is_unasked(&key(first)), is_unasked(&key(second)), is_unasked(&[7; 64])]);
        assert_eq!(seen, Ok([false, true, false]));
        assert!(!is_unasked(&key(second)), "afterwards");
    }
}
