use crate::address::{Address, escape};

fn address(text: &str) -> Address {
    Address::parse(text).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn joins_what_registries_answer_with() {
    let here = address("https://registry.example:5000/v2/a/b/blobs/uploads/?x=1");
    for (text, expected) in [
        (
            "/v2/a/b/blobs/uploads/77?_state=a%3D%3D",
            "https://registry.example:5000/v2/a/b/blobs/uploads/77?_state=a%3D%3D",
        ),
        ("77?y", "https://registry.example:5000/v2/a/b/blobs/uploads/77?y"),
        ("?last=x", "https://registry.example:5000/v2/a/b/blobs/uploads/?last=x"),
        ("//storage.example/x", "https://storage.example/x"),
        ("https://storage.example/x?sig=%2F#frag", "https://storage.example/x?sig=%2F"),
        ("http://localhost:5000", "http://localhost:5000/"),
        ("/v2/x?next=http://other.example", "https://registry.example:5000/v2/x?next=http://other.example"),
    ] {
        assert_eq!(here.join(text).unwrap_or_else(|| panic!("{text}")).to_string(), expected);
    }
    for none in [
        "",
        "ftp://a.example/x",
        "https://",
        "https://user:word@a.example/x",
        "/a b",
        "/a\nb",
        "https://a.example\\@b.example/",
    ] {
        assert_eq!(here.join(none), None, "{none}");
    }
}

#[test]
fn one_origin_however_it_is_spelled() {
    let same = |one: &str, other: &str| address(one).same_origin(&address(other));
    assert!(same("https://a.example/x", "https://A.example:443/y?z"));
    assert!(same("http://[::1]:80/", "http://[0:0::1]/"));
    assert!(!same("https://a.example/", "http://a.example/"));
    assert!(!same("https://a.example/", "https://a.example:444/"));
    assert!(!same("https://a.example/", "https://b.a.example/"));
}

#[test]
fn parameters_are_escaped() {
    let with = address("https://a.example/x").with_parameter("digest", "sha256:ab").with_parameter("s", "a b&c=d/é+");
    assert_eq!(with.to_string(), "https://a.example/x?digest=sha256%3Aab&s=a%20b%26c%3Dd%2F%C3%A9%2B");
    assert_eq!(escape("aZ09-._~"), "aZ09-._~");
}
