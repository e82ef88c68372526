use proptest::prelude::*;

use crate::challenge::Challenge;
use crate::link::next_page;

/// `scheme name=value name=value; scheme ...`
#[track_caller]
fn read(header: &str, expected: &str) {
    let print = |challenge: &Challenge| {
        let parameters = challenge.parameters.iter().map(|(name, value)| format!("{name}={value}"));
        std::iter::once(challenge.scheme.clone()).chain(parameters).collect::<Vec<_>>().join(" ")
    };
    let found = Challenge::parse_all(header).iter().map(print).collect::<Vec<_>>().join("; ");
    assert_eq!(found, expected, "{header}");
}

#[test]
fn challenges_as_registries_write_them() {
    read(
        r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#,
        "bearer realm=https://auth.example/token scope=repository:a/b:pull,push service=registry.example",
    );
    read(r#"Basic realm="Registry Realm""#, "basic realm=Registry Realm");
    read(r#"basic realm="x", charset="UTF-8""#, "basic charset=UTF-8 realm=x");
    // Two headers, joined.
    read(r#"Bearer realm="a",service="b", Basic realm="c""#, "bearer realm=a service=b; basic realm=c");
    read("Negotiate, Basic realm=\"c\"", "negotiate; basic realm=c");
    read("Negotiate YWJj==, Basic realm=\"c\"", "negotiate; basic realm=c");
    read("NTLM YWJj, Bearer realm=\"c\"", "ntlm; bearer realm=c");
    // White space where it may stand, and where it may not.
    read("BEARER  realm = \"a\" , service =\"b\"", "bearer realm=a service=b");
    read(",, Bearer realm=\"a\",,service=\"b\",", "bearer realm=a service=b");
    read(r#"Bearer realm="a\"b\\c""#, r#"bearer realm=a"b\c"#);
    read(
        "Bearer realm=https://auth.example/token?x=1,service=b",
        "bearer realm=https://auth.example/token?x=1 service=b",
    );
    read(r#"Bearer realm="first",realm="second""#, "bearer realm=first");
    read(r#"Bearer realm="a",error="invalid_token""#, "bearer error=invalid_token realm=a");
}

#[test]
fn challenges_that_are_cut_or_too_long_end_the_list() {
    read("", "");
    read("Bearer realm=\"a", "bearer");
    read("Bearer realm=\"a\", Basic realm=\"b\\", "bearer realm=a; basic");
    read("realm=\"a\"", "");
    read(&format!("Bearer realm=\"{}\"", "a".repeat(20_000)), "");
    let many = (0..100).map(|number| format!("p{number}=\"x\"")).collect::<Vec<_>>().join(",");
    assert_eq!(Challenge::parse_all(&format!("Bearer {many}"))[0].parameters.len(), 32);
}

#[test]
fn next_pages() {
    let next = |header: &str| next_page(header);
    assert_eq!(next("</v2/a/tags/list?last=x&n=2>; rel=\"next\"").as_deref(), Some("/v2/a/tags/list?last=x&n=2"));
    assert_eq!(next("<https://r.example/a,b>;rel=next").as_deref(), Some("https://r.example/a,b"));
    assert_eq!(next("<a>; rel=\"prev\", <b>; rel=\"next\"").as_deref(), Some("b"));
    assert_eq!(next("<a>; title=\"x\"; rel=\"last NEXT\"").as_deref(), Some("a"));
    for none in ["", "<a", "a; rel=\"next\"", "<a>", "<a>; rel=\"nextpage\"", "<a>; rel=\"prev\""] {
        assert_eq!(next(none), None, "{none}");
    }
}

proptest! {
    #[test]
    fn never_panics(text in "(Bearer|Basic|,|=|\"|\\\\| |realm|a|é){0,60}", other in "\\PC{0,80}") {
        for text in [text, other] {
            prop_assert!(Challenge::parse_all(&text).len() <= 32);
            let _ = next_page(&text);
        }
    }
}
