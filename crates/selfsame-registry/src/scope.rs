//! What a token is asked for: `repository:team/app:pull,push`.

use std::fmt;

/// What is to be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Pull,
    Push,
}

/// Actions on repositories of one registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope {
    pub(crate) action: Action,
    pub(crate) repository: String,
    /// Another repository of the registry, to be read: a blob is mounted from it.
    pub(crate) from: Option<String>,
}

impl Scope {
    pub(crate) fn of(action: Action, repository: &str) -> Self {
        Self { action, repository: repository.to_owned(), from: None }
    }

    /// One line each, as a token server reads them (docker's token authentication specification, "Resource scope").
    pub(crate) fn lines(&self) -> Vec<String> {
        let actions = match self.action {
            Action::Pull => "pull",
            Action::Push => "pull,push",
        };
        let mut lines = vec![format!("repository:{}:{actions}", self.repository)];
        lines.extend(self.from.as_ref().map(|from| format!("repository:{from}:pull")));
        lines
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join(" "))
    }
}
