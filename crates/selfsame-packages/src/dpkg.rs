//! Debian and its family: `/var/lib/dpkg/status`, `info/*.list` and `diversions`, all text; and what images without
//! dpkg have in its place, one file for each package in `/var/lib/dpkg/status.d`.

use std::collections::BTreeMap;

use crate::{Database, Files, Kind, Record, said};

/// What dpkg installed.
pub fn dpkg<F: Files>(files: &mut F) -> Result<Option<Database>, F::Error> {
    const FOLDER: &str = "var/lib/dpkg";
    let status = files.text(&format!("{FOLDER}/status"))?;
    let diverted = diversions(&files.text(&format!("{FOLDER}/diversions"))?.unwrap_or_default());
    let mut installed = packages(status.as_deref().unwrap_or_default(), false);
    for (key, record) in &mut installed {
        let list = match files.text(&format!("{FOLDER}/info/{key}.list"))? {
            Some(list) => list,
            None => files.text(&format!("{FOLDER}/info/{}.list", record.name))?.unwrap_or_default(),
        };
        record.files = listed(&list, &record.name, &diverted);
    }
    let mut parts = files.names(&format!("{FOLDER}/status.d"))?;
    parts.retain(|name| !name.ends_with(SUMS));
    for name in &parts {
        let text = files.text(&format!("{FOLDER}/status.d/{name}"))?.unwrap_or_default();
        // Some write the names of files beside it, as `md5sums` has them.
        let sums = files.text(&format!("{FOLDER}/status.d/{name}{SUMS}"))?.unwrap_or_default();
        for (key, mut record) in packages(&text, true) {
            record.files = summed(&sums);
            installed.entry(key).or_insert(record);
        }
    }
    let is_there = status.is_some() || !parts.is_empty();
    Ok(is_there.then(|| Database::new(Kind::Deb, installed)))
}

/// The ending of the files that list what a package of `status.d` holds.
const SUMS: &str = ".md5sums";

/// The installed packages of a status file, by `NAME:ARCHITECTURE`, without their files. In the files of `status.d` all
/// are installed, and some say nothing about it.
fn packages(status: &str, all: bool) -> BTreeMap<String, Record> {
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
        if name.is_empty() || name.contains('/') || architecture.contains('/') || !(all || unpacked.contains(&state)) {
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
fn listed(list: &str, package: &str, diversions: &BTreeMap<String, (String, String)>) -> Vec<String> {
    let place = |line: &str| match diversions.get(line) {
        Some((moved, by)) if by != package => moved.clone(),
        _ => line.to_owned(),
    };
    list.lines().filter(|line| line.starts_with('/') && *line != "/.").map(place).collect()
}

/// `<32 hex digits>  usr/bin/x` each.
fn summed(text: &str) -> Vec<String> {
    let file = |line: &str| line.split_once("  ").map(|(_, path)| format!("/{}", path.trim_start_matches("./")));
    text.lines().filter_map(file).collect()
}
