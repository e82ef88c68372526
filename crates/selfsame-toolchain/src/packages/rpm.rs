//! Fedora, SUSE and their families. The database is binary, in one of three formats, so `rpm` itself is asked, once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;

use super::{Database, Kind, Manager, Record, said};
use crate::ToolchainError;
use crate::host::Host;

/// rpm.
pub(crate) struct Rpm;

/// One line a fact, its letter first: package, file, requirement, provision.
const QUERY: &str = "P\\t%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\t%{ARCH}\\t%{VENDOR}\\t%{LICENSE}\\n\
[F\\t%{FILENAMES}\\n][R\\t%{REQUIRENAME}\\n][V\\t%{PROVIDENAME}\\n]";

impl Manager for Rpm {
    fn read(&self, host: &Host) -> Result<Option<Database>, ToolchainError> {
        let there = |place: &&&str| host.root().join(place).is_dir();
        let Some(place) = ["usr/lib/sysimage/rpm", "var/lib/rpm"].iter().find(there) else { return Ok(None) };
        let mut rpm = Command::new("rpm");
        rpm.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        if host.root() != Path::new("/") {
            rpm.arg("--dbpath").arg(host.root().join(place));
        }
        let answer = match rpm.args(["-qa", "--queryformat", QUERY]).output() {
            Ok(answer) => answer,
            // A database without its program says nothing: the host is treated as one without rpm.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ToolchainError::Rpm { said: error.to_string() }),
        };
        if !answer.status.success() {
            let said = String::from_utf8_lossy(&answer.stderr);
            return Err(ToolchainError::Rpm { said: said.lines().last().unwrap_or("no message").to_owned() });
        }
        let packages = packages(&String::from_utf8_lossy(&answer.stdout));
        Ok((!packages.is_empty()).then(|| Database::new(Kind::Rpm, packages)))
    }
}

/// What [`QUERY`] prints, by `NAME-EPOCH:VERSION-RELEASE.ARCH`. Keys imported into the database are no packages.
pub(super) fn packages(answer: &str) -> BTreeMap<String, Record> {
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
