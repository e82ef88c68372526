//! Putting prepared files and folders at their destinations, each all or nothing.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::release::{NotRelease, is_release};
use crate::{Staging, sys};

/// What may be replaced by a publication.
#[derive(Clone, Copy)]
pub enum Replace<'a> {
    /// Nothing.
    Never,
    /// An earlier release of selfsame's, as [`is_release`] sees it.
    Release,
    /// What this function allows. It is called with the destination, which exists, and says why not.
    If(&'a dyn Fn(&Path) -> Result<(), NotRelease>),
}

impl std::fmt::Debug for Replace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Release => "Release",
            Self::If(_) => "If(..)",
        })
    }
}

/// Something that is at its destination now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where.
    pub path: PathBuf,
    /// Whether something was there before.
    pub replaced: bool,
    /// What could not be removed afterwards. It does no harm, and the next publication to this place tries again.
    pub leftover: Option<PathBuf>,
}

/// Why something was not published. The destination is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// `.`, `..` or `/`: there is no name beside which to stage.
    #[error("`{}` does not end in a name", path.display())]
    NoName {
        /// The destination.
        path: PathBuf,
    },
    /// The folder that should hold the destination is missing or no folder.
    #[error("`{}` cannot be written: `{}` is not a folder", path.display(), parent.display())]
    NoParent {
        /// The destination.
        path: PathBuf,
        /// Where it should go.
        parent: PathBuf,
    },
    /// Something is there, and may not be replaced.
    #[error("`{}` exists and is not a release", path.display())]
    Exists {
        /// The destination.
        path: PathBuf,
        /// Why it is none.
        source: NotRelease,
    },
    /// Something came there while this was being prepared.
    #[error("`{}` exists", path.display())]
    Appeared {
        /// The destination.
        path: PathBuf,
    },
    /// No space or quota left.
    #[error("no space left to {operation} `{}`", path.display())]
    Full {
        /// A verb.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("cannot {operation} `{}`", path.display())]
    Io {
        /// A verb.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Of several destinations some have their new content, whole, and one failed. Those after it are as they were.
    #[error("`{}` was not published; {}", failed.display(), published_text(published))]
    Partly {
        /// Those that have it.
        published: Vec<PathBuf>,
        /// The one that failed.
        failed: PathBuf,
        /// Why.
        source: Box<PublishError>,
    },
}

fn published_text(published: &[PathBuf]) -> String {
    let names: Vec<_> = published.iter().map(|path| format!("`{}`", path.display())).collect();
    format!("published: {}", names.join(", "))
}

impl PublishError {
    pub(crate) fn io(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let (source, path) = (source.into(), path.to_owned());
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { operation, path },
            _ => Self::Io { operation, path, source },
        }
    }
}

/// Publishes to several destinations. Everything is on the disk and every destination was asked before the first is
/// touched, so a failure between them is rare; if it happens, the error names those that exist.
pub fn publish_all(stagings: Vec<Staging>, replace: Replace<'_>) -> Result<Vec<Published>, PublishError> {
    for staging in &stagings {
        prepare(staging, replace)?;
    }
    let mut published: Vec<Published> = Vec::with_capacity(stagings.len());
    for staging in stagings {
        let dest = staging.dest().to_owned();
        match place(staging, replace) {
            Ok(done) => published.push(done),
            Err(error) if published.is_empty() => return Err(error),
            Err(error) => {
                let published = published.into_iter().map(|done| done.path).collect();
                return Err(PublishError::Partly { published, failed: dest, source: Box::new(error) });
            }
        }
    }
    Ok(published)
}

pub(crate) fn publish(staging: Staging, replace: Replace<'_>) -> Result<Published, PublishError> {
    prepare(&staging, replace)?;
    place(staging, replace)
}

/// All that can fail without touching the destination.
fn prepare(staging: &Staging, replace: Replace<'_>) -> Result<(), PublishError> {
    permitted(staging.dest(), replace)?;
    sync_below(&staging.path())
}

/// Whether something is at the destination that may be replaced (`true`), or nothing (`false`).
fn permitted(dest: &Path, replace: Replace<'_>) -> Result<bool, PublishError> {
    match dest.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(PublishError::io("read", dest, error)),
        Ok(_) => {}
    }
    let answer = match replace {
        Replace::Never => return Err(PublishError::Appeared { path: dest.to_owned() }),
        Replace::Release => is_release(dest),
        Replace::If(allowed) => allowed(dest),
    };
    answer.map(|()| true).map_err(|source| PublishError::Exists { path: dest.to_owned(), source })
}

/// The rename. A destination that changed its nature since it was asked is asked again.
fn place(staging: Staging, replace: Replace<'_>) -> Result<Published, PublishError> {
    let (content, dest) = (staging.path(), staging.dest().to_owned());
    let failed = |error: io::Error| PublishError::io("create", &dest, error);
    let replaced = if permitted(&dest, replace)? {
        if !sys::exchange(&content, &dest).map_err(failed)? {
            move_aside(&staging, &dest)?;
        }
        true
    } else {
        if !sys::rename_new(&content, &dest).map_err(failed)? {
            return Err(PublishError::Appeared { path: dest });
        }
        false
    };
    // The new name is durable only with its folder. From here on the destination is whole, so a failure is not the
    // publication's: after a power cut it might be the old one again, whole as well.
    if let Some(parent) = dest.parent() {
        let _ = sys::open_folder(parent).and_then(|folder| Ok(rustix::fs::fsync(folder)?));
    }
    let home = staging.home().to_owned();
    drop(staging);
    let leftover = home.symlink_metadata().is_ok().then_some(home);
    Ok(Published { path: dest, replaced, leftover })
}

/// Without an exchange the old content steps aside first. A process that dies in between leaves it in the staging
/// folder, from where the next publication puts it back.
pub(crate) fn move_aside(staging: &Staging, dest: &Path) -> Result<(), PublishError> {
    let failed = |error: io::Error| PublishError::io("create", dest, error);
    std::fs::rename(dest, staging.old()).map_err(failed)?;
    let moved = sys::rename_new(&staging.path(), dest);
    if !matches!(moved, Ok(true)) {
        sys::rename_new(&staging.old(), dest).map_err(failed)?;
    }
    if moved.map_err(failed)? { Ok(()) } else { Err(PublishError::Appeared { path: dest.to_owned() }) }
}

/// Writes files, then the folders that name them, to the disk.
fn sync_below(path: &Path) -> Result<(), PublishError> {
    let failed = |error: io::Error| PublishError::io("sync", path, error);
    let metadata = path.symlink_metadata().map_err(failed)?;
    if metadata.is_file() {
        return sys::open_quietly(path).and_then(|file| file.sync_all()).map_err(failed);
    }
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).map_err(failed)? {
            sync_below(&entry.map_err(failed)?.path())?;
        }
        return sys::open_folder(path).and_then(|folder| Ok(rustix::fs::fsync(folder)?)).map_err(failed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn staged(dest: &Path, content: &str) -> Staging {
        let staging = Staging::beside(dest).unwrap();
        std::fs::write(staging.create_dir().unwrap().join("f"), content).unwrap();
        staging
    }

    #[test]
    fn without_an_exchange_of_names_the_old_steps_aside() {
        let folder = tempfile::tempdir().unwrap();
        let dest = folder.path().join("out");
        staged(&dest, "first").publish(Replace::Never).unwrap();
        let staging = staged(&dest, "second");
        move_aside(&staging, &dest).unwrap();
        assert_eq!(std::fs::read_to_string(dest.join("f")).unwrap(), "second");
        assert!(staging.old().exists());
        drop(staging);
        assert_eq!(std::fs::read_to_string(dest.join("f")).unwrap(), "second");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_old_comes_back_if_the_new_cannot_come() {
        let folder = tempfile::tempdir().unwrap();
        let dest = folder.path().join("out");
        staged(&dest, "first").publish(Replace::Never).unwrap();
        let staging = staged(&dest, "second");
        std::fs::remove_dir_all(staging.path()).unwrap();
        assert!(move_aside(&staging, &dest).is_err());
        drop(staging);
        assert_eq!(std::fs::read_to_string(dest.join("f")).unwrap(), "first");
    }
}
