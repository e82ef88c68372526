//! Packages of npm from registries on loopback; the real registry and npm judge in the network tier.

mod foreign;
mod registry;

use selfsame_core::Sha512Digest;

use super::*;

#[test]
fn names_survive_package_urls() {
    for name in ["express", "@babel/core", "JSONStream"] {
        let integrity = Integrity::of(&Sha512Digest::of(b"x"));
        let package =
            LockedPackage { name: name.to_owned(), version: "1.0.0-rc.1+x".to_owned(), integrity, file: String::new() };
        let part = part(&package, Digest::of(b"x"), 1).unwrap();
        assert_eq!(named(&part).unwrap(), (name.to_owned(), "1.0.0-rc.1+x".to_owned()), "{}", part.purl);
    }
    let integrity = Integrity::of(&Sha512Digest::of(b"x"));
    let (name, version) = ("JSONStream".to_owned(), "1.3.5".to_owned());
    let package = LockedPackage { name, version, integrity, file: String::new() };
    assert_eq!(part(&package, Digest::of(b"x"), 1).unwrap().purl.as_str(), "pkg:npm/jsonstream@1.3.5?name=JSONStream");
    let foreign = Part::new("pkg:pypi/x@1".parse().unwrap(), Digest::of(b"x"), 1, Claim::EcosystemLock);
    assert!(matches!(named(&foreign), Err(PackagesError::Name { .. })));
}
