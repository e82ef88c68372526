//! The whole file.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{self, Action};
use crate::document::{self, Field, Table, TextError};
use crate::image::{self, Image};
use crate::input::{self, InputSpec};
use crate::name::Name;
use crate::source::{self, Source};
use crate::toolchain::{self, Toolchain};

/// What an author wrote, every fault already refused.
///
/// ```toml
/// name = "hello"
/// version = "1.0.0"
///
/// [toolchain.cc]
/// host = true
///
/// [[action]]
/// name = "compile"
/// run = ["cc", "-O2", "-static", "-o", "hello", "hello.c"]
/// outputs = ["hello"]
///
/// [image]
/// entrypoint = ["/hello"]
/// [[image.file]]
/// from = "compile:hello"
/// to = "/hello"
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The release's name, which is its image's.
    pub name: Name,
    /// The release's version, which is its image's tag: `[A-Za-z0-9_][A-Za-z0-9._-]*`, at most 128 bytes.
    pub version: String,
    /// An SPDX expression as written; its grammar is checked where it is used.
    pub license: Option<String>,
    /// Who publishes.
    pub publisher: Publisher,
    /// What is built.
    pub source: Source,
    /// Tools by name.
    pub toolchains: BTreeMap<Name, Toolchain>,
    /// Content from elsewhere, by name; no name is also a toolchain's or an action's.
    pub inputs: BTreeMap<Name, InputSpec>,
    /// The inputs, and toolchains that are inputs, which are nobody else's to have: `private = true`. A capsule can be
    /// written without them.
    pub private: BTreeSet<Name>,
    /// Commands in the order of the file; each reads only from those before it. None where the image takes files of
    /// the source only.
    pub actions: Vec<Action>,
    /// What is shipped.
    pub image: Image,
}

/// `[publisher]`: the SBOM's supplier. No part is made up where it is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publisher {
    /// `Example Ltd`
    pub name: Option<String>,
    /// `https://example.com`
    pub url: Option<String>,
    /// `build@example.com`
    pub email: Option<String>,
    /// Where weaknesses are reported: a mail address or a URL.
    pub security_contact: Option<String>,
}

impl Definition {
    /// The name of the file.
    pub const FILE_NAME: &str = "selfsame.toml";

    /// Parses `selfsame.toml`, at most 1 MiB of it.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        document::parse(text, read)
    }

    /// Everything that is locked or pinned by its own ecosystem, by name: inputs, and toolchains that are inputs.
    pub fn all_inputs(&self) -> impl Iterator<Item = (&Name, &InputSpec)> {
        let toolchains = self.toolchains.iter().filter_map(|(name, toolchain)| match toolchain {
            Toolchain::Input(spec) => Some((name, spec)),
            Toolchain::Host { .. } | Toolchain::Rustup { .. } => None,
        });
        self.inputs.iter().chain(toolchains)
    }

    /// The input, or toolchain that is one, of this name.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&InputSpec> {
        self.all_inputs().find(|(known, _)| known.as_str() == name).map(|(_, spec)| spec)
    }

    /// The action of this name.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name.as_str() == name)
    }
}

fn read(table: Table<'_, '_>) -> Result<Definition, TextError> {
    let table =
        table.only(&["name", "version", "license", "publisher", "source", "toolchain", "input", "action", "image"])?;
    let name = table.need("name")?.parsed()?;
    let version = read_version(&table.need("version")?)?;
    let license = table.field("license").map(|field| field.filled().map(str::to_owned)).transpose()?;
    let publisher = table.field("publisher").map(|field| read_publisher(field.table()?)).transpose()?;
    let source = table.field("source").map(|field| source::read(field.table()?)).transpose()?.unwrap_or_default();
    let mut toolchains = BTreeMap::new();
    if let Some(field) = table.field("toolchain") {
        for (key, value) in field.table()?.fields() {
            let name: Name = key.as_str().parse().map_err(|error| key.fault(format!("toolchain: {error}")))?;
            toolchains.insert(name, toolchain::read(&value)?);
        }
    }
    let inputs = input::read_all(table.field("input").as_ref())?;
    if let Some(field) = table.field("input") {
        let twice = |key: &document::Key<'_>| toolchains.keys().any(|name| name.as_str() == key.as_str());
        if let Some((key, _)) = field.table()?.fields().find(|(key, _)| twice(key)) {
            return Err(key.fault(format!("`{}` is a toolchain already; one name is one thing", key.as_str())));
        }
    }
    let mut private = input::read_private(table.field("input").as_ref())?;
    private.append(&mut input::read_private(table.field("toolchain").as_ref())?);
    let actions = action::read_all(table.field("action").as_ref(), &toolchains, &inputs)?;
    let image = image::read(table.need("image")?.table()?, &actions, &toolchains, &inputs)?;
    Ok(Definition {
        name,
        version,
        license,
        publisher: publisher.unwrap_or_default(),
        source,
        toolchains,
        inputs,
        private,
        actions,
        image,
    })
}

fn read_version(field: &Field<'_, '_>) -> Result<String, TextError> {
    let text = field.filled()?;
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if text.len() > 128 || !text.bytes().all(letter) || text.starts_with(['.', '-']) {
        let message = "`version` is not an image tag; letters, digits, `.`, `_` and `-`, at most 128";
        return Err(field.fault(message));
    }
    Ok(text.to_owned())
}

fn read_publisher(table: Table<'_, '_>) -> Result<Publisher, TextError> {
    let table = table.only(&["name", "url", "email", "security_contact"])?;
    let text = |key| table.field(key).map(|field| field.filled().map(str::to_owned)).transpose();
    if let Some(url) = table.field("url")
        && !(url.string()?.starts_with("https://") || url.string()?.starts_with("http://"))
    {
        return Err(url.fault("`publisher.url` is not an https or http URL"));
    }
    if let Some(email) = table.field("email")
        && !email.string()?.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
    {
        return Err(email.fault("`publisher.email` is not a mail address"));
    }
    Ok(Publisher {
        name: text("name")?,
        url: text("url")?,
        email: text("email")?,
        security_contact: text("security_contact")?,
    })
}
