//! What makes a package of an image and a package of a lock the same: ecosystem, name and version.

use selfsame_lock::Purl;
use selfsame_pins::pypi::normal_name;
use selfsame_pins::version::Version;

/// The ecosystems whose packages say in an image what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ecosystem {
    Deb,
    Golang,
    Npm,
    Pypi,
}

impl Ecosystem {
    const ALL: [(Self, &str); 4] =
        [(Self::Deb, "pkg:deb/"), (Self::Golang, "pkg:golang/"), (Self::Npm, "pkg:npm/"), (Self::Pypi, "pkg:pypi/")];

    /// That of a package URL.
    pub(crate) fn of(purl: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, start)| purl.starts_with(start)).map(|(ecosystem, _)| ecosystem)
    }
}

/// The identity of a package, however its name and version are spelt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    ecosystem: Ecosystem,
    name: String,
    version: Spelling,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spelling {
    /// `1.0` is `1.0.0`.
    Python(Version),
    Plain(String),
}

impl Identity {
    /// By name and version as the package writes them. A package of Debian has its architecture behind the version.
    pub(crate) fn new(ecosystem: Ecosystem, name: &str, version: &str) -> Self {
        let (name, version) = match (ecosystem, version.parse()) {
            (Ecosystem::Pypi, Ok(version)) => (normal_name(name), Spelling::Python(version)),
            (Ecosystem::Pypi, Err(_)) => (normal_name(name), Spelling::Plain(version.to_owned())),
            _ => (name.to_owned(), Spelling::Plain(version.to_owned())),
        };
        Self { ecosystem, name, version }
    }

    /// Of a package of Debian.
    pub(crate) fn deb(name: &str, version: &str, architecture: &str) -> Self {
        Self::new(Ecosystem::Deb, name, &format!("{version} {architecture}"))
    }

    /// Of a package that a lock names; nothing for an ecosystem whose packages are not recognised in images.
    pub(crate) fn of(purl: &str, name: &str, version: &str) -> Option<Self> {
        Some(match Ecosystem::of(purl)? {
            Ecosystem::Deb => Self::deb(name, version, qualifier(purl, "arch").unwrap_or_default()),
            ecosystem => Self::new(ecosystem, name, version),
        })
    }
}

/// The value of a qualifier that holds nothing to be decoded.
pub(crate) fn qualifier<'a>(purl: &'a str, key: &str) -> Option<&'a str> {
    let (_, qualifiers) = purl.split('#').next()?.split_once('?')?;
    qualifiers.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

/// The package URL of what says that it is this; nothing where no package can be called so. Capitals that package URLs do
/// not know stand in a qualifier, as those of locked parts do.
pub(crate) fn purl_of(ecosystem: Ecosystem, name: &str, version: &str) -> Option<String> {
    let normal = normal_name(name);
    let (kind, name, exact) = match ecosystem {
        Ecosystem::Deb => return None,
        Ecosystem::Golang => ("golang", name, true),
        Ecosystem::Npm => ("npm", name, true),
        Ecosystem::Pypi => ("pypi", normal.as_str(), false),
    };
    let (namespace, last) = name.rsplit_once('/').map_or((None, name), |(namespace, last)| (Some(namespace), last));
    let capitals = exact && name.bytes().any(|byte| byte.is_ascii_uppercase());
    let qualifiers: &[(&str, &str)] = if capitals { &[("name", name)] } else { &[] };
    Purl::new(kind, namespace, last, Some(version), qualifiers).ok().map(|purl| purl.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_package_are_one() {
        let same = |purl, name, version, other: Identity| assert_eq!(Identity::of(purl, name, version), Some(other));
        let found = |ecosystem, name, version| Identity::new(ecosystem, name, version);
        same("pkg:pypi/x@1", "Ruamel.YAML_clib", "1.0", found(Ecosystem::Pypi, "ruamel-yaml-clib", "1.0.0"));
        same("pkg:npm/x@1", "@a/b", "1.0.0", found(Ecosystem::Npm, "@a/b", "1.0.0"));
        same("pkg:deb/debian/x@1?arch=all&distro=y", "x", "1", Identity::deb("x", "1", "all"));
        assert_ne!(found(Ecosystem::Npm, "a", "1.0"), found(Ecosystem::Npm, "a", "1.0.0"));
        assert_ne!(Identity::deb("x", "1", "all"), Identity::deb("x", "1", "amd64"));
        assert_eq!(Identity::of("pkg:cargo/x@1", "x", "1"), None);
    }

    #[test]
    fn names_in_package_urls() {
        let purl = |ecosystem, name: &str| purl_of(ecosystem, name, "v1.0").unwrap_or_default();
        assert_eq!(purl(Ecosystem::Pypi, "Typing_Extensions"), "pkg:pypi/typing-extensions@v1.0");
        assert_eq!(purl(Ecosystem::Npm, "@babel/core"), "pkg:npm/%40babel/core@v1.0");
        assert_eq!(purl(Ecosystem::Golang, "golang.org/x/text"), "pkg:golang/golang.org/x/text@v1.0");
        let capitals = purl(Ecosystem::Golang, "github.com/BurntSushi/toml");
        assert_eq!(capitals, "pkg:golang/github.com/burntsushi/toml@v1.0?name=github.com%2FBurntSushi%2Ftoml");
        assert_eq!(purl(Ecosystem::Npm, ""), "", "no name");
    }
}
