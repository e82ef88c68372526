//! The locks, as anybody may edit them.

use selfsame_lock::{Day, HostLock, Lock, Purl};
use selfsame_testing::fuzz::{answer, fuzz};

const LOCK: &str = include_str!("golden/lock/selfsame-v1.lock");
const HOST: &str = include_str!("golden/lock/selfsame-host-v1.lock");

#[test]
fn fuzz_lock() {
    let words = [
        "[[input]]\n",
        "parts = [",
        "purl = ",
        "role = \"layer\"",
        "platform = \"linux/arm64\"",
        "size = ",
        "claim = ",
        "pkg:oci/",
        "}, {",
    ];
    fuzz("lock", &[LOCK.as_bytes()], &words, |bytes| {
        let lock = Lock::parse(&String::from_utf8_lossy(bytes));
        if let Ok(lock) = &lock {
            let printed = lock.to_string();
            assert_eq!(Lock::parse(&printed).expect("what is printed is read"), *lock);
            let _ = lock.inputs.values().map(|locked| locked.size()).collect::<Vec<_>>();
        }
        answer(lock)
    });
}

#[test]
fn fuzz_host_lock() {
    let words = ["[[toolchain]]\n", "packages = [", "tree = ", "kind = ", "sha256:", "version = "];
    fuzz("host-lock", &[HOST.as_bytes()], &words, |bytes| {
        let lock = HostLock::parse(&String::from_utf8_lossy(bytes));
        if let Ok(lock) = &lock {
            assert_eq!(HostLock::parse(&lock.to_string()).expect("what is printed is read"), *lock);
        }
        answer(lock)
    });
}

#[test]
fn fuzz_purl() {
    let seeds: [&[u8]; 4] = [
        b"pkg:deb/debian/gcc@4%3A12.2.0-3?arch=amd64",
        b"pkg:npm/%40babel/core@7.0.0#sub/path",
        b"pkg:golang/github.com/burntsushi/toml@v1.0.0?name=github.com%2FBurntSushi%2Ftoml",
        b"2026-11-20",
    ];
    fuzz("purl", &seeds, &["pkg:", "@", "?", "%2F", "%", "#", "&", "arch="], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let purl = text.parse::<Purl>();
        if let Ok(purl) = &purl {
            assert_eq!(purl.as_str().parse::<Purl>().expect("what is printed is read"), *purl);
        }
        answer(purl).and(answer(text.parse::<Day>()))
    });
}
