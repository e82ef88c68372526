//! What a registry says when it refuses: `{"errors":[{"code":"DENIED","message":"..."}]}` (distribution-spec, "Error
//! Codes").

use std::io::Read;

use serde::Deserialize;

/// More of an error's body is not read.
const BODY_BYTES: u64 = 64 * 1024;
/// More of a message is not shown.
const SHOWN: usize = 200;

#[derive(Deserialize)]
struct Body {
    errors: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: Option<String>,
}

/// ` DENIED: requested access to the resource is denied`, or nothing. A message that repeats one of `secrets` is left out.
pub(crate) fn said(body: &mut dyn Read, secrets: &[&str]) -> String {
    let mut bytes = Vec::new();
    if body.take(BODY_BYTES).read_to_end(&mut bytes).is_err() {
        return String::new();
    }
    let Ok(Body { errors }) = serde_json::from_slice(&bytes) else { return String::new() };
    let Some(Item { code, message }) = errors.into_iter().next() else { return String::new() };
    let message = message.unwrap_or_default();
    let mut text = code;
    if !message.is_empty() {
        text = if text.is_empty() { message } else { format!("{text}: {message}") };
    }
    if text.is_empty() || secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret)) {
        return String::new();
    }
    format!(" {}", text.chars().take(SHOWN).flat_map(char::escape_debug).collect::<String>())
}
