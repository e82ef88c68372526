//! Where we are, and what stands in the way there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{Ability, State};

/// Where we are. Several places can be true at once: a GitLab job is also a container.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Environment {
    /// `uname -r`.
    pub kernel: String,
    /// The surroundings, sorted; only [`Place::PlainHost`] when there are none.
    pub places: BTreeSet<Place>,
    /// What stands in the way, as far as it can be told; empty when nothing is missing.
    pub barriers: BTreeSet<Barrier>,
    /// Whether we are root (in our user namespace).
    pub root: bool,
}

/// Some surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// No container that we can tell.
    PlainHost,
    /// A Docker container.
    Docker,
    /// A Podman container.
    Podman,
    /// A Kubernetes pod.
    Kubernetes,
    /// A job of a GitLab runner.
    Gitlab,
    /// A job of GitHub Actions.
    GithubActions,
}

/// A reason why namespaces or calls are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Barrier {
    /// Before Linux 5.12: no overlay or mount attributes in a user namespace.
    OldKernel,
    /// `user.max_user_namespaces` is 0.
    MaxUserNamespaces,
    /// `kernel.unprivileged_userns_clone` is 0 (Debian).
    UsernsClone,
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1 (Ubuntu 23.10 and later).
    AppArmor,
    /// A seccomp filter of a container is on, and calls are refused.
    ContainerFilter,
    /// Parts of `/proc` are covered, so that no fresh one may be mounted.
    MaskedProc,
    /// Something else.
    Unknown,
}

/// What can be read about the host, so that the judgement below is a function of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) kernel: String,
    pub(super) dockerenv: bool,
    pub(super) containerenv: bool,
    pub(super) service_account: bool,
    pub(super) cgroup: String,
    pub(super) max_user_namespaces: Option<String>,
    pub(super) userns_clone: Option<String>,
    pub(super) apparmor_restricts: Option<String>,
    pub(super) seccomp_mode: Option<String>,
    pub(super) root: bool,
}

impl Facts {
    fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let status = text("/proc/self/status").unwrap_or_default();
        let seccomp = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
        Self {
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            dockerenv: Path::new("/.dockerenv").exists(),
            containerenv: Path::new("/run/.containerenv").exists(),
            service_account: Path::new("/var/run/secrets/kubernetes.io/serviceaccount").exists(),
            cgroup: text("/proc/1/cgroup").unwrap_or_default(),
            max_user_namespaces: text("/proc/sys/user/max_user_namespaces"),
            userns_clone: text("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restricts: text("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            seccomp_mode: seccomp.map(|mode| mode.trim().to_owned()),
            root: rustix::process::geteuid().is_root(),
        }
    }
}

impl Environment {
    pub(super) fn detect(env: &BTreeMap<String, String>, abilities: &[Ability]) -> Self {
        Self::judge(&Facts::read(), env, abilities)
    }

    pub(super) fn judge(facts: &Facts, env: &BTreeMap<String, String>, abilities: &[Ability]) -> Self {
        let mut places = BTreeSet::new();
        if env.contains_key("KUBERNETES_SERVICE_HOST") || facts.service_account || facts.cgroup.contains("kubepods") {
            places.insert(Place::Kubernetes);
        }
        let by_cgroup = facts.cgroup.contains("/docker/") || facts.cgroup.contains("docker-");
        if facts.containerenv || env.get("container").is_some_and(|kind| kind == "podman") {
            places.insert(Place::Podman);
        } else if (facts.dockerenv || by_cgroup) && !places.contains(&Place::Kubernetes) {
            places.insert(Place::Docker);
        }
        if env.contains_key("GITLAB_CI") {
            places.insert(Place::Gitlab);
        }
        if env.contains_key("GITHUB_ACTIONS") {
            places.insert(Place::GithubActions);
        }
        if places.is_empty() {
            places.insert(Place::PlainHost);
        }
        let barriers = barriers(facts, abilities);
        Self { kernel: facts.kernel.clone(), places, barriers, root: facts.root }
    }
}

fn barriers(facts: &Facts, abilities: &[Ability]) -> BTreeSet<Barrier> {
    let missing =
        |name: &str| abilities.iter().any(|ability| ability.name == name && matches!(ability.state, State::No { .. }));
    let any = abilities.iter().any(|ability| matches!(ability.state, State::No { .. }));
    let mut barriers = BTreeSet::new();
    if !any {
        return barriers;
    }
    if older_than(&facts.kernel, (5, 12)) {
        barriers.insert(Barrier::OldKernel);
    }
    // Every later ability needs this one, so what is behind it is only told once it is there.
    let namespaces = missing("user namespace") || missing("id map") || missing("mount namespace");
    if namespaces {
        if facts.max_user_namespaces.as_deref() == Some("0") {
            barriers.insert(Barrier::MaxUserNamespaces);
        }
        if facts.userns_clone.as_deref() == Some("0") && !facts.root {
            barriers.insert(Barrier::UsernsClone);
        }
        if facts.apparmor_restricts.as_deref() == Some("1") && !facts.root {
            barriers.insert(Barrier::AppArmor);
        }
    }
    let other_than_proc =
        abilities.iter().any(|ability| ability.name != "fresh /proc" && matches!(ability.state, State::No { .. }));
    if facts.seccomp_mode.as_deref() == Some("2") && other_than_proc && barriers.is_empty() {
        barriers.insert(Barrier::ContainerFilter);
    }
    if missing("fresh /proc") && !namespaces {
        barriers.insert(Barrier::MaskedProc);
    }
    if barriers.is_empty() {
        barriers.insert(Barrier::Unknown);
    }
    barriers
}

/// Whether a release begins with lower numbers than these.
fn older_than(release: &str, than: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < than,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::remedy::remedies;

    fn no(name: &str) -> Ability {
        let state = State::No { errno: 1, detail: String::new() };
        Ability { name: name.to_owned(), state, relaxation: None }
    }

    #[track_caller]
    fn check(facts: Facts, env: &[(&str, &str)], missing: &[&str], places: &[Place], barriers: &[Barrier], line: &str) {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let facts =
            Facts { kernel: if facts.kernel.is_empty() { "6.1.0-x".to_owned() } else { facts.kernel }, ..facts };
        let abilities: Vec<_> = missing.iter().map(|name| no(name)).collect();
        let environment = Environment::judge(&facts, &env, &abilities);
        assert_eq!(environment.places, places.iter().copied().collect());
        assert_eq!(environment.barriers, barriers.iter().copied().collect());
        let lines: Vec<_> = remedies(&environment, Path::new("/usr/bin/selfsame"))
            .into_iter()
            .flat_map(|remedy| remedy.lines)
            .collect();
        assert!(lines.iter().any(|text| text.contains(line)), "`{line}` is not in {lines:#?}");
    }

    #[test]
    fn hosts_that_refuse() {
        use Barrier as B;
        use Place as P;
        let some = |text: &str| Some(text.to_owned());
        let spaces = &["user namespace", "id map"];
        check(
            Facts { apparmor_restricts: some("1"), ..Facts::default() },
            &[],
            &["id map"],
            &[P::PlainHost],
            &[B::AppArmor],
            "profile selfsame /usr/bin/selfsame flags=(unconfined) {",
        );
        check(
            Facts { apparmor_restricts: some("1"), ..Facts::default() },
            &[("GITHUB_ACTIONS", "true")],
            &["id map"],
            &[P::GithubActions],
            &[B::AppArmor],
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        );
        check(
            Facts { max_user_namespaces: some("0"), ..Facts::default() },
            &[],
            spaces,
            &[P::PlainHost],
            &[B::MaxUserNamespaces],
            "sysctl -w user.max_user_namespaces=",
        );
        check(
            Facts { userns_clone: some("0"), ..Facts::default() },
            &[],
            spaces,
            &[P::PlainHost],
            &[B::UsernsClone],
            "sysctl -w kernel.unprivileged_userns_clone=1",
        );
        check(
            Facts { dockerenv: true, seccomp_mode: some("2"), root: true, ..Facts::default() },
            &[],
            spaces,
            &[P::Docker],
            &[B::ContainerFilter],
            "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined",
        );
        check(
            Facts { containerenv: true, seccomp_mode: some("2"), root: true, ..Facts::default() },
            &[],
            &["fresh /proc"],
            &[P::Podman],
            &[B::MaskedProc],
            "--security-opt unmask=ALL",
        );
        check(
            Facts { service_account: true, dockerenv: true, seccomp_mode: some("2"), ..Facts::default() },
            &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")],
            &["fresh /proc"],
            &[P::Kubernetes],
            &[B::MaskedProc],
            "procMount: Unmasked",
        );
        check(
            Facts { dockerenv: true, seccomp_mode: some("2"), root: true, ..Facts::default() },
            &[("GITLAB_CI", "true")],
            spaces,
            &[P::Docker, P::Gitlab],
            &[B::ContainerFilter],
            "security_opt = [",
        );
        check(
            Facts { kernel: "4.18.0-553.el8".to_owned(), ..Facts::default() },
            &[],
            &["overlay on tmpfs"],
            &[P::PlainHost],
            &[B::OldKernel],
            "5.12",
        );
    }

    #[test]
    fn nothing_missing_is_nothing_in_the_way() {
        let facts = Facts { apparmor_restricts: Some("1".to_owned()), kernel: "6.8.0".to_owned(), ..Facts::default() };
        let yes = Ability { name: "user namespace".to_owned(), state: State::Yes, relaxation: None };
        assert!(Environment::judge(&facts, &BTreeMap::new(), &[yes]).barriers.is_empty());
    }

    #[test]
    fn kernel_releases() {
        assert!(older_than("5.10.0-28-amd64", (5, 12)) && older_than("4.18.0", (5, 12)));
        assert!(!older_than("5.12.0", (5, 12)) && !older_than("6.1", (5, 12)) && !older_than("odd", (5, 12)));
    }
}
