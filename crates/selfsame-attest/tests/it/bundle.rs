//! Sigstore bundles: what is one of ours, and what is refused by name.

use selfsame_attest::{Bundle, PublicKey, SignError, Signer, Statement, Subject, sign_statement};
use selfsame_core::Digest;

use crate::{key, refused, test_key};

fn statement() -> Statement {
    Statement::cosign_sign(vec![Subject::new("app:1", Digest::of(b"image"))])
}

fn good() -> String {
    String::from_utf8(sign_statement(&statement(), &test_key()).unwrap().to_bytes()).unwrap()
}

#[test]
fn signs_and_verifies() {
    let bundle = Bundle::parse(good().as_bytes()).unwrap();
    assert_eq!(bundle.verify(&test_key().public()).unwrap(), statement());
    assert_eq!(bundle.key_id(), test_key().public().key_id());
    assert_eq!(bundle.payload_digest(), Digest::of(&statement().to_payload()));
    assert_eq!((bundle.log_entries().len(), bundle.timestamps().len()), (0, 0));
    refused(bundle.verify(&key("another").public()), "not made by this key");
    // RFC 6979: the same statement and key give the same bundle.
    assert_eq!(good(), good());
}

#[test]
fn refuses_what_is_no_bundle_of_ours() {
    let good = good();
    let hint = test_key().public().key_id();
    let signature = {
        let from = good.find("\"signatures\":[").unwrap() + "\"signatures\":[".len();
        let to = good.find("]},\"mediaType\"").unwrap();
        good[from..to].to_owned()
    };
    for (text, because) in [
        (good.replace("v0.3+json", "v0.2+json"), "media type is `application/vnd.dev.sigstore.bundle.v0.2+json`"),
        (good.replace("\"mediaType\"", "\"x\""), "`mediaType` is missing"),
        (good.replace("\"mediaType\"", "\"mediaType\":\"x\",\"mediaType\""), "duplicate key `mediaType`"),
        (good.replace("\"dsseEnvelope\"", "\"x\""), "`dsseEnvelope` is missing"),
        (good.replace("\"verificationMaterial\"", "\"x\""), "`verificationMaterial` is missing"),
        (good.replace("{\"dsseEnvelope\"", "{\"messageSignature\":{},\"dsseEnvelope\""), "holds a message signature"),
        (good.replace("{\"publicKey\"", "{\"certificate\":{\"rawBytes\":\"\"},\"publicKey\""), "holds a certificate"),
        (good.replace("{\"publicKey\"", "{\"x509CertificateChain\":{},\"publicKey\""), "holds a certificate chain"),
        (good.replace("\"publicKey\"", "\"x\""), "`publicKey` is missing"),
        (good.replace("\"hint\"", "\"x\""), "`publicKey.hint` is not a key's name"),
        (good.replace(&format!("\"hint\":\"{hint}\""), "\"hint\":\"x\""), "is not its signature's keyid"),
        (good.replace(&signature, &format!("{signature},{signature}")), "2 signatures"),
        (good.replace(&signature, ""), "`signatures` is empty"),
        (good.replace("\"tlogEntries\":[]", "\"tlogEntries\":{}"), "`tlogEntries` is not an array"),
        (
            good.replace("\"tlogEntries\":[]", "\"timestampVerificationData\":7"),
            "`timestampVerificationData` is not an object",
        ),
        (format!("[{good}]"), "`bundle` is not an object"),
        (format!("{good}{good}"), "trailing characters"),
    ] {
        assert_ne!(text, good);
        refused(Bundle::parse(text.as_bytes()), because);
    }
}

#[test]
fn an_envelope_without_a_keyid_is_found_by_the_hint_alone() {
    let hint = test_key().public().key_id();
    for keyid in ["", "\"keyid\":\"\",", "\"keyid\":null,"] {
        let text = good().replace(&format!("\"keyid\":\"{hint}\","), keyid);
        assert_ne!(text, good());
        let bundle = Bundle::parse(text.as_bytes()).unwrap();
        assert_eq!((bundle.key_id(), bundle.verify(&test_key().public()).unwrap()), (hint.as_str(), statement()));
        assert_eq!(Bundle::parse(&bundle.to_bytes()).unwrap(), bundle, "printed with its hint");
    }
}

#[test]
fn keeps_log_entries_and_timestamps_without_believing_them() {
    let text = good().replace(
        "\"tlogEntries\":[]",
        "\"tlogEntries\":[{},{}],\"timestampVerificationData\":{\"rfc3161Timestamps\":[{\"signedTimestamp\":\"MAA=\"}]}",
    );
    let bundle = Bundle::parse(text.as_bytes()).unwrap();
    assert_eq!((bundle.log_entries().len(), bundle.timestamps()), (2, &[vec![0x30, 0]][..]));
    assert!(bundle.verify(&test_key().public()).is_ok());
    assert_eq!(bundle.signed_bytes(), good().as_bytes(), "entries and time stamps come later");
    assert_eq!(Bundle::parse(&bundle.to_bytes()).unwrap(), bundle);
    assert_eq!(bundle.with_log_entries(Vec::new()).with_timestamps(Vec::new()).to_bytes(), good().as_bytes());
    let stamps = |stamps: &str| {
        let data = format!("\"tlogEntries\":[],\"timestampVerificationData\":{{\"rfc3161Timestamps\":{stamps}}}");
        Bundle::parse(good().replace("\"tlogEntries\":[]", &data).as_bytes())
    };
    assert!(stamps("[]").is_ok() && stamps("null").is_ok());
    for wrong in ["[{}]", "[{\"signedTimestamp\":1}]", "[{\"signedTimestamp\":\"M A=\"}]", "[\"MAA=\"]"] {
        refused(stamps(wrong), "`rfc3161Timestamps` holds something without a `signedTimestamp`");
    }
    refused(stamps("{}"), "`rfc3161Timestamps` is not an array");
    let many = vec!["{\"signedTimestamp\":\"MAA=\"}"; 33].join(",");
    refused(stamps(&format!("[{many}]")), "33 time stamps; at most 32");
    let many = good().replace("\"tlogEntries\":[]", &format!("\"tlogEntries\":[{}]", vec!["{}"; 33].join(",")));
    refused(Bundle::parse(many.as_bytes()), "33 log entries; at most 32");
    let odd = good().replace("\"tlogEntries\":[]", "\"tlogEntries\":[{\"logIndex\":1.5}]");
    refused(Bundle::parse(odd.as_bytes()), "holds a number that is no integer");
    // Absent entries read like none: older writers leave the empty list out.
    assert!(Bundle::parse(good().replace(",\"tlogEntries\":[]", "").as_bytes()).is_ok());
}

#[test]
fn flipping_any_byte_never_verifies_as_something_else() {
    let good = good().into_bytes();
    let public = test_key().public();
    for at in 0..good.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            // A changed name of an unknown field is nobody's claim; the statement must be the one that was signed.
            if let Ok(found) = Bundle::parse(&bytes).and_then(|bundle| bundle.verify(&public)) {
                assert_eq!(found, statement(), "byte {at} ^ {flip:#x}");
            }
        }
    }
}

/// A signer that says it has one key and signs with another, or signs something else.
struct Faulty(PublicKey, Vec<u8>);

impl Signer for Faulty {
    fn public_key(&self) -> Result<PublicKey, SignError> {
        Ok(self.0.clone())
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.1.clone())
    }

    fn is_deterministic(&self) -> bool {
        false
    }
}

#[test]
fn a_faulty_signer_gets_nothing_published() {
    let public = test_key().public();
    let of_other_bytes = test_key().sign(b"other").unwrap();
    refused(sign_statement(&statement(), &Faulty(public.clone(), of_other_bytes)), "does not verify");
    refused(sign_statement(&statement(), &Faulty(public.clone(), vec![0; 64])), "raw r and s, not strict ASN.1 DER");
    refused(sign_statement(&statement(), &Faulty(public, Vec::new())), "0 bytes");
}

/// What is as it would be printed is not printed again to learn its digest; what is not, is.
#[test]
fn the_digest_of_what_was_signed_is_that_of_its_one_form() {
    let good = good();
    let digest = Digest::of(good.as_bytes());
    let told = |text: &str| {
        Bundle::parse(text.as_bytes()).unwrap().signed_digest(text.as_bytes(), Digest::of(text.as_bytes()))
    };
    assert_eq!(told(&good), digest);
    let payload_from = good.find("\"payload\":\"").unwrap() + "\"payload\":\"".len();
    let payload_to = payload_from + good[payload_from..].find('"').unwrap();
    let (before, payload, behind) = (&good[..payload_from], &good[payload_from..payload_to], &good[payload_to..]);
    let escaped = format!("{before}\\u{:04x}{}{behind}", payload.as_bytes()[0], &payload[1..]);
    let others = [
        format!("{good}\n"),
        good.replace(",\"tlogEntries\":[]", ""),
        good.replace("\"tlogEntries\":[]", "\"tlogEntries\":[{\"logIndex\":\"1\"}]"),
        good.replace("{\"publicKey\"", "{\"timestampVerificationData\":{},\"publicKey\""),
        good.replace("\"payload\":", "\"more\":1,\"payload\":"),
        escaped,
    ];
    for text in others {
        assert_ne!(text, good);
        assert_eq!(told(&text), digest, "{text}");
    }
}

/// sigstore-python leaves the keyid out; the hint is printed all the same.
#[test]
fn the_digest_of_a_bundle_without_a_keyid_has_its_hint() {
    let key_id = test_key().public().key_id();
    let text = good().replace(&format!("\"keyid\":\"{key_id}\""), "\"keyid\":\"\"");
    let bundle = Bundle::parse(text.as_bytes()).unwrap();
    assert_eq!((bundle.key_id(), bundle.signed_bytes()), (&key_id[..], text.clone().into_bytes()));
    assert_eq!(bundle.signed_digest(text.as_bytes(), Digest::of(text.as_bytes())), Digest::of(text.as_bytes()));
}

/// The two alphabets differ in what may stand in a payload, and only one of them is printed.
#[test]
fn a_payload_in_the_other_alphabet_is_the_same_bundle() {
    // Bits that both alphabets spell in their own way: six ones and one less, over and over.
    let statement =
        Statement::cosign_sign(vec![Subject::new("\u{feff}\u{7fff}\u{ffff}~~~???>>>", Digest::of(b"image"))]);
    let good = String::from_utf8(sign_statement(&statement, &test_key()).unwrap().to_bytes()).unwrap();
    let from = good.find("\"payload\":\"").unwrap() + "\"payload\":\"".len();
    let to = from + good[from..].find('"').unwrap();
    let other = [&good[..from], &good[from..to].replace('+', "-").replace('/', "_"), &good[to..]].concat();
    assert_ne!(other, good);
    let bundle = Bundle::parse(other.as_bytes()).unwrap();
    assert_eq!(bundle, Bundle::parse(good.as_bytes()).unwrap());
    assert_eq!(bundle.signed_digest(other.as_bytes(), Digest::of(other.as_bytes())), Digest::of(good.as_bytes()));
}
