//! What the trust asks for beside a signature: a least level, a floor under versions, a number of voices.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use selfsame_attest::text::quote;
use selfsame_attest::{Provenance, PublicKey, RebuildStatement, RebuildVerdict, Statement};
use selfsame_core::{Day, Digest, Level};

use super::provenance::external;
use crate::rows::Rows;
use crate::trust::{Floor, Signed, Trust, TrustedKey};
use crate::verdict::{CheckId, Fact, Outcome};
use crate::verified::Evidence;

/// The rows `level` and `rollback`.
pub(super) fn check(trust: &Trust, evidence: &Evidence, rows: &mut Rows) {
    for (id, (outcome, facts)) in [
        (CheckId::Level, level(trust, &evidence.provenance)),
        (CheckId::Rollback, rollback(trust, &evidence.provenance)),
    ] {
        match outcome {
            Outcome::Passed => rows.pass(id, facts),
            Outcome::Failed { reason } => rows.fail(id, reason, facts),
            Outcome::NotPerformed { reason } => rows.excuse(id, reason),
        }
    }
}

/// An outcome, and what it rests on.
pub(crate) type Found = (Outcome, Vec<Fact>);

fn not_asked(reason: &str) -> Found {
    (Outcome::NotPerformed { reason: reason.to_owned() }, Vec::new())
}

/// The row `level`, of provenance alone.
pub(crate) fn level(trust: &Trust, provenance: &Provenance) -> Found {
    let Some(minimum) = trust.minimum_level else { return not_asked("the trust asks for no level") };
    let achieved = provenance.build_definition.internal_parameters.get("level").and_then(Value::as_str);
    let facts = vec![Fact::new("asked for", minimum.name()), Fact::new("achieved", quote(achieved.unwrap_or("none")))];
    match achieved.and_then(|level| level.parse::<Level>().ok()) {
        Some(level) if level >= minimum => (Outcome::Passed, facts),
        _ => {
            let reason = "the build achieved a lower level than the trust asks for".to_owned();
            (Outcome::Failed { reason }, facts)
        }
    }
}

/// The row `rollback`, of provenance alone.
pub(crate) fn rollback(trust: &Trust, provenance: &Provenance) -> Found {
    let signed = |field| external(provenance, field).unwrap_or_default();
    let (name, version) = (signed("name"), signed("version"));
    let Some(floor) = trust.floors.iter().find(|floor| floor.name == name) else {
        return not_asked("the trust has no floor under releases of this name");
    };
    let epoch = provenance.build_definition.internal_parameters.get("epoch").and_then(Value::as_u64);
    let mut facts = vec![Fact::new("version", quote(version))];
    facts.extend(epoch.map(|epoch| Fact::new("epoch", epoch.to_string())));
    facts.extend(floor.version.iter().map(|least| Fact::new("least version", quote(least))));
    facts.extend(floor.epoch.map(|least| Fact::new("least epoch", least.to_string())));
    match below(floor, version, epoch) {
        None => (Outcome::Passed, facts),
        Some(reason) => (Outcome::Failed { reason }, facts),
    }
}

/// Why a release is below its floor.
fn below(floor: &Floor, version: &str, epoch: Option<u64>) -> Option<String> {
    if let Some(least) = &floor.version {
        match compared(version, least) {
            None => return Some("the version and the least version of the trust cannot be put in an order".to_owned()),
            Some(Ordering::Less) => return Some("the release is older than the least version of the trust".to_owned()),
            Some(_) => {}
        }
    }
    match (floor.epoch, epoch) {
        (Some(_), None) => Some("the release says no source epoch, and the trust asks for one".to_owned()),
        (Some(least), Some(epoch)) if epoch < least => {
            Some("the release's source is older than the least epoch of the trust".to_owned())
        }
        _ => None,
    }
}

/// Which of two versions is older: numbers with dots between them; behind `-` what comes before the release itself;
/// behind `+` nothing that counts (semver.org, rule 11, for any count of numbers).
fn compared(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (Version::parse(left)?, Version::parse(right)?);
    Some(left.numbers.cmp(&right.numbers).then_with(|| match (left.before.is_empty(), right.before.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => left.before.cmp(&right.before),
    }))
}

struct Version {
    /// Without the zeros at the end.
    numbers: Vec<u64>,
    before: Vec<Identifier>,
}

/// A number is before a word.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (numbers, before) = text.split_once('-').map_or((text, None), |(numbers, before)| (numbers, Some(before)));
        let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u64>().ok()).flatten();
        let mut numbers = numbers.split('.').map(number).collect::<Option<Vec<u64>>>()?;
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        let identifier = |part: &str| {
            (!part.is_empty())
                .then(|| number(part).map_or_else(|| Identifier::Word(part.to_owned()), Identifier::Number))
        };
        let before = before.map_or(Some(Vec::new()), |before| before.split('.').map(identifier).collect())?;
        Some(Self { numbers, before })
    }
}

/// What a trusted key signed of a rebuild, and the day on which logs or authorities saw it.
pub(crate) type SignedRebuild<'a> = (&'a TrustedKey, Statement, Option<Day>);

/// Who rebuilt the release to the same bytes, by who they are: a key's name for each identity.
///
/// The release's own signer is nobody here: it has said so already. `signed` are statements by trusted keys; `image` is
/// that of the release, or the index of one for several platforms.
pub(crate) fn rebuilders<'a>(
    signed: impl IntoIterator<Item = SignedRebuild<'a>>,
    image: Digest,
    release_id: Digest,
    signer: &PublicKey,
) -> BTreeMap<String, String> {
    let mut rebuilders = BTreeMap::new();
    for (key, statement, by) in signed {
        let stands = key.standing.counts(Signed { release: None, by }).is_ok();
        let counts = key.may_sign(&statement.predicate_type) && stands;
        let Ok(rebuild) = statement.predicate_as::<RebuildStatement>() else { continue };
        let compared = rebuild.compared.iter().any(|it| it.name == "image");
        let equal = rebuild.compared.iter().all(|it| it.original == it.rebuilt);
        let same = rebuild.verdict == RebuildVerdict::Same && compared && equal && rebuild.rebuilt == Some(image);
        let ours = rebuild.release_id == release_id && rebuild.original == image;
        if counts && same && ours && statement.is_about(image) && key.key != *signer {
            rebuilders.entry(key.identity.clone()).or_insert_with(|| key.name.clone());
        }
    }
    rebuilders
}

/// Who vouches for an image.
pub(super) struct Voices<'a> {
    /// Who signed a whole release that stands, by identity: the key's name.
    pub(super) signed: BTreeMap<&'a str, &'a str>,
    /// Who signed one that does not, and why.
    pub(super) fallen: Vec<(&'a str, String)>,
    /// Who rebuilt it, by identity.
    pub(super) rebuilt: BTreeMap<String, String>,
}

/// The `threshold` row.
pub(super) fn threshold(trust: &Trust, voices: &Voices<'_>, rows: &mut Rows) {
    const ID: CheckId = CheckId::Threshold;
    let mut facts: Vec<Fact> = voices
        .signed
        .iter()
        .map(|(identity, name)| Fact::new("signed by", format!("{} ({})", quote(identity), quote(name))))
        .collect();
    facts
        .extend(voices.fallen.iter().map(|(name, why)| Fact::new("does not count", format!("{}: {why}", quote(name)))));
    // Whoever signed the release is not independent of it, with another key neither.
    let rebuilt = voices.rebuilt.iter().filter(|(identity, _)| !voices.signed.contains_key(identity.as_str()));
    let rebuilt: Vec<Fact> = rebuilt
        .map(|(identity, name)| Fact::new("rebuilt by", format!("{} ({})", quote(identity), quote(name))))
        .collect();
    let (signed, again) = (voices.signed.len(), rebuilt.len());
    facts.extend(rebuilt);
    let wanted = trust.release_threshold.unwrap_or(1);
    if signed < wanted {
        let reason =
            format!("{signed} of the {wanted} identities that the trust asks for signed a release of this image");
        return rows.fail(ID, reason, facts);
    }
    if again < trust.rebuild_threshold {
        let wanted = trust.rebuild_threshold;
        return rows.fail(
            ID,
            format!("{again} of the {wanted} other identities that the trust asks for rebuilt it"),
            facts,
        );
    }
    rows.pass(ID, facts);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_an_order_or_none() {
        let in_order =
            ["0.9", "1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta", "1", "1.0.1", "v1.2", "1.10.0", "2024.1"];
        for (at, left) in in_order.iter().enumerate() {
            for (other, right) in in_order.iter().enumerate() {
                assert_eq!(compared(left, right), Some(at.cmp(&other)), "{left} {right}");
            }
        }
        assert_eq!(compared("1.0.0+a", "1.0+b"), Some(Ordering::Equal));
        for strange in ["", "latest", "1.x", "1..2", "1.0-", "-1", "99999999999999999999", "1.0 "] {
            assert_eq!(compared(strange, "1.0"), None, "{strange}");
        }
    }
}
