//! STARTTLS for tests: an authority that lives as long as the test, what it certifies, and the client's end of TLS.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::mta::HOST_NAME;

/// An authority that certifies the MTA under test, and one client.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What an MTA is given, as PEM files.
pub(crate) struct ServerFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// The certificate of the authority, by which clients are verified.
    pub(crate) authority: PathBuf,
}

/// A connection that may have been turned into TLS.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Authority {
    /// A new authority with a key of its own.
    pub(crate) fn new() -> Self {
        let mut parameters = named("Test authority", &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// Certifies the MTA and writes down in `dir` what it needs; only the owner may read the key.
    pub(crate) fn certify_server(&self, dir: &Path) -> ServerFiles {
        self.certify(dir, HOST_NAME)
    }

    /// The same for a server of another name.
    pub(crate) fn certify(&self, dir: &Path, host_name: &str) -> ServerFiles {
        let key = KeyPair::generate().unwrap();
        let certificate = named(host_name, &[host_name]).signed_by(&key, &self.issuer).unwrap();
        let write = |name: &str, text: String| {
            let file = dir.join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            file
        };
        ServerFiles {
            certificate: write("certificate.pem", certificate.pem()),
            key: write("key.pem", key.serialize_pem()),
            authority: write("authority.pem", self.issuer.pem()),
        }
    }

    /// How a client connects that trusts this authority and shows no certificate of its own.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::new(self.trusting().with_no_client_auth())
    }

    /// How a client connects that shows a certificate of this authority for `address`.
    pub(crate) fn certified_client(&self, address: &str) -> Arc<ClientConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = named(address, &[]).signed_by(&key, &self.issuer).unwrap();
        let chain = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Arc::new(self.trusting().with_client_auth_cert(chain, key).unwrap())
    }

    fn trusting(&self) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
    }
}

fn named(common_name: &str, host_names: &[&str]) -> CertificateParams {
    let host_names: Vec<String> = host_names.iter().map(|&name| name.to_owned()).collect();
    let mut parameters = CertificateParams::new(host_names).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters
}

impl Stream {
    /// The client's end of a TLS session on this plain connection.
    ///
    /// # Panics
    ///
    /// When the connection is encrypted already.
    pub(crate) fn secure(&self, config: &Arc<ClientConfig>) -> Self {
        let Self::Plain(plain) = self else { panic!("TLS within TLS") };
        let name = ServerName::try_from(HOST_NAME).unwrap();
        let session = ClientConnection::new(Arc::clone(config), name).unwrap();
        Self::Tls(Box::new(StreamOwned::new(session, plain.try_clone().unwrap())))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
