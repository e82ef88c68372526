//! Media types, spelled once.

/// An OCI image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI image config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The empty object `{}` that referrers have for a config.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// A gzip layer.
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// An uncompressed layer.
pub const LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// A Sigstore bundle, also the artifact type of the referrer that carries it.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The payload type of every DSSE envelope that selfsame writes or reads.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
/// CycloneDX JSON.
pub const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
/// The artifact type of the referrer that holds a release's inputs.
pub const CAPSULE: &str = "application/vnd.selfsame.capsule.v1+json";
/// A tree in its text form.
pub const TREE: &str = "application/vnd.selfsame.tree.v1";
/// A gzip tar in profile 1's dialect that holds the files of a tree.
pub const PACK: &str = "application/vnd.selfsame.pack.v1.tar+gzip";
/// `selfsame.toml`.
pub const DEFINITION: &str = "application/vnd.selfsame.definition.v1+toml";
/// `selfsame.lock` or `selfsame.host.lock`.
pub const LOCK: &str = "application/vnd.selfsame.lock.v1+toml";
/// A locked file that is carried as it was fetched.
pub const INPUT: &str = "application/octet-stream";
/// The artifact type under which a capsule of several releases lists the index of one.
pub const RELEASE: &str = "application/vnd.selfsame.release.v1";
/// The list of what a capsule was written without.
pub const ABSENT: &str = "application/vnd.selfsame.absent.v1+json";
/// The program of selfsame itself.
pub const TOOL: &str = "application/vnd.selfsame.tool.v1";
