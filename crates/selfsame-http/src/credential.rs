//! What proves to a server who asks, and where this machine keeps it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// A user with a password, or a token. Nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// `Authorization: Basic`.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// `Authorization: Bearer`.
    Bearer(String),
}

impl Credential {
    /// The value of the header `Authorization`.
    pub(crate) fn header(&self) -> String {
        match self {
            Self::Basic { user, password } => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
            }
            Self::Bearer(token) => format!("Bearer {token}"),
        }
    }

    /// As it stands in a variable or comes from a command: `USER:PASSWORD`, or a token.
    pub(crate) fn of_text(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty");
        }
        if text.chars().any(char::is_control) {
            return Err("it is more than one line");
        }
        Ok(match text.split_once(':') {
            Some((user, password)) => Self::Basic { user: user.to_owned(), password: password.to_owned() },
            None => Self::Bearer(text.to_owned()),
        })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

/// Where this machine keeps a credential.
///
/// `env:NAME`, `netrc` or `exec:COMMAND`. A variable and the first line of a command's output hold `USER:PASSWORD` or a
/// token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// An environment variable.
    Variable(String),
    /// The file `.netrc`.
    Netrc,
    /// A program and its arguments; no shell reads them.
    Command(Vec<String>),
}

impl FromStr for CredentialSource {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const KNOWN: &str = "not `env:NAME`, `netrc` or `exec:COMMAND`";
        if text == "netrc" {
            return Ok(Self::Netrc);
        }
        if let Some(name) = text.strip_prefix("env:") {
            let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let begins = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
            // Whoever wrote the secret itself here must not read it in the message.
            return if begins && name.bytes().all(fine) { Ok(Self::Variable(name.to_owned())) } else { Err(KNOWN) };
        }
        let command = text.strip_prefix("exec:").ok_or(KNOWN)?;
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() { Err(KNOWN) } else { Ok(Self::Command(words)) }
    }
}
