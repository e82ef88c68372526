//! Modules of go from proxies on loopback; go judges in the network tier.

mod foreign;
mod proxy;

use super::*;

#[test]
fn paths_survive_package_urls() {
    for path in ["golang.org/x/text", "github.com/BurntSushi/toml", "gopkg.in/yaml.v3", "rsc.io"] {
        let module = Module::new(path, "v1.0.0-rc.1+incompatible").unwrap();
        let part = part(&module, ZIP, Digest::of(b"x"), 1).unwrap();
        assert_eq!(named(&part).unwrap(), (module, ZIP), "{}", part.purl);
    }
    let module = Module::new("github.com/BurntSushi/toml", "v1.5.0").unwrap();
    let purl = part(&module, MOD, Digest::of(b"x"), 1).unwrap().purl;
    assert_eq!(purl.as_str(), "pkg:golang/github.com/burntsushi/toml@v1.5.0?name=github.com%2FBurntSushi%2Ftoml");
    let mut foreign = Part::new("pkg:golang/x@1".parse().unwrap(), Digest::of(b"x"), 1, Claim::EcosystemLock);
    foreign.role = Some(ZIP.to_owned());
    assert!(matches!(named(&foreign), Err(PackagesError::Name { .. })));
}
