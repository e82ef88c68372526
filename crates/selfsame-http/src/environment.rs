//! The process environment as a value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The variables that this machine's programs find their configuration by. The binary reads them; nobody below does.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// By name.
    pub variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Where cargo keeps its configuration and its registry caches: `$CARGO_HOME`, else `$HOME/.cargo`.
    #[must_use]
    pub fn cargo_home(&self) -> Option<PathBuf> {
        let home = || Some(PathBuf::from(self.variable("HOME")?).join(".cargo"));
        self.variable("CARGO_HOME").map(PathBuf::from).or_else(home)
    }

    /// Those of the named variables that are set.
    pub fn only<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a OsStr)> {
        names.iter().filter_map(|name| Some((*name, self.variables.get(OsStr::new(name))?.as_os_str())))
    }
}
