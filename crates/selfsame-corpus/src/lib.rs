//! Attacks on verifiers, as folders of files: forged bundles and releases, and good ones beside them.
//!
//! ```text
//! cases() -> Vec<Case { name, question, expected answer, files }>
//! ```
//!
//! Made from fixed keys and nothing else, so that every program makes the same: no file is read, no clock, no random
//! number. What is done with the cases is the caller's; docs/selftest.md is the page for readers.
#![forbid(unsafe_code)]

mod attack;
mod bundle;
mod content;
mod control;
mod der;
mod draft;
mod elsewhere;
mod json;
mod key;
mod keys;
mod layer;
mod log;
mod logged;
mod oci;
mod platforms;
mod process;
mod release;
mod set;
mod signature;
mod subject;
mod trust;
mod types;

pub mod case;

pub use case::{Believed, Case, Class, Content, Expected, Grounds, Judged, Question};
pub use elsewhere::{ELSEWHERE, Elsewhere};

/// Every case, by class, and within a class by name.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut cases = control::cases();
    for (class, attacks) in [
        (Class::Signature, signature::attacks()),
        (Class::Types, types::attacks()),
        (Class::Subject, subject::attacks()),
        (Class::Json, json::attacks()),
        (Class::Bundle, bundle::attacks()),
        (Class::Content, content::attacks()),
    ] {
        cases.extend(attack::cases(class, attacks));
    }
    cases.extend(types::summary_cases());
    cases.push(subject::a_million());
    cases.extend(json::endless());
    cases.extend(logged::cases());
    for more in [key::cases(), trust::cases(), set::cases(), content::cases(), oci::cases(), layer::cases()] {
        cases.extend(more);
    }
    cases.extend(platforms::cases());
    cases.extend(process::cases());
    cases.sort_by(|one, other| (one.class, &one.name).cmp(&(other.class, &other.name)));
    cases
}
