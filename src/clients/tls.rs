//! TLS as a client: rustls with ring, and whom it trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::clients::files::problem::Problem;
use crate::clients::files::watched::Reading;

/// Whose certificates a server may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those of the authorities that this host trusts.
    System,
    /// Those of the authorities in a file (PEM).
    File(PathBuf),
    /// Anybody's: the connection is encrypted, and nobody knows with whom. For Postfix's tables that say so.
    Anybody,
}

/// How clients speak TLS that trust these.
///
/// # Errors
///
/// Where there is no authority to trust.
pub(crate) fn client(trust: &Trust) -> Reading<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| vec![Problem::new(format!("TLS cannot be used: {error}"))])?;
    let (roots, warnings) = match trust {
        Trust::System => system()?,
        Trust::File(path) => file(path)?,
        Trust::Anybody => {
            let verifier = Arc::new(Unverified(provider));
            let config = builder.dangerous().with_custom_certificate_verifier(verifier);
            return Ok((Arc::new(config.with_no_client_auth()), Vec::new()));
        }
    };
    Ok((Arc::new(builder.with_root_certificates(roots).with_no_client_auth()), warnings))
}

fn system() -> Reading<RootCertStore> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(loaded.certs);
    if usable == 0 {
        let why = loaded.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        let problem = Problem::new(format!("this host trusts no certificate authority{why}"));
        return Err(vec![problem.hint("install ca-certificates, or set `ca_file`")]);
    }
    Ok((roots, Vec::new()))
}

fn file(path: &Path) -> Reading<RootCertStore> {
    let loaded = rustls_native_certs::load_certs_from_paths(Some(path), None);
    if let Some(error) = loaded.errors.first() {
        return Err(vec![Problem::new(format!("cannot be read: {error}")).in_file(path)]);
    }
    let mut roots = RootCertStore::empty();
    let (usable, unusable) = roots.add_parsable_certificates(loaded.certs);
    if usable == 0 {
        let problem = Problem::new("there is no certificate in it").in_file(path);
        return Err(vec![problem.hint("it must hold certificates of authorities as PEM")]);
    }
    let warning = Problem::new(format!("{unusable} of its certificates cannot be used")).in_file(path);
    Ok((roots, if unusable == 0 { Vec::new() } else { vec![warning] }))
}

/// Takes every certificate; that its key is used is still checked.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
