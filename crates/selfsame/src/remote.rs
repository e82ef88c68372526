//! Releases in registries: found by what a person writes for them, and what is said when they are not had.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use selfsame_attest::Bundle;
use selfsame_core::Digest;
use selfsame_http::HttpError;
use selfsame_publish::{OutlineError, Progress, PublishError, Pull, Pulled, RemoteRelease};
use selfsame_registry::{Reference, RegistryError, Target};
use selfsame_verify::{ReleaseFiles, Trust};

use crate::commands::errors;
use crate::network::Network;
use crate::prepare;
use crate::report::{Answer, Exit, Report};
use crate::settings::{Settings, monotonic};
use crate::terminal::{Verbosity, Voice, size};

/// Between two pictures on a terminal.
const LIVE: Duration = Duration::from_millis(100);

/// A release, wherever it is.
pub(crate) enum Release {
    /// A folder or a tar.
    Local(PathBuf),
    /// Out of a registry.
    Remote(Arc<RemoteRelease>),
}

impl Release {
    /// The release that a person means: the folder or tar of that name, or, if there is none, what a registry has under it;
    /// of that the layers and the capsule only if they are wanted.
    ///
    /// What others attached to it there comes after what `trust`, where there is one, believes.
    pub(crate) fn find(
        named: &Path,
        layers: bool,
        capsule: bool,
        trust: Option<&Trust>,
        settings: &Settings,
    ) -> Answer<Self> {
        let Some(reference) = as_reference(named) else { return Ok(Self::Local(named.to_owned())) };
        let cancel = crate::interrupt::flag()?;
        let network = Network::of(settings, Some(&cancel))?;
        let voice = Voice::new(Verbosity::Auto, settings);
        let pulled = pull(&reference, layers, capsule, trust, &network, settings, &voice)?;
        Ok(Self::Remote(Arc::new(pulled.files)))
    }

    /// Its files. May be asked for again; those out of a registry are fetched once.
    pub(crate) fn files(&self) -> Answer<Box<dyn ReleaseFiles>> {
        match self {
            Self::Local(path) => crate::files::open(path),
            Self::Remote(files) => Ok(Box::new(Shared(Arc::clone(files)))),
        }
    }
}

/// Files that several hold.
struct Shared(Arc<RemoteRelease>);

impl ReleaseFiles for Shared {
    fn read(&self, name: &str, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
        self.0.read(name, limit)
    }

    fn open(&self, name: &str) -> std::io::Result<Option<Box<dyn std::io::Read + Send + '_>>> {
        self.0.open(name)
    }

    fn names(&self) -> std::io::Result<Vec<String>> {
        self.0.names()
    }
}

/// What a registry has under a name; nothing where a file or folder has that name, or where it names no registry.
pub(crate) fn as_reference(named: &Path) -> Option<Reference> {
    if named.symlink_metadata().is_ok() {
        return None;
    }
    let reference: Reference = named.to_str()?.parse().ok()?;
    reference.host.is_some().then_some(reference)
}

/// What a person wrote for something in a registry.
pub(crate) fn reference(text: &str) -> Answer<Reference> {
    let hint = "write HOST/NAME:TAG, for example `registry.example/team/app:1.0.0`";
    let reference: Reference =
        text.parse().map_err(|error| Report::new(Exit::Unanswered, format!("{error}")).hint(hint))?;
    if reference.host.is_none() {
        let report = Report::new(Exit::Unanswered, format!("`{text}` names no registry")).hint(hint);
        return Err(report.into());
    }
    Ok(reference)
}

/// The same to push to: a tag or a digest has to be said.
pub(crate) fn reference_to_push(text: &str) -> Answer<(Reference, Target)> {
    let reference = reference(text)?;
    // With both, the digest is what the tag shall name.
    if reference.tag.is_none() && reference.digest.is_none() {
        let report = Report::new(Exit::Unanswered, format!("`{text}` has no tag"))
            .consequence("Nothing was pushed.")
            .hint(format!("write the tag: `{text}:1.0.0`"));
        return Err(report.into());
    }
    let target = match (&reference.tag, reference.digest) {
        (Some(tag), _) => Target::Tag(tag.clone()),
        (None, Some(digest)) => Target::Digest(digest),
        (None, None) => reference.target(),
    };
    Ok((reference, target))
}

/// Fetches a release.
pub(crate) fn pull(
    reference: &Reference,
    layers: bool,
    capsule: bool,
    trust: Option<&Trust>,
    network: &Network,
    settings: &Settings,
    voice: &Voice,
) -> Answer<Pulled> {
    let store = prepare::store(settings)?;
    let progress = Moving::new("pull", voice);
    let counts = |bundle: &[u8]| {
        let bundle = trust.filter(|trust| !trust.keys().is_empty()).and_then(|_| Bundle::parse(bundle).ok());
        let keys = trust.map(Trust::keys).unwrap_or_default();
        bundle.is_some_and(|bundle| keys.iter().any(|trusted| bundle.verify(&trusted.key).is_ok()))
    };
    let pull = Pull { layers, capsule, counts: &counts, progress: &progress };
    let pulled = selfsame_publish::pull(network.registry()?, reference, store, &pull)
        .map_err(|error| fault(error, &reference.to_string()))?;
    voice.say("pulled", &progress.ended(&reference.to_string()));
    Ok(pulled)
}

/// Tells a voice how far blobs are.
pub(crate) struct Moving<'a> {
    word: &'static str,
    voice: &'a Voice,
    state: Mutex<State>,
}

struct State {
    blobs: u64,
    bytes: u64,
    done_blobs: u64,
    done_bytes: u64,
    moved_blobs: u64,
    moved_bytes: u64,
    told: Instant,
}

impl<'a> Moving<'a> {
    pub(crate) fn new(word: &'static str, voice: &'a Voice) -> Self {
        let told = monotonic();
        let (blobs, bytes, done_blobs, done_bytes, moved_blobs, moved_bytes) = (0, 0, 0, 0, 0, 0);
        let state = State { blobs, bytes, done_blobs, done_bytes, moved_blobs, moved_bytes, told };
        Self { word, voice, state: Mutex::new(state) }
    }

    /// `registry.example/app:1: 3 of 12 blobs, 1.2 MiB; the others were there`
    pub(crate) fn ended(&self, what: &str) -> String {
        let state = self.state();
        let State { blobs, moved_blobs, moved_bytes, .. } = *state;
        let rest = if moved_blobs < blobs { "; the others were there" } else { "" };
        format!("{what}: {moved_blobs} of {blobs} blobs, {}{rest}", size(moved_bytes))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for Moving<'_> {
    fn expect(&self, blobs: u64, bytes: u64) {
        let mut state = self.state();
        state.blobs += blobs;
        state.bytes = state.bytes.saturating_add(bytes);
    }

    fn done(&self, bytes: u64, moved: bool) {
        let mut state = self.state();
        state.done_blobs += 1;
        state.done_bytes += bytes;
        if moved {
            state.moved_blobs += 1;
            state.moved_bytes += bytes;
        }
        let now = monotonic();
        if self.voice.is_live() && now.duration_since(state.told) >= LIVE {
            state.told = now;
            let State { blobs, bytes, done_blobs, done_bytes, .. } = *state;
            let about = format!("{done_blobs} of {blobs} blobs, {} of {}", size(done_bytes), size(bytes));
            self.voice.picture(self.word, &about);
        }
    }

    fn passed_over(&self, what: &str) {
        self.voice.warn(&format!("not used: {what}"));
    }
}

/// Why a release was not moved.
pub(crate) fn fault(error: PublishError, what: &str) -> Box<Report> {
    match error {
        PublishError::Registry { source } => registry(source),
        PublishError::Release { source } => outline(&source, what),
        PublishError::Store { source } => errors::store(source),
        PublishError::OtherImage { asked, found } => {
            Report::new(Exit::No, format!("`{what}` asks for another image than the release has"))
                .fact("asked for", asked)
                .fact("release", found)
                .into()
        }
        PublishError::TagAndDigest { tag, asked, found } => {
            let headline = format!("`{what}` names two images: the tag `{tag}` is another one than the digest");
            let report = Report::new(Exit::No, headline).fact("digest", asked).fact("tag", found);
            report.hint("leave out the one that is not meant: HOST/NAME@sha256:... or HOST/NAME:TAG").into()
        }
        error => {
            let exit = if error.retry_may_help() { Exit::NotNow } else { Exit::Unanswered };
            Report::new(exit, errors::chain(&error)).into()
        }
    }
}

/// Why something is no complete release.
pub(crate) fn outline(error: &OutlineError, what: &str) -> Box<Report> {
    match error {
        OutlineError::Incomplete { fault } => {
            Report::new(Exit::No, format!("`{what}` is not a complete release: {fault}")).into()
        }
        error => Report::new(Exit::Unanswered, format!("`{what}`: {}", errors::chain(error))).into(),
    }
}

/// A registry that did not do it.
pub(crate) fn registry(error: RegistryError) -> Box<Report> {
    if matches!(&error, RegistryError::Http { source: HttpError::Cancelled { .. }, .. }) {
        let report = Report::new(Exit::NotNow, "interrupted");
        return report.hint("the same command goes on where this one ended").into();
    }
    let exit = if error.retry_may_help() { Exit::NotNow } else { Exit::Unanswered };
    let report = Report::new(exit, errors::chain(&error));
    let report =
        match &error {
            RegistryError::Refused { host, as_somebody: false, .. } => report
                .hint(format!("no login for it was found: `docker login {host}` or `podman login {host}` makes one")),
            RegistryError::Refused { host, .. } => report
                .hint(format!("the login for {host} may not do this: ask who looks after it, or log in as another")),
            RegistryError::NotFound { .. } => {
                report.hint("look at the spelling; some registries say so of what is private")
            }
            RegistryError::Http { source: HttpError::Network { message, .. }, .. }
                if message.to_lowercase().contains("refused") =>
            {
                report
                    .hint("nothing listens there: look at the port, or start the registry")
                    .hint("the same command goes on where this one ended")
            }
            _ if exit == Exit::NotNow => report.hint("the same command goes on where this one ended"),
            _ => report,
        };
    report.into()
}

/// `registry.example/team/app@sha256:...`
pub(crate) fn by_digest(reference: &Reference, image: Digest) -> String {
    reference.with(&Target::Digest(image)).to_string()
}
