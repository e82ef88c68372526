//! Many files at once, each checked while it streams, and the same end in every run.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use selfsame_core::Digest;
use selfsame_http::{Address, Download, HttpError};
use selfsame_lock::Part;

use crate::context::{Context, FetchProgress};
use crate::resolve::FetchError;

/// How many connections are open at once.
const CONNECTIONS: usize = 8;

/// A part that is to be in the store.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    part: &'a Part,
    urls: Vec<String>,
}

impl<'a> Wanted<'a> {
    /// To be had at any of `urls`; the first that gives it does. By `http` too: its digest is known.
    pub(crate) const fn part(part: &'a Part, urls: Vec<String>) -> Self {
        Self { part, urls }
    }
}

/// Brings parts into the store over several connections.
///
/// What the store has is not asked for, and what is wanted twice is asked for once. A failure is that of the first file
/// of `wanted` that cannot be had, whatever came first in time; what came is kept, so that a second run brings the rest.
/// `by` says who knows what is expected: `locked`, for one.
pub(crate) fn bring_all(
    input: &str,
    by: &'static str,
    wanted: &[Wanted<'_>],
    cx: &Context<'_>,
) -> Result<(), FetchError> {
    let mut seen = BTreeSet::new();
    let mut to_bring = Vec::new();
    for file in wanted {
        let Part { sha256, size, .. } = file.part;
        if seen.insert(sha256) && cx.store.blob_size(sha256)? != Some(*size) {
            to_bring.push(file);
        }
    }
    let Some(first) = to_bring.first() else { return Ok(()) };
    if cx.offline {
        return Err(FetchError::Offline { input: input.to_owned(), purl: first.part.purl.clone() });
    }
    let size = to_bring.iter().fold(0_u64, |sum, file| sum.saturating_add(file.part.size));
    cx.progress.expect(input, to_bring.len() as u64, Some(size));
    each(&to_bring, |file| bring(input, by, file, cx))
}

/// Does `work` for each of `items`, several at once. They are begun in their order, and what was begun is ended: the
/// first failure in that order is the same in every run.
pub(crate) fn each<T: Sync>(items: &[T], work: impl Fn(&T) -> Result<(), FetchError> + Sync) -> Result<(), FetchError> {
    let next = AtomicUsize::new(0);
    let first: Mutex<Option<(usize, FetchError)>> = Mutex::new(None);
    let first_failure = || first.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS.min(items.len()) {
            scope.spawn(|| {
                while first_failure().is_none() {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(place) else { break };
                    let Err(error) = work(item) else { continue };
                    let mut first = first_failure();
                    if first.as_ref().is_none_or(|(before, _)| place < *before) {
                        *first = Some((place, error));
                    }
                }
            });
        }
    });
    let first = first.into_inner().unwrap_or_else(PoisonError::into_inner);
    first.map_or(Ok(()), |(_, error)| Err(error))
}

/// One file from the first place that gives it.
fn bring(input: &str, by: &'static str, wanted: &Wanted<'_>, cx: &Context<'_>) -> Result<(), FetchError> {
    let Part { purl, sha256, size, .. } = wanted.part;
    let mut first: Option<FetchError> = None;
    for url in &wanted.urls {
        let mut asked = Download::new(url, *size).expecting(*sha256, *size);
        asked.plain_http = true;
        let error = match download(&asked, cx) {
            Ok(_) => {
                cx.progress.came(input, purl.as_str(), *size);
                return Ok(());
            }
            Err(HttpError::OtherBytes { url, expected, found, found_bytes, .. }) => {
                let (input, place) = (input.to_owned(), format!("`{url}`"));
                FetchError::Mismatch { input, by, expected, found, found_bytes, place }
            }
            Err(error @ (HttpError::Cancelled { .. } | HttpError::Store { .. })) => return Err(error.into()),
            Err(error) => error.into(),
        };
        // That a place has no such file says the least of all.
        let absent = matches!(first, None | Some(FetchError::Http(HttpError::NotFound { .. })));
        first = if absent { Some(error) } else { first };
    }
    Err(first.unwrap_or_else(|| FetchError::Nowhere { input: input.to_owned(), purl: purl.clone() }))
}

/// One file from one place; what comes is told.
pub(crate) fn download(download: &Download<'_>, cx: &Context<'_>) -> Result<(Digest, u64), HttpError> {
    let told = Told { progress: cx.progress, bytes: Cell::new(0) };
    let tell = |progress: selfsame_http::Progress| told.now(progress.done_bytes);
    let result = cx.http.download(&Download { progress: Some(&tell), ..download.clone() }, cx.store);
    match &result {
        Ok(_) => cx.progress.host(&host_of(download.url, cx)),
        Err(_) => told.now(0),
    }
    result
}

/// Who gave a file: the host of its address, or whom this machine has in its place.
fn host_of(url: &str, cx: &Context<'_>) -> String {
    let Ok(address) = Address::parse(url) else { return String::new() };
    let host = address.host();
    match cx.http.origins().named(host).filter(|origin| !origin.upstream.is_empty()) {
        Some(_) => format!("{host} by its upstream"),
        None => host.to_owned(),
    }
}

/// How much of one download was told. What comes to nothing is taken back.
struct Told<'a> {
    progress: &'a dyn FetchProgress,
    bytes: Cell<u64>,
}

impl Told<'_> {
    fn now(&self, bytes: u64) {
        let before = self.bytes.replace(bytes);
        if bytes >= before {
            self.progress.bytes(bytes - before);
        } else {
            self.progress.lost(before - bytes);
        }
    }
}

#[cfg(test)]
mod tests;
