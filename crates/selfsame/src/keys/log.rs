//! The keys of transparency logs: one line for the public half, any key file or signer for the private one.

use std::io::Read as _;
use std::path::Path;

use selfsame_attest::{Signer, SigningKey};
use selfsame_core::Digest;
use selfsame_log::{LogKey, LogSigner, WitnessSigner};

use super::passphrase::unlocked;
use super::{External, cannot, read, write_new};
use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;

/// The signer of checkpoints that `text` names, `FILE`, `env:NAME` or `exec:COMMAND`, and the digest of a key that is
/// here.
pub(crate) fn log_signer(text: &str) -> Answer<(LogSigner, Option<Digest>)> {
    if let Some(command) = text.strip_prefix("exec:") {
        let signer: Box<dyn Signer> = Box::new(External::new(command)?);
        return Ok((LogSigner::p256(signer), None));
    }
    let bytes = match text.strip_prefix("env:") {
        Some(name) => {
            let value = Settings::variable(name);
            let unset = || Report::new(Exit::Unanswered, format!("key `{text}`: the variable `{name}` is not set"));
            value.ok_or_else(unset)?.into_bytes()
        }
        None => read(Path::new(text))?,
    };
    let content = Digest::of(&bytes);
    let signer = LogSigner::parse(unlocked(bytes, text)?.as_bytes()).map_err(|error| {
        Report::new(Exit::Unanswered, format!("key `{text}` cannot sign a log: {error}"))
            .hint("`selfsame log init DIR` makes a log and a key for it")
    })?;
    Ok((signer, Some(content)))
}

/// The key of a witness.
pub(crate) fn witness_signer(name: &str, path: &Path) -> Answer<WitnessSigner> {
    let file = unlocked(read(path)?, &path.display().to_string())?;
    WitnessSigner::parse(name, file.as_bytes()).map_err(|error| {
        Report::new(Exit::Unanswered, format!("`{}` is not the key of a witness `{name}`: {error}", path.display()))
            .hint("`openssl genpkey -algorithm ed25519 -out witness.key` makes one")
            .into()
    })
}

/// A new Ed25519 key in a file of mode 0600, which nothing had the name of.
pub(crate) fn generate_log_key(private: &Path) -> Answer<(LogSigner, Option<Digest>)> {
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut seed))
        .map_err(|error| Report::new(Exit::Unanswered, format!("no key was made: {error}")))?;
    let pem = LogSigner::seed_to_pem(&seed);
    write_new(private, pem.as_bytes(), 0o600, "a key")?;
    Ok((LogSigner::from_seed(&seed), Some(Digest::of(pem.as_bytes()))))
}

/// A public file that replaces nothing.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> Answer<()> {
    write_new(path, content, 0o644, "a key")
}

/// The public key of a log from a file.
pub(crate) fn log_public(path: &Path) -> Answer<LogKey> {
    let bytes = read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    LogKey::parse(&text).map_err(|error| {
        let mut report =
            Report::new(Exit::Unanswered, format!("`{}` is not the key of a log: {error}", path.display()));
        if selfsame_attest::PublicKey::parse(&bytes).is_ok() || SigningKey::parse(&bytes).is_ok() {
            report = report.hint("this is a release key: give it with `--key`");
        } else {
            report = report.hint("`selfsame log init DIR` writes DIR.pub; `selfsame log show DIR` prints that line");
        }
        report.into()
    })
}

/// A checkpoint's bytes, cut where it could be none.
pub(crate) fn read_small(path: &Path) -> Answer<Vec<u8>> {
    let mut bytes = Vec::new();
    crate::given::open(path)
        .and_then(|file| file.take(selfsame_log::note::MOST_NOTE_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| cannot("read", path, &error))?;
    Ok(bytes)
}

/// A path as the text that names a key.
pub(crate) fn text_of(path: &Path) -> Answer<String> {
    let utf8 = || cannot("name", path, &std::io::Error::other("the path is not UTF-8"));
    Ok(path.to_str().ok_or_else(utf8)?.to_owned())
}
