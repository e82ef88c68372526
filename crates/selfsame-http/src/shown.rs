//! Which credential is shown to whom.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::address::Address;
use crate::agents::is_this_machine;
use crate::client::{Client, Hop};
use crate::credential::{Credential, CredentialSource};
use crate::error::HttpError;
use crate::netrc::Netrc;

/// How long a credential's command may take.
const COMMAND: Duration = Duration::from_secs(60);
const COMMAND_BYTES: u64 = 64 << 10;

impl Client {
    /// What a hop shows: the request's own credential to the host of its address and nobody else, to others what this
    /// machine has for them.
    pub(crate) fn credential(&self, hop: &Hop<'_, '_>) -> Result<Option<Credential>, HttpError> {
        let own = hop.request.credential.clone();
        let written = hop
            .first
            .user()
            .map(|(user, password)| Credential::Basic { user: user.clone(), password: password.clone() });
        let own = own.or(written).filter(|_| hop.at.origin() == hop.first.origin());
        let safe = hop.at.is_https() || is_this_machine(hop.at);
        if own.is_some() {
            return if safe || self.origins().allows_plain(hop.at) {
                Ok(own)
            } else {
                Err(HttpError::PlainHttp { url: hop.at.to_string() })
            };
        }
        if let Some((name, origin)) = self.origins().serving(hop.at)
            && let Some(source) = &origin.credential
            && (safe || self.origins().allows_plain(hop.at))
        {
            return self.configured(name, source, hop.at);
        }
        let host = hop.at.host().trim_matches(['[', ']']);
        Ok(self.netrc().credential(host).filter(|_| safe).cloned())
    }

    fn netrc(&self) -> &Netrc {
        self.inner.netrc.get_or_init(|| Netrc::of(&self.inner.environment))
    }

    fn configured(&self, name: &str, source: &CredentialSource, at: &Address) -> Result<Option<Credential>, HttpError> {
        let what = || format!("the credential of origin `{name}`");
        let fault = |message: String| HttpError::Machine { what: what(), message };
        // Held while a command runs, so that many threads do not run it at once.
        let mut known = self.inner.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credential) = known.get(name) {
            return Ok(Some(credential.clone()));
        }
        let text = match source {
            CredentialSource::Netrc => {
                let host = at.host().trim_matches(['[', ']']);
                return match self.netrc().credential(host) {
                    Some(credential) => Ok(Some(credential.clone())),
                    None => Err(fault(format!("`.netrc` has no password for `{host}`"))),
                };
            }
            CredentialSource::Variable(variable) => {
                let value = self.inner.environment.variable(variable);
                let value = value.ok_or_else(|| fault(format!("`{variable}` is not set")))?;
                value.to_str().ok_or_else(|| fault(format!("`{variable}` is not UTF-8")))?.to_owned()
            }
            CredentialSource::Command(words) => self.ask_command(words, at)?.map_err(fault)?,
        };
        let credential = Credential::of_text(&text).map_err(|why| fault(why.to_owned()))?;
        known.insert(name.to_owned(), credential.clone());
        Ok(Some(credential))
    }

    /// The first line that a command prints. What it says beside that goes nowhere: it may be the secret.
    fn ask_command(&self, words: &[String], at: &Address) -> Result<Result<String, String>, HttpError> {
        let Some((program, arguments)) = words.split_first() else { return Ok(Err("it names no command".to_owned())) };
        let spawned = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(&self.inner.environment.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => return Ok(Err(format!("`{program}` cannot be run: {error}"))),
        };
        let (sender, receiver) = mpsc::sync_channel(1);
        let stdout = child.stdout.take();
        std::thread::spawn(move || {
            let mut text = String::new();
            let read = stdout.map(|stdout| stdout.take(COMMAND_BYTES).read_to_string(&mut text));
            // Nobody may be waiting any more.
            let _ = sender.send(matches!(read, Some(Ok(_))).then_some(text));
        });
        let ended = self.wait_for(&mut child, at);
        if !matches!(ended, Ok(Ok(_))) {
            // It may have ended just now.
            let _ = child.kill();
            let _ = child.wait();
        }
        let status = match ended? {
            Ok(status) => status,
            Err(why) => return Ok(Err(format!("`{program}` {why}"))),
        };
        if !status.success() {
            return Ok(Err(format!("`{program}` failed: {status}")));
        }
        // Its own child may hold the pipe open.
        let text = receiver.recv_timeout(Duration::from_secs(1)).ok().flatten();
        let line = text.and_then(|text| Some(text.lines().next()?.to_owned()));
        Ok(line.ok_or_else(|| format!("`{program}` printed nothing")))
    }

    fn wait_for(&self, child: &mut Child, at: &Address) -> Result<Result<ExitStatus, String>, HttpError> {
        let begun = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(Ok(status)),
                Ok(None) if begun.elapsed() < COMMAND => self.pause(Duration::from_millis(10), &at.to_string())?,
                Ok(None) => return Ok(Err(format!("took more than {} s", COMMAND.as_secs()))),
                Err(error) => return Ok(Err(format!("cannot be waited for: {error}"))),
            }
        }
    }
}
