//! Licences of packages as SPDX expressions: where a package states one exactly, and nowhere else.

use std::collections::BTreeSet;

/// An SPDX expression as some databases hold it (Alpine, newer Fedora and Arch), or nothing if it is not one.
pub(crate) fn expression(text: &str) -> Option<String> {
    spdx::Expression::parse(text).ok().map(|_| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The licence of a machine-readable Debian copyright file (DEP-5): every `License` of its files, joined by `AND`.
///
/// Nothing when the file is not machine-readable, or when one of its short names is not exactly an SPDX licence:
/// a list with gaps would be a wrong statement.
pub(crate) fn of_copyright(text: &str) -> Option<String> {
    let mut paragraphs = text.split("\n\n").map(fields);
    let header = paragraphs.next()?;
    let machine_readable = |(name, value): &(&str, &str)| *name == "Format" && value.contains("copyright-format");
    if !header.iter().any(machine_readable) {
        return None;
    }
    let mut licences = BTreeSet::new();
    for paragraph in paragraphs {
        // A paragraph without `Files` only holds the text of a licence that others name.
        if !paragraph.iter().any(|(name, _)| *name == "Files") {
            continue;
        }
        let (_, short_name) = paragraph.iter().find(|(name, _)| *name == "License")?;
        // `A and B` is two conjuncts like any others: each is named once.
        let expression = of_short_names(short_name)?;
        licences.extend(expression.split(" AND ").map(str::to_owned));
    }
    let several = licences.len() > 1;
    let bracketed = |text: String| if several && text.contains(" OR ") { format!("({text})") } else { text };
    let joined = licences.into_iter().map(bracketed).collect::<Vec<_>>().join(" AND ");
    expression(&joined)
}

/// Field names and the first lines of their values.
fn fields(paragraph: &str) -> Vec<(&str, &str)> {
    let lines = paragraph.lines().filter(|line| !line.starts_with([' ', '\t', '#']));
    lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect()
}

/// `GPL-2+ or Artistic` as SPDX. A comma binds weaker than `or` and `and` in DEP-5: such lines are not mapped.
fn of_short_names(text: &str) -> Option<String> {
    if text.contains([',', '(', ')']) {
        return None;
    }
    let (mut words, mut operators) = (Vec::new(), BTreeSet::new());
    let mut operand = true;
    for word in text.split_whitespace() {
        if operand {
            words.push(of_short_name(word)?);
        } else {
            let operator = match word.to_ascii_lowercase().as_str() {
                "or" => "OR",
                "and" => "AND",
                // `with ... exception` in free words.
                _ => return None,
            };
            operators.insert(operator);
            words.push(operator.to_owned());
        }
        operand = !operand;
    }
    (!operand && operators.len() <= 1).then(|| words.join(" "))
}

/// One DEP-5 short name, where it means exactly one SPDX licence.
fn of_short_name(name: &str) -> Option<String> {
    // `Artistic` and `Python-2` are missing on purpose: SPDX has several of each.
    const SAME_MEANING: [(&str, &str); 8] = [
        ("Expat", "MIT"),
        ("Apache-2", "Apache-2.0"),
        ("BSD-2-clause", "BSD-2-Clause"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("BSD-4-clause", "BSD-4-Clause"),
        ("zlib", "Zlib"),
        ("ZLIB", "Zlib"),
        ("CC0", "CC0-1.0"),
    ];
    if let Some((_, id)) = SAME_MEANING.iter().find(|(short, _)| *short == name) {
        return Some((*id).to_owned());
    }
    for family in ["GPL", "LGPL", "AGPL", "GFDL"] {
        let Some(version) = name.strip_prefix(family).and_then(|rest| rest.strip_prefix('-')) else { continue };
        let (version, reach) = version.strip_suffix('+').map_or((version, "only"), |version| (version, "or-later"));
        let version = if version.contains('.') { version.to_owned() } else { format!("{version}.0") };
        let id = format!("{family}-{version}-{reach}");
        return spdx::license_id(&id).map(|id| id.name.to_owned());
    }
    // `MIT`, `curl` and such are SPDX names already; deprecated ones are ambiguous.
    spdx::license_id(name).filter(|id| id.name == name && !id.is_deprecated()).map(|id| id.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copyright(licences: &[&str]) -> String {
        let mut text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n".to_owned();
        for licence in licences {
            text +=
                &format!("\nFiles: *\nCopyright: 2020 Somebody\nLicense: {licence}\n The text.\n .\n License: none\n");
        }
        text + "\nLicense: Made-Up\n Text of it.\n"
    }

    #[test]
    fn exact_names_become_spdx() {
        for (licences, expect) in [
            (&["Expat"][..], Some("MIT")),
            (&["GPL-2+", "Expat"], Some("GPL-2.0-or-later AND MIT")),
            (&["GPL-1+ or Expat", "Zlib"], Some("(GPL-1.0-or-later OR MIT) AND Zlib")),
            (&["GPL-1+ or Artistic"], None),
            (&["Zlib and Expat", "Expat"], Some("MIT AND Zlib")),
            (&["LGPL-2.1"], Some("LGPL-2.1-only")),
            (&["GPL-2+ with Autoconf exception"], None),
            (&["Expat", "public-domain"], None),
            (&["GPL"], None),
            (&["GPL-7+"], None),
            (&["Expat and GPL-2 or Zlib"], None),
            (&["GPL-2, or Expat"], None),
            (&["or"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(of_copyright(&copyright(licences)).as_deref(), expect, "{licences:?}");
        }
    }

    #[test]
    fn prose_states_nothing() {
        assert_eq!(of_copyright("This is the GNU C library.\n\nLicense: MIT\n"), None);
        assert_eq!(of_copyright(""), None);
    }

    #[test]
    fn an_expression_is_kept_only_if_it_is_one() {
        assert_eq!(expression("GPL-2.0-or-later  AND MIT").as_deref(), Some("GPL-2.0-or-later AND MIT"));
        assert_eq!(expression("GPLv2+ and Public Domain"), None);
        assert_eq!(expression(""), None);
    }
}
