//! TLS from PEM files: certificates, keys and the five ways to ask for client certificates. Not where the
//! files' names come from.

use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    ServerConfig, SignatureScheme, SupportedProtocolVersion, version,
};

/// What is asked of clients, in the names of Go's `crypto/tls`, which the web configuration uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ClientAuth {
    NoClientCert,
    RequestClientCert,
    RequireAnyClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MinVersion {
    Tls12,
    Tls13,
}

/// The contents of the files that TLS needs.
pub(super) struct Material {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) client_ca: Option<Vec<u8>>,
}

/// Which of the files is wrong, and how.
#[derive(Debug)]
pub(super) enum MaterialError {
    Certificate(String),
    Key(String),
    ClientCa(String),
}

/// Takes any certificate whose key its sender proves to have. Who signed it is not looked at, so it
/// identifies nobody: this is what RequestClientCert and RequireAnyClientCert mean in Go.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
    is_required: bool,
}

/// Takes one certificate, known beforehand, if its sender proves to have its key. Neither its name nor its
/// dates matter: it is the one.
#[derive(Debug)]
struct ThisCertificate {
    provider: Arc<CryptoProvider>,
    certificate: CertificateDer<'static>,
}

// === impl ClientAuth ===

impl ClientAuth {
    pub(super) const ALL: [(&'static str, Self); 5] = [
        ("NoClientCert", Self::NoClientCert),
        ("RequestClientCert", Self::RequestClientCert),
        ("RequireAnyClientCert", Self::RequireAnyClientCert),
        ("VerifyClientCertIfGiven", Self::VerifyClientCertIfGiven),
        ("RequireAndVerifyClientCert", Self::RequireAndVerifyClientCert),
    ];

    /// Whether certificates are compared with those of `client_ca_file`.
    pub(super) fn verifies(self) -> bool {
        matches!(self, Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert)
    }
}

// === impl MinVersion ===

impl MinVersion {
    pub(super) const ALL: [(&'static str, Self); 2] = [("TLS12", Self::Tls12), ("TLS13", Self::Tls13)];

    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        const NEWEST_FIRST: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
        match self {
            Self::Tls12 => NEWEST_FIRST,
            Self::Tls13 => &NEWEST_FIRST[..1],
        }
    }
}

// === impl Material ===

impl Material {
    /// The server's side of TLS, or every file that is wrong.
    pub(super) fn server_config(
        &self,
        client_auth: ClientAuth,
        min_version: MinVersion,
    ) -> Result<Arc<ServerConfig>, Vec<MaterialError>> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&self.certificate).map_err(MaterialError::Certificate);
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| MaterialError::Key(format!("holds no private key in PEM format ({error})")));
        let verifier = self.verifier(client_auth, &provider).map_err(MaterialError::ClientCa);
        let (chain, key, verifier) = match (chain, key, verifier) {
            (Ok(chain), Ok(key), Ok(verifier)) => (chain, key, verifier),
            (chain, key, verifier) => {
                let errors = [chain.err(), key.err(), verifier.err()];
                return Err(errors.into_iter().flatten().collect());
            }
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(min_version.versions())
            .map_err(|error| vec![MaterialError::Key(error.to_string())])?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| vec![unfit(&error)])?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// The side of a client that talks to the server with this certificate and to no other. Where the
    /// server asks for a certificate, it shows the same one: on this host there is no other.
    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>, Vec<MaterialError>> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&self.certificate).map_err(|what| vec![MaterialError::Certificate(what)])?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| {
            vec![MaterialError::Key(format!("holds no private key in PEM format ({error})"))]
        })?;
        let Some(certificate) = chain.first().cloned() else {
            unreachable!("a chain without a certificate is an error");
        };
        let verifier = ThisCertificate { provider: Arc::clone(&provider), certificate };
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(MinVersion::Tls12.versions())
            .map_err(|error| vec![MaterialError::Key(error.to_string())])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(chain, key)
            .map_err(|error| vec![unfit(&error)])?;
        Ok(Arc::new(config))
    }

    fn verifier(
        &self,
        client_auth: ClientAuth,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
        let roots = self.client_ca.as_deref().map(roots).transpose()?;
        let any = |is_required| -> Option<Arc<dyn ClientCertVerifier>> {
            Some(Arc::new(AnyCertificate { provider: Arc::clone(provider), is_required }))
        };
        let against_roots = || {
            let roots = Arc::new(roots.unwrap_or_else(RootCertStore::empty));
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider))
        };
        let built = match client_auth {
            ClientAuth::NoClientCert => return Ok(None),
            ClientAuth::RequestClientCert => return Ok(any(false)),
            ClientAuth::RequireAnyClientCert => return Ok(any(true)),
            ClientAuth::VerifyClientCertIfGiven => against_roots().allow_unauthenticated().build(),
            ClientAuth::RequireAndVerifyClientCert => against_roots().build(),
        };
        built.map(Some).map_err(|error| format!("cannot be used ({error})"))
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for ThisCertificate {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *certificate == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err("holds no certificate in PEM format".to_owned()),
        Ok(chain) => Ok(chain),
        Err(error) => Err(format!("is no PEM file ({error})")),
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots
            .add(certificate)
            .map_err(|error| format!("holds a certificate that cannot be used ({error})"))?;
    }
    Ok(roots)
}

/// Says which of the two files to look at when rustls does not take the pair.
fn unfit(error: &Error) -> MaterialError {
    match error {
        Error::InconsistentKeys(_) => {
            MaterialError::Key("is not the key of the first certificate in cert_file".to_owned())
        }
        Error::InvalidCertificate(_) => {
            MaterialError::Certificate(format!("holds a certificate that cannot be used ({error})"))
        }
        _ => MaterialError::Key(format!("holds a key that cannot be used ({error})")),
    }
}
