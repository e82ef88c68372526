//! `selfsame.host.lock`: the toolchains taken from this machine. Never committed, never needed on another.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use selfsame_core::{Digest, Platform};
use selfsame_definition::document::{self, Table};
use selfsame_definition::{Name, TextError};

use crate::lock::{VERSION, check_version, read_digest, words};
use crate::print::Printer;
use crate::purl::Purl;

/// Captured toolchains by name.
///
/// ```toml
/// # selfsame.host.lock: toolchains taken from this machine. Written by `selfsame`; not for version control.
/// version = 1
///
/// [[toolchain]]
/// name = "cc"
/// kind = "captured"
/// tree = "sha256:9f86d0..."
/// entries = 1712
/// size = 226000000
/// platform = "linux/amd64"
///
/// [[toolchain.package]]
/// purl = "pkg:deb/debian/gcc-12@12.2.0-14?arch=amd64"
/// name = "gcc-12"
/// version = "12.2.0-14"
/// files = 12
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostLock {
    /// By the name in the definition.
    pub toolchains: BTreeMap<Name, LockedToolchain>,
}

/// The tree of one toolchain, and what is known about where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedToolchain {
    /// How it was taken.
    pub kind: ToolchainKind,
    /// The rustup toolchain's name; nothing for `captured`.
    pub channel: Option<String>,
    /// The folder of this machine that is seen at `/toolchain/NAME`, as the definition has it; nothing for most.
    pub root: Option<String>,
    /// The digest of its tree's text form.
    pub tree: Digest,
    /// How many entries the tree has.
    pub entries: u64,
    /// The bytes of its files.
    pub size: u64,
    /// What it runs on.
    pub platform: Platform,
    /// The packages that own its files, as printed: sorted by package URL.
    pub packages: Vec<ToolchainPackage>,
    /// The rustup components it is made of, sorted by name.
    pub components: Vec<ToolchainComponent>,
}

/// How a toolchain was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolchainKind {
    /// Files of this machine that an action touched, widened to packages or folders.
    Captured,
    /// Components of a rustup toolchain.
    Rustup,
}

/// A package of the distribution that owns files of a toolchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolchainPackage {
    /// `pkg:deb/debian/gcc-12@12.2.0-14?arch=amd64`.
    pub purl: Purl,
    /// `gcc-12`.
    pub name: String,
    /// `12.2.0-14`.
    pub version: String,
    /// Licences as the package states them, SPDX identifiers or not; empty if it does not.
    pub licenses: Vec<String>,
    /// Who makes it, if it says so.
    pub supplier: Option<String>,
    /// How many of its files are in the tree.
    pub files: u64,
}

/// A rustup component, by the archive that its channel manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolchainComponent {
    /// `rustc`.
    pub name: String,
    /// Where the manifest says it lies.
    pub url: String,
    /// The archive's digest, by the manifest.
    pub sha256: Digest,
}

words!(ToolchainKind { Captured = "captured", Rustup = "rustup" });

impl HostLock {
    /// The name of the file.
    pub const FILE_NAME: &str = "selfsame.host.lock";

    /// Parses `selfsame.host.lock`: unknown keys and unknown versions are refused.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        document::parse(text, |table| {
            check_version(&table)?;
            let table = table.only(&["version", "toolchain"])?;
            let mut toolchains = BTreeMap::new();
            for table in tables(&table, "toolchain")? {
                let table = table.only(&[
                    "name",
                    "kind",
                    "channel",
                    "root",
                    "tree",
                    "entries",
                    "size",
                    "platform",
                    "package",
                    "component",
                ])?;
                let name_field = table.need("name")?;
                let name: Name = name_field.parsed()?;
                let toolchain = read_toolchain(&table)?;
                if toolchains.insert(name.clone(), toolchain).is_some() {
                    return Err(name_field.fault(format!("toolchain `{name}` stands twice")));
                }
            }
            Ok(Self { toolchains })
        })
    }
}

fn read_toolchain(table: &Table<'_, '_>) -> Result<LockedToolchain, TextError> {
    let kind: ToolchainKind = table.need("kind")?.parsed()?;
    let channel = table.field("channel").map(|field| field.filled().map(str::to_owned)).transpose()?;
    if (kind == ToolchainKind::Rustup) != channel.is_some() {
        return Err(table.fault("`channel` goes with kind `rustup`, and only with it"));
    }
    let root = table.field("root").map(|field| field.filled().map(str::to_owned)).transpose()?;
    if kind != ToolchainKind::Captured && root.is_some() {
        return Err(table.fault("`root` goes with kind `captured` only"));
    }
    let mut packages = Vec::new();
    for table in tables(table, "package")? {
        let table = table.only(&["purl", "name", "version", "licenses", "supplier", "files"])?;
        packages.push(ToolchainPackage {
            purl: table.need("purl")?.parsed()?,
            name: table.need("name")?.filled()?.to_owned(),
            version: table.need("version")?.filled()?.to_owned(),
            licenses: table.field("licenses").map(|field| field.strings()).transpose()?.unwrap_or_default(),
            supplier: table.field("supplier").map(|field| field.filled().map(str::to_owned)).transpose()?,
            files: table.need("files")?.integer()?,
        });
    }
    let mut components = Vec::new();
    for table in tables(table, "component")? {
        let table = table.only(&["name", "url", "sha256"])?;
        components.push(ToolchainComponent {
            name: table.need("name")?.filled()?.to_owned(),
            url: table.need("url")?.filled()?.to_owned(),
            sha256: read_digest(&table.need("sha256")?)?,
        });
    }
    Ok(LockedToolchain {
        kind,
        channel,
        root,
        tree: table.need("tree")?.parsed()?,
        entries: table.need("entries")?.integer()?,
        size: table.need("size")?.integer()?,
        platform: table.need("platform")?.parsed()?,
        packages,
        components,
    })
}

fn tables<'t, 'v>(table: &Table<'t, 'v>, key: &str) -> Result<Vec<Table<'t, 'v>>, TextError> {
    table.field(key).map_or_else(|| Ok(Vec::new()), |field| field.tables())
}

impl fmt::Display for HostLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Printer::new(
            "selfsame.host.lock: toolchains taken from this machine. Written by selfsame; not for version control.",
        );
        out.integer("version", VERSION);
        for (name, toolchain) in &self.toolchains {
            out.item("toolchain");
            out.string("name", name.as_str());
            out.string("kind", toolchain.kind.name());
            if let Some(channel) = &toolchain.channel {
                out.string("channel", channel);
            }
            if let Some(root) = &toolchain.root {
                out.string("root", root);
            }
            out.string("tree", &toolchain.tree.to_string());
            out.integer("entries", toolchain.entries);
            out.integer("size", toolchain.size);
            out.string("platform", &toolchain.platform.to_string());
            let mut packages: Vec<&ToolchainPackage> = toolchain.packages.iter().collect();
            packages.sort_by_key(|package| &package.purl);
            for package in packages {
                out.item("toolchain.package");
                out.string("purl", package.purl.as_str());
                out.string("name", &package.name);
                out.string("version", &package.version);
                out.strings("licenses", &package.licenses);
                if let Some(supplier) = &package.supplier {
                    out.string("supplier", supplier);
                }
                out.integer("files", package.files);
            }
            let mut components: Vec<&ToolchainComponent> = toolchain.components.iter().collect();
            components.sort_by_key(|component| &component.name);
            for component in components {
                out.item("toolchain.component");
                out.string("name", &component.name);
                out.string("url", &component.url);
                out.string("sha256", &component.sha256.hex());
            }
        }
        f.write_str(&out.finish())
    }
}
