//! From the paths that an observed run named to a tree that can run it, and its neighbours, again.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::RelPath;
use selfsame_lock::ToolchainPackage;
use selfsame_store::Store;
use selfsame_tree::Tree;

use crate::elf::Machine;
use crate::host::{End, File, Host, Node, Resolved, Walk};
use crate::libraries::Libraries;
use crate::package::{distribution_of, licence_of};
use crate::packages::{Database, databases};
use crate::widen::{Widening, is_left_out, is_library, is_paper, widening};
use crate::{ToolchainError, alternatives, record};

/// Files in one widened folder. A compiler suite has 10,000; more is somebody's home.
const MAX_FOLDER_FILES: usize = 400_000;

/// A toolchain recorded from a host.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Its files, with paths from `/`; all of their content is in the store.
    pub tree: Tree,
    /// The packages that files of it belong to, sorted by purl. Without a package manager, none.
    pub packages: Vec<ToolchainPackage>,
    /// The folders of the view that something was taken from: `usr`, `etc/alternatives`, `toolchain/NAME`, ...
    pub roots: BTreeSet<RelPath>,
    /// Files that are not in the tree though they belong to it, and why.
    pub skipped: Vec<Skipped>,
}

/// A file that could not be recorded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// The path from `/`.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why a file could not be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// Not everybody may read it (`/usr/bin/sudo`), so it is no part of a toolchain whoever records it.
    Private,
    /// Touched, and the invoking user may not read it.
    Unreadable,
    /// A device, FIFO or socket.
    Special,
    /// Its path or link text cannot stand in a tree.
    Unnameable,
}

impl SkipReason {
    /// The rest of a sentence that begins with the path.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Private => "is not readable by everybody",
            Self::Unreadable => "cannot be read by this user",
            Self::Special => "is neither file, folder nor link",
            Self::Unnameable => "cannot stand in a tree",
        }
    }
}

/// Records what `observed` names (absolute paths as processes wrote them; existing or not) and what belongs to it.
///
/// - Every link on the way is kept, and every folder named.
/// - Files of packages bring the whole package and the packages it depends on, without papers.
/// - Files of no package bring their include, compiler or library folder; files of a named root the whole root.
/// - Each recorded executable and library brings the shared libraries that it needs.
/// - Modes become 0644 or 0755, owners 0:0. Setuid and extended attributes are dropped.
///
/// The result depends on `observed` and on the files and databases of the packages taken, never on what else the host
/// has, on the order of its folders, the umask, or who asks.
pub fn capture(observed: &BTreeSet<String>, host: &Host, store: &Store) -> Result<Captured, ToolchainError> {
    let databases = databases(host)?;
    let mut capture = Capture::new(host, &databases);
    let chance = capture.loaded_by_chance(observed);
    for path in observed.iter().filter(|path| !chance.contains(path.as_str())) {
        capture.touch(path);
    }
    if !capture.selection.is_empty() {
        capture.add_root_links();
    }
    capture.close()?;
    capture.add_alternatives();
    for path in &chance {
        capture.add_if_recorded(path, |_| true);
    }
    capture.finish(host, store)
}

/// Records the shared libraries of these names for this machine, and what they need: for a toolchain that was not
/// observed. Names that the host does not have come back beside it.
pub fn close_over_libraries(
    names: &BTreeSet<String>,
    host: &Host,
    store: &Store,
) -> Result<(Captured, BTreeSet<String>), ToolchainError> {
    let mut walk = Walk::new(host);
    let mut libraries = Libraries::of(&mut walk);
    let (mut paths, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for name in names {
        match libraries.find(name, Machine::native(), &[], &mut walk) {
            Some(path) => paths.insert(path),
            None => missing.insert(name.clone()),
        };
    }
    Ok((capture(&paths, host, store)?, missing))
}

/// What has been decided so far.
pub(crate) struct Selection {
    /// Place and text.
    pub(crate) links: BTreeMap<String, String>,
    pub(crate) files: BTreeMap<String, File>,
    pub(crate) folders: BTreeSet<String>,
    pub(crate) skipped: BTreeSet<Skipped>,
}

impl Selection {
    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.links.is_empty() && self.folders.is_empty()
    }

    pub(crate) fn has(&self, place: &str) -> bool {
        self.files.contains_key(place) || self.links.contains_key(place)
    }
}

struct Capture<'a> {
    walk: Walk<'a>,
    libraries: Libraries,
    databases: &'a [Database],
    selection: Selection,
    /// Files and links whose owner has not been asked for yet.
    unasked: BTreeSet<String>,
    /// Files whose needs have not been looked at yet.
    unread: BTreeSet<String>,
    /// Packages taken: number of the database, key.
    packages: BTreeSet<(usize, String)>,
    widened: BTreeSet<Widening>,
}

impl<'a> Capture<'a> {
    fn new(host: &'a Host, databases: &'a [Database]) -> Self {
        let mut walk = Walk::new(host);
        let libraries = Libraries::of(&mut walk);
        let selection = Selection {
            links: BTreeMap::new(),
            files: BTreeMap::new(),
            folders: BTreeSet::new(),
            skipped: BTreeSet::new(),
        };
        Self {
            walk,
            libraries,
            databases,
            selection,
            unasked: BTreeSet::new(),
            unread: BTreeSet::new(),
            packages: BTreeSet::new(),
            widened: BTreeSet::new(),
        }
    }

    /// Plugins that the host's other packages leave in a folder where binutils loads whatever it finds, and the
    /// libraries that came along with them: `ar` opens LLVM's where LLVM is installed, whoever compiles.
    ///
    /// A library that something recorded needs comes back with it, and a plugin whose file is recorded for another
    /// reason (gcc's own, or LLVM's where clang was used) is added at the end.
    fn loaded_by_chance<'o>(&mut self, observed: &'o BTreeSet<String>) -> BTreeSet<&'o str> {
        let is_plugin = |path: &&String| path.split('/').rev().nth(1) == Some("bfd-plugins");
        let mut loaded = BTreeSet::new();
        let mut ahead: Vec<String> = observed.iter().filter(is_plugin).cloned().collect();
        while let Some(path) = ahead.pop() {
            let End::File(place, _) = self.walk.resolve(&path).end else { continue };
            if loaded.insert(place.clone()) {
                ahead.extend(self.libraries.needs(&place, &mut self.walk));
            }
        }
        let came_along = |path: &&String| match self.walk.resolve(path).end {
            End::File(place, _) => loaded.contains(&place),
            _ => false,
        };
        observed.iter().filter(came_along).map(String::as_str).collect()
    }

    /// `/bin`, `/lib` and their like where they are links: which of them one run names is chance.
    fn add_root_links(&mut self) {
        for place in ["bin", "lib", "lib64", "sbin"] {
            if let Node::Link(target) = self.walk.node(place).clone() {
                self.selection.links.insert(place.to_owned(), target);
            }
        }
    }

    /// A path that a process named, or that something recorded leads to: its end and all links to it.
    ///
    /// What is not everybody's stays out even so: whoever runs the build can read it, and an action that names it would
    /// have it in its next run, and in a release.
    fn touch(&mut self, path: &str) {
        let resolved = self.walk.resolve(path);
        if let End::File(end, file) = &resolved.end
            && self.is_private(end, *file)
        {
            return self.skip(end, SkipReason::Private);
        }
        self.add(resolved, true);
    }

    /// A path that belongs to something touched.
    fn widen_to(&mut self, path: &str) {
        let Some(place) = self.walk.locate(path) else { return };
        if !self.walk.host.shows(&place) || is_paper(&place) || is_left_out(&place) {
            return;
        }
        let resolved = self.walk.resolve(path);
        match &resolved.end {
            End::Special(_) => return self.skip(&place, SkipReason::Special),
            End::File(end, file) if self.is_private(end, *file) => return self.skip(end, SkipReason::Private),
            // The folders of a package are implied by its files.
            End::Directory(_) if resolved.links.is_empty() => return,
            _ => {}
        }
        self.add(resolved, false);
    }

    /// Takes what a path led to and through. Where the path was `named` by somebody, the owners of all of it will be
    /// asked for and a folder is kept, else only the owners of what lies behind the path itself.
    fn add(&mut self, resolved: Resolved, named: bool) {
        for (place, target) in resolved.folder_links {
            self.selection.links.insert(place, target);
        }
        // A link to a folder, `/lib` for one, says nothing of what is wanted in it: dozens of packages list it.
        let to_folder = matches!(resolved.end, End::Directory(_));
        let mut ask = named && !to_folder;
        for (place, target) in resolved.links {
            if is_left_out(&place) {
                return;
            }
            if ask {
                self.unasked.insert(place.clone());
            }
            self.selection.links.insert(place, target);
            ask = !to_folder;
        }
        match resolved.end {
            End::File(place, file) if !is_left_out(&place) => {
                if ask {
                    self.unasked.insert(place.clone());
                }
                if self.selection.files.insert(place.clone(), file).is_none() {
                    self.unread.insert(place);
                }
            }
            End::Directory(place) if named && !place.is_empty() && !is_left_out(&place) => {
                self.selection.folders.insert(place);
            }
            _ => {}
        }
    }

    /// Whether not everybody may read a file. Folders that the invoker named are the invoker's to show.
    fn is_private(&mut self, place: &str, file: File) -> bool {
        self.walk.host.named_root_of(place).is_none() && !(file.public && self.walk.is_open_to_all(place))
    }

    fn skip(&mut self, place: &str, reason: SkipReason) {
        self.selection.skipped.insert(Skipped { path: place.to_owned(), reason });
    }

    /// Adds owners, dependencies, folders and libraries until nothing new comes.
    fn close(&mut self) -> Result<(), ToolchainError> {
        while !self.unasked.is_empty() || !self.unread.is_empty() {
            for place in std::mem::take(&mut self.unasked) {
                self.ask(&place)?;
            }
            for place in std::mem::take(&mut self.unread) {
                for path in self.libraries.needs(&place, &mut self.walk) {
                    self.touch(&path);
                }
            }
        }
        Ok(())
    }

    /// Who owns a touched file or link, and what comes with it.
    fn ask(&mut self, place: &str) -> Result<(), ToolchainError> {
        if let Some(root) = self.walk.host.named_root_of(place) {
            return self.widen_folder(&Widening::Folder(root.to_owned()));
        }
        if is_paper(place) {
            return Ok(());
        }
        let databases = self.databases;
        for (number, database) in databases.iter().enumerate() {
            let owners: Vec<String> = database.owners(place, &mut self.walk).into_iter().map(str::to_owned).collect();
            if !owners.is_empty() {
                for owner in owners {
                    self.add_package(number, database, owner);
                }
                return Ok(());
            }
        }
        if self.selection.files.contains_key(place)
            && let Some(widening) = widening(place)
        {
            self.widen_folder(&widening)?;
        }
        Ok(())
    }

    /// A package, all it depends on, and their files.
    fn add_package(&mut self, number: usize, database: &Database, key: String) {
        let mut ahead = vec![key];
        while let Some(key) = ahead.pop() {
            if !self.packages.insert((number, key.clone())) {
                continue;
            }
            let Some(record) = database.package(&key) else { continue };
            for file in &record.files {
                self.widen_to(file);
            }
            ahead.extend(database.depends(&key, &mut self.walk).into_iter().map(str::to_owned));
        }
    }

    /// What belongs to no package below a folder, or beside a library.
    fn widen_folder(&mut self, widening: &Widening) -> Result<(), ToolchainError> {
        if !self.widened.insert(widening.clone()) {
            return Ok(());
        }
        let (Widening::Folder(top) | Widening::Libraries(top)) = widening;
        let below = matches!(widening, Widening::Folder(_));
        let (mut ahead, mut count) = (vec![top.clone()], 0);
        while let Some(folder) = ahead.pop() {
            for name in self.walk.names(&folder) {
                let place = format!("{folder}/{name}");
                match self.walk.node(&place) {
                    Node::Directory if below => ahead.push(place),
                    Node::File(_) | Node::Link(_) if below || is_library(&name) => {
                        count += 1;
                        if count > MAX_FOLDER_FILES {
                            return Err(ToolchainError::TooMany { folder: top.clone(), limit: MAX_FOLDER_FILES });
                        }
                        if !self.is_owned(&place) {
                            self.widen_to(&place);
                        }
                    }
                    Node::Special if below => self.skip(&place, SkipReason::Special),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn is_owned(&mut self, place: &str) -> bool {
        self.walk.host.named_root_of(place).is_none()
            && self.databases.iter().any(|database| !database.owners(place, &mut self.walk).is_empty())
    }

    /// The public names of recorded commands.
    fn add_alternatives(&mut self) {
        for (name, path) in alternatives::links(&self.walk) {
            let through = format!("etc/alternatives/{name}");
            self.add_if_recorded(&path, |links| links.iter().any(|(link, _)| *link == through));
        }
    }

    /// The links to a file that is recorded already, if they please.
    fn add_if_recorded(&mut self, path: &str, links_please: impl Fn(&[(String, String)]) -> bool) {
        let resolved = self.walk.resolve(path);
        let recorded = matches!(&resolved.end, End::File(end, _) if self.selection.files.contains_key(end));
        let papers = |(place, _): &(String, String)| is_paper(place) || is_left_out(place);
        if recorded && links_please(&resolved.links) && !resolved.links.iter().any(papers) {
            self.selection.links.extend(resolved.folder_links);
            self.selection.links.extend(resolved.links);
        }
    }

    fn finish(mut self, host: &Host, store: &Store) -> Result<Captured, ToolchainError> {
        let tree = record::tree(&mut self.selection, &mut self.walk, store)?;
        let distribution = distribution_of(host);
        let mut packages = Vec::new();
        for (number, key) in std::mem::take(&mut self.packages) {
            let database = &self.databases[number];
            let Some(record) = database.package(&key) else { continue };
            let places: BTreeSet<String> = record.files.iter().filter_map(|file| self.walk.locate(file)).collect();
            // `/lib`, a folder to the package and a link on this host, is no file of it.
            let files = places.iter().filter(|place| place.contains('/') && self.selection.has(place)).count();
            // A package of papers only, or one that merely depends on others, brings nothing into the tree.
            if files == 0 {
                continue;
            }
            let purl = distribution.purl(database.kind, record).map_err(|source| ToolchainError::Purl {
                name: record.name.clone(),
                version: record.version.clone(),
                source,
            })?;
            packages.push(ToolchainPackage {
                purl,
                name: record.name.clone(),
                version: record.version.clone(),
                licenses: licence_of(host, &mut self.walk, database.kind, record).into_iter().collect(),
                supplier: record.supplier.clone(),
                files: files as u64,
            });
        }
        packages.sort_by(|a, b| a.purl.cmp(&b.purl));
        let roots = tree.iter().filter_map(|(path, _)| root_of(path)).collect();
        // Skipped as a part of its package, taken later since something needs it.
        self.selection.skipped.retain(|skipped| tree.entry(&skipped.path).is_none());
        Ok(Captured { tree, packages, roots, skipped: self.selection.skipped.into_iter().collect() })
    }
}

/// The folder of the view that a path lies in.
fn root_of(path: &RelPath) -> Option<RelPath> {
    let depth = match path.components().next()? {
        "etc" | "toolchain" => 2,
        _ => 1,
    };
    if path.components().count() < depth {
        return None;
    }
    RelPath::new(path.components().take(depth).collect::<Vec<_>>().join("/")).ok()
}
