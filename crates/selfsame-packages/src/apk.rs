//! Alpine: `/lib/apk/db/installed`, one text file (also `/usr/lib/apk/db/installed`, where newer releases keep it).

use std::collections::BTreeMap;

use crate::{Database, Files, Kind, Record, said};

/// What apk installed.
pub fn apk<F: Files>(files: &mut F) -> Result<Option<Database>, F::Error> {
    for place in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
        if let Some(installed) = files.text(place)? {
            return Ok(Some(Database::new(Kind::Apk, packages(&installed))));
        }
    }
    Ok(None)
}

/// Paragraphs of `letter:value`. `F` opens a folder, `R` is a file in it.
fn packages(installed: &str) -> BTreeMap<String, Record> {
    let mut packages = BTreeMap::new();
    for paragraph in installed.split("\n\n") {
        let mut record = Record::default();
        let mut folder = "";
        for (letter, value) in paragraph.lines().filter_map(|line| line.split_once(':')) {
            match letter {
                "P" => record.name = value.to_owned(),
                "V" => record.version = value.to_owned(),
                "A" => record.architecture = value.to_owned(),
                "L" => record.licence = said(value),
                "m" => record.supplier = said(value),
                "D" => record.depends.extend(wishes(value).map(|wish| vec![wish])),
                "p" => record.provides.extend(wishes(value)),
                "F" => folder = value,
                "R" if folder.is_empty() => record.files.push(format!("/{value}")),
                "R" => record.files.push(format!("/{folder}/{value}")),
                _ => {}
            }
        }
        if !record.name.is_empty() {
            packages.insert(record.name.clone(), record);
        }
    }
    packages
}

/// `so:libc.musl-x86_64.so.1 musl>=1.2 !uclibc cmd:cc=1.0` without versions and without conflicts.
fn wishes(value: &str) -> impl Iterator<Item = String> {
    let bare = |wish: &str| wish.split(['=', '<', '>', '~']).next().unwrap_or_default().to_owned();
    value.split_whitespace().filter(|wish| !wish.starts_with('!')).map(bare).filter(|wish| !wish.is_empty())
}
