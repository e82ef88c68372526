//! The registries of one machine: who may be asked for what, as whom.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use selfsame_http::{Client, Credential, HttpError, Request};
use selfsame_oci::Descriptor;

use crate::address::Address;
use crate::challenge::Challenge;
use crate::configuration::{Place, Scheme};
use crate::scope::{Action, Scope};
use crate::{Configuration, Credentials, Host, Login, Reference, RegistryError, Repository, token};

/// How long is waited before something that cannot be sent twice as it is begins anew; three times as long each time.
const PAUSE: Duration = Duration::from_millis(500);

/// All registries, as this machine reaches them. Shared by threads by reference.
pub struct Registry {
    client: Client,
    configuration: Configuration,
    credentials: Credentials,
    pause: Duration,
    /// By origin and scope: what the registry took last.
    shown: Mutex<BTreeMap<(String, Scope), Credential>>,
    /// Of hosts that may speak http: whether they do.
    plain: Mutex<BTreeMap<Host, bool>>,
    /// Held while a list of referrers is written: two threads of ours need not contend.
    pub(crate) lists: Mutex<()>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

impl Registry {
    /// Asks nothing yet.
    #[must_use]
    pub fn new(client: &Client, configuration: Configuration, credentials: Credentials) -> Self {
        Self {
            client: client.clone(),
            configuration,
            credentials,
            pause: PAUSE,
            shown: Mutex::default(),
            plain: Mutex::default(),
            lists: Mutex::default(),
        }
    }

    /// With another first wait before an upload that was cut begins anew.
    #[must_use]
    pub fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Where a reference may be had, mirrors first. None is empty.
    pub fn to_pull(&self, reference: &Reference) -> Result<Vec<Repository<'_>>, RegistryError> {
        let places = self.configuration.to_pull(reference)?.into_iter();
        Ok(places.map(|place| Repository::new(self, place, Action::Pull)).collect())
    }

    /// Where a reference is written to: the registry itself.
    pub fn to_push(&self, reference: &Reference) -> Result<Repository<'_>, RegistryError> {
        Ok(Repository::new(self, self.configuration.to_push(reference)?, Action::Push))
    }

    /// The first place that has what a reference means now, and what that is. The last place's error where none has.
    pub fn find(&self, reference: &Reference) -> Result<(Repository<'_>, Descriptor), RegistryError> {
        let target = reference.target();
        self.first(reference, |repository| repository.head(&target))
    }

    /// Tries `ask` in each place, in order, while another place may help.
    pub fn first<T>(
        &self,
        reference: &Reference,
        ask: impl Fn(&Repository<'_>) -> Result<T, RegistryError>,
    ) -> Result<(Repository<'_>, T), RegistryError> {
        let mut failed = None;
        for repository in self.to_pull(reference)? {
            match ask(&repository) {
                Ok(value) => return Ok((repository, value)),
                Err(error) if error.elsewhere_may_help() => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| RegistryError::NoRegistry { reference: reference.to_string() }))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Before attempt number `attempt` (from 1), or as long as the server asks, up to a minute.
    pub(crate) fn pause(&self, attempt: u32, asked: Option<Duration>) {
        const LONGEST: Duration = Duration::from_secs(60);
        let ours = self.pause.saturating_mul(3_u32.saturating_pow(attempt.saturating_sub(1)));
        let mut left = asked.unwrap_or(ours).min(LONGEST);
        let cancelled = || self.client.options().cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed));
        // The next request says that it was cancelled.
        while !left.is_zero() && !cancelled() {
            let step = left.min(Duration::from_millis(100));
            std::thread::sleep(step);
            left -= step;
        }
    }

    /// `https://registry.example`, or http where that is what is spoken there and may be.
    pub(crate) fn base(&self, place: &Place) -> Result<Address, RegistryError> {
        let address = |https| Address { https, host: place.host.clone(), path: "/v2/".to_owned() };
        match place.scheme {
            Scheme::Https => return Ok(address(true)),
            Scheme::Http => return Ok(address(false)),
            Scheme::Either => {}
        }
        if let Some(plain) = locked(&self.plain).get(&place.host) {
            return Ok(address(!plain));
        }
        let url = address(true).to_string();
        let mut request = Request::get(&url);
        request.retry = false;
        request.follow = false;
        let plain = match self.client.send(&request) {
            Ok(_) => false,
            // What speaks no TLS says nothing that can be read as TLS, hangs up or waits; a proxy finds nobody there.
            Err(
                HttpError::Network { .. }
                | HttpError::Request { .. }
                | HttpError::TooSlow { .. }
                | HttpError::Busy { .. }
                | HttpError::ProxyRefused { .. },
            ) => true,
            Err(source) => {
                let what = "whether it speaks https".to_owned();
                return Err(RegistryError::Http { host: place.host.to_string(), what, source });
            }
        };
        locked(&self.plain).insert(place.host.clone(), plain);
        Ok(address(!plain))
    }

    /// What was shown with success before.
    pub(crate) fn shown(&self, base: &Address, scope: &Scope) -> Option<Credential> {
        locked(&self.shown).get(&(base.origin(), scope.clone())).cloned()
    }

    /// What to show after a refusal: the answer to its challenges, or nothing.
    pub(crate) fn answer(
        &self,
        base: &Address,
        challenges: &[Challenge],
        scope: &Scope,
    ) -> Result<Option<Credential>, RegistryError> {
        let scheme = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let bearer = scheme("bearer").filter(|challenge| challenge.parameter("realm").is_some());
        if bearer.is_none() && scheme("basic").is_none() {
            return Ok(None);
        }
        let login = self.credentials.login(&base.host, &scope.repository)?;
        let credential = match (bearer, login) {
            (_, Some(Login::Bearer(token))) => Some(Credential::Bearer(token)),
            (Some(challenge), login) => Some(token::fetch(&self.client, base, challenge, scope, login.as_ref())?),
            (None, Some(Login::Password { user, password })) => Some(Credential::Basic { user, password }),
            (None, _) => None,
        };
        let mut shown = locked(&self.shown);
        match &credential {
            Some(credential) => shown.insert((base.origin(), scope.clone()), credential.clone()),
            None => shown.remove(&(base.origin(), scope.clone())),
        };
        Ok(credential)
    }
}

/// What these maps hold is whole after every insertion, so a thread that panicked elsewhere leaves them usable.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
