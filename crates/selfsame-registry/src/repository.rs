//! One repository of one registry, and the exchange of one request and its answer.

use std::io::{self, Read};
use std::sync::OnceLock;
use std::time::Duration;

use selfsame_http::{Body, Credential, HttpError, Method, Request, Response};

use crate::address::Address;
use crate::challenge::Challenge;
use crate::configuration::Place;
use crate::said::said;
use crate::scope::{Action, Scope};
use crate::{Registry, RegistryError};

/// A repository on a registry: to be read, or to be written, too. What is read is checked against its digest; what is written is there whole or not at all.
#[derive(Debug)]
pub struct Repository<'a> {
    pub(crate) registry: &'a Registry,
    place: Place,
    action: Action,
    base: OnceLock<Address>,
}

/// One request.
pub(crate) struct Ask<'b> {
    pub(crate) method: Method,
    pub(crate) address: Address,
    pub(crate) scope: Scope,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body<'b>,
    pub(crate) limit_bytes: u64,
    /// Whether it may be sent again as it is.
    pub(crate) retry: bool,
}

/// An answer, and what it was an answer to.
pub(crate) struct Answer {
    pub(crate) response: Response,
    shown: Option<Credential>,
}

impl<'a> Repository<'a> {
    /// Asked for nothing but `action`, whatever the request: a token to read is not to be had for a repository that the
    /// first push makes.
    pub(crate) fn new(registry: &'a Registry, place: Place, action: Action) -> Self {
        Self { registry, place, action, base: OnceLock::new() }
    }

    /// The registry that is asked, as errors name it.
    #[must_use]
    pub fn host(&self) -> String {
        self.place.host.to_string()
    }

    /// The name on that registry: of a short name, and behind a mirror, another one than was written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.place.repository
    }

    /// What tokens are asked for.
    pub(crate) fn scope(&self) -> Scope {
        Scope::of(self.action, &self.place.repository)
    }

    pub(crate) fn base(&self) -> Result<&Address, RegistryError> {
        if let Some(base) = self.base.get() {
            return Ok(base);
        }
        let base = self.registry.base(&self.place)?;
        Ok(self.base.get_or_init(|| base))
    }

    /// The address of `path` below `/v2/NAME/`.
    pub(crate) fn address(&self, path: &str) -> Result<Address, RegistryError> {
        let base = self.base()?;
        Ok(Address { path: format!("{}{}/{path}", base.path, self.place.repository), ..base.clone() })
    }

    /// A GET of `path` below `/v2/NAME/`, to be changed where it is something else.
    pub(crate) fn ask<'b>(&self, method: Method, path: &str) -> Result<Ask<'b>, RegistryError> {
        Ok(Ask {
            method,
            address: self.address(path)?,
            scope: self.scope(),
            headers: Vec::new(),
            body: Body::Empty,
            limit_bytes: crate::MANIFEST_BYTES,
            retry: true,
        })
    }

    /// Sends a request, and once more with what the registry wants to see. Nothing is shown to another host than the
    /// registry's.
    pub(crate) fn send(&self, ask: &Ask<'_>, what: &str) -> Result<Answer, RegistryError> {
        let base = self.base()?;
        let at_home = base.same_origin(&ask.address);
        if base.https && !ask.address.https {
            return Err(self.unexpected(
                what,
                0,
                &format!(" it leads to `{}`, which is not https", ask.address.origin()),
            ));
        }
        let mut shown = if at_home { self.registry.shown(base, &ask.scope) } else { None };
        let url = ask.address.to_string();
        let open = || match ask.body {
            Body::Stream { open, .. } => open(),
            _ => Ok(Box::new(io::empty()) as Box<dyn Read>),
        };
        let body = match ask.body {
            Body::Empty => Body::Empty,
            Body::Bytes(bytes) => Body::Bytes(bytes),
            Body::Stream { len, .. } => Body::Stream { len, open: &open },
        };
        let mut first = true;
        loop {
            let request = Request {
                headers: ask.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
                credential: shown.clone(),
                body,
                limit_bytes: ask.limit_bytes,
                plain_http: !ask.address.https && at_home,
                retry: ask.retry,
                ..Request::new(ask.method, &url)
            };
            let response = self.registry.client().send(&request).map_err(|source| self.http(what, source))?;
            // A challenge of a host that it redirected to is not the registry's.
            let own = at_home && self.is_own(base, &response);
            if response.status != 401 || !first || !own {
                return Ok(Answer { response, shown });
            }
            first = false;
            let challenges = response.headers.get("www-authenticate").map_or("", String::as_str);
            match self.registry.answer(base, &Challenge::parse_all(challenges), &ask.scope)? {
                None => return Ok(Answer { response, shown }),
                credential => shown = credential,
            }
        }
    }

    fn is_own(&self, base: &Address, response: &Response) -> bool {
        let from = response.address();
        let from = Address::parse(&format!(
            "http{}://{}:{}/",
            if from.is_https() { "s" } else { "" },
            from.host(),
            from.port()
        ));
        from.is_some_and(|from| from.same_origin(base))
    }

    /// An answer that is none of those expected, as an error.
    pub(crate) fn fault(&self, what: &str, mut answer: Answer) -> RegistryError {
        let (host, what) = (self.host(), what.to_owned());
        let secrets: Vec<&str> = match &answer.shown {
            Some(Credential::Basic { password, .. }) => vec![password],
            Some(Credential::Bearer(token)) => vec![token],
            None => Vec::new(),
        };
        let as_somebody = answer.shown.is_some();
        let status = answer.response.status;
        let said = said(&mut answer.response, &secrets);
        match status {
            401 | 403 => RegistryError::Refused { host, what, status, said, as_somebody },
            404 | 410 => RegistryError::NotFound { host, what },
            429 | 500.. => RegistryError::Busy { host, what, status, said },
            _ => RegistryError::Answer { host, what, status, said },
        }
    }

    pub(crate) fn unexpected(&self, what: &str, status: u16, said: &str) -> RegistryError {
        RegistryError::Answer { host: self.host(), what: what.to_owned(), status, said: said.to_owned() }
    }

    pub(crate) fn http(&self, what: &str, source: HttpError) -> RegistryError {
        let (host, what) = (self.host(), what.to_owned());
        match source {
            HttpError::NotFound { .. } => RegistryError::NotFound { host, what },
            HttpError::Refused { status, .. } => {
                RegistryError::Refused { host, what, status, said: String::new(), as_somebody: false }
            }
            HttpError::Busy { status, .. } => RegistryError::Busy { host, what, status, said: String::new() },
            HttpError::TooLarge { limit_bytes, .. } => RegistryError::TooLarge { host, what, limit_bytes },
            source => RegistryError::Http { host, what, source },
        }
    }

    /// The whole body of an answer, of at most `limit_bytes`.
    pub(crate) fn body(&self, what: &str, answer: Answer, limit_bytes: u64) -> Result<Vec<u8>, RegistryError> {
        let mut response = answer.response;
        let address = response.address().clone();
        let mut bytes = Vec::new();
        let read = response.by_ref().take(limit_bytes + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.http(what, HttpError::of_io(error, &address)))?;
        if bytes.len() as u64 > limit_bytes {
            return Err(RegistryError::TooLarge { host: self.host(), what: what.to_owned(), limit_bytes });
        }
        Ok(bytes)
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// `Retry-After` in seconds.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.parse().ok().map(Duration::from_secs)
    }
}
