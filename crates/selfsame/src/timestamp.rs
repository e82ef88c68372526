//! The time stamp authority that a build or a join asks about what it signed: docs/timestamp/v1.md.

use std::io::Read as _;
use std::time::Duration;

use selfsame_attest::Bundle;
use selfsame_core::Digest;
use selfsame_timestamp::{Request, Token};

use crate::keys;
use crate::report::{Answer, Exit, Report, printable};

/// A command that asks an authority.
pub(crate) struct TimeStamps {
    command: String,
    /// How long each question may take.
    patience: Duration,
}

impl TimeStamps {
    /// The command that the arguments name.
    pub(crate) fn named(text: Option<&str>) -> Answer<Option<Self>> {
        let Some(text) = text else { return Ok(None) };
        match text.strip_prefix("exec:").map(str::trim).filter(|command| !command.is_empty()) {
            Some(command) => Ok(Some(Self { command: command.to_owned(), patience: keys::patience()? })),
            None => Err(Report::new(Exit::Unanswered, format!("`--timestamp {}` is no command", printable(text)))
                .consequence(crate::report::NOTHING_BUILT)
                .hint(
                    "`exec:COMMAND` names one that reads a request on standard input and prints the authority's answer",
                )
                .into()),
        }
    }

    /// What tells one command from another, without the secrets that may stand in it.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.command.as_bytes())
    }

    /// Puts a stamp into each bundle, or into none.
    pub(crate) fn stamp<'a>(&self, bundles: impl IntoIterator<Item = &'a mut Vec<u8>>) -> Answer<()> {
        let mut stamped = Vec::new();
        for bytes in bundles {
            let bundle = Bundle::parse(bytes).expect("a bundle that was just signed is one");
            let stamp = self.ask(bundle.signature())?;
            stamped.push((bytes, bundle.with_timestamps(vec![stamp]).to_bytes()));
        }
        for (bytes, with_stamp) in stamped {
            *bytes = with_stamp;
        }
        Ok(())
    }

    fn ask(&self, signature: &[u8]) -> Answer<Vec<u8>> {
        let fault = |what: String| {
            Report::new(Exit::Unanswered, format!("`--timestamp exec:{}`: {what}", keys::shown(&self.command)))
                .consequence("Nothing was published.")
        };
        let mut nonce = [0; 8];
        let random = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut nonce));
        random.map_err(|error| fault(format!("no random number: {error}")))?;
        let request = Request::new(signature, nonce);
        let answer = keys::ask(&self.command, "authority", &request.to_der(), self.patience);
        let answer = answer.map_err(fault)?;
        let token = Token::parse(&answer).map_err(|error| fault(error.to_string()))?;
        token.answers(&request).map_err(|error| fault(error.to_string()))?;
        Ok(answer)
    }
}
