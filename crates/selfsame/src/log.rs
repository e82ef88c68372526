//! The transparency log that a build or a join enters its documents into.

use std::path::{Path, PathBuf};
use std::time::Duration;

use selfsame_attest::{Bundle, PublicKey};
use selfsame_core::Digest;
use selfsame_log::{Body, LogKey, LogSigner};
use selfsame_store::LogFolder;

use crate::cli::LogArgs;
use crate::commands::errors;
use crate::keys;
use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;

/// A log that may be written.
pub(crate) struct Log {
    path: PathBuf,
    folder: LogFolder,
    signer: LogSigner,
    /// How long another writer is waited for.
    patience: Duration,
    /// The digest of the private key's file or text.
    pub(crate) content: Option<Digest>,
}

impl Log {
    /// The log that the arguments name, with the key that signs its checkpoints; found out before anything is built.
    pub(crate) fn named(arguments: &LogArgs, settings: &Settings) -> Answer<Option<Self>> {
        let Some(path) = &arguments.log else { return Ok(None) };
        let path = settings.folder.join(path);
        let folder = LogFolder::open(&path).map_err(errors::log)?;
        let private = beside(&path, ".key")?;
        let (signer, content) = match &arguments.log_signer {
            Some(text) => keys::log_signer(text)?,
            None if private.exists() => keys::log_signer(&keys::text_of(&private)?)?,
            None => {
                let fault = format!("no key to sign the log `{}` with", path.display());
                return Err(Report::new(Exit::Unanswered, fault)
                    .fact("looked for", private.display())
                    .hint("`--log-signer KEY` names the key that `selfsame log init` was given or made")
                    .into());
            }
        };
        let patience = Duration::from_secs(arguments.log_wait.into());
        let log = Self { path, folder, signer, patience, content };
        if log.signer.key(log.folder.key().origin()).map_err(errors::log_signer)? != *log.folder.key() {
            return Err(errors::log(selfsame_store::LogFolderError::WrongSigner { path: log.path }));
        }
        Ok(Some(log))
    }

    /// The key by which its checkpoints are verified.
    pub(crate) fn key(&self) -> &LogKey {
        self.folder.key()
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Enters bundles that `key` signed, all at one checkpoint, and puts each one's entry into it.
    pub(crate) fn enter(&self, bundles: Vec<&mut Vec<u8>>, key: &PublicKey) -> Answer<()> {
        let ours = |bytes: &Vec<u8>| Bundle::parse(bytes).expect("a bundle that was just signed is one");
        let parsed: Vec<Bundle> = bundles.iter().map(|bytes| ours(bytes)).collect();
        let bodies: Vec<Body> = parsed.iter().map(|bundle| Body::of(bundle.envelope(), key)).collect();
        let entries = self.folder.append(&bodies, &self.signer, self.patience).map_err(errors::log)?;
        for ((bytes, bundle), entry) in bundles.into_iter().zip(parsed).zip(entries) {
            *bytes = bundle.with_log_entries(vec![entry.to_json()]).to_bytes();
        }
        Ok(())
    }
}

/// A log's folder, and what `selfsame log init` makes beside it: no part of any source.
pub(crate) fn paths(folder: &Path) -> Vec<PathBuf> {
    let beside = [".key", ".pub"].into_iter().filter_map(|extension| beside(folder, extension).ok());
    [folder.to_owned()].into_iter().chain(beside).collect()
}

/// `DIR.key` for `DIR`.
pub(crate) fn beside(folder: &Path, extension: &str) -> Answer<PathBuf> {
    let named = match folder.file_name() {
        Some(_) => folder.to_owned(),
        // `.` has a name only where it lies.
        None => std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()),
    };
    let Some(name) = named.file_name() else {
        return Err(Report::new(Exit::Unanswered, format!("`{}` has no name", folder.display())).into());
    };
    let mut name = name.to_owned();
    name.push(extension);
    Ok(named.with_file_name(name))
}
