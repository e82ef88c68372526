//! One signed document in pieces, so that each of them can be another than it should.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use selfsame_attest::{Signer as _, SigningKey, Statement, pae};
use selfsame_core::{Digest, json, media};
use selfsame_log::Body;
use serde_json::{Map, Value, json};

use crate::{keys, log};

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A bundle before it is written.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) payload_type: String,
    pub(crate) payload: Vec<u8>,
    /// Key ids and signatures.
    pub(crate) signatures: Vec<(String, Vec<u8>)>,
    pub(crate) hint: String,
    /// Whether it carries an entry of the trusted log about its first signature.
    pub(crate) logged: bool,
}

impl Draft {
    /// This payload, signed by the trusted key.
    pub(crate) fn of(payload: impl Into<Vec<u8>>) -> Self {
        Self::typed(media::IN_TOTO, payload)
    }

    /// This statement, signed by the trusted key.
    pub(crate) fn statement(statement: &Statement) -> Self {
        Self::of(statement.to_payload())
    }

    /// This payload under this type, signed by the trusted key.
    pub(crate) fn typed(payload_type: &str, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        let mut draft = Self {
            payload_type: payload_type.to_owned(),
            payload,
            signatures: Vec::new(),
            hint: keys::signer().public().key_id(),
            logged: false,
        };
        draft.sign(&keys::signer());
        draft
    }

    pub(crate) fn logged(self, logged: bool) -> Self {
        Self { logged, ..self }
    }

    pub(crate) fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// Replaces the signatures by one of this key over the right bytes. The key id stays that of the trusted key.
    pub(crate) fn sign(&mut self, key: &SigningKey) {
        let signature = signed(key, &self.pae());
        self.signatures = vec![(self.hint.clone(), signature)];
    }

    /// The first signature.
    pub(crate) fn signature(&mut self) -> &mut Vec<u8> {
        &mut self.signatures[0].1
    }

    pub(crate) fn envelope(&self) -> Value {
        let signature = |(key_id, signature): &(String, Vec<u8>)| json!({"keyid": key_id, "sig": base64(signature)});
        json!({
            "payload": base64(&self.payload),
            "payloadType": self.payload_type,
            "signatures": self.signatures.iter().map(signature).collect::<Vec<_>>(),
        })
    }

    /// What the log would hold of it.
    pub(crate) fn body(&self) -> Body {
        let signature = self.signatures.first().map(|(_, signature)| signature.clone()).unwrap_or_default();
        Body { is_dsse: false, digest: Digest::of(&self.pae()), signature, key: keys::signer().public().to_spki() }
    }

    pub(crate) fn to_json(&self) -> Value {
        let entries = if self.logged { vec![log::entry(&self.body()).to_json()] } else { Vec::new() };
        json!({
            "dsseEnvelope": self.envelope(),
            "mediaType": media::BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": self.hint}, "tlogEntries": entries},
        })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        json::canonical_value(&self.to_json())
    }

    /// The bundle after its JSON was changed.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Vec<u8> {
        let mut value = self.to_json();
        change(value.as_object_mut().expect("a bundle is an object"));
        json::canonical_value(&value)
    }

    /// The bundle after its text was changed.
    pub(crate) fn respelled(&self, from: &str, to: &str) -> Vec<u8> {
        let text = String::from_utf8(self.to_bytes()).expect("JSON is UTF-8");
        assert!(text.contains(from), "a bundle has `{from}`");
        text.replacen(from, to, 1).into_bytes()
    }
}

pub(crate) fn signed(key: &SigningKey, message: &[u8]) -> Vec<u8> {
    key.sign(message).expect("a key in memory signs")
}
