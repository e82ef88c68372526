//! How inputs are called to people. JSON has package URLs.

use selfsame_core::Digest;
use selfsame_lock::Purl;

use crate::report::printable;

/// `gcc 4:12.2.0-3`; of an image, whose parts have one package URL, `busybox layer sha256:0f3c…`.
pub(crate) fn part(purl: &str, role: Option<&str>, sha256: &Digest) -> String {
    let Ok(parsed) = purl.parse::<Purl>() else { return printable(purl) };
    match (purl.strip_prefix("pkg:oci/"), role) {
        (Some(rest), Some(role)) => {
            let name = rest.split(['@', '?', '#']).next().unwrap_or(rest);
            format!("{name} {} {sha256}", printable(role))
        }
        // go.sum pins two files of a module.
        (None, Some(role)) => format!("{} ({})", printable(&parsed.plain()), printable(role)),
        _ => printable(&parsed.plain()),
    }
}

/// The same of a package URL alone.
pub(crate) fn purl(purl: &str) -> String {
    purl.parse::<Purl>().map_or_else(|_| printable(purl), |purl| printable(&purl.plain()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_percent_signs() {
        let digest = Digest::of(b"x");
        let gcc = "pkg:deb/debian/g%2B%2B@4:12.2.0-3?arch=amd64";
        assert_eq!(part(gcc, None, &digest), "g++ 4:12.2.0-3");
        assert_eq!(purl("pkg:npm/%40babel/core@7.29.0"), "@babel/core 7.29.0");
        let module = "pkg:golang/github.com/burntsushi/toml@v1.5.0?name=github.com%2FBurntSushi%2Ftoml";
        assert_eq!(part(module, Some("zip"), &digest), "github.com/BurntSushi/toml v1.5.0 (zip)");
        let layer = part("pkg:oci/busybox@sha256:00", Some("layer"), &digest);
        assert_eq!(layer, format!("busybox layer {digest}"));
        assert_eq!(purl("no purl\u{1b}"), "no purl\\u{1b}");
    }
}
