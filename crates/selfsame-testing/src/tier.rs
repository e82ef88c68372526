//! Tests that want more of the machine than others: named, and skipped aloud.

use std::fmt;

/// What a test needs beside the default: no network, no root, no other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// User namespaces with mounts; root, for those that say so.
    Sandbox,
    /// The internet, or a package registry.
    Network,
    /// Other people's tools: podman, skopeo, cosign, ...
    Foreign,
}

impl Tier {
    /// As it stands in `SELFSAME_REQUIRE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Network => "network",
            Self::Foreign => "foreign",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a test of `tier` can go on. `ability` says what the machine answered: `Err` with the reason it lacks it.
///
/// Where it cannot, a line on stderr says so and the test should return; it is a failure where `SELFSAME_REQUIRE`, a
/// list with commas, names the tier or `all`.
///
/// # Panics
/// There.
#[must_use]
#[track_caller]
pub fn require(tier: Tier, ability: Result<(), String>) -> bool {
    let Err(why) = ability else { return true };
    let required = std::env::var("SELFSAME_REQUIRE").unwrap_or_default();
    let here = here();
    assert!(!names(&required, tier), "{here} needs tier `{tier}`, which is required here, and {why}");
    skip_line(&format!("SKIPPED {here}: tier `{tier}`: {why}\n"));
    false
}

/// Says on stderr that a test cannot go on here. For what no `SELFSAME_REQUIRE` can ask of a machine, a daemon that
/// answers for one; the test should return.
#[track_caller]
pub fn skip(why: &str) {
    skip_line(&format!("SKIPPED {}: {why}\n", here()));
}

/// The running test and the line that asks.
#[track_caller]
fn here() -> String {
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    format!("{test} ({})", std::panic::Location::caller())
}

/// Straight to the file descriptor: the test harness swallows what `eprintln!` says in a test that passes.
fn skip_line(line: &str) {
    use std::io::Write;
    // With no stderr there is nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn names(required: &str, tier: Tier) -> bool {
    required.split(',').map(str::trim).any(|word| word == "all" || word == tier.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_list() {
        assert!(names("sandbox", Tier::Sandbox));
        assert!(names("network, sandbox", Tier::Sandbox));
        assert!(names("all", Tier::Foreign));
        assert!(!names("", Tier::Sandbox));
        assert!(!names("sandboxes,network", Tier::Sandbox));
    }
}
