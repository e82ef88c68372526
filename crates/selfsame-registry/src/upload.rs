//! Bringing a blob to a registry: in one piece, in chunks where one piece was not taken, anew where it was cut
//! (distribution-spec, "Pushing a blob monolithically" and "in chunks").

use std::time::Duration;

use selfsame_core::Digest;
use selfsame_http::{Body, Method};

use crate::address::{Address, escape};
use crate::blob::Source;
use crate::repository::{Answer, Ask};
use crate::scope::Scope;
use crate::{RegistryError, Repository};

/// How often an upload begins anew.
const ATTEMPTS: u32 = 4;
/// How often one upload goes on where it was cut.
const RESUMES: u32 = 8;
/// The size of a chunk, where the registry wants no larger one.
const CHUNK_BYTES: u64 = 16 << 20;
/// The largest chunk that a registry may want.
const LARGEST_CHUNK_BYTES: u64 = 1 << 30;

/// A blob on its way.
pub(crate) struct Upload<'a> {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) source: Source<'a>,
    pub(crate) scope: Scope,
    pub(crate) what: String,
}

/// An upload that the registry has begun.
pub(crate) struct Session {
    location: Address,
    chunk_bytes: u64,
}

/// How sending a piece ended.
enum End {
    Done,
    /// The registry does not take so much at once.
    TooMuch,
    /// It may go on, or begin anew.
    Cut(RegistryError, Option<Duration>),
}

impl Repository<'_> {
    /// Sends a blob until the registry has it, in the session that a mount began or in new ones.
    pub(crate) fn upload(&self, upload: &Upload<'_>, begun: Option<Session>) -> Result<(), RegistryError> {
        let mut session = begun;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let current = match session.take() {
                Some(session) => session,
                None => self.begin(upload)?,
            };
            let Some((error, asked)) = self.run(upload, current)? else { return Ok(()) };
            if attempt >= ATTEMPTS || !error.retry_may_help() {
                return Err(error);
            }
            self.registry.pause(attempt, asked);
        }
    }

    fn begin(&self, upload: &Upload<'_>) -> Result<Session, RegistryError> {
        let ask = Ask { scope: upload.scope.clone(), ..self.ask(Method::Post, "blobs/uploads/")? };
        let answer = self.send(&ask, &upload.what)?;
        match answer.response.status {
            202 => self.session(&upload.what, &answer),
            _ => Err(self.fault(&upload.what, answer)),
        }
    }

    /// What a `202` to the first request says.
    pub(crate) fn session(&self, what: &str, answer: &Answer) -> Result<Session, RegistryError> {
        let least = answer.header("oci-chunk-min-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let chunk_bytes = CHUNK_BYTES.max(least).min(LARGEST_CHUNK_BYTES);
        Ok(Session { location: self.location(what, answer)?, chunk_bytes })
    }

    /// One session to its end; what cut it, if it may begin anew.
    fn run(
        &self,
        upload: &Upload<'_>,
        mut session: Session,
    ) -> Result<Option<(RegistryError, Option<Duration>)>, RegistryError> {
        let mut end = self.whole(upload, &session)?;
        let mut offset = 0;
        for resume in 1..=RESUMES {
            match end {
                End::Done => return Ok(None),
                End::TooMuch => {}
                End::Cut(error, asked) => match self.progress_of(upload, &mut session)? {
                    // Nothing arrived, or the session is gone: it begins anew.
                    None | Some(0) => return Ok(Some((error, asked))),
                    Some(arrived) => {
                        self.registry.pause(resume.min(4), asked);
                        offset = arrived;
                    }
                },
            }
            end = self.chunks(upload, &mut session, &mut offset)?;
        }
        match end {
            End::Done => Ok(None),
            End::Cut(error, asked) => Ok(Some((error, asked))),
            End::TooMuch => Err(self.unexpected(&upload.what, 413, " no chunk is small enough")),
        }
    }

    /// All of it in one PUT.
    fn whole(&self, upload: &Upload<'_>, session: &Session) -> Result<End, RegistryError> {
        let address = session.location.with_parameter("digest", &upload.digest.to_string());
        let open = || upload.source.open(&upload.digest, 0, upload.size);
        let headers = vec![("Content-Type", "application/octet-stream".to_owned())];
        let body = Body::Stream { len: upload.size, open: &open };
        let answer = self.piece(upload, Method::Put, address, headers, body);
        self.end(upload, answer, 201)
    }

    /// From `offset` on in chunks, then the PUT that closes them.
    fn chunks(&self, upload: &Upload<'_>, session: &mut Session, offset: &mut u64) -> Result<End, RegistryError> {
        while *offset < upload.size {
            let len = session.chunk_bytes.min(upload.size - *offset);
            let start = *offset;
            let open = || upload.source.open(&upload.digest, start, len);
            let headers = vec![
                ("Content-Type", "application/octet-stream".to_owned()),
                ("Content-Range", format!("{start}-{}", start + len - 1)),
            ];
            let body = Body::Stream { len, open: &open };
            let answer = match self.piece(upload, Method::Patch, session.location.clone(), headers, body) {
                Ok(answer) if answer.response.status == 202 => answer,
                other => return self.end(upload, other, 202),
            };
            session.location = self.location(&upload.what, &answer)?;
            // It may have taken less than was sent.
            *offset = arrived(&answer).filter(|arrived| (start..=start + len).contains(arrived)).unwrap_or(start + len);
            if *offset == start {
                return Err(self.unexpected(&upload.what, 202, " it takes chunks and keeps nothing of them"));
            }
        }
        let address = session.location.with_parameter("digest", &upload.digest.to_string());
        let answer = self.piece(upload, Method::Put, address, Vec::new(), Body::Empty);
        self.end(upload, answer, 201)
    }

    /// How much of it arrived; nothing if the registry does not know or does not say.
    fn progress_of(&self, upload: &Upload<'_>, session: &mut Session) -> Result<Option<u64>, RegistryError> {
        let ask = Ask {
            address: session.location.clone(),
            scope: upload.scope.clone(),
            ..self.ask(Method::Get, "blobs/uploads/")?
        };
        let Ok(answer) = self.send(&ask, &upload.what) else { return Ok(None) };
        if !matches!(answer.response.status, 200 | 202 | 204) {
            return Ok(None);
        }
        if let Ok(location) = self.location(&upload.what, &answer) {
            session.location = location;
        }
        Ok(arrived(&answer).filter(|arrived| *arrived <= upload.size))
    }

    fn piece(
        &self,
        upload: &Upload<'_>,
        method: Method,
        address: Address,
        headers: Vec<(&'static str, String)>,
        body: Body<'_>,
    ) -> Result<Answer, RegistryError> {
        let ask = Ask {
            method,
            address,
            scope: upload.scope.clone(),
            headers,
            body,
            limit_bytes: crate::MANIFEST_BYTES,
            // The second time would be behind the first, not in its place.
            retry: false,
        };
        self.send(&ask, &upload.what)
    }

    fn end(
        &self,
        upload: &Upload<'_>,
        answer: Result<Answer, RegistryError>,
        expected: u16,
    ) -> Result<End, RegistryError> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.retry_may_help() => return Ok(End::Cut(error, None)),
            Err(error) => return Err(error),
        };
        match answer.response.status {
            status if status == expected => Ok(End::Done),
            // Some say it so where they are content.
            200 | 204 if expected == 201 => Ok(End::Done),
            413 => Ok(End::TooMuch),
            // The session is gone, or is elsewhere than we think.
            404 | 408 | 416 | 429 | 500.. => {
                let asked = answer.retry_after();
                let (host, what, status) = (self.host(), upload.what.clone(), answer.response.status);
                let error = match self.fault(&upload.what, answer) {
                    busy @ RegistryError::Busy { .. } => busy,
                    _ => RegistryError::Busy { host, what, status, said: String::new() },
                };
                Ok(End::Cut(error, asked))
            }
            _ => Err(self.fault(&upload.what, answer)),
        }
    }

    /// Where an upload goes on: absolute or relative, with whatever query the registry needs.
    fn location(&self, what: &str, answer: &Answer) -> Result<Address, RegistryError> {
        let status = answer.response.status;
        let location = answer.response.location();
        let location = location.ok_or_else(|| self.unexpected(what, status, " without a `Location`"))?;
        let location = Address::parse(&location);
        location.ok_or_else(|| self.unexpected(what, status, " with a `Location` that is no address"))
    }
}

/// `Range: 0-1023` is 1024 bytes. `0-0` is what servers say of nothing, and of one byte.
fn arrived(answer: &Answer) -> Option<u64> {
    let range = answer.header("range")?;
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    let (first, last) = range.split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    (first.trim() == "0").then_some(if last == 0 { 0 } else { last.saturating_add(1) })
}

/// The query of a mount.
pub(crate) fn mount_query(digest: &Digest, from: &str) -> String {
    format!("blobs/uploads/?mount={}&from={}", escape(&digest.to_string()), escape(from))
}
