//! Fedora, SUSE and their families. The database is binary, in one of three formats: on a host `rpm` itself is asked,
//! and what it answers is read here. Of images the newest of the formats is read ([`crate::rpmdb`]).

use std::collections::BTreeMap;

use crate::{Record, said};

/// One line a fact, its letter first: package, file, requirement, provision.
pub const QUERY: &str = "P\\t%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\t%{ARCH}\\t%{VENDOR}\\t%{LICENSE}\\n\
[F\\t%{FILENAMES}\\n][R\\t%{REQUIRENAME}\\n][V\\t%{PROVIDENAME}\\n]";

/// What [`QUERY`] prints, by `NAME-EPOCH:VERSION-RELEASE.ARCH`. Keys imported into the database are no packages.
#[must_use]
pub fn packages(answer: &str) -> BTreeMap<String, Record> {
    let mut packages: BTreeMap<String, Record> = BTreeMap::new();
    let mut current = None;
    for (letter, rest) in answer.lines().filter_map(|line| line.split_once('\t')) {
        if letter == "P" {
            let mut fields = rest.split('\t');
            let mut next = || fields.next().unwrap_or_default();
            let (name, version, architecture, vendor, licence) = (next(), next(), next(), next(), next());
            if name.is_empty() || name == "gpg-pubkey" {
                current = None;
                continue;
            }
            let record = Record {
                name: name.to_owned(),
                version: version.to_owned(),
                architecture: architecture.to_owned(),
                supplier: said(vendor),
                licence: said(licence),
                ..Record::default()
            };
            current = Some(packages.entry(format!("{name}-{version}.{architecture}")).or_insert(record));
            continue;
        }
        let Some(record) = &mut current else { continue };
        match letter {
            "F" => record.files.push(rest.to_owned()),
            // `rpmlib(...)` is rpm's own affair; `(a if b)` needs a solver and is never a compiler's first need.
            "R" if !rest.starts_with("rpmlib(") && !rest.starts_with('(') => record.depends.push(vec![rest.to_owned()]),
            "V" => record.provides.push(rest.to_owned()),
            _ => {}
        }
    }
    packages
}
