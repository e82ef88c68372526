//! Where the loader would find a shared library: the search order of ld.so(8), asked of the host's files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use crate::elf::{Elf, Machine};
use crate::host::{End, Walk};
use crate::ldcache;

/// The host's library search: its cache, and the headers of libraries already looked at.
pub(crate) struct Libraries {
    cache: Vec<ldcache::Row>,
    elves: BTreeMap<String, Option<Elf>>,
}

impl Libraries {
    /// Reads the host's cache; a host without one (musl) is searched by folders.
    pub(crate) fn of(walk: &mut Walk<'_>) -> Self {
        Self { cache: host_cache(walk).unwrap_or_default(), elves: BTreeMap::new() }
    }

    /// The needs of the file at a place; nothing if it is not ELF or cannot be read.
    pub(crate) fn elf(&mut self, place: &str, walk: &Walk<'_>) -> Option<&Elf> {
        if !self.elves.contains_key(place) {
            let read = fs::File::open(walk.host.path(place)).and_then(|mut file| Elf::read(&mut file));
            self.elves.insert(place.to_owned(), read.ok().flatten());
        }
        self.elves.get(place)?.as_ref()
    }

    /// The paths through which the needs of the file at a place are met. A need that nothing meets is left out: the
    /// file does not start on the host either.
    pub(crate) fn needs(&mut self, place: &str, walk: &mut Walk<'_>) -> Vec<String> {
        let Some(elf) = self.elf(place, walk).cloned() else { return Vec::new() };
        let origin = place.rsplit_once('/').map_or("", |(folder, _)| folder);
        let expand = |folder: &String| folder.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", &format!("/{origin}"));
        let search: Vec<String> = elf.search.iter().map(expand).collect();
        let libraries = elf.needed.iter().filter_map(|name| self.find(name, elf.machine, &search, walk));
        let mut paths: Vec<String> = libraries.collect();
        paths.extend(elf.interpreter);
        paths
    }

    /// The path of the first library of this name that fits this machine.
    pub(crate) fn find(
        &mut self,
        name: &str,
        machine: Machine,
        search: &[String],
        walk: &mut Walk<'_>,
    ) -> Option<String> {
        if name.contains('/') {
            return self.fits(name, machine, walk).then(|| name.to_owned());
        }
        let cached = self.cache.iter().filter(|row| row.name == name).map(|row| row.path.clone());
        let multiarch = machine.multiarch().into_iter();
        let multiarch = multiarch.flat_map(|triple| [format!("/lib/{triple}"), format!("/usr/lib/{triple}")]);
        let default = ["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"].map(str::to_owned);
        let below = |folder: &String| format!("{folder}/{name}");
        let candidates: Vec<String> = search
            .iter()
            .map(below)
            .chain(cached)
            .chain(multiarch.chain(default).map(|folder| below(&folder)))
            .collect();
        candidates.into_iter().find(|path| self.fits(path, machine, walk))
    }

    fn fits(&mut self, path: &str, machine: Machine, walk: &mut Walk<'_>) -> bool {
        let End::File(place, _) = walk.resolve(path).end else { return false };
        self.elf(&place, walk).is_some_and(|elf| elf.machine == machine)
    }
}

/// The host's `/etc/ld.so.cache` with the rows that `keep` keeps. Nothing if there is none, or no row is left.
pub(crate) fn cache_of(walk: &mut Walk<'_>, keep: impl FnMut(&ldcache::Row, &mut Walk<'_>) -> bool) -> Option<Vec<u8>> {
    let mut keep = keep;
    let mut rows = host_cache(walk)?;
    rows.retain(|row| keep(row, walk));
    if rows.is_empty() { None } else { ldcache::print(&rows) }
}

fn host_cache(walk: &mut Walk<'_>) -> Option<Vec<ldcache::Row>> {
    let End::File(place, file) = walk.resolve("etc/ld.so.cache").end else { return None };
    if file.size > ldcache::MAX_BYTES {
        return None;
    }
    let mut bytes = Vec::new();
    fs::File::open(walk.host.path(&place)).ok()?.take(ldcache::MAX_BYTES).read_to_end(&mut bytes).ok()?;
    ldcache::parse(&bytes)
}
