//! Joined releases as `verify` shows them.

use std::num::NonZeroUsize;
use std::path::Path;

use selfsame_core::Platform;
use selfsame_verify::{Class, Depth, Expectations, JoinedVerdict, Options, ReleaseFiles, Trust, Verdict};
use serde_json::{Value, json};

use super::verify;
use crate::cli::Verify;
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::terminal;

/// The verdict on a joined release: what joins it, then each part as it would be shown alone.
pub(super) fn show(joined: &JoinedVerdict, arguments: &Verify) -> Answer {
    let exit = match joined.class() {
        Class::Verified => Exit::Yes,
        Class::NotVerified => Exit::No,
        Class::Unanswered => Exit::Unanswered,
    };
    if arguments.json {
        let part = |(platform, verdict): &(Platform, Verdict)| {
            let verdict: Value = serde_json::from_str(&verdict.to_json()).unwrap_or_default();
            json!({ "platform": platform.to_string(), "verdict": verdict })
        };
        let body = json!({
            "class": match exit { Exit::Yes => "verified", Exit::No => "not-verified", _ => "unanswered" },
            "faults": joined.faults,
            "image": joined.index,
            "name": joined.name,
            "parts": joined.parts.iter().map(part).collect::<Vec<_>>(),
            "releaseId": joined.release_id,
        });
        terminal::data(&with_schema("https://selfsame.dev/joined-verdict/v1", &body));
        return Ok(exit);
    }
    if arguments.print_digest && exit == Exit::Yes {
        terminal::data(&printable(&format!("{}@{}", joined.name, joined.index)));
        return Ok(exit);
    }
    let shown = arguments.release.display();
    let mut text = match (exit, joined.faults.first()) {
        (Exit::Yes, _) => format!("verified: `{shown}`, {} platforms\n", joined.parts.len()),
        (_, Some(fault)) => format!("not verified: {}\n", printable(fault)),
        (Exit::No, None) => format!("not verified: a part of `{shown}`\n"),
        (_, None) => format!("not answered: `{shown}`\n"),
    };
    text += &format!("  image    {}\n", joined.index);
    if let Some(release_id) = joined.release_id {
        text += &format!("  release  {release_id}\n");
    }
    for (platform, verdict) in &joined.parts {
        text += &format!("\n{platform}, {}", verify::text(verdict, &arguments.release));
    }
    if arguments.print_digest {
        terminal::talk(&text)
    } else {
        terminal::data(&text)
    }
    Ok(exit)
}

/// A joined release has no one build that could be done again.
pub(super) fn refuse(files: &dyn ReleaseFiles, release: &Path) -> Answer<()> {
    let (depth, threads) = (Depth::Evidence, NonZeroUsize::MIN);
    let options = Options { depth, expect: Expectations::default(), threads };
    match selfsame_verify::verify_joined(files, &Trust::default(), &options) {
        None => Ok(()),
        Some(joined) => {
            let fault =
                format!("`{}` joins {} releases, which were built apart", release.display(), joined.parts.len());
            Err(Report::new(Exit::Unanswered, fault)
                .consequence("Nothing was built.")
                .hint("rebuild each of the releases that it was joined from; `selfsame verify` names their images")
                .into())
        }
    }
}
