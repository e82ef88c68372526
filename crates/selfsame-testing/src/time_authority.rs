//! A time stamp authority in memory, whose answers and certificates can be wrong in one place each.

use base64::Engine as _;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use selfsame_core::Digest;

const SHA_256: &str = "608648016503040201";
const ECDSA_SHA_256: &str = "2a8648ce3d040302";
const TST_INFO: &str = "2a864886f70d0109100104";
const SIGNED_DATA: &str = "2a864886f70d010702";
const CONTENT_TYPE: &str = "2a864886f70d010903";
const MESSAGE_DIGEST: &str = "2a864886f70d010904";
const SIGNING_CERTIFICATE_V2: &str = "2a864886f70d010910022f";
const COMMON_NAME: &str = "550403";

/// An element of DER.
#[must_use]
pub fn der(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let length: Vec<u8> = contents.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let mut bytes = vec![tag];
    match contents.len() {
        small @ 0..=0x7f => bytes.push(u8::try_from(small).expect("it is small")),
        _ => {
            bytes.push(0x80 | u8::try_from(length.len()).expect("eight at most"));
            bytes.extend(&length);
        }
    }
    bytes.extend(contents);
    bytes
}

/// An object identifier out of its bytes in hex.
#[must_use]
pub fn oid(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    der(0x06, &[&(0..hex.len()).step_by(2).map(byte).collect::<Vec<u8>>()])
}

/// An extension of a certificate.
#[must_use]
pub fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { der(0x01, &[&[0xff]]) } else { Vec::new() };
    der(0x30, &[&oid(id), &critical, &der(0x04, &[value])])
}

/// `extendedKeyUsage`, critical or not, with these numbers.
#[must_use]
pub fn usages(critical: bool, ids: &[&str]) -> Vec<u8> {
    let ids: Vec<u8> = ids.iter().flat_map(|id| oid(id)).collect();
    extension("551d25", critical, &der(0x30, &[&ids]))
}

/// The number of time stamping, for [`usages`].
pub const TIME_STAMPING: &str = "2b06010505070308";

/// A certificate that is to be made.
#[derive(Clone, Debug)]
pub struct ToCertify {
    /// Its common name.
    pub name: &'static str,
    /// Who issues it.
    pub issuer: &'static str,
    /// Whose key signs it: the name that the key was made of.
    pub issuer_key: &'static str,
    /// The first and the last second: `YYMMDDHHMMSSZ`.
    pub days: [&'static str; 2],
    /// The extensions, each whole.
    pub extensions: Vec<Vec<u8>>,
}

impl ToCertify {
    /// One that signs time stamps, from 2020 to 2039, by `root`.
    #[must_use]
    pub fn signer() -> Self {
        let days = ["200101000000Z", "391231235959Z"];
        let extensions = vec![usages(true, &[TIME_STAMPING]), extension("551d0f", true, &[0x03, 0x02, 0x07, 0x80])];
        Self { name: "tsa.example", issuer: "root", issuer_key: "root", days, extensions }
    }

    /// One that certifies others and itself.
    #[must_use]
    pub fn root() -> Self {
        let days = ["200101000000Z", "391231235959Z"];
        let extensions = vec![
            extension("551d13", true, &der(0x30, &[&der(0x01, &[&[0xff]])])),
            extension("551d0f", true, &[0x03, 0x02, 0x01, 0x06]),
        ];
        Self { name: "root", issuer: "root", issuer_key: "root", days, extensions }
    }

    /// The DER form. Its key is the one that is made of its name.
    #[must_use]
    pub fn certify(&self) -> Vec<u8> {
        let algorithm = der(0x30, &[&oid(ECDSA_SHA_256)]);
        let point = key(self.name).verifying_key().to_sec1_point(false);
        let kind = der(0x30, &[&oid("2a8648ce3d0201"), &oid("2a8648ce3d030107")]);
        let spki = der(0x30, &[&kind, &der(0x03, &[&[0], point.as_bytes()])]);
        let days: Vec<u8> = self.days.iter().flat_map(|day| time(day)).collect();
        let extensions = match self.extensions.concat() {
            none if none.is_empty() => none,
            some => der(0xa3, &[&der(0x30, &[&some])]),
        };
        let signed = der(
            0x30,
            &[
                &der(0xa0, &[&der(0x02, &[&[2]])]),
                &serial(self.name),
                &algorithm,
                &name(self.issuer),
                &der(0x30, &[&days]),
                &name(self.name),
                &spki,
                &extensions,
            ],
        );
        let signature = sign(self.issuer_key, &signed);
        der(0x30, &[&signed, &algorithm, &der(0x03, &[&[0], &signature])])
    }
}

fn time(text: &str) -> Vec<u8> {
    der(if text.len() == 13 { 0x17 } else { 0x18 }, &[text.as_bytes()])
}

fn name(text: &str) -> Vec<u8> {
    let attribute = der(0x30, &[&oid(COMMON_NAME), &der(0x0c, &[text.as_bytes()])]);
    der(0x30, &[&der(0x31, &[&attribute])])
}

fn serial(name: &str) -> Vec<u8> {
    let digest = Digest::of(name.as_bytes());
    der(0x02, &[&[0x40], &digest.as_bytes()[..8]])
}

/// The P-256 key whose secret number is the SHA-256 of a name.
fn key(name: &str) -> SigningKey {
    SigningKey::from_slice(Digest::of(name.as_bytes()).as_bytes()).expect("below the order of the curve")
}

fn sign(name: &str, message: &[u8]) -> Vec<u8> {
    let signature: DerSignature = key(name).sign(message);
    signature.as_bytes().to_vec()
}

/// Certificates as PEM, in this order.
#[must_use]
pub fn certificates(certificates: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for certificate in certificates {
        let base64 = base64::engine::general_purpose::STANDARD.encode(certificate);
        text += "-----BEGIN CERTIFICATE-----\n";
        for line in base64.as_bytes().chunks(64) {
            text += &format!("{}\n", String::from_utf8_lossy(line));
        }
        text += "-----END CERTIFICATE-----\n";
    }
    text
}

/// An answer of the authority `tsa.example` that is to be made. Each field may be made wrong before it is.
#[derive(Clone, Debug)]
pub struct ToStamp {
    /// `PKIStatus`.
    pub status: u8,
    /// `TSTInfo`: its version, then its other elements.
    pub info: Vec<Vec<u8>>,
    /// What the signed attribute says is the digest of the content; the right one if nothing is said.
    pub digest: Option<Digest>,
    /// `SigningCertificateV2`, whole; the attribute is left out if there is none.
    pub certificate: Option<Vec<u8>>,
    /// What the content is said to be, in the signed attributes.
    pub content_type: Vec<u8>,
    /// More signed attributes.
    pub attributes: Vec<Vec<u8>>,
    /// The hash of the signed attributes.
    pub hash: Vec<u8>,
    /// The signature's algorithm.
    pub algorithm: Vec<u8>,
    /// The certificate by which the signer is named.
    pub signer: &'static str,
    /// Who issued it.
    pub issuer: &'static str,
    /// Whose key signs.
    pub key: &'static str,
    /// How often the signer stands there.
    pub signers: usize,
}

impl ToStamp {
    /// A good one, over this message, at a time like `20261120190233Z`. `certificate` is the one of [`ToCertify::signer`],
    /// or another that signs.
    #[must_use]
    pub fn over(message: &[u8], time: &str, certificate: &[u8]) -> Self {
        let hash = der(0x30, &[&oid(SHA_256), &der(0x05, &[])]);
        let imprint = der(0x30, &[&hash, &der(0x04, &[Digest::of(message).as_bytes()])]);
        let info = vec![der(0x02, &[&[1]]), oid("2a0304"), imprint, der(0x02, &[&[7]]), der(0x18, &[time.as_bytes()])];
        Self {
            status: 0,
            info,
            digest: None,
            certificate: Some(certificate_id(certificate)),
            content_type: oid(TST_INFO),
            attributes: Vec::new(),
            hash,
            algorithm: der(0x30, &[&oid(ECDSA_SHA_256)]),
            signer: "tsa.example",
            issuer: "root",
            key: "tsa.example",
            signers: 1,
        }
    }

    /// The same with a nonce.
    #[must_use]
    pub fn with_nonce(mut self, nonce: &[u8]) -> Self {
        self.info.push(der(0x02, &[nonce]));
        self
    }

    /// The DER form, signed.
    #[must_use]
    pub fn answer(&self) -> Vec<u8> {
        let info = der(0x30, &[&self.info.concat()]);
        let digest = self.digest.unwrap_or_else(|| Digest::of(&info));
        let attribute = |id: Vec<u8>, value: &[u8]| der(0x30, &[&id, &der(0x31, &[value])]);
        let mut attributes = vec![
            attribute(oid(CONTENT_TYPE), &self.content_type),
            attribute(oid(MESSAGE_DIGEST), &der(0x04, &[digest.as_bytes()])),
        ];
        attributes.extend(self.certificate.as_ref().map(|id| attribute(oid(SIGNING_CERTIFICATE_V2), id)));
        attributes.extend(self.attributes.clone());
        // A SET has its elements in order.
        attributes.sort();
        let attributes = attributes.concat();
        let signature = sign(self.key, &der(0x31, &[&attributes]));
        let signer = der(
            0x30,
            &[
                &der(0x02, &[&[1]]),
                &der(0x30, &[&name(self.issuer), &serial(self.signer)]),
                &self.hash,
                &der(0xa0, &[&attributes]),
                &self.algorithm,
                &der(0x04, &[&signature]),
            ],
        );
        let content = der(0x30, &[&oid(TST_INFO), &der(0xa0, &[&der(0x04, &[&info])])]);
        let signers = der(0x31, &[&signer.repeat(self.signers)]);
        let data = der(0x30, &[&der(0x02, &[&[3]]), &der(0x31, &[&self.hash]), &content, &signers]);
        let token = der(0x30, &[&oid(SIGNED_DATA), &der(0xa0, &[&data])]);
        der(0x30, &[&der(0x30, &[&der(0x02, &[&[self.status]])]), &token])
    }
}

/// `SigningCertificateV2` with the SHA-256 of a certificate.
#[must_use]
pub fn certificate_id(certificate: &[u8]) -> Vec<u8> {
    let id = der(0x30, &[&der(0x04, &[Digest::of(certificate).as_bytes()])]);
    der(0x30, &[&der(0x30, &[&id])])
}
