//! DSSE: the specification's own vector, and envelopes that are not ones.

use selfsame_attest::{Envelope, EnvelopeSignature, Signer as _, pae};
use selfsame_core::media;

use crate::{key, refused, test_key};

const GOOD: &str = r#"{"payload":"aGVsbG8gd29ybGQ=","payloadType":"http://example.com/HelloWorld","signatures":[{"keyid":"k","sig":"AQ=="}],"x":1}"#;

#[test]
fn the_pae_of_the_specification() {
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    // Lengths count bytes, so type and body cannot trade places.
    assert_eq!(pae("\u{e4}", b"x"), "DSSEv1 2 \u{e4} 1 x".as_bytes());
}

#[test]
fn the_signature_of_the_specification() {
    use p256::ecdsa::signature::Signer as _;
    // DSSE protocol.md, "Test Vectors": the secret number d, and r and s in P1363 form.
    let number = decimal("97358161215184420915383655311931858321456579547487070936769975997791359926199");
    let secret = p256::ecdsa::SigningKey::from_slice(&number).unwrap();
    let point = secret.verifying_key().to_sec1_point(false);
    assert_eq!(
        point.x().unwrap()[..],
        decimal("46950820868899156662930047687818585632848591499744589407958293238635476079160")
    );
    assert_eq!(
        point.y().unwrap()[..],
        decimal("5640078356564379163099075877009565129882514886557779369047442380624545832820")
    );
    let signature: p256::ecdsa::Signature = secret.sign(&pae("http://example.com/HelloWorld", b"hello world"));
    let expected = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==";
    assert_eq!(
        signature.to_bytes()[..],
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, expected).unwrap()
    );
}

/// 32 bytes of a decimal number.
fn decimal(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for digit in text.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 10;
            *byte = (carry & 255) as u8;
            carry >>= 8;
        }
    }
    bytes
}

#[test]
fn reads_both_alphabets_and_ignores_unknown_fields() {
    let envelope = Envelope::parse(GOOD.as_bytes()).unwrap();
    assert_eq!(envelope.payload, b"hello world");
    assert_eq!(envelope.signatures, [EnvelopeSignature { key_id: "k".into(), signature: vec![1] }]);
    let url_safe = GOOD.replace("AQ==", "-_-_").replace(r#""keyid":"k","#, "");
    let envelope = Envelope::parse(url_safe.as_bytes()).unwrap();
    assert_eq!(
        (envelope.signatures[0].key_id.as_str(), &envelope.signatures[0].signature[..]),
        ("", &[0xfb, 0xff, 0xbf][..])
    );
    assert_eq!(Envelope::parse(&envelope.to_bytes()).unwrap(), envelope);
}

#[test]
fn refuses_what_readers_disagree_about() {
    let long = |count: usize| {
        let signatures = vec![r#"{"sig":"AQ=="}"#; count].join(",");
        format!(r#"{{"payload":"","payloadType":"t","signatures":[{signatures}]}}"#)
    };
    assert!(Envelope::parse(long(16).as_bytes()).is_ok());
    for (text, because) in [
        (GOOD.replace(r#""x":1"#, r#""payload":"""#), "duplicate key `payload`"),
        (GOOD.replace(r#""sig":"AQ==""#, r#""sig":"AQ==","sig":"AQ==""#), "duplicate key `sig`"),
        (GOOD.replace("aGVsbG8gd29ybGQ=", "aGVsbG8gd29ybGQ"), "`payload` is not padded base64"),
        (GOOD.replace("aGVsbG8gd29ybGQ=", "aGVs bG8gd29ybGQ="), "`payload` is not padded base64"),
        (GOOD.replace("aGVsbG8gd29ybGQ=", "aGVsbG8gd29ybGR="), "`payload` is not padded base64"),
        (GOOD.replace("\"AQ==\"", "\"\""), "`sig` is empty"),
        (GOOD.replace("\"AQ==\"", "null"), "`sig` is not a string"),
        (GOOD.replace("\"k\"", "7"), "`keyid` is not a string"),
        (GOOD.replace("payloadType", "payload_type"), "`payloadType` is missing"),
        (r#"{"payload":"","payloadType":"t"}"#.into(), "`signatures` is missing"),
        (long(0), "`signatures` is empty"),
        (long(17), "17 signatures"),
        (r#"{"payload":"","payloadType":"t","signatures":{}}"#.into(), "`signatures` is not an array"),
        ("[]".into(), "`envelope` is not an object"),
        (format!("{GOOD}{GOOD}"), "trailing characters"),
        (GOOD[..GOOD.len() - 1].into(), "EOF"),
        (format!("\u{feff}{GOOD}"), "expected value"),
        (String::new(), "EOF"),
    ] {
        assert_ne!(text, GOOD);
        refused(Envelope::parse(text.as_bytes()), because);
    }
}

#[test]
fn signature_first_then_the_payload_type() {
    let (signer, other) = (test_key(), key("another"));
    let sign = |payload_type: &str, message: Vec<u8>| Envelope {
        payload_type: payload_type.into(),
        payload: b"{}".to_vec(),
        signatures: vec![EnvelopeSignature { key_id: String::new(), signature: signer.sign(&message).unwrap() }],
    };
    let good = sign(media::IN_TOTO, pae(media::IN_TOTO, b"{}"));
    assert!(good.verify(&signer.public()).is_ok());
    refused(good.verify(&other.public()), "not made by this key");
    refused(sign(media::IN_TOTO, b"{}".to_vec()).verify(&signer.public()), "not made by this key");
    refused(sign(media::IN_TOTO, pae("application/json", b"{}")).verify(&signer.public()), "not made by this key");
    for other in ["application/json", "application/vnd.in-toto+JSON", ""] {
        refused(sign(other, pae(other, b"{}")).verify(&signer.public()), "payload type");
    }
    let mut changed = good;
    changed.payload = b"{ }".to_vec();
    refused(changed.verify(&signer.public()), "not made by this key");
}
