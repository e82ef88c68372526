//! `METADATA` and `PKG-INFO`: what a Python package says about itself (core metadata).

use super::{is_name, normal_name};
use crate::error::PinsError;
use crate::marker::{Marker, Target};

const DOCUMENT: &str = "METADATA";
/// The largest file that is read, and its most fields.
pub(crate) const LIMIT_BYTES: usize = 8 << 20;
const LIMIT_FIELDS: usize = 20_000;

/// Classifiers that mean one SPDX licence. Others ("BSD License") mean one of several.
const CLASSIFIERS: [(&str, &str); 17] = [
    ("Apache Software License", "Apache-2.0"),
    ("Boost Software License 1.0 (BSL-1.0)", "BSL-1.0"),
    ("CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "CC0-1.0"),
    ("GNU Affero General Public License v3", "AGPL-3.0-only"),
    ("GNU General Public License v2 (GPLv2)", "GPL-2.0-only"),
    ("GNU General Public License v2 or later (GPLv2+)", "GPL-2.0-or-later"),
    ("GNU General Public License v3 (GPLv3)", "GPL-3.0-only"),
    ("GNU General Public License v3 or later (GPLv3+)", "GPL-3.0-or-later"),
    ("GNU Lesser General Public License v2 or later (LGPLv2+)", "LGPL-2.0-or-later"),
    ("GNU Lesser General Public License v3 (LGPLv3)", "LGPL-3.0-only"),
    ("GNU Lesser General Public License v3 or later (LGPLv3+)", "LGPL-3.0-or-later"),
    ("ISC License (ISCL)", "ISC"),
    ("MIT License", "MIT"),
    ("MIT No Attribution License (MIT-0)", "MIT-0"),
    ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
    ("The Unlicense (Unlicense)", "Unlicense"),
    ("Zope Public License", "ZPL-2.1"),
];

/// The fields that an inventory needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// As its author writes it.
    pub name: String,
    /// As its author writes it.
    pub version: String,
    /// `License-Expression`, else a `License` of one line, else what the classifiers say. SPDX where it can be.
    pub licenses: Vec<String>,
    /// `Author` or `Maintainer`, else the name in their addresses.
    pub supplier: Option<String>,
    /// `Requires-Dist`
    pub requires: Vec<Dependency>,
}

/// A `Requires-Dist`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Normal.
    pub name: String,
    /// When it is needed; a marker that cannot be read counts as none.
    pub marker: Option<Marker>,
}

impl Metadata {
    /// Reads the fields before the first empty line.
    pub fn parse(bytes: &[u8]) -> Result<Self, PinsError> {
        PinsError::bound(DOCUMENT, bytes.len(), LIMIT_BYTES, "bytes")?;
        let text = String::from_utf8_lossy(bytes);
        let fields = fields(&text)?;
        let first = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let all =
            |name: &'static str| fields.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str());
        let present = |name: &str| first(name).map(str::trim).filter(|value| !value.is_empty() && *value != "UNKNOWN");
        let needed = |name: &'static str| {
            present(name).map(str::to_owned).ok_or_else(|| PinsError::syntax(DOCUMENT, format!("it has no `{name}`")))
        };
        let short = |text: &&str| text.len() <= 100 && !text.contains('\n');
        let licenses = match (present("license-expression"), present("license").filter(short)) {
            (Some(expression), _) => vec![expression.to_owned()],
            (None, Some(text)) => vec![text.to_owned()],
            (None, None) => all("classifier").filter_map(classified).collect(),
        };
        let person = |address: &str| address.split('<').next().map(|name| name.trim_matches(['"', ' ']).to_owned());
        let supplier = ["author", "maintainer"]
            .into_iter()
            .find_map(|name| present(name).map(str::to_owned))
            .or_else(|| ["author-email", "maintainer-email"].into_iter().find_map(|name| person(present(name)?)))
            .filter(|name| !name.is_empty() && name.len() <= 200 && !name.contains('\n'));
        Ok(Self {
            name: needed("name")?,
            version: needed("version")?,
            licenses,
            supplier,
            requires: all("requires-dist").filter_map(dependency).collect(),
        })
    }

    /// The packages that it needs on a target, without those of its extras; sorted, each once.
    #[must_use]
    pub fn needs(&self, target: &Target) -> Vec<String> {
        let needed = self
            .requires
            .iter()
            .filter(|dependency| dependency.marker.as_ref().is_none_or(|marker| marker.may_hold(target, &[])));
        let names: std::collections::BTreeSet<&String> = needed.map(|dependency| &dependency.name).collect();
        names.into_iter().cloned().collect()
    }
}

/// `key: value` with keys in lower case; lines that begin with white space go on.
fn fields(text: &str) -> Result<Vec<(String, String)>, PinsError> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
            continue;
        }
        // Old tools left lines without a colon in long texts; they are no field.
        let Some((key, value)) = line.split_once(':') else { continue };
        fields.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        PinsError::bound(DOCUMENT, fields.len(), LIMIT_FIELDS, "fields")?;
    }
    Ok(fields)
}

fn classified(classifier: &str) -> Option<String> {
    let name = classifier.strip_prefix("License ::")?.rsplit("::").next()?.trim();
    if name == "OSI Approved" {
        return None;
    }
    let spdx = CLASSIFIERS.iter().find(|(known, _)| *known == name).map(|(_, spdx)| *spdx);
    Some(spdx.unwrap_or(name).to_owned())
}

fn dependency(text: &str) -> Option<Dependency> {
    let (head, marker) = match text.split_once(';') {
        Some((head, marker)) => (head, Marker::parse(marker).ok()),
        None => (text, None),
    };
    let end = head.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(head.len());
    let name = head[..end].trim_end_matches(['-', '_', '.']);
    is_name(name).then(|| Dependency { name: normal_name(name), marker })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_package_of_today_and_an_old_one() {
        let today = "Metadata-Version: 2.4\nName: Flask\nVersion: 3.1.3\nAuthor-email: Pallets <contact@example.org>\nLicense-Expression: BSD-3-Clause\n\
             Requires-Dist: blinker>=1.9.0\nRequires-Dist: importlib-metadata>=3.6.0; python_version < '3.10'\n\
             Requires-Dist: asgiref (>=3.2) ; extra == \"async\"\nRequires-Dist: Jinja2\n\nName: not a field\n";
        let metadata = Metadata::parse(today.as_bytes()).unwrap();
        assert_eq!((metadata.name.as_str(), metadata.version.as_str()), ("Flask", "3.1.3"));
        assert_eq!(metadata.licenses, ["BSD-3-Clause"]);
        assert_eq!(metadata.supplier.as_deref(), Some("Pallets"));
        let target = Target::new(Some("3.11"), &"linux/amd64".parse().unwrap()).unwrap();
        assert_eq!(metadata.needs(&target), ["blinker", "jinja2"]);

        let old = "Name: x\nVersion: 1\nLicense: UNKNOWN\nAuthor: A\nDescription: a\n        b\nno field\n\
             Classifier: License :: OSI Approved\nClassifier: License :: OSI Approved :: MIT License\n\
             Classifier: License :: OSI Approved :: BSD License\nClassifier: Topic :: X\n";
        let metadata = Metadata::parse(old.as_bytes()).unwrap();
        assert_eq!(metadata.licenses, ["MIT", "BSD License"]);
        let long = format!(
            "Name: x\nVersion: 1\nLicense: {}\nClassifier: License :: OSI Approved :: ISC License (ISCL)\n",
            "x".repeat(200)
        );
        assert_eq!(Metadata::parse(long.as_bytes()).unwrap().licenses, ["ISC"]);
    }

    #[test]
    fn without_a_name_or_too_large() {
        for (text, because) in [("Version: 1\n".to_owned(), "no `name`"), ("a:b\n".repeat(30_000), "20000 fields")] {
            let error = Metadata::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(because), "{error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Metadata::parse(&bytes);
        }
    }
}
