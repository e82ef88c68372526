//! Certificates of time stamp authorities: the part of X.509 that decides whose a key is, for what, and until when.

use std::collections::BTreeSet;

use der::Tag;
use der::asn1::ObjectIdentifier;
use selfsame_attest::text::quote;
use selfsame_core::Digest;

use crate::algorithm::{Hash, Key, bits, read_ecdsa};
use crate::asn1::{Elements, Fault, Malformed, context, primitive, small};
use crate::time;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// The largest certificate that is read, in bytes.
const MOST_BYTES: usize = 16 << 10;
/// The most extensions.
const MOST_EXTENSIONS: usize = 32;
/// Bits of `keyUsage`, counted from the left.
const DIGITAL_SIGNATURE: u8 = 0x80;
const NON_REPUDIATION: u8 = 0x40;
const CERT_SIGN: u8 = 0x04;

/// A certificate, version 3, with an ECDSA key. Nothing in it is believed: see [`crate::Authority`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// All of it.
    der: Vec<u8>,
    /// What its issuer signed.
    signed: Vec<u8>,
    signature_hash: Hash,
    signature: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    /// Names as they are written.
    pub(crate) issuer: Vec<u8>,
    subject: Vec<u8>,
    /// Seconds since 1970, both included.
    pub(crate) from: u64,
    pub(crate) until: u64,
    pub(crate) key: Key,
    extensions: Extensions,
}

/// The extensions that decide something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Extensions {
    subject_key_id: Option<Vec<u8>>,
    key_usage: Option<u8>,
    /// Whether it may certify, and with how many others below it.
    authority: Option<Option<u32>>,
    usages: Option<Usages>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Usages {
    critical: bool,
    time_stamping: bool,
    any: bool,
    others: bool,
}

impl Certificate {
    /// Parses the DER form.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MOST_BYTES {
            return Err(CertificateError::TooLarge { size_bytes: der.len() });
        }
        let unknown = |what: &'static str| move |oid: String| CertificateError::Algorithm { what, oid };
        let mut certificate = Elements::whole(der, "certificate")?;
        let signed = certificate.element(Tag::Sequence)?;
        let signature_hash = read_ecdsa(&mut certificate)?.known().map_err(unknown("signature"))?;
        let signature = bits(&mut certificate)?.to_vec();
        certificate.end()?;

        let mut fields = Elements::of(signed.value, "certificate")?;
        let mut version = fields.inside(context(0), "certificate's version")?;
        if version.small()? != 2 {
            return Err(version.fault(Fault::Other).into());
        }
        version.end()?;
        let serial = fields.integer()?.to_vec();
        let inner = read_ecdsa(&mut fields)?.known().map_err(unknown("signature"))?;
        if inner != signature_hash {
            return Err(fields.fault(Fault::Other).into());
        }
        let issuer = fields.element(Tag::Sequence)?.raw.to_vec();
        let mut validity = fields.inside(Tag::Sequence, "certificate's validity")?;
        let (from, until) = (time::of_certificate(&mut validity)?, time::of_certificate(&mut validity)?);
        validity.end()?;
        let subject = fields.element(Tag::Sequence)?.raw.to_vec();
        let key = Key::read(&mut fields)?.known().map_err(unknown("key"))?;
        for unique_id in [primitive(1), primitive(2)] {
            fields.optional(unique_id)?;
        }
        let extensions = match fields.optional(context(3))? {
            Some(extensions) => Extensions::read(extensions.value)?,
            None => Extensions::default(),
        };
        fields.end()?;
        let (der, signed) = (der.to_vec(), signed.raw.to_vec());
        Ok(Self { der, signed, signature_hash, signature, serial, issuer, subject, from, until, key, extensions })
    }

    /// The DER form.
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the DER form.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// Whom it is of, for people: the last common name in it, escaped and cut.
    #[must_use]
    pub fn name(&self) -> String {
        common_name(&self.subject).ok().flatten().map_or_else(|| "without a name".to_owned(), |name| quote(&name))
    }

    pub(crate) fn key_id(&self) -> Option<&[u8]> {
        self.extensions.subject_key_id.as_deref()
    }

    /// Whether it counts at a time, in seconds since 1970.
    pub(crate) fn counts_at(&self, time: u64) -> bool {
        (self.from..=self.until).contains(&time)
    }

    /// Whether it may sign time stamps, and nothing else (RFC 3161 section 2.3).
    pub(crate) fn stamps_time(&self) -> Result<(), CertificateError> {
        let fault = |fault| CertificateError::Leaf { name: self.name(), fault };
        let Extensions { key_usage, authority, usages, .. } = &self.extensions;
        let Some(usages) = usages else { return Err(fault("says nothing of time stamping")) };
        match () {
            () if !usages.time_stamping => Err(fault("is not for time stamping")),
            () if usages.any || usages.others => Err(fault("is for other uses than time stamping, too")),
            () if !usages.critical => Err(fault("does not make its use for time stamping critical")),
            () if key_usage.is_some_and(|usage| usage & (DIGITAL_SIGNATURE | NON_REPUDIATION) == 0) => {
                Err(fault("is not for signatures"))
            }
            () if authority.is_some() => Err(fault("is one that certifies others")),
            () => Ok(()),
        }
    }

    /// Whether it may certify `below`, which has `between` other certifying ones below it, and did.
    pub(crate) fn certifies(&self, below: &Self, between: u32) -> Result<(), CertificateError> {
        let fault = |fault| CertificateError::Chain { name: self.name(), below: below.name(), fault };
        let Extensions { key_usage, authority, usages, .. } = &self.extensions;
        let stamps = usages.as_ref().is_none_or(|usages| usages.time_stamping || usages.any);
        match authority {
            _ if below.issuer != self.subject => Err(fault("is of another name than its issuer")),
            None => Err(fault("may not certify others")),
            Some(Some(most)) if between > *most => Err(fault("may not certify so many below each other")),
            _ if key_usage.is_some_and(|usage| usage & CERT_SIGN == 0) => Err(fault("may not certify others")),
            _ if !stamps => Err(fault("may not certify who stamps time")),
            _ if !self.key.verify(below.signature_hash, &below.signed, &below.signature) => {
                Err(fault("did not sign it"))
            }
            _ => Ok(()),
        }
    }
}

impl Extensions {
    fn read(value: &[u8]) -> Result<Self, CertificateError> {
        let mut list = Elements::whole(value, "certificate's extensions")?;
        let (mut found, mut seen) = (Self::default(), BTreeSet::new());
        while !list.is_empty() {
            let mut extension = list.inside(Tag::Sequence, "certificate's extension")?;
            let (oid, critical) = (extension.oid()?, extension.yes()?);
            let value = extension.element(Tag::OctetString)?.value;
            extension.end()?;
            if !seen.insert(oid) {
                return Err(list.fault(Fault::Twice).into());
            }
            if seen.len() > MOST_EXTENSIONS {
                return Err(list.fault(Fault::Many).into());
            }
            match oid {
                SUBJECT_KEY_ID => {
                    let mut id = Elements::of(value, "certificate's key id")?;
                    found.subject_key_id = Some(id.element(Tag::OctetString)?.value.to_vec());
                    id.end()?;
                }
                KEY_USAGE => found.key_usage = Some(key_usage(value)?),
                BASIC_CONSTRAINTS => found.authority = basic_constraints(value)?,
                EXTENDED_KEY_USAGE => found.usages = Some(Usages::read(value, critical)?),
                // What must be understood and is not (RFC 5280 section 4.2).
                _ if critical => return Err(CertificateError::Critical { oid: oid.to_string() }),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The first eight bits.
fn key_usage(value: &[u8]) -> Result<u8, Malformed> {
    let mut usage = Elements::of(value, "certificate's key usage")?;
    let bits = usage.element(Tag::BitString)?.value;
    let first = match bits {
        [0..=7, first, rest @ ..] if rest.len() < 2 => *first,
        _ => return Err(usage.fault(Fault::Other)),
    };
    usage.end()?;
    Ok(first)
}

/// Whether it certifies others, and how many below each other.
fn basic_constraints(value: &[u8]) -> Result<Option<Option<u32>>, Malformed> {
    let mut constraints = Elements::whole(value, "certificate's basic constraints")?;
    let authority = constraints.yes()?;
    let most = constraints.optional(Tag::Integer)?.map(|most| small(most.value).ok_or(constraints.fault(Fault::Other)));
    let most = most.transpose()?;
    constraints.end()?;
    Ok(authority.then_some(most))
}

impl Usages {
    fn read(value: &[u8], critical: bool) -> Result<Self, Malformed> {
        let mut list = Elements::whole(value, "certificate's extended key usage")?;
        let mut usages = Self { critical, time_stamping: false, any: false, others: false };
        while !list.is_empty() {
            match list.oid()? {
                TIME_STAMPING => usages.time_stamping = true,
                ANY_USAGE => usages.any = true,
                _ => usages.others = true,
            }
        }
        Ok(usages)
    }
}

/// The last common name of a name, where it is a text.
fn common_name(name: &[u8]) -> Result<Option<String>, Malformed> {
    const WHAT: &str = "certificate's name";
    let (mut sets, mut found) = (Elements::whole(name, WHAT)?, None);
    while !sets.is_empty() {
        let mut set = sets.inside(Tag::Set, WHAT)?;
        while !set.is_empty() {
            let mut attribute = set.inside(Tag::Sequence, WHAT)?;
            let (kind, value) = (attribute.oid()?, attribute.next()?);
            let is_text = matches!(value.tag, Tag::Utf8String | Tag::PrintableString);
            if kind == COMMON_NAME && is_text {
                found = std::str::from_utf8(value.value).ok().map(str::to_owned);
            }
        }
    }
    Ok(found)
}

/// Why a certificate does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not a certificate of the kind that is read.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// Larger than any.
    #[error("the certificate has {size_bytes} bytes; at most {MOST_BYTES} are read")]
    TooLarge {
        /// Its length.
        size_bytes: usize,
    },
    /// Neither ECDSA P-256 nor P-384.
    #[error("the certificate's {what} is of the algorithm {oid}; ECDSA with P-256 or P-384 and SHA-2 is read")]
    Algorithm {
        /// Which.
        what: &'static str,
        /// Its number.
        oid: String,
    },
    /// An extension that has to be understood.
    #[error("the certificate has the critical extension {oid}, which is not read")]
    Critical {
        /// Its number.
        oid: String,
    },
    /// The first one of an authority may not sign time stamps.
    #[error("the certificate `{name}` {fault}")]
    Leaf {
        /// Its name.
        name: String,
        /// The rest of the sentence.
        fault: &'static str,
    },
    /// One does not certify the one before it.
    #[error("the certificate `{name}`, which stands behind `{below}`, {fault}")]
    Chain {
        /// Its name.
        name: String,
        /// Whose issuer it should be.
        below: String,
        /// The rest of the sentence.
        fault: &'static str,
    },
}
