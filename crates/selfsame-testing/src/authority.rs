//! A certificate authority of a test's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rcgen::{KeyUsagePurpose, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Vouches for servers on loopback. Each has its own key, which is nowhere on the disk.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new one, with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Other tools that read it have clocks of their own.
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2099, 1, 1);
        let key = KeyPair::generate().expect("a new key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("a certificate for a new key") }
    }

    /// Its certificate, for those who are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The same in a file, whose path it gives back.
    pub fn write(&self, path: &Path) -> PathBuf {
        std::fs::write(path, self.pem()).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path.to_owned()
    }

    /// What a server needs to be these hosts: names and addresses. `localhost`, `127.0.0.1` and `::1` it always is.
    #[must_use]
    pub fn server(&self, hosts: &[&str]) -> Arc<ServerConfig> {
        self.server_until(hosts, 2099)
    }

    /// The same with a certificate that ends with the year before this one.
    #[must_use]
    pub fn server_until(&self, hosts: &[&str], year: i32) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(hosts, year);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.expect("a key that fits its certificate"))
    }

    /// Certificate and key as PEM, for servers that are programs of their own.
    #[must_use]
    pub fn pair(&self, hosts: &[&str]) -> (String, String) {
        let (certificate, key) = self.issue(hosts, 2099);
        (certificate.pem(), key.serialize_pem())
    }

    fn issue(&self, hosts: &[&str], until_year: i32) -> (rcgen::Certificate, KeyPair) {
        let names = ["localhost", "127.0.0.1", "::1"].iter().chain(hosts).map(|&host| host.to_owned());
        let mut params = CertificateParams::new(names.collect::<Vec<_>>()).expect("hosts are names or addresses");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until_year, 1, 1);
        let key = KeyPair::generate().expect("a new key");
        (params.signed_by(&key, &self.issuer).expect("a certificate for a new key"), key)
    }
}
