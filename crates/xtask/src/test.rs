//! All tests, in tiers. A test of a tier says at run time what it needs (`selfsame_testing::require`); where the
//! machine lacks it, the test says SKIPPED and passes, or fails if its tier is required.
#![expect(clippy::disallowed_methods, reason = "SELFSAME_REQUIRE is handed on")]

use std::path::Path;

use crate::command::{root, run_with, succeeds};
use crate::foreign;

/// Which tests are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    Default,
    Sandbox,
    Network,
    Foreign,
    All,
}

impl Tier {
    const NAMED: [(Self, &str); 5] = [
        (Self::Default, "default"),
        (Self::Sandbox, "sandbox"),
        (Self::Network, "network"),
        (Self::Foreign, "foreign"),
        (Self::All, "all"),
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|(_, name)| *name == text).map(|(tier, _)| tier)
    }

    fn name(self) -> &'static str {
        Self::NAMED.into_iter().find(|(tier, _)| *tier == self).map_or("", |(_, name)| name)
    }
}

/// Tests of a tier begin with its name, or stand in a module or test binary that does.
const OTHER_TIERS: [&str; 6] = ["sandbox_", "sandbox::", "network_", "network::", "foreign_", "foreign::"];

/// Where nextest writes what tests said: its own folder, `store.dir`, and the name in `.config/nextest.toml`.
const REPORT: &str = "target/nextest/default/junit.xml";

/// Runs the tests of a tier, or all that this machine can run.
pub(crate) fn test(tier: Option<Tier>) -> Result<(), String> {
    let required = match (std::env::var("SELFSAME_REQUIRE"), tier) {
        (Ok(required), _) if !required.is_empty() => required,
        (_, Some(tier)) if tier != Tier::Default => tier.name().to_owned(),
        _ => String::new(),
    };
    let needs_foreign = required.split(',').any(|word| matches!(word.trim(), "foreign" | "all"));
    let mut environment = vec![("SELFSAME_REQUIRE", required)];
    environment.extend(foreign::prepare(needs_foreign)?);

    if succeeds("cargo", &["nextest", "--version"]) {
        let mut arguments = vec!["nextest", "run", "--workspace"];
        let without = "not (test(/(^|::)(sandbox|network|foreign)(_|::)/) or binary(/^(sandbox|network|foreign)/))";
        if tier == Some(Tier::Default) {
            arguments.extend(["--filterset", without]);
        }
        let report = root().join(REPORT);
        let _ = std::fs::remove_file(&report);
        let done = run_with("cargo", &arguments, &environment);
        print_skipped(&report);
        return done;
    }
    let mut arguments = vec!["test", "--workspace", "--no-fail-fast"];
    if tier == Some(Tier::Default) {
        arguments.push("--");
        arguments.extend(OTHER_TIERS.iter().flat_map(|name| ["--skip", name]));
    }
    run_with("cargo", &arguments, &environment)
}

/// nextest keeps what passing tests said to itself; the tests that were skipped must not be silent.
fn print_skipped(report: &Path) {
    let Ok(report) = std::fs::read_to_string(report) else { return };
    let mut skipped: Vec<String> = report.lines().filter_map(skip_line).collect();
    skipped.sort();
    skipped.dedup();
    for line in skipped {
        eprintln!("{line}");
    }
}

fn skip_line(line: &str) -> Option<String> {
    let start = line.find("SKIPPED ").or_else(|| line.find("skipped: "))?;
    let text = &line[start..];
    let text = text.split("</").next().unwrap_or(text);
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#10;", " "), ("&amp;", "&")];
    Some(entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_have_one_name_each() {
        for (tier, name) in Tier::NAMED {
            assert_eq!(Tier::parse(name), Some(tier));
            assert_eq!(tier.name(), name);
        }
        assert_eq!(Tier::parse("everything"), None);
    }

    #[test]
    fn skips_are_read_out_of_the_report() {
        let line = "<system-err>SKIPPED a::b (x.rs:1:2): tier `foreign`: no `podman` &amp; co</system-err>";
        assert_eq!(skip_line(line).unwrap(), "SKIPPED a::b (x.rs:1:2): tier `foreign`: no `podman` & co");
        assert_eq!(skip_line("<system-out>running 1 test"), None);
    }
}
