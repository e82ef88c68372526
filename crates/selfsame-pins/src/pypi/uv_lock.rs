//! `uv.lock`, version 1: which versions a project needs on a target, and the hashes of their files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use selfsame_core::Digest;
use serde::Deserialize;

use super::{Pin, PinnedFile, is_name, normal_name};
use crate::error::PinsError;
use crate::marker::{Marker, Target};
use crate::version::Version;

const DOCUMENT: &str = "uv.lock";
/// Read as TOML it takes some fifty times as much memory.
const LIMIT_BYTES: usize = 16 << 20;
const LIMIT_PACKAGES: usize = 20_000;
const LIMIT_FILES: usize = 4_000;

/// The packages of a `uv.lock`. Addresses in it are not used; file names, sizes and hashes are.
#[derive(Clone, Debug)]
pub struct UvLock {
    packages: Vec<Package>,
}

#[derive(Clone, Debug)]
struct Package {
    name: String,
    version: Option<Version>,
    source: Source,
    /// With the extra or group that asks for it.
    dependencies: Vec<(Asked, Dependency)>,
    files: Vec<PinnedFile>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Always,
    Extra(String),
    Group,
}

#[derive(Clone, Debug)]
struct Dependency {
    name: String,
    version: Option<Version>,
    extras: Vec<String>,
    marker: Option<Marker>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Registry,
    /// A member of the project itself.
    Member,
    /// Something with no file in an index, and what it is.
    Other(&'static str),
}

#[derive(Deserialize)]
struct Wire {
    version: u64,
    #[serde(default)]
    package: Vec<WirePackage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WirePackage {
    name: String,
    version: Option<String>,
    source: BTreeMap<String, toml::Value>,
    #[serde(default)]
    dependencies: Vec<WireDependency>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<WireDependency>>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Vec<WireDependency>>,
    sdist: Option<WireFile>,
    #[serde(default)]
    wheels: Vec<WireFile>,
}

#[derive(Deserialize)]
struct WireDependency {
    name: String,
    version: Option<String>,
    #[serde(default)]
    extra: Vec<String>,
    marker: Option<String>,
}

#[derive(Deserialize)]
struct WireFile {
    url: Option<String>,
    path: Option<String>,
    filename: Option<String>,
    hash: Option<String>,
    size: Option<u64>,
}

impl UvLock {
    /// Parses the text. A file without a SHA-256 is refused by its package; packages that need none of our files, those
    /// from git for one, only when a target needs them.
    pub fn parse(text: &str) -> Result<Self, PinsError> {
        PinsError::bound(DOCUMENT, text.len(), LIMIT_BYTES, "bytes")?;
        let wire: Wire = toml::from_str(text).map_err(|error| PinsError::syntax(DOCUMENT, error.message()))?;
        if wire.version != 1 {
            return Err(PinsError::syntax(DOCUMENT, format!("it has version {}; version 1 is read", wire.version)));
        }
        PinsError::bound(DOCUMENT, wire.package.len(), LIMIT_PACKAGES, "packages")?;
        Ok(Self { packages: wire.package.into_iter().map(package).collect::<Result<_, _>>()? })
    }

    /// What `target` needs of the project's members with all of their extras and groups, sorted by name and version.
    pub fn pins(&self, target: &Target) -> Result<Vec<Pin>, PinsError> {
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, package) in self.packages.iter().enumerate() {
            by_name.entry(&package.name).or_default().push(at);
        }
        let members = self.packages.iter().enumerate().filter(|(_, package)| package.source == Source::Member);
        // A package with one extra more is looked at once more; `None` is the package itself.
        let mut seen: BTreeSet<(usize, Option<String>)> = BTreeSet::new();
        let mut queue: VecDeque<(usize, Option<String>)> = members.map(|(at, _)| (at, None)).collect();
        while let Some((at, extra)) = queue.pop_front() {
            if !seen.insert((at, extra.clone())) {
                continue;
            }
            let package = &self.packages[at];
            for (asked, dependency) in &package.dependencies {
                let wanted = match asked {
                    Asked::Always => extra.is_none(),
                    Asked::Extra(name) => package.source == Source::Member || extra.as_ref() == Some(name),
                    Asked::Group => package.source == Source::Member,
                };
                let extras: Vec<&str> = extra.as_deref().into_iter().collect();
                let holds = dependency.marker.as_ref().is_none_or(|marker| marker.may_hold(target, &extras));
                if !wanted || !holds {
                    continue;
                }
                let found = by_name.get(dependency.name.as_str()).map(Vec::as_slice).unwrap_or_default();
                let fits =
                    |at: &&usize| dependency.version.is_none() || self.packages[**at].version == dependency.version;
                let fitting: Vec<usize> = found.iter().filter(fits).copied().collect();
                if fitting.is_empty() {
                    let fault = format!("needs `{}`, which the file does not have", dependency.name);
                    return Err(PinsError::entry(DOCUMENT, &package.name, fault));
                }
                for at in fitting {
                    queue.push_back((at, None));
                    queue.extend(dependency.extras.iter().map(|extra| (at, Some(extra.clone()))));
                }
            }
        }
        let needed: BTreeSet<usize> = seen.into_iter().map(|(at, _)| at).collect();
        let pins = needed.into_iter().filter_map(|at| self.packages[at].pin().transpose());
        let mut pins = pins.collect::<Result<Vec<Pin>, _>>()?;
        pins.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
        Ok(pins)
    }
}

impl Package {
    /// Nothing for members of the project.
    fn pin(&self) -> Result<Option<Pin>, PinsError> {
        let version = match (&self.source, &self.version) {
            (Source::Member, _) => return Ok(None),
            (Source::Other(what), _) => {
                let fault = format!("comes from {what}; packages of an index can be fetched");
                return Err(PinsError::entry(DOCUMENT, &self.name, fault));
            }
            (Source::Registry, None) => return Err(PinsError::entry(DOCUMENT, &self.name, "has no version")),
            (Source::Registry, Some(version)) => version.clone(),
        };
        if self.files.is_empty() {
            return Err(PinsError::entry(DOCUMENT, &self.name, "has no files"));
        }
        Ok(Some(Pin {
            name: self.name.clone(),
            version,
            sha256: self.files.iter().map(|file| file.sha256).collect(),
            files: self.files.clone(),
            place: format!("package `{}` of {DOCUMENT}", self.name),
        }))
    }
}

fn package(wire: WirePackage) -> Result<Package, PinsError> {
    let entry = wire.name.clone();
    let fault = |fault: String| PinsError::entry(DOCUMENT, &entry, fault);
    if !is_name(&wire.name) {
        return Err(fault("is no package's name".to_owned()));
    }
    let version = |text: Option<String>| text.map(|text| text.parse::<Version>()).transpose();
    let source = match wire.source.keys().next().map(String::as_str) {
        Some("registry") => Source::Registry,
        Some("virtual" | "editable") => Source::Member,
        // A member too, or a folder beside the project: either way no file of an index.
        Some("directory") => Source::Member,
        Some("git") => Source::Other("git"),
        Some("url") => Source::Other("an address of its own"),
        Some("path") => Source::Other("a path"),
        _ => return Err(fault("comes from a source that is not known".to_owned())),
    };
    let mut dependencies = Vec::new();
    let mut add = |asked: &Asked, wires: Vec<WireDependency>| -> Result<(), PinsError> {
        for wire in wires {
            let marker = wire.marker.as_deref().map(Marker::parse).transpose().map_err(&fault)?;
            let dependency = Dependency {
                version: version(wire.version).map_err(|error| fault(format!("needs `{}`, and {error}", wire.name)))?,
                name: normal_name(&wire.name),
                extras: wire.extra.iter().map(|extra| normal_name(extra)).collect(),
                marker,
            };
            dependencies.push((asked.clone(), dependency));
        }
        Ok(())
    };
    add(&Asked::Always, wire.dependencies)?;
    for (extra, wires) in wire.optional_dependencies {
        add(&Asked::Extra(normal_name(&extra)), wires)?;
    }
    for wires in wire.dev_dependencies.into_values() {
        add(&Asked::Group, wires)?;
    }
    let mut files = Vec::new();
    if source == Source::Registry {
        PinsError::bound(DOCUMENT, wire.wheels.len(), LIMIT_FILES, "files of one package")?;
        for file in wire.wheels.into_iter().chain(wire.sdist) {
            files.push(pinned(file).map_err(&fault)?);
        }
    }
    let version = version(wire.version).map_err(|error| fault(format!("has a version, and {error}")))?;
    Ok(Package { name: normal_name(&wire.name), version, source, dependencies, files })
}

fn pinned(wire: WireFile) -> Result<PinnedFile, String> {
    let place = wire.filename.or(wire.url).or(wire.path).unwrap_or_default();
    let place = place.split(['?', '#']).next().unwrap_or_default();
    let name = place.rsplit('/').next().unwrap_or_default();
    let name = super::simple::percent_decoded(name).ok_or("has a file whose name is not UTF-8")?;
    let digest = wire.hash.as_deref().and_then(|hash| Digest::from_hex(hash.strip_prefix("sha256:")?).ok());
    let sha256 = digest.ok_or_else(|| format!("has a file `{name}` without a SHA-256 hash"))?;
    Ok(PinnedFile { name, sha256, size_bytes: wire.size })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn lock(rest: &str) -> String {
        format!("version = 1\nrevision = 3\nrequires-python = \">=3.11\"\n\n{rest}")
    }

    fn registry(name: &str, version: &str, rest: &str) -> String {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = {{ registry = \"https://index.example/simple\" }}\n{rest}\n\
             sdist = {{ url = \"https://files.example/x/{name}-{version}.tar.gz\", hash = \"{A}\", size = 12 }}\n\
             wheels = [\n{{ url = \"https://files.example/x/{name}-{version}%2Blocal-py3-none-any.whl#x\", hash = \"{A}\" }},\n]\n"
        )
    }

    fn pins(text: &str) -> Result<Vec<String>, PinsError> {
        let target = Target::new(Some("3.11"), &"linux/amd64".parse().unwrap()).unwrap();
        let pins = UvLock::parse(text)?.pins(&target)?;
        Ok(pins.iter().map(|pin| format!("{} {}", pin.name, pin.version)).collect())
    }

    #[test]
    fn what_a_target_needs_and_no_more() {
        let text = lock(&[
            registry("colorama", "0.4.6", ""),
            registry("flask", "3.1.3", "dependencies = [{ name = \"colorama\", marker = \"sys_platform == 'win32'\" }, { name = \"jinja2\" }]"),
            registry("jinja2", "3.1.6", "optional-dependencies = { i18n = [{ name = \"babel\" }] }"),
            registry("babel", "2.18.0", ""),
            registry("numpy", "1.26.0", ""),
            registry("numpy", "2.3.0", ""),
            registry("pytest", "9.0.0", ""),
            registry("unneeded", "1", ""),
            "[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\n\
             dependencies = [{ name = \"flask\" }, { name = \"numpy\", version = \"2.3.0\" }]\n\
             [package.optional-dependencies]\nweb = [{ name = \"jinja2\", extra = [\"i18n\"] }]\n\
             [package.dev-dependencies]\ndev = [{ name = \"pytest\" }]\n[package.metadata]\nrequires-dist = []\n"
                .to_owned(),
        ]
        .concat());
        assert_eq!(
            pins(&text).unwrap(),
            ["babel 2.18.0", "flask 3.1.3", "jinja2 3.1.6", "numpy 2.3.0", "pytest 9.0.0"]
        );
        let target = Target::new(Some("3.11"), &"linux/amd64".parse().unwrap()).unwrap();
        let files = &UvLock::parse(&text).unwrap().pins(&target).unwrap()[0].files;
        assert_eq!(files[0].name, "babel-2.18.0+local-py3-none-any.whl");
        assert_eq!(files[1].size_bytes, Some(12));
    }

    #[track_caller]
    fn refused(text: &str, because: &str) {
        let error = pins(text).expect_err(because).to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn what_cannot_be_fetched_is_refused_by_name() {
        let app = "[[package]]\nname = \"app\"\nsource = { editable = \".\" }\ndependencies = [{ name = \"x\" }]\n";
        let other =
            |source: &str| lock(&format!("{app}[[package]]\nname = \"x\"\nversion = \"1\"\nsource = {{ {source} }}\n"));
        refused(&other("git = \"https://forge.example/x?rev=1#abc\""), "`x` in uv.lock comes from git");
        refused(&other("url = \"https://files.example/x.whl\""), "address of its own");
        refused(&other("path = \"x.whl\""), "a path");
        refused(&other("moon = \"full\""), "not known");
        refused(&other("registry = \"r\""), "has no files");
        refused(&lock(app), "needs `x`");
        refused(&(lock(app) + &registry("x", "1", "").replace("size = 12", "size = -1")), "cannot be read");
        refused(
            &(lock(app) + &registry("x", "1", "").replace(&format!(", hash = \"{A}\" }}"), " }")),
            "without a SHA-256",
        );
        refused(&(lock(app) + &registry("../x", "1", "")), "no package's name");
        refused("version = 2", "version 2");
        refused("version = ", "cannot be read");
    }

    #[test]
    fn dependencies_in_a_circle_end() {
        let text = lock(
            &(registry("a", "1", "dependencies = [{ name = \"b\", extra = [\"x\"] }]")
                + &registry("b", "1", "dependencies = [{ name = \"a\" }]")
                + "[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"a\" }]\n"),
        );
        assert_eq!(pins(&text).unwrap(), ["a 1", "b 1"]);
    }
}
