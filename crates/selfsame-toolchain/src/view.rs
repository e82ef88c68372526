//! What of the host an observed run may see.

use std::fs;
use std::path::PathBuf;

use selfsame_core::RelPath;

use crate::host::Host;

/// Names in `/etc` that toolchains read and that say nothing about the machine or its people. `*` ends a prefix.
///
/// Left out on purpose: `passwd`, `group`, `hosts`, `resolv.conf`, `localtime`, `nsswitch.conf` (the sandbox has its
/// own), `ssl` (trust is the fetcher's affair), `environment` and `profile` (the environment is the action's).
const ETC: [&str; 16] = [
    "R",
    "alternatives",
    "clang*",
    "crypto-policies",
    "gcc*",
    "ghc*",
    "gprofng.rc",
    "java*",
    "ld-musl-*",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "maven",
    "os-release",
    "perl",
    "python*",
];

/// Whether `/etc/NAME` may be seen.
pub(crate) fn shown_in_etc(name: &str) -> bool {
    ETC.iter().any(|row| row.strip_suffix('*').map_or(*row == name, |prefix| name.starts_with(prefix)))
}

/// Whether a folder of this name in `/` may be seen: `bin`, `sbin`, `usr`, `opt`, `lib`, `lib64`, `libx32`, `libexec`.
pub(crate) fn shown_in_root(name: &str) -> bool {
    matches!(name, "bin" | "sbin" | "usr" | "opt") || name.starts_with("lib") && !name.contains('.')
}

/// Everything that is shown, ordered by the place inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Folders and files, to be bound read-only.
    pub binds: Vec<Bind>,
    /// Symbolic links that are links inside too, `/bin` to `usr/bin` for one.
    pub links: Vec<Link>,
}

/// A folder or file of the host and where it stands inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Absolute, on the host.
    pub host: PathBuf,
    /// From the root of the sandbox.
    pub inside: RelPath,
}

/// A symbolic link inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// From the root of the sandbox.
    pub inside: RelPath,
    /// The text of the link, as it stands on the host.
    pub target: String,
}

/// What an observed run may see: `/usr /bin /sbin /lib* /opt`, the allow-list in `/etc`, and the named roots of `host`
/// at `/toolchain/NAME`. Never a home folder, `/run` or `/var`.
///
/// What does not exist, or is neither file, folder nor link, or has no UTF-8 name is not in the view.
#[must_use]
pub fn visible(host: &Host) -> View {
    let mut view = View::default();
    for name in names(host, "") {
        if shown_in_root(&name) {
            view.show(host, &name);
        }
    }
    for name in names(host, "etc") {
        if shown_in_etc(&name) {
            view.show(host, &format!("etc/{name}"));
        }
    }
    for (inside, folder) in host.named_roots() {
        view.binds.push(Bind { host: folder.to_path_buf(), inside });
    }
    view.binds.sort_by(|a, b| a.inside.cmp(&b.inside));
    view.links.sort_by(|a, b| a.inside.cmp(&b.inside));
    view
}

impl View {
    fn show(&mut self, host: &Host, place: &str) {
        let path = host.path(place);
        let (Ok(inside), Ok(found)) = (RelPath::new(place), fs::symlink_metadata(&path)) else { return };
        if found.is_symlink() {
            let target = fs::read_link(&path).ok().and_then(|target| target.into_os_string().into_string().ok());
            self.links.extend(target.map(|target| Link { inside, target }));
        } else if found.is_dir() || found.is_file() {
            self.binds.push(Bind { host: path, inside });
        }
    }
}

fn names(host: &Host, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(host.path(folder)).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
