//! `selfsame tamper`: a copy of a release with one bit changed, so that everyone can see `verify` refuse it.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use selfsame_core::media;
use selfsame_oci::{Index, Manifest, layout};
use selfsame_store::{NotRelease, Replace, Staging};
use selfsame_verify::ReleaseFiles;

use super::errors;
use crate::cli::Tamper;
use crate::report::{Answer, Exit, Report};
use crate::terminal;

pub(super) fn run(arguments: &Tamper) -> Answer {
    let fault = |fault: String| Report::new(Exit::Unanswered, fault);
    if !arguments.release.is_dir() {
        return Err(fault(format!("`{}` is not a release folder", arguments.release.display())).into());
    }
    if is_same(&arguments.release, &arguments.output) {
        let report = fault(format!("`{}` is the release itself", arguments.output.display()))
            .consequence("Nothing was changed: what is tampered with is a copy.");
        return Err(report.into());
    }
    let files = crate::files::open(&arguments.release)?;
    let name = match &arguments.file {
        Some(name) => name.clone(),
        None => {
            first_layer(files.as_ref()).map_err(|why| fault(format!("`{}`: {why}", arguments.release.display())))?
        }
    };
    let names = files.names().map_err(|error| fault(format!("cannot list the release: {error}")))?;
    if !names.contains(&name) {
        let report =
            fault(format!("the release has no file `{name}`")).hint("`selfsame inspect RELEASE` lists its files");
        return Err(report.into());
    }
    let staging = Staging::beside(&arguments.output).map_err(errors::publish)?;
    let folder = staging.create_dir().map_err(errors::publish)?;
    let mut place = 0;
    for file in &names {
        let read = files.read(file, u64::MAX).map_err(|error| fault(format!("cannot read `{file}`: {error}")))?;
        let mut bytes = read.ok_or_else(|| fault(format!("`{file}` vanished")))?;
        if *file == name {
            place = bytes.len() / 2;
            *bytes
                .get_mut(place)
                .ok_or_else(|| fault(format!("`{file}` is empty; nothing in it can be changed")))? ^= 1;
        }
        write(&folder.join(file), &bytes).map_err(|error| fault(format!("cannot write `{file}`: {error}")))?;
    }
    let earlier =
        |dest: &Path| selfsame_store::is_release(dest).or_else(|no| is_copy(files.as_ref(), &names, dest, no));
    staging.publish(Replace::If(&earlier)).map_err(errors::publish)?;
    terminal::data(&format!("`{}`: one bit of byte {place} of `{name}` is changed", arguments.output.display()));
    Ok(Exit::Yes)
}

/// Whether two paths lead to one folder, by whatever way.
fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

/// Whether an earlier copy of the release is there, by the names and sizes of its files: one whose `index.json` has another
/// bit is no release any more, and may be replaced like one.
fn is_copy(files: &dyn ReleaseFiles, names: &[String], dest: &Path, no: NotRelease) -> Result<(), NotRelease> {
    let Ok(copy) = crate::files::Folder::open(dest) else { return Err(no) };
    let size = |files: &dyn ReleaseFiles, name: &str| {
        let file = files.open(name).ok()??;
        std::io::copy(&mut file.take(u64::MAX), &mut std::io::sink()).ok()
    };
    let same = copy.names()? == names
        && names.iter().all(|name| size(&copy, name).is_some_and(|found| Some(found) == size(files, name)));
    if same { Ok(()) } else { Err(no) }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, bytes)
}

fn first_layer(files: &dyn ReleaseFiles) -> Result<String, String> {
    const BYTES: u64 = 64 << 20;
    let read = |name: &str| {
        let bytes = files.read(name, BYTES).map_err(|error| format!("`{name}`: {error}"))?;
        bytes.ok_or_else(|| format!("there is no `{name}`"))
    };
    let index = Index::parse(&read(layout::INDEX_FILE)?, media::INDEX).map_err(|error| error.to_string())?;
    let image = index.manifests.first().ok_or("index.json lists nothing")?;
    let mut manifest = read(&layout::blob_path(image.digest))?;
    if image.media_type == media::INDEX {
        let images = Index::parse(&manifest, media::INDEX).map_err(|error| error.to_string())?;
        let first = images.manifests.first().ok_or("the index names no image")?;
        manifest = read(&layout::blob_path(first.digest))?;
    }
    let manifest = Manifest::parse(&manifest, media::MANIFEST).map_err(|error| error.to_string())?;
    manifest
        .layers
        .first()
        .map(|layer| layout::blob_path(layer.digest))
        .ok_or_else(|| "the image has no layer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_known_by_any_of_its_paths() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("r")).unwrap();
        std::os::unix::fs::symlink("r", at("link")).unwrap();
        assert!(is_same(&at("r"), &at("r/../r/.")) && is_same(&at("r"), &at("link")));
        assert!(!is_same(&at("r"), &at("new")) && !is_same(&at("r"), folder.path()));
    }
}
