//! Licences of packages as SPDX expressions: where a package states one exactly, and nowhere else.

use crate::{Files, Kind, Record};

/// The licence of a package: from its database, or from Debian's copyright file.
pub fn licence_of<F: Files>(files: &mut F, kind: Kind, record: &Record) -> Result<Option<String>, F::Error> {
    Ok(match kind {
        Kind::Deb => {
            let copyright = files.text(&format!("usr/share/doc/{}/copyright", record.name))?;
            copyright.and_then(|text| selfsame_deb::licence_of_copyright(&text))
        }
        Kind::Rpm | Kind::Apk | Kind::Alpm => record.licence.as_deref().and_then(expression),
    })
}

/// An SPDX expression as some databases hold it (Alpine, newer Fedora and Arch), or nothing if it is not one.
fn expression(text: &str) -> Option<String> {
    spdx::Expression::parse(text).ok().map(|_| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn an_expression_is_kept_only_if_it_is_one() {
        assert_eq!(expression("GPL-2.0-or-later  AND MIT").as_deref(), Some("GPL-2.0-or-later AND MIT"));
        assert_eq!(expression("GPLv2+ and Public Domain"), None);
        assert_eq!(expression(""), None);
    }
}
