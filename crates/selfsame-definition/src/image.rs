//! `[image]`: what is shipped, from which outputs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use selfsame_core::suggest::nearest;
use selfsame_core::{Platform, RelPath};

use crate::action::{Action, ActionInput, Known, read_env, read_input};
use crate::document::{Field, Table, TextError, clip};
use crate::input::InputSpec;
use crate::name::Name;
use crate::toolchain::Toolchain;

/// The image of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What it starts from.
    pub base: Base,
    /// Stated platforms, each once; empty means the machine that builds first.
    pub platforms: Vec<Platform>,
    /// Variables of its processes.
    pub env: BTreeMap<String, String>,
    /// What is run.
    pub entrypoint: Vec<String>,
    /// Its default arguments.
    pub cmd: Vec<String>,
    /// Who runs it, if stated.
    pub user: Option<Owner>,
    /// An absolute path without `.` and `..`, if stated.
    pub workdir: Option<String>,
    /// Labels, also of the manifest.
    pub labels: BTreeMap<String, String>,
    /// Ports that it listens on.
    pub ports: BTreeSet<Port>,
    /// Files from outputs or from the source, at least one, no two with one destination.
    pub files: Vec<ImageFile>,
}

/// What an image starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// An input or toolchain that is a root file system.
    Input(Name),
}

/// One `[[image.file]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFile {
    /// Where it comes from.
    pub from: FileOrigin,
    /// Where it goes, from the root of the image; a folder's content goes below. The root itself for a folder only.
    pub to: RelPath,
    /// Of a file: its mode. Without it 0755 or 0644 by the executable bit.
    pub mode: Option<u32>,
    /// Its owner, 0:0 by default.
    pub owner: Owner,
}

/// `compile:bin/hello` or `source:README`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOrigin {
    /// An action, or the source.
    pub input: ActionInput,
    /// A path there. Of an action: one of its outputs or below one.
    pub path: RelPath,
}

impl fmt::Display for FileOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.input, self.path)
    }
}

/// A numeric user and group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

/// A port, printed `8080/tcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// From 1.
    pub number: u16,
    /// TCP if not stated.
    pub protocol: Protocol,
}

/// The protocols that image-spec knows, and SCTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
    /// `sctp`
    Sctp,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        };
        write!(f, "{}/{protocol}", self.number)
    }
}

pub(crate) fn read(
    table: Table<'_, '_>,
    actions: &[Action],
    toolchains: &BTreeMap<Name, Toolchain>,
    inputs: &BTreeMap<Name, InputSpec>,
) -> Result<Image, TextError> {
    let table =
        table.only(&["base", "platforms", "env", "entrypoint", "cmd", "user", "workdir", "labels", "ports", "file"])?;
    let base = match table.field("base") {
        None => Base::Scratch,
        Some(field) => read_base(&field, toolchains, inputs)?,
    };
    let env = table.field("env").map(|field| read_env(&field, &[])).transpose()?.unwrap_or_default();
    let strings = |key| table.field(key).map(|field| field.strings()).transpose().map(Option::unwrap_or_default);
    let entrypoint = strings("entrypoint")?;
    let cmd = strings("cmd")?;
    for (key, words) in [("entrypoint", &entrypoint), ("cmd", &cmd)] {
        if words.first().is_some_and(String::is_empty)
            && let Some(field) = table.field(key)
        {
            return Err(field.fault(format!("`{}` begins with an empty word", field.name())));
        }
    }
    let user = table.field("user").map(|field| read_owner(&field)).transpose()?;
    let workdir = table.field("workdir").map(|field| read_absolute(&field)).transpose()?;
    let workdir = workdir.map(|path| format!("/{}", path.as_str()));
    let mut labels = BTreeMap::new();
    if let Some(field) = table.field("labels") {
        for (key, value) in field.table()?.fields() {
            if key.as_str().is_empty() || key.as_str().contains('\0') {
                return Err(key.fault("a label has no name, or one with NUL in it"));
            }
            labels.insert(key.as_str().to_owned(), value.string()?.to_owned());
        }
    }
    let mut ports = BTreeSet::new();
    if let Some(field) = table.field("ports") {
        for item in field.list()? {
            let port = read_port(&item)?;
            if !ports.insert(port) {
                return Err(item.fault(format!("port `{port}` stands twice")));
            }
        }
    }
    let platforms = read_platforms(&table)?;
    let files = read_files(&table, actions, inputs)?;
    if files.is_empty() && base == Base::Scratch {
        return Err(table.fault("`image` has no `[[image.file]]`; an image from scratch would be empty"));
    }
    Ok(Image { base, platforms, env, entrypoint, cmd, user, workdir, labels, ports, files })
}

fn read_platforms(table: &Table<'_, '_>) -> Result<Vec<Platform>, TextError> {
    let Some(field) = table.field("platforms") else { return Ok(Vec::new()) };
    let mut platforms = Vec::new();
    for item in field.list()? {
        let platform: Platform = item.parsed()?;
        if platform.os != "linux" {
            return Err(item.fault(format!("platform `{platform}`: selfsame makes images for linux")));
        }
        if platforms.contains(&platform) {
            return Err(item.fault(format!("platform `{platform}` stands twice")));
        }
        platforms.push(platform);
    }
    if platforms.is_empty() {
        return Err(field.fault(format!("`{}` is empty", field.name())));
    }
    Ok(platforms)
}

fn read_base(
    field: &Field<'_, '_>,
    toolchains: &BTreeMap<Name, Toolchain>,
    inputs: &BTreeMap<Name, InputSpec>,
) -> Result<Base, TextError> {
    let word = field.string()?;
    if word == "scratch" {
        return Ok(Base::Scratch);
    }
    let of_toolchains = toolchains.iter().filter_map(|(name, toolchain)| match toolchain {
        Toolchain::Input(spec) => Some((name, spec)),
        Toolchain::Host { .. } | Toolchain::Rustup { .. } => None,
    });
    let all: Vec<(&Name, &InputSpec)> = inputs.iter().chain(of_toolchains).collect();
    match all.iter().find(|(name, _)| name.as_str() == word) {
        Some((name, spec)) if spec.is_rootfs() => Ok(Base::Input((*name).clone())),
        Some((name, spec)) => {
            let message =
                format!("`{name}` is a {} input, and no root file system that an image could stand on", spec.kind());
            Err(field.fault(message))
        }
        None => {
            let known = || {
                let roots = all.iter().filter(|(_, spec)| spec.is_rootfs()).map(|(name, _)| name.as_str());
                std::iter::once("scratch").chain(roots)
            };
            let list = known().collect::<Vec<_>>().join(", ");
            let message = format!("no input `{}` to stand on; known here: {list}", clip(word));
            Err(field.fault_with(message, nearest(word, known())))
        }
    }
}

fn read_files(
    table: &Table<'_, '_>,
    actions: &[Action],
    inputs: &BTreeMap<Name, InputSpec>,
) -> Result<Vec<ImageFile>, TextError> {
    let mut files: Vec<ImageFile> = Vec::new();
    let tables = table.field("file").map(|field| field.tables()).transpose()?.unwrap_or_default();
    for table in tables {
        let table = table.only(&["from", "to", "mode", "owner"])?;
        let from = read_origin(&table.need("from")?, actions, inputs)?;
        let field = table.need("to")?;
        let to = read_absolute(&field)?;
        if let Some(other) = files.iter().find(|file| file.to == to) {
            let message = format!("two files go to `/{}`: `{}` and `{from}`", to.as_str(), other.from);
            return Err(field.fault(message));
        }
        let mode = table.field("mode").map(|field| read_mode(&field)).transpose()?;
        let owner = table.field("owner").map(|field| read_owner(&field)).transpose()?.unwrap_or_default();
        files.push(ImageFile { from, to, mode, owner });
    }
    Ok(files)
}

fn read_origin(
    field: &Field<'_, '_>,
    actions: &[Action],
    inputs: &BTreeMap<Name, InputSpec>,
) -> Result<FileOrigin, TextError> {
    let text = field.string()?;
    let Some((input, path)) = text.split_once(':') else {
        return Err(field.fault(format!("`{}` is not `ACTION:PATH`, `INPUT:PATH` or `source:PATH`", field.name())));
    };
    let input = read_input(field, input, None, &Known { actions, inputs, later: &[] })?;
    let path = RelPath::new(path).map_err(|error| field.fault(format!("`{}`: {error}", field.name())))?;
    if let ActionInput::Action(name) = &input
        && let Some(action) = actions.iter().find(|action| action.name == *name)
        && !action.outputs.iter().any(|output| path.below(output).is_some())
    {
        let known: Vec<&str> = action.outputs.iter().map(RelPath::as_str).collect();
        let message = format!("action `{name}` has no output `{path}`; it leaves {}", known.join(", "));
        let suggestion = nearest(path.as_str(), known).map(|output| format!("{name}:{output}"));
        return Err(field.fault_with(message, suggestion.as_deref()));
    }
    Ok(FileOrigin { input, path })
}

/// A path from the root of the image. `/` is the root.
fn read_absolute(field: &Field<'_, '_>) -> Result<RelPath, TextError> {
    let text = field.string()?;
    let Some(rest) = text.strip_prefix('/') else {
        let message = format!("`{}` is `{}`, which is not absolute; it begins with `/`", field.name(), clip(text));
        return Err(field.fault(message));
    };
    if rest.is_empty() {
        return Ok(RelPath::root());
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    RelPath::new(rest).map_err(|error| field.fault(format!("`{}`: {error}", field.name()))).and_then(|path| {
        // `.` is RelPath's spelling of the root, not an author's.
        if path.is_root() { Err(field.fault(format!("`{}` has a `.` component", field.name()))) } else { Ok(path) }
    })
}

fn read_mode(field: &Field<'_, '_>) -> Result<u32, TextError> {
    let text = field.string()?;
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = octal.then(|| u32::from_str_radix(text, 8).ok()).flatten();
    mode.ok_or_else(|| {
        field.fault(format!("`{}` is not a mode; three or four octal digits, like \"0755\"", field.name()))
    })
}

fn read_owner(field: &Field<'_, '_>) -> Result<Owner, TextError> {
    let number = |text: &str| {
        let number: u32 = text.parse().ok()?;
        // The last number means "unchanged" to chown(2).
        (number.to_string() == text && number != u32::MAX).then_some(number)
    };
    let parse = |text: &str| {
        let (uid, gid) = text.split_once(':')?;
        Some(Owner { uid: number(uid)?, gid: number(gid)? })
    };
    let text = field.string()?;
    parse(text)
        .ok_or_else(|| field.fault(format!("`{}` is not two numbers `uid:gid`, like \"1000:1000\"", field.name())))
}

fn read_port(field: &Field<'_, '_>) -> Result<Port, TextError> {
    let text = field.string()?;
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        "sctp" => Some(Protocol::Sctp),
        _ => None,
    };
    let number = number.parse::<u16>().ok().filter(|port| *port > 0 && port.to_string() == number);
    match (number, protocol) {
        (Some(number), Some(protocol)) => Ok(Port { number, protocol }),
        _ => Err(field.fault(format!("`{}` is not a port; written like \"8080/tcp\"", field.name()))),
    }
}
