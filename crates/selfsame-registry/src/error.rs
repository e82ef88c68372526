//! What can go wrong with a registry, as facts. None of them holds a secret.

use std::path::PathBuf;

use selfsame_core::Digest;
use selfsame_http::HttpError;
use selfsame_oci::DocumentError;
use selfsame_store::StoreError;

use crate::ReferenceError;

/// Why a registry, or this machine's configuration for one, did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// A short name, and nothing says what registry it is on.
    #[error("`{reference}` names no registry, and this machine's configuration has none for such names")]
    NoRegistry {
        /// As written.
        reference: String,
    },
    /// The configuration of this machine forbids the registry (`blocked` in registries.conf).
    #[error("`{host}` is blocked by the configuration of this machine")]
    Blocked {
        /// The registry.
        host: String,
    },
    /// A configuration file that cannot be used.
    #[error("`{}` {fault}", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// A configured place that is none.
    #[error("a registry that this machine's configuration names cannot be asked")]
    Origin {
        /// Which, and why.
        source: ReferenceError,
    },
    /// A credential helper that gave nothing to work with.
    #[error("credential helper `docker-credential-{helper}` {fault}")]
    Helper {
        /// Its name in the configuration.
        helper: String,
        /// What happened.
        fault: String,
    },
    /// The registry has no such manifest, blob or repository.
    #[error("{host} has no {what}")]
    NotFound {
        /// The registry.
        host: String,
        /// `manifest 1.2 of team/app`.
        what: String,
    },
    /// The registry wants somebody else, or nobody, to do this.
    #[error("{host} refuses {what} (status {status}{said})")]
    Refused {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// 401 or 403.
        status: u16,
        /// What it said, as ` UNAUTHORIZED: authentication required`, or nothing.
        said: String,
        /// Whether something was shown to it.
        as_somebody: bool,
    },
    /// The registry is busy or broken, after the retries.
    #[error("{host} could not do it: {what} (status {status}{said})")]
    Busy {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// 429 or from 500 on.
        status: u16,
        /// What it said.
        said: String,
    },
    /// An answer that the specification does not have.
    #[error("{host} gave an answer that is not understood: {what} (status {status}{said})")]
    Answer {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Of the answer.
        status: u16,
        /// What it said, or what is missing.
        said: String,
    },
    /// The way there failed, or this machine forbids it.
    #[error("{host} could not be asked for {what}")]
    Http {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Why.
        source: HttpError,
    },
    /// The server that gives the tokens did not.
    #[error("{host} sends to `{realm}` for a token, which {fault}")]
    Token {
        /// The registry.
        host: String,
        /// Where the tokens are.
        realm: String,
        /// What happened.
        fault: String,
        /// 429, from 500 on, or no answer.
        may_pass: bool,
    },
    /// Other bytes than their name promises.
    #[error("{host} gave other bytes for {what}: {found} where {expected} was asked for")]
    WrongDigest {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Asked for, or promised.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// Another number of bytes than a descriptor says.
    #[error("{host} gave {found_bytes} bytes for {what}, not {expected_bytes}")]
    WrongSize {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// In the descriptor.
        expected_bytes: u64,
        /// What came, or one more than what was read.
        found_bytes: u64,
    },
    /// A document with more bytes than are read.
    #[error("{host}: {what} has more than {limit_bytes} bytes")]
    TooLarge {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// A manifest or index that is not one.
    #[error("{host}: {what} is not understood")]
    Document {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Why.
        source: DocumentError,
    },
    /// A media type that is no manifest and no index.
    #[error("{host}: {what} has the media type `{media_type}`, which is not read")]
    MediaType {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Escaped and bounded.
        media_type: String,
    },
    /// No manifest for a platform.
    #[error("{host}: {what} has nothing for {wanted}; it has {}", list(has))]
    NoPlatform {
        /// The registry.
        host: String,
        /// Which index.
        what: String,
        /// `linux/arm64`.
        wanted: String,
        /// What it has.
        has: Vec<String>,
    },
    /// Indexes in indexes, deeper than is followed. One that holds itself would need a collision of SHA-256.
    #[error("{host}: {what} holds indexes more than {limit} deep")]
    TooDeep {
        /// The registry.
        host: String,
        /// Which index.
        what: String,
        /// How deep is followed.
        limit: usize,
    },
    /// More manifests, pages or names than are read.
    #[error("{host}: {what} has more than {limit} {items}")]
    TooMany {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// `manifests`, `pages`.
        items: &'static str,
        /// How many are read.
        limit: usize,
    },
    /// Others write the list of referrers at the same time, again and again.
    #[error("{host}: the list of referrers `{tag}` changed each of the {attempts} times that it was written")]
    Contended {
        /// The registry.
        host: String,
        /// The tag of the list.
        tag: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The store failed.
    #[error("{what} could not be read from the store, or written to it")]
    Store {
        /// A blob.
        what: String,
        /// Why.
        source: StoreError,
    },
}

impl RegistryError {
    /// Whether the same may succeed later, as it is.
    #[must_use]
    pub fn retry_may_help(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Contended { .. } => true,
            Self::Token { may_pass, .. } => *may_pass,
            Self::Http { source, .. } => source.retry_may_help(),
            _ => false,
        }
    }

    /// Whether another place may have what this one has not: the next mirror is asked.
    #[must_use]
    pub(crate) fn elsewhere_may_help(&self) -> bool {
        !matches!(
            self,
            Self::Blocked { .. }
                | Self::Configuration { .. }
                | Self::Helper { .. }
                | Self::Store { .. }
                | Self::NoPlatform { .. }
        ) && !matches!(self, Self::Http { source: HttpError::Cancelled { .. } | HttpError::Offline { .. }, .. })
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no platform at all".to_owned() } else { names.join(", ") }
}
