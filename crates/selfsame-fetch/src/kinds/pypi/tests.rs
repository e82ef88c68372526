//! Python packages from indexes on loopback; the real index and pip judge in the network tier.

mod foreign;
mod index;
mod layout;

use selfsame_lock::Claim;

use super::*;

#[test]
fn includes_stay_in_the_source() {
    let path = RelPath::new("a/b/requirements.txt").unwrap();
    let some = |text: &str| Some(RelPath::new(text).unwrap());
    assert_eq!(beside(&path, "more.txt"), some("a/b/more.txt"));
    assert_eq!(beside(&path, "../more.txt"), some("a/more.txt"));
    assert_eq!(beside(&path, "./x/../more.txt"), some("a/b/more.txt"));
    for text in ["../../../etc/passwd", "/etc/passwd", "https://files.example/x.txt", "../.."] {
        assert_eq!(beside(&path, text), None, "{text}");
    }
}

#[test]
fn a_part_names_a_file_of_its_package() {
    let part = |purl: &str| Part::new(purl.parse().unwrap(), Digest::of(b""), 0, Claim::IndexHash);
    assert_eq!(
        file_of(&part("pkg:pypi/flask@3.1.3?file_name=flask-3.1.3-py3-none-any.whl")).unwrap(),
        "flask-3.1.3-py3-none-any.whl"
    );
    for purl in [
        "pkg:pypi/flask@3.1.3",
        "pkg:pypi/flask@3.1.3?file_name=flask-3.1.2-py3-none-any.whl",
        "pkg:pypi/flask@3.1.3?file_name=other-3.1.3.tar.gz",
        "pkg:pypi/flask@3.1.3?file_name=..%2Fflask-3.1.3.tar.gz",
        "pkg:generic/flask@3.1.3?file_name=flask-3.1.3.tar.gz",
    ] {
        let Ok(purl) = purl.parse() else { continue };
        let error = file_of(&Part::new(purl, Digest::of(b""), 0, Claim::IndexHash)).unwrap_err();
        assert!(matches!(error, PackagesError::Name { .. }), "{error}");
    }
}
