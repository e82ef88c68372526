//! `selfsame doctor`: whether this machine can build, each ability tried and not guessed, and what to do where it cannot.

use std::collections::BTreeMap;
use std::path::PathBuf;

use selfsame_sandbox::probe::{Barrier, Circumstances, Place, Probe, State, probe};
use serde_json::json;

use super::errors;
use crate::cli::Doctor;
use crate::prepare;
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::settings::Settings;
use crate::terminal;

/// A program that fetching or capturing uses, and what for.
struct Tool {
    name: &'static str,
    purpose: &'static str,
    found: Option<PathBuf>,
}

pub(super) fn run(arguments: &Doctor, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let store = prepare::store(settings)?;
    let circumstances = Circumstances {
        program: PathBuf::from("/proc/self/exe"),
        installed: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("selfsame")),
        scratch_dir: store.scratch_folder().map_err(errors::store)?,
        env: environment(settings),
    };
    let probe = probe(&circumstances).map_err(|error| {
        Report::new(Exit::Unanswered, format!("the sandbox cannot be tried: {}", errors::chain(&error)))
    })?;
    let tools = tools(settings);
    if arguments.json {
        let tools: BTreeMap<_, _> = tools.iter().map(|tool| (tool.name, &tool.found)).collect();
        let body = json!({
            "abilities": probe.abilities, "class": if probe.is_complete() { "ready" } else { "not-ready" },
            "environment": probe.environment, "remedies": probe.remedies, "store": store.root(), "tools": tools,
        });
        terminal::data(&with_schema("https://selfsame.dev/doctor/v1", &body));
    } else {
        show(&probe, &tools, &store);
    }
    match (probe.is_complete(), arguments.ci) {
        (true, _) => Ok(Exit::Yes),
        (false, true) => Ok(Exit::Unanswered),
        (false, false) => Ok(Exit::No),
    }
}

fn environment(settings: &Settings) -> BTreeMap<String, String> {
    let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
    settings.environment().variables.into_iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn tools(settings: &Settings) -> Vec<Tool> {
    let found = |name: &str| {
        let path = settings.environment().variables.get(std::ffi::OsStr::new("PATH")).cloned().unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    };
    let tool = |name, purpose| Tool { name, purpose, found: found(name) };
    vec![
        tool("cc", "captured by `[toolchain.NAME] host = true`"),
        tool("git", "lists the files of a path source that is a checkout"),
        tool("cargo", "fetches crates"),
    ]
}

fn show(probe: &Probe, tools: &[Tool], store: &selfsame_store::Store) {
    let environment = &probe.environment;
    let places: Vec<&str> = environment.places.iter().copied().map(place).collect();
    let place = places.join(", ");
    let user = if environment.root { "root" } else { "an ordinary user" };
    terminal::data(&format!("{place}, kernel {}, {user}", printable(&environment.kernel)));
    for barrier in &environment.barriers {
        terminal::data(&format!("  in the way  {}", self::barrier(*barrier)));
    }
    let width = probe.abilities.iter().map(|ability| ability.name.len()).max().unwrap_or(0);
    for ability in &probe.abilities {
        let (mark, note) = match &ability.state {
            State::Yes => ("yes", String::new()),
            State::No { detail, .. } => match ability.relaxation {
                Some(name) => ("NO ", format!("{detail}; `--relax {name} --reason TEXT` does without")),
                None => ("NO ", detail.clone()),
            },
            State::NotNeeded { because } => ("-  ", because.clone()),
            State::Without { because } => {
                ("-  ", format!("{because}; builds go without it, and the run record says so"))
            }
            State::Lacking { because, .. } => ("-  ", format!("{because}; only `rootfs = \"configured\"` needs them")),
        };
        terminal::data(format!("  {mark}  {:width$}  {}", ability.name, printable(&note)).trim_end());
    }
    for tool in tools {
        match &tool.found {
            Some(path) => terminal::data(&format!("  yes  {:width$}  {}", tool.name, path.display())),
            None => terminal::data(&format!("  -    {:width$}  not found: {}", tool.name, tool.purpose)),
        }
    }
    terminal::data(&format!("  yes  {:width$}  {}", "store", store.root().display()));
    for remedy in &probe.remedies {
        terminal::data(&format!("\n{}:", printable(&remedy.because)));
        for line in &remedy.lines {
            terminal::data(&format!("  {line}"));
        }
    }
    if probe.is_complete() {
        terminal::data("\nready: builds run at level `normalized`");
        return;
    }
    match probe.relaxations() {
        Some(names) => {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            terminal::data(&format!(
                "\nnot ready; until that is done `selfsame build --relax {} --reason TEXT` works, and the provenance says so",
                names.join(",")
            ));
        }
        None => terminal::data("\nnot ready: without these no build runs, and no flag does without them"),
    }
}

fn place(place: Place) -> &'static str {
    match place {
        Place::PlainHost => "a plain host",
        Place::Docker => "a Docker container",
        Place::Podman => "a Podman container",
        Place::Kubernetes => "a Kubernetes pod",
        Place::Gitlab => "a GitLab job",
        Place::GithubActions => "a GitHub Actions job",
    }
}

fn barrier(barrier: Barrier) -> &'static str {
    match barrier {
        Barrier::OldKernel => "a kernel before Linux 5.12: no overlay in a user namespace",
        Barrier::MaxUserNamespaces => "user.max_user_namespaces is 0",
        Barrier::UsernsClone => "kernel.unprivileged_userns_clone is 0",
        Barrier::AppArmor => "kernel.apparmor_restrict_unprivileged_userns is 1 (Ubuntu)",
        Barrier::ContainerFilter => "a container's seccomp filter",
        Barrier::MaskedProc => "a container's masked /proc",
        Barrier::Unknown => "something that is not known",
    }
}
