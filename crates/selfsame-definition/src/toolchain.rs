//! `[toolchain.NAME]`: where the tools of actions come from.

use crate::document::{Field, TextError};

/// Tools that are there when an action runs, pinned in the host lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// `host = true`: what the actions that use it touch on this machine, widened to whole packages.
    Host,
    /// `rustup = "1.95.0"`: components of an installed rustup toolchain, mounted at `/toolchain/NAME`.
    Rustup {
        /// The toolchain's name, `1.95.0` or `nightly-2026-11-01`.
        channel: String,
        /// Component names, each once, in the order given.
        components: Vec<String>,
    },
}

/// What a Rust program needs to be compiled.
const RUST_COMPONENTS: [&str; 3] = ["rustc", "cargo", "rust-std"];

pub(crate) fn read(field: &Field<'_, '_>) -> Result<Toolchain, TextError> {
    let table = field.table()?.only(&["host", "rustup", "components"])?;
    match (table.field("host"), table.field("rustup")) {
        (Some(host), None) => {
            if !host.boolean()? {
                return Err(host.fault(format!("`{}` is false; leave the toolchain out instead", host.name())));
            }
            if let Some(components) = table.field("components") {
                return Err(components.fault(format!("`{}` goes with `rustup`, not with `host`", components.name())));
            }
            Ok(Toolchain::Host)
        }
        (None, Some(rustup)) => {
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
                    if !component.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
                    {
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
        (None, None) => Err(table.fault(format!("`{}` needs `host = true` or `rustup = \"VERSION\"`", field.name()))),
        (Some(_), Some(rustup)) => {
            Err(rustup.fault(format!("`{}` has both `host` and `rustup`; one is wanted", field.name())))
        }
    }
}
