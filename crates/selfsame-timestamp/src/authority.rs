//! Time stamp authorities: a certificate that signs stamps, and those that certify it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::certificate::{Certificate, CertificateError};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Who stamps time: the certificate whose key signs, and behind it the ones that certify each other.
///
/// That these are the authority's is the word of whoever names it. The ones behind the first make that its days are known
/// as their issuers said them: a stamp counts if all of them counted at its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    certificates: Vec<Certificate>,
}

impl Authority {
    /// The most certificates of one.
    pub const MOST_CERTIFICATES: usize = 8;
    /// The longest text that is read, in bytes.
    pub const LIMIT_BYTES: usize = 256 << 10;

    /// Certificates in their order: the one that signs stamps, its issuer, that one's issuer.
    pub fn new(certificates: Vec<Certificate>) -> Result<Self, AuthorityError> {
        let Some(first) = certificates.first() else { return Err(AuthorityError::Empty) };
        if certificates.len() > Self::MOST_CERTIFICATES {
            return Err(AuthorityError::Many { count: certificates.len() });
        }
        first.stamps_time()?;
        for (between, pair) in (0..).zip(certificates.windows(2)) {
            pair[1].certifies(&pair[0], between)?;
        }
        Ok(Self { certificates })
    }

    /// Parses PEM blocks (RFC 7468) with nothing but text between them.
    pub fn parse(text: &str) -> Result<Self, AuthorityError> {
        if text.len() > Self::LIMIT_BYTES {
            return Err(AuthorityError::TooLarge { size_bytes: text.len() });
        }
        let mut certificates = Vec::new();
        let mut block: Option<String> = None;
        for line in text.lines().map(str::trim_end) {
            match (&mut block, line) {
                (None, BEGIN) => block = Some(String::new()),
                (Some(base64), END) => {
                    let der = STANDARD.decode(base64).map_err(|_| AuthorityError::Pem)?;
                    if certificates.len() == Self::MOST_CERTIFICATES {
                        return Err(AuthorityError::Many { count: certificates.len() + 1 });
                    }
                    certificates.push(Certificate::parse(&der)?);
                    block = None;
                }
                (Some(base64), line) => base64.push_str(line),
                // A key, or an end without a beginning.
                (None, line) if line.starts_with("-----") => return Err(AuthorityError::Pem),
                (None, _) => {}
            }
        }
        if block.is_some() { Err(AuthorityError::Pem) } else { Self::new(certificates) }
    }

    /// The one that signs, and those behind it.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The one that signs.
    #[must_use]
    pub fn signer(&self) -> &Certificate {
        &self.certificates[0]
    }

    /// The first one that does not count at a time, in seconds since 1970.
    pub(crate) fn over_at(&self, time: u64) -> Option<&Certificate> {
        self.certificates.iter().find(|certificate| !certificate.counts_at(time))
    }
}

impl fmt::Display for Authority {
    /// PEM blocks with lines of 64 characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for certificate in &self.certificates {
            let base64 = STANDARD.encode(certificate.to_der());
            writeln!(f, "{BEGIN}")?;
            for line in base64.as_bytes().chunks(64) {
                writeln!(f, "{}", String::from_utf8_lossy(line))?;
            }
            writeln!(f, "{END}")?;
        }
        Ok(())
    }
}

/// Why certificates are not those of an authority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// No certificate.
    #[error("there is no certificate in it")]
    Empty,
    /// More than are read.
    #[error("{count} certificates stand there; at most {most} are read", most = Authority::MOST_CERTIFICATES)]
    Many {
        /// How many.
        count: usize,
    },
    /// Longer than any.
    #[error("it has {size_bytes} bytes; at most {most} are read", most = Authority::LIMIT_BYTES)]
    TooLarge {
        /// Its length.
        size_bytes: usize,
    },
    /// Not blocks of certificates.
    #[error("it is not PEM with certificates alone")]
    Pem,
    /// One of them.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
}
