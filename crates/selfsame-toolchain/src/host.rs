//! The host as it is looked at: a root, named toolchain folders, and a walk that keeps every link on the way.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use selfsame_core::RelPath;

use crate::ToolchainError;
use crate::view::{shown_in_etc, shown_in_root};

/// Symbolic links followed for one path, as in Linux (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// The machine whose toolchain is recorded: `/`, or a folder that looks like one.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    named: BTreeMap<String, PathBuf>,
}

impl Host {
    /// A host with its file system at `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), named: BTreeMap::new() }
    }

    /// Shows `folder` (absolute, anywhere, also in a home folder) at `/toolchain/NAME`.
    ///
    /// A name is one component of a path; anything else is refused.
    pub fn with_named_root(mut self, name: &str, folder: impl Into<PathBuf>) -> Result<Self, ToolchainError> {
        match RelPath::new(name) {
            Ok(path) if path.components().count() == 1 => {
                self.named.insert(name.to_owned(), folder.into());
                Ok(self)
            }
            _ => Err(ToolchainError::Name { name: name.to_owned() }),
        }
    }

    /// Where its file system begins.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The named roots: place inside, folder on the host.
    pub(crate) fn named_roots(&self) -> impl Iterator<Item = (RelPath, &Path)> {
        let place = |name: &String| RelPath::new(format!("toolchain/{name}")).ok();
        self.named.iter().filter_map(move |(name, folder)| Some((place(name)?, folder.as_path())))
    }

    /// Where a place inside (no leading slash, empty for the root) lies on the host.
    pub(crate) fn path(&self, place: &str) -> PathBuf {
        if let Some(rest) = place.strip_prefix("toolchain/") {
            let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
            if let Some(folder) = self.named.get(name) {
                return if rest.is_empty() { folder.clone() } else { folder.join(rest) };
            }
        }
        self.root.join(place)
    }

    /// The named root that a place lies in, as a place.
    pub(crate) fn named_root_of<'p>(&self, place: &'p str) -> Option<&'p str> {
        let rest = place.strip_prefix("toolchain/")?;
        let name = rest.split('/').next()?;
        self.named.contains_key(name).then(|| &place[.."toolchain/".len() + name.len()])
    }

    /// Whether a place may be looked at: the folders of the view, and the folders that hold them.
    pub(crate) fn shows(&self, place: &str) -> bool {
        let mut parts = place.split('/');
        match (parts.next(), parts.next()) {
            (None | Some("" | "etc"), None) => true,
            (Some("toolchain"), None) => !self.named.is_empty(),
            (Some("toolchain"), Some(name)) => self.named.contains_key(name),
            (Some("etc"), Some(name)) => shown_in_etc(name),
            (Some(name), _) => shown_in_root(name),
            (None, Some(_)) => false,
        }
    }

    /// A link's text; one that leads into a named root by its path on the host leads to its place inside instead.
    fn moved(&self, place: &str, target: String) -> String {
        if self.named_root_of(place).is_none() || !target.starts_with('/') {
            return target;
        }
        for (inside, folder) in self.named_roots() {
            if let Ok(rest) = Path::new(&target).strip_prefix(folder)
                && let Some(rest) = rest.to_str()
            {
                return format!("/{inside}/{rest}").trim_end_matches('/').to_owned();
            }
        }
        target
    }
}

/// What stands at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Nothing, or nothing that can be looked at, or a name that is not UTF-8.
    Missing,
    /// A folder.
    Directory,
    /// A link and its text.
    Link(String),
    /// A regular file.
    File(File),
    /// A device, FIFO or socket.
    Special,
}

/// What is known of a regular file without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Somebody may execute it.
    pub(crate) executable: bool,
    /// Everybody may read it.
    pub(crate) public: bool,
    /// In bytes.
    pub(crate) size: u64,
    /// Device and inode: two names of one file are read once.
    pub(crate) inode: (u64, u64),
}

/// Where a path led, and by which links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Links in the place of folders on the way: place and text.
    pub(crate) folder_links: Vec<(String, String)>,
    /// Links in the place of the last component, in the order followed.
    pub(crate) links: Vec<(String, String)>,
    /// What stands at the end.
    pub(crate) end: End,
}

/// The end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A regular file at this place.
    File(String, File),
    /// A folder at this place; empty for the root.
    Directory(String),
    /// Neither file, folder nor link at this place.
    Special(String),
    /// Nothing.
    Missing,
    /// A place that is not in the view.
    Outside,
    /// More links than Linux follows.
    Loop,
}

/// Looks at a host, each place once.
pub(crate) struct Walk<'h> {
    pub(crate) host: &'h Host,
    nodes: BTreeMap<String, Node>,
    folders: BTreeMap<String, Option<String>>,
    open: BTreeMap<String, bool>,
}

impl<'h> Walk<'h> {
    pub(crate) const fn new(host: &'h Host) -> Self {
        Self { host, nodes: BTreeMap::new(), folders: BTreeMap::new(), open: BTreeMap::new() }
    }

    /// Follows a path (leading slash or not) as the kernel does, but never out of the view.
    pub(crate) fn resolve(&mut self, path: &str) -> Resolved {
        let (mut folder_links, mut links) = (Vec::new(), Vec::new());
        let end = self.follow(path, &mut folder_links, &mut links);
        Resolved { folder_links, links, end }
    }

    fn follow(
        &mut self,
        path: &str,
        folder_links: &mut Vec<(String, String)>,
        links: &mut Vec<(String, String)>,
    ) -> End {
        let mut here = String::new();
        let mut ahead: Vec<String> = parts(path).rev().map(str::to_owned).collect();
        while let Some(part) = ahead.pop() {
            if part == ".." {
                here.truncate(here.rfind('/').unwrap_or(0));
                continue;
            }
            let next = if here.is_empty() { part } else { format!("{here}/{part}") };
            if next.len() > RelPath::MAX_BYTES {
                return End::Missing;
            }
            if !self.host.shows(&next) {
                return End::Outside;
            }
            match self.node(&next).clone() {
                Node::Directory => here = next,
                Node::Missing => return End::Missing,
                Node::Special if ahead.is_empty() => return End::Special(next),
                Node::File(file) if ahead.is_empty() => return End::File(next, file),
                Node::Special | Node::File(_) => return End::Missing,
                Node::Link(target) => {
                    if folder_links.len() + links.len() == MAX_LINKS {
                        return End::Loop;
                    }
                    let passed = if ahead.is_empty() { &mut *links } else { &mut *folder_links };
                    passed.push((next, target.clone()));
                    if target.starts_with('/') {
                        here.clear();
                    }
                    ahead.extend(parts(&target).rev().map(str::to_owned));
                }
            }
        }
        End::Directory(here)
    }

    /// The place of a path whose last component is not followed: its folder may be reached through links.
    pub(crate) fn locate(&mut self, path: &str) -> Option<String> {
        let (folder, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
        if matches!(name, "" | "." | "..") {
            return None;
        }
        if !self.folders.contains_key(folder) {
            let place = match self.resolve(folder).end {
                End::Directory(place) => Some(place),
                _ => None,
            };
            self.folders.insert(folder.to_owned(), place);
        }
        let folder = self.folders.get(folder)?.as_ref()?;
        Some(if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") })
    }

    /// What stands at a place that is shown and whose folder is a real one.
    pub(crate) fn node(&mut self, place: &str) -> &Node {
        if !self.nodes.contains_key(place) {
            let node = look(self.host, place);
            self.nodes.insert(place.to_owned(), node);
        }
        &self.nodes[place]
    }

    /// Whether everybody may pass through all folders above a place.
    pub(crate) fn is_open_to_all(&mut self, place: &str) -> bool {
        let Some((folder, _)) = place.rsplit_once('/') else { return true };
        if let Some(known) = self.open.get(folder) {
            return *known;
        }
        let found = fs::metadata(self.host.path(folder));
        let open = found.is_ok_and(|found| found.permissions().mode() & 0o001 != 0) && self.is_open_to_all(folder);
        self.open.insert(folder.to_owned(), open);
        open
    }

    /// The names in a folder, sorted; none when it cannot be read.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.host.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !matches!(*part, "" | "."))
}

fn look(host: &Host, place: &str) -> Node {
    // The folder that holds the named roots is there by their name alone.
    if place == "toolchain" {
        return Node::Directory;
    }
    let path = host.path(place);
    let stat = if host.named_root_of(place) == Some(place) { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
    let Ok(found) = stat else { return Node::Missing };
    if found.is_dir() {
        Node::Directory
    } else if found.is_file() {
        Node::File(file(&found))
    } else if found.is_symlink() {
        let text = fs::read_link(&path).ok().and_then(|target| target.into_os_string().into_string().ok());
        text.filter(|text| !text.is_empty()).map_or(Node::Missing, |text| Node::Link(host.moved(place, text)))
    } else {
        Node::Special
    }
}

fn file(found: &Metadata) -> File {
    let mode = found.permissions().mode();
    File {
        executable: mode & 0o111 != 0,
        public: mode & 0o004 != 0,
        size: found.len(),
        inode: (found.dev(), found.ino()),
    }
}
