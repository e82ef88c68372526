//! Time stamps: a good one, and each attack refused for its own reason.

use proptest::prelude::*;
use selfsame_core::Digest;
use selfsame_testing::time_authority::{ToCertify, ToStamp, certificate_id, der, oid};
use selfsame_timestamp::{Request, Stamp, Token, TokenError};
use sha2::Digest as _;

use crate::{MESSAGE, SECONDS, TIME, authority, of, refused, stamp};

const SHA_1: &str = "2b0e03021a";
const SHA_512: &str = "608648016503040203";

fn verified(answer: &[u8]) -> Result<Stamp, TokenError> {
    Token::parse(answer)?.verify(&authority(), MESSAGE)
}

/// The answer after a change.
fn with(change: impl FnOnce(&mut ToStamp)) -> Result<Stamp, TokenError> {
    let mut stamp = stamp();
    change(&mut stamp);
    verified(&stamp.answer())
}

#[test]
fn a_stamp_says_when() {
    assert_eq!(verified(&stamp().answer()).unwrap(), Stamp { time: SECONDS, latest: SECONDS });
    assert!(with(|it| it.status = 1).is_ok(), "granted, with changes");
    // What an authority may say beside it: how exact its clock is, a nonce, its name, an extension.
    let beside = |more: Vec<Vec<u8>>| with(|it| it.info.extend(more)).unwrap();
    let accuracy = |parts: &[&[u8]]| vec![der(0x30, parts)];
    assert_eq!(beside(accuracy(&[&der(0x02, &[&[2]])])).latest, SECONDS + 2);
    assert_eq!(beside(accuracy(&[&der(0x02, &[&[2]]), &der(0x80, &[&[1]])])).latest, SECONDS + 3);
    assert_eq!(beside(accuracy(&[&der(0x81, &[&[100]])])).latest, SECONDS + 1);
    let extension = der(0x30, &[&oid("2a0304"), &der(0x04, &[b"x"])]);
    let all =
        vec![der(0x01, &[&[0xff]]), der(0x02, &[&[9]]), der(0xa0, &[&der(0x86, &[b"tsa"])]), der(0xa1, &[&extension])];
    assert_eq!(beside(all).time, SECONDS);
    assert_eq!(with(|it| it.info[4] = der(0x18, &[b"20261120190233.25Z"])).unwrap().time, SECONDS);
    // Another hash of the message.
    let hash = der(0x30, &[&oid(SHA_512)]);
    let imprint = der(0x30, &[&hash, &der(0x04, &[&sha2::Sha512::digest(MESSAGE)])]);
    assert_eq!(with(|it| it.info[2] = imprint).unwrap().time, SECONDS);
}

#[test]
fn an_attack_is_refused_for_its_reason() {
    type Change = fn(&mut ToStamp);
    let changes: [(&str, Change, &str); 27] = [
        ("another message", |it| it.info[2] = ToStamp::over(b"x", TIME, b"").info[2].clone(), "over another signature"),
        (
            "SHA-1 of the message",
            |it| {
                let hash = der(0x30, &[&oid(SHA_1), &der(0x05, &[])]);
                it.info[2] = der(0x30, &[&hash, &der(0x04, &[&[0; 20]])]);
            },
            "the message is named by the hash 1.3.14.3.2.26",
        ),
        (
            "SHA-1 of the attributes",
            |it| it.hash = der(0x30, &[&oid(SHA_1)]),
            "attributes is named by the hash 1.3.14.3.2.26",
        ),
        ("another key", |it| it.key = "forger", "is not signed by its authority"),
        ("the issuer's key", |it| it.key = "root", "is not signed by its authority"),
        ("another signer", |it| it.signer = "other.example", "of another authority"),
        ("another issuer", |it| it.issuer = "other", "of another authority"),
        (
            "another certificate",
            |it| {
                it.certificate = Some(certificate_id(&ToCertify::root().certify()));
            },
            "with another certificate than it names",
        ),
        ("no certificate", |it| it.certificate = None, "has no one signer's certificate"),
        (
            "SHA-1 of the certificate",
            |it| {
                it.certificate = None;
                let id = der(0x30, &[&der(0x30, &[&der(0x30, &[&der(0x04, &[&[0; 20]])])])]);
                it.attributes = vec![der(0x30, &[&oid("2a864886f70d010910020c"), &der(0x31, &[&id])])];
            },
            "the signer's certificate is named by the hash SHA-1",
        ),
        (
            "SHA-1 of the certificate, said",
            |it| {
                let id = der(0x30, &[&der(0x30, &[&oid(SHA_1)]), &der(0x04, &[&[0; 20]])]);
                it.certificate = Some(der(0x30, &[&der(0x30, &[&id])]));
            },
            "the signer's certificate is named by the hash 1.3.14.3.2.26",
        ),
        ("another content's digest", |it| it.digest = Some(Digest::of(b"x")), "content is not the signed one"),
        ("other content", |it| it.content_type = oid("2a864886f70d010701"), "what is signed is no time stamp"),
        (
            "an attribute twice",
            |it| {
                let again = der(0x30, &[&oid("2a864886f70d010904"), &der(0x31, &[&der(0x04, &[b"x"])])]);
                it.attributes = vec![again];
            },
            "the signed attributes says the same thing twice",
        ),
        (
            "two values of one",
            |it| {
                it.certificate = None;
                let id = certificate_id(&ToCertify::signer().certify());
                it.attributes = vec![der(0x30, &[&oid("2a864886f70d010910022f"), &der(0x31, &[&id, &id])])];
            },
            "has no one signer's certificate",
        ),
        (
            "too many attributes",
            |it| {
                it.attributes = (0..20)
                    .map(|number| der(0x30, &[&der(0x06, &[&[0x2a, 0x03, number]]), &der(0x31, &[&der(0x05, &[])])]))
                    .collect();
            },
            "the signed attributes holds more than is read",
        ),
        (
            "RSA",
            |it| it.algorithm = der(0x30, &[&oid("2a864886f70d01010b"), &der(0x05, &[])]),
            "of the algorithm 1.2.840.113549.1.1.11",
        ),
        (
            "another hash than the signed one",
            |it| it.algorithm = der(0x30, &[&oid("2a8648ce3d040304")]),
            "is not signed by",
        ),
        ("nobody", |it| it.signers = 0, "the signed data's signers ends too early"),
        ("two signers", |it| it.signers = 2, "not signed by one authority"),
        ("refused", |it| it.status = 2, "gave no time stamp: its status is 2"),
        (
            "a critical extension",
            |it| {
                let extension = der(0x30, &[&oid("2a0304"), &der(0x01, &[&[0xff]]), &der(0x04, &[b"x"])]);
                it.info.push(der(0xa1, &[&extension]));
            },
            "has the critical extension 1.2.3.4",
        ),
        ("a later version", |it| it.info[0] = der(0x02, &[&[2]]), "content holds something else"),
        ("no time", |it| _ = it.info.pop(), "content ends too early"),
        ("a local time", |it| it.info[4] = der(0x18, &[b"20261120190233"]), "content is not DER"),
        ("a time of a certificate", |it| it.info[4] = der(0x17, &[b"261120190233Z"]), "content holds something else"),
        ("more behind it", |it| it.info.push(der(0x04, &[b"x"])), "content holds more than it should"),
    ];
    for (name, change, because) in changes {
        let error = with(change).expect_err(name).to_string();
        assert!(error.contains(because), "{name}: `{error}` does not say `{because}`");
    }
}

/// What the certificates say of their days is asked at the time of the stamp (item: an expired intermediate).
#[test]
fn every_certificate_counts_at_the_time_of_the_stamp() {
    let at = |time: &str, chain: &[ToCertify]| {
        let stamp = ToStamp::over(MESSAGE, time, &chain[0].certify());
        Token::parse(&stamp.answer())?.verify(&of(chain).unwrap(), MESSAGE)
    };
    let short = |mut it: ToCertify| {
        it.days = ["260101000000Z", "261231235959Z"];
        it
    };
    let chains = [
        ("tsa.example", [short(ToCertify::signer()), ToCertify::root()]),
        ("root", [ToCertify::signer(), short(ToCertify::root())]),
    ];
    for (name, chain) in chains {
        for time in ["20260101000000Z", TIME, "20261231235959Z"] {
            at(time, &chain).unwrap();
        }
        for time in ["20251231235959Z", "20270101000000Z"] {
            refused(at(time, &chain), &format!("a time at which the certificate `{name}` did not count"));
        }
    }
}

#[test]
fn bytes_that_are_no_answer() {
    let good = stamp().answer();
    refused(verified(b""), "the time stamp response ends too early");
    refused(verified(&good[..good.len() - 1]), "is not DER");
    refused(verified(&[&good[..], b"\0"].concat()), "response holds more than it should");
    refused(verified(&[&good[..], &good[..]].concat()), "response holds more than it should");
    refused(verified(&good[9..]), "the ");
    refused(verified(&vec![0x30; Token::LIMIT_BYTES + 1]), "has 65537 bytes; at most 65536 are read");
    // A thousand levels of nothing, and a length that would not fit into memory.
    refused(verified(&(0..1000).fold(Vec::new(), |inside, _| der(0x30, &[&inside]))), "the ");
    refused(verified(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30]), "is not DER");
    // BER: a length that is not said, and one that is longer than it has to be.
    refused(verified(&[&[0x30, 0x80], &good[4..], &[0, 0]].concat()), "is not DER");
    let mut padded = vec![0x30, 0x83, 0x00];
    padded.extend_from_slice(&good[2..]);
    refused(verified(&padded), "is not DER");
    // The token without its answer around it: `openssl ts` calls that a token, Sigstore's bundles hold the answer.
    refused(verified(&good[9..]), "the ");
    // A refusal has no token.
    refused(verified(&der(0x30, &[&der(0x30, &[&der(0x02, &[&[2]])])])), "its status is 2");
    refused(verified(&der(0x30, &[&der(0x30, &[&der(0x02, &[&[0]])])])), "response ends too early");
}

#[test]
fn an_answer_is_one_to_its_question() {
    let request = Request::new(MESSAGE, [0x91, 2, 3, 4, 5, 6, 7, 8]);
    let nonce = [0x51, 2, 3, 4, 5, 6, 7, 8];
    let answer = |stamp: ToStamp| Token::parse(&stamp.answer()).unwrap().answers(&request);
    assert_eq!(answer(stamp().with_nonce(&nonce)).unwrap().time, SECONDS);
    refused(answer(stamp()), "its nonce is another");
    refused(answer(stamp().with_nonce(&[0x51])), "its nonce is another");
    refused(answer(ToStamp::over(b"x", TIME, b"").with_nonce(&nonce)), "over another signature");
    // RFC 3161 section 2.4.1: version, imprint, nonce, and certificates are wanted.
    let hash = der(0x30, &[&oid("608648016503040201"), &der(0x05, &[])]);
    let imprint = der(0x30, &[&hash, &der(0x04, &[Digest::of(MESSAGE).as_bytes()])]);
    let expected = der(0x30, &[&der(0x02, &[&[1]]), &imprint, &der(0x02, &[&nonce]), &der(0x01, &[&[0xff]])]);
    assert_eq!(request.to_der(), expected);
}

proptest! {
    /// Nothing that is changed counts, and nothing is a panic.
    #[test]
    fn no_flipped_bit_counts(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let good = stamp().answer();
        let mut bad = good.clone();
        let at = at.index(bad.len());
        bad[at] ^= 1 << bit;
        // The status may as well be `granted with changes`, and the list of hashes in front is a hint to streaming readers.
        if let Ok(found) = verified(&bad) {
            prop_assert!(Token::parse(&bad) == Token::parse(&good), "byte {at}, bit {bit}: {found:?}");
        }
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = verified(&bytes);
    }
}
