//! What a differing word gives away.

use super::explained;
use selfsame_core::Level;

use crate::{Cause, HostFacts, Known, Limits, explain_content};

#[track_caller]
fn told(a: &str, b: &str, cause: Cause, fixed_by: Option<Level>) {
    let found = explained("x.txt", a.as_bytes(), b.as_bytes());
    assert_eq!((found.guess().cause, found.guess().fixed_by), (cause, fixed_by), "{found:#?}");
}

#[test]
fn times() {
    let deterministic = Some(Level::Deterministic);
    for (a, b) in [
        ("built at 1700000000\n", "built at 1700000055\n"),
        ("ms 1795166783331,\n", "ms 1795166787616,\n"),
        ("built 2026-11-20T09:26:22Z\n", "built 2026-11-20T09:30:22Z\n"),
        ("Fri Nov 20 09:26:22 UTC 2026\n", "Fri Nov 20 09:31:00 UTC 2026\n"),
        ("date: Nov 20 2026\n", "date: Nov 21 2026\n"),
        ("date: Nov 30 2026\n", "date: Dec 30 2026\n"),
        ("id 017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n", "id 017f22e2-79b1-7cc3-98c4-dc0c0c073990\n"),
    ] {
        told(a, b, Cause::Timestamp, deterministic);
    }
}

#[test]
fn numbers_that_are_no_times() {
    told("count 1700000\n", "count 1700001\n", Cause::Unknown, None);
    told("id 9999999999\n", "id 1000000001\n", Cause::Unknown, None);
    told("version 10 of Nov\n", "version 77 of Nov\n", Cause::Unknown, None);
    // The date in the line is not what differs.
    told("2026-11-20 result one\n", "2026-11-20 result two\n", Cause::Unknown, None);
}

#[test]
fn paths() {
    told("at /home/ada/src/x.c:7\n", "at /srv/b/src/x.c:7\n", Cause::BuildPath, Some(Level::Isolated));
    told("-I/home/ada/include\n", "-I/home/bob/include\n", Cause::BuildPath, Some(Level::Isolated));
    told("see /tmp/tmpk7bp5a46\n", "see /tmp/tmpfae1im7y\n", Cause::TemporaryName, Some(Level::Deterministic));
    // A checkout below /tmp that a person named.
    told("see /tmp/first/src\n", "see /tmp/second/src\n", Cause::BuildPath, Some(Level::Isolated));
    told("and/or\n", "or/and\n", Cause::Unknown, None);
}

#[test]
fn random_and_opaque_values() {
    let deterministic = Some(Level::Deterministic);
    told("0.8444218515250481\n", "0.2729882300516818\n", Cause::Random, deterministic);
    told(
        "id 3f0593c1-4546-4b15-a886-1ee2400eab2a\n",
        "id 7a416b0c-6fbd-4a0b-9d0a-55cb5f6f2a10\n",
        Cause::Random,
        deterministic,
    );
    told(
        "id 3f0593c1-4546-5b15-a886-1ee2400eab2a\n",
        "id 7a416b0c-6fbd-5a0b-9d0a-55cb5f6f2a10\n",
        Cause::Derived,
        None,
    );
    let (a, b) = ("1".repeat(20) + &"ab".repeat(10), "2".repeat(20) + &"cd".repeat(10));
    told(&format!("sha {a}\n"), &format!("sha {b}\n"), Cause::Opaque, None);
    told("<object at 0x7f0044fa4160>\n", "<object at 0x7f86e506c160>\n", Cause::Address, Some(Level::Normalized));
    told("mask 0x00000001\n", "mask 0x00000003\n", Cause::Unknown, None);
}

#[test]
fn the_machine() {
    told("MemTotal:  8123456 kB\n", "MemTotal:  4123456 kB\n", Cause::HostHardware, Some(Level::Normalized));
    told("2423.18 3954.24\n", "2427.30 3954.53\n", Cause::HostHardware, Some(Level::Normalized));
    told("0.10 0.20 0.30 1/234 567\n", "0.11 0.20 0.30 2/230 999\n", Cause::HostHardware, Some(Level::Normalized));
    told("2\n", "4\n", Cause::Unknown, None);
}

#[test]
fn order_within_a_line() {
    told("['b', 'a', 'c']\n", "['a', 'c', 'b']\n", Cause::Order, Some(Level::Deterministic));
    // Names that changed places while the values beside them changed too, as hash seeds do.
    told("FOO 1\nBAR 2\n", "BAR 3\nFOO 4\n", Cause::Order, Some(Level::Deterministic));
}

#[test]
fn run_records_turn_a_guess_into_a_finding() {
    let host = |name: &str, cpus: &str| HostFacts {
        host_name: Some(name.into()),
        cpu_count: Some(cpus.into()),
        user: Some(String::new()),
        ..HostFacts::default()
    };
    let known = Known { a: host("alpha", "2"), b: host("gamma", "16") };
    let explain = |a: &str, b: &str| explain_content("x", a.as_bytes(), b.as_bytes(), &known, &Limits::STANDARD);
    let found = explain("built on alpha.example\n", "built on gamma.example\n");
    assert_eq!(found.guess().cause, Cause::HostName);
    assert_eq!(found.guess().evidence, "the run records say `alpha` and `gamma`");
    assert_eq!(explain("jobs 2\n", "jobs 16\n").guess().cause, Cause::CpuCount);
    // The record does not explain this one.
    assert_eq!(explain("jobs 2\n", "jobs 3\n").guess().cause, Cause::Unknown);
}

#[test]
fn the_cure_is_that_of_the_hardest_cause_or_unknown() {
    let found = explained("x", b"at /home/ada/x\n0.8444218515250481\n", b"at /home/bob/x\n0.2729882300516818\n");
    assert_eq!(found.fixed_by, Some(Level::Deterministic));
    let found = explained("x", b"at /home/ada/x\nred\n", b"at /home/bob/x\nblue\n");
    assert_eq!((found.guess().cause, found.fixed_by), (Cause::BuildPath, None));
}

#[test]
fn excerpts_cannot_drive_a_terminal() {
    let found = explained("x", b"one \x1b[31mred\x1b[0m\n", "one \u{202e}der\u{7}\n".as_bytes());
    for place in &found.places {
        assert!(!(place.a.contains('\x1b') || place.b.contains('\u{202e}') || place.b.contains('\u{7}')), "{place:?}");
        assert!(!place.guess.evidence.contains('\x1b'));
    }
    let long = explained("x", &[b'a'; 5000], &[b'b'; 6000]);
    assert!(long.places[0].a.chars().count() < 200 && long.places[0].guess.evidence.len() < 600, "{long:#?}");
}
