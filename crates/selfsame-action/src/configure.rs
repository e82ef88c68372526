//! The action that configures a root file system: maintainer scripts, run as root of a system.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::profile::INPUT_MTIME_SECS;
use selfsame_core::{Digest, Level, Platform, Profile, RelPath, SourceEpoch};
use selfsame_lock::Normaliser;

use crate::action::{Action, Input, Mount, System};

/// The folder of an unpacked tree that says in which order its packages are configured; gone when they are.
///
/// `first` and `rest` have a line for each package: its name for dpkg, its name, its architecture. Those of `first` are
/// configured before any script of the others runs. A format constant of profile 1.
pub const ORDER: &str = "var/lib/selfsame";

/// What the shell is given. A format constant of profile 1.
const SCRIPT: &str = include_str!("configure.sh");

/// The whole environment. Format constants of profile 1.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("DPKG_COLORS", "never"),
    ("HOME", "/root"),
    ("LANG", "C.UTF-8"),
    ("LC_ALL", "C.UTF-8"),
    ("LOGNAME", "root"),
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("PERL_HASH_SEED", "0"),
    ("PERL_PERTURB_KEYS", "0"),
    ("PYTHONHASHSEED", "0"),
    ("SHELL", "/bin/sh"),
    ("TERM", "dumb"),
    ("TMPDIR", "/tmp"),
    ("TZ", "UTC"),
    ("USER", "root"),
];

/// Scripts that hang are no use to anybody; the largest sets take some minutes.
const TIMEOUT_SECS: u64 = 3600;
/// A format constant of profile 1: `statfs` shows it.
const SCRATCH_BYTES: u64 = 8 << 30;

/// The name of the step that configures an input, beside the names of actions.
#[must_use]
pub fn configure_step(input: &str) -> String {
    format!("{input}.configure")
}

/// What a configuration depends on, beside its tree.
#[derive(Clone, Debug)]
pub(crate) struct Circumstances<'a> {
    pub(crate) profile: Profile,
    pub(crate) level: Level,
    pub(crate) platform: &'a Platform,
    pub(crate) relaxations: &'a BTreeSet<String>,
}

/// The action that configures `tree`. Its one time is that of all inputs: what an input is does not depend on the source.
pub(crate) fn configure(
    input: &str,
    tree: Digest,
    normalisers: &[Normaliser],
    circumstances: &Circumstances<'_>,
) -> Action {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut environment: BTreeMap<String, String> = ENVIRONMENT.iter().map(owned).collect();
    let epoch = SourceEpoch::new(INPUT_MTIME_SECS).expect("a time before the year 9999");
    environment.insert("SOURCE_DATE_EPOCH".to_owned(), epoch.seconds().to_string());
    Action {
        name: configure_step(input),
        profile: circumstances.profile,
        level: circumstances.level,
        platform: circumstances.platform.clone(),
        argv: ["/bin/sh", "-eu", "-c", SCRIPT].map(str::to_owned).into(),
        environment,
        inputs: vec![Input { name: format!("input {input}"), at: RelPath::root(), tree, mount: Mount::Layer }],
        outputs: Vec::new(),
        system: Some(System { normalisers: normalisers.to_vec() }),
        keeps_stdout: false,
        epoch,
        scratch_bytes: SCRATCH_BYTES,
        relaxations: circumstances.relaxations.clone(),
        timeout_secs: TIMEOUT_SECS,
    }
}
