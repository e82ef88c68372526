//! Words that look like secrets, which no release may carry: provenance is public and signed for good.

use selfsame_definition::{Command, Definition};

/// A value in a definition that looks like a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretLike {
    /// Where it stands: `action compile, env GITHUB_TOKEN`.
    pub place: String,
    /// Why it was taken for one.
    pub why: &'static str,
}

/// Beginnings that only credentials have, each with its name.
const PREFIXES: &[(&str, &str)] = &[
    ("ghp_", "begins like a GitHub token"),
    ("gho_", "begins like a GitHub token"),
    ("ghs_", "begins like a GitHub token"),
    ("github_pat_", "begins like a GitHub token"),
    ("glpat-", "begins like a GitLab token"),
    ("xoxb-", "begins like a Slack token"),
    ("xoxp-", "begins like a Slack token"),
    ("AKIA", "begins like an AWS access key id"),
    ("ASIA", "begins like an AWS access key id"),
    ("sk_live_", "begins like a Stripe key"),
    ("npm_", "begins like an npm token"),
    ("pypi-AgE", "begins like a PyPI token"),
    ("eyJhbGciOi", "begins like a JSON web token"),
];

/// Parts of variable names that say what their value is.
const NAMES: &[&str] =
    &["TOKEN", "PASSWORD", "PASSWD", "SECRET", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIALS"];

/// Every place in the definition whose value would end in the signed provenance or in the image's config and looks
/// like a secret, in the order of the file.
#[must_use]
pub fn secrets_in(definition: &Definition) -> Vec<SecretLike> {
    let mut found = Vec::new();
    let mut look = |place: String, name: Option<&str>, value: &str| {
        if let Some(why) = name.and_then(|name| named(name, value)).or_else(|| shaped(value)) {
            found.push(SecretLike { place, why });
        }
    };
    for action in &definition.actions {
        let name = &action.name;
        for (variable, value) in &action.env {
            look(format!("action {name}, env {variable}"), Some(variable), value);
        }
        match &action.command {
            Command::Argv(words) | Command::Cargo(words) => {
                for (index, word) in words.iter().enumerate() {
                    let (variable, value) = word.split_once('=').map_or((None, word.as_str()), |(n, v)| (Some(n), v));
                    look(format!("action {name}, argument {}", index + 1), variable, value);
                }
            }
            Command::Script(text) => {
                for (index, line) in text.lines().enumerate() {
                    for word in line.split(|c: char| c.is_whitespace() || "'\";".contains(c)) {
                        let (variable, value) = word.split_once('=').map_or((None, word), |(n, v)| (Some(n), v));
                        look(format!("action {name}, script line {}", index + 1), variable, value);
                    }
                }
            }
        }
    }
    for (variable, value) in &definition.image.env {
        look(format!("image env {variable}"), Some(variable), value);
    }
    for (label, value) in &definition.image.labels {
        look(format!("image label {label}"), None, value);
    }
    found
}

/// A name that says so, with a value that could be one: not empty, not a path, not a reference to another variable.
fn named(name: &str, value: &str) -> Option<&'static str> {
    let name = name.trim_start_matches('-').to_ascii_uppercase().replace('-', "_");
    let says_so = NAMES.iter().any(|part| name.ends_with(part));
    let could_be = value.len() >= 6 && !value.starts_with(['/', '$', '.']) && !value.contains(' ');
    (says_so && could_be).then_some("its name says so")
}

fn shaped(value: &str) -> Option<&'static str> {
    if value.contains("-----BEGIN ") && value.contains("PRIVATE KEY") {
        return Some("holds a private key");
    }
    if let Some((_, rest)) = value.split_once("://")
        && let Some((user, _)) = rest.split('/').next().unwrap_or_default().split_once('@')
        && user.contains(':')
    {
        return Some("is a URL with a password in it");
    }
    PREFIXES.iter().find(|(prefix, _)| value.starts_with(prefix) && value.len() >= 16).map(|&(_, why)| why)
}
