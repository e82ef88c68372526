//! Licences of packages as SPDX expressions: where a package states one exactly, and nowhere else.

/// An SPDX expression as some databases hold it (Alpine, newer Fedora and Arch), or nothing if it is not one.
pub(crate) fn expression(text: &str) -> Option<String> {
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
