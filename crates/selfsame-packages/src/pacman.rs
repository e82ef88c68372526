//! Arch and its family: `/var/lib/pacman/local/NAME-VERSION/{desc,files}`, all text.

use std::collections::BTreeMap;

use crate::{Database, Files, Kind, Record, said};

/// What pacman installed.
pub fn pacman<F: Files>(files: &mut F) -> Result<Option<Database>, F::Error> {
    const LOCAL: &str = "var/lib/pacman/local";
    let names = files.names(LOCAL)?;
    if names.is_empty() {
        return Ok(None);
    }
    let mut packages = BTreeMap::new();
    for name in names {
        let Some(desc) = files.text(&format!("{LOCAL}/{name}/desc"))? else { continue };
        let list = files.text(&format!("{LOCAL}/{name}/files"))?.unwrap_or_default();
        let record = record(&desc, &list);
        if !record.name.is_empty() {
            packages.insert(record.name.clone(), record);
        }
    }
    Ok(Some(Database::new(Kind::Alpm, packages)))
}

fn record(desc: &str, files: &str) -> Record {
    let desc = sections(desc);
    let one = |name: &str| desc.get(name).and_then(|lines| lines.first()).copied().unwrap_or_default();
    let all = |name: &str| desc.get(name).into_iter().flatten().copied();
    // The array of licences is written `MIT`, `GPL-2.0-only OR MIT`, ...: all of them apply.
    let licences: Vec<String> =
        all("LICENSE").map(|l| if l.contains(' ') { format!("({l})") } else { l.to_owned() }).collect();
    Record {
        name: one("NAME").to_owned(),
        version: one("VERSION").to_owned(),
        architecture: one("ARCH").to_owned(),
        supplier: said(one("PACKAGER")).filter(|packager| packager != "Unknown Packager"),
        licence: said(&licences.join(" AND ")),
        depends: all("DEPENDS").map(|wish| vec![bare(wish)]).collect(),
        provides: all("PROVIDES").map(bare).collect(),
        files: sections(files)
            .get("FILES")
            .into_iter()
            .flatten()
            .filter(|file| !file.ends_with('/'))
            .map(|file| format!("/{file}"))
            .collect(),
    }
}

/// `%NAME%`, its lines, an empty line.
fn sections(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut sections = BTreeMap::<_, Vec<_>>::new();
    let mut current = "";
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix('%').and_then(|line| line.strip_suffix('%')) {
            Some(name) => current = name,
            None => sections.entry(current).or_default().push(line),
        }
    }
    sections
}

/// `glibc>=2.38` is `glibc`; `libz.so=1-64` is `libz.so`.
fn bare(wish: &str) -> String {
    wish.split(['=', '<', '>', ':']).next().unwrap_or_default().to_owned()
}
