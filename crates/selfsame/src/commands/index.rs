//! `selfsame index`: releases of one image for several platforms, built apart, under one index and one inventory.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::path::Path;

use selfsame_attest::bundle::{ANNOTATION_CONTENT, ANNOTATION_PREDICATE_TYPE, CONTENT};
use selfsame_attest::{SignError, Signer, sign_statement};
use selfsame_build::{Joined, joining_statements};
use selfsame_core::{Digest, Hasher, media};
use selfsame_oci::{Descriptor, Document, image_index, layout, referrer_manifest};
use selfsame_publish::Outline;
use selfsame_store::{Replace, Staging};
use selfsame_verify::{Depth, Evidence, Expectations, JoinedFiles, Options, ReleaseFiles, Verified};
use serde_json::json;

use super::{errors, verify};
use crate::cli::Index;
use crate::log::Log;
use crate::report::{Answer, Exit, Report, with_schema};
use crate::settings::Settings;
use crate::timestamp::TimeStamps;
use crate::{keys, remote, terminal};

/// A verified release of one image.
struct Part {
    shown: String,
    files: Box<dyn ReleaseFiles>,
    outline: Outline,
    evidence: Verified<Evidence>,
}

pub(super) fn run(arguments: &Index, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    // What is written is read again by the same rules.
    let (count, most) = (arguments.releases.len(), JoinedFiles::MOST_PARTS);
    if count > most {
        let fault = format!("an index names {most} platforms at most, and {count} releases were given");
        return Err(Report::new(Exit::Unanswered, fault).consequence("Nothing was joined.").into());
    }
    let signer = keys::signer(&arguments.sign_as, false)?;
    let log = Log::named(&arguments.log, settings)?;
    let stamps = TimeStamps::named(arguments.log.stamp.timestamp.as_deref())?;
    let output = settings.folder.join(&arguments.output);
    if output.symlink_metadata().is_ok() {
        return Err(Report::new(Exit::Unanswered, format!("there is something at `{}`", output.display()))
            .consequence("Nothing was joined.")
            .hint("choose another place with `-o DIR`, or move what is there away")
            .into());
    }
    let mut parts = arguments.releases.iter().map(|path| part(path, arguments)).collect::<Answer<Vec<Part>>>()?;
    // The same bytes in whichever order they are given.
    parts.sort_by_key(|part| part.outline.subject.descriptor.platform.as_ref().map(ToString::to_string));
    let first = &parts[0];
    if let Some(other) = parts.iter().find(|part| part.outline.name != first.outline.name) {
        let report = Report::new(Exit::No, "the releases are not of one name and version")
            .fact(&first.shown, &first.outline.name)
            .fact(&other.shown, &other.outline.name);
        return Err(report.consequence("Nothing was joined.").into());
    }
    let joined = join(&parts, signer.signer.as_ref(), log.as_ref(), stamps.as_ref())?;
    let staging = Staging::beside(&output).map_err(errors::publish)?;
    let folder = staging.create_dir().map_err(errors::publish)?;
    write(&folder, &parts, &joined).map_err(|error| {
        Report::new(Exit::Unanswered, format!("cannot write the release: {error}")).consequence("Nothing was joined.")
    })?;
    staging.publish(Replace::Never).map_err(errors::publish)?;
    if arguments.json {
        let body = json!({
            "class": "joined",
            "image": joined.index.descriptor.digest,
            "name": first.outline.name,
            "parts": parts.iter().map(|part| json!({"image": part.evidence.image, "releaseId": part.evidence.release_id})).collect::<Vec<_>>(),
            "release": output.display().to_string(),
            "releaseId": joined.release_id,
        });
        terminal::data(&with_schema("https://selfsame.dev/joined/v1", &body));
    } else {
        let (image, release) = (joined.index.descriptor.digest, joined.release_id);
        terminal::data(&format!(
            "image    {image}  ({}, {} platforms)\nrelease  {release}",
            first.outline.name,
            parts.len()
        ));
    }
    Ok(Exit::Yes)
}

/// A release that a trusted key vouches for, every blob of it read.
fn part(path: &Path, arguments: &Index) -> Answer<Part> {
    let shown = path.display().to_string();
    let files = crate::files::open(path)?;
    let outline = Outline::read(files.as_ref()).map_err(|error| remote::outline(&error, &shown))?;
    let trust = crate::trust::of(&arguments.trust)?;
    let threads = NonZeroUsize::new(super::threads()).unwrap_or(NonZeroUsize::MIN);
    let options = Options::new(Depth::Content, Expectations::default(), threads);
    let verdict = selfsame_verify::verify(files.as_ref(), &trust, &options);
    let exit = verify::exit(&verdict);
    let reason = verdict.failed().next().and_then(|check| check.outcome.reason()).unwrap_or_default().to_owned();
    let Some(evidence) = verdict.evidence else {
        return Err(Report::new(exit, format!("`{shown}` is not verified: {reason}"))
            .consequence("Nothing was joined.")
            .hint("give the key that signed it with `--key PUB`; several may be given")
            .into());
    };
    if let Some(platforms) = evidence.provenance.platforms() {
        return Err(Report::new(Exit::No, format!("`{shown}` was built as one of several platforms"))
            .fact("platforms", platforms.join(", "))
            .consequence("Nothing was joined.")
            .hint("the release that it was taken out of has all of them under one index already")
            .into());
    }
    Ok(Part { shown, files, outline, evidence })
}

/// What joins the parts.
struct Whole {
    index: Document,
    /// Manifests and bundles about the index, in the order of index.json.
    referrers: Vec<(Document, Vec<u8>)>,
    release_id: Digest,
}

fn join(parts: &[Part], signer: &dyn Signer, log: Option<&Log>, stamps: Option<&TimeStamps>) -> Answer<Whole> {
    let images: Vec<Descriptor> = parts.iter().map(|part| part.outline.subject.descriptor.clone()).collect();
    let index = image_index(&images, &BTreeMap::new())
        .map_err(|error| Report::new(Exit::No, error.to_string()).consequence("Nothing was joined."))?;
    let top = &index.descriptor;
    let unchecked = parts.iter().find(|part| !part.evidence.inventory.checked);
    let why = unchecked.map(|part| part.evidence.inventory.not_checked_because.as_str());
    let part = |part: &Part| {
        let platform = part.outline.subject.descriptor.platform.clone()?;
        Some(Joined { platform, image: part.evidence.image, release_id: part.evidence.release_id })
    };
    let each: Vec<Joined> = parts.iter().filter_map(part).collect();
    let statements = joining_statements(&parts[0].outline.name, top.digest, &each, None, why);
    let release_id = statements.last().map(|inventory| Digest::of(&inventory.to_payload())).expect("there is one");
    // No clock: the time of a part's own documents, which is that of its source.
    let created = parts[0].outline.bundles.iter().find_map(|item| item.descriptor.annotations.get(layout::CREATED));
    let unsigned =
        |error: SignError| Report::new(Exit::Unanswered, error.to_string()).consequence("Nothing was joined.");
    let bundles =
        statements.iter().map(|statement| Ok(sign_statement(statement, signer).map_err(unsigned)?.to_bytes()));
    let mut bundles = bundles.collect::<Answer<Vec<Vec<u8>>>>()?;
    if let Some(stamps) = stamps {
        stamps.stamp(&mut bundles)?;
    }
    if let Some(log) = log {
        log.enter(bundles.iter_mut().collect(), &signer.public_key().map_err(unsigned)?)?;
    }
    let mut referrers = Vec::new();
    for (statement, bundle) in statements.iter().zip(bundles) {
        let mut annotations = BTreeMap::from([
            (ANNOTATION_CONTENT.to_owned(), CONTENT.to_owned()),
            (ANNOTATION_PREDICATE_TYPE.to_owned(), statement.predicate_type.clone()),
        ]);
        annotations.extend(created.map(|created| (layout::CREATED.to_owned(), created.clone())));
        let layer = Descriptor::of(media::BUNDLE, &bundle);
        referrers.push((referrer_manifest(top, media::BUNDLE, &[layer], &annotations), bundle));
    }
    Ok(Whole { index, referrers, release_id })
}

fn write(folder: &Path, parts: &[Part], joined: &Whole) -> std::io::Result<()> {
    std::fs::create_dir_all(folder.join(layout::BLOBS))?;
    let bytes = |bytes: &[u8]| std::fs::write(folder.join(layout::blob_path(Digest::of(bytes))), bytes);
    bytes(&joined.index.bytes)?;
    bytes(Descriptor::EMPTY_BYTES)?;
    let mut listed = Vec::new();
    for (manifest, bundle) in &joined.referrers {
        bytes(&manifest.bytes)?;
        bytes(bundle)?;
        listed.push(manifest.descriptor.clone());
    }
    for part in parts {
        let outline = &part.outline;
        bytes(&outline.subject.bytes)?;
        for item in outline.bundles.iter().chain(&outline.capsules) {
            bytes(&item.bytes)?;
            listed.push(item.descriptor.clone());
        }
        for blob in outline.blobs(true) {
            let name = layout::blob_path(blob.digest);
            let path = folder.join(&name);
            if path.exists() {
                continue;
            }
            let mut reader = part.files.open(&name)?.ok_or(std::io::ErrorKind::NotFound)?;
            copy(&mut reader, &mut std::fs::File::create_new(path)?, &blob)?;
        }
    }
    let index = layout::index_file(&joined.index.descriptor, &parts[0].outline.name, &listed);
    std::fs::write(folder.join(layout::INDEX_FILE), index.bytes)?;
    std::fs::write(folder.join(layout::LAYOUT_FILE), layout::layout_file())
}

/// Copies a blob, and hashes what is copied: between the verification and now somebody may have written to the part.
fn copy(from: &mut dyn Read, to: &mut dyn Write, blob: &Descriptor) -> std::io::Result<()> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 128 << 10];
    let mut from = from.take(blob.size.saturating_add(1));
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
    }
    if hasher.finish() == (blob.digest, blob.size) {
        return Ok(());
    }
    let fault = format!("blob {} is another one than was verified a moment ago", blob.digest);
    Err(std::io::Error::new(std::io::ErrorKind::InvalidData, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_since_it_was_verified_is_not_copied() {
        let blob = Descriptor::of(media::LAYER_GZIP, b"a layer");
        let mut copied = Vec::new();
        copy(&mut b"a layer".as_slice(), &mut copied, &blob).unwrap();
        assert_eq!(copied, b"a layer");
        for other in [b"another".as_slice(), b"a layer, and more", b"a lay"] {
            let error = copy(&mut &other[..], &mut Vec::new(), &blob).unwrap_err();
            assert!(error.to_string().contains("is another one than was verified"), "{error}");
        }
    }
}
