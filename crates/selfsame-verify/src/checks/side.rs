//! Bundles beside the layout, and statements that decided nothing.

use selfsame_attest::{Bundle, Envelope, Predicate, PublicKey, RunRecord, Statement, VerificationSummary};
use selfsame_core::Digest;

use super::SignedRebuild;
use super::blob::MOST_DOCUMENT_BYTES;
use super::documents::note;
use super::log::Entries;
use super::stamps::{Stamps, seen};
use crate::files::{REBUILD_PREFIX, RUN_RECORD_FILE, ReleaseFiles, SIDE_SUFFIX, SUMMARY_PREFIX, SUMMARY_SUFFIX};
use crate::rows::Rows;
use crate::trust::Trust;
use crate::verdict::{CheckId, Fact, Unlisted};
use crate::verified::Evidence;

/// The most rebuild statements that are looked at.
const MOST_REBUILDS: usize = 256;

/// The most verification summaries that are looked at, and the largest of them.
const MOST_SUMMARIES: usize = 256;
const SUMMARY_BYTES: u64 = 1 << 20;

/// Whether a bundle of this name may stand beside the layout without being listed.
pub(crate) fn may_stand_beside(name: &str) -> bool {
    name == RUN_RECORD_FILE || is_named(name, REBUILD_PREFIX, SIDE_SUFFIX) || is_summary(name)
}

fn is_summary(name: &str) -> bool {
    is_named(name, SUMMARY_PREFIX, SUMMARY_SUFFIX)
}

/// Whether something of 1 to 128 plain characters stands between the two.
fn is_named(name: &str, prefix: &str, suffix: &str) -> bool {
    let middle = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    middle.is_some_and(|middle| !middle.is_empty() && middle.len() <= 128 && middle.bytes().all(fine))
}

/// The `run-record` row. It never decides: a run record is outside the compared set and may be taken away.
pub(super) fn run_record(release: &dyn ReleaseFiles, evidence: &Evidence, rows: &mut Rows) -> Option<RunRecord> {
    const ID: CheckId = CheckId::RunRecord;
    let bytes = match release.read(RUN_RECORD_FILE, MOST_DOCUMENT_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            rows.skip(ID, "there is none", Vec::new());
            return None;
        }
        Err(error) => {
            rows.skip(ID, format!("not used: {RUN_RECORD_FILE} cannot be read: {error}"), Vec::new());
            return None;
        }
    };
    match read_run_record(&bytes, &evidence.signer, evidence.image, evidence.release_id) {
        Ok(record) => {
            rows.pass(
                ID,
                vec![Fact::new("file", RUN_RECORD_FILE), Fact::new("release", record.release_id.to_string())],
            );
            Some(record)
        }
        Err(fault) => {
            rows.skip(ID, format!("not used: {RUN_RECORD_FILE}: {fault}"), Vec::new());
            None
        }
    }
}

/// A run record that this key signed about this image, or index, and this release.
pub(crate) fn read_run_record(
    bytes: &[u8],
    signer: &PublicKey,
    image: Digest,
    release_id: Digest,
) -> Result<RunRecord, String> {
    // No digest covers this file: one byte more than was signed would be nobody's word, entries and stamps included.
    if Bundle::parse(bytes).is_ok_and(|bundle| bundle.signed_bytes() != bytes) {
        return Err("it is not canonical".to_owned());
    }
    let statement = signed_by(bytes, |bundle| bundle.verify(signer).map_err(|error| error.to_string()))?;
    let record: RunRecord = statement.predicate_as().map_err(|error| error.to_string())?;
    if !statement.is_about(image) {
        return Err("it is about another image".to_owned());
    }
    if record.release_id != release_id {
        return Err(format!("it is about another release, {}", record.release_id));
    }
    Ok(record)
}

/// Notes every rebuild statement and whose it is; those by trusted keys go to `signed`, too.
pub(crate) fn rebuilds<'a>(
    release: &dyn ReleaseFiles,
    trust: &'a Trust,
    image: Digest,
    signed: &mut Vec<SignedRebuild<'a>>,
    unlisted: &mut Vec<Unlisted>,
) {
    let Ok(mut names) = release.names() else { return };
    names.sort();
    let of_kind = |of: fn(&str) -> bool| names.iter().filter(move |name| of(name));
    summaries(release, of_kind(is_summary), trust, image, unlisted);
    let names = of_kind(|name| is_named(name, REBUILD_PREFIX, SIDE_SUFFIX));
    for name in names.take(MOST_REBUILDS) {
        let told = match release.read(name, MOST_DOCUMENT_BYTES) {
            Ok(Some(bytes)) => rebuild_note(&bytes, trust, image, signed),
            Ok(None) => continue,
            Err(error) => Err(format!("cannot be read: {error}")),
        };
        match told {
            Ok((predicate_type, text)) => unlisted.push(note(name, Some(&predicate_type), &text)),
            Err(fault) => unlisted.push(note(name, None, &fault)),
        }
    }
}

/// Notes every verification summary, whose it is and what it says. None of them decides: it is somebody's verdict on a
/// release, and this one is made from the release alone.
fn summaries<'a>(
    release: &dyn ReleaseFiles,
    names: impl Iterator<Item = &'a String>,
    trust: &Trust,
    image: Digest,
    unlisted: &mut Vec<Unlisted>,
) {
    for name in names.take(MOST_SUMMARIES) {
        let told = match release.read(name, SUMMARY_BYTES) {
            Ok(Some(bytes)) => summary_note(&bytes, trust, image),
            Ok(None) => continue,
            Err(error) => Err(format!("cannot be read: {error}")),
        };
        match told {
            Ok(text) => unlisted.push(note(name, Some(VerificationSummary::TYPE), &text)),
            Err(fault) => unlisted.push(note(name, None, &fault)),
        }
    }
}

fn summary_note(bytes: &[u8], trust: &Trust, image: Digest) -> Result<String, String> {
    let envelope = Envelope::parse(bytes).map_err(|error| error.to_string())?;
    let by = trust.keys().iter().find(|trusted| envelope.verify(&trusted.key).is_ok());
    let statement = Statement::parse(&envelope.payload).map_err(|error| error.to_string())?;
    let summary: VerificationSummary = statement.predicate_as().map_err(|error| error.to_string())?;
    let by = match by {
        Some(trusted) => format!("by trusted key {}", trusted.key.key_id()),
        None => "by a key that is not trusted".to_owned(),
    };
    let about = if statement.is_about(image) { "this image" } else { "another image" };
    Ok(format!("{by}: a verification summary of {about}, {}", summary.verification_result.as_str()))
}

fn rebuild_note<'a>(
    bytes: &[u8],
    trust: &'a Trust,
    image: Digest,
    signed: &mut Vec<SignedRebuild<'a>>,
) -> Result<(String, String), String> {
    let (mut by, mut signer, mut day) = (String::new(), None, None);
    let statement = signed_by(bytes, |bundle| {
        let trusted = trust.keys().iter().find(|trusted| bundle.envelope().verify(&trusted.key).is_ok());
        signer = trusted;
        day = trusted.and_then(|key| seen(&Entries::of(bundle, &key.key, trust), &Stamps::of(bundle, trust)));
        by = match trusted {
            Some(trusted) => format!("by trusted key {}", trusted.key.key_id()),
            None => format!("by key {}, which is not trusted", selfsame_attest::text::quote(bundle.key_id())),
        };
        Statement::parse(&bundle.envelope().payload).map_err(|error| error.to_string())
    })?;
    let rebuild = selfsame_attest::RebuildStatement::TYPE == statement.predicate_type;
    let ours = statement.is_about(image);
    let about = match (rebuild, ours) {
        (true, true) => "a rebuild of this image",
        (true, false) => "a rebuild of another image",
        (false, _) => "not a rebuild statement",
    };
    let predicate_type = statement.predicate_type.clone();
    signed.extend(signer.map(|key| (key, statement, day)));
    Ok((predicate_type, format!("{by}: {about}")))
}

fn signed_by(bytes: &[u8], statement: impl FnOnce(&Bundle) -> Result<Statement, String>) -> Result<Statement, String> {
    let bundle = Bundle::parse(bytes).map_err(|error| error.to_string())?;
    statement(&bundle)
}

/// The row `unlisted`.
pub(super) fn report(unlisted: &[Unlisted], rows: &mut Rows) {
    let facts = unlisted.iter().map(|it| Fact::new(it.file.clone(), it.note.clone())).collect();
    rows.pass(CheckId::Unlisted, facts);
}
