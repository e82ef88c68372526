//! What a server answers.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use crate::address::Address;
use crate::client::failed;
use crate::error::HttpError;
use crate::transport::not_flooded;

/// An answer: status, headers, and a body that is read from it. Any status is an answer; [`Response::success`] is for who
/// wants only good ones.
///
/// A read that fails gives an [`io::Error`] with the [`HttpError`] inside: [`HttpError::of_io`] takes it out.
pub struct Response {
    /// 200 for one.
    pub status: u16,
    /// By lower-case name; several of one name are joined by `, `.
    pub headers: BTreeMap<String, String>,
    pub(crate) address: Address,
    pub(crate) body: ureq::BodyReader<'static>,
    pub(crate) limit_bytes: u64,
    pub(crate) read_bytes: u64,
}

impl Response {
    /// A header by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Where the answer came from, after redirects. Prints without what is secret.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The header `Location` as an absolute address, for a next request: it may hold what is secret.
    #[must_use]
    pub fn location(&self) -> Option<String> {
        self.resolve(self.header("location")?)
    }

    /// A reference in what came, relative to where it came from, as an absolute address: it may hold what is secret.
    #[must_use]
    pub fn resolve(&self, reference: &str) -> Option<String> {
        Some(self.address.join(reference).ok()?.request())
    }

    /// How long the body is, where the server says so.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// This, if its status is from 200 to 299.
    ///
    /// # Errors
    /// [`HttpError::NotFound`], [`HttpError::Busy`] or [`HttpError::Refused`].
    pub fn success(self) -> Result<Self, HttpError> {
        let (url, status) = (self.address.to_string(), self.status);
        match status {
            200..=299 => Ok(self),
            404 | 410 => Err(HttpError::NotFound { url, status }),
            408 | 429 | 500.. => Err(HttpError::Busy { url, status, retry_after: self.retry_after() }),
            _ => Err(HttpError::Refused { url, status }),
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// [`HttpError::TooLarge`] beyond the request's limit; whatever ends the connection.
    pub fn bytes(mut self) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        match self.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(HttpError::of_io(error, &self.address)),
        }
    }

    /// How long the server asks to wait: seconds, or a date beside its own.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let seconds = seconds_of_date(value)?.saturating_sub(seconds_of_date(self.header("date")?)?);
        Some(Duration::from_secs(seconds))
    }
}

impl Read for Response {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = self.limit_bytes.saturating_add(1).saturating_sub(self.read_bytes);
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(buffer.len());
        let read = not_flooded(|| self.body.read(&mut buffer[..room])).map_err(|error| {
            let error = ureq::Error::from(error);
            io::Error::other(failed(&self.address, &error))
        })?;
        self.read_bytes = self.read_bytes.saturating_add(read as u64);
        if self.read_bytes > self.limit_bytes {
            let (url, limit_bytes) = (self.address.to_string(), self.limit_bytes);
            return Err(io::Error::other(HttpError::TooLarge { url, limit_bytes }));
        }
        Ok(read)
    }
}

impl HttpError {
    /// What [`Response`] put into a failure to read it.
    #[must_use]
    pub fn of_io(error: io::Error, address: &Address) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => Self::Network { url: address.to_string(), message: error.to_string() },
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} from {})", self.status, self.address)
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as seconds since 1970. The two older forms of RFC 9110 are not read.
fn seconds_of_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)?;
    let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number < 10_000);
    let (day, year) = (number(day)?, number(year).filter(|year| *year >= 1970)?);
    let mut clock = time.split(':').map(number);
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month];
    let years: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let days = years + days_before + u64::from(month > 1 && leap(year)) + day.checked_sub(1)?;
    Some(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::seconds_of_date;

    #[test]
    fn dates() {
        assert_eq!(seconds_of_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds_of_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(seconds_of_date("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        for text in ["", "tomorrow", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT"] {
            assert_eq!(seconds_of_date(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_date_or_none(text in "[A-Z][a-z]{2}, [0-9]{0,3} (Feb|Nov|x) [0-9]{0,20} [0-9:]{0,12} GMT|.{0,40}") {
            let _ = seconds_of_date(&text);
        }
    }
}
