//! Many files at once, each checked while it streams, and the same end in every run.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use selfsame_core::Digest;
use selfsame_http::{Address, Credential, Download, HttpError};
use selfsame_lock::{Part, Purl};

use crate::context::{Context, FetchProgress};
use crate::resolve::FetchError;

/// How many connections are open at once.
const CONNECTIONS: usize = 8;

/// The largest file whose size nobody said.
const UNKNOWN_BYTES: u64 = 4 << 30;

/// A file that is to be in the store.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// How errors call it.
    pub(crate) purl: &'a Purl,
    /// What is known about it.
    pub(crate) expected: Expected,
    /// Where it may be had; the first that gives it does.
    pub(crate) urls: Vec<String>,
    /// More is not downloaded.
    pub(crate) limit_bytes: u64,
    /// For the hosts of `urls`, where the machine's configuration has none.
    pub(crate) credential: Option<Credential>,
    /// Beside those that the client sets: `Accept`, for one.
    pub(crate) headers: Vec<(String, String)>,
    /// Whether `http` will do.
    pub(crate) plain_http: bool,
}

/// What is known about a file before it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Its digest and size. Other bytes are not stored.
    Part(Digest, u64),
    /// Its digest. Other bytes are refused.
    Sha256(Digest),
    /// Nothing that could be checked here: the caller has to.
    Unknown,
}

impl Expected {
    const fn digest(&self) -> Option<Digest> {
        match self {
            Self::Part(digest, _) | Self::Sha256(digest) => Some(*digest),
            Self::Unknown => None,
        }
    }
}

impl<'a> Wanted<'a> {
    /// By `https` without a credential. What is checked by its digest may come by `http`.
    pub(crate) fn new(purl: &'a Purl, expected: Expected, urls: Vec<String>) -> Self {
        let limit_bytes = match expected {
            Expected::Part(_, size) => size,
            Expected::Sha256(_) | Expected::Unknown => UNKNOWN_BYTES,
        };
        let plain_http = expected.digest().is_some();
        Self { purl, expected, urls, limit_bytes, credential: None, headers: Vec::new(), plain_http }
    }

    /// A part of a lock.
    pub(crate) fn part(part: &'a Part, urls: Vec<String>) -> Self {
        Self::new(&part.purl, Expected::Part(part.sha256, part.size), urls)
    }
}

/// Brings files into the store over several connections: digest and size of each, in the order of `wanted`.
///
/// What the store has is not asked for, and what is wanted twice is asked for once. A failure is that of the first file
/// of `wanted` that cannot be had, whatever came first in time; what came is kept, so that a second run brings the rest.
/// `by` says who knows what is expected: `locked`, or `pinned`.
pub(crate) fn bring_all(
    input: &str,
    by: &'static str,
    wanted: &[Wanted<'_>],
    cx: &Context<'_>,
) -> Result<Vec<(Digest, u64)>, FetchError> {
    let mut results: Vec<Option<(Digest, u64)>> = vec![None; wanted.len()];
    let mut first_of: BTreeMap<Digest, usize> = BTreeMap::new();
    let mut to_bring = Vec::new();
    for (index, file) in wanted.iter().enumerate() {
        if let Some(digest) = file.expected.digest() {
            if first_of.contains_key(&digest) {
                continue;
            }
            first_of.insert(digest, index);
            let here = cx.store.blob_size(&digest)?;
            let size = match file.expected {
                Expected::Part(_, size) => here.filter(|found| *found == size),
                _ => here,
            };
            if let Some(size) = size {
                results[index] = Some((digest, size));
                continue;
            }
        }
        to_bring.push(index);
    }
    if let (Some(&index), true) = (to_bring.first(), cx.offline) {
        return Err(FetchError::Offline { input: input.to_owned(), purl: wanted[index].purl.clone() });
    }
    if !to_bring.is_empty() {
        let known = to_bring.iter().map(|&index| match wanted[index].expected {
            Expected::Part(_, size) => Some(size),
            _ => None,
        });
        cx.progress.expect(input, to_bring.len() as u64, known.sum());
        for (index, result) in bring_each(&to_bring, |index| bring(input, by, &wanted[index], cx))? {
            results[index] = Some(result);
        }
    }
    let of = |(index, file): (usize, &Wanted<'_>)| {
        let first = file.expected.digest().and_then(|digest| first_of.get(&digest)).copied();
        results[first.unwrap_or(index)].expect("every file is here, came, or ended this with its failure")
    };
    Ok(wanted.iter().enumerate().map(of).collect())
}

/// Does `work` for each of `indices`, several at once. They are begun in their order, and what was begun is ended: the
/// first failure in that order is the same in every run.
fn bring_each<R: Send>(
    indices: &[usize],
    work: impl Fn(usize) -> Result<R, FetchError> + Sync,
) -> Result<Vec<(usize, R)>, FetchError> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ended = Mutex::new(Vec::with_capacity(indices.len()));
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS.min(indices.len()) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&index) = indices.get(place) else { break };
                    let result = work(index);
                    if result.is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                    ended.lock().unwrap_or_else(PoisonError::into_inner).push((place, index, result));
                }
            });
        }
    });
    let mut ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    ended.sort_unstable_by_key(|(place, _, _)| *place);
    ended.into_iter().map(|(_, index, result)| Ok((index, result?))).collect()
}

/// One file from the first place that gives it.
fn bring(input: &str, by: &'static str, wanted: &Wanted<'_>, cx: &Context<'_>) -> Result<(Digest, u64), FetchError> {
    let mut first: Option<FetchError> = None;
    for url in &wanted.urls {
        let mut asked = Download::new(url, wanted.limit_bytes);
        if let Expected::Part(digest, size) = wanted.expected {
            asked = asked.expecting(digest, size);
        }
        asked.credential.clone_from(&wanted.credential);
        asked.headers.clone_from(&wanted.headers);
        asked.plain_http = wanted.plain_http;
        let error = match download(&asked, cx) {
            Ok((digest, size)) => match wanted.expected.digest().filter(|expected| *expected != digest) {
                None => {
                    cx.progress.came(input, wanted.purl.as_str(), size);
                    return Ok((digest, size));
                }
                Some(expected) => mismatch(input, by, url, expected, (digest, size)),
            },
            Err(HttpError::OtherBytes { url, expected, found, found_bytes, .. }) => {
                mismatch(input, by, &url, expected, (found, found_bytes))
            }
            Err(error @ (HttpError::Cancelled { .. } | HttpError::Store { .. })) => return Err(error.into()),
            Err(error) => error.into(),
        };
        // That a place has no such file says the least of all.
        let absent = matches!(first, None | Some(FetchError::Http(HttpError::NotFound { .. })));
        first = if absent { Some(error) } else { first };
    }
    Err(first.unwrap_or_else(|| FetchError::Nowhere { input: input.to_owned(), purl: wanted.purl.clone() }))
}

fn mismatch(
    input: &str,
    by: &'static str,
    url: &str,
    expected: Digest,
    (found, found_bytes): (Digest, u64),
) -> FetchError {
    FetchError::Mismatch { input: input.to_owned(), by, expected, found, found_bytes, place: format!("`{url}`") }
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
