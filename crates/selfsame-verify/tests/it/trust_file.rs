//! The trust file as text: what is read, what is refused and where, and what others are told of it.

use std::collections::BTreeSet;

use selfsame_attest::{Rotation, sign_statement};
use selfsame_core::{Digest, uri};
use selfsame_verify::{Export, KeyEntry, RotateError, TrustFile};

use crate::fake::{Parts, key};
use crate::trust::day;

fn full() -> TrustFile {
    let mut file = TrustFile::empty();
    let mut release = KeyEntry::new("release-2025", key("signer").public());
    release.identity = "release team".into();
    release.builder_ids = Some(vec!["https://example.com/builders/release".into()]);
    release.note = Some("the token in the \"safe\"\nof the 2nd floor".into());
    release.from = Some(day("2025-01-01"));
    let mut lab = KeyEntry::new("lab", key("lab").public());
    lab.predicates = Some([uri::REBUILD.to_owned(), "https://example.com/other/v1".to_owned()].into());
    lab.until = Some(day("2030-12-31"));
    file.keys = vec![release, lab];
    file.minimum_level = Some("normalized".parse().unwrap());
    file.rebuild_threshold = 1;
    let accepted = BTreeSet::from([Digest::of(b"1.0.0"), Digest::of(b"1.1.0")]);
    let rotation = Rotation::sign(&key("signer"), &key("second").public(), day("2026-06-01"), accepted).unwrap();
    file.rotate(rotation, "release-2026", day("2026-01-01")).unwrap();
    let floor = "[[rollback]]\nname = \"hello\"\nversion = \"1.1.0\"\nepoch = 1700000000\n";
    TrustFile::parse(&format!("{file}\n{floor}")).unwrap()
}

#[test]
fn one_text_for_one_trust() {
    let file = full();
    let text = file.to_string();
    assert_eq!(TrustFile::parse(&text).unwrap(), file);
    insta::assert_snapshot!(text);
}

#[test]
fn faults_have_their_place_and_a_suggestion() {
    let pem = key("signer").public().to_pem();
    let good = format!("version = 1\nserial = 1\n[[key]]\nname = \"a\"\npublic-key = \"\"\"\n{pem}\"\"\"\n");
    TrustFile::parse(&good).unwrap();
    let with = |more: &str| format!("{good}{more}\n");
    let cases = [
        ("".to_owned(), "`version` is missing", None),
        ("version = 2\nkeyring = 1".into(), "version 2 of trust files is not known; 1 is", None),
        ("version = 1".into(), "`serial` is missing", None),
        (format!("kye = 1\n{good}"), "unknown key `kye`", Some("key")),
        (with("builder-id = []"), "unknown key `builder-id` in `key[0]`", Some("builder-ids")),
        (with("builder-ids = [\"x\"]"), "`key[0].builder-ids[0]` is not a URI", None),
        (
            with("predicates = [\"provenence\"]"),
            "`key[0].predicates[0]` is neither a URI nor one of",
            Some("provenance"),
        ),
        (with("predicates = []"), "the key could sign nothing", None),
        (with("from = \"2026-13-01\""), "is not a day like 2026-11-20", None),
        (with("from = 2026-11-20"), "`key[0].from` is a date; a string is wanted", None),
        (with("from = \"2026-02-01\"\nuntil = \"2026-01-01\""), "`key[0].until` is before `from`", None),
        (with("successor-of = \"zebra\""), "no key of this file is called `zebra`", None),
        (with("successor-of = \"a\""), "`a` comes after itself", None),
        (with("identity = \"a\\u0007\""), "holds others than letters", None),
        (with("[threshold]\nrelease = 0"), "`threshold.release` is not from 1 to 256", None),
        (
            with("[threshold]\nrelease = 2"),
            "`threshold.release` asks for 2 identities, and 1 of this file could answer",
            None,
        ),
        (with("[threshold]\nrebuilt = 1"), "unknown key `rebuilt` in `threshold`", Some("rebuild")),
        (with("[[rollback]]\nname = \"x\""), "`rollback` without `version` or `epoch` asks for nothing", None),
        (with("[[rotation]]\nstatement = \"{}\""), "`rotation[0].statement`", None),
        (
            format!("{good}[[key]]\nname = \"a\"\npublic-key = \"\"\"\n{}\"\"\"\n", key("b").public().to_pem()),
            "two keys are called `a`",
            None,
        ),
        (
            format!("{good}[[key]]\nname = \"b\"\npublic-key = \"\"\"\n{pem}\"\"\"\n"),
            "`b` is the same key as `a`",
            None,
        ),
        (good.replace("PUBLIC KEY", "PRIVATE KEY"), "`key[0].public-key`", None),
        ("version = 1\nserial = 1\nversion = 1".into(), "not TOML", None),
        ("x".repeat(TrustFile::LIMIT_BYTES + 1), "at most 1048576 are read", None),
        ("a=[".repeat(20_000), "not TOML", None),
    ];
    for (text, message, suggestion) in cases {
        let error = TrustFile::parse(&text).unwrap_err();
        assert!(error.message.contains(message), "`{}` does not say `{message}`", error.message);
        assert_eq!(error.suggestion.as_deref(), suggestion, "{message}");
        assert!(error.line >= 1 && error.column >= 1);
    }
}

#[test]
fn a_rotation_is_taken_from_a_key_of_the_file_that_may_give_one() {
    let rotation =
        |by: &str, to: &str| Rotation::sign(&key(by), &key(to).public(), day("2026-06-01"), BTreeSet::new()).unwrap();
    let fresh = || {
        let mut file = TrustFile::empty();
        file.keys.push(KeyEntry::new("a", key("a").public()));
        file
    };
    let mut file = fresh();
    assert!(matches!(file.rotate(rotation("stranger", "b"), "b", day("2026-01-01")), Err(RotateError::Stranger)));
    assert!(matches!(file.rotate(rotation("a", "b"), "a", day("2026-01-01")), Err(RotateError::Name { .. })));
    assert!(matches!(file.rotate(rotation("a", "b"), "b\u{1b}", day("2026-01-01")), Err(RotateError::Name { .. })));
    assert_eq!(file, fresh(), "what is refused changes nothing");
    file.rotate(rotation("a", "b"), "b", day("2026-01-01")).unwrap();
    assert!(matches!(file.rotate(rotation("a", "b"), "c", day("2026-01-01")), Err(RotateError::Twice { .. })));
    file.keys[0].compromised = Some(day("2026-01-01"));
    assert!(matches!(file.rotate(rotation("a", "c"), "c", day("2026-01-01")), Err(RotateError::Compromised { .. })));
    // Nor from the one that it named.
    assert!(matches!(file.rotate(rotation("b", "c"), "c", day("2026-01-01")), Err(RotateError::Broken { .. })));
    // A statement of another kind is no rotation, whoever signed it.
    let other = sign_statement(&Parts::good().statements()[2], &key("a")).unwrap();
    assert!(matches!(fresh().rotate(other.envelope().clone(), "x", day("2026-01-01")), Err(RotateError::Refused(_))));
}

#[test]
fn a_key_whose_days_are_over_names_no_successor() {
    let rotation = |to: &str| Rotation::sign(&key("a"), &key(to).public(), day("2025-12-01"), BTreeSet::new()).unwrap();
    let taken = |change: fn(&mut KeyEntry)| {
        let mut file = TrustFile::empty();
        file.keys.push(KeyEntry::new("a", key("a").public()));
        change(&mut file.keys[0]);
        let before = file.clone();
        // The day in it is before all of these: whoever has the key wrote it.
        let taken = file.rotate(rotation("b"), "b", day("2026-01-01")).map(|_| ());
        assert_eq!(taken.is_err(), file == before);
        taken
    };
    taken(|key| key.retired = Some(day("2026-01-02"))).unwrap();
    taken(|key| key.until = Some(day("2026-01-01"))).unwrap();
    let retired = taken(|key| key.retired = Some(day("2026-01-01"))).unwrap_err();
    assert_eq!(retired.to_string(), "`a` is retired since 2026-01-01: it names no successor any more");
    let expired = taken(|key| key.until = Some(day("2025-12-31"))).unwrap_err();
    assert_eq!(expired.to_string(), "`a` counted until 2025-12-31: it names no successor any more");
    // Of two successors only the first one is one, whoever wrote the second into the file.
    let mut file = TrustFile::empty();
    file.keys.push(KeyEntry::new("a", key("a").public()));
    file.rotate(rotation("b"), "b", day("2025-11-01")).unwrap();
    assert!(matches!(file.rotate(rotation("c"), "c", day("2025-11-01")), Err(RotateError::Named { .. })));
    let mut second = KeyEntry::new("c", key("c").public());
    second.successor_of = Some("a".into());
    file.keys.push(second);
    file.rotations.push(rotation("c"));
    let standing = |name: usize| file.at(day("2026-01-01"), "").keys()[name].standing.broken().is_none();
    assert!(standing(1) && !standing(2));
}

#[test]
fn a_successor_says_no_more_than_its_predecessor() {
    let file = full();
    let (before, after) = (&file.keys[0], &file.keys[1]);
    assert_eq!(
        (&after.identity, &after.builder_ids, &after.predicates),
        (&before.identity, &before.builder_ids, &before.predicates)
    );
    // A builder that the key's own text names becomes a line of the file.
    let mut file = TrustFile::empty();
    let named = key("a").public().with_builder_id(Some("https://example.com/b")).unwrap();
    file.keys.push(KeyEntry::new("a", named));
    let rotation = Rotation::sign(&key("a"), &key("b").public(), day("2026-06-01"), BTreeSet::new()).unwrap();
    file.rotate(rotation, "b", day("2026-01-01")).unwrap();
    assert_eq!(file.keys[1].builder_ids, Some(vec!["https://example.com/b".to_owned()]));
}

#[test]
fn in_the_words_of_others() {
    let file = full();
    let export = |format, only: Option<&str>| file.export(format, day("2026-11-20"), "registry.example/*", only);
    for (name, format) in
        [("cosign", Export::Cosign), ("kyverno", Export::Kyverno), ("policy_controller", Export::PolicyController)]
    {
        let exported = export(format, None).unwrap();
        insta::assert_snapshot!(
            format!("export_{name}"),
            format!("{}\nlost:\n- {}", exported.text, exported.lost.join("\n- "))
        );
        for gone in ["signer", "lab"] {
            let line = key(gone).public().to_pem().lines().nth(1).unwrap().to_owned();
            assert!(!exported.text.contains(&line), "{gone} is retired, or may sign no image");
        }
    }
    let before = file.export(Export::Cosign, day("2026-01-01"), "", None).unwrap_err();
    assert!(before.to_string().contains("2 are in use: release-2025, release-2026"), "{before}");
    assert_eq!(
        file.export(Export::Cosign, day("2026-01-01"), "", Some("release-2025")).unwrap().text,
        key("signer").public().to_pem()
    );
    let nobody = file.export(Export::Kyverno, day("2024-01-01"), "", Some("release-2025")).unwrap_err();
    assert!(nobody.to_string().contains("in use on 2024-01-01"), "{nobody}");
    let mut two = file.clone();
    two.release_threshold = 2;
    // One key is in use: no format can ask it for two voices, named alone or not.
    for format in [Export::Cosign, Export::Kyverno, Export::PolicyController] {
        for only in [None, Some("release-2026")] {
            let weaker = two.export(format, day("2026-11-20"), "", only).unwrap_err();
            assert!(weaker.to_string().contains("asks for 2 identities"), "{weaker}");
        }
    }
    // Kyverno counts keys: of two keys of one holder it would take both for two.
    two.keys.push(KeyEntry::new("third", key("third").public()));
    two.keys[1].builder_ids = None;
    two.keys.retain(|key| key.name == "release-2026" || key.name == "third");
    let kyverno = |file: &TrustFile| file.export(Export::Kyverno, day("2026-11-20"), "", None);
    two.keys[0].successor_of = None;
    let counted = kyverno(&two).unwrap();
    assert!(counted.text.contains("count: 2"));
    two.keys[1].identity = two.keys[0].identity.clone();
    assert!(kyverno(&two).unwrap_err().to_string().contains("asks for 2 identities"));
    two.release_threshold = 1;
    let log = selfsame_log::LogSigner::from_seed(&[7; 32]).key("log.example").unwrap();
    two.logs.push(selfsame_verify::trust::LogLine::new(log));
    two.witness_threshold = 1;
    let lost = kyverno(&two).unwrap().lost;
    for told in ["transparency log is not asked for: log.example", "the word of 1 witnesses"] {
        assert!(lost.iter().any(|it| it.contains(told)), "{lost:?}");
    }
}
