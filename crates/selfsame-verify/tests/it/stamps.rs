//! Time stamps: what a trusted authority saw before a key's days were over stays good.

use selfsame_attest::Bundle;
use selfsame_testing::time_authority::{ToCertify, ToStamp, certificates};
use selfsame_timestamp::Authority;
use selfsame_verify::trust::TrustedAuthority;
use selfsame_verify::{CheckId, Class, Depth, Expectations, KeyEntry, Outcome, TrustFile, Verdict, verify};

use crate::fake::{Parts, key, signed};
use crate::trust::{day, rebuild};
use crate::{assert_fails, options, verifies};

/// 2026-05-31T12:00:00Z.
const BEFORE: &str = "20260531120000Z";
const LATER: &str = "20260601000000Z";

fn authority() -> TrustedAuthority {
    let pem = certificates(&[ToCertify::signer().certify(), ToCertify::root().certify()]);
    let (name, authority) = ("tsa".to_owned(), Authority::parse(&pem).unwrap());
    TrustedAuthority { name, authority, from: None, until: None }
}

fn bundles() -> Vec<(String, Bundle)> {
    let parsed = |(kind, bytes): (String, Vec<u8>)| (kind, Bundle::parse(&bytes).unwrap());
    signed(&Parts::good().statements(), "signer").into_iter().map(parsed).collect()
}

fn stamp(bundle: &Bundle, time: &str) -> ToStamp {
    ToStamp::over(bundle.signature(), time, &ToCertify::signer().certify())
}

/// The release with stamps on every document.
fn stamped(make: impl Fn(&Bundle) -> Vec<Vec<u8>>) -> Vec<(String, Bundle)> {
    let with = |(kind, bundle): (String, Bundle)| {
        let stamps = make(&bundle);
        (kind, bundle.with_timestamps(stamps))
    };
    bundles().into_iter().map(with).collect()
}

fn at(time: &str) -> Vec<(String, Bundle)> {
    stamped(|bundle| vec![stamp(bundle, time).answer()])
}

fn trusting(change: impl FnOnce(&mut TrustFile)) -> selfsame_verify::Trust {
    let mut file = TrustFile::empty();
    file.keys.push(KeyEntry::new("release", key("signer").public()));
    file.authorities.push(authority());
    change(&mut file);
    let text = file.to_string();
    let parsed = TrustFile::parse(&text).unwrap();
    assert_eq!(parsed, file);
    parsed.at(day("2026-11-20"), &text)
}

fn judge(bundles: &[(String, Bundle)], change: impl FnOnce(&mut TrustFile)) -> Verdict {
    let bundles: Vec<_> = bundles.iter().map(|(kind, bundle)| (kind.clone(), bundle.to_bytes())).collect();
    verify(&Parts::good().lay_out(&bundles), &trusting(change), &options(Depth::Content))
}

fn compromised(file: &mut TrustFile) {
    file.keys[0].compromised = Some(day("2026-06-01"));
}

fn retired(file: &mut TrustFile) {
    file.keys[0].retired = Some(day("2026-06-01"));
}

#[test]
fn what_was_stamped_before_stays_good() {
    for change in [compromised as fn(&mut TrustFile), retired] {
        let verdict = judge(&at(BEFORE), change);
        verifies(&verdict);
        let check = verdict.check(CheckId::TimeStamps);
        assert_eq!(check.outcome, Outcome::Passed);
        let facts: Vec<String> = check.facts.iter().map(|fact| format!("{}: {}", fact.label, fact.value)).collect();
        assert_eq!(facts.len(), 4);
        assert!(facts.contains(&"inventory: 2026-05-31T12:00:00Z by tsa".to_owned()), "{facts:?}");
        let standing = &verdict.check(CheckId::Key).facts[3].value;
        assert!(standing.contains("seen on 2026-05-31, before"), "{standing}");

        assert_fails(&judge(&at(LATER), change), CheckId::Key, "2026-06-01");
        assert_fails(&judge(&bundles(), change), CheckId::Key, "and nothing shows");
        // The inventory names every other document: a stamp on these alone says nothing of it.
        let mut others = at(BEFORE);
        others[3] = bundles().remove(3);
        assert_fails(&judge(&others, change), CheckId::Key, "and nothing shows");
        // Of an authority that nobody named nothing is believed, and nothing held against it.
        let unnamed = judge(&at(BEFORE), |file| {
            change(file);
            file.authorities.clear();
        });
        assert_fails(&unnamed, CheckId::Key, "and nothing shows");
        assert_eq!(unnamed.failed().count(), 1);
    }
    // A clock that may be wrong by a day shows the later day.
    let unsure = stamped(|bundle| {
        let mut stamp = stamp(bundle, BEFORE);
        let day = selfsame_testing::time_authority::der(0x02, &[&86_400_u32.to_be_bytes()[1..]]);
        stamp.info.push(selfsame_testing::time_authority::der(0x30, &[&day]));
        vec![stamp.answer()]
    });
    verifies(&judge(&unsure, |_| {}));
    assert_fails(&judge(&unsure, retired), CheckId::Key, "2026-06-01");
    // The earlier of two counts.
    let twice = stamped(|bundle| vec![stamp(bundle, LATER).answer(), stamp(bundle, BEFORE).answer()]);
    verifies(&judge(&twice, retired));
}

#[test]
fn without_stamps_or_authorities_nothing_is_asked() {
    let reason = |verdict: &Verdict| match &verdict.check(CheckId::TimeStamps).outcome {
        Outcome::NotPerformed { reason } => reason.clone(),
        other => panic!("{other:?}"),
    };
    let none = judge(&bundles(), |_| {});
    verifies(&none);
    assert_eq!(reason(&none), "no document has a time stamp by an authority that the trust names");
    let nobody = judge(&at(BEFORE), |file| file.authorities.clear());
    verifies(&nobody);
    assert_eq!(reason(&nobody), "the trust that was given names no time stamp authority");
    // Stamps decide nothing about what the release is.
    assert_eq!(nobody.evidence.clone().unwrap().into_inner(), none.evidence.clone().unwrap().into_inner());
    let strange = stamped(|bundle| {
        let mut stamp = stamp(bundle, BEFORE);
        stamp.signer = "other.example";
        vec![stamp.answer()]
    });
    let verdict = judge(&strange, |_| {});
    verifies(&verdict);
    assert_eq!(verdict.check(CheckId::TimeStamps).facts[0].value, "4");
}

/// A good stamp does not make up for one that says it is by the same authority and is not.
#[test]
fn a_stamp_that_names_the_authority_and_does_not_hold_is_refused() {
    type Make = fn(&Bundle) -> Vec<u8>;
    let wrong: [(Make, &str); 5] = [
        (
            |_| ToStamp::over(b"another signature", BEFORE, &ToCertify::signer().certify()).answer(),
            "over another signature",
        ),
        (
            |bundle| ToStamp::over(&bundle.envelope().payload, BEFORE, &ToCertify::signer().certify()).answer(),
            "over another",
        ),
        (
            |bundle| {
                let mut stamp = stamp(bundle, BEFORE);
                stamp.key = "forger";
                stamp.answer()
            },
            "is not signed by its authority",
        ),
        (|bundle| stamp(bundle, "20400101000000Z").answer(), "the certificate `tsa.example` did not count"),
        (|_| b"no stamp".to_vec(), "the time stamp response is not DER"),
    ];
    for (make, because) in wrong {
        for good_as_well in [false, true] {
            let mut bundles = at(BEFORE);
            let (kind, bundle) = bundles.remove(3);
            let mut stamps = if good_as_well { bundle.timestamps().to_vec() } else { Vec::new() };
            stamps.push(make(&bundle));
            bundles.push((kind, bundle.with_timestamps(stamps)));
            let verdict = judge(&bundles, |_| {});
            assert_fails(&verdict, CheckId::TimeStamps, because);
            assert!(
                verdict
                    .check(CheckId::TimeStamps)
                    .outcome
                    .reason()
                    .unwrap()
                    .starts_with("the inventory has a time stamp")
            );
            // And it is no evidence of time.
            assert_fails(&judge(&bundles, retired), CheckId::Key, "and nothing shows");
        }
    }
    // The stamps of two documents exchanged.
    let mut bundles = at(BEFORE);
    let [one, other] = [0, 3].map(|place: usize| bundles[place].1.timestamps().to_vec());
    bundles[0].1 = bundles[0].1.clone().with_timestamps(other);
    bundles[3].1 = bundles[3].1.clone().with_timestamps(one);
    assert_fails(&judge(&bundles, retired), CheckId::Key, "and nothing shows");
}

#[test]
fn an_authority_counts_in_its_days() {
    let days = |from: Option<&str>, until: Option<&str>| {
        let [from, until] = [from, until].map(|text| text.map(day));
        move |file: &mut TrustFile| (file.authorities[0].from, file.authorities[0].until) = (from, until)
    };
    verifies(&judge(&at(BEFORE), days(Some("2026-05-31"), Some("2026-05-31"))));
    for (from, until, because) in [
        (Some("2026-06-01"), None, "the authority `tsa` counts from 2026-06-01 on, and this is of 2026-05-31"),
        (None, Some("2026-05-30"), "the authority `tsa` counted until 2026-05-30, and this is of 2026-05-31"),
    ] {
        assert_fails(&judge(&at(BEFORE), days(from, until)), CheckId::TimeStamps, because);
    }
}

/// An authority whose key was certified again, in one trust file with what it was before.
#[test]
fn of_two_certificates_of_one_authority_the_named_one_counts() {
    let again = |file: &mut TrustFile| {
        let mut signer = ToCertify::signer();
        signer.days = ["250101000000Z", "391231235959Z"];
        let pem = certificates(&[signer.certify(), ToCertify::root().certify()]);
        let (name, authority) = ("tsa again".to_owned(), Authority::parse(&pem).unwrap());
        file.authorities.insert(0, TrustedAuthority { name, authority, from: None, until: None });
    };
    let verdict = judge(&at(BEFORE), |file| {
        retired(file);
        again(file);
    });
    verifies(&verdict);
    assert!(verdict.check(CheckId::TimeStamps).facts[0].value.ends_with(" by tsa"));
    let neither = judge(&at(BEFORE), |file| {
        again(file);
        file.authorities.truncate(1);
    });
    assert_fails(&neither, CheckId::TimeStamps, "with another certificate than it names");
}

/// Whoever attaches a document once more, with a stamp that does not hold, takes nothing away.
#[test]
fn of_two_copies_the_stamped_one_counts() {
    for swapped in [false, true] {
        let mut bundles = at(BEFORE);
        let (kind, bundle) = bundles[3].clone();
        let bad = ToStamp::over(b"x", BEFORE, &ToCertify::signer().certify()).answer();
        bundles.push((kind, bundle.with_timestamps(vec![bad])));
        if swapped {
            bundles.swap(3, 4);
        }
        verifies(&judge(&bundles, retired));
    }
}

/// Who rebuilt it before the key was retired has rebuilt it.
#[test]
fn a_stamped_rebuild_stays_one() {
    let parts = Parts::good();
    let statement = rebuild(&parts, "second", |_| {});
    let judged = |statement: &[u8], change: fn(&mut TrustFile)| {
        let mut files = parts.release();
        files.insert("rebuild-lab.sigstore.json".into(), statement.to_vec());
        let trust = trusting(|file| {
            file.keys.push(KeyEntry::new("lab", key("second").public()));
            file.rebuild_threshold = 1;
            change(file);
        });
        verify(&files, &trust, &options(Depth::Content))
    };
    let with = |time: &str| {
        let bundle = Bundle::parse(&statement).unwrap();
        let stamp = stamp(&bundle, time).answer();
        bundle.with_timestamps(vec![stamp]).to_bytes()
    };
    verifies(&judged(&statement, |_| {}));
    let over: [fn(&mut TrustFile); 2] = [
        |file| file.keys[1].retired = Some(day("2026-06-01")),
        |file| file.keys[1].compromised = Some(day("2026-06-01")),
    ];
    for change in over {
        verifies(&judged(&with(BEFORE), change));
        for late in [statement.clone(), with(LATER)] {
            assert_fails(&judged(&late, change), CheckId::Threshold, "0 of the 1 other identities");
        }
    }
    // One that does not hold is none.
    let bad = ToStamp::over(b"x", BEFORE, &ToCertify::signer().certify()).answer();
    let bad = Bundle::parse(&statement).unwrap().with_timestamps(vec![bad]).to_bytes();
    verifies(&judged(&bad, |_| {}));
    assert_fails(&judged(&bad, over[0]), CheckId::Threshold, "0 of the 1 other identities");
}

#[test]
fn one_file_with_a_stamp() {
    let image = Parts::good().image_digest();
    let judge = |bundles: &[(String, Bundle)], change: fn(&mut TrustFile)| {
        let (kind, bundle) = &bundles[0];
        selfsame_verify::verify_file(image, &bundle.to_bytes(), &trusting(change), kind, &Expectations::default())
    };
    let good = judge(&at(BEFORE), retired);
    assert_eq!(good.class, Class::Verified, "{:?}", good.checks);
    let row = |verdict: &selfsame_verify::FileVerdict| {
        verdict.checks.iter().find(|check| check.id == "time-stamps").unwrap().clone()
    };
    assert_eq!(row(&good).facts[0].value, "2026-05-31T12:00:00Z by tsa");
    assert_eq!(judge(&at(LATER), retired).failed().unwrap().id, "key");
    let other = stamped(|_| vec![ToStamp::over(b"x", BEFORE, &ToCertify::signer().certify()).answer()]);
    let failed = judge(&other, |_| {});
    assert_eq!(failed.failed().unwrap().id, "time-stamps");
    assert!(row(&failed).outcome.reason().unwrap().contains("the bundle has a time stamp that does not count"));
}

#[test]
fn authorities_of_a_trust_file() {
    let mut file = TrustFile::empty();
    file.authorities.push(TrustedAuthority { from: Some(day("2026-01-01")), ..authority() });
    let good = file.to_string();
    assert_eq!(TrustFile::parse(&good).unwrap(), file);
    let table = &good[good.find("[[timestamp-authority]]").unwrap()..];
    for (text, because) in [
        (format!("{good}\n{table}"), "`tsa` is the same time stamp authority as `tsa`"),
        (
            format!("{good}\n{}", table.replace("\"tsa\"", "\"other\"")),
            "`other` is the same time stamp authority as `tsa`",
        ),
        (good.replace("BEGIN CERT", "BEGIN CART"), "is not PEM with certificates alone"),
        (good.replace("from = \"2026-01-01\"", "until = \"x\""), "`timestamp-authority[0].until`"),
        (good.replace("name = \"tsa\"\n", ""), "`timestamp-authority[0].name` is missing"),
        (good.replace("from =", "since ="), "unknown key `since` in `timestamp-authority[0]`"),
    ] {
        let error = TrustFile::parse(&text).unwrap_err();
        assert!(error.message.contains(because), "`{}` does not say `{because}`", error.message);
    }
}
