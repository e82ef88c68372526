//! What `lstat` said about a file when its content was hashed, so that an unchanged one need not be read again.
//!
//! The danger is a file that changes right after it was hashed, so soon that its times do not move: git calls it racily
//! clean. Here an entry is kept only if both of its times are older than the moment at which this cache was opened,
//! taken from the file system's own clock. A later change then sets a change time that the entry does not have.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use selfsame_core::{Digest, RelPath};

use crate::{Store, StoreError, sys};

/// The largest cache file that is read or written.
const CACHE_BYTES: u64 = 1 << 30;
const HEADER: &str = "selfsame stat cache v1";
const SECOND: i64 = 1_000_000_000;

/// What tells whether a file is still the one that was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    /// In bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970; the ends of the number's range stand for everything beyond them.
    pub mtime_ns: i64,
    /// Change time, nanoseconds since 1970. No program can set it.
    pub ctime_ns: i64,
    /// Inode number.
    pub inode: u64,
    /// Device number.
    pub device: u64,
    /// Type and permissions.
    pub mode: u32,
}

impl FileStamp {
    /// From what `lstat` or `fstat` says.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let time = |seconds: i64, nanoseconds: i64| seconds.saturating_mul(SECOND).saturating_add(nanoseconds);
        Self {
            size: metadata.len(),
            mtime_ns: time(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: time(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
            mode: metadata.mode(),
        }
    }

    /// Whether a change from `moment` on would be seen in the change time. A time in whole seconds may come from a file
    /// system that knows no others, so there two more seconds are wanted.
    fn settled_before(&self, moment: i64) -> bool {
        let slack = if self.ctime_ns % SECOND == 0 { 2 * SECOND } else { 0 };
        self.ctime_ns.saturating_add(slack) < moment && self.mtime_ns.saturating_add(slack) < moment
    }
}

/// The digests of one folder's files by path and stamp, as the last run left them.
#[derive(Clone, Debug)]
pub struct StatCache {
    /// Sorted by path.
    known: Vec<Known>,
    recorded: BTreeMap<RelPath, (FileStamp, Digest)>,
    opened_ns: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    path: RelPath,
    stamp: FileStamp,
    digest: Digest,
    /// Whether it was looked up and still held.
    seen: bool,
}

impl StatCache {
    /// The digest of a file, if its stamp is the one that it was hashed with. The entry is kept for the next run.
    pub fn lookup(&mut self, path: &RelPath, stamp: &FileStamp) -> Option<Digest> {
        let at = self.known.binary_search_by(|known| known.path.cmp(path)).ok()?;
        let known = &mut self.known[at];
        known.seen = known.stamp == *stamp;
        known.seen.then_some(known.digest)
    }

    /// Notes what a file was hashed to. `stamp` is from before the first byte was read, and the caller made sure that
    /// it was the same after the last ([`Store::put_file`] does).
    pub fn record(&mut self, path: RelPath, stamp: FileStamp, digest: Digest) {
        self.recorded.insert(path, (stamp, digest));
    }

    /// How many files the last run left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether the last run left none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether saving would write what is there already.
    fn unchanged(&self) -> bool {
        self.recorded.is_empty() && self.known.iter().all(|known| known.seen)
    }

    fn print(&self) -> String {
        let seen = self.known.iter().filter(|known| known.seen);
        let mut entries: BTreeMap<&RelPath, (&FileStamp, &Digest)> =
            seen.map(|known| (&known.path, (&known.stamp, &known.digest))).collect();
        entries.extend(self.recorded.iter().map(|(path, (stamp, digest))| (path, (stamp, digest))));
        let mut text = format!("{HEADER}\n");
        for (path, (stamp, digest)) in entries {
            if stamp.settled_before(self.opened_ns) {
                let FileStamp { size, mtime_ns, ctime_ns, inode, device, mode } = stamp;
                let path = path.as_str().replace('\\', "\\\\").replace('\n', "\\n");
                text += &format!("{} {size} {mtime_ns} {ctime_ns} {inode} {device} {mode} {path}\n", digest.hex());
            }
        }
        text
    }
}

impl Store {
    /// The cache under `key`, which the caller derives from what it is for, such as a folder's absolute path. None or a
    /// damaged one gives an empty cache. Call this before the first `lstat`: its moment decides what can be trusted.
    pub fn stat_cache(&self, key: &Digest) -> Result<StatCache, StoreError> {
        let clock = self.scratch().name()?;
        let failed = |error: io::Error| StoreError::io("create", clock.path(), error);
        let metadata = sys::create_new(clock.path()).and_then(|file| file.metadata()).map_err(failed)?;
        let content = self.read_sealed(&self.stat_file(key), CACHE_BYTES)?;
        let known = content.and_then(|(bytes, _)| parse(&bytes)).unwrap_or_default();
        Ok(StatCache { known, recorded: BTreeMap::new(), opened_ns: FileStamp::of(&metadata).mtime_ns })
    }

    /// Keeps what was looked up or recorded since the cache was opened, except for files that changed since then.
    pub fn save_stat_cache(&self, key: &Digest, cache: &StatCache) -> Result<(), StoreError> {
        let text = if cache.unchanged() { return Ok(()) } else { cache.print() };
        if text.len() as u64 > CACHE_BYTES {
            return Ok(());
        }
        self.write_sealed(&self.stat_file(key), text.as_bytes())
    }

    fn stat_file(&self, key: &Digest) -> PathBuf {
        self.root().join("stat").join(key.hex())
    }
}

/// The entries of a cache file whose digest was right; nothing for another version.
fn parse(bytes: &[u8]) -> Option<Vec<Known>> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let mut lines = text.split('\n');
    lines.next().filter(|&line| line == HEADER)?;
    let known: Vec<Known> = lines.map(parse_line).collect::<Option<_>>()?;
    known.is_sorted_by(|a, b| a.path < b.path).then_some(known)
}

fn parse_line(line: &str) -> Option<Known> {
    let mut fields = line.splitn(8, ' ');
    let digest = Digest::from_hex(fields.next()?).ok()?;
    let size = fields.next()?.parse().ok()?;
    let (mtime_ns, ctime_ns) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let (inode, device) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let mode = fields.next()?.parse().ok()?;
    let path = fields.next()?;
    let path = if path.contains('\\') { unescape(path)? } else { path.to_owned() };
    let stamp = FileStamp { size, mtime_ns, ctime_ns, inode, device, mode };
    Some(Known { path: RelPath::new(path).ok()?, stamp, digest, seen: false })
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next()? {
                '\\' => plain.push('\\'),
                'n' => plain.push('\n'),
                _ => return None,
            },
            other => plain.push(other),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_settled_and_drops_what_is_racy() {
        let stamp = |ctime_ns: i64| FileStamp { size: 1, mtime_ns: 5, ctime_ns, inode: 2, device: 3, mode: 0o100_644 };
        let moment = 10 * SECOND + 500;
        assert!(stamp(moment - 1).settled_before(moment));
        assert!(!stamp(moment).settled_before(moment), "changed in the tick in which the cache was opened");
        assert!(!stamp(moment + 1).settled_before(moment));
        assert!(!stamp(9 * SECOND).settled_before(moment), "a file system with seconds only");
        assert!(stamp(8 * SECOND).settled_before(moment));
        let old_change_new_content = FileStamp { mtime_ns: moment, ..stamp(1) };
        assert!(!old_change_new_content.settled_before(moment), "a time in the future");
    }

    #[test]
    fn reads_what_it_prints() {
        let stamp = FileStamp { size: 1, mtime_ns: -7, ctime_ns: 8, inode: 2, device: 3, mode: 0o100_644 };
        let mut cache = StatCache { known: Vec::new(), recorded: BTreeMap::new(), opened_ns: SECOND };
        for path in ["a", "with space", "line\nbreak", "back\\slash\\n"] {
            cache.record(RelPath::new(path).unwrap(), stamp, Digest::of(path.as_bytes()));
        }
        let read = parse(cache.print().as_bytes()).unwrap();
        let entries = read.into_iter().map(|known| (known.path, (known.stamp, known.digest)));
        assert_eq!(entries.collect::<BTreeMap<_, _>>(), cache.recorded);
        assert_eq!(parse(b"selfsame stat cache v2\n"), None);
        assert_eq!(parse(b"selfsame stat cache v1\nxx 1 2\n"), None);
    }
}
