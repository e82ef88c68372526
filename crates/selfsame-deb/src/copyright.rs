//! Copyright files that machines can read (DEP-5), as SPDX expressions.

use std::collections::BTreeSet;

use selfsame_core::Digest;

/// The licence of a machine-readable Debian copyright file: every `License` of its files, joined by `AND`.
///
/// A short name that means exactly one SPDX licence becomes that one. Any other, `Artistic` or `public-domain` for
/// example, is named as it stands, `LicenseRef-Debian-Artistic`: its text is in the copyright file. Nothing when the
/// file is not machine-readable, or when some of its files have no licence: a list with gaps would be a wrong statement.
#[must_use]
pub fn licence_of_copyright(text: &str) -> Option<String> {
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
        if short_name.is_empty() {
            return None;
        }
        let expression = of_short_names(short_name).unwrap_or_else(|| reference(short_name));
        // `A and B` is two conjuncts like any others: each is named once.
        licences.extend(expression.split(" AND ").map(str::to_owned));
    }
    let several = licences.len() > 1;
    let bracketed = |text: String| if several && text.contains(" OR ") { format!("({text})") } else { text };
    let joined = licences.into_iter().map(bracketed).collect::<Vec<_>>().join(" AND ");
    spdx::Expression::parse(&joined).ok().map(|_| joined)
}

/// A name of SPDX's kind for what has none there. Letters, digits, dots and dashes are all that may stand in one.
fn reference(short_name: &str) -> String {
    const MAX: usize = 64;
    let mut slug = String::new();
    for c in short_name.replace('+', "-plus").chars() {
        let c = if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        if c != '-' || !slug.ends_with('-') {
            slug.push(c);
        }
    }
    let mut slug = slug.trim_matches('-').to_owned();
    if slug.is_empty() || slug.len() > MAX {
        slug.truncate(MAX - 9);
        slug = format!("{}-{}", slug.trim_end_matches('-'), &Digest::of(short_name.as_bytes()).hex()[..8]);
    }
    format!("LicenseRef-Debian-{}", slug.trim_start_matches('-'))
}

/// Field names and the first lines of their values.
fn fields(paragraph: &str) -> Vec<(&str, &str)> {
    let lines = paragraph.lines().filter(|line| !line.starts_with([' ', '\t', '#']));
    lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect()
}

/// `GPL-2+ or Artistic` as SPDX. Nothing where words stand in it that are no names: a comma binds weaker than `or` and
/// `and` in DEP-5, and `with ... exception` is free words; such a line is one licence of its own.
fn of_short_names(text: &str) -> Option<String> {
    if text.contains([',', '(', ')']) {
        return None;
    }
    let (mut words, mut operators) = (Vec::new(), BTreeSet::new());
    let mut operand = true;
    for word in text.split_whitespace() {
        if operand {
            words.push(of_short_name(word).unwrap_or_else(|| reference(word)));
        } else {
            let operator = match word.to_ascii_lowercase().as_str() {
                "or" => "OR",
                "and" => "AND",
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
    use super::licence_of_copyright;

    fn copyright(licences: &[&str]) -> String {
        let mut text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n".to_owned();
        for licence in licences {
            text +=
                &format!("\nFiles: *\nCopyright: 2020 Somebody\nLicense: {licence}\n The text.\n .\n License: none\n");
        }
        text + "\nLicense: Made-Up\n Text of it.\n"
    }

    #[test]
    fn exact_names_become_spdx_and_others_are_references() {
        for (licences, expect) in [
            (&["Expat"][..], Some("MIT")),
            (&["GPL-2+", "Expat"], Some("GPL-2.0-or-later AND MIT")),
            (&["GPL-1+ or Expat", "Zlib"], Some("(GPL-1.0-or-later OR MIT) AND Zlib")),
            (&["GPL-1+ or Artistic"], Some("GPL-1.0-or-later OR LicenseRef-Debian-Artistic")),
            (&["Zlib and Expat", "Expat"], Some("MIT AND Zlib")),
            (&["LGPL-2.1"], Some("LGPL-2.1-only")),
            (&["GPL-2+ with Autoconf exception"], Some("LicenseRef-Debian-GPL-2-plus-with-Autoconf-exception")),
            (&["Expat", "public-domain"], Some("LicenseRef-Debian-public-domain AND MIT")),
            (&["GPL"], Some("LicenseRef-Debian-GPL")),
            (&["GPL-7+"], Some("LicenseRef-Debian-GPL-7-plus")),
            (&["Expat and GPL-2 or Zlib"], Some("LicenseRef-Debian-Expat-and-GPL-2-or-Zlib")),
            (&["GPL-2, or Expat"], Some("LicenseRef-Debian-GPL-2-or-Expat")),
            (&["or"], Some("LicenseRef-Debian-or")),
            (&["äß"], Some("LicenseRef-Debian-3f4d731b")),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(licence_of_copyright(&copyright(licences)).as_deref(), expect, "{licences:?}");
        }
    }

    #[test]
    fn long_names_stay_apart() {
        let (one, other) = ("x ".repeat(60) + "1", "x ".repeat(60) + "2");
        let one = licence_of_copyright(&copyright(&[&one])).unwrap();
        assert!(one.len() < 90, "{one}");
        assert_ne!(Some(one), licence_of_copyright(&copyright(&[&other])));
    }

    #[test]
    fn prose_states_nothing() {
        assert_eq!(licence_of_copyright("This is the GNU C library.\n\nLicense: MIT\n"), None);
        assert_eq!(licence_of_copyright(""), None);
    }
}
