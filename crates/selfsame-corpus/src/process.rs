//! Questions that cannot be put, and answers to another question than was asked.

use std::collections::BTreeMap;

use selfsame_core::Digest;
use selfsame_oci::layout;

use crate::attack::Answer::{self, No, Unanswered};
use crate::attack::{file_case, release_case};
use crate::case::Grounds::{Content as InContent, Malformed};
use crate::case::{Believed, Case, Class, KEY, TRUST};
use crate::release::{NAME, Parts};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = nobody();
    cases.extend(expectations());
    cases
}

/// Nobody to believe, or nothing to believe.
fn nobody() -> Vec<Case> {
    const CLASS: Class = Class::Process;
    let parts = Parts::good();
    let release = parts.release();
    let with_trust = |name: &str, says: &str, text: &str, answer: Answer| {
        let mut case = release_case(64, CLASS, name, says, Malformed, answer, &release);
        case.question.believed = Believed::TrustFile { at: "2026-11-20" };
        case.files.remove(KEY);
        case.files.insert(TRUST.to_owned(), text.as_bytes().to_vec().into());
        case
    };
    let mut unkeyed =
        release_case(64, CLASS, "no-key", "a release, and no key to believe", Malformed, NO_KEY, &release);
    unkeyed.question.believed = Believed::Nobody;
    // The image, as a tool leaves it that copies images and knows nothing of what refers to them.
    let (_, image) = parts.image();
    let mut bare = release.clone();
    bare.insert(layout::INDEX_FILE.into(), layout::index_file(&image, NAME, &[]).bytes);
    vec![
        unkeyed,
        file_case(64, CLASS, "no-key", "a bundle, and no key to believe", Malformed, NO_KEY, |question, _| {
            question.believed = Believed::Nobody;
        }),
        file_case(
            64,
            CLASS,
            "empty-key",
            "the key is an empty file",
            Malformed,
            Unanswered("", "is empty"),
            |_, files| {
                files.insert(KEY.to_owned(), Vec::new().into());
            },
        ),
        file_case(
            64,
            CLASS,
            "blank-key",
            "the key is a line end",
            Malformed,
            Unanswered("", "is empty"),
            |_, files| {
                files.insert(KEY.to_owned(), b"\n".to_vec().into());
            },
        ),
        with_trust(
            "trust-without-keys",
            "a trust file that names nobody",
            "version = 1\nserial = 1\n",
            Unanswered("trust", "the trust file has no key"),
        ),
        with_trust("empty-trust", "the trust file is empty", "", Unanswered("", "`version`")),
        with_trust(
            "trust-of-a-later-version",
            "a trust file of a version that nobody knows",
            "version = 2\nserial = 1\n",
            Unanswered("", "version 2 of trust files is not known"),
        ),
        with_trust(
            "trust-with-an-unknown-field",
            "a trust file with a field that nobody knows",
            "version = 1\nserial = 1\ntrust-everybody = true\n",
            Unanswered("", "`trust-everybody`"),
        ),
        release_case(
            64,
            CLASS,
            "no-evidence",
            "an image to which nothing refers",
            Malformed,
            No("signatures", "no evidence document has a signature by a trusted key"),
            &bare,
        ),
    ]
}

const NO_KEY: Answer = Unanswered("trust", "no trusted key was given");

/// What was asked for, and what is there.
fn expectations() -> Vec<Case> {
    let release = Parts::good().release();
    let other = Digest::of(b"another image");
    let wanted = BTreeMap::from([
        ("image", (68, other.to_string(), "the image's digest is not the one that was asked for")),
        ("name", (47, "world".to_owned(), "a good release of another name")),
        ("version", (47, "2.0.0".to_owned(), "an older good release in place of the one that was asked for")),
        ("source-digest", (68, other.hex(), "a good release of another source")),
        ("builder", (49, "https://example.com/builder".to_owned(), "a good release by another builder")),
        ("relaxations", (49, "aslr".to_owned(), "a build without the relaxation that was expected")),
    ]);
    wanted
        .into_iter()
        .map(|(name, (item, value, says))| {
            let (row, because) = match name {
                "relaxations" => ("relaxations", "other relaxations than those accepted"),
                _ => ("expectations", "is another one than expected"),
            };
            let case_name = format!("expected-{name}");
            let mut case = release_case(item, Class::Process, &case_name, says, InContent, No(row, because), &release);
            case.question.expect.push(format!("{name}={value}"));
            case
        })
        .collect()
}
