//! Files that hold a secret: that they differ is said, what is in them is not. A build that makes a key differs every time,
//! and what is said of it ends in logs that many read.

use crate::cause::Tally;
use crate::content::{Finding, Pair};

/// What stands in place of bytes that are not shown.
const HIDDEN: &str = "(not shown: the file holds a secret)";

/// What only files with a private key hold: PEM of any kind, PGP's armour, and OpenSSH's own form in and out of its armour.
const MARKS: [&[u8]; 4] = [b"PRIVATE KEY-----", b"PRIVATE KEY BLOCK-----", b"openssh-key-v1\0", b"b3BlbnNzaC1rZXktdjE"];

/// What files are called whose content is a secret in a form that has no mark: DER, key stores, hashed passwords.
const ENDS: [&str; 12] = [
    ".key",
    "_key",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".pkcs8",
    ".pk8",
    "id_rsa",
    "id_ed25519",
    "etc/shadow",
    "etc/gshadow",
];

/// The finding without what the files hold, where one of them holds a secret.
pub(crate) fn hide(pair: &Pair<'_>, finding: Finding) -> Finding {
    if !is_secret(pair.path, pair.a) && !is_secret(pair.path, pair.b) {
        return finding;
    }
    let mut tally = Tally::default();
    let mut places = finding.places;
    for place in &mut places {
        for shown in [&mut place.a, &mut place.b] {
            if !shown.is_empty() {
                HIDDEN.clone_into(shown);
            }
        }
        // Evidence quotes what it rests on.
        HIDDEN.clone_into(&mut place.guess.evidence);
    }
    for mut guess in finding.tally.ranked() {
        HIDDEN.clone_into(&mut guess.evidence);
        tally.add(&guess, 1);
    }
    Finding { places, tally, ..finding }
}

fn is_secret(path: &str, bytes: &[u8]) -> bool {
    let path = path.to_ascii_lowercase();
    ENDS.iter().any(|end| path.ends_with(end)) || MARKS.iter().any(|mark| holds(bytes, mark))
}

/// Looks for the mark's first byte and compares there.
fn holds(bytes: &[u8], mark: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == mark[0]) {
        rest = &rest[at..];
        if rest.starts_with(mark) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}
