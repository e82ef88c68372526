//! Licence texts of packages, which are SPDX expressions, old spellings of them, or neither.

use spdx::Expression;

/// What a package says about its licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum License {
    /// A valid SPDX expression: `MIT OR Apache-2.0`.
    Expression(String),
    /// Any other text, kept as a name.
    Name(String),
}

/// Reads a licence text: a valid expression is kept as it is, an old spelling is normalised (`MIT/Apache-2.0`,
/// `GPL-2.0`, `gpl-3.0+`, `Apache 2.0`), and what remains is a name. Nothing for white space.
#[must_use]
pub fn license(text: &str) -> Option<License> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if valid(text) {
        return Some(License::Expression(text.to_owned()));
    }
    // Only words that stand in the SPDX list come out of `canonicalize`, so a wrong guess is still an expression of
    // real licences; it is taken only if the strict parser agrees.
    match Expression::canonicalize(text) {
        Ok(Some(expression)) if valid(&expression) => Some(License::Expression(expression)),
        _ => Some(License::Name(text.to_owned())),
    }
}

fn valid(text: &str) -> bool {
    Expression::parse(text).is_ok()
}
