//! Layers as large as the product reads them, and one more: refused in bounded time and memory, at the limits that the
//! product has.

#![expect(clippy::disallowed_methods, reason = "a test of what takes how long asks the clock")]

use std::io::{self, Read};
use std::time::{Duration, Instant};

use selfsame_core::media;
use selfsame_oci::{EntryFault, Limits, ReadError, ReadLayer, layout, read_layer};

use crate::fixture::{extended, gzip, member, tar};

/// For tests that are not optimised, on a machine that does something else, too. What the program takes is in
/// docs/bounds.md.
const SOON: Duration = Duration::from_secs(120);

/// A tar that is made while it is read: nobody holds it.
struct Made<F> {
    next: F,
    current: Vec<u8>,
    at: usize,
}

impl<F: FnMut() -> Option<Vec<u8>>> Made<F> {
    fn new(next: F) -> Self {
        Self { next, current: Vec::new(), at: 0 }
    }
}

impl<F: FnMut() -> Option<Vec<u8>>> Read for Made<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.current.len() {
            match (self.next)() {
                Some(next) => (self.current, self.at) = (next, 0),
                None => return Ok(0),
            }
        }
        let rest = &self.current[self.at..];
        let now = rest.len().min(buffer.len());
        buffer[..now].copy_from_slice(&rest[..now]);
        self.at += now;
        Ok(now)
    }
}

/// So many empty files, a thousand in a folder.
fn members(count: u64) -> impl Read + Send {
    let mut number = 0;
    Made::new(move || {
        if number > count {
            return None;
        }
        let some: Vec<u8> =
            (number..count.min(number + 500)).flat_map(|at| file(&format!("{:03x}/{at:x}", at / 1000))).collect();
        number += 500;
        Some(if some.is_empty() {
            number = count + 1;
            vec![0; 1024]
        } else {
            some
        })
    })
}

fn file(name: &str) -> Vec<u8> {
    member(name, b'0', b"").bytes()
}

#[track_caller]
fn soon(stored: impl Read + Send, media_type: &str) -> Result<ReadLayer, ReadError> {
    let begin = Instant::now();
    let read = read_layer(stored, media_type, Limits::LAYER, &mut ());
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    read
}

#[test]
fn a_million_members_are_read_and_no_more() {
    let most = Limits::LAYER.members;
    assert_eq!(most, 1_000_000);
    assert!(matches!(soon(members(most + 1), media::LAYER_TAR), Err(ReadError::TooMany { limit }) if limit == most));
}

/// Headers that make no member of the tree count, too.
#[test]
fn headers_without_end_are_counted() {
    let begin = extended(&[("mtime", b"1")]);
    let endless = Made::new(move || Some(begin.repeat(100)));
    assert!(matches!(soon(endless, media::LAYER_TAR), Err(ReadError::TooMany { .. } | ReadError::Header { .. })));
    let global = member("pax", b'g', b"").bytes();
    let endless = Made::new(move || Some(global.repeat(500)));
    assert!(matches!(soon(endless, media::LAYER_TAR), Err(ReadError::TooMany { limit: 1_000_000 })));
}

/// The names of a million members are at most so much together, whatever each of them may have.
#[test]
fn names_that_would_fill_memory_are_refused() {
    let mut number = 0;
    let long = Made::new(move || {
        number += 1;
        let name = format!("{number}/{}", vec!["a".repeat(200); 18].join("/"));
        Some([extended(&[("path", name.as_bytes())]), file("x")].concat())
    });
    let limit = Limits::LAYER.metadata_bytes;
    assert!(matches!(soon(long, media::LAYER_TAR), Err(ReadError::Metadata { limit_bytes }) if limit_bytes == limit));
    let path = "a/".repeat(32 << 10) + "b";
    let refused = soon(&tar(&[extended(&[("path", path.as_bytes())]), file("x")])[..], media::LAYER_TAR);
    assert!(matches!(refused, Err(ReadError::Entry { fault: EntryFault::Path(_), .. })), "{refused:?}");
}

/// A frame that says it needs a window of gigabytes to be read is refused before any of it is there.
#[test]
fn a_zstd_window_bomb_is_refused() {
    for window_log in [28_u8, 30, 31, 40] {
        // Magic number, a frame header descriptor without a content size, and the window's exponent (RFC 8878, 3.1.1.1.2).
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (window_log - 10) << 3];
        // A last block that repeats one byte two million times.
        frame.extend([0x03 | 0x02, 0x00, 0x10, 0x00]);
        let refused = soon(&frame[..], layout::LAYER_ZSTD);
        let Err(ReadError::Stream { source }) = refused else { panic!("2^{window_log}: {refused:?}") };
        assert!(
            source.to_string().to_lowercase().contains("memory") || source.to_string().contains("window"),
            "{source}"
        );
    }
}

/// Empty members and frames one behind another do no work without an end.
#[test]
fn gzip_members_without_content_end_it() {
    let empty = gzip(b"");
    let many = empty.repeat(10_000);
    let refused = soon(&many[..], media::LAYER_GZIP);
    assert!(
        matches!(refused, Err(ReadError::Truncated { .. } | ReadError::SecondMember | ReadError::Stopped)),
        "{refused:?}"
    );
    // A skippable frame, again and again, of nothing.
    let frame = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    assert!(soon(&frame.repeat(100_000)[..], layout::LAYER_ZSTD).is_err());
}
