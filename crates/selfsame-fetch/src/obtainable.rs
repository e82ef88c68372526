//! Whether files that are locked or pinned can still be had from where this machine gets such files. None is brought.

use std::error::Error;
use std::sync::OnceLock;

use selfsame_http::{Client, Download, HttpError, Presence};
use selfsame_lock::Part;

use crate::context::Context;
use crate::kinds::{deb, go, npm, pypi};
use crate::resolve::FetchError;
use crate::{bring, crates};

/// Whether a file can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obtainable {
    /// Somebody has it, as far as can be seen without it.
    Yes,
    /// Whoever should have it has not.
    No {
        /// The rest of a sentence about the file.
        why: String,
    },
    /// Nobody who could say was asked, or nobody said.
    Unknown {
        /// Why not.
        why: String,
    },
}

impl Obtainable {
    pub(crate) fn gone() -> Self {
        Self::No { why: "its origin does not have it any more".to_owned() }
    }

    pub(crate) fn other_bytes() -> Self {
        Self::No { why: "its origin has other bytes under that name".to_owned() }
    }

    pub(crate) fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into() }
    }
}

/// Asks for each of these parts, by the kind that its package URL names: Debian's archives, Python's indexes and npm's
/// registries by HEAD and by what their own lists say, go's proxies by HEAD, and the index of crates through cargo. A part
/// of `size` 0 is one whose size nobody knows. Gives one answer each, in their order.
///
/// # Errors
/// Only what may be better later: a network that failed, a server that was busy. What else stands in the way is an
/// [`Obtainable::Unknown`].
pub fn obtainable(parts: &[Part], cx: &Context<'_>) -> Result<Vec<Obtainable>, FetchError> {
    let why = if cx.offline { "the network may not be used" } else { "no index is asked for its kind" };
    let mut answers = vec![Obtainable::unknown(why); parts.len()];
    if cx.offline {
        return Ok(answers);
    }
    for kind in ["deb", "pypi", "npm", "golang", "cargo"] {
        let places: Vec<usize> = (0..parts.len()).filter(|&at| type_of(&parts[at]) == kind).collect();
        let of: Vec<&Part> = places.iter().map(|&at| &parts[at]).collect();
        if of.is_empty() {
            continue;
        }
        let said = match kind {
            "deb" => deb::ask(&of, cx),
            "pypi" => pypi::ask(&of, cx),
            "npm" => npm::ask(&of, cx),
            "golang" => go::ask(&of, cx),
            _ => crates::ask(&of, cx),
        };
        match said {
            Ok(said) => places.into_iter().zip(said).for_each(|(at, answer)| answers[at] = answer),
            Err(error) if is_for_later(&error) => return Err(error),
            Err(error) => places.into_iter().for_each(|at| answers[at] = Obtainable::unknown(chain(&error))),
        }
    }
    Ok(answers)
}

/// `deb` of `pkg:deb/debian/gcc@4`.
fn type_of(part: &Part) -> &str {
    part.purl.as_str().strip_prefix("pkg:").and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

fn is_for_later(error: &FetchError) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if matches!(cause.downcast_ref::<HttpError>(), Some(HttpError::Cancelled { .. })) {
            return true;
        }
        next = cause.source();
    }
    error.retry_may_help()
}

/// A fault with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

/// Asks for each part, over several connections.
pub(crate) fn each(
    parts: &[&Part],
    ask: impl Fn(&Part) -> Result<Obtainable, FetchError> + Sync,
) -> Result<Vec<Obtainable>, FetchError> {
    let answers: Vec<OnceLock<Obtainable>> = parts.iter().map(|_| OnceLock::new()).collect();
    let items: Vec<(&Part, &OnceLock<Obtainable>)> = parts.iter().copied().zip(&answers).collect();
    bring::each(&items, |(part, answer)| {
        let said = match ask(part) {
            Err(error) if !is_for_later(&error) => Obtainable::unknown(chain(&error)),
            other => other?,
        };
        _ = answer.set(said);
        Ok(())
    })?;
    let unasked = || Obtainable::unknown("it was not asked for");
    Ok(answers.into_iter().map(|answer| answer.into_inner().unwrap_or_else(unasked)).collect())
}

/// What the place of a download says about a part: nothing where it has no such file.
pub(crate) fn look(http: &Client, download: &Download<'_>, part: &Part) -> Result<Option<Obtainable>, HttpError> {
    Ok(match http.presence(download)? {
        Presence::Absent => None,
        Presence::There { size: Some(size) } if part.size != 0 && size != part.size => Some(Obtainable::other_bytes()),
        Presence::There { .. } => Some(Obtainable::Yes),
    })
}

#[cfg(test)]
mod tests;
