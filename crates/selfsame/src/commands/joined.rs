//! Joined releases as `verify` shows them.

use std::path::Path;

use selfsame_core::Platform;
use selfsame_registry::Reference;
use selfsame_verify::{JoinedCheck, JoinedVerdict, Verdict};
use serde_json::{Value, json};

use super::verify;
use crate::cli::Verify;
use crate::remote;
use crate::report::{Answer, Exit, printable, with_schema};
use crate::terminal;

/// The verdict on a joined release: what joins it, then each part as it would be shown alone.
pub(super) fn show(
    joined: &JoinedVerdict,
    reference: Option<&Reference>,
    arguments: &Verify,
    release: &Path,
) -> Answer {
    let exit = verify::exit_of(joined.class());
    if arguments.json {
        terminal::data(&self::json(joined));
        return Ok(exit);
    }
    if arguments.print_digest && exit == Exit::Yes {
        let index = joined.index.map(|index| index.to_string()).unwrap_or_default();
        let by_name = format!("{}@{index}", joined.name);
        let by_digest = reference.zip(joined.index).map(|(reference, index)| remote::by_digest(reference, index));
        terminal::data(&printable(&by_digest.unwrap_or(by_name)));
    } else if arguments.print_digest {
        terminal::talk(&text(joined, exit, release));
    } else {
        terminal::data(&text(joined, exit, release));
    }
    Ok(exit)
}

/// The same for programs.
pub(super) fn json(joined: &JoinedVerdict) -> String {
    let part = |(platform, verdict): &(Platform, Verdict)| {
        let verdict: Value = serde_json::from_str(&verdict.to_json()).unwrap_or_default();
        json!({ "platform": platform.to_string(), "verdict": verdict })
    };
    let body = json!({
        "checks": joined.checks.iter().map(JoinedCheck::to_json).collect::<Vec<_>>(),
        "class": joined.class().as_str(),
        "faults": joined.faults().collect::<Vec<_>>(),
        "image": joined.index,
        "name": joined.name,
        "parts": joined.parts.iter().map(part).collect::<Vec<_>>(),
        "policies": joined.policies_json(),
        "releaseId": joined.release_id,
        "unlisted": joined
            .unlisted
            .iter()
            .map(|it| json!({ "file": it.file, "predicateType": it.predicate_type, "note": it.note }))
            .collect::<Vec<_>>(),
    });
    with_schema("https://selfsame.dev/joined-verdict/v1", &body)
}

/// Headline, what joins the platforms, then each as it would be shown alone.
pub(super) fn text(joined: &JoinedVerdict, exit: Exit, release: &Path) -> String {
    let shown = release.display();
    let mut text = match (exit, joined.faults().next()) {
        (Exit::Yes, _) => format!("verified: `{shown}`, {} platforms\n", joined.parts.len()),
        (_, Some(fault)) => format!("not verified: {}\n", printable(fault)),
        (_, None) => format!("not answered: `{shown}`\n"),
    };
    for (label, digest) in [("image", joined.index), ("release", joined.release_id)] {
        if let Some(digest) = digest {
            text += &format!("  {label:<7}  {digest}\n");
        }
    }
    for check in &joined.checks {
        text += &verify::row(&check.outcome, check.title, &check.facts);
    }
    for unlisted in &joined.unlisted {
        text += &format!("  unlisted, not used: {} ({})\n", printable(&unlisted.file), printable(&unlisted.note));
    }
    for (platform, verdict) in &joined.parts {
        text += &format!("\n{platform}, {}", verify::text(verdict, release));
    }
    text
}
