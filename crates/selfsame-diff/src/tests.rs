mod causes;
mod fixtures;
mod images;
mod kinds;
mod robustness;
mod tools;

use selfsame_core::Level;

use crate::{Cause, ContentDifference, Known, Limits, content_lines, explain_content};

/// Explains two contents without knowing their machines.
fn explained(path: &str, a: &[u8], b: &[u8]) -> ContentDifference {
    explain_content(path, a, b, &Known::default(), &Limits::STANDARD)
}

/// What a person looks at.
fn picture(path: &str, a: &[u8], b: &[u8]) -> String {
    content_lines(&explained(path, a, b), "").join("\n")
}

#[track_caller]
fn caused(difference: &ContentDifference, cause: Cause, fixed_by: Option<Level>) {
    assert_eq!((difference.guess().cause, difference.fixed_by), (cause, fixed_by), "{difference:#?}");
}
