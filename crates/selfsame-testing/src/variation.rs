//! The circumstances that must not matter.

use std::ffi::OsString;

/// What is other than usual when the binary runs. The default changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Variation {
    /// The file mode mask, `0o077` for one.
    pub umask: Option<u32>,
    /// `TZ`.
    pub time_zone: Option<String>,
    /// `LC_ALL` and `LANG`.
    pub locale: Option<String>,
    /// How many CPUs it may use: the first ones. Needs `taskset`.
    pub cpus: Option<u32>,
    /// The machine's name. Needs root, and `unshare` and `hostname`.
    pub host_name: Option<String>,
    /// Adds a variable that nobody asked for.
    pub variable: Option<(String, String)>,
}

impl Variation {
    pub(crate) fn variables(&self) -> Vec<(OsString, OsString)> {
        let mut variables = Vec::new();
        let mut set = |name: &str, value: &str| variables.push((name.into(), value.into()));
        if let Some(zone) = &self.time_zone {
            set("TZ", zone);
        }
        if let Some(locale) = &self.locale {
            set("LC_ALL", locale);
            set("LANG", locale);
        }
        if let Some((name, value)) = &self.variable {
            set(name, value);
        }
        variables
    }

    /// The words before the binary: each program sets one thing and becomes the next. The user comes last, since the
    /// others may need root.
    pub(crate) fn wrapper(&self, user: Option<u32>) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |text: &[&str]| words.extend(text.iter().map(OsString::from));
        if let Some(name) = &self.host_name {
            add(&["unshare", "--uts", "sh", "-euc", "hostname \"$1\"; shift; exec \"$@\"", "sh", name]);
        }
        if let Some(cpus) = self.cpus {
            let last = cpus.max(1) - 1;
            add(&["taskset", "--cpu-list", &format!("0-{last}")]);
        }
        if let Some(umask) = self.umask {
            add(&["sh", "-euc", &format!("umask {umask:04o}; exec \"$@\""), "sh"]);
        }
        if let Some(user) = user {
            let user = user.to_string();
            add(&["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "--"]);
        }
        words
    }
}
