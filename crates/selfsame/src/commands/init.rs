//! `selfsame init`: a first definition, for what is in the folder.

use std::path::Path;

use selfsame_definition::Definition;

use super::errors;
use crate::cli::Init;
use crate::prepare;
use crate::report::{Answer, Exit, Report};
use crate::terminal;

pub(super) fn run(arguments: &Init) -> Answer {
    let folder = &arguments.path;
    if !folder.is_dir() {
        return Err(Report::new(Exit::Unanswered, format!("`{}` is not a folder", folder.display())).into());
    }
    let file = folder.join(Definition::FILE_NAME);
    if file.exists() {
        let report =
            Report::new(Exit::Unanswered, format!("`{}` exists", file.display())).consequence("It was not changed.");
        return Err(report.into());
    }
    let name = name(folder);
    let text = if folder.join("Cargo.toml").exists() { rust(&name) } else { c(&name, &command(folder, &name)) };
    Definition::parse(&text).map_err(|error| errors::text(&file, &error))?;
    prepare::write_text(&file, &text)?;
    terminal::data(&format!("`{}` written", file.display()));
    let ignored =
        std::fs::read_to_string(folder.join(".gitignore")).is_ok_and(|text| text.contains("selfsame.host.lock"));
    if folder.join(".git").exists() && !ignored {
        terminal::talk("\nnot for version control: add `selfsame.host.lock` and `*.release/` to .gitignore");
    }
    terminal::talk(&format!("\nnext: look it over, then\n  selfsame build {} --dev-key", errors::quoted(folder)));
    Ok(Exit::Yes)
}

/// The folder's name as a release may be called.
fn name(folder: &Path) -> String {
    let full = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let base = full.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let word = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c) { c } else { '-' };
    let name: String = base.chars().map(word).collect();
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned();
    if name.is_empty() { "app".to_owned() } else { name }
}

/// What makes the program: make where there is a Makefile, else the compiler on every C file.
fn command(folder: &Path, name: &str) -> String {
    if folder.join("Makefile").exists() {
        return "[\"make\"]".to_owned();
    }
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<String> = files
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|file| file.ends_with(".c") && !file.contains(['"', '\\']))
        .collect();
    files.sort();
    if files.is_empty() {
        files.push("main.c".to_owned());
    }
    let files: Vec<String> = files.iter().map(|file| format!("\"{file}\"")).collect();
    format!("[\"cc\", \"-O2\", \"-static\", \"-o\", \"{name}\", {}]", files.join(", "))
}

/// How every first definition begins. A source without git needs its time said.
const EPOCH: &str = "[source]\n# The one time that the build sees: \"git\" for the commit's, or seconds since 1970.\nepoch = 1700000000\n";

fn c(name: &str, command: &str) -> String {
    format!(
        "name = \"{name}\"\nversion = \"0.1.0\"\n\n{EPOCH}\n[toolchain.cc]\n# This machine's compiler, recorded once by observation.\nhost = true\n\n\
         [[action]]\nname = \"compile\"\nrun = {command}\noutputs = [\"{name}\"]\n\n\
         [image]\nentrypoint = [\"/{name}\"]\n\n[[image.file]]\nfrom = \"compile:{name}\"\nto = \"/{name}\"\n"
    )
}

fn rust(name: &str) -> String {
    format!(
        "name = \"{name}\"\nversion = \"0.1.0\"\n\n{EPOCH}\n[toolchain.rust]\n# An installed rustup toolchain, by version.\nrustup = \"{}\"\n\n\
         [toolchain.cc]\n# This machine's linker, recorded once by observation.\nhost = true\n\n\
         [[action]]\nname = \"build\"\ncargo = [\"build\", \"--release\"]\nenv = {{ RUSTFLAGS = \"-C target-feature=+crt-static\" }}\n\
         outputs = [\"target/{}/release/{name}\"]\n\n\
         [image]\nentrypoint = [\"/{name}\"]\n\n[[image.file]]\nfrom = \"build:target/{}/release/{name}\"\nto = \"/{name}\"\n",
        env!("CARGO_PKG_RUST_VERSION").to_owned() + ".0",
        triple(),
        triple(),
    )
}

fn triple() -> String {
    selfsame_action::plan::rust_triple(&selfsame_core::Platform::native())
}
