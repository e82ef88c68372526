//! `selfsame trust`: the file of whom this machine believes, made, changed and shown.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;

use selfsame_attest::{Envelope, Rotation};
use selfsame_core::{Day, Digest};
use selfsame_log::{LogKey, WitnessKey};
use selfsame_timestamp::{Authority, Certificate};
use selfsame_verify::trust::{LogLine, TrustedAuthority, TrustedLog};
use selfsame_verify::{Depth, Expectations, Export, KeyEntry, Options, Trust, TrustFile, TrustedKey};
use serde_json::json;

use super::errors;
use crate::cli::{self, TrustAdd, TrustCommand, TrustRotate};
use crate::keys;
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::settings::Settings;
use crate::terminal;
use crate::trust::{read, today};

/// The largest rotation that is read.
const ROTATION_BYTES: u64 = 16 << 20;

pub(super) fn run(command: &TrustCommand, settings: &Settings) -> Answer {
    match command {
        TrustCommand::Init { file, keys } => init(file, keys),
        TrustCommand::Add(arguments) => add(arguments),
        TrustCommand::Rotate(arguments) => rotate(arguments),
        TrustCommand::Revoke { file, name, retired, compromised, note } => {
            revoke(file, name, *retired, *compromised, note.as_deref())
        }
        TrustCommand::Show { file, at, json } => {
            settings.json.set(*json);
            show(file, at.unwrap_or_else(today), *json)
        }
        TrustCommand::Export { file, format, image, name, at } => {
            let (file, at) = (read(file)?.0, at.unwrap_or_else(today));
            let in_words_of = |format: Export| file.export(format, at, image, name.as_deref());
            let exported = match format {
                cli::TrustFormat::Cosign => in_words_of(Export::Cosign),
                cli::TrustFormat::Kyverno => in_words_of(Export::Kyverno),
                cli::TrustFormat::PolicyController => in_words_of(Export::PolicyController),
                cli::TrustFormat::TrustedRoot => file.trusted_root(),
            };
            let exported = exported.map_err(|error| Report::new(Exit::Unanswered, error.to_string()))?;
            terminal::data(&exported.text);
            for lost in exported.lost {
                terminal::talk(&format!("not in it: {}", printable(&lost)));
            }
            Ok(Exit::Yes)
        }
    }
}

fn init(path: &Path, public: &[std::path::PathBuf]) -> Answer {
    let mut file = TrustFile::empty();
    for path in public {
        file.keys.push(KeyEntry::new(name_of(path), keys::public(path)?));
    }
    let text = checked(&file)?;
    keys::write_new(path, text.as_bytes(), 0o644, "a trust file")?;
    terminal::data(&format!("{}  ({} keys)", path.display(), file.keys.len()));
    if file.keys.is_empty() {
        terminal::talk(&format!("\nIt trusts nobody yet:\n  selfsame trust add {} KEY.pub", errors::quoted(path)));
    }
    Ok(Exit::Yes)
}

/// What a key file is called, without its ending.
fn name_of(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn add(arguments: &TrustAdd) -> Answer {
    let (mut file, text) = read(&arguments.file)?;
    let content = key_text(&arguments.key)?;
    if content.contains("-----BEGIN CERTIFICATE-----") {
        return add_authority(arguments, file, &text, &content);
    }
    if let Some(line) = one_line(&content) {
        return add_log(arguments, file, &text, &line);
    }
    let key = keys::public(&arguments.key)?;
    let mut predicates = BTreeSet::new();
    for word in &arguments.predicates {
        predicates.insert(predicate_type(word)?);
    }
    let there = file.keys.iter_mut().find(|entry| entry.key.fingerprint() == key.fingerprint());
    let name = match there {
        // Trusted because another key named it; from now on because its owner says so.
        Some(entry) if entry.successor_of.is_some() => {
            if let Some(name) = arguments.name.as_ref().filter(|name| **name != entry.name) {
                let fault = format!("the trust file has this key: it is `{}`, not `{}`", entry.name, printable(name));
                return Err(Report::new(Exit::Unanswered, fault).consequence("Nothing was changed.").into());
            }
            entry.successor_of = None;
            // What its predecessor handed down stays where nothing else is said.
            if let Some(identity) = &arguments.identity {
                entry.identity.clone_from(identity);
            }
            if !arguments.builder_ids.is_empty() {
                entry.builder_ids = Some(arguments.builder_ids.clone());
            }
            if !predicates.is_empty() {
                entry.predicates = Some(predicates);
            }
            (entry.from, entry.until) = (arguments.from.or(entry.from), arguments.until.or(entry.until));
            if arguments.note.is_some() {
                entry.note.clone_from(&arguments.note);
            }
            entry.name.clone()
        }
        Some(entry) => {
            let fault = format!("the trust file has this key: it is `{}`", entry.name);
            return Err(Report::new(Exit::Unanswered, fault).consequence("Nothing was changed.").into());
        }
        None => {
            let name = arguments.name.clone().unwrap_or_else(|| name_of(&arguments.key));
            let mut entry = KeyEntry::new(name.clone(), key);
            entry.identity = arguments.identity.clone().unwrap_or_else(|| name.clone());
            entry.builder_ids = (!arguments.builder_ids.is_empty()).then(|| arguments.builder_ids.clone());
            entry.predicates = (!predicates.is_empty()).then_some(predicates);
            (entry.from, entry.until) = (arguments.from, arguments.until);
            entry.note.clone_from(&arguments.note);
            file.keys.push(entry);
            name
        }
    };
    file.serial += 1;
    write(&arguments.file, &text, &file)?;
    terminal::data(&format!("{}  serial {}: `{name}` counts", arguments.file.display(), file.serial));
    Ok(Exit::Yes)
}

/// What was said of a key that signs.
fn restricted(arguments: &TrustAdd) -> Vec<&'static str> {
    let said = [
        ("--name", arguments.name.is_some()),
        ("--identity", arguments.identity.is_some()),
        ("--builder-id", !arguments.builder_ids.is_empty()),
        ("--predicate", !arguments.predicates.is_empty()),
        ("--from", arguments.from.is_some()),
        ("--until", arguments.until.is_some()),
        ("--note", arguments.note.is_some()),
    ];
    said.into_iter().filter(|(_, said)| *said).map(|(option, _)| option).collect()
}

/// What is in a file of a key or of certificates; nothing where that is no text.
fn key_text(path: &Path) -> Answer<String> {
    let cannot =
        |error: std::io::Error| Report::new(Exit::Unanswered, format!("cannot read key `{}`: {error}", path.display()));
    let most = Authority::LIMIT_BYTES as u64;
    let bytes = crate::given::read(path, most).map_err(cannot)?;
    Ok(String::from_utf8(bytes).unwrap_or_default())
}

/// The one line of a log's or witness's key.
fn one_line(text: &str) -> Option<String> {
    let line = text.trim_end().to_owned();
    (line.contains('+') && !line.contains("-----") && line.lines().count() == 1).then_some(line)
}

/// An authority whose stamps show when something was signed.
fn add_authority(arguments: &TrustAdd, mut file: TrustFile, text: &str, certificates: &str) -> Answer {
    let said = |option: &&str| !matches!(*option, "--name" | "--from" | "--until");
    if let Some(option) = restricted(arguments).into_iter().find(said) {
        let fault =
            format!("`{option}` is about a key that signs, and `{}` holds certificates", arguments.key.display());
        return Err(Report::new(Exit::Unanswered, fault).consequence("Nothing was changed.").into());
    }
    let authority = Authority::parse(certificates).map_err(|error| {
        let fault = format!("`{}` is not a time stamp authority: {error}", arguments.key.display());
        Report::new(Exit::Unanswered, fault)
            .consequence("Nothing was changed.")
            .hint("give the certificate that signs time stamps first, and behind it the ones that certify each other")
    })?;
    let name = arguments.name.clone().unwrap_or_else(|| name_of(&arguments.key));
    let (from, until) = (arguments.from, arguments.until);
    file.authorities.push(TrustedAuthority { name: name.clone(), authority, from, until });
    file.serial += 1;
    write(&arguments.file, text, &file)?;
    terminal::data(&format!(
        "{}  serial {}: time stamps by `{name}` show when something was signed",
        arguments.file.display(),
        file.serial
    ));
    Ok(Exit::Yes)
}

/// A log in which documents have to be, or a witness who says when they were there.
fn add_log(arguments: &TrustAdd, mut file: TrustFile, text: &str, line: &str) -> Answer {
    let witness = WitnessKey::parse(line);
    // Of a log its days are said, of a witness nothing.
    let said = |option: &&str| witness.is_ok() || !matches!(*option, "--from" | "--until");
    if let Some(option) = restricted(arguments).into_iter().find(said) {
        let fault = format!(
            "`{option}` is about a key that signs, and `{}` is that of a log or witness",
            arguments.key.display()
        );
        return Err(Report::new(Exit::Unanswered, fault).consequence("Nothing was changed.").into());
    }
    let what = match (witness, LogKey::parse(line)) {
        (Ok(witness), _) => {
            file.witnesses.push(witness);
            format!("witness `{}` counts", file.witnesses[file.witnesses.len() - 1].name())
        }
        (_, Ok(log)) => {
            let told = format!("documents have to be in the log `{}`", log.origin());
            file.logs.push(LogLine { key: log, from: arguments.from, until: arguments.until });
            told
        }
        (_, Err(error)) => {
            let fault = format!("`{}` is not the key of a log or witness: {error}", arguments.key.display());
            return Err(Report::new(Exit::Unanswered, fault).consequence("Nothing was changed.").into());
        }
    };
    file.serial += 1;
    write(&arguments.file, text, &file)?;
    terminal::data(&format!("{}  serial {}: {what}", arguments.file.display(), file.serial));
    Ok(Exit::Yes)
}

/// The predicate type that a word or a URI stands for.
pub(super) fn predicate_type(word: &str) -> Answer<String> {
    selfsame_verify::trust::predicate_type(word).map_err(|near| {
        let words: Vec<&str> = selfsame_verify::trust::PREDICATES.into_iter().map(|(word, _)| word).collect();
        let report = Report::new(Exit::Unanswered, format!("`{}` is no predicate type", printable(word)))
            .fact("known", format!("{}, or a URI", words.join(", ")));
        Box::new(near.map_or(report.clone(), |near| report.hint(format!("did you mean `{near}`?"))))
    })
}

fn rotate(arguments: &TrustRotate) -> Answer {
    let (mut file, text) = read(&arguments.file)?;
    let (envelope, made) = match (&arguments.statement, &arguments.signer, &arguments.to) {
        (Some(path), _, _) => (statement(path)?, false),
        (None, Some(signer), Some(to)) => (sign(&file, &text, signer, to, arguments)?, true),
        _ => {
            return Err(Report::new(Exit::Unanswered, "a rotation is signed, or given")
                .hint(
                    "`--signer OLD.key --to NEW.pub` signs one, `--statement FILE` takes one that somebody else signed",
                )
                .into());
        }
    };
    let name = match (&arguments.name, &arguments.to) {
        (Some(name), _) => name.clone(),
        (None, Some(to)) => name_of(to),
        (None, None) => arguments.statement.as_deref().map(name_of).unwrap_or_default(),
    };
    let rotation = file.rotate(envelope.clone(), &name, today()).map_err(|error| {
        let report = Report::new(Exit::No, error.to_string()).consequence("Nothing was changed.");
        match error {
            selfsame_verify::RotateError::Name { .. } => report.hint("`--name NAME` says what the successor is called"),
            _ => report,
        }
    })?;
    // The proof first: a trust file without it would not be read.
    checked(&file)?;
    if made {
        keys::write_new(&arguments.output, &envelope.to_bytes(), 0o644, "a rotation")?;
        terminal::data(&format!("{}  (give it to everyone who has the old key)", arguments.output.display()));
    }
    write(&arguments.file, &text, &file)?;
    let entry = file.keys.iter().find(|entry| entry.key.fingerprint() == rotation.successor.fingerprint());
    terminal::data(&format!(
        "{}  serial {}: `{}` from {} on; releases by its predecessor that stay good: {}",
        arguments.file.display(),
        file.serial,
        entry.map(|entry| entry.name.as_str()).unwrap_or_default(),
        rotation.since,
        rotation.accepted_releases.len()
    ));
    Ok(Exit::Yes)
}

/// A rotation that somebody signed.
fn statement(path: &Path) -> Answer<Envelope> {
    let fault = |what: String| Report::new(Exit::Unanswered, format!("`{}` is not a rotation: {what}", path.display()));
    let bytes = crate::given::read(path, ROTATION_BYTES).map_err(|error| fault(error.to_string()))?;
    Ok(Envelope::parse(&bytes).map_err(|error| fault(error.to_string()))?)
}

/// A new rotation by the key behind `signer`.
fn sign(file: &TrustFile, text: &str, signer: &str, to: &Path, arguments: &TrustRotate) -> Answer<Envelope> {
    let since = arguments.since.unwrap_or_else(today);
    let key = keys::signer(signer, false)?;
    let to = keys::public(to)?;
    let public = key.signer.public_key().map_err(|error| Report::new(Exit::Unanswered, error.to_string()))?;
    let by = TrustedKey { builder_ids: None, ..TrustedKey::new(public.clone()) };
    let entry =
        file.at(since, text).keys().iter().find(|entry| entry.key.fingerprint() == public.fingerprint()).cloned();
    let by = TrustedKey { builder_ids: entry.and_then(|entry| entry.builder_ids), ..by };
    let mut accepted = BTreeSet::new();
    for release in &arguments.accept {
        accepted.insert(accepted_release(release, &by)?);
    }
    let signed = Rotation::sign(key.signer.as_ref(), &to, since, accepted);
    Ok(signed.map_err(|error| Report::new(Exit::Unanswered, error.to_string()).consequence("Nothing was changed."))?)
}

/// The release id that is meant: written out, or of a release that this key signed.
fn accepted_release(named: &str, by: &TrustedKey) -> Answer<Digest> {
    if let Ok(digest) = named.parse() {
        return Ok(digest);
    }
    let files = crate::files::open(Path::new(named))?;
    let threads = NonZeroUsize::new(super::threads()).unwrap_or(NonZeroUsize::MIN);
    let options = Options::new(Depth::Blobs, Expectations::default(), threads);
    let verdict = selfsame_verify::verify(files.as_ref(), &Trust::new(vec![by.clone()]), &options);
    let reason = verdict.failed().next().and_then(|check| check.outcome.reason()).unwrap_or_default().to_owned();
    verdict.evidence.map(|evidence| evidence.release_id).ok_or_else(|| {
        Report::new(Exit::No, format!("`{named}` is not a release that the retiring key signed: {reason}"))
            .consequence("Nothing was signed.")
            .into()
    })
}

fn revoke(path: &Path, name: &str, retired: Option<Day>, compromised: Option<Day>, note: Option<&str>) -> Answer {
    let (mut file, text) = read(path)?;
    let names: Vec<String> = file.keys.iter().map(|key| key.name.clone()).collect();
    let Some(entry) = file.keys.iter_mut().find(|key| key.name == name) else {
        let near = selfsame_core::suggest::nearest(name, names.iter().map(String::as_str));
        let report = Report::new(Exit::Unanswered, format!("no key of the trust file is called `{}`", printable(name)))
            .fact("keys", names.join(", "));
        return Err(near.map_or(report.clone(), |near| report.hint(format!("did you mean `{near}`?"))).into());
    };
    // The earliest day holds: to say a later one would give back what was taken.
    let earliest = |before: Option<Day>, now: Option<Day>| before.into_iter().chain(now).min();
    entry.retired = earliest(entry.retired, retired);
    entry.compromised = earliest(entry.compromised, compromised);
    if let Some(note) = note {
        entry.note = Some(note.to_owned());
    }
    let word = match (entry.compromised, entry.retired) {
        (Some(since), _) => {
            format!("compromised since {since}: what it signed counts only where a log or time stamp saw it before")
        }
        (None, Some(since)) => {
            format!(
                "retired since {since}: what it signed counts only where a log or time stamp saw it before, or a rotation by it lists the release"
            )
        }
        (None, None) => "as it was".to_owned(),
    };
    file.serial += 1;
    write(path, &text, &file)?;
    terminal::data(&format!("{}  serial {}: `{name}` is {word}", path.display(), file.serial));
    if compromised.is_some() {
        let at = file.at(today(), "");
        for key in at.keys().iter().filter(|key| key.standing.broken().is_some_and(|why| why.contains("compromised"))) {
            terminal::talk(&format!(
                "`{}` was named by it and does not count any more; if you know the key from elsewhere: selfsame trust add {} KEY.pub",
                key.name,
                errors::quoted(path)
            ));
        }
    }
    Ok(Exit::Yes)
}

fn show(path: &Path, at: Day, as_json: bool) -> Answer {
    let (file, text) = read(path)?;
    let trust = file.at(at, &text);
    if as_json {
        let keys: Vec<_> = trust
            .keys()
            .iter()
            .zip(&file.keys)
            .map(|(key, entry)| {
                json!({
                    "accepted": key.standing.accepted(),
                    "broken": key.standing.broken(),
                    "builderIds": key.accepted_builder_ids(false),
                    "compromised": entry.compromised.map(|day| day.to_string()),
                    "from": entry.from.map(|day| day.to_string()),
                    "identity": key.identity,
                    "keyId": key.key.key_id(),
                    "name": key.name,
                    "predicates": key.predicates,
                    "retired": entry.retired.map(|day| day.to_string()),
                    "standing": key.standing.word(),
                    "successorOf": entry.successor_of,
                    "until": entry.until.map(|day| day.to_string()),
                })
            })
            .collect();
        let floors: Vec<_> = file
            .floors
            .values()
            .map(|floor| json!({"epoch": floor.epoch, "name": floor.name, "version": floor.version}))
            .collect();
        let log = |(log, trusted): (&LogLine, &TrustedLog)| {
            json!({
                "from": log.from.map(|day| day.to_string()),
                "key": log.key.to_string(),
                "standing": trusted.word(),
                "until": log.until.map(|day| day.to_string()),
            })
        };
        let logs: Vec<_> = file.logs.iter().zip(trust.logs()).map(log).collect();
        let body = json!({
            "at": at.to_string(),
            "class": if trust.keys().is_empty() { "empty" } else { "trust" },
            "keys": keys,
            "logs": logs,
            "minimumLevel": file.minimum_level.map(|level| level.name()),
            "rollback": floors,
            "serial": file.serial,
            "sha256": Digest::of(text.as_bytes()).hex(),
            "threshold": {
                "rebuild": file.rebuild_threshold,
                "release": file.release_threshold,
                "witness": file.witness_threshold,
            },
            "timestampAuthorities": file.authorities.iter().map(authority_json).collect::<Vec<_>>(),
            "witnesses": file.witnesses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        terminal::data(&with_schema("https://selfsame.dev/trust/v1", &body));
        return Ok(Exit::Yes);
    }
    terminal::data(&printable_lines(&shown(path, at, &file, &trust)));
    Ok(Exit::Yes)
}

fn authority_json(stamps: &TrustedAuthority) -> serde_json::Value {
    let certificates: Vec<String> =
        stamps.authority.certificates().iter().map(|certificate| certificate.fingerprint().hex()).collect();
    json!({
        "certificates": certificates,
        "from": stamps.from.map(|day| day.to_string()),
        "name": stamps.name,
        "until": stamps.until.map(|day| day.to_string()),
    })
}

/// The file as a person reads it.
fn shown(path: &Path, at: Day, file: &TrustFile, trust: &Trust) -> String {
    let mut text = format!("{}: serial {}, on {at}\n", path.display(), file.serial);
    for (key, entry) in trust.keys().iter().zip(&file.keys) {
        text += &format!("\n  {:<12} {}\n", key.standing.word(), key.name);
        let mut fact = |name: &str, value: String| text += &format!("    {name:<11} {value}\n");
        fact("key id", key.key.key_id());
        if key.identity != key.name {
            fact("held by", key.identity.clone());
        }
        fact("builders", or_none(&key.accepted_builder_ids(false)));
        if let Some(types) = &key.predicates {
            fact("may sign", types.iter().cloned().collect::<Vec<_>>().join(", "));
        }
        let days = [
            ("from", entry.from),
            ("until", entry.until),
            ("retired", entry.retired),
            ("compromised", entry.compromised),
        ];
        for (name, day) in days.into_iter().filter_map(|(name, day)| Some((name, day?))) {
            fact(name, day.to_string());
        }
        if let Some(predecessor) = &entry.successor_of {
            fact("after", predecessor.clone());
        }
        if key.standing.accepted() > 0 {
            fact("stays good", format!("releases it lists: {}", key.standing.accepted()));
        }
        if let Some(broken) = key.standing.broken() {
            fact("but", format!("it {broken}"));
        }
        if let Some(note) = &entry.note {
            fact("note", note.clone());
        }
    }
    if trust.keys().is_empty() {
        text += "\n  nobody is trusted\n";
    }
    for stamps in &file.authorities {
        text += &format!("\n  {:<12} {}\n", "says when", stamps.name);
        let mut fact = |name: &str, value: String| text += &format!("    {name:<11} {value}\n");
        fact("certificate", stamps.authority.signer().fingerprint().to_string());
        let names: Vec<String> = stamps.authority.certificates().iter().map(Certificate::name).collect();
        fact("of", names.join(", certified by "));
        for (name, day) in [("from", stamps.from), ("until", stamps.until)] {
            day.into_iter().for_each(|day| fact(name, day.to_string()));
        }
    }
    let mut asked = Vec::new();
    if file.release_threshold > 1 {
        asked.push(format!("{} identities sign a release", file.release_threshold));
    }
    asked.extend(file.logs.iter().zip(trust.logs()).map(|(log, trusted)| {
        let days = [(log.from, "from"), (log.until, "until")];
        let days = days.into_iter().filter_map(|(day, word)| Some(format!(" {word} {}", day?))).collect::<String>();
        let word = Some(trusted.word()).filter(|word| *word != "active").map(|word| format!(" ({word})"));
        format!("an entry in {}{days}{}", log.key.origin(), word.unwrap_or_default())
    }));
    if file.witness_threshold > 0 {
        asked.push(format!("{} witnesses cosign it", file.witness_threshold));
    }
    if file.rebuild_threshold > 0 {
        asked.push(format!("{} others rebuild it", file.rebuild_threshold));
    }
    asked.extend(file.minimum_level.map(|level| format!("level {level} at least")));
    for floor in file.floors.values() {
        asked.extend(floor.version.iter().map(|version| format!("{} {version} or newer", floor.name)));
        asked.extend(floor.epoch.map(|epoch| format!("{} of epoch {epoch} or newer", floor.name)));
    }
    if !asked.is_empty() {
        text += &format!("\n  asked for: {}\n", asked.join("; "));
    }
    text
}

fn or_none(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// The text of a changed file, if it would be read again as what it is.
fn checked(file: &TrustFile) -> Answer<String> {
    let text = file.to_string();
    match TrustFile::parse(&text) {
        Ok(again) if again == *file => Ok(text),
        Ok(_) => Err(Report::new(Exit::Unanswered, "the change cannot be written into a trust file").into()),
        Err(error) => Err(Report::new(Exit::Unanswered, error.message).consequence("Nothing was changed.").into()),
    }
}

/// Writes a changed file in place of the one that was read: whole, or not at all.
fn write(path: &Path, before: &str, file: &TrustFile) -> Answer<()> {
    let text = checked(file)?;
    let cannot =
        |error: std::io::Error| Report::new(Exit::Unanswered, format!("cannot write `{}`: {error}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".selfsame-").tempfile_in(folder).map_err(cannot)?;
    new.write_all(text.as_bytes()).map_err(cannot)?;
    new.as_file().set_permissions(std::fs::metadata(path).map_err(cannot)?.permissions()).map_err(cannot)?;
    new.as_file().sync_all().map_err(cannot)?;
    // Somebody else's change is not written over.
    let (_, now) = read(path)?;
    if now != before {
        return Err(Report::new(Exit::NotNow, format!("`{}` was changed meanwhile", path.display()))
            .consequence("Nothing was changed by this command.")
            .into());
    }
    new.persist(path).map_err(|error| cannot(error.error))?;
    if before.lines().skip(1).any(|line| line.trim_start().starts_with('#')) {
        terminal::talk("comments of the file were not kept: what people want to say goes into `note`");
    }
    Ok(())
}
