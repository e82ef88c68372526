//! Locks side by side.

use std::fmt::Write as _;

use selfsame_core::{Digest, Profile};

use super::{Aged, Change, Counts, LockDiff, PartTitle, aged};
use crate::lock::{Claim, InputKind, Lock, Locked, Part};
use crate::purl::Purl;
use selfsame_core::Day;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn deb(name: &str, version: &str, claim: Claim) -> Part {
    let purl = Purl::deb("debian", name, version, "amd64").unwrap();
    let sha256 = Digest::of(format!("{name} {version}").as_bytes());
    Part::new(purl, sha256, 1000, claim)
}

fn layer(content: &str) -> Part {
    let sha256 = Digest::of(content.as_bytes());
    let mut part = Part::new(Purl::generic("base", None).unwrap(), sha256, 5, Claim::ManifestDigest);
    part.role = Some("layer".to_owned());
    part
}

fn input(asked: &str, as_of: &str, mut parts: Vec<Part>) -> Locked {
    parts.sort_unstable();
    Locked { kind: InputKind::Deb, asked: asked.to_owned(), as_of: day(as_of), normalisers: Vec::new(), parts }
}

fn lock(inputs: Vec<(&str, Locked)>) -> Lock {
    let inputs = inputs.into_iter().map(|(name, input)| (name.parse().unwrap(), input)).collect();
    Lock { profile: Profile::CURRENT, inputs }
}

/// All of a difference that is not a copy of a part, one line each.
fn shown(diff: &LockDiff) -> String {
    let mut text = String::new();
    for (name, input) in &diff.inputs {
        _ = writeln!(text, "{} {name}, {} the same", input.change().name(), input.same_parts);
        for part in &input.parts {
            let notes = [
                (part.is_republished(), "republished"),
                (part.is_vouched_less(), "vouched less"),
                (part.is_unvouched(), "unvouched"),
            ];
            let notes: Vec<&str> = notes.into_iter().filter(|(so, _)| *so).map(|(_, note)| note).collect();
            let (before, after) = part.versions();
            let change = part.change().name();
            let line = format!("  {change} {}: {before:?} {after:?} {}", part.title(), notes.join(", "));
            _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

#[test]
fn inputs_and_parts_by_what_they_are_called() {
    let signed = Claim::SignedRelease;
    let before = lock(vec![
        ("gone", input("tcc", "2026-01-01", vec![deb("tcc", "0.9", signed)])),
        ("kept", input("jq", "2026-01-01", vec![deb("jq", "1.6-2.1", signed)])),
        ("same", input("zstd", "2026-01-01", vec![deb("zstd", "1.5", signed)])),
        (
            "tools",
            input(
                "gcc libc6-dev",
                "2026-01-01",
                vec![deb("gcc", "4:12.2.0-3", signed), deb("libc6", "2.36-9", signed), deb("old", "1", signed)],
            ),
        ),
    ]);
    let mut republished = deb("libc6", "2.36-9", Claim::TlsOnly);
    republished.sha256 = Digest::of(b"another libc");
    let after = lock(vec![
        ("kept", input("jq", "2026-02-01", vec![deb("jq", "1.6-2.1", signed)])),
        ("new", input("make", "2026-02-01", vec![deb("make", "4.3", Claim::Plaintext)])),
        ("same", input("zstd", "2026-01-01", vec![deb("zstd", "1.5", signed)])),
        (
            "tools",
            input(
                "gcc libc6-dev",
                "2026-02-01",
                vec![deb("gcc", "4:12.3.0-1", signed), republished, deb("x", "1", signed)],
            ),
        ),
    ]);
    let diff = LockDiff::between(&before, &after);
    insta::assert_snapshot!(shown(&diff), @r#"
    removed gone, 0 the same
      removed pkg:deb/debian/tcc amd64: Some("0.9") None
    confirmed kept, 1 the same
    added new, 0 the same
      added pkg:deb/debian/make amd64: None Some("4.3") unvouched
    changed tools, 0 the same
      changed pkg:deb/debian/gcc amd64: Some("4:12.2.0-3") Some("4:12.3.0-1")
      changed pkg:deb/debian/libc6 amd64: Some("2.36-9") Some("2.36-9") republished, vouched less, unvouched
      removed pkg:deb/debian/old amd64: Some("1") None
      added pkg:deb/debian/x amd64: None Some("1")
    "#);
    let counts = Counts { added: 2, changed: 2, removed: 2, republished: 1, vouched_less: 1, unvouched: 2 };
    assert_eq!(diff.counts(), counts);
    let without: Vec<_> = diff.without_confirmed().inputs.into_keys().collect();
    assert_eq!(without.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["gone", "new", "tools"]);
}

/// A lock that is nobody's edits makes no difference to itself; what makes one prints otherwise, and the other way round.
#[test]
fn there_is_a_difference_where_the_texts_are_different() {
    let one = lock(vec![("tools", input("gcc", "2026-01-01", vec![deb("gcc", "1", Claim::SignedRelease)]))]);
    let mut variants = vec![one.clone()];
    let mut vary = |change: &dyn Fn(&mut Locked)| {
        let mut lock = one.clone();
        change(lock.inputs.values_mut().next().unwrap());
        variants.push(lock);
    };
    vary(&|input| input.as_of = day("2026-01-02"));
    vary(&|input| input.asked.push('!'));
    vary(&|input| input.kind = InputKind::File);
    vary(&|input| input.parts[0].claim = Claim::TlsOnly);
    vary(&|input| input.parts[0].size += 1);
    vary(&|input| input.parts[0].sha256 = Digest::of(b"other"));
    vary(&|input| input.parts[0].source = Some("gcc-defaults@1".to_owned()));
    vary(&|input| input.parts.push(deb("zlib1g", "1", Claim::SignedRelease)));
    variants.push(lock(vec![]));
    for left in &variants {
        for right in &variants {
            let diff = LockDiff::between(left, right);
            assert_eq!(diff.is_empty(), left.to_string() == right.to_string(), "{left}\n{right}");
            assert_eq!(diff.counts().added, LockDiff::between(right, left).counts().removed);
        }
    }
}

/// Nothing says which of two layers became which of two others.
#[test]
fn parts_of_one_title_are_not_guessed_at() {
    let before = lock(vec![("base", input("debian", "2026-01-01", ["a", "b", "c"].map(layer).to_vec()))]);
    let after = lock(vec![("base", input("debian", "2026-01-01", ["a", "d", "e"].map(layer).to_vec()))]);
    let diff = LockDiff::between(&before, &after);
    let changes: Vec<Change> =
        diff.inputs.values().flat_map(|input| &input.parts).map(super::PartDiff::change).collect();
    assert_eq!(changes, [Change::Removed, Change::Removed, Change::Added, Change::Added]);
    assert_eq!(diff.inputs.values().next().unwrap().same_parts, 1);
}

#[test]
fn ages() {
    let of = |as_of: &str| lock(vec![("tools", input("gcc", as_of, vec![deb("gcc", "1", Claim::SignedRelease)]))]);
    let days = |as_of: &str, max: u32| -> Option<Option<u32>> {
        aged(&of(as_of), day("2026-03-01"), max).into_iter().next().map(|Aged { days, .. }| days)
    };
    assert_eq!(days("2026-03-01", 0), None);
    assert_eq!(days("2026-02-28", 0), Some(Some(1)));
    assert_eq!(days("2026-01-30", 30), None);
    assert_eq!(days("2026-01-29", 30), Some(Some(31)));
    // A machine east of here may be a day ahead; a year ahead is no clock's.
    assert_eq!(days("2026-03-02", 30), None);
    assert_eq!(days("2027-03-01", 3650), Some(None));
}

#[test]
fn titles_for_people() {
    let plain = |purl: &str, role: Option<&str>, platform: Option<&str>| {
        let mut part = Part::new(purl.parse().unwrap(), Digest::of(b"x"), 1, Claim::TlsOnly);
        part.role = role.map(str::to_owned);
        part.platform = platform.map(|platform| platform.parse().unwrap());
        PartTitle::of(&part).plain()
    };
    assert_eq!(plain("pkg:deb/debian/g%2B%2B@4:12.2.0-3?arch=amd64", None, None), "g++ amd64");
    assert_eq!(plain("pkg:npm/%40babel/core@7.29.0", None, None), "@babel/core");
    assert_eq!(plain("pkg:golang/golang.org/x/text@v0.3.0", Some("zip"), None), "golang.org/x/text zip");
    let layer = plain("pkg:oci/busybox@sha256:00?arch=amd64", Some("layer"), Some("linux/amd64"));
    assert_eq!(layer, "busybox layer linux/amd64");
}
