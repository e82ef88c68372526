use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use selfsame_core::Digest;
use selfsame_core::profile::INPUT_MTIME_SECS;
use selfsame_store::StoreError;

use super::{blob_file, fresh};

#[test]
fn stores_once_under_the_digest_with_fixed_mode_and_time() {
    let (_folder, store) = fresh();
    let (digest, size) = store.put(&mut &b"hello"[..], false).unwrap();
    assert_eq!((digest, size), (Digest::of(b"hello"), 5));
    let first = std::fs::metadata(blob_file(&store, &digest)).unwrap();
    assert_eq!(first.permissions().mode() & 0o7777, 0o644);
    assert_eq!(first.mtime(), i64::try_from(INPUT_MTIME_SECS).unwrap());
    store.put(&mut &b"hello"[..], false).unwrap();
    store.put_bytes(b"hello", false).unwrap();
    assert_eq!(std::fs::metadata(blob_file(&store, &digest)).unwrap().ino(), first.ino(), "it was written again");
    assert_eq!(store.read_blob(&digest, 5).unwrap(), b"hello");
    assert!(matches!(store.read_blob(&digest, 4), Err(StoreError::TooLarge { size_bytes: 5, limit_bytes: 4, .. })));
    assert!(matches!(store.read_blob(&Digest::of(b"no"), 4), Err(StoreError::Absent { .. })));
}

#[test]
fn makes_the_executable_twin_when_asked() {
    let (_folder, store) = fresh();
    let digest = store.put_bytes(b"#!/bin/sh\n", false).unwrap();
    let plain = store.blob_path(&digest, false).unwrap().unwrap();
    let twin = store.blob_path(&digest, true).unwrap().unwrap();
    assert_eq!(twin.extension().unwrap(), "x");
    assert_eq!(std::fs::metadata(&twin).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_ne!(std::fs::metadata(&twin).unwrap().ino(), std::fs::metadata(&plain).unwrap().ino());
    assert_eq!(store.blob_path(&Digest::of(b"none"), true).unwrap(), None);
    let only_twin = store.put_bytes(b"other", true).unwrap();
    assert!(store.has(&only_twin));
    assert_eq!(store.read_blob(&only_twin, 100).unwrap(), b"other");
    assert!(store.blob_path(&only_twin, false).unwrap().is_some());
}

#[test]
fn refuses_other_bytes_than_announced_and_keeps_nothing() {
    let (_folder, store) = fresh();
    let wanted = Digest::of(b"wanted");
    for (bytes, found_bytes) in [(&b"wabted"[..], 6), (b"wante", 5), (b"wanted and much more", 7)] {
        match store.put_expecting(&mut &bytes[..], &wanted, 6, false) {
            Err(StoreError::Unexpected { expected, expected_bytes: 6, found_bytes: found, .. }) => {
                assert_eq!((expected, found), (wanted, found_bytes));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(!store.has(&wanted));
    assert_eq!(store.du().unwrap().waste.bytes, empty_waste(), "something was left in tmp");
    store.put_expecting(&mut &b"wanted"[..], &wanted, 6, false).unwrap();
    struct Unread;
    impl Read for Unread {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("read although the blob is there")
        }
    }
    store.put_expecting(&mut Unread, &wanted, 6, false).unwrap();
}

/// `tmp` with this process's own empty folder in it.
fn empty_waste() -> u64 {
    let (_folder, store) = fresh();
    store.put_bytes(b"", false).unwrap();
    store.du().unwrap().waste.bytes
}

#[test]
fn a_reader_that_fails_leaves_nothing() {
    let (_folder, store) = fresh();
    struct Breaks(u32);
    impl Read for Breaks {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 3 { Err(io::Error::other("connection reset")) } else { Ok(buffer.len()) }
        }
    }
    match store.put(&mut Breaks(0), false) {
        Err(StoreError::Source { source }) => assert_eq!(source.to_string(), "connection reset"),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.du().unwrap().waste.bytes, empty_waste());
    assert_eq!(store.du().unwrap().blobs, 0);
}

#[test]
fn files_large_and_small_and_what_is_none() {
    let (folder, store) = fresh();
    let at = |name: &str| folder.path().join(name);
    let large: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(at("large"), &large).unwrap();
    std::fs::write(at("small"), "s").unwrap();
    std::fs::write(at("empty"), "").unwrap();
    let stored = store
        .put_files(&[(at("large"), true), (at("small"), false), (at("empty"), false), (at("large"), true)])
        .unwrap();
    assert_eq!(stored[0], (Digest::of(&large), 5_000_000));
    assert_eq!(stored[1], (Digest::of(b"s"), 1));
    assert_eq!(stored[2], (Digest::of(b""), 0));
    assert_eq!(store.read_blob(&stored[0].0, 5_000_000).unwrap(), large);

    std::os::unix::fs::symlink("small", at("link")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap();
    assert!(fifo.success());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for name in ["link", "fifo", "socket", "."] {
        let error = store.put_file(&at(name), false).unwrap_err();
        assert!(matches!(error, StoreError::NotRegular { .. }), "{name}: {error:?}");
    }
    assert!(matches!(store.put_file(&at("absent"), false), Err(StoreError::Io { operation: "read", .. })));
}

#[test]
fn notices_a_file_that_grows_while_it_is_read() {
    let (folder, store) = fresh();
    let file = folder.path().join("log");
    std::fs::write(&file, vec![b'x'; 64 << 20]).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut open = std::fs::File::options().append(true).open(&file).unwrap();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                io::Write::write_all(&mut open, b"line\n").unwrap();
            }
        });
        let result = store.put_file(&file, false);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(matches!(result, Err(StoreError::Changing { .. })), "{result:?}");
    });
    assert_eq!(store.du().unwrap().blobs, 0);
}
