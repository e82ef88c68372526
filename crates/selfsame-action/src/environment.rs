//! The environment that every action gets: constants of the profile, then what the definition adds.

use std::collections::BTreeMap;

use selfsame_core::{Platform, SourceEpoch};

/// Where toolchains with a name are mounted: `/toolchain/NAME`. A format constant of profile 1.
pub const TOOLCHAIN_ROOT: &str = "/toolchain";

/// The folders searched after the toolchains' own. A format constant of profile 1.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Constants of profile 1. Changing one changes every action digest.
const CONSTANTS: &[(&str, &str)] = &[
    ("HOME", "/tmp"),
    ("LANG", "C.UTF-8"),
    ("LC_ALL", "C.UTF-8"),
    ("LOGNAME", "build"),
    ("PERL_HASH_SEED", "0"),
    ("PERL_PERTURB_KEYS", "0"),
    ("PYTHONHASHSEED", "0"),
    ("SHELL", "/bin/sh"),
    ("TERM", "dumb"),
    ("TMPDIR", "/tmp"),
    ("TZ", "UTC"),
    ("USER", "build"),
    ("ZERO_AR_DATE", "1"),
];

/// What cargo is told beside its arguments.
const CARGO: &[(&str, &str)] = &[
    ("CARGO_HOME", "/inputs/cargo"),
    ("CARGO_INCREMENTAL", "0"),
    ("CARGO_NET_OFFLINE", "true"),
    ("CARGO_TERM_COLOR", "never"),
    ("CARGO_TERM_PROGRESS_WHEN", "never"),
];

/// What the tools of an ecosystem are told beside where their packages are. Format constants of profile 1.
const PIP: &[(&str, &str)] = &[("PIP_DISABLE_PIP_VERSION_CHECK", "1"), ("PIP_NO_INDEX", "1")];
const NPM: &[(&str, &str)] = &[
    ("npm_config_audit", "false"),
    ("npm_config_fund", "false"),
    ("npm_config_offline", "true"),
    // The place under which the laid-out cache has what a lock without addresses asks for; nobody answers there.
    ("npm_config_registry", "http://npm.invalid/"),
    ("npm_config_update_notifier", "false"),
];
const GO: &[(&str, &str)] = &[("GOSUMDB", "off"), ("GOTOOLCHAIN", "local")];

/// Tells the tools of an ecosystem where an input of its kind is seen. Several of one kind stand behind one another.
pub(crate) fn tell(environment: &mut BTreeMap<String, String>, kind: &str, name: &str) {
    let place = format!("/{}/{name}", crate::action::INPUTS);
    let (constants, variable, value, between) = match kind {
        "pypi" => (PIP, "PIP_FIND_LINKS", place, " "),
        "npm" => (NPM, "npm_config_cache", place, ""),
        "go" => (GO, "GOPROXY", format!("file://{place}"), ","),
        _ => return,
    };
    environment.extend(constants.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    match environment.get_mut(variable) {
        // npm has one cache.
        Some(_) if between.is_empty() => {}
        Some(known) => *known = format!("{known}{between}{value}"),
        None => _ = environment.insert(variable.to_owned(), value),
    }
}

/// Tells what is built for, where the definition states it, by the names that Dockerfiles have for it.
pub(crate) fn tell_target(environment: &mut BTreeMap<String, String>, target: &Platform) {
    environment.insert("TARGETPLATFORM".to_owned(), target.to_string());
    environment.insert("TARGETOS".to_owned(), target.os.clone());
    environment.insert("TARGETARCH".to_owned(), target.architecture.clone());
    if let Some(variant) = &target.variant {
        environment.insert("TARGETVARIANT".to_owned(), variant.clone());
    }
}

/// The environment of one action.
///
/// `named_toolchains` are those mounted below [`TOOLCHAIN_ROOT`]; their `bin` folders come first in `PATH`.
/// `cargo_target` is the triple to build for where the action is cargo's: artifacts of the target and of the build
/// machine then lie apart, which is how the SBOM tells shipped packages from build-only ones.
#[must_use]
pub fn environment(
    epoch: SourceEpoch,
    named_toolchains: &[&str],
    cargo_target: Option<&str>,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut environment: BTreeMap<String, String> = CONSTANTS.iter().map(owned).collect();
    environment.insert("SOURCE_DATE_EPOCH".to_owned(), epoch.seconds().to_string());
    let mut path: Vec<String> = named_toolchains.iter().map(|name| format!("{TOOLCHAIN_ROOT}/{name}/bin")).collect();
    path.push(SYSTEM_PATH.to_owned());
    environment.insert("PATH".to_owned(), path.join(":"));
    if let Some(triple) = cargo_target {
        environment.extend(CARGO.iter().map(owned));
        environment.insert("CARGO_BUILD_TARGET".to_owned(), triple.to_owned());
    }
    environment.extend(own.clone());
    environment
}
