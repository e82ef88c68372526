//! Files into the store: checked while they stream, and taken up again where they were cut.

use std::io::{self, Cursor, Read};

use selfsame_core::Digest;
use selfsame_store::{Store, StoreError};

use crate::address::{Address, told};
use crate::client::Client;
use crate::credential::Credential;
use crate::error::HttpError;
use crate::page::{BEGINNING_BYTES, is_web_page};
use crate::request::Request;
use crate::response::Response;

/// So much progress earns new retries.
const EARNED_BYTES: u64 = 1 << 20;

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What has come. Becomes smaller where a file has to be begun again.
    pub done_bytes: u64,
    /// What is to come in all, where the server says so.
    pub total_bytes: Option<u64>,
}

/// A file to be had. Make one with [`Download::new`] and set what is to be different.
#[derive(Clone)]
pub struct Download<'a> {
    /// Absolute. Where this machine's configuration has upstreams for its host, those are asked in its place.
    pub url: &'a str,
    /// Whether `url` is asked itself: it is a place that was chosen by that configuration already.
    pub chosen: bool,
    /// More is not downloaded.
    pub limit_bytes: u64,
    /// Digest and size, where they are known. Other bytes are not stored.
    pub expected: Option<(Digest, u64)>,
    /// For the host of `url` alone.
    pub credential: Option<Credential>,
    /// Beside those that the client sets itself: `Accept`, for one.
    pub headers: Vec<(String, String)>,
    /// Whether `http` is fine for any host: where the bytes are checked, or it is said that they are not.
    pub plain_http: bool,
    /// Called as bytes come.
    pub progress: Option<&'a dyn Fn(Progress)>,
}

impl<'a> Download<'a> {
    /// Of at most `limit_bytes`, and nothing known about it.
    #[must_use]
    pub fn new(url: &'a str, limit_bytes: u64) -> Self {
        Self {
            url,
            chosen: false,
            limit_bytes,
            expected: None,
            credential: None,
            headers: Vec::new(),
            plain_http: false,
            progress: None,
        }
    }

    /// Of which digest and size are known.
    #[must_use]
    pub fn expecting(mut self, digest: Digest, size: u64) -> Self {
        self.expected = Some((digest, size));
        self
    }
}

impl Client {
    /// Downloads a file into the store: its digest and size.
    ///
    /// Of a file that is expected no more than its size and a byte is read, and another one is not stored. One that the
    /// store has is not asked for. A connection that is cut is taken up where it was, if the server can do that and the
    /// file is still the same. Nothing is decoded on the way.
    ///
    /// # Errors
    /// As [`Client::send`]; [`HttpError::WebPage`], [`HttpError::TooLarge`], [`HttpError::OtherBytes`],
    /// [`HttpError::Store`]. Of several upstreams the first one's that says more than that it has no such file.
    pub fn download(&self, download: &Download<'_>, store: &Store) -> Result<(Digest, u64), HttpError> {
        if let Some((digest, size)) = download.expected
            && store.blob_size(&digest).map_err(|source| stored(download.url, source))? == Some(size)
        {
            return Ok((digest, size));
        }
        let bad = |message: &str| HttpError::Request { url: told(download.url), message: message.to_owned() };
        let address = Address::parse(download.url).map_err(bad)?;
        let places = self.origins().places(&address);
        if download.chosen || places == [address] {
            return self.download_from(download.url, download, store);
        }
        let mut first: Option<HttpError> = None;
        for place in &places {
            // What was meant for the file's own host is not shown to another.
            let download = Download { credential: None, ..download.clone() };
            match self.download_from(&place.request(), &download, store) {
                Err(error @ (HttpError::Cancelled { .. } | HttpError::Store { .. })) => return Err(error),
                Err(error) => {
                    let absent = matches!(first, None | Some(HttpError::NotFound { .. }));
                    first = if absent { Some(error) } else { first };
                }
                done => return done,
            }
        }
        Err(first.unwrap_or_else(|| bad("no upstream is configured for its host")))
    }

    fn download_from(&self, url: &str, download: &Download<'_>, store: &Store) -> Result<(Digest, u64), HttpError> {
        let (mut retries, mut beginnings) = (0, 0);
        let mut whole = None;
        loop {
            let response = match whole.take() {
                Some(response) => response,
                None => self.send(&request(url, download))?,
            };
            let mut pull = Pull::begin(self, url, download, response, retries)?;
            let result = match &download.expected {
                None => store.put(&mut pull, false),
                Some((digest, size)) => store.put_expecting(&mut pull, digest, *size, false).map(|()| (*digest, *size)),
            };
            let Pull { address, page, failure, retries: used, joined, .. } = pull;
            beginnings += 1;
            match (result, failure) {
                // What comes anew each time is no progress, however much it is.
                (_, Some(Failure::Changed(_))) if beginnings > self.options().patience.retries => {
                    let message = "the answer was cut short each time".to_owned();
                    return Err(HttpError::Network { url: address.to_string(), message });
                }
                (_, Some(Failure::Changed(response))) => (retries, whole) = (used, response.map(|response| *response)),
                (_, Some(Failure::Error(error))) => return Err(error),
                (Ok(done), None) => return Ok(done),
                // Of two files, if it was republished between its pieces.
                (Err(StoreError::Unexpected { .. }), None) if joined && beginnings == 1 => retries = used,
                (Err(StoreError::Unexpected { .. }), None) if page => {
                    return Err(HttpError::WebPage { url: address.to_string() });
                }
                (Err(StoreError::Unexpected { expected, expected_bytes, found, found_bytes }), None) => {
                    let url = address.to_string();
                    return Err(HttpError::OtherBytes { url, expected, expected_bytes, found, found_bytes });
                }
                (Err(source), None) => return Err(stored(url, source)),
            }
        }
    }
}

fn stored(url: &str, source: StoreError) -> HttpError {
    HttpError::Store { url: told(url), source }
}

/// Why a stream ended before its end.
enum Failure {
    /// The rest of the file cannot be had, only the whole again: which the server may have begun to give.
    Changed(Option<Box<Response>>),
    Error(HttpError),
}

/// A file as one stream, over as many connections as it takes.
struct Pull<'a> {
    client: &'a Client,
    url: &'a str,
    download: &'a Download<'a>,
    address: Address,
    beginning: Cursor<Vec<u8>>,
    /// What ended the connection within the beginning.
    cut: Option<HttpError>,
    response: Response,
    /// Whether it looks like a web page.
    page: bool,
    done_bytes: u64,
    total_bytes: Option<u64>,
    /// By which the server tells whether the file is still the same.
    validator: Option<String>,
    retries: u32,
    /// Whether it came in pieces.
    joined: bool,
    /// Where progress began to be counted.
    since_bytes: u64,
    failure: Option<Failure>,
}

impl<'a> Pull<'a> {
    fn begin(
        client: &'a Client,
        url: &'a str,
        download: &'a Download<'a>,
        response: Response,
        retries: u32,
    ) -> Result<Self, HttpError> {
        let mut response = response.success()?;
        let address = response.address().clone();
        let total_bytes = response.length();
        let limit_bytes = download.limit_bytes;
        if total_bytes.is_some_and(|total| total > limit_bytes) {
            return Err(HttpError::TooLarge { url: address.to_string(), limit_bytes });
        }
        let says_page = response
            .header("content-type")
            .is_some_and(|kind| kind.trim_start().get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case("text/html")));
        let etag = response.header("etag").filter(|etag| etag.starts_with('"'));
        let validator = etag.or_else(|| response.header("last-modified")).map(str::to_owned);
        let mut beginning = Vec::new();
        let read = (&mut response).take(BEGINNING_BYTES).read_to_end(&mut beginning);
        let page = says_page || is_web_page(&beginning);
        let named = |suffix: &str| address.target().split('?').next().unwrap_or("").ends_with(suffix);
        if page && download.expected.is_none() && !named(".html") && !named(".htm") {
            return Err(HttpError::WebPage { url: address.to_string() });
        }
        Ok(Self {
            client,
            url,
            download,
            // The first read after what has come so far fails with it.
            cut: read.err().map(|error| HttpError::of_io(error, &address)),
            address,
            beginning: Cursor::new(beginning),
            response,
            page,
            done_bytes: 0,
            total_bytes,
            validator,
            retries,
            joined: false,
            since_bytes: 0,
            failure: None,
        })
    }

    /// Takes the file up at an offset, after `error`.
    fn resume(&mut self, offset: u64, error: HttpError) -> Result<(), Failure> {
        let mut error = error;
        loop {
            if !error.retry_may_help() {
                return Err(Failure::Error(error));
            }
            if offset.saturating_sub(self.since_bytes) >= EARNED_BYTES {
                self.retries = 0;
            }
            self.since_bytes = offset;
            let patience = &self.client.options().patience;
            if self.retries >= patience.retries {
                return Err(Failure::Error(error));
            }
            let wait = patience.pause_before(self.retries);
            self.retries += 1;
            self.client.pause(wait, self.url).map_err(Failure::Error)?;
            // Without a validator only what is expected can be put together: its digest tells.
            if offset == 0 || (self.validator.is_none() && self.download.expected.is_none()) {
                return Err(Failure::Changed(None));
            }
            let mut request = request(self.url, self.download).header("range", &format!("bytes={offset}-"));
            if let Some(validator) = &self.validator {
                request = request.header("if-range", validator);
            }
            request.retry = false;
            match self.client.send(&request) {
                Ok(response) if response.status == 206 => {
                    let range = response.header("content-range").and_then(content_range);
                    let same = range.is_some_and(|(start, total)| {
                        start == offset && (total.is_none() || self.total_bytes.is_none() || total == self.total_bytes)
                    });
                    if !same {
                        return Err(Failure::Changed(None));
                    }
                    self.response = response;
                    self.joined = true;
                    return Ok(());
                }
                Ok(response) if response.status == 200 => return Err(Failure::Changed(Some(Box::new(response)))),
                Ok(response) if response.status == 416 => return Err(Failure::Changed(None)),
                Ok(response) => match response.success() {
                    Ok(_) => return Err(Failure::Changed(None)),
                    Err(next) => error = next,
                },
                Err(next) => error = next,
            }
        }
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let read = self.beginning.read(buffer).unwrap_or(0);
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        if let Some(error) = self.cut.take() {
            self.resume(self.done_bytes, error)?;
        }
        loop {
            let error = match self.response.read(buffer) {
                // ureq sees to it that what is announced comes, but for a connection that ends without a length.
                Ok(0) => match self.total_bytes {
                    Some(total) if self.done_bytes < total => HttpError::Network {
                        url: self.address.to_string(),
                        message: "the answer was cut short".to_owned(),
                    },
                    _ => return Ok(0),
                },
                Ok(read) => return Ok(read),
                Err(error) => HttpError::of_io(error, &self.address),
            };
            self.resume(self.done_bytes, error)?;
        }
    }
}

impl Read for Pull<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit_bytes = self.download.limit_bytes;
        match self.next(buffer) {
            Ok(read) => {
                self.done_bytes = self.done_bytes.saturating_add(read as u64);
                if self.done_bytes > limit_bytes {
                    let url = self.address.to_string();
                    self.failure = Some(Failure::Error(HttpError::TooLarge { url, limit_bytes }));
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                if let Some(progress) = self.download.progress {
                    progress(Progress { done_bytes: self.done_bytes, total_bytes: self.total_bytes });
                }
                Ok(read)
            }
            Err(failure) => {
                self.failure = Some(failure);
                Err(io::ErrorKind::ConnectionAborted.into())
            }
        }
    }
}

fn request<'a>(url: &'a str, download: &Download<'a>) -> Request<'a> {
    let mut request = Request::get(url);
    request.headers.clone_from(&download.headers);
    request.credential.clone_from(&download.credential);
    request.plain_http = download.plain_http;
    // Counted over all connections here.
    request.limit_bytes = u64::MAX;
    request
}

/// Start and total of `bytes 5-9/10`; the total may be `*`.
pub(crate) fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-')?.0.trim().parse().ok()?;
    Some((start, if total.trim() == "*" { None } else { Some(total.trim().parse().ok()?) }))
}
