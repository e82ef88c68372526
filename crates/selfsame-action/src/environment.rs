//! The environment that every action gets: constants of the profile, then what the definition adds.

use std::collections::BTreeMap;

use selfsame_core::SourceEpoch;

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
