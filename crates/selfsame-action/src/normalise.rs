//! Normalisers of a configured root file system: what is taken out of it because it says when, where or on what it was
//! made, or must not be the same everywhere. Part of the profile; docs/inputs/deb.md lists them.

use std::collections::BTreeMap;

use selfsame_core::{Digest, RelPath};
use selfsame_lock::Normaliser;
use selfsame_tree::{Entry, Kind, Names, Tree, TreeError};

use crate::Action;

/// What one normaliser did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normalised {
    /// Which.
    pub name: Normaliser,
    /// How many entries were for it to take out or to empty.
    pub before: u64,
    /// How many of them are still there: emptied.
    pub after: u64,
}

impl Normalised {
    /// How many entries there were before and after, by the normaliser's name: the form in which results are kept.
    #[must_use]
    pub fn to_counts(done: &[Self]) -> Counts {
        done.iter().map(|it| (it.name.name().to_owned(), (it.before, it.after))).collect()
    }

    /// The same from what a kept result says of an action. Nothing if it speaks of other normalisers than the action has.
    #[must_use]
    pub fn from_counts(action: &Action, counts: &Counts) -> Option<Vec<Self>> {
        let normalisers = action.system.as_ref().map_or(&[][..], |system| &system.normalisers);
        let count = |&name: &Normaliser| {
            let (before, after) = *counts.get(name.name())?;
            (after <= before).then_some(Self { name, before, after })
        };
        let done = normalisers.iter().map(count).collect::<Option<Vec<_>>>()?;
        (done.len() == counts.len()).then_some(done)
    }
}

/// Entries before and after, by the name of a normaliser.
pub type Counts = BTreeMap<String, (u64, u64)>;

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Removed,
    Emptied,
}

/// Applies normalisers, in their order, to what a run left of `input`.
pub fn normalise(
    normalisers: &[Normaliser],
    input: &Tree,
    output: &Tree,
) -> Result<(Tree, Vec<Normalised>), TreeError> {
    let mut names = Names::of(output);
    let mut done = Vec::new();
    for &name in normalisers {
        let meant: Vec<(RelPath, Fate)> =
            names.iter().filter_map(|(path, entry)| Some((path.clone(), fate(name, path, entry, input)?))).collect();
        let mut normalised = Normalised { name, before: 0, after: 0 };
        for (path, fate) in meant {
            normalised.before += 1;
            match (fate, names.get(&path)) {
                (Fate::Emptied, Some(entry)) => {
                    let kind = Kind::File { digest: Digest::of(b""), size: 0 };
                    let entry = Entry { kind, ..entry.clone() };
                    normalised.after += 1;
                    names.insert(path, entry, None);
                }
                _ => names.remove(&path),
            }
        }
        done.push(normalised);
    }
    Ok((names.into_tree()?, done))
}

/// What a normaliser means an entry to become, if it means it.
fn fate(name: Normaliser, path: &RelPath, entry: &Entry, input: &Tree) -> Option<Fate> {
    let is_new = input.entry(path.as_str()).is_none();
    if name == Normaliser::RunFiles {
        // `/var/lock` is a link to the one that stays.
        let means = is_new && path.as_str().starts_with("run/") && path.as_str() != "run/lock";
        return means.then_some(Fate::Removed);
    }
    if entry.kind == Kind::Directory {
        return None;
    }
    let (folder, file) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
    let below = |place: &str| folder == place || folder.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'));
    let is_empty = matches!(entry.kind, Kind::File { size: 0, .. });
    let removed = match name {
        Normaliser::AptCaches => is_new && (below("var/cache/apt") || below("var/lib/apt/lists")),
        Normaliser::DebconfBackups => folder == "var/cache/debconf" && file.ends_with("-old"),
        Normaliser::DpkgBackups => folder == "var/lib/dpkg" && file.ends_with("-old"),
        Normaliser::LdconfigCache => path.as_str() == "var/cache/ldconfig/aux-cache",
        // Some are there to be written to, with an owner of their own.
        Normaliser::Logs => is_new && !is_empty && below("var/log"),
        Normaliser::MachineId => {
            // An empty one tells the first start to make its own.
            if path.as_str() == "etc/machine-id" {
                return (!is_empty && matches!(entry.kind, Kind::File { .. })).then_some(Fate::Emptied);
            }
            path.as_str() == "var/lib/dbus/machine-id"
        }
        Normaliser::ManIndexes => below("var/cache/man") && file == "index.db",
        Normaliser::RandomSeeds => {
            (folder == "var/lib/systemd" || folder == "var/lib/urandom") && file.ends_with("random-seed")
                || path.as_str() == "var/lib/systemd/credential.secret"
        }
        Normaliser::RunFiles => return None,
        Normaliser::ServerKeys => {
            let host_key = folder == "etc/ssh" && file.starts_with("ssh_host_") && file.contains("_key");
            let link = matches!(&entry.kind, Kind::Symlink { target } if target.ends_with(SNAKEOIL));
            let certificate = folder == "etc/ssl/certs" && (file == SNAKEOIL || link);
            is_new && (host_key || certificate || path.as_str() == "etc/ssl/private/ssl-cert-snakeoil.key")
        }
    };
    removed.then_some(Fate::Removed)
}

/// The certificate that package `ssl-cert` makes for a host, and its key beside it.
const SNAKEOIL: &str = "ssl-cert-snakeoil.pem";

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[(&str, &str)]) -> Tree {
        let entry = |text: &str| match text.strip_prefix('>') {
            Some(target) => Entry::symlink(target),
            None => Entry::file(Digest::of(text.as_bytes()), text.len() as u64, false),
        };
        Tree::from_entries(paths.iter().map(|(path, text)| (RelPath::new(*path).unwrap(), entry(text)))).unwrap()
    }

    /// Golden: a change here changes configured root file systems, and is a new profile.
    #[test]
    fn what_each_takes_out() {
        let input = tree(&[("var/log/of-a-package", "log"), ("var/cache/apt/of-a-package", "x")]);
        let output = tree(&[
            ("etc/machine-id", "5e1f5a3e"),
            ("run/lock", ">folder"),
            ("run/dbus/pid", "7"),
            ("etc/ssh/ssh_config", "kept"),
            ("etc/ssh/ssh_host_ed25519_key", "key"),
            ("etc/ssh/ssh_host_ed25519_key.pub", "key"),
            ("etc/ssl/certs/0badcafe.0", ">ssl-cert-snakeoil.pem"),
            ("etc/ssl/certs/ca.pem", "kept"),
            ("etc/ssl/certs/ssl-cert-snakeoil.pem", "certificate"),
            ("etc/ssl/private/ssl-cert-snakeoil.key", "key"),
            ("var/cache/apt/of-a-package", "x"),
            ("var/cache/apt/pkgcache.bin", "cache"),
            ("var/cache/debconf/config.dat", "kept"),
            ("var/cache/debconf/config.dat-old", "old"),
            ("var/cache/ldconfig/aux-cache", "inodes"),
            ("var/cache/man/de/index.db", "times"),
            ("var/lib/dbus/machine-id", ">/etc/machine-id"),
            ("var/lib/dpkg/info/x-old.list", "kept"),
            ("var/lib/dpkg/status", "kept"),
            ("var/lib/dpkg/status-old", "old"),
            ("var/lib/systemd/random-seed", "seed"),
            ("var/log/btmp", ""),
            ("var/log/dpkg.log", "when"),
            ("var/log/of-a-package", "log"),
        ]);
        let (left, done) = normalise(&Normaliser::ALL, &input, &output).unwrap();
        let left: Vec<_> = left.iter().map(|(path, _)| path.as_str().to_owned()).collect();
        let done: Vec<_> = done.iter().map(|it| format!("{} {} {}", it.name.name(), it.before, it.after)).collect();
        insta::assert_snapshot!(left.join("\n"), @r"
        etc/machine-id
        etc/ssh/ssh_config
        etc/ssl/certs/ca.pem
        run/lock
        var/cache/apt/of-a-package
        var/cache/debconf/config.dat
        var/lib/dpkg/info/x-old.list
        var/lib/dpkg/status
        var/log/btmp
        var/log/of-a-package
        ");
        insta::assert_snapshot!(done.join("\n"), @r"
        apt-caches 1 0
        debconf-backups 1 0
        dpkg-backups 1 0
        ldconfig-cache 1 0
        logs 1 0
        machine-id 2 1
        man-indexes 1 0
        random-seeds 1 0
        run-files 1 0
        server-keys 5 0
        ");
        let (same, done) = normalise(&[], &input, &output).unwrap();
        assert_eq!((same, done), (output, Vec::new()), "a lock may forbid them");
    }
}
