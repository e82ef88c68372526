//! in-toto statements: what is one, and what it is about.

use selfsame_attest::{DigestSet, Statement, Subject};
use selfsame_core::{Digest, uri};

use crate::refused;

fn good() -> String {
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"a","digest":{{"sha256":"{}"}}}}],"predicateType":"https://example.com/p","predicate":{{}},"later":1}}"#,
        Digest::of(b"image").hex()
    )
}

#[test]
fn says_what_it_is_about_by_digest_alone() {
    let statement = Statement::parse(good().as_bytes()).unwrap();
    assert!(statement.is_about(Digest::of(b"image")));
    assert!(!statement.is_about(Digest::of(b"other")));
    let hex = Digest::of(b"image").hex();
    for (from, to) in [
        ("\"sha256\"", "\"sha512\"".to_owned()),
        ("\"sha256\"", "\"gitCommit\"".to_owned()),
        ("\"sha256\"", "\"SHA256\"".to_owned()),
        (&hex, format!("sha256:{hex}")),
        (&hex, hex.to_uppercase()),
        (&hex, hex[..62].to_owned()),
    ] {
        let text = good().replace(from, &to);
        assert!(!Statement::parse(text.as_bytes()).unwrap().is_about(Digest::of(b"image")), "{text}");
    }
    let in_the_name = good().replace(&hex, &Digest::of(b"other").hex()).replace("\"a\"", &format!("\"{hex}\""));
    assert!(!Statement::parse(in_the_name.as_bytes()).unwrap().is_about(Digest::of(b"image")));
}

#[test]
fn null_absent_and_empty_are_the_same() {
    let whole = Statement::parse(good().as_bytes()).unwrap();
    for (from, to) in [(r#""predicate":{},"#, ""), (r#""predicate":{}"#, r#""predicate":null"#)] {
        assert_eq!(Statement::parse(good().replace(from, to).as_bytes()).unwrap(), whole);
    }
    let nameless = Statement::parse(good().replace("\"a\"", "null").as_bytes()).unwrap();
    assert_eq!(nameless.subjects[0].name, "");
}

#[test]
fn refuses_what_is_no_statement() {
    let subject = format!(r#"{{"name":"a","digest":{{"sha256":"{}"}}}}"#, Digest::of(b"image").hex());
    let many = |count: usize, name: &str| {
        let subjects: Vec<String> = (0..count)
            .map(|n| {
                subject
                    .replace("\"a\"", &format!("\"{name}{}\"", if name == "n" { n.to_string() } else { String::new() }))
            })
            .collect();
        good().replace(&subject, &subjects.join(","))
    };
    assert!(Statement::parse(many(1024, "n").as_bytes()).is_ok());
    let algorithms: Vec<String> = (0..33).map(|n| format!("\"x{n}\":\"00\"")).collect();
    for (text, because) in [
        (good().replace("Statement/v1", "Statement/v9"), "`_type` is"),
        (good().replace("Statement/v1", "Statement/v0.1"), "`_type` is"),
        (good().replace("_type", "type"), "`_type` is missing"),
        (good().replace("\"https://example.com/p\"", "7"), "`predicateType` is not a string"),
        (good().replace("https://example.com/p", ""), "`predicateType` is not a URI"),
        (good().replace("https://example.com/p", "x y:z"), "`predicateType` is not a URI"),
        (good().replace("\"predicateType\"", "\"x\""), "`predicateType` is missing"),
        (good().replace("\"predicate\":{}", "\"predicate\":[]"), "`predicate` is not an object"),
        (good().replace("\"subject\"", "\"x\""), "`subject` is missing"),
        (good().replace(&format!("[{subject}]"), "[]"), "`subject` is empty"),
        (good().replace(&format!("[{subject}]"), "null"), "`subject` is missing"),
        (good().replace(&format!("[{subject}]"), &subject), "`subject` is not an array"),
        (good().replace(&subject, "7"), "something that is not an object"),
        (good().replace(&subject, r#"{"name":"a"}"#), "names no algorithm"),
        (good().replace(&subject, r#"{"name":"a","digest":{}}"#), "names no algorithm"),
        (good().replace(&subject, r#"{"name":"a","digest":{"sha256":7}}"#), "not an object of strings"),
        (good().replace(&subject, &format!(r#"{{"digest":{{{}}}}}"#, algorithms.join(","))), "more than 32 algorithms"),
        (good().replace(&subject, &subject.replace("\"a\"", "[]")), "`subject.name` is not a string"),
        (good().replace(&subject, &subject.replace("\"a\"", "\"a\\u0000b\"")), "`subject.name` holds a NUL"),
        (many(2, "same"), "two subjects are named `same`"),
        (many(1025, "n"), "1025 subjects"),
        (good().replace("\"later\":1", "\"subject\":[]"), "duplicate key `subject`"),
        (good().replace("\"later\":1", "\"predicate\\u0054ype\":\"x:y\""), "duplicate key `predicateType`"),
        ("7".into(), "`statement` is not an object"),
    ] {
        assert_ne!(text, good());
        refused(Statement::parse(text.as_bytes()), because);
    }
}

#[test]
fn a_name_with_terminal_escapes_is_shown_escaped() {
    let subject = r#"{"name":"\u001b[2J","digest":{"sha256":"00"}}"#;
    let text = format!(
        r#"{{"_type":"{}","subject":[{subject},{subject}],"predicateType":"https://example.com/p"}}"#,
        uri::STATEMENT
    );
    refused(Statement::parse(text.as_bytes()), "\\u{1b}[2J");
}

#[test]
fn prints_canonically_and_reads_itself() {
    let image = Digest::of(b"image");
    let subjects = vec![
        Subject::new("app:1", image),
        Subject { name: String::new(), digest: DigestSet::git("gitCommit", &"0".repeat(40)) },
    ];
    let statement = Statement::cosign_sign(subjects);
    let payload = statement.to_payload();
    assert_eq!(
        String::from_utf8(payload.clone()).unwrap(),
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","predicate":{{}},"predicateType":"https://sigstore.dev/cosign/sign/v1","subject":[{{"digest":{{"sha256":"{}"}},"name":"app:1"}},{{"digest":{{"gitCommit":"{}"}}}}]}}"#,
            image.hex(),
            "0".repeat(40)
        )
    );
    assert_eq!(Statement::parse(&payload).unwrap(), statement);
}

#[test]
fn finds_the_predicates_own_bytes() {
    let predicate =
        serde_json::json!({"a": {"predicate": {}}, "z": ",\"predicateType\":"}).as_object().unwrap().clone();
    let subjects = vec![Subject::new("\"predicate\":{}", Digest::of(b"image"))];
    let statement = Statement::raw(subjects, "https://example.com/p", predicate.clone());
    let payload = statement.to_payload();
    assert_eq!(statement.predicate_bytes(&payload).unwrap(), selfsame_core::json::canonical(&predicate));
    // A payload in another layout has none; the statement is the same.
    let spaced = [b" ".as_slice(), &payload].concat();
    assert_eq!(Statement::parse(&spaced).unwrap(), statement);
    assert_eq!(statement.predicate_bytes(&spaced), None);
}
