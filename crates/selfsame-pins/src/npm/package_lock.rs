//! `package-lock.json`, versions 2 and 3: which tarballs a project needs on a platform, by SHA-512.

use std::collections::BTreeMap;

use selfsame_core::Platform;
use selfsame_core::json::{self, Limits};
use serde::Deserialize;
use serde_json::Value;

use super::Integrity;
use crate::error::PinsError;

const DOCUMENT: &str = "package-lock.json";
const LIMITS: Limits = Limits { size_bytes: 64 << 20, values: 2_000_000 };
const LIMIT_PACKAGES: usize = 50_000;

/// The packages of a lock that come from a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageLock {
    /// Sorted by name, then version; each once.
    pub packages: Vec<LockedPackage>,
}

/// A tarball of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedPackage {
    /// As the registry has it: `@babel/core`. Not the alias that it may be installed as.
    pub name: String,
    /// `7.29.0`
    pub version: String,
    /// Of the tarball.
    pub integrity: Integrity,
    /// The tarball's file, `core-7.29.0.tgz`: where the lock has an address, its last part.
    pub file: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    lockfile_version: u64,
    packages: Option<BTreeMap<String, WirePackage>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePackage {
    name: Option<String>,
    version: Option<String>,
    resolved: Option<String>,
    integrity: Option<String>,
    #[serde(default)]
    link: bool,
    #[serde(default)]
    in_bundle: bool,
    os: Option<Value>,
    cpu: Option<Value>,
    libc: Option<Value>,
}

impl PackageLock {
    /// Parses a lock, and takes what `platform` can install. What no SHA-512 pins is refused by its place.
    pub fn parse(bytes: &[u8], platform: &Platform) -> Result<Self, PinsError> {
        let wire: Wire =
            json::parse_as(bytes, LIMITS).map_err(|error| PinsError::syntax(DOCUMENT, error.to_string()))?;
        let version = wire.lockfile_version;
        let packages = wire.packages.filter(|_| (2..=3).contains(&version)).ok_or_else(|| {
            PinsError::syntax(DOCUMENT, format!("it has version {version}; versions 2 and 3 are read"))
        })?;
        PinsError::bound(DOCUMENT, packages.len(), LIMIT_PACKAGES, "packages")?;
        let mut found: BTreeMap<(String, String), LockedPackage> = BTreeMap::new();
        for (place, package) in packages {
            let Some(locked) = locked(&place, package, platform)? else { continue };
            let key = (locked.name.clone(), locked.version.clone());
            if let Some(other) = found.get(&key)
                && other.integrity != locked.integrity
            {
                return Err(PinsError::entry(DOCUMENT, &place, "has another hash than the same version elsewhere"));
            }
            found.insert(key, locked);
        }
        Ok(Self { packages: found.into_values().collect() })
    }
}

/// Nothing for what has no tarball of its own, or is for other platforms.
fn locked(place: &str, package: WirePackage, platform: &Platform) -> Result<Option<LockedPackage>, PinsError> {
    let fault = |fault: &str| Err(PinsError::entry(DOCUMENT, place, fault));
    // The project, its workspaces, links to them, and what lies in another package's tarball.
    let Some((_, installed)) = place.rsplit_once("node_modules/") else { return Ok(None) };
    if package.link || package.in_bundle || !fits(&package, platform) {
        return Ok(None);
    }
    let resolved = package.resolved.as_deref().unwrap_or_default();
    match resolved.split_once(':').map_or("", |(scheme, _)| scheme) {
        "" | "http" | "https" => {}
        "file" => return fault("comes from a file beside the project; packages of a registry can be fetched"),
        scheme if scheme.starts_with("git") || scheme == "github" || resolved.contains(".git#") => {
            return fault("comes from git; packages of a registry can be fetched");
        }
        _ => return fault("comes from an address that is no registry's"),
    }
    let name = package.name.unwrap_or_else(|| installed.to_owned());
    if !is_name(&name) {
        return fault("has a name that is none of a package");
    }
    let Some(version) = package.version.filter(|version| is_version(version)) else {
        return fault("has no proper version");
    };
    let Some(integrity) = package.integrity else { return fault("has no integrity; a SHA-512 pins it") };
    let integrity = match integrity.parse::<Integrity>() {
        Ok(integrity) => integrity,
        Err(error) => return fault(&error.to_string()),
    };
    let path = resolved.split(['?', '#']).next().unwrap_or_default();
    let file = match path.rsplit('/').next().unwrap_or_default() {
        file if file.ends_with(".tgz") && is_file(file) => file.to_owned(),
        _ => format!("{}-{version}.tgz", name.rsplit('/').next().unwrap_or_default()),
    };
    Ok(Some(LockedPackage { name, version, integrity, file }))
}

fn fits(package: &WirePackage, platform: &Platform) -> bool {
    let cpu = match platform.architecture.as_str() {
        "amd64" => "x64",
        "386" => "ia32",
        other => other,
    };
    allows(package.os.as_ref(), &platform.os)
        && allows(package.cpu.as_ref(), cpu)
        && allows(package.libc.as_ref(), "glibc")
}

/// A list of npm: names that are let in, and names behind `!` that are not.
fn allows(list: Option<&Value>, name: &str) -> bool {
    let words: Vec<&str> = match list {
        Some(Value::String(word)) => vec![word],
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
        _ => return true,
    };
    if words == ["any"] {
        return true;
    }
    if words.iter().any(|word| word.strip_prefix('!') == Some(name)) {
        return false;
    }
    let mut positive = words.iter().filter(|word| !word.starts_with('!')).peekable();
    positive.peek().is_none() || positive.any(|word| *word == name)
}

/// Whether this is a package's name: `name` or `@scope/name`, of what may stand in an address and a path.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    };
    name.len() <= 214
        && match name.strip_prefix('@') {
            Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| part(scope) && part(name)),
            None => part(name),
        }
}

fn is_version(version: &str) -> bool {
    (1..=128).contains(&version.len())
        && version.starts_with(|c: char| c.is_ascii_digit())
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
}

fn is_file(file: &str) -> bool {
    file.len() <= 255
        && !file.starts_with('.')
        && file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use selfsame_core::Sha512Digest;

    use super::*;

    fn hash(text: &str) -> String {
        Integrity::of(&Sha512Digest::of(text.as_bytes())).to_string()
    }

    fn parse(packages: &str) -> Result<Vec<String>, PinsError> {
        let text = format!("{{\"name\":\"app\",\"lockfileVersion\":3,\"requires\":true,\"packages\":{{{packages}}}}}");
        let lock = PackageLock::parse(text.as_bytes(), &"linux/amd64".parse().unwrap())?;
        Ok(lock.packages.iter().map(|p| format!("{} {} {}", p.name, p.version, p.file)).collect())
    }

    fn entry(place: &str, rest: &str) -> String {
        format!("\"{place}\":{{\"version\":\"1.0.0\",{rest}}}")
    }

    fn pinned(place: &str, rest: &str) -> String {
        entry(place, &format!("\"integrity\":\"{}\"{rest}", hash(place)))
    }

    #[test]
    fn what_a_platform_installs() {
        let resolved = ",\"resolved\":\"https://registry.example/r/@babel/core/-/core-1.0.0.tgz?x\"";
        let packages = [
            "\"\":{\"name\":\"app\",\"workspaces\":[\"w\"]}".to_owned(),
            "\"w\":{\"version\":\"0.0.0\"}".to_owned(),
            "\"node_modules/w\":{\"resolved\":\"w\",\"link\":true}".to_owned(),
            pinned("node_modules/@babel/core", resolved),
            pinned("node_modules/a", ""),
            format!(
                "\"node_modules/x/node_modules/a\":{{\"version\":\"1.0.0\",\"integrity\":\"{}\"}}",
                hash("node_modules/a")
            ),
            pinned("node_modules/alias", ",\"name\":\"real\""),
            entry("node_modules/a/node_modules/b", "\"inBundle\":true"),
            pinned("node_modules/win", ",\"os\":[\"win32\"],\"optional\":true"),
            pinned("node_modules/notlinux", ",\"os\":[\"!linux\"]"),
            pinned("node_modules/arm", ",\"cpu\":[\"arm64\"]"),
            pinned("node_modules/musl", ",\"libc\":[\"musl\"]"),
            pinned("node_modules/lin", ",\"os\":[\"linux\",\"darwin\"],\"cpu\":[\"x64\"],\"libc\":[\"glibc\"]"),
        ];
        assert_eq!(
            parse(&packages.join(",")).unwrap(),
            [
                "@babel/core 1.0.0 core-1.0.0.tgz",
                "a 1.0.0 a-1.0.0.tgz",
                "lin 1.0.0 lin-1.0.0.tgz",
                "real 1.0.0 real-1.0.0.tgz"
            ]
        );
    }

    #[track_caller]
    fn refused(packages: &str, because: &str) {
        let error = parse(packages).expect_err(because).to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn what_no_sha512_pins_is_refused_by_its_place() {
        let x = "node_modules/x";
        refused(&entry(x, "\"a\":1"), "`node_modules/x` in package-lock.json has no integrity");
        refused(&entry(x, "\"integrity\":\"sha1-YWJj\""), "only a weak hash (sha1)");
        refused(&entry(x, "\"integrity\":\"sha512-YWJj\""), "no SHA-512");
        for (resolved, because) in [
            ("git+ssh://git@forge.example/x.git#abc", "comes from git"),
            ("git://forge.example/x.git#abc", "comes from git"),
            ("file:../x", "file beside the project"),
            ("ftp://x/x.tgz", "no registry's"),
        ] {
            refused(&pinned(x, &format!(",\"resolved\":\"{resolved}\"")), because);
        }
        refused(&pinned("node_modules/../x", ""), "is none of a package");
        refused(&pinned("node_modules/@a/b/c", ""), "is none of a package");
        refused(&pinned(x, "").replace("1.0.0", "../1"), "no proper version");
        let second = pinned("node_modules/y/node_modules/x", "");
        refused(&format!("{},{second}", pinned(x, "")), "another hash");
    }

    #[test]
    fn what_is_no_lock() {
        let platform = "linux/amd64".parse().unwrap();
        for (text, because) in [
            ("{\"lockfileVersion\":1,\"dependencies\":{}}", "version 1"),
            ("{\"lockfileVersion\":4,\"packages\":{}}", "version 4"),
            ("{\"lockfileVersion\":3,\"packages\":{\"a\":{},\"a\":{}}}", "duplicate"),
            ("[]", "cannot be read"),
        ] {
            let error = PackageLock::parse(text.as_bytes(), &platform).unwrap_err().to_string();
            assert!(error.contains(because), "{error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(place in "[a-z@/._-]{0,30}", resolved in "[a-z:/.#?+@]{0,30}", integrity in "(sha512-|sha1-)?[A-Za-z=]{0,9}") {
            let _ = parse(&format!("\"{place}\":{{\"version\":\"1\",\"resolved\":\"{resolved}\",\"integrity\":\"{integrity}\"}}"));
        }
    }
}
