//! `selfsame conformance`: a client of sigstore-conformance for managed keys.

use std::path::Path;

use selfsame_core::{Digest, Hasher};
use selfsame_verify::conformance::{TrustedRoot, verify_bundle};

use crate::cli::{ConformanceCommand, VerifyBundle};
use crate::report::{Answer, Exit, Report, printable};
use crate::{keys, terminal};

/// The largest bundle that is read.
const BUNDLE_BYTES: u64 = 64 << 20;
/// The largest trusted root that is read.
const ROOT_BYTES: u64 = 4 << 20;

pub(super) fn run(command: &ConformanceCommand) -> Answer {
    let ConformanceCommand::VerifyBundle(arguments) = command;
    let Some(key) = &arguments.key else {
        return Err(Report::new(Exit::Unanswered, "bundles with certificates are not judged")
            .hint("this client is for managed keys: `--key FILE`")
            .into());
    };
    let key = keys::public(key)?;
    let root = arguments.trusted_root.as_deref().map(trusted_root).transpose()?;
    let bundle = read(&arguments.bundle, BUNDLE_BYTES)?;
    let file = file_or_digest(arguments)?;
    let _ = super::verify::give_up_the_network();
    match verify_bundle(file, &bundle, &key, root.as_ref()) {
        Ok(found) => {
            let what = if found.is_statement { "a signed statement about it" } else { "a signature over it" };
            let log = match (found.entries, found.entries_not_judged) {
                (0, 0) => String::new(),
                (0, _) => ", log entries not judged: no trusted root was given".to_owned(),
                _ => ", in a trusted log".to_owned(),
            };
            terminal::data(&format!("verified: {file}, {what}{log}"));
            Ok(Exit::Yes)
        }
        Err(error) => {
            terminal::data(&format!("not verified: {}", printable(&error.to_string())));
            Ok(Exit::No)
        }
    }
}

/// The protocol: a digest begins with `sha256:`, is of the right length, and is no path on disk; all else is a path.
fn file_or_digest(arguments: &VerifyBundle) -> Answer<Digest> {
    let path = &arguments.file;
    let digest = path.to_str().and_then(|text| text.parse().ok());
    if let Some(digest) = digest.filter(|_| !path.exists()) {
        return Ok(digest);
    }
    let hashed = crate::given::open(path).and_then(Hasher::of_reader);
    hashed.map(|(digest, _)| digest).map_err(|error| cannot(path, &error))
}

fn trusted_root(path: &Path) -> Answer<TrustedRoot> {
    TrustedRoot::parse(&read(path, ROOT_BYTES)?).map_err(|error| {
        let what = format!("`{}` is not a trusted root: {error}", path.display());
        Report::new(Exit::Unanswered, what).into()
    })
}

fn read(path: &Path, most: u64) -> Answer<Vec<u8>> {
    crate::given::open(path)
        .and_then(|file| crate::files::read_bounded(file, most))
        .map_err(|error| cannot(path, &error))
}

fn cannot(path: &Path, error: &std::io::Error) -> Box<Report> {
    Report::new(Exit::Unanswered, format!("cannot read `{}`: {error}", path.display())).into()
}
