//! rpm's database as newer systems have it: `rpmdb.sqlite`, whose table `Packages` holds a header each. A header is a list
//! of tags, each with its type and place, and the data behind it (rpm.org, "RPM V4 Package Format", "Header Structure").

use std::collections::BTreeMap;

use crate::sqlite::{Fault, Sqlite, Value};
use crate::{Database, Kind, Record, said};

/// Where images have it, newer places first.
pub const RPMDB: [&str; 3] =
    ["usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/share/rpm/rpmdb.sqlite", "var/lib/rpm/rpmdb.sqlite"];

/// Tags and types that are read.
mod tag {
    pub(super) const NAME: u32 = 1000;
    pub(super) const VERSION: u32 = 1001;
    pub(super) const RELEASE: u32 = 1002;
    pub(super) const EPOCH: u32 = 1003;
    pub(super) const VENDOR: u32 = 1011;
    pub(super) const LICENSE: u32 = 1014;
    pub(super) const ARCH: u32 = 1022;
    pub(super) const PROVIDENAME: u32 = 1047;
    pub(super) const REQUIRENAME: u32 = 1049;
    pub(super) const DIRINDEXES: u32 = 1116;
    pub(super) const BASENAMES: u32 = 1117;
    pub(super) const DIRNAMES: u32 = 1118;
    pub(super) const INT32: u32 = 4;
    pub(super) const STRINGS: [u32; 3] = [6, 8, 9];
}

/// A database that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpmFault(pub &'static str);

impl std::fmt::Display for RpmFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rpm's database {}", self.0)
    }
}

impl std::error::Error for RpmFault {}

/// What rpm installed, from the bytes of its `rpmdb.sqlite`.
pub fn rpmdb(bytes: &[u8]) -> Result<Database, RpmFault> {
    let mut packages = BTreeMap::new();
    let read = Sqlite::open(bytes).and_then(|file| {
        file.table("Packages", |row| {
            let Some(Value::Bytes(header)) = row.get(1) else { return Err("has a package without a header") };
            let record = record(&Header::parse(header)?)?;
            // Keys that were imported are packages to rpm.
            if !record.name.is_empty() && record.name != "gpg-pubkey" {
                packages.insert(format!("{}-{}.{}", record.name, record.version, record.architecture), record);
            }
            Ok(())
        })
    });
    read.map_err(RpmFault)?;
    Ok(Database::new(Kind::Rpm, packages))
}

fn record(header: &Header<'_>) -> Result<Record, Fault> {
    let one = |tag| header.texts(tag).map(|texts| texts.into_iter().next().unwrap_or_default());
    let (version, release) = (one(tag::VERSION)?, one(tag::RELEASE)?);
    let epoch = header.numbers(tag::EPOCH)?.first().copied().unwrap_or(0);
    let folders = header.texts(tag::DIRNAMES)?;
    let (names, places) = (header.texts(tag::BASENAMES)?, header.numbers(tag::DIRINDEXES)?);
    if names.len() != places.len() {
        return Err("has a package with more files than places, or fewer");
    }
    let mut files = Vec::with_capacity(names.len());
    for (name, place) in names.iter().zip(places) {
        let folder = folders.get(place as usize).ok_or("has a file in a folder that it does not name")?;
        files.push(format!("{folder}{name}"));
    }
    let needs = header.texts(tag::REQUIRENAME)?;
    // `rpmlib(...)` is rpm's own affair; `(a if b)` needs a solver.
    let needs = needs.into_iter().filter(|need| !need.starts_with("rpmlib(") && !need.starts_with('('));
    Ok(Record {
        name: one(tag::NAME)?,
        version: format!("{epoch}:{version}-{release}"),
        architecture: one(tag::ARCH)?,
        supplier: said(&one(tag::VENDOR)?),
        licence: said(&one(tag::LICENSE)?),
        depends: needs.map(|need| vec![need]).collect(),
        provides: header.texts(tag::PROVIDENAME)?,
        files,
    })
}

/// Tag to type, place and count, and the data.
struct Header<'a> {
    tags: BTreeMap<u32, (u32, usize, usize)>,
    data: &'a [u8],
}

impl<'a> Header<'a> {
    /// How many tags, how many bytes of data, the tags, the data: numbers big end first.
    fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        const SHORT: Fault = "has a header that is cut";
        let number = |at: usize| {
            let four = bytes.get(at..at.checked_add(4)?)?;
            Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
        };
        let (count, size) = (number(0).ok_or(SHORT)? as usize, number(4).ok_or(SHORT)? as usize);
        let start = count.checked_mul(16).and_then(|tags| tags.checked_add(8)).ok_or(SHORT)?;
        let data = start.checked_add(size).and_then(|end| bytes.get(start..end)).ok_or(SHORT)?;
        let mut tags = BTreeMap::new();
        for index in 0..count {
            let [tag, kind, place, length] = [0, 4, 8, 12].map(|more| number(8 + index * 16 + more));
            let (tag, kind) = (tag.ok_or(SHORT)?, kind.ok_or(SHORT)?);
            tags.insert(tag, (kind, place.ok_or(SHORT)? as usize, length.ok_or(SHORT)? as usize));
        }
        Ok(Self { tags, data })
    }

    /// The texts of a tag, each ended by NUL; none if there is no such tag. Bytes that are not UTF-8 are replaced.
    fn texts(&self, tag: u32) -> Result<Vec<String>, Fault> {
        let Some(&(kind, place, count)) = self.tags.get(&tag) else { return Ok(Vec::new()) };
        if !tag::STRINGS.contains(&kind) {
            return Err("has a text of another type");
        }
        let mut rest = self.data.get(place..).ok_or("has a text behind the end of its header")?;
        let mut texts = Vec::new();
        for _ in 0..count {
            let end = rest.iter().position(|&byte| byte == 0).ok_or("has a text without an end")?;
            texts.push(String::from_utf8_lossy(&rest[..end]).into_owned());
            rest = &rest[end + 1..];
        }
        Ok(texts)
    }

    /// The numbers of a tag; none if there is no such tag.
    fn numbers(&self, tag: u32) -> Result<Vec<u32>, Fault> {
        let Some(&(kind, place, count)) = self.tags.get(&tag) else { return Ok(Vec::new()) };
        if kind != tag::INT32 {
            return Err("has a number of another type");
        }
        let bytes = count.checked_mul(4).and_then(|size| self.data.get(place..place.checked_add(size)?));
        let bytes = bytes.ok_or("has a number behind the end of its header")?;
        Ok(bytes.chunks_exact(4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]])).collect())
    }
}
