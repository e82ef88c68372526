//! Who signed which bytes.

use selfsame_core::json;
use serde_json::json;

use crate::attack::Answer::{No, NotAsked, Yes};
use crate::attack::{Attack, Source, attack};
use crate::case::Grounds::{Forged, Good, Malformed, Strict};
use crate::der::{self, ORDER};
use crate::draft::{Draft, base64, signed};
use crate::keys;

const MADE: [crate::attack::Answer; 2] =
    [No("signature", "not made by this key"), No("signatures", "not made by this key")];
const RANGE: [crate::attack::Answer; 2] =
    [No("signature", "r or s is not between 1 and n - 1"), No("signatures", "r or s is not between 1 and n - 1")];
const DER: [crate::attack::Answer; 2] =
    [No("signature", "not strict ASN.1 DER"), No("signatures", "not strict ASN.1 DER")];

/// The good bundle with another signature, made of the good one.
fn exchanged(source: &Source, change: impl FnOnce(&[u8]) -> Vec<u8>) -> Draft {
    let mut draft = source.draft();
    let other = change(draft.signature());
    *draft.signature() = other;
    draft
}

pub(crate) fn attacks() -> Vec<Attack> {
    let mut attacks = bytes();
    attacks.extend(counts());
    attacks.extend(numbers());
    attacks.extend(elsewhere());
    attacks
}

/// Another signature, another payload, another key.
fn bytes() -> Vec<Attack> {
    vec![
        attack(1, "bit-flipped-in-s", "one bit of s is another", Forged, MADE, |source| {
            exchanged(source, |good| {
                let (r, mut s) = der::numbers(good);
                s[31] ^= 1;
                der::print(&r, &s)
            })
            .into()
        }),
        attack(1, "bit-flipped-in-r", "one bit of r is another", Forged, MADE, |source| {
            exchanged(source, |good| {
                let (mut r, s) = der::numbers(good);
                r[17] ^= 0x10;
                der::print(&r, &s)
            })
            .into()
        }),
        attack(1, "r-and-s-exchanged", "r stands for s and s for r", Forged, MADE, |source| {
            exchanged(source, |good| {
                let (r, s) = der::numbers(good);
                der::print(&s, &r)
            })
            .into()
        }),
        attack(
            2,
            "payload-changed",
            "one byte of the payload was changed after it was signed",
            Forged,
            MADE,
            |source| {
                let mut draft = source.draft();
                let text = source.payload().replacen("\"version\":\"1.0.0\"", "\"version\":\"1.0.1\"", 1);
                assert_ne!(text, source.payload());
                draft.payload = text.into_bytes();
                draft.into()
            },
        ),
        attack(2, "payload-longer", "a space stands behind the signed payload", Forged, MADE, |source| {
            let mut draft = source.draft();
            draft.payload.push(b' ');
            draft.into()
        }),
        attack(3, "another-key", "another key signed, under the hint of the trusted one", Forged, MADE, |source| {
            let mut draft = source.draft();
            draft.sign(&keys::forger());
            draft.into()
        }),
        attack(
            3,
            "a-stranger",
            "another key signed, and the hint says so",
            Forged,
            [No("signature", "no signature by a trusted key"), No("evidence-set", "no provenance")],
            |source| {
                let mut draft = source.draft();
                draft.hint = keys::forger().public().key_id();
                draft.sign(&keys::forger());
                draft.into()
            },
        ),
        attack(
            6,
            "over-the-payload",
            "signed is the payload, not its pre-authentication encoding",
            Forged,
            MADE,
            |s| exchanged(s, |_| signed(&keys::signer(), s.payload().as_bytes())).into(),
        ),
        attack(6, "over-the-base64", "signed is the payload as base64", Forged, MADE, |s| {
            exchanged(s, |_| signed(&keys::signer(), base64(s.payload().as_bytes()).as_bytes())).into()
        }),
        attack(7, "sha-512", "the signature is over the SHA-512, by the right key", Malformed, MADE, |source| {
            let pae = source.draft().pae();
            exchanged(source, |_| keys::sign_sha512("signer", &pae)).into()
        }),
    ]
}

/// More than one signature, or none.
fn counts() -> Vec<Attack> {
    let empty = [No("bundle", "`signatures` is empty"), No("bundles", "`signatures` is empty")];
    let two = [No("bundle", "has 2 signatures"), No("bundles", "has 2 signatures")];
    let bad = |draft: &Draft| (draft.hint.clone(), signed(&keys::forger(), &draft.pae()));
    vec![
        attack(4, "none", "the list of signatures is empty", Malformed, empty, |source| {
            let mut draft = source.draft();
            let bundle = draft.changed(|bundle| bundle["dsseEnvelope"]["signatures"] = json!([]));
            draft.signatures.clear();
            source.bytes(bundle)
        }),
        attack(
            4,
            "missing",
            "there is no list of signatures",
            Malformed,
            [No("bundle", "`signatures` is missing"), No("bundles", "`signatures` is missing")],
            |source| source.bytes(source.draft().respelled("\"signatures\":", "\"signature\":")),
        ),
        attack(
            4,
            "null",
            "null stands for the list of signatures",
            Malformed,
            [No("bundle", "`signatures` is not an array"), No("bundles", "`signatures` is not an array")],
            |source| source.bytes(source.draft().changed(|it| it["dsseEnvelope"]["signatures"] = json!(null))),
        ),
        attack(
            4,
            "of-no-bytes",
            "the one signature is the empty text",
            Malformed,
            [No("bundle", "`sig` is empty"), No("bundles", "`sig` is empty")],
            |source| {
                let bundle = source.draft().changed(|it| it["dsseEnvelope"]["signatures"][0]["sig"] = json!(""));
                source.bytes(bundle)
            },
        ),
        attack(5, "good-then-bad", "a forger's signature stands behind the good one", Malformed, two, move |source| {
            let mut draft = source.draft();
            draft.signatures.push(bad(&draft));
            draft.into()
        }),
        attack(5, "bad-then-good", "a forger's signature stands before the good one", Malformed, two, move |source| {
            let mut draft = source.draft();
            draft.signatures.insert(0, bad(&draft));
            draft.into()
        }),
        attack(5, "same-twice", "the good signature stands there twice", Malformed, two, |source| {
            let mut draft = source.draft();
            draft.signatures.push(draft.signatures[0].clone());
            draft.into()
        }),
    ]
}

/// Pairs of numbers that are no signature, and other spellings of one that is.
fn numbers() -> Vec<Attack> {
    let plus = [No("signature", "r or s is not between 1 and n - 1"), No("signatures", "r or s is not between")];
    vec![
        attack(8, "zeros", "r and s are 0", Forged, RANGE, |s| exchanged(s, |_| der::print(&[], &[])).into()),
        attack(8, "s-is-zero", "s is 0", Forged, RANGE, |source| {
            exchanged(source, |good| der::print(&der::numbers(good).0, &[])).into()
        }),
        attack(8, "r-is-the-order", "r is the order of the curve", Forged, RANGE, |source| {
            exchanged(source, |good| der::print(&ORDER, &der::numbers(good).1)).into()
        }),
        attack(8, "s-is-the-order", "s is the order of the curve", Forged, RANGE, |source| {
            exchanged(source, |good| der::print(&der::numbers(good).0, &ORDER)).into()
        }),
        attack(
            8,
            "s-above-the-order",
            "the order was added to s: the same number, reduced",
            Malformed,
            DER,
            |source| {
                exchanged(source, |good| {
                    let (r, s) = der::numbers(good);
                    der::print(&r, &der::order_plus(&s))
                })
                .into()
            },
        ),
        attack(
            8,
            "r-above-the-order",
            "the order was added to r: the same number, reduced",
            Malformed,
            DER,
            |source| {
                exchanged(source, |good| {
                    let (r, s) = der::numbers(good);
                    der::print(&der::order_plus(&r), &s)
                })
                .into()
            },
        ),
        attack(8, "all-ones", "r and s are the largest numbers of 256 bits", Forged, plus, |source| {
            exchanged(source, |_| der::print(&[0xff; 32], &[0xff; 32])).into()
        }),
        attack(9, "bytes-behind", "a byte stands behind the signature's DER", Malformed, DER, |source| {
            exchanged(source, |good| [good, &[0]].concat()).into()
        }),
        attack(9, "cut", "the last byte of the signature's DER is missing", Malformed, DER, |source| {
            exchanged(source, |good| good[..good.len() - 1].to_vec()).into()
        }),
        attack(9, "hex", "the signature is written in hexadecimal digits", Malformed, DER, |source| {
            exchanged(source, |good| selfsame_core::digest::hex(good).into_bytes()).into()
        }),
        attack(9, "base64-twice", "the signature is base64 of base64", Malformed, DER, |source| {
            exchanged(source, |good| base64(good).into_bytes()).into()
        }),
        attack(9, "p1363", "r and s stand beside one another, without DER", Strict, DER, |source| {
            exchanged(source, |good| {
                let (r, s) = der::numbers(good);
                [r, s].concat()
            })
            .into()
        }),
        attack(
            9,
            "long-length",
            "the DER says its length in two bytes, where one is enough",
            Malformed,
            DER,
            |source| exchanged(source, |good| [&[0x30, 0x81, good[1]], &good[2..]].concat()).into(),
        ),
        attack(9, "zeros-before", "r has a zero more before it than it needs", Malformed, DER, |source| {
            exchanged(source, |good| {
                let head = [0x30, good[1] + 1, 0x02, good[3] + 1, 0x00];
                [&head, &good[4..]].concat()
            })
            .into()
        }),
        attack(
            13,
            "high-s",
            "the twin of a good signature, with n - s for s: as good, so no signature is anybody's name",
            Good,
            [Yes, Yes],
            |source| {
                exchanged(source, |good| {
                    let (r, s) = der::numbers(good);
                    der::print(&r, &der::order_minus(&s))
                })
                .into()
            },
        ),
    ]
}

/// Keys and signatures from where none are taken.
fn elsewhere() -> Vec<Attack> {
    let forged = |source: &Source| {
        let mut draft = source.draft();
        draft.sign(&keys::forger());
        draft
    };
    let message = [No("bundle", "a message signature"), No("evidence-set", "no provenance")];
    vec![
        attack(
            11,
            "key-inside",
            "the forger's key lies in the bundle, under the hint of the trusted one",
            Forged,
            MADE,
            move |source| {
                let raw = json!(base64(&keys::forger().public().to_spki()));
                let bundle = forged(source).changed(|it| it["verificationMaterial"]["publicKey"]["rawBytes"] = raw);
                source.bytes(bundle)
            },
        ),
        attack(
            11,
            "key-inside-by-its-own-name",
            "the forger's key lies in the bundle, and the hint names it",
            Forged,
            [No("signature", "no signature by a trusted key"), No("evidence-set", "no provenance")],
            |source| {
                let forger = keys::forger().public();
                let mut draft = source.draft();
                draft.hint = forger.key_id();
                draft.sign(&keys::forger());
                let raw = json!(base64(&forger.to_spki()));
                source.bytes(draft.changed(|it| it["verificationMaterial"]["publicKey"]["rawBytes"] = raw))
            },
        ),
        attack(
            12,
            "as-a-message",
            "the signature of the envelope, offered as one of the file itself",
            Forged,
            message,
            |source| {
                let mut draft = source.draft();
                let signature = draft.signature().clone();
                source.bytes(as_message(&draft, &source.digest, &signature))
            },
        ),
        attack(
            12,
            "as-a-message-of-what-was-signed",
            "the signature of the envelope, offered as one of the bytes that it is over",
            Forged,
            [No("bundle", "a message signature"), NotAsked],
            |source| {
                let mut draft = source.draft();
                let (signature, digest) = (draft.signature().clone(), selfsame_core::Digest::of(&draft.pae()));
                source.bytes(as_message(&draft, &digest, &signature))
            },
        ),
    ]
}

/// A bundle of a message signature.
fn as_message(draft: &Draft, digest: &selfsame_core::Digest, signature: &[u8]) -> Vec<u8> {
    let mut bundle = draft.to_json();
    let fields = bundle.as_object_mut().expect("a bundle is an object");
    fields.remove("dsseEnvelope");
    fields.insert(
        "messageSignature".to_owned(),
        json!({
            "messageDigest": {"algorithm": "SHA2_256", "digest": base64(digest.as_bytes())},
            "signature": base64(signature),
        }),
    );
    json::canonical_value(&bundle)
}
