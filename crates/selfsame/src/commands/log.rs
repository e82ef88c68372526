//! `selfsame log`: a transparency log in a folder.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rustix::fs::FlockOperation;
use selfsame_core::Digest;
use selfsame_log::{LogKey, SignedCheckpoint, note};
use selfsame_store::{LogFolder, LogFolderError};
use serde_json::{Value, json};

use super::errors;
use crate::cli::{LogCheck, LogCommand, LogCosign, LogInit, LogProve, LogShow, LogTrustedRoot};
use crate::log::beside;
use crate::report::{Answer, Exit, Report, with_schema};
use crate::settings::{Settings, wall_clock_secs};
use crate::{keys, prepare, terminal};

pub(super) fn run(arguments: &LogCommand, settings: &Settings) -> Answer {
    match arguments {
        LogCommand::Init(arguments) => init(arguments),
        LogCommand::Check(arguments) => check(arguments, settings),
        LogCommand::Show(arguments) => show(arguments, settings),
        LogCommand::Prove(arguments) => prove(arguments),
        LogCommand::Cosign(arguments) => cosign(arguments),
        LogCommand::TrustedRoot(arguments) => trusted_root(arguments),
    }
}

fn init(arguments: &LogInit) -> Answer {
    let dir = &arguments.dir;
    let (private, public) = (beside(dir, ".key")?, beside(dir, ".pub")?);
    let origin = match &arguments.origin {
        Some(origin) => origin.clone(),
        None => public.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    if !note::is_key_name(&origin) {
        return Err(Report::new(Exit::Unanswered, format!("`{origin}` cannot be the name of a log"))
            .hint("an address of yours without https://, as `--origin log.example.com/releases`")
            .into());
    }
    let made = arguments.key.is_none().then_some(&private);
    if let Some(taken) = [Some(dir), Some(&public), made].into_iter().flatten().find(|it| it.symlink_metadata().is_ok())
    {
        let mut report = Report::new(Exit::Unanswered, format!("there is something at `{}`", taken.display()))
            .consequence("No log was made.");
        if taken == &private {
            report = report.hint(format!("to use that key, pass `--key {}`", errors::quoted(&private)));
        }
        return Err(report.into());
    }
    let (signer, _) = match &arguments.key {
        Some(key) => keys::log_signer(key)?,
        None => keys::generate_log_key(&private)?,
    };
    let log = LogFolder::create(dir, &origin, &signer).map_err(errors::log)?;
    keys::write_public(&public, format!("{}\n", log.key()).as_bytes())?;
    terminal::data(&format!("log      {}  ({origin}, no entries)", dir.display()));
    if let Some(private) = made {
        terminal::data(&format!("private  {}  (mode 0600: keep it)", private.display()));
    }
    terminal::data(&format!("public   {}  (give it to everyone who verifies)", public.display()));
    terminal::data(&format!("log id   {}", log.key().log_id().hex()));
    Ok(Exit::Yes)
}

fn check(arguments: &LogCheck, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let log = LogFolder::open(&arguments.dir).map_err(|error| {
        // That the log's own key did not sign its checkpoint is an answer to what was asked.
        let answered = matches!(error, LogFolderError::Checkpoint { .. });
        let mut report = errors::log(error);
        if answered {
            report.exit = Exit::No;
        }
        report
    })?;
    let key = match &arguments.key {
        Some(path) => keys::log_public(path)?,
        None => log.key().clone(),
    };
    let since = arguments.since.as_deref().map(older).transpose()?;
    let report = log.check(&key, since.as_ref()).map_err(errors::log)?;
    let whole = report.faults.is_empty();
    let now = &report.checkpoint.checkpoint;
    let old = since.as_ref().map(|since| since.checkpoint.size);
    if arguments.json {
        let body = json!({
            "class": if whole { "whole" } else { "damaged" },
            "entries": report.entries,
            "faults": report.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "keyFrom": if arguments.key.is_some() { "given" } else { "folder" },
            "origin": now.origin,
            "root": now.root,
            "since": old,
            "size": now.size,
            "tiles": report.tiles,
        });
        terminal::data(&with_schema("https://selfsame.dev/log-check/v1", &body));
        return Ok(if whole { Exit::Yes } else { Exit::No });
    }
    for fault in &report.faults {
        terminal::data(&format!("fault    {fault}"));
    }
    print_checkpoint(&report.checkpoint);
    terminal::data(&format!("checked  {} entries and {} tiles, each hashed again", report.entries, report.tiles));
    match old {
        Some(old) if whole => terminal::data(&format!("since    {old} entries: all of them are there, unchanged")),
        _ => {}
    }
    if arguments.key.is_none() {
        terminal::talk("the key was taken from the folder itself; `--key PUB` is what you know from elsewhere");
    }
    Ok(if whole { Exit::Yes } else { Exit::No })
}

fn show(arguments: &LogShow, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let log = LogFolder::open(&arguments.dir).map_err(errors::log)?;
    let checkpoint = log.checkpoint().map_err(errors::log)?;
    let signers: Vec<&str> = checkpoint.note.signatures.iter().map(|signature| signature.name.as_str()).collect();
    if arguments.json {
        let now = &checkpoint.checkpoint;
        let body = json!({
            "class": "log",
            "checkpoint": checkpoint.note.to_string(),
            "key": log.key().to_string(),
            "logId": log.key().log_id(),
            "origin": now.origin,
            "root": now.root,
            "signatures": signers,
            "size": now.size,
        });
        terminal::data(&with_schema("https://selfsame.dev/log/v1", &body));
    } else {
        print_checkpoint(&checkpoint);
        terminal::data(&format!("signed   {}", signers.join(", ")));
        terminal::data(&format!("key      {}", log.key()));
    }
    Ok(Exit::Yes)
}

fn prove(arguments: &LogProve) -> Answer {
    let log = LogFolder::open(&arguments.dir).map_err(errors::log)?;
    let entry: Value = log.prove(arguments.index).map_err(errors::log)?.to_json();
    terminal::data(&String::from_utf8_lossy(&selfsame_core::json::canonical_value(&entry)));
    Ok(Exit::Yes)
}

/// How long a writer of the log is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A witness never signs two histories: what it signed last is its own file's to remember, not the log's.
fn cosign(arguments: &LogCosign) -> Answer {
    let signer = keys::witness_signer(&arguments.name, &arguments.key)?;
    let key = keys::log_public(&arguments.log_key)?;
    let log = LogFolder::open(&arguments.dir).map_err(errors::log)?;
    // Two of one memory at once would each sign what goes on from it, and not from one another.
    let _lock = locked(&arguments.seen)?;
    let seen = arguments.seen.symlink_metadata().is_ok().then(|| older(&arguments.seen)).transpose()?;
    let report = log.check(&key, seen.as_ref()).map_err(errors::log)?;
    if let Some(fault) = report.faults.first() {
        let mut refusal = Report::new(Exit::No, format!("the log is not cosigned: {fault}"));
        for other in &report.faults[1..] {
            refusal = refusal.fact("fault", other);
        }
        return Err(refusal.consequence("Nothing was written.").into());
    }
    let cosigned = signer.cosign(report.checkpoint, wall_clock_secs()).map_err(errors::log_signer)?;
    // Remembered first: a witness that forgets what it signed could be made to sign something else.
    remember(&arguments.seen, &cosigned.note.to_string())?;
    log.put_cosigned(&cosigned, PATIENCE).map_err(errors::log)?;
    print_checkpoint(&cosigned);
    match seen {
        Some(seen) => terminal::data(&format!("since    {} entries: all of them are there", seen.checkpoint.size)),
        None => terminal::data("since    nothing: this was the first look"),
    }
    terminal::data(&format!("witness  {}", signer.key().map_err(errors::log_signer)?));
    Ok(Exit::Yes)
}

/// The memory of a witness for as long as this is kept: another one that wants it is told to come back.
fn locked(seen: &Path) -> Answer<File> {
    let mut path = seen.as_os_str().to_owned();
    path.push(".lock");
    let cannot = |error: std::io::Error| {
        Report::new(Exit::Unanswered, format!("cannot lock `{}`: {error}", path.display()))
            .consequence("Nothing was signed.")
    };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(cannot)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let fault = format!("another witness is at work with the memory `{}`", seen.display());
            Err(Report::new(Exit::NotNow, fault).consequence("Nothing was signed.").into())
        }
        Err(error) => Err(cannot(error.into()).into()),
    }
}

/// Writes what was signed, whole and on the disk before this returns: a machine that stops must not forget it.
fn remember(seen: &Path, text: &str) -> Answer<()> {
    let cannot =
        |error: std::io::Error| Report::new(Exit::Unanswered, format!("cannot write `{}`: {error}", seen.display()));
    let folder = seen.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".selfsame-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(cannot)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(cannot)?;
    file.as_file().sync_all().map_err(cannot)?;
    file.persist(seen).map_err(|error| cannot(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot)?;
    Ok(())
}

fn trusted_root(arguments: &LogTrustedRoot) -> Answer {
    let given = arguments.key.as_deref().map(keys::log_public).transpose()?;
    let held = arguments.dir.as_deref().map(|dir| LogFolder::open(dir).map_err(errors::log)).transpose()?;
    let held = held.map(|log| log.key().clone());
    let key: LogKey = match (given, held) {
        (Some(given), Some(held)) if given != held => {
            return Err(Report::new(Exit::No, "the folder is the log of another key than the one that was given")
                .fact("given", given)
                .fact("folder", held)
                .into());
        }
        (Some(key), _) | (None, Some(key)) => key,
        (None, None) => return Err(Report::new(Exit::Unanswered, "no log and no key was given").into()),
    };
    let text =
        String::from_utf8_lossy(&selfsame_log::trusted_root(&[selfsame_log::RootLog::new(&key)], &[])).into_owned();
    match &arguments.output {
        Some(path) => prepare::write_text(path, &(text + "\n"))?,
        None => terminal::data(&text),
    }
    Ok(Exit::Yes)
}

fn print_checkpoint(checkpoint: &SignedCheckpoint) {
    let now = &checkpoint.checkpoint;
    let root: Digest = now.root;
    terminal::data(&format!("log      {}, {} entries", now.origin, now.size));
    terminal::data(&format!("root     {root}"));
}

/// A checkpoint that somebody kept.
fn older(path: &Path) -> Answer<SignedCheckpoint> {
    let bytes = keys::read_small(path)?;
    SignedCheckpoint::parse(&bytes).map_err(|error| {
        Report::new(Exit::Unanswered, format!("`{}` is not a checkpoint: {error}", path.display())).into()
    })
}
