//! Where a package may be asked for: below the machine's places, at the path that Debian's archives give it.

use selfsame_deb::{Source, Version};
use selfsame_http::Origins;
use selfsame_lock::Part;

/// What is known of a locked package by its package URL and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// `debian`.
    pub(super) vendor: String,
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) architecture: String,
    /// The source package's name.
    pub(super) source: String,
}

impl Named {
    /// Reads `pkg:deb/VENDOR/NAME@VERSION?arch=ARCH`.
    pub(super) fn of(part: &Part) -> Option<Self> {
        let rest = part.purl.as_str().strip_prefix("pkg:deb/")?;
        let (rest, qualifiers) = rest.split_once('?')?;
        let architecture = qualifiers.split('&').find_map(|pair| pair.strip_prefix("arch="))?;
        let (path, version) = rest.rsplit_once('@')?;
        let (vendor, name) = path.split_once('/')?;
        let name = decoded(name)?;
        let source = part.source.as_deref().and_then(|source| source.split('@').next()).unwrap_or(&name).to_owned();
        let (vendor, architecture) = (decoded(vendor)?, decoded(architecture)?);
        let version = decoded(version)?.parse().ok()?;
        // All of it becomes part of addresses that are asked with this machine's credentials, and a release or lock may be a
        // stranger's.
        let is_proper = is_name(&name) && is_name(&source) && is_word(&architecture) && is_word(&vendor);
        // Of a vendor, its own origin is asked, and of no other one.
        let is_vendor = !["npm", "pypi", "go"].contains(&vendor.as_str());
        (is_proper && is_vendor).then_some(Self { vendor, name, version, architecture, source })
    }

    /// `main/g/gcc-defaults/gcc_12.2.0-3_amd64.deb`, for a component.
    fn below_pool(&self, component: &str) -> String {
        let letters = if self.source.starts_with("lib") { 4 } else { 1 };
        let folder = self.source.get(..letters).unwrap_or(&self.source);
        let Self { name, version, architecture, source, .. } = self;
        // A plus would be a space to some servers.
        format!("{component}/{folder}/{source}/{name}_{}_{architecture}.deb", version.without_epoch())
            .replace('+', "%2b")
    }

    /// Addresses, the most likely first: of the configured upstreams of the vendor; without one, of the machine's sources.
    pub(super) fn places(&self, part: &Part, origins: &Origins, sources: &[Source]) -> Vec<String> {
        let components = match self.vendor.as_str() {
            "ubuntu" => ["main", "universe", "restricted", "multiverse"],
            _ => ["main", "contrib", "non-free-firmware", "non-free"],
        };
        let mut places = Vec::new();
        for upstream in origins.upstreams(&self.vendor) {
            places.extend(components.map(|component| format!("{upstream}/pool/{}", self.below_pool(component))));
            places.push(format!("{upstream}/pool/updates/{}", self.below_pool("main")));
            // A mirror that keeps files by their content.
            places.push(format!("{upstream}/by-hash/SHA256/{}", part.sha256.hex()));
        }
        // Who says where packages are had means there, and nowhere else.
        let sources = if places.is_empty() { sources } else { &[] };
        for source in sources {
            let security =
                source.suites.iter().all(|suite| suite.ends_with("-security") || suite.ends_with("/updates"));
            for uri in &source.uris {
                let uri = uri.trim_end_matches('/');
                for component in &source.components {
                    let below = self.below_pool(component.rsplit('/').next().unwrap_or(component));
                    if security {
                        places.push(format!("{uri}/pool/updates/{below}"));
                    }
                    places.push(format!("{uri}/pool/{below}"));
                }
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        places.retain(|place| seen.insert(place.clone()));
        places
    }
}

/// A name of a package: Debian Policy, 5.6.1.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().next().is_some_and(fits) && text.bytes().all(|byte| fits(byte) || b"+-.".contains(&byte))
}

/// An architecture, or a vendor: `kfreebsd-amd64`.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// `%3A` and the like.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (hex, behind) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use selfsame_core::Digest;
    use selfsame_deb::parse_list;
    use selfsame_lock::{Claim, Purl};

    use super::*;

    #[test]
    fn pool_paths_of_locked_packages() {
        let purl = Purl::deb("debian", "libc6", "1:2.36-9+deb12u14~x", "amd64").unwrap();
        let mut part = Part::new(purl, Digest::of(b"x"), 1, Claim::SignedRelease);
        part.source = Some("glibc@2.36-9".to_owned());
        let named = Named::of(&part).unwrap();
        assert_eq!((named.name.as_str(), named.version.as_str()), ("libc6", "1:2.36-9+deb12u14~x"));
        let sources = "deb http://a.example/debian/ bookworm main\ndeb http://a.example/debian bookworm-updates main\n\
            deb http://s.example/security bookworm-security main\n";
        let sources = parse_list(sources).unwrap();
        let file = "main/g/glibc/libc6_2.36-9%2bdeb12u14~x_amd64.deb";
        assert_eq!(
            named.places(&part, &Origins::default(), &sources),
            [
                format!("http://a.example/debian/pool/{file}"),
                format!("http://s.example/security/pool/updates/{file}"),
                format!("http://s.example/security/pool/{file}"),
            ]
        );
        let origins = "[origin.debian]\nupstream = [\"https://m.example/debian\"]\n";
        let origins = Origins::parse(origins, Path::new("/")).unwrap();
        let places = named.places(&part, &origins, &sources);
        assert_eq!(places[0], format!("https://m.example/debian/pool/{file}"));
        assert!(places.iter().all(|place| place.starts_with("https://m.example/")), "{places:?}");
        let lib = Purl::deb("debian", "libfoo1", "1.0", "amd64").unwrap();
        let lib = Named::of(&Part::new(lib, Digest::of(b"x"), 1, Claim::SignedRelease)).unwrap();
        assert_eq!(lib.below_pool("main"), "main/libf/libfoo1/libfoo1_1.0_amd64.deb");
    }

    /// A stranger's package URL leads nowhere else than to packages.
    #[test]
    fn what_would_lead_elsewhere_has_no_place() {
        let good = "pkg:deb/debian/gcc@1.0?arch=amd64";
        let named = |text: &str, source: Option<&str>| {
            let mut part = Part::new(text.parse().ok()?, Digest::of(b"x"), 1, Claim::SignedRelease);
            part.source = source.map(str::to_owned);
            Named::of(&part)
        };
        assert!(named(good, None).is_some() && named(good, Some("gcc-defaults@1.0")).is_some());
        for (from, to) in [
            ("gcc", "..%2F..%2Fapi"),
            ("gcc", "gcc%3Fx"),
            ("gcc", "gcc%23x"),
            ("gcc", "%2Egcc"),
            ("amd64", "..%2Fx"),
            ("amd64", "amd64%3Ftoken"),
            ("amd64", "amd64%2Fx"),
            ("1.0", "1.0%2F..%2Fx"),
            ("1.0", "1.0%3Fx"),
            ("debian", "npm"),
            ("debian", "files.example"),
        ] {
            assert_eq!(named(&good.replace(from, to), None), None, "{from} is {to}");
        }
        for source in ["../../api@1", "gcc?x@1", "gcc#x@1", "a/b@1", "@1"] {
            assert_eq!(named(good, Some(source)), None, "{source}");
        }
    }

    #[test]
    fn what_is_no_package_has_no_place() {
        for text in ["pkg:cargo/a@1", "pkg:deb/debian/a@1", "pkg:deb/a@1?arch=amd64"] {
            let part = Part::new(text.parse().unwrap(), Digest::of(b"x"), 1, Claim::SignedRelease);
            assert_eq!(Named::of(&part), None, "{text}");
        }
    }
}
