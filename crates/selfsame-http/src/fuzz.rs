//! Addresses, proxies, `.netrc` and `origins.toml`, from anybody.

use std::path::Path;

use selfsame_testing::fuzz::{answer, fuzz};

use crate::address::{decode, split_port};
use crate::netrc::Netrc;
use crate::proxy::Proxies;
use crate::{Address, Credential, Environment, Origins};

#[test]
fn fuzz_address() {
    let seeds: [&[u8]; 4] = [
        b"https://user:pass%20word@host.example:8443/a/../b%2fc/./d?x=1&token=secret#f",
        b"http://[2001:db8::1]:80/",
        b"//other.example/path",
        b"../../x?y",
    ];
    let words =
        ["https://", "http://", "file://", "@", ":", "%2e%2e", "[::1]", "/../", "?", "#", "\\", "user:pass@", "xn--"];
    let base = Address::parse("https://base.example/a/b?c").expect("an address");
    fuzz("address", &seeds, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (_, _) = (decode(&text), split_port(&text));
        if let Ok(joined) = base.join(&text) {
            assert!(!joined.request().contains(['\r', '\n', ' ']), "{}", joined.request());
        }
        let address = Address::parse(&text);
        if let Ok(address) = &address {
            assert!(!address.request().bytes().any(|byte| byte <= b' ' || byte == 0x7f), "{:?}", address.request());
            assert!(!address.host().is_empty());
            for no_proxy in ["*", "host.example,.example,10.0.0.0/8", "[::1]"] {
                let variables = [("https_proxy", text.as_ref()), ("no_proxy", no_proxy)];
                let variables = variables.map(|(name, value)| (name.into(), value.into()));
                let _ = Proxies::of(&Environment { variables: variables.into() }).before(address).is_ok();
            }
        }
        answer(address)
    });
}

#[test]
fn fuzz_http_files() {
    let netrc = "machine a.example login user password \"se cret\" # c\nmacdef x\nline\n\ndefault login x password y\n";
    let origins = "[origin.pypi]\nupstream = [\"https://index.example/simple\"]\n\n[origin.\"a.example\"]\nupstream = [\"http://mirror.example/a\"]\ncredential = \"env:TOKEN\"\n\n[store]\nremote = \"oci://registry.example/inputs\"\n";
    let words = [
        "machine ",
        "login ",
        "password ",
        "default",
        "macdef ",
        "\"",
        "[origin.x]\n",
        "upstream = [",
        "credential = ",
        "[store]\n",
        "remote = \"file:",
        "exec:",
    ];
    fuzz("http-files", &[netrc.as_bytes(), origins.as_bytes()], &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let netrc = Netrc::parse(&text);
        let _ = netrc.credential("a.example");
        let _ = Credential::of_text(&text);
        let origins = Origins::parse(&text, Path::new("/folder"));
        if let Ok(origins) = &origins {
            let _ = (origins.upstreams("pypi"), origins.named("a.example").is_some());
        }
        answer(origins)
    });
}
