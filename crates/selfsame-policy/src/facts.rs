//! The facts that a policy is asked over: one table, which the page for authors, the scan of a policy and the verifier share.

use serde_json::Value;

/// The `schema` of facts.
pub const FACTS_SCHEMA: &str = "https://selfsame.dev/facts/v1";

/// One fact.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// `release.name`; `inputs[].uri` for what is in each thing of a list.
    pub path: &'static str,
    /// `text`, `number`, `yes or no`, `list`, `texts`, `object`.
    pub kind: &'static str,
    /// When it is there.
    pub there: There,
    /// What it says, as the rest of a line.
    pub meaning: &'static str,
}

/// When a fact is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// In every release.
    Always,
    /// In some.
    Sometimes,
    /// Where the layers were read.
    AtContent,
}

const fn fact(path: &'static str, kind: &'static str, there: There, meaning: &'static str) -> Fact {
    Fact { path, kind, there, meaning }
}

use There::{Always, AtContent, Sometimes};

/// Every fact, sorted by what it is about.
pub const FACTS: &[Fact] = &[
    fact("schema", "text", Always, "the version of this table, a URI"),
    fact("depth", "text", Always, "how much was looked at: `evidence`, `blobs` or `content`"),
    fact("day", "object", Sometimes, "the day for which it is asked, `--at` or today"),
    fact("day.date", "text", Always, "`2026-11-20`"),
    fact("day.number", "number", Always, "days since 1970-01-01"),
    fact("release", "object", Always, "what it is"),
    fact("release.name", "text", Always, "its signed name"),
    fact("release.version", "text", Always, "its signed version"),
    fact("release.platform", "text", Always, "the platform of this image, `linux/amd64`"),
    fact("release.image", "text", Always, "the digest of this image's manifest, `sha256:` included"),
    fact("release.id", "text", Always, "the release id of this image's inventory"),
    fact("release.platforms", "texts", Always, "every platform that is judged, this one included"),
    fact("release.index", "text", Sometimes, "the digest of the index, where there are several platforms"),
    fact("release.epoch", "number", Sometimes, "the source epoch, seconds since 1970-01-01"),
    fact("release.day", "number", Sometimes, "the day of the source epoch, days since 1970-01-01"),
    fact("builder", "object", Always, "who built it"),
    fact("builder.id", "text", Always, "the builder id, which its key may speak for"),
    fact("builder.development", "yes or no", Always, "whether it was built with a development key"),
    fact("signers", "list", Always, "who signed the whole release, each identity once"),
    fact(
        "signers[].identity",
        "text",
        Always,
        "who holds the key, as the trust names it; the key's id without a trust file",
    ),
    fact("signers[].name", "text", Always, "the key's name in the trust"),
    fact(
        "joiners",
        "list",
        Sometimes,
        "where there are several platforms: who signed what joins them, each identity once",
    ),
    fact("joiners[].identity", "text", Sometimes, "who holds the key, as the trust names it"),
    fact("joiners[].name", "text", Sometimes, "the key's name in the trust"),
    fact(
        "rebuilders",
        "list",
        Always,
        "who else rebuilt it to the same bytes, each identity once; nobody who signed it",
    ),
    fact("rebuilders[].identity", "text", Always, "who holds the key, as the trust names it"),
    fact("rebuilders[].name", "text", Always, "the key's name in the trust"),
    fact("level", "object", Always, "how much of the machine the build could see"),
    fact("level.asked", "text", Always, "the level of its definition"),
    fact("level.achieved", "text", Always, "the level that was had"),
    fact("profile", "number", Always, "the profile that decided the bytes"),
    fact("checked", "object", Always, "whether every action ran twice with equal output"),
    fact("checked.twice", "yes or no", Always, "whether it did"),
    fact("checked.because", "text", Always, "why not; empty where it did"),
    fact("relaxations", "list", Always, "the protections that the build went without"),
    fact("relaxations[].name", "text", Always, "which one"),
    fact("relaxations[].reason", "text", Always, "why, as the build's author says"),
    fact("source", "object", Always, "what was built"),
    fact("source.uri", "text", Always, "where it is from: `selfsame:source` for a folder, or where git has it"),
    fact("source.commit", "text", Sometimes, "its git commit, where the folder was one"),
    fact("source.dirty", "yes or no", Sometimes, "whether it held what no commit has, where it is a folder"),
    fact("inputs", "list", Always, "everything that went into the build"),
    fact("inputs[].name", "text", Always, "what the build calls it; may be empty"),
    fact("inputs[].uri", "text", Always, "its package URL or another URI"),
    fact("inputs[].digest", "object", Always, "its digests by algorithm, in hexadecimal"),
    fact("components", "list", Always, "the packages of the SBOM, without single files"),
    fact("components[].name", "text", Always, "its name; may be empty"),
    fact("components[].version", "text", Always, "its version; may be empty"),
    fact("components[].type", "text", Always, "CycloneDX's type: `library`, `application`, ..."),
    fact("components[].purl", "text", Always, "its package URL; may be empty"),
    fact(
        "components[].licenses",
        "texts",
        Always,
        "SPDX ids, expressions or names of licences; none where nobody says",
    ),
    fact("components[].input", "yes or no", Always, "whether it is an input of the build by its digest"),
    fact("components[].locked", "yes or no", Always, "no where it is in the image and nothing had locked it"),
    fact("untraced", "list", AtContent, "packages of the SBOM that neither an input nor a file of the image shows"),
    fact("untraced[].name", "text", AtContent, "its name; may be empty"),
    fact("untraced[].version", "text", AtContent, "its version; may be empty"),
    fact("untraced[].purl", "text", AtContent, "its package URL; may be empty"),
    fact("files", "object", AtContent, "the files of the image"),
    fact("files.count", "number", AtContent, "how many"),
    fact("files.bytes", "number", AtContent, "their size"),
    fact("files.unclaimed", "object", AtContent, "those that no package of the SBOM claims"),
    fact("files.unclaimed.count", "number", AtContent, "how many"),
    fact("files.unclaimed.bytes", "number", AtContent, "their size"),
    fact("files.unclaimed.permille", "number", AtContent, "their share of all bytes in thousandths, rounded up"),
    fact("files.unclaimed.paths", "texts", AtContent, "their paths, the first 1000"),
    fact(
        "files.setuid",
        "texts",
        AtContent,
        "paths that run as their owner or group: setuid, setgid or with file capabilities",
    ),
    fact("log", "object", Always, "what trusted transparency logs say"),
    fact("log.trusted", "number", Always, "how many logs the trust names; every document is in one of them, if any"),
    fact(
        "log.seen",
        "number",
        Sometimes,
        "when enough witnesses had seen the inventory in a log, seconds since 1970-01-01",
    ),
    fact("expected", "object", Always, "what was asked with `--expect`, by name"),
    fact("trust", "object", Sometimes, "the trust file, where there is one"),
    fact("trust.sha256", "text", Always, "its SHA-256 in hexadecimal"),
    fact("trust.serial", "number", Always, "its serial"),
];

/// The names below `expected`: those that `--expect` takes.
pub const EXPECTED: [&str; 13] = [
    "name",
    "version",
    "platform",
    "level",
    "source",
    "source-digest",
    "commit",
    "builder",
    "build-type",
    "image",
    "release",
    "checked",
    "relaxations",
];

/// The fact of this path, `name` or `name.field`.
#[must_use]
pub fn find(path: &str) -> Option<&'static Fact> {
    FACTS.iter().find(|fact| fact.path == path)
}

/// Whether the facts have something under the path.
#[must_use]
pub fn has(facts: &Value, path: &str) -> bool {
    path.split('.').try_fold(facts, |value, name| value.get(name)).is_some()
}
