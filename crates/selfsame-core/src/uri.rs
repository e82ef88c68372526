//! Type URIs, all below one constant. Each resolves to its page in docs/.

macro_rules! ours {
    ($path:literal) => {
        concat!("https://selfsame.dev/", $path)
    };
}

/// The prefix of all of them.
pub const BASE: &str = ours!("");
/// SLSA `buildType`: docs/build-type/v1.md.
pub const BUILD_TYPE: &str = ours!("build/v1");
/// The inventory predicate: docs/inventory/v1.md.
pub const INVENTORY: &str = ours!("inventory/v1");
/// The run record predicate: docs/run-record/v1.md.
pub const RUN_RECORD: &str = ours!("run-record/v1");
/// The rebuild statement predicate: docs/rebuild/v1.md.
pub const REBUILD: &str = ours!("rebuild/v1");
/// The predicate by which a key names its successor: docs/rotation/v1.md.
pub const ROTATION: &str = ours!("rotation/v1");
/// The builder id of development keys, which a verifier refuses unless that very key is given.
pub const BUILDER_DEV: &str = ours!("builder/dev");
/// The builder id of a release key that named none of its own.
pub const BUILDER_LOCAL: &str = ours!("builder/local");
/// The verifier id of a summary whose signer named none of its own: docs/vsa/v1.md.
pub const VERIFIER_LOCAL: &str = ours!("verifier/local");
/// What a trust file is, where a summary names it as its policy: docs/trust/v1.md.
pub const TRUST: &str = ours!("trust/v1");

/// in-toto Statement v1.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// SLSA provenance v1.
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
/// The predicate type that cosign's tools use for CycloneDX, without a version.
pub const CYCLONEDX: &str = "https://cyclonedx.org/bom";
/// SLSA verification summary v1.
pub const VSA: &str = "https://slsa.dev/verification_summary/v1";
/// cosign v3's image signature.
pub const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
