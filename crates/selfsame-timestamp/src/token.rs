//! The authority's answer: `TimeStampResp` (RFC 3161 section 2.4.2), and the token in it, which is CMS `SignedData`.

use std::collections::BTreeMap;

use der::Tag;
use der::asn1::ObjectIdentifier;

use crate::algorithm::{Hash, Named, read_ecdsa};
use crate::asn1::{Elements, Fault, Malformed, context, primitive, small};
use crate::authority::Authority;
use crate::request::Request;
use crate::time;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

/// The most signed attributes.
const MOST_ATTRIBUTES: usize = 16;

/// A time stamp. Nothing in it is believed: see [`Token::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    info: Info,
    /// What holds the stamp's own words.
    content: Vec<u8>,
    signer: Signer,
    hash: Hash,
    /// The signed attributes as they are signed: a SET.
    attributes: Vec<u8>,
    message_digest: Vec<u8>,
    /// The hash of the certificate that signed.
    certificate: (Hash, Vec<u8>),
    /// The hash of the signature, if it is one that is read; else its number.
    algorithm: Result<Hash, String>,
    signature: Vec<u8>,
}

/// What an authority said of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When it saw the message, by its clock: seconds since 1970.
    pub time: u64,
    /// The latest time that this may be, with the inaccuracy that it admits to, rounded up.
    pub latest: u64,
}

/// `TSTInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Info {
    imprint: Result<(Hash, Vec<u8>), String>,
    time: u64,
    /// In seconds, rounded up.
    accuracy: u64,
    nonce: Option<Vec<u8>>,
}

/// How a token names its signer's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Signer {
    Issuer { name: Vec<u8>, serial: Vec<u8> },
    KeyId(Vec<u8>),
}

impl Token {
    /// The largest answer that is read, in bytes: a token with the authority's certificates has some thousand.
    pub const LIMIT_BYTES: usize = 64 << 10;

    /// Parses an answer, with a token in it that one authority signed once.
    pub fn parse(response: &[u8]) -> Result<Self, TokenError> {
        if response.len() > Self::LIMIT_BYTES {
            return Err(TokenError::TooLarge { size_bytes: response.len() });
        }
        let mut response = Elements::whole(response, "time stamp response")?;
        let mut status = response.inside(Tag::Sequence, "time stamp response's status")?;
        // Granted, or granted with changes; what else stands there is for people.
        match status.small()? {
            0 | 1 => {}
            status => return Err(TokenError::Refused { status }),
        }
        let mut token = response.inside(Tag::Sequence, "time stamp token")?;
        response.end()?;
        if token.oid()? != SIGNED_DATA {
            return Err(token.fault(Fault::Other).into());
        }
        let mut outer = token.inside(context(0), "time stamp token")?;
        token.end()?;
        let data = outer.inside(Tag::Sequence, "signed data")?;
        outer.end()?;
        Self::of_signed_data(data)
    }

    fn of_signed_data(mut data: Elements<'_>) -> Result<Self, TokenError> {
        if data.small()? != 3 {
            return Err(data.fault(Fault::Other).into());
        }
        data.element(Tag::Set)?;
        let mut encapsulated = data.inside(Tag::Sequence, "signed data's content")?;
        if encapsulated.oid()? != TST_INFO {
            return Err(TokenError::Content);
        }
        let mut content = encapsulated.inside(context(0), "signed data's content")?;
        encapsulated.end()?;
        let info = content.element(Tag::OctetString)?.value;
        content.end()?;
        // Certificates are named by whoever trusts them; those in here could be anybody's.
        for beside in [context(0), context(1)] {
            data.optional(beside)?;
        }
        let mut signers = data.inside(Tag::Set, "signed data's signers")?;
        data.end()?;
        let signer = signers.inside(Tag::Sequence, "signer")?;
        if !signers.is_empty() {
            return Err(TokenError::Signers);
        }
        Self::of_signer(signer, info)
    }

    fn of_signer(mut fields: Elements<'_>, content: &[u8]) -> Result<Self, TokenError> {
        let version = fields.small()?;
        let signer = match (fields.optional(primitive(0))?, version) {
            (Some(id), 3) => Signer::KeyId(id.value.to_vec()),
            (None, 1) => {
                let mut names = fields.inside(Tag::Sequence, "signer's name")?;
                let name = names.element(Tag::Sequence)?.raw.to_vec();
                let serial = names.integer()?.to_vec();
                names.end()?;
                Signer::Issuer { name, serial }
            }
            _ => return Err(fields.fault(Fault::Other).into()),
        };
        let hash =
            Hash::read(&mut fields)?.known().map_err(|oid| TokenError::Hash { what: "signed attributes", oid })?;
        let attributes = fields.optional(context(0))?.ok_or(TokenError::Attribute { name: "signed attributes" })?;
        let algorithm = read_ecdsa(&mut fields)?.known();
        let signature = fields.element(Tag::OctetString)?.value.to_vec();
        // Not signed, so nothing that counts.
        fields.optional(context(1))?;
        fields.end()?;
        let found = Attributes::read(attributes.value)?;
        // Signed is the SET, not the [0] in its place (RFC 5652 section 5.4).
        let mut signed = attributes.raw.to_vec();
        signed[0] = 0x31;
        Ok(Self {
            info: Info::read(content)?,
            content: content.to_vec(),
            signer,
            hash,
            attributes: signed,
            message_digest: found.message_digest,
            certificate: found.certificate,
            algorithm,
            signature,
        })
    }

    /// Whether the token says that this authority signed it.
    #[must_use]
    pub fn names(&self, authority: &Authority) -> bool {
        let certificate = authority.signer();
        match &self.signer {
            Signer::Issuer { name, serial } => *name == certificate.issuer && *serial == certificate.serial,
            Signer::KeyId(id) => certificate.key_id() == Some(id),
        }
    }

    /// What the authority said of `message`, if it was this authority and about this message.
    pub fn verify(&self, authority: &Authority, message: &[u8]) -> Result<Stamp, TokenError> {
        let certificate = authority.signer();
        if !self.names(authority) {
            return Err(TokenError::Signer);
        }
        let algorithm = self.algorithm.clone().map_err(|oid| TokenError::Algorithm { oid })?;
        let (hash, named) = &self.certificate;
        if *named != hash.of(certificate.to_der()) {
            return Err(TokenError::Certificate);
        }
        if self.message_digest != self.hash.of(&self.content) {
            return Err(TokenError::Digest);
        }
        if algorithm != self.hash || !certificate.key.verify(algorithm, &self.attributes, &self.signature) {
            return Err(TokenError::Signature);
        }
        self.is_about(message)?;
        if let Some(over) = authority.over_at(self.info.time) {
            return Err(TokenError::Over { name: over.name() });
        }
        Ok(self.stamp())
    }

    /// Whether it is an answer to this request, whoever gave it: about the same, and with the same nonce.
    pub fn answers(&self, request: &Request) -> Result<Stamp, TokenError> {
        match &self.info.imprint {
            Ok((Hash::Sha256, imprint)) if *imprint == request.imprint => {}
            _ => return Err(TokenError::Imprint),
        }
        match &self.info.nonce {
            Some(nonce) if *nonce == request.nonce => Ok(self.stamp()),
            _ => Err(TokenError::Nonce),
        }
    }

    fn is_about(&self, message: &[u8]) -> Result<(), TokenError> {
        let (hash, imprint) =
            self.info.imprint.as_ref().map_err(|oid| TokenError::Hash { what: "message", oid: oid.clone() })?;
        if *imprint == hash.of(message) { Ok(()) } else { Err(TokenError::Imprint) }
    }

    fn stamp(&self) -> Stamp {
        Stamp { time: self.info.time, latest: self.info.time.saturating_add(self.info.accuracy) }
    }
}

impl Info {
    fn read(bytes: &[u8]) -> Result<Self, TokenError> {
        let mut info = Elements::whole(bytes, "time stamp's content")?;
        if info.small()? != 1 {
            return Err(info.fault(Fault::Other).into());
        }
        let _policy = info.oid()?;
        let mut imprint = info.inside(Tag::Sequence, "message imprint")?;
        let hash = Hash::read(&mut imprint)?;
        let hashed = imprint.element(Tag::OctetString)?.value.to_vec();
        imprint.end()?;
        info.integer()?;
        let time = time::generalized(&mut info)?;
        let accuracy = match info.optional(Tag::Sequence)? {
            Some(accuracy) => read_accuracy(accuracy.value)?,
            None => 0,
        };
        // Whether stamps of this authority stand in an order says nothing about one.
        info.yes()?;
        let nonce = match info.clone().optional(Tag::Integer)? {
            Some(_) => Some(info.integer()?.to_vec()),
            None => None,
        };
        info.optional(context(0))?;
        if let Some(extensions) = info.optional(context(1))? {
            no_critical(extensions.value)?;
        }
        info.end()?;
        let imprint = match hash {
            Named::Known(hash) => Ok((hash, hashed)),
            Named::Unknown(oid) => Err(oid.to_string()),
        };
        Ok(Self { imprint, time, accuracy, nonce })
    }
}

/// Seconds, thousandths and millionths, rounded up to seconds.
fn read_accuracy(value: &[u8]) -> Result<u64, Malformed> {
    let mut accuracy = Elements::of(value, "time stamp's accuracy")?;
    let fault = accuracy.fault(Fault::Other);
    let seconds = accuracy.optional(Tag::Integer)?.map_or(Some(0), |it| small(it.value)).ok_or(fault)?;
    let mut more = 0;
    for part in [primitive(0), primitive(1)] {
        let fine = |number: &u32| (1..=999).contains(number);
        if let Some(part) = accuracy.optional(part)? {
            more = small(part.value).filter(fine).map(|_| 1).ok_or(fault)?;
        }
    }
    accuracy.end()?;
    Ok(u64::from(seconds) + more)
}

/// Extensions may say what they like, as long as they do not have to be understood.
fn no_critical(value: &[u8]) -> Result<(), TokenError> {
    let mut list = Elements::of(value, "time stamp's extensions")?;
    while !list.is_empty() {
        let mut extension = list.inside(Tag::Sequence, "time stamp's extension")?;
        let oid = extension.oid()?;
        if extension.yes()? {
            return Err(TokenError::Critical { oid: oid.to_string() });
        }
        extension.element(Tag::OctetString)?;
        extension.end()?;
    }
    Ok(())
}

/// The signed attributes that decide something.
struct Attributes {
    message_digest: Vec<u8>,
    certificate: (Hash, Vec<u8>),
}

impl Attributes {
    fn read(value: &[u8]) -> Result<Self, TokenError> {
        let mut list = Elements::of(value, "signed attributes")?;
        let mut values = BTreeMap::new();
        while !list.is_empty() {
            let mut attribute = list.inside(Tag::Sequence, "signed attribute")?;
            let (kind, mut set) = (attribute.oid()?, attribute.inside(Tag::Set, "signed attribute")?);
            attribute.end()?;
            let value = set.next()?;
            // One value each, of those that are looked at; of others as many as there are.
            let alone = set.is_empty();
            if values.insert(kind, (value, alone)).is_some() {
                return Err(list.fault(Fault::Twice).into());
            }
            if values.len() > MOST_ATTRIBUTES {
                return Err(list.fault(Fault::Many).into());
            }
        }
        let one = |kind: ObjectIdentifier, name: &'static str| match values.get(&kind) {
            Some((value, true)) => Ok(value.raw),
            _ => Err(TokenError::Attribute { name }),
        };
        let mut content_type = Elements::of(one(CONTENT_TYPE, "content type")?, "content type")?;
        if content_type.oid()? != TST_INFO {
            return Err(TokenError::Content);
        }
        let mut digest = Elements::of(one(MESSAGE_DIGEST, "message digest")?, "message digest")?;
        let message_digest = digest.element(Tag::OctetString)?.value.to_vec();
        // The older attribute names the certificate by its SHA-1.
        if !values.contains_key(&SIGNING_CERTIFICATE_V2) && values.contains_key(&SIGNING_CERTIFICATE) {
            return Err(TokenError::Hash { what: "signer's certificate", oid: "SHA-1".to_owned() });
        }
        let certificate = signing_certificate(one(SIGNING_CERTIFICATE_V2, "signer's certificate")?)?;
        Ok(Self { message_digest, certificate })
    }
}

/// The first of `SigningCertificateV2` (RFC 5035): the hash of the certificate that signed.
fn signing_certificate(value: &[u8]) -> Result<(Hash, Vec<u8>), TokenError> {
    const WHAT: &str = "signer's certificate id";
    let mut outer = Elements::whole(value, WHAT)?;
    let mut certificates = outer.inside(Tag::Sequence, WHAT)?;
    let mut first = certificates.inside(Tag::Sequence, WHAT)?;
    let hash = match first.clone().optional(Tag::Sequence)? {
        // The default, which is not written.
        None => Hash::Sha256,
        Some(_) => {
            Hash::read(&mut first)?.known().map_err(|oid| TokenError::Hash { what: "signer's certificate", oid })?
        }
    };
    Ok((hash, first.element(Tag::OctetString)?.value.to_vec()))
}

/// Why a time stamp does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not an answer as RFC 3161 has it, in DER.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// Larger than any.
    #[error("the time stamp has {size_bytes} bytes; at most {most} are read", most = Token::LIMIT_BYTES)]
    TooLarge {
        /// Its length.
        size_bytes: usize,
    },
    /// The authority gave none.
    #[error("the authority gave no time stamp: its status is {status}")]
    Refused {
        /// `PKIStatus`.
        status: u32,
    },
    /// Signed data about something else.
    #[error("what is signed is no time stamp")]
    Content,
    /// Not one signer.
    #[error("the time stamp is not signed by one authority")]
    Signers,
    /// An attribute that must be signed is not there, or not once.
    #[error("the time stamp has no one {name} that is signed")]
    Attribute {
        /// Which.
        name: &'static str,
    },
    /// A hash that is not believed.
    #[error("the {what} is named by the hash {oid}; SHA-256, SHA-384 and SHA-512 are read")]
    Hash {
        /// What it is of.
        what: &'static str,
        /// Its number.
        oid: String,
    },
    /// A signature that is not read.
    #[error("the time stamp's signature is of the algorithm {oid}; ECDSA with SHA-2 is read")]
    Algorithm {
        /// Its number.
        oid: String,
    },
    /// An extension that has to be understood.
    #[error("the time stamp has the critical extension {oid}, which is not read")]
    Critical {
        /// Its number.
        oid: String,
    },
    /// It says that another authority signed it.
    #[error("the time stamp is of another authority")]
    Signer,
    /// What is signed names another certificate.
    #[error("the time stamp was signed with another certificate than it names")]
    Certificate,
    /// The signed attributes are of other words.
    #[error("the time stamp's content is not the signed one")]
    Digest,
    /// Not by the certificate's key.
    #[error("the time stamp is not signed by its authority")]
    Signature,
    /// About something else.
    #[error("the time stamp is over another signature")]
    Imprint,
    /// An answer to another question.
    #[error("the time stamp answers another request: its nonce is another")]
    Nonce,
    /// A certificate was not valid then.
    #[error("the time stamp is of a time at which the certificate `{name}` did not count")]
    Over {
        /// Its name.
        name: String,
    },
}
