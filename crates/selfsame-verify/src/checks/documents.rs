//! From bundles to statements that a trusted key made about this image.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_attest::bundle::{ANNOTATION_CONTENT, ANNOTATION_PREDICATE_TYPE, CONTENT};
use selfsame_attest::text::quote;
use selfsame_attest::{Bundle, BundleError, EnvelopeError, Statement, StatementError};
use selfsame_core::{Day, Digest, uri};
use selfsame_oci::{Descriptor, layout};

use super::SignedRebuild;
use super::blob::{self, MOST_DOCUMENT_BYTES};
use super::image::Image;
use super::log::Entries;
use super::opened::{Opened, Said, open_ahead};
use super::referrers::{Referrer, Referrers};
use super::stamps::{self, Stamps};
use crate::files::ReleaseFiles;
use crate::options::Options;
use crate::rows::Rows;
use crate::sbom::Sbom;
use crate::trust::{Trust, TrustedKey};
use crate::verdict::{CheckId, Fact, Unlisted};

/// The documents that make a release, each exactly once.
pub(super) const EVIDENCE: [(&str, &str); 4] = [
    (uri::PROVENANCE, "provenance"),
    (uri::CYCLONEDX, "SBOM"),
    (uri::COSIGN_SIGN, "image signature"),
    (uri::INVENTORY, "inventory"),
];

/// What a release's own signer may add later without being listed: statements that come after the inventory.
pub(crate) const LATER: [&str; 3] = [uri::RUN_RECORD, uri::REBUILD, uri::VSA];

/// The signed documents of one signer.
pub(super) struct Documents<'a> {
    pub(super) signer: &'a TrustedKey,
    /// What trusted keys say of rebuilds of something, in the order of the index.
    pub(super) rebuilds: Vec<SignedRebuild<'a>>,
    /// The four of [`EVIDENCE`], by predicate type.
    pub(super) by_type: BTreeMap<String, Document>,
    /// Log entries and timestamps of all bundles, strangers' included.
    pub(super) log_entries: usize,
    pub(super) timestamps: usize,
}

/// Whose releases of the image there are, and the documents of the one that is judged.
#[derive(Default)]
pub(super) struct Found<'a> {
    /// Every trusted key that signed an inventory, in the order of the trust.
    pub(super) signers: Vec<&'a TrustedKey>,
    /// Whose release is judged: one of them.
    pub(super) signer: Option<&'a TrustedKey>,
    /// Its documents, if each is there once.
    pub(super) documents: Option<Documents<'a>>,
}

/// One signed document.
pub(super) struct Document {
    pub(super) statement: Statement,
    /// The predicate, if it is an SBOM: the statement then has none.
    pub(super) sbom: Option<Sbom>,
    /// SHA-256 of the predicate's own bytes, if the payload is laid out as ours are.
    pub(super) predicate: Option<Digest>,
    /// SHA-256 of the DSSE payload.
    pub(super) payload: Digest,
    /// SHA-256 of the bundle as it was signed, before any log saw it.
    pub(super) bundle: Digest,
    /// What transparency logs say of it.
    pub(super) log: Entries,
    /// What time stamp authorities say of it.
    pub(super) stamps: Stamps,
    /// SHA-256 of the bundle as it lies there.
    pub(super) blob: Digest,
    /// Where that is.
    file: String,
}

impl Document {
    /// The day on which logs or authorities saw it.
    pub(super) fn seen(&self) -> Option<Day> {
        stamps::seen(&self.log, &self.stamps)
    }
}

/// A bundle whose signature counts.
struct Signed<'a> {
    key: &'a TrustedKey,
    document: Document,
}

/// Whose word counts, and how it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a, 'b> {
    pub(super) trust: &'a Trust,
    /// Whose release it is judged as; the first who signed an inventory, if nobody is named.
    pub(super) by: Option<&'b TrustedKey>,
    pub(super) options: &'b Options,
}

/// The rows `bundles` to `evidence-set`.
pub(super) fn read<'a>(
    release: &dyn ReleaseFiles,
    asked: Asked<'a, '_>,
    image: &Image,
    referrers: &Referrers,
    rows: &mut Rows,
    unlisted: &mut Vec<Unlisted>,
) -> Found<'a> {
    let Asked { trust, by, options } = asked;
    let mut reading = Reading::default();
    // One at a time: what a stranger attached is forgotten before the next is read, however much there is.
    for referrer in &referrers.bundles {
        let Some(layer) = referrer.manifest.layers.first() else { continue };
        let read = bundle(release, referrer, layer, options, &mut reading.faults, rows, unlisted);
        if let Some((bytes, bundle)) = read {
            reading.bundles += 1;
            reading.log_entries += bundle.log_entries().len();
            reading.timestamps += bundle.timestamps().len();
            reading.judge(referrer, layer, &bytes, bundle, asked, unlisted);
        }
    }
    let mut faults = std::mem::take(&mut reading.faults);
    let found = reading.found(trust, image, by, &mut faults, rows, unlisted);
    // What nobody who is trusted signed stands in the way of nothing that is whole; where something is missing, it says why.
    let whole = found.documents.is_some();
    for fault in faults {
        fault.settle(found.signer, whole, rows, unlisted);
    }
    found
}

/// What is wrong with something that somebody attached.
struct Fault<'a> {
    row: CheckId,
    reason: String,
    facts: Vec<Fact>,
    /// Who signed it, if a trusted key did.
    by: Option<&'a TrustedKey>,
    file: String,
    label: Option<String>,
}

impl Fault<'_> {
    /// A failed check, or a note.
    fn settle(self, signer: Option<&TrustedKey>, whole: bool, rows: &mut Rows, unlisted: &mut Vec<Unlisted>) {
        let others = self.by.zip(signer).is_some_and(|(by, signer)| !std::ptr::eq(by, signer));
        if whole || others {
            unlisted.push(note(&self.file, self.label.as_deref(), &self.reason));
        } else {
            rows.fail(self.row, self.reason, self.facts);
        }
    }
}

impl<'a> Reading<'a> {
    /// Whose releases there are, and the documents of the one that is judged.
    fn found(
        self,
        trust: &'a Trust,
        image: &Image,
        by: Option<&TrustedKey>,
        faults: &mut Vec<Fault<'a>>,
        rows: &mut Rows,
        unlisted: &mut Vec<Unlisted>,
    ) -> Found<'a> {
        let Reading { bundles, log_entries, timestamps, signed, strangers, trusted, .. } = self;
        rows.pass(CheckId::Bundles, vec![Fact::new("bundles", bundles.to_string())]);
        if trust.keys().is_empty() {
            return Found::default();
        }
        if trusted == 0 {
            // The reason why there is none comes first.
            for fault in faults.drain(..) {
                fault.settle(None, false, rows, unlisted);
            }
            rows.fail(CheckId::Signatures, "no evidence document has a signature by a trusted key", strangers);
            return Found::default();
        }
        let signers = signers(&signed, trust, rows);
        if signers.is_empty() {
            for fault in faults.drain(..) {
                fault.settle(None, false, rows, unlisted);
            }
            rows.pass(CheckId::Statements, vec![Fact::new("statements", signed.len().to_string())]);
            return Found::default();
        }
        let statements = signed.len();
        let signer =
            signers.iter().copied().find(|key| by.is_some_and(|by| std::ptr::eq(*key, by))).unwrap_or(signers[0]);
        rows.pass(
            CheckId::Signatures,
            vec![Fact::new("key", signer.key.key_id()), Fact::new("name", quote(&signer.name))],
        );
        let rebuilds = signed.iter().filter(|it| it.document.statement.predicate_type == uri::REBUILD);
        let rebuilds = rebuilds.map(|it| (it.key, it.document.statement.clone(), it.document.seen())).collect();
        let mut by_type: BTreeMap<String, Vec<Document>> = BTreeMap::new();
        for Signed { key, document } in signed {
            if std::ptr::eq(key, signer) {
                by_type.entry(document.statement.predicate_type.clone()).or_default().push(document);
            } else {
                unlisted.push(note(&document.file, Some(&document.statement.predicate_type), "by another trusted key"));
            }
        }
        subjects(&by_type, image, rows);
        let by_type = evidence_set(by_type, rows, unlisted);
        let documents = by_type.map(|by_type| Documents { signer, rebuilds, by_type, log_entries, timestamps });
        rows.pass(CheckId::Statements, vec![Fact::new("statements", statements.to_string())]);
        Found { signers, signer: Some(signer), documents }
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reading<'a> {
    bundles: usize,
    log_entries: usize,
    timestamps: usize,
    /// Signatures by trusted keys, those over something that is no statement included.
    trusted: usize,
    signed: Vec<Signed<'a>>,
    strangers: Vec<Fact>,
    /// In the order of the index; what they come to is known when all is read.
    faults: Vec<Fault<'a>>,
}

/// The `bundles` row, for one.
fn bundle(
    release: &dyn ReleaseFiles,
    referrer: &Referrer,
    layer: &Descriptor,
    options: &Options,
    faults: &mut Vec<Fault<'_>>,
    rows: &mut Rows,
    unlisted: &mut Vec<Unlisted>,
) -> Option<(Vec<u8>, Bundle)> {
    const ID: CheckId = CheckId::Bundles;
    let file = layout::blob_path(layer.digest);
    match blob::read_and(release, layer, MOST_DOCUMENT_BYTES, options.threads, Bundle::parse) {
        Ok((bytes, Ok(bundle))) => return Some((bytes, bundle)),
        // A certificate or a message signature is another tool's: not ours to judge, and of no weight here.
        Ok((_, Err(error @ BundleError::Unsupported { .. }))) => {
            unlisted.push(note(&file, label(referrer), &error.to_string()));
        }
        Ok((_, Err(error))) => {
            let label = label(referrer).map(str::to_owned);
            faults.push(Fault {
                row: ID,
                reason: format!("{file}: {error}"),
                facts: Vec::new(),
                by: None,
                file,
                label,
            });
        }
        Err(fault) => fault.report(ID, "bundle", rows),
    }
    None
}

impl<'a> Reading<'a> {
    /// The rows `signatures` (but for the signer) and `statements`, for one bundle.
    fn judge(
        &mut self,
        referrer: &Referrer,
        layer: &Descriptor,
        bytes: &[u8],
        bundle: Bundle,
        asked: Asked<'a, '_>,
        unlisted: &mut Vec<Unlisted>,
    ) {
        let trust = asked.trust;
        let file = layout::blob_path(layer.digest);
        let told = label(referrer).map(str::to_owned);
        let (pae, opened) = open_ahead(&bundle, trust, asked.options.threads);
        match signer_of(&bundle, pae, trust) {
            Ok(key) => {
                self.trusted += 1;
                let Opened { payload, said } = opened.unwrap_or_else(|| Opened::of(&bundle));
                let Said { statement, sbom, predicate } = said;
                let document = labelled(referrer, statement).and_then(|statement| {
                    let (log, stamps) = (Entries::of(&bundle, &key.key, trust), Stamps::of(&bundle, trust));
                    let (blob, signed) = (layer.digest, bundle.signed_digest(bytes, layer.digest));
                    let sbom = sbom.map(|outline| outline.with(bundle.into_payload())).transpose();
                    let sbom = sbom.map_err(|error| error.to_string())?.map(Sbom::new);
                    let file = file.clone();
                    Ok(Document { statement, sbom, predicate, payload, bundle: signed, log, stamps, blob, file })
                });
                match document {
                    Ok(document) => self.keep(Signed { key, document }, unlisted),
                    Err(reason) => {
                        let (row, reason) = (CheckId::Statements, format!("{file}: {reason}"));
                        self.faults.push(Fault { row, reason, facts: Vec::new(), by: Some(key), file, label: told });
                    }
                }
            }
            Err(Refusal::Stranger) => {
                let key_id = quote(bundle.key_id());
                self.strangers.push(Fact::new("not trusted", format!("{} by key {key_id}", named(referrer))));
                unlisted.push(note(&file, label(referrer), &format!("by key {key_id}, which is not trusted")));
            }
            Err(Refusal::Broken(fault)) => {
                let facts = vec![Fact::new("key", quote(bundle.key_id())), Fact::new("file", file.clone())];
                let (row, reason) = (CheckId::Signatures, format!("{}: {fault}", named(referrer)));
                self.faults.push(Fault { row, reason, facts, by: None, file, label: told });
            }
        }
    }

    /// One statement by one key counts once, however often somebody attaches it: the one that logs know, if one is, and of
    /// these one that an authority stamped.
    fn keep(&mut self, mut new: Signed<'a>, unlisted: &mut Vec<Unlisted>) {
        let same = |it: &&mut Signed<'_>| std::ptr::eq(it.key, new.key) && it.document.payload == new.document.payload;
        if let Some(before) = self.signed.iter_mut().find(same) {
            let worth = |it: &Signed<'_>| (it.document.log.refusal().is_none(), it.document.stamps.count());
            if worth(&new) > worth(before) {
                std::mem::swap(before, &mut new);
            }
            let kind = &new.document.statement.predicate_type;
            return unlisted.push(note(&new.document.file, Some(kind), "the same statement once more"));
        }
        self.signed.push(new);
    }
}

/// Why no trusted key stands behind a bundle.
enum Refusal {
    /// It does not say that one does.
    Stranger,
    /// It says so, wrongly.
    Broken(EnvelopeError),
}

/// The trusted key that made the signature over what has the SHA-256 `pae`. The key id in the bundle says which key is
/// tried first; it decides nothing.
fn signer_of<'a>(bundle: &Bundle, pae: Digest, trust: &'a Trust) -> Result<&'a TrustedKey, Refusal> {
    let mut refusal = Refusal::Stranger;
    let (named, others): (Vec<_>, Vec<_>) =
        trust.keys().iter().partition(|trusted| trusted.key.key_id() == bundle.key_id());
    for (trusted, is_named) in
        named.into_iter().map(|key| (key, true)).chain(others.into_iter().map(|key| (key, false)))
    {
        match bundle.envelope().verify_digest(pae, &trusted.key) {
            Ok(()) => return Ok(trusted),
            Err(fault @ EnvelopeError::Signature(_)) if is_named => {
                refusal = Refusal::Broken(fault);
            }
            Err(EnvelopeError::Signature(_)) => {}
            Err(fault) => return Err(Refusal::Broken(fault)),
        }
    }
    Err(refusal)
}

/// The statement in a bundle whose signature counts, if it is labelled as what it is.
fn labelled(referrer: &Referrer, statement: Result<Statement, StatementError>) -> Result<Statement, String> {
    let statement = statement.map_err(|error| error.to_string())?;
    let annotation = |name: &str| referrer.manifest.annotations.get(name).map(String::as_str);
    if annotation(ANNOTATION_PREDICATE_TYPE) != Some(&statement.predicate_type) {
        return Err(format!(
            "the referrer is labelled `{}` and holds a statement of type `{}`",
            quote(annotation(ANNOTATION_PREDICATE_TYPE).unwrap_or_default()),
            quote(&statement.predicate_type)
        ));
    }
    if annotation(ANNOTATION_CONTENT) != Some(CONTENT) {
        return Err(format!("the referrer's `{ANNOTATION_CONTENT}` is not `{CONTENT}`"));
    }
    Ok(statement)
}

/// The rest of the `signatures` row: who signed an inventory has signed a release, each of them a whole one.
fn signers<'a>(signed: &[Signed<'a>], trust: &'a Trust, rows: &mut Rows) -> Vec<&'a TrustedKey> {
    let inventories = || signed.iter().filter(|it| it.document.statement.predicate_type == uri::INVENTORY);
    let has_one = |key: &&TrustedKey| inventories().any(|it| std::ptr::eq(it.key, *key));
    let signers: Vec<&TrustedKey> = trust.keys().iter().filter(has_one).collect();
    if signers.is_empty() {
        let seen: BTreeSet<String> = signed.iter().map(|it| it.key.key.key_id()).collect();
        let facts = seen.into_iter().map(|id| Fact::new("key", id)).collect();
        rows.fail(CheckId::EvidenceSet, "no trusted key signed an inventory", facts);
    }
    signers
}

/// The `subjects` row.
fn subjects(by_type: &BTreeMap<String, Vec<Document>>, image: &Image, rows: &mut Rows) {
    const ID: CheckId = CheckId::Subjects;
    let wanted = image.descriptor.digest;
    for document in by_type.values().flatten() {
        if !document.statement.is_about(wanted) {
            let mut facts = vec![Fact::new("image", wanted.to_string())];
            facts.extend(document.statement.subjects.iter().flat_map(|subject| {
                subject
                    .digest
                    .entries()
                    .map(|(name, text)| Fact::new("subject", format!("{}:{}", quote(name), quote(text))))
            }));
            let name = type_name(&document.statement.predicate_type);
            rows.fail(ID, format!("the {name} is about something else than this image"), facts);
        }
    }
    rows.pass(ID, vec![Fact::new("image", wanted.to_string())]);
}

/// The `evidence-set` row: each kind once; kinds that come after the inventory aside.
fn evidence_set(
    by_type: BTreeMap<String, Vec<Document>>,
    rows: &mut Rows,
    unlisted: &mut Vec<Unlisted>,
) -> Option<BTreeMap<String, Document>> {
    const ID: CheckId = CheckId::EvidenceSet;
    let mut set = BTreeMap::new();
    for (predicate_type, documents) in by_type {
        let known = EVIDENCE.iter().any(|(evidence, _)| *evidence == predicate_type);
        for document in documents {
            if LATER.contains(&predicate_type.as_str()) {
                unlisted.push(note(
                    &document.file,
                    Some(&predicate_type),
                    "by the release's signer, made after the inventory",
                ));
            } else if !known {
                let reason = format!(
                    "the release's signer signed a document of type `{}`, which no release has",
                    quote(&predicate_type)
                );
                rows.fail(ID, reason, vec![Fact::new("file", document.file)]);
            } else if let Some(other) = set.insert(predicate_type.clone(), document) {
                let reason = format!("there are two documents of the kind {}", type_name(&predicate_type));
                rows.fail(ID, reason, vec![Fact::new("file", other.file)]);
            }
        }
    }
    let missing: Vec<&str> =
        EVIDENCE.into_iter().filter(|(evidence, _)| !set.contains_key(*evidence)).map(|(_, name)| name).collect();
    if missing.is_empty() {
        let types = EVIDENCE.into_iter().map(|(evidence, _)| Fact::new("document", evidence)).collect();
        rows.pass(ID, types);
        return Some(set);
    }
    let reason = format!("no {} with a signature by the release's signer", missing.join(", no "));
    rows.fail(ID, reason, Vec::new());
    None
}

/// What people call a predicate type.
pub(super) fn type_name(predicate_type: &str) -> String {
    match EVIDENCE.into_iter().find(|(evidence, _)| *evidence == predicate_type) {
        Some((_, name)) => name.to_owned(),
        None => format!("statement of type `{}`", quote(predicate_type)),
    }
}

fn label(referrer: &Referrer) -> Option<&str> {
    referrer.manifest.annotations.get(ANNOTATION_PREDICATE_TYPE).map(String::as_str)
}

/// What the referrer says that it is, for messages.
fn named(referrer: &Referrer) -> String {
    label(referrer).map_or_else(|| format!("referrer {}", referrer.descriptor.digest), type_name)
}

pub(crate) fn note(file: &str, predicate_type: Option<&str>, note: &str) -> Unlisted {
    Unlisted { file: quote(file), predicate_type: predicate_type.map(quote), note: note.to_owned() }
}
