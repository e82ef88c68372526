//! Debian and its family: `/var/lib/dpkg/status`, `info/*.list` and `diversions`, all text.

use std::collections::BTreeMap;

use super::{Database, Kind, Manager, Record, said, text};
use crate::ToolchainError;
use crate::host::Host;

/// dpkg.
pub(crate) struct Dpkg;

impl Manager for Dpkg {
    fn read(&self, host: &Host) -> Result<Option<Database>, ToolchainError> {
        let folder = host.root().join("var/lib/dpkg");
        let Some(status) = text(&folder.join("status"))? else { return Ok(None) };
        let diversions = diversions(&text(&folder.join("diversions"))?.unwrap_or_default());
        let mut packages = packages(&status);
        for (key, record) in &mut packages {
            let info = folder.join("info");
            let list = match text(&info.join(format!("{key}.list")))? {
                Some(list) => list,
                None => text(&info.join(format!("{}.list", record.name)))?.unwrap_or_default(),
            };
            record.files = files(&list, &record.name, &diversions);
        }
        Ok(Some(Database::new(Kind::Deb, packages)))
    }
}

/// The installed packages of a status file, by `NAME:ARCHITECTURE`, without their files.
fn packages(status: &str) -> BTreeMap<String, Record> {
    let mut packages = BTreeMap::new();
    for paragraph in status.split("\n\n") {
        let fields: BTreeMap<&str, &str> = paragraph
            .lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name, value.trim()))
            .collect();
        let field = |name| fields.get(name).copied().unwrap_or_default();
        // "want flag state"; half-configured packages have their files.
        let state = field("Status").rsplit(' ').next().unwrap_or_default();
        let unpacked = ["installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"];
        let (name, architecture) = (field("Package"), field("Architecture"));
        if name.is_empty() || name.contains('/') || architecture.contains('/') || !unpacked.contains(&state) {
            continue;
        }
        let clauses = [field("Pre-Depends"), field("Depends")];
        let record = Record {
            name: name.to_owned(),
            version: field("Version").to_owned(),
            architecture: architecture.to_owned(),
            supplier: said(field("Maintainer")),
            licence: None,
            depends: clauses.into_iter().flat_map(|list| list.split(',')).map(names).collect(),
            provides: field("Provides").split(',').flat_map(names).collect(),
            files: Vec::new(),
        };
        packages.insert(format!("{name}:{architecture}"), record);
    }
    packages
}

/// `libc6 (>= 2.36) | libc6.1:any` is `libc6`, `libc6.1`.
fn names(clause: &str) -> Vec<String> {
    let name = |wish: &str| wish.trim().split([' ', '(', ':', '[', '<']).next().unwrap_or_default().to_owned();
    clause.split('|').map(name).filter(|name| !name.is_empty()).collect()
}

/// From, to, and the package whose own file stays: groups of three lines, `:` for no package.
fn diversions(text: &str) -> BTreeMap<String, (String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let rows = lines.chunks_exact(3).map(|row| (row[0].to_owned(), (row[1].to_owned(), row[2].to_owned())));
    rows.collect()
}

/// A package's files where diversions have put them.
fn files(list: &str, package: &str, diversions: &BTreeMap<String, (String, String)>) -> Vec<String> {
    let place = |line: &str| match diversions.get(line) {
        Some((moved, by)) if by != package => moved.clone(),
        _ => line.to_owned(),
    };
    list.lines().filter(|line| line.starts_with('/') && *line != "/.").map(place).collect()
}
