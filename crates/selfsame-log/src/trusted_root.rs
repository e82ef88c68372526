//! The file that tells Sigstore's own verifiers whom to trust.

use selfsame_core::{Day, json};
use serde_json::{Value, json};

use crate::base64;
use crate::key::LogKey;

/// The media type of the file.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/// Begins before every bundle: who says no validity has one all the same.
const START: &str = "1970-01-01T00:00:00Z";

/// A log that is trusted, and in which days.
#[derive(Clone, Copy, Debug)]
pub struct RootLog<'a> {
    /// Its name and key.
    pub key: &'a LogKey,
    /// The first day.
    pub from: Option<Day>,
    /// The last day.
    pub until: Option<Day>,
}

/// A time stamp authority that is trusted, and in which days.
#[derive(Clone, Debug)]
pub struct RootAuthority<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Its certificates in DER, the one that signs first.
    pub certificates: Vec<&'a [u8]>,
    /// The first day.
    pub from: Option<Day>,
    /// The last day.
    pub until: Option<Day>,
}

impl<'a> RootLog<'a> {
    /// A log whose key is its own whenever it is asked.
    #[must_use]
    pub const fn new(key: &'a LogKey) -> Self {
        Self { key, from: None, until: None }
    }
}

/// `trusted_root.json` in canonical JSON: these logs and time stamp authorities, and nobody who certifies keys. A verifier
/// with it needs the signer's public key, too.
#[must_use]
pub fn trusted_root(logs: &[RootLog<'_>], authorities: &[RootAuthority<'_>]) -> Vec<u8> {
    let log = |log: &RootLog<'_>| {
        let id = json!({ "keyId": base64::encode(log.key.log_id().as_bytes()) });
        json!({
            // sigstore-js looks for the name of the signature in here.
            "baseUrl": format!("https://{}", log.key.origin()),
            "checkpointKeyId": id,
            "hashAlgorithm": "SHA2_256",
            "logId": id,
            "publicKey": {
                "keyDetails": log.key.details(),
                "rawBytes": base64::encode(&log.key.to_spki()),
                "validFor": valid_for(log.from, log.until),
            },
        })
    };
    let authority = |authority: &RootAuthority<'_>| {
        let certificate = |der: &&[u8]| json!({ "rawBytes": base64::encode(der) });
        let certificates: Vec<Value> = authority.certificates.iter().map(certificate).collect();
        json!({
            "certChain": { "certificates": certificates },
            "subject": { "commonName": authority.name, "organization": "" },
            "uri": "",
            "validFor": valid_for(authority.from, authority.until),
        })
    };
    json::canonical(&json!({
        "certificateAuthorities": [],
        "ctlogs": [],
        "mediaType": MEDIA_TYPE,
        "timestampAuthorities": authorities.iter().map(authority).collect::<Vec<_>>(),
        "tlogs": logs.iter().map(log).collect::<Vec<_>>(),
    }))
}

/// From the first second of a day to the last one of another.
fn valid_for(from: Option<Day>, until: Option<Day>) -> Value {
    let start = from.map_or_else(|| START.to_owned(), |from| format!("{from}T00:00:00Z"));
    match until {
        Some(until) => json!({ "end": format!("{until}T23:59:59Z"), "start": start }),
        None => json!({ "start": start }),
    }
}
