//! The lines that make a host able, by what stands in the way and where.

use std::path::Path;

use super::environment::{Barrier, Environment, Place};
use super::trial::GROUPS;
use super::{Ability, State};
use crate::subordinate::{NO_RANGE, NOT_INSTALLED};

/// What to do about one barrier.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Remedy {
    /// What stands in the way, as the beginning of a sentence.
    pub because: String,
    /// Lines to paste or to put into a file, which a comment line names.
    pub lines: Vec<String>,
}

fn remedy(because: &str, lines: &[&str]) -> Remedy {
    Remedy { because: because.to_owned(), lines: lines.iter().map(|line| (*line).to_owned()).collect() }
}

/// What would help here. `installed` is the program that a security profile has to name.
pub(super) fn remedies(environment: &Environment, installed: &Path) -> Vec<Remedy> {
    let mut remedies: Vec<_> =
        environment.barriers.iter().filter_map(|barrier| for_barrier(*barrier, environment, installed)).collect();
    let contained = environment
        .barriers
        .iter()
        .any(|barrier| matches!(barrier, Barrier::ContainerFilter | Barrier::MaskedProc | Barrier::Unknown));
    if contained {
        remedies.extend(environment.places.iter().rev().filter_map(|place| for_place(*place)));
    }
    if environment.barriers.contains(&Barrier::MaskedProc) {
        remedies.push(remedy(
            "or go without a /proc of its own, named in the provenance",
            &["selfsame build --relax proc --reason 'the container masks /proc'"],
        ));
    }
    remedies
}

/// What would let an ordinary user's supplementary groups be dropped.
pub(super) fn for_groups(ability: &Ability) -> Option<Remedy> {
    let State::Without { because } = &ability.state else { return None };
    let package: &[_] = &[
        "# package uidmap of Debian and Ubuntu, shadow-utils of Fedora, shadow elsewhere",
        "sudo apt-get install uidmap",
    ];
    let range: &[_] = &["sudo usermod --add-subgids 100000-165535 $USER"];
    let lines = match because.as_str() {
        _ if ability.name != GROUPS => return None,
        // Whoever lacks the program most often lacks the range, too.
        NOT_INSTALLED => [package, &["# if `grep $USER /etc/subgid` shows nothing:"], range].concat(),
        NO_RANGE => range.to_vec(),
        _ => vec![
            "# newgidmap must be set-user-id root, and the user's group that of the account;",
            "# in a container: neither no-new-privileges nor allowPrivilegeEscalation: false, or no supplementary groups at all",
        ],
    };
    Some(remedy(&format!("actions keep the user's supplementary groups ({because})"), &lines))
}

/// What would give an ordinary user the ids of a system.
pub(super) fn for_ids(ability: &Ability) -> Option<Remedy> {
    let State::Lacking { because, line } = &ability.state else { return None };
    if line.is_empty() {
        return None;
    }
    let range = ["echo", line, "|", "sudo tee -a /etc/subuid /etc/subgid"].join(" ");
    Some(remedy(
        &format!("inputs with `rootfs = \"configured\"` cannot be made ({because})"),
        &[
            "# package uidmap of Debian and Ubuntu, shadow-utils of Fedora, shadow elsewhere",
            "sudo apt-get install uidmap",
            "# if one of the files has no line for the user",
            &range,
        ],
    ))
}

fn for_barrier(barrier: Barrier, environment: &Environment, installed: &Path) -> Option<Remedy> {
    match barrier {
        Barrier::OldKernel => Some(remedy(
            "the kernel has no overlay for ordinary users",
            &["# needs Linux 5.12 or later; on older hosts run selfsame in a virtual machine with one"],
        )),
        Barrier::MaxUserNamespaces => Some(remedy(
            "user.max_user_namespaces is 0",
            &[
                "sudo sysctl -w user.max_user_namespaces=15000",
                "echo user.max_user_namespaces=15000 | sudo tee /etc/sysctl.d/60-selfsame.conf",
            ],
        )),
        Barrier::UsernsClone => Some(remedy(
            "kernel.unprivileged_userns_clone is 0",
            &[
                "sudo sysctl -w kernel.unprivileged_userns_clone=1",
                "echo kernel.unprivileged_userns_clone=1 | sudo tee /etc/sysctl.d/60-selfsame.conf",
            ],
        )),
        Barrier::AppArmor if environment.places.contains(&Place::GithubActions) => Some(remedy(
            "AppArmor keeps ordinary users from user namespaces",
            &["# a step before the build", "- run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"],
        )),
        Barrier::AppArmor => {
            let profile = format!("profile selfsame {} flags=(unconfined) {{", installed.display());
            Some(remedy(
                "AppArmor keeps ordinary users from user namespaces",
                &[
                    "sudo tee /etc/apparmor.d/selfsame <<'EOF'",
                    "abi <abi/4.0>,",
                    "include <tunables/global>",
                    &profile,
                    "  userns,",
                    "  include if exists <local/selfsame>",
                    "}",
                    "EOF",
                    "sudo apparmor_parser -r /etc/apparmor.d/selfsame",
                    "# or, for every program: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
                ],
            ))
        }
        Barrier::ContainerFilter | Barrier::MaskedProc | Barrier::Unknown => None,
    }
}

fn for_place(place: Place) -> Option<Remedy> {
    match place {
        Place::Docker => Some(remedy(
            "Docker's default profiles refuse namespaces and cover /proc",
            &["docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
             --security-opt systempaths=unconfined IMAGE selfsame build"],
        )),
        Place::Podman => Some(remedy(
            "Podman's default profile refuses calls and covers /proc",
            &["podman run --security-opt seccomp=unconfined --security-opt unmask=ALL --security-opt label=disable \
             IMAGE selfsame build"],
        )),
        Place::Kubernetes => Some(remedy(
            "the pod's default profiles refuse namespaces and cover /proc",
            &[
                "# in the pod's spec (procMount needs hostUsers: false)",
                "spec:",
                "  hostUsers: false",
                "  containers:",
                "    - name: build",
                "      securityContext:",
                "        procMount: Unmasked",
                "        seccompProfile: { type: Unconfined }",
                "        appArmorProfile: { type: Unconfined }",
            ],
        )),
        Place::Gitlab => Some(remedy(
            "the runner starts jobs with Docker's default profiles",
            &[
                "# in config.toml of the runner",
                "[runners.docker]",
                "  security_opt = [\"seccomp=unconfined\", \"apparmor=unconfined\"]",
                "# /proc stays covered unless `privileged = true`; without it, in .gitlab-ci.yml:",
                "script: [\"selfsame build --relax proc --reason 'the runner masks /proc'\"]",
            ],
        )),
        Place::GithubActions => Some(remedy(
            "the job's container has Docker's default profiles",
            &[
                "container:",
                "  options: --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
             --security-opt systempaths=unconfined",
            ],
        )),
        Place::PlainHost => None,
    }
}
