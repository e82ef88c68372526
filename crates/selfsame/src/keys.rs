//! Where keys come from: files, the environment, other programs, and the development key of this machine.

mod external;
mod log;
pub(crate) mod passphrase;

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use selfsame_attest::{PublicKey, Signer, SigningKey};
use selfsame_core::{Digest, uri};
use selfsame_passphrase::LockedKey;

use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;

use external::External;
pub(crate) use external::{ask, patience, shown};
pub(crate) use log::{generate_log_key, log_public, log_signer, read_small, text_of, witness_signer, write_public};
use passphrase::Source;

/// The largest key file that is read.
const KEY_BYTES: u64 = 64 << 10;

/// A signer and where it came from.
pub(crate) struct Key {
    pub(crate) signer: Box<dyn Signer>,
    /// The builder that the key speaks for.
    pub(crate) builder_id: String,
    /// Whether it is the development key: releases by it are for trying out.
    pub(crate) development: bool,
    /// The digest of the private key's file or text: nothing with that content may be part of a source.
    pub(crate) content: Option<Digest>,
    /// The public half's file, where there is one, for the commands that are printed.
    pub(crate) public_file: Option<PathBuf>,
}

/// The signer that `text` names: `FILE`, `env:NAME` or `exec:COMMAND`.
pub(crate) fn signer(text: &str, relaxed: bool) -> Answer<Key> {
    let mut content = None;
    let (signer, public_file): (Box<dyn Signer>, _) = if let Some(name) = text.strip_prefix("env:") {
        let value = Settings::variable(name)
            .ok_or_else(|| Report::new(Exit::Unanswered, format!("key `{text}`: the variable `{name}` is not set")))?;
        content = Some(Digest::of(value.as_bytes()));
        (Box::new(parse(value.into_bytes(), text)?), None)
    } else if let Some(command) = text.strip_prefix("exec:") {
        (Box::new(External::new(command)?), None)
    } else {
        let path = Path::new(text);
        let public = path.with_extension("pub");
        let bytes = read(path)?;
        content = Some(Digest::of(&bytes));
        (Box::new(parse(bytes, text)?), public.exists().then_some(public))
    };
    let public = public_key(signer.as_ref(), text)?;
    let development = public.declared_builder_id() == Some(uri::BUILDER_DEV);
    let builder_id = selfsame_attest::builder_id(public.declared_builder_id(), relaxed);
    Ok(Key { signer, builder_id, development, content, public_file })
}

/// The development key of this machine, made on first use.
pub(crate) fn development(settings: &Settings, relaxed: bool) -> Answer<(Key, bool)> {
    let data = settings.data.as_ref().ok_or_else(|| {
        Report::new(Exit::Unanswered, "no folder for a development key: neither XDG_DATA_HOME nor HOME is set")
            .hint("make a key with `selfsame keygen -o KEY` and pass `--key KEY.key`")
    })?;
    let file = data.join("dev.key");
    let mut made = !file.exists();
    if made {
        std::fs::create_dir_all(data).map_err(|error| cannot("create", data, &error))?;
        match generate(&data.join("dev"), Some(uri::BUILDER_DEV), None) {
            Ok(_) => {}
            // Another build made one just now, and that is as good.
            Err(_) if file.exists() => made = false,
            Err(report) => return Err(report),
        }
    }
    let text = file
        .to_str()
        .ok_or_else(|| Report::new(Exit::Unanswered, format!("the path `{}` is not UTF-8", file.display())))?;
    Ok((signer(text, relaxed)?, made))
}

/// Makes a key: `PREFIX.key`, mode 0600, and `PREFIX.pub`. Neither replaces a file.
pub(crate) fn generate(
    prefix: &Path,
    builder_id: Option<&str>,
    passphrase: Option<&Source>,
) -> Answer<(PathBuf, PathBuf, PublicKey)> {
    let fault = |error: selfsame_attest::KeyError| Report::new(Exit::Unanswered, format!("no key was made: {error}"));
    let random = |seed: &mut [u8; 32]| std::fs::File::open("/dev/urandom")?.read_exact(seed);
    let key = SigningKey::generate(random).and_then(|key| key.with_builder_id(builder_id)).map_err(fault)?;
    write_pair(prefix, &key, passphrase)
}

/// A key that was made elsewhere, with or without a passphrase, as a pair of ours. It speaks for the builder of its file
/// if no other is named.
pub(crate) fn import(
    file: &Path,
    opened_by: &Source,
    prefix: &Path,
    builder_id: Option<&str>,
    passphrase: Option<&Source>,
) -> Answer<(PathBuf, PathBuf, PublicKey)> {
    let bytes = read(file)?;
    let name = file.display().to_string();
    let fault =
        |error: selfsame_attest::KeyError| Report::new(Exit::Unanswered, format!("`{name}` was not imported: {error}"));
    let key = if LockedKey::is_locked(&bytes) {
        SigningKey::parse(passphrase::open(&bytes, &name, opened_by)?.as_bytes())
    } else {
        SigningKey::parse(&bytes)
    };
    let key = match builder_id {
        Some(_) => key.and_then(|key| key.with_builder_id(builder_id)),
        None => key,
    };
    write_pair(prefix, &key.map_err(fault)?, passphrase)
}

fn write_pair(prefix: &Path, key: &SigningKey, passphrase: Option<&Source>) -> Answer<(PathBuf, PathBuf, PublicKey)> {
    let with = |extension: &str| {
        let mut name = prefix.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    let (private, public) = (with(".key"), with(".pub"));
    // A link that leads nowhere yet is something too: what it leads to is not ours to make. Both are looked at before
    // anybody is asked for a passphrase.
    if public.symlink_metadata().is_ok() {
        return Err(exists(&public, "a key").into());
    }
    if private.symlink_metadata().is_ok() {
        return Err(exists(&private, "a key").into());
    }
    let mut pem = key.to_pem();
    if let Some(source) = passphrase {
        pem = passphrase::lock(&pem, &source.read(&format!("the new key `{}`", private.display()), true)?)?;
    }
    write_new(&private, pem.as_bytes(), 0o600, "a key")?;
    write_new(&public, key.public().to_pem().as_bytes(), 0o644, "a key")?;
    Ok((private, public, key.public()))
}

/// Writes a file whole under a name that nothing has: whoever else looks sees none or all of it.
pub(crate) fn write_new(path: &Path, content: &[u8], mode: u32, what: &str) -> Answer<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".selfsame-")
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(folder)
        .map_err(|error| cannot("create", path, &error))?;
    file.write_all(content).map_err(|error| cannot("write", path, &error))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(path, what).into()),
        Err(error) => Err(cannot("create", path, &error.error)),
    }
}

/// A public key from a file.
pub(crate) fn public(path: &Path) -> Answer<PublicKey> {
    PublicKey::parse(&read(path)?).map_err(|error| {
        Report::new(Exit::Unanswered, format!("`{}` is not a public key: {error}", path.display()))
            .hint("`selfsame keygen -o KEY` writes KEY.pub beside KEY.key; give the .pub file")
            .into()
    })
}

fn parse(bytes: Vec<u8>, text: &str) -> Answer<SigningKey> {
    SigningKey::parse(passphrase::unlocked(bytes, text)?.as_bytes()).map_err(|error| {
        Report::new(Exit::Unanswered, format!("key `{text}` cannot be used: {error}"))
            .consequence(crate::report::NOTHING_BUILT)
            .hint("make a key with `selfsame keygen -o KEY` and pass `--key KEY.key`")
            .into()
    })
}

fn public_key(signer: &dyn Signer, text: &str) -> Answer<PublicKey> {
    signer
        .public_key()
        .map_err(|error| Report::new(Exit::Unanswered, format!("key `{text}` cannot be used: {error}")).into())
}

fn read(path: &Path) -> Answer<Vec<u8>> {
    let mut bytes = Vec::new();
    crate::given::open(path)
        .and_then(|file| file.take(KEY_BYTES).read_to_end(&mut bytes))
        .map_err(|error| cannot("read key", path, &error))?;
    Ok(bytes)
}

fn exists(path: &Path, what: &str) -> Report {
    Report::new(Exit::Unanswered, format!("`{}` exists, and {what} is never replaced", path.display())).hint(
        if what == "a key" {
            "choose another name with `selfsame keygen -o PREFIX`"
        } else {
            "choose another name, or move it away"
        },
    )
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Box<Report> {
    Report::new(Exit::Unanswered, format!("cannot {what} `{}`: {error}", path.display())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_replace_nothing_and_follow_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (private, public, _) = generate(&at("a"), None, None).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&private), mode(&public)), (0o600, 0o644));
        let before = std::fs::read(&private).unwrap();
        generate(&at("a"), None, None).unwrap_err();
        assert_eq!(std::fs::read(&private).unwrap(), before);
        std::os::unix::fs::symlink(at("elsewhere"), at("b.pub")).unwrap();
        generate(&at("b"), None, None).unwrap_err();
        assert!(!at("elsewhere").exists() && !at("b.key").exists());
    }

    /// Builds that begin together on a new machine use one key, and none of them sees a part of it.
    #[test]
    fn a_development_key_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let key = || {
            let mut settings = Settings::from_environment();
            settings.data = Some(data.clone());
            let (key, made) = development(&settings, false).map_err(|report| report.text()).unwrap();
            (key.signer.public_key().unwrap().key_id(), made)
        };
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(key)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(made.iter().all(|(id, _)| *id == made[0].0), "{made:?}");
        assert_eq!(made.iter().filter(|(_, made)| *made).count(), 1);
    }
}
