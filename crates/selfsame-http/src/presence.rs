//! Whether a file is there, without its bytes.

use crate::address::{Address, told};
use crate::client::Client;
use crate::download::{Download, content_range};
use crate::error::HttpError;
use crate::request::{Method, Request};
use crate::response::Response;

/// What a server says of a file that nobody takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has none.
    Absent,
    /// It has one. That it is the right one is seen when it comes.
    There {
        /// In bytes, where the server says so.
        size: Option<u64>,
    },
}

impl Client {
    /// Asks for a file with HEAD, where [`Client::download`] would ask for it; a server that knows no HEAD is asked for
    /// the first byte.
    ///
    /// # Errors
    /// As [`Client::send`] and [`Response::success`]; [`HttpError::WebPage`]. Of several upstreams the first error, where
    /// none has the file.
    pub fn presence(&self, download: &Download<'_>) -> Result<Presence, HttpError> {
        let bad = |message: &str| HttpError::Request { url: told(download.url), message: message.to_owned() };
        let address = Address::parse(download.url).map_err(bad)?;
        let places = self.origins().places(&address);
        if download.chosen || places == [address] {
            return self.presence_at(download.url, download);
        }
        let mut first = None;
        for place in &places {
            // What was meant for the file's own host is not shown to another.
            let download = Download { credential: None, ..download.clone() };
            match self.presence_at(&place.request(), &download) {
                Ok(Presence::Absent) => {}
                Err(error @ HttpError::Cancelled { .. }) => return Err(error),
                Err(error) => first = first.or(Some(error)),
                there => return there,
            }
        }
        first.map_or(Ok(Presence::Absent), Err)
    }

    fn presence_at(&self, url: &str, download: &Download<'_>) -> Result<Presence, HttpError> {
        let ask = |method: Method, range: Option<&str>| {
            let mut request = Request::new(method, url);
            request.headers.clone_from(&download.headers);
            request.headers.extend(range.map(|range| ("range".to_owned(), range.to_owned())));
            request.credential.clone_from(&download.credential);
            request.plain_http = download.plain_http;
            self.send(&request)
        };
        let mut response = ask(Method::Head, None)?;
        if matches!(response.status, 405 | 501) {
            response = ask(Method::Get, Some("bytes=0-0"))?;
        }
        match response.success() {
            Ok(response) => there(&response, url),
            Err(HttpError::NotFound { .. }) => Ok(Presence::Absent),
            Err(error) => Err(error),
        }
    }
}

fn there(response: &Response, url: &str) -> Result<Presence, HttpError> {
    let kind = response.header("content-type").unwrap_or_default().trim_start();
    let is_page = kind.get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
    let path = url.split(['?', '#']).next().unwrap_or_default();
    if is_page && !path.ends_with(".html") && !path.ends_with(".htm") {
        return Err(HttpError::WebPage { url: response.address().to_string() });
    }
    let size = match response.status {
        206 => response.header("content-range").and_then(content_range).and_then(|(_, total)| total),
        _ => response.length(),
    };
    Ok(Presence::There { size })
}
