//! The trust file: docs/trust/v1.md. Parsed strictly, printed in one way.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_attest::{Envelope, PublicKey, Rotation};
use selfsame_core::{Day, Digest, Level, suggest, uri};
use selfsame_definition::TextError;
use selfsame_definition::document::{self, Field, Table};
use selfsame_log::{LogKey, WitnessKey};
use selfsame_timestamp::Authority;

use super::{Floor, LogLine, TrustedAuthority, rotated, shared_origin};

/// The only version there is.
const VERSION: u64 = 1;
/// The most keys that are read.
pub(super) const MOST_KEYS: usize = 256;
/// The most time stamp authorities that are read.
const MOST_AUTHORITIES: usize = 64;
/// The most rotations that are read.
const MOST_ROTATIONS: usize = 256;
/// The longest name of a key or of its holder, in characters.
const LONGEST_NAME: usize = 80;

/// Words for the predicate types that a key may be allowed; a type without a word is written as its URI.
pub const PREDICATES: [(&str, &str); 7] = [
    ("provenance", uri::PROVENANCE),
    ("sbom", uri::CYCLONEDX),
    ("signature", uri::COSIGN_SIGN),
    ("inventory", uri::INVENTORY),
    ("run-record", uri::RUN_RECORD),
    ("rebuild", uri::REBUILD),
    ("vsa", uri::VSA),
];

/// A trust file: what its owner believes, with the proofs that others gave for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustFile {
    /// Counted up by every change.
    pub serial: u64,
    /// The least determinism level of a build.
    pub minimum_level: Option<Level>,
    /// How many identities must have signed a whole release of one image: 1 unless more are asked for.
    pub release_threshold: usize,
    /// How many other identities must have rebuilt it.
    pub rebuild_threshold: usize,
    /// How many witnesses must have cosigned the checkpoint of a log entry.
    pub witness_threshold: usize,
    /// The transparency logs: with one, every evidence document has to be in one.
    pub logs: Vec<LogLine>,
    /// Who says when a log was what it is.
    pub witnesses: Vec<WitnessKey>,
    /// Who says when something was signed.
    pub authorities: Vec<TrustedAuthority>,
    /// What releases must not be older than, by name.
    pub floors: BTreeMap<String, Floor>,
    /// The keys, in the order of the file.
    pub keys: Vec<KeyEntry>,
    /// Signed rotations, in the order of the file. Each was verified with its predecessor's key.
    pub rotations: Vec<Envelope>,
}

/// One key of a trust file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Unique in the file.
    pub name: String,
    /// Who holds it; the name where the file says nothing.
    pub identity: String,
    /// The key, with the builder line if its text has one.
    pub key: PublicKey,
    /// The builders that it may speak for.
    pub builder_ids: Option<Vec<String>>,
    /// The predicate types that it may sign.
    pub predicates: Option<BTreeSet<String>>,
    /// The first day.
    pub from: Option<Day>,
    /// The last day.
    pub until: Option<Day>,
    /// The day from which on it signs nothing new.
    pub retired: Option<Day>,
    /// The day from which on somebody else may sign with it.
    pub compromised: Option<Day>,
    /// The key that has to have named it as its successor.
    pub successor_of: Option<String>,
    /// For people.
    pub note: Option<String>,
}

impl TrustFile {
    /// The largest file that is read, in bytes.
    pub const LIMIT_BYTES: usize = document::LIMIT_BYTES;

    /// A file that trusts nobody yet.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            serial: 1,
            minimum_level: None,
            release_threshold: 1,
            rebuild_threshold: 0,
            witness_threshold: 0,
            logs: Vec::new(),
            witnesses: Vec::new(),
            authorities: Vec::new(),
            floors: BTreeMap::new(),
            keys: Vec::new(),
            rotations: Vec::new(),
        }
    }

    /// Parses a trust file, and verifies the rotations in it.
    ///
    /// # Errors
    /// The first fault, with its place: an unknown key, a wrong type, a name twice, a rotation that does not verify.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        document::parse(text, |top| read(&top))
    }

    /// The key of this name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&KeyEntry> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl KeyEntry {
    /// A key in use under this name.
    #[must_use]
    pub fn new(name: impl Into<String>, key: PublicKey) -> Self {
        let name = name.into();
        Self {
            identity: name.clone(),
            name,
            key,
            builder_ids: None,
            predicates: None,
            from: None,
            until: None,
            retired: None,
            compromised: None,
            successor_of: None,
            note: None,
        }
    }
}

/// Whether a name may stand for a key or its holder: short, and printable ASCII without quotes.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.@+/: =".contains(&b);
    !text.is_empty() && text.len() <= LONGEST_NAME && text.bytes().all(fine) && text.trim() == text
}

/// The predicate type that a word of [`PREDICATES`] or a URI stands for.
pub fn predicate_type(word: &str) -> Result<String, Option<&'static str>> {
    let words = || PREDICATES.into_iter().map(|(word, _)| word);
    match PREDICATES.into_iter().find(|(known, _)| *known == word) {
        Some((_, uri)) => Ok(uri.to_owned()),
        None if selfsame_attest::text::is_uri(word) => Ok(word.to_owned()),
        None => Err(suggest::nearest(word, words())),
    }
}

fn read(top: &Table<'_, '_>) -> Result<TrustFile, TextError> {
    const KNOWN: [&str; 10] = [
        "key",
        "log",
        "minimum-level",
        "rollback",
        "rotation",
        "serial",
        "threshold",
        "timestamp-authority",
        "version",
        "witness",
    ];
    // A file of a later version is not read as one with unknown keys: its number comes first.
    let version = top.need("version")?;
    if version.integer()? != VERSION {
        return Err(version.fault(format!("version {} of trust files is not known; {VERSION} is", version.integer()?)));
    }
    let top = top.clone().only(&KNOWN)?;
    let mut file = TrustFile { serial: top.need("serial")?.integer()?, ..TrustFile::empty() };
    if let Some(level) = top.field("minimum-level") {
        file.minimum_level = Some(level.parsed()?);
    }
    let [release, rebuild, witness] = thresholds(&top, &mut file)?;
    let witness = witness.filter(|_| file.witness_threshold > 0);
    file.logs = read_logs(&top)?;
    file.witnesses = notes(&top, "witness", &["key"], WitnessKey::parse)?.into_iter().map(|(key, _)| key).collect();
    file.authorities = read_authorities(&top)?;
    let witnesses: BTreeSet<&str> = file.witnesses.iter().map(WitnessKey::name).collect();
    if let Some(asked) = witness.filter(|_| witnesses.len() < file.witness_threshold || file.logs.is_empty()) {
        let message = format!("`{}` asks for {} witnesses of a log", asked.name(), file.witness_threshold);
        return Err(asked.fault(format!(
            "{message}, and the file has {} logs and {} witnesses",
            file.logs.len(),
            witnesses.len()
        )));
    }
    if let Some(floors) = top.field("rollback") {
        for floor in floors.tables()? {
            let floor = read_floor(floor)?;
            if let Some(twice) = file.floors.insert(floor.name.clone(), floor) {
                return Err(floors.fault(format!("`rollback`: `{}` stands there twice", twice.name)));
            }
        }
    }
    if let Some(keys) = top.field("key") {
        for table in keys.tables()? {
            if file.keys.len() == MOST_KEYS {
                return Err(keys.fault(format!("more than {MOST_KEYS} keys")));
            }
            let key = read_key(&table)?;
            if let Some(other) = file.keys.iter().find(|other| other.name == key.name) {
                return Err(table.fault(format!("two keys are called `{}`", other.name)));
            }
            if let Some(other) = file.keys.iter().find(|other| other.key.fingerprint() == key.key.fingerprint()) {
                return Err(table.fault(format!("`{}` is the same key as `{}`", key.name, other.name)));
            }
            file.keys.push(key);
        }
        chains(&file, &keys)?;
    }
    read_rotations(&top, &mut file)?;
    for (field, wanted, kind) in
        [(release, file.release_threshold, uri::INVENTORY), (rebuild, file.rebuild_threshold, uri::REBUILD)]
    {
        let able = file.keys.iter().filter(|key| key.predicates.as_ref().is_none_or(|types| types.contains(kind)));
        let able: BTreeSet<&str> = able.map(|key| key.identity.as_str()).collect();
        if let Some(field) = field.filter(|_| able.len() < wanted) {
            return Err(field.fault(format!(
                "`{}` asks for {wanted} identities, and {} of this file could answer",
                field.name(),
                able.len()
            )));
        }
    }
    Ok(file)
}

/// A field, if it stands in the document.
type Maybe<'t, 'v> = Option<Field<'t, 'v>>;

fn thresholds<'t, 'v>(top: &Table<'t, 'v>, file: &mut TrustFile) -> Result<[Maybe<'t, 'v>; 3], TextError> {
    let Some(threshold) = top.field("threshold") else { return Ok([None, None, None]) };
    let table = threshold.table()?.only(&["rebuild", "release", "witness"])?;
    let number = |field: &Field<'_, '_>, least: u64| {
        let found = field.integer()?;
        let in_range = (least..=MOST_KEYS as u64).contains(&found);
        let number = usize::try_from(found).ok().filter(|_| in_range);
        number.ok_or_else(|| field.fault(format!("`{}` is not from {least} to {MOST_KEYS}", field.name())))
    };
    let fields = ["release", "rebuild", "witness"].map(|name| table.field(name));
    let places = [(&mut file.release_threshold, 1), (&mut file.rebuild_threshold, 0), (&mut file.witness_threshold, 0)];
    for (field, (place, least)) in fields.iter().zip(places) {
        if let Some(field) = field {
            *place = number(field, least)?;
        }
    }
    Ok(fields)
}

/// The logs, each with a name of its own.
fn read_logs(top: &Table<'_, '_>) -> Result<Vec<LogLine>, TextError> {
    let mut logs: Vec<LogLine> = Vec::new();
    for (key, table) in notes(top, "log", &["from", "key", "until"], LogKey::parse)? {
        let (from, until) = days(&table)?;
        if shared_origin(logs.iter().map(|log| &log.key).chain([&key])).is_some() {
            let message =
                format!("two logs are called `{}`: a log that goes on with another key has another name", key.origin());
            return Err(table.fault(message));
        }
        logs.push(LogLine { key, from, until });
    }
    Ok(logs)
}

/// The time stamp authorities, each with a name and a certificate of its own.
fn read_authorities(top: &Table<'_, '_>) -> Result<Vec<TrustedAuthority>, TextError> {
    let Some(field) = top.field("timestamp-authority") else { return Ok(Vec::new()) };
    let mut authorities: Vec<TrustedAuthority> = Vec::new();
    for table in field.tables()? {
        let table = table.only(&["certificates", "from", "name", "until"])?;
        if authorities.len() == MOST_AUTHORITIES {
            return Err(table.fault(format!("more than {MOST_AUTHORITIES} time stamp authorities")));
        }
        let certificates = table.need("certificates")?;
        let authority = Authority::parse(certificates.string()?)
            .map_err(|error| certificates.fault(format!("`{}`: {error}", certificates.name())))?;
        let (name, (from, until)) = (read_name(&table.need("name")?)?, days(&table)?);
        let same = |other: &&TrustedAuthority| {
            other.name == name || other.authority.signer().fingerprint() == authority.signer().fingerprint()
        };
        if let Some(other) = authorities.iter().find(same) {
            return Err(table.fault(format!("`{name}` is the same time stamp authority as `{}`", other.name)));
        }
        authorities.push(TrustedAuthority { name, authority, from, until });
    }
    Ok(authorities)
}

/// A name of a key, of its holder, or of an authority.
fn read_name(field: &Field<'_, '_>) -> Result<String, TextError> {
    let text = field.filled()?;
    if !is_name(text) {
        return Err(field.fault(format!(
            "`{}` is longer than {LONGEST_NAME} characters, or holds others than letters, digits and -_.@+/:=",
            field.name()
        )));
    }
    Ok(text.to_owned())
}

/// The first and the last day.
fn days(table: &Table<'_, '_>) -> Result<(Option<Day>, Option<Day>), TextError> {
    let day = |key: &str| table.field(key).map(|field| field.parsed::<Day>()).transpose();
    let (from, until) = (day("from")?, day("until")?);
    match table.field("until").filter(|_| from.zip(until).is_some_and(|(from, until)| until < from)) {
        Some(field) => Err(field.fault(format!("`{}` is before `from`", field.name()))),
        None => Ok((from, until)),
    }
}

/// Keys of logs or of witnesses, in the one-line form of signed notes, none twice.
fn notes<'t, 'v, T: std::fmt::Display, E: std::fmt::Display>(
    top: &Table<'t, 'v>,
    name: &str,
    known: &[&str],
    parse: fn(&str) -> Result<T, E>,
) -> Result<Vec<(T, Table<'t, 'v>)>, TextError> {
    let Some(field) = top.field(name) else { return Ok(Vec::new()) };
    let mut keys: Vec<(T, Table<'t, 'v>)> = Vec::new();
    for table in field.tables()? {
        let table = table.only(known)?;
        let line = table.need("key")?;
        let key = parse(line.filled()?).map_err(|error| line.fault(format!("`{}`: {error}", line.name())))?;
        if keys.len() == MOST_KEYS || keys.iter().any(|(other, _)| other.to_string() == key.to_string()) {
            return Err(line.fault(format!("`{}` stands there twice, or behind {MOST_KEYS} others", line.name())));
        }
        keys.push((key, table));
    }
    Ok(keys)
}

fn read_floor(table: Table<'_, '_>) -> Result<Floor, TextError> {
    let table = table.only(&["epoch", "name", "version"])?;
    let version = table.field("version").map(|version| version.filled().map(str::to_owned)).transpose()?;
    let epoch = table.field("epoch").map(|epoch| epoch.integer()).transpose()?;
    if version.is_none() && epoch.is_none() {
        return Err(table.fault("`rollback` without `version` or `epoch` asks for nothing"));
    }
    Ok(Floor { name: table.need("name")?.filled()?.to_owned(), version, epoch })
}

fn read_key(table: &Table<'_, '_>) -> Result<KeyEntry, TextError> {
    const KNOWN: [&str; 11] = [
        "builder-ids",
        "compromised",
        "from",
        "identity",
        "name",
        "note",
        "predicates",
        "public-key",
        "retired",
        "successor-of",
        "until",
    ];
    let table = table.clone().only(&KNOWN)?;
    let day = |key: &str| table.field(key).map(|field| field.parsed::<Day>()).transpose();
    let public = table.need("public-key")?;
    let key = PublicKey::parse(public.string()?.as_bytes())
        .map_err(|error| public.fault(format!("`{}`: {error}", public.name())))?;
    let mut entry = KeyEntry::new(read_name(&table.need("name")?)?, key);
    if let Some(identity) = table.field("identity") {
        entry.identity = read_name(&identity)?;
    }
    if let Some(ids) = table.field("builder-ids") {
        entry.builder_ids = Some(builder_ids(&ids, &entry.key)?);
    }
    if let Some(predicates) = table.field("predicates") {
        entry.predicates = Some(predicates.list()?.iter().map(read_predicate).collect::<Result<_, _>>()?);
        if entry.predicates.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(predicates.fault(format!("`{}` is empty: the key could sign nothing", predicates.name())));
        }
    }
    (entry.from, entry.until) = days(&table)?;
    (entry.retired, entry.compromised) = (day("retired")?, day("compromised")?);
    entry.successor_of = table.field("successor-of").map(|of| read_name(&of)).transpose()?;
    entry.note = table.field("note").map(|note| note.string().map(str::to_owned)).transpose()?;
    Ok(entry)
}

fn builder_ids(field: &Field<'_, '_>, key: &PublicKey) -> Result<Vec<String>, TextError> {
    let mut ids = Vec::new();
    for item in field.list()? {
        let id = item.filled()?;
        if !selfsame_attest::text::is_uri(id) {
            return Err(item.fault(format!("`{}` is not a URI", item.name())));
        }
        if key.declared_builder_id().is_some_and(|declared| declared != id) {
            return Err(item.fault(format!("`{}` is another builder than the key's own text names", item.name())));
        }
        ids.push(id.to_owned());
    }
    Ok(ids)
}

fn read_predicate(item: &Field<'_, '_>) -> Result<String, TextError> {
    predicate_type(item.filled()?).map_err(|nearest| {
        let words: Vec<&str> = PREDICATES.into_iter().map(|(word, _)| word).collect();
        let message = format!("`{}` is neither a URI nor one of {}", item.name(), words.join(", "));
        item.fault_with(message, nearest)
    })
}

/// Every predecessor is there, and none comes after itself.
fn chains(file: &TrustFile, keys: &Field<'_, '_>) -> Result<(), TextError> {
    for (entry, table) in file.keys.iter().zip(keys.tables()?) {
        let mut seen = BTreeSet::from([entry.name.as_str()]);
        let mut before = entry.successor_of.as_deref();
        while let Some(name) = before {
            let field = || table.field("successor-of").unwrap_or_else(|| keys.clone());
            let Some(predecessor) = file.key(name) else {
                let near = suggest::nearest(name, file.keys.iter().map(|key| key.name.as_str()));
                return Err(field().fault_with(format!("no key of this file is called `{name}`"), near));
            };
            if !seen.insert(name) {
                return Err(field().fault(format!("`{}` comes after itself", entry.name)));
            }
            before = predecessor.successor_of.as_deref();
        }
    }
    Ok(())
}

fn read_rotations(top: &Table<'_, '_>, file: &mut TrustFile) -> Result<(), TextError> {
    let Some(rotations) = top.field("rotation") else { return Ok(()) };
    let tables = rotations.tables()?;
    if tables.len() > MOST_ROTATIONS {
        return Err(rotations.fault(format!("more than {MOST_ROTATIONS} rotations")));
    }
    for table in tables {
        let statement = table.only(&["statement"])?.need("statement")?;
        let fault = |what: String| statement.fault(format!("`{}`: {what}", statement.name()));
        let envelope = Envelope::parse(statement.string()?.as_bytes()).map_err(|error| fault(error.to_string()))?;
        rotated::signed_by(&envelope, &file.keys).map_err(|error| fault(error.to_string()))?;
        file.rotations.push(envelope);
    }
    Ok(())
}

/// A digest of the text, for the verdict: which file it was.
pub(super) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// The rotations of a file with who signed them; each was verified when the file was read.
pub(super) fn rotations(file: &TrustFile) -> Vec<(&KeyEntry, Rotation)> {
    file.rotations.iter().filter_map(|envelope| rotated::signed_by(envelope, &file.keys).ok()).collect()
}
