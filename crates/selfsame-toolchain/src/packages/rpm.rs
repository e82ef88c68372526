//! Fedora, SUSE and their families. The database is binary, in one of three formats, so `rpm` itself is asked, once.

use std::io;
use std::path::Path;
use std::process::Command;

use selfsame_packages::{Database, Kind, QUERY, rpm_packages};

use crate::ToolchainError;
use crate::host::Host;

/// Its database, or nothing if the host has none.
pub(super) fn read(host: &Host) -> Result<Option<Database>, ToolchainError> {
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
    let packages = rpm_packages(&String::from_utf8_lossy(&answer.stdout));
    Ok((!packages.is_empty()).then(|| Database::new(Kind::Rpm, packages)))
}
