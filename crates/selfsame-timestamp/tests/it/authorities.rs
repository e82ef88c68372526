//! Certificates that are an authority's, and those that are not.

use selfsame_testing::time_authority::{TIME_STAMPING, ToCertify, certificates, der, extension, usages};
use selfsame_timestamp::{Authority, Certificate};

use crate::{of, refused};

const CODE_SIGNING: &str = "2b06010505070303";
const ANY: &str = "551d2500";
const CA: &[u8] = &[0x30, 0x03, 0x01, 0x01, 0xff];

fn signer(change: impl FnOnce(&mut ToCertify)) -> ToCertify {
    let mut signer = ToCertify::signer();
    change(&mut signer);
    signer
}

fn root(change: impl FnOnce(&mut ToCertify)) -> ToCertify {
    let mut root = ToCertify::root();
    change(&mut root);
    root
}

/// One between the root and who signs.
fn middle() -> ToCertify {
    let mut middle = ToCertify::root();
    middle.name = "middle";
    middle
}

#[test]
fn an_authority_is_its_certificates() {
    let authority = of(&[ToCertify::signer(), ToCertify::root()]).unwrap();
    let names: Vec<String> = authority.certificates().iter().map(Certificate::name).collect();
    assert_eq!(names, ["tsa.example", "root"]);
    assert_eq!(Authority::parse(&authority.to_string()).unwrap(), authority);
    // One by itself is known because it is named.
    assert_eq!(of(&[ToCertify::signer()]).unwrap().certificates().len(), 1);
    let below = signer(|it| (it.issuer, it.issuer_key) = ("middle", "middle"));
    assert_eq!(of(&[below, middle(), ToCertify::root()]).unwrap().certificates().len(), 3);
    let text = format!("subject: it\n\n{authority}\nthe end\n");
    assert_eq!(Authority::parse(&text).unwrap(), authority);
}

#[test]
fn who_signs_stamps_signs_nothing_else() {
    let with = |extensions: Vec<Vec<u8>>| of(&[signer(|it| it.extensions = extensions)]);
    let good = usages(true, &[TIME_STAMPING]);
    assert!(with(vec![good.clone()]).is_ok());
    refused(with(vec![]), "`tsa.example` says nothing of time stamping");
    refused(with(vec![usages(true, &[CODE_SIGNING])]), "is not for time stamping");
    refused(with(vec![usages(true, &[])]), "is not for time stamping");
    refused(with(vec![usages(true, &[TIME_STAMPING, CODE_SIGNING])]), "is for other uses than time stamping, too");
    refused(with(vec![usages(true, &[TIME_STAMPING, ANY])]), "is for other uses than time stamping, too");
    refused(with(vec![usages(false, &[TIME_STAMPING])]), "does not make its use for time stamping critical");
    let certifying = extension("551d0f", true, &[0x03, 0x02, 0x01, 0x06]);
    refused(with(vec![good.clone(), certifying]), "is not for signatures");
    refused(with(vec![good.clone(), extension("551d13", true, CA)]), "is one that certifies others");
    refused(with(vec![good.clone(), extension("2a0304", true, b"x")]), "the critical extension 1.2.3.4");
    assert!(with(vec![good.clone(), extension("2a0304", false, b"x")]).is_ok());
    refused(with(vec![good.clone(), good]), "extensions says the same thing twice");
    let many = (0..40).map(|number| der(0x30, &[&der(0x06, &[&[0x2a, 3, number]]), &der(0x04, &[])])).collect();
    refused(with(many), "extensions holds more than is read");
}

#[test]
fn whoever_stands_behind_another_certified_it() {
    let behind = |root: ToCertify| of(&[ToCertify::signer(), root]);
    refused(of(&[ToCertify::signer(), middle()]), "`middle`, which stands behind `tsa.example`, is of another name");
    refused(of(&[signer(|it| it.issuer_key = "forger"), ToCertify::root()]), "did not sign it");
    refused(behind(root(|it| it.extensions = vec![])), "may not certify others");
    refused(
        behind(root(|it| it.extensions = vec![extension("551d13", true, &[0x30, 0x00])])),
        "may not certify others",
    );
    let signing = extension("551d0f", true, &[0x03, 0x02, 0x07, 0x80]);
    refused(behind(root(|it| it.extensions = vec![extension("551d13", true, CA), signing])), "may not certify others");
    let code = vec![extension("551d13", true, CA), usages(false, &[CODE_SIGNING])];
    refused(behind(root(|it| it.extensions = code)), "may not certify who stamps time");
    for fine in [TIME_STAMPING, ANY] {
        behind(root(|it| it.extensions = vec![extension("551d13", true, CA), usages(true, &[fine])])).unwrap();
    }
    // None may stand between.
    let alone = root(|it| it.extensions = vec![extension("551d13", true, &[0x30, 6, 1, 1, 0xff, 2, 1, 0])]);
    assert!(behind(alone.clone()).is_ok());
    let below = signer(|it| (it.issuer, it.issuer_key) = ("middle", "middle"));
    refused(of(&[below, middle(), alone]), "may not certify so many below each other");
    // The order is theirs.
    refused(of(&[ToCertify::root(), ToCertify::signer()]), "`root` says nothing of time stamping");
}

#[test]
fn texts_that_are_no_certificates() {
    let good = certificates(&[ToCertify::signer().certify()]);
    refused(Authority::parse(""), "there is no certificate in it");
    refused(Authority::parse("-----BEGIN CERTIFICATE-----\n"), "is not PEM with certificates alone");
    refused(Authority::parse(&good.replace("BEGIN", "END")), "is not PEM with certificates alone");
    refused(Authority::parse(&good.replace("CERTIFICATE", "PUBLIC KEY")), "is not PEM with certificates alone");
    refused(Authority::parse(&good.replacen("MII", "M I", 1)), "is not PEM with certificates alone");
    refused(Authority::parse(&good.repeat(9)), "9 certificates stand there; at most 8 are read");
    refused(Authority::parse(&"x".repeat(Authority::LIMIT_BYTES + 1)), "has 262145 bytes");
    let bytes = ToCertify::signer().certify();
    refused(Certificate::parse(&bytes[..bytes.len() - 1]), "the certificate is not DER");
    refused(Certificate::parse(&[&bytes[..], b"\0"].concat()), "the certificate holds more than it should");
    refused(Certificate::parse(&vec![0x30; 20 << 10]), "has 20480 bytes");
    let mut backwards = ToCertify::signer();
    backwards.days = ["391231235959Z", "200101000000Z"];
    // It counts at no time.
    assert!(of(&[backwards]).is_ok());
}

#[test]
fn no_flipped_bit_is_the_same_certificate() {
    let (bytes, root) = (ToCertify::signer().certify(), ToCertify::root().certify());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            let changed = Authority::parse(&certificates(&[bad, root.clone()]));
            assert!(changed.is_err(), "byte {at}, bit {bit}");
        }
    }
}
