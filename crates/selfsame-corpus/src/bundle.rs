//! The wrapping: media type, content, key hint, material.

use serde_json::{Value, json};

use crate::attack::Answer::{self, No, NotAsked, Yes};
use crate::attack::{Attack, Source, attack};
use crate::case::Grounds::{Malformed, Strict};
use crate::draft::base64;
use crate::keys;

const fn of_bundle(because: &'static str) -> [Answer; 2] {
    [No("bundle", because), No("bundles", because)]
}

fn with(change: fn(&mut serde_json::Map<String, Value>)) -> impl Fn(&Source) -> crate::attack::Made {
    move |source| source.bytes(source.draft().changed(change))
}

pub(crate) fn attacks() -> Vec<Attack> {
    let media_type = |found: &'static str| {
        move |source: &Source| source.bytes(source.draft().changed(|it| it["mediaType"] = json!(found)))
    };
    // In a release a bundle of another kind is passed over, and then something is missing.
    let another = |because: &'static str| [No("bundle", because), No("evidence-set", "no provenance")];
    vec![
        attack(
            35,
            "media-type-of-no-version",
            "a media type that nobody gave away",
            Malformed,
            of_bundle("media type is"),
            media_type("application/vnd.dev.sigstore.bundle.v9.9+json"),
        ),
        attack(
            35,
            "media-type-v0.1",
            "the media type of bundles of version 0.1",
            Strict,
            of_bundle("media type is"),
            media_type("application/vnd.dev.sigstore.bundle+json;version=0.1"),
        ),
        attack(
            35,
            "media-type-json",
            "the bundle says that it is plain JSON",
            Malformed,
            of_bundle("media type is"),
            media_type("application/json"),
        ),
        attack(
            35,
            "media-type-missing",
            "the bundle does not say what it is",
            Malformed,
            of_bundle("`mediaType` is missing"),
            with(|it| drop(it.remove("mediaType"))),
        ),
        attack(
            36,
            "no-content",
            "there is no envelope in the bundle",
            Malformed,
            of_bundle("`dsseEnvelope` is missing"),
            with(|it| drop(it.remove("dsseEnvelope"))),
        ),
        attack(
            36,
            "two-contents",
            "an envelope and a message signature in one bundle",
            Malformed,
            another("a message signature"),
            with(|it| {
                let digest = base64(selfsame_core::Digest::of(crate::attack::ARTIFACT_BYTES).as_bytes());
                let signature = it["dsseEnvelope"]["signatures"][0]["sig"].clone();
                let message = json!({
                    "messageDigest": {"algorithm": "SHA2_256", "digest": digest},
                    "signature": signature,
                });
                it.insert("messageSignature".to_owned(), message);
            }),
        ),
        attack(
            36,
            "no-material",
            "nothing says what verifies it",
            Malformed,
            of_bundle("`verificationMaterial` is missing"),
            with(|it| drop(it.remove("verificationMaterial"))),
        ),
        attack(36, "no-key", "the material names no key", Malformed, of_bundle("`publicKey` is missing"), {
            with(|it| drop(it["verificationMaterial"].as_object_mut().and_then(|it| it.remove("publicKey"))))
        }),
        attack(
            37,
            "hint-of-another",
            "the hint names another key than the signature",
            Malformed,
            of_bundle("is not its signature's keyid"),
            with(|it| {
                it["verificationMaterial"]["publicKey"]["hint"] = json!(keys::forger().public().key_id());
            }),
        ),
        attack(
            37,
            "keyid-of-another",
            "the signature names another key than the hint",
            Malformed,
            of_bundle("is not its signature's keyid"),
            with(|it| it["dsseEnvelope"]["signatures"][0]["keyid"] = json!(keys::forger().public().key_id())),
        ),
        attack(
            37,
            "certificate-beside-the-key",
            "a certificate lies beside the key's hint",
            Malformed,
            another("a certificate"),
            with(|it| it["verificationMaterial"]["certificate"] = json!({"rawBytes": base64(b"certificate")})),
        ),
        attack(
            37,
            "named-otherwise",
            "signed by the right key, whose name is another one here: a name decides nothing",
            Strict,
            [Yes, Yes],
            |source| {
                let mut draft = source.draft();
                draft.hint = "release key".into();
                draft.sign(&keys::signer());
                draft.into()
            },
        ),
        attack(
            36,
            "as-an-envelope",
            "an envelope without a bundle around it",
            Strict,
            [No("bundle", "`mediaType` is missing"), NotAsked],
            |source| source.bytes(selfsame_core::json::canonical_value(&source.draft().envelope())),
        ),
    ]
}
