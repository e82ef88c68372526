//! Verdicts as pages: golden bytes, and hostile words in every place that a page shows.

use serde_json::Value;

use selfsame_attest::{Statement, Subject, sign_statement};
use selfsame_core::{Digest, uri};
use selfsame_verify::page::{self, Asked};
use selfsame_verify::{Class, Depth, Expectations, Trust, TrustFile, verify, verify_file};

use crate::fake::{self, Parts, key, signed};
use crate::trust::day;
use crate::{Files, expecting, options};

/// Ends an element, begins others, ends an attribute, refers to a character, clears a screen and turns the direction.
const EVIL: &str =
    "</bdi></td></style></title><script>x</script><img src=x onerror=x>\" ' &lt; \u{9b}2J\u{1b}[2J\u{202e}\u{2066}\n";

fn asked<'a>(trust: &'a Trust, expect: &'a Expectations) -> Asked<'a> {
    Asked { name: "hello.release", program: "selfsame 0.0.0", verifier: Digest::of(b"the program"), trust, expect }
}

fn trust_file(text: &str) -> Trust {
    TrustFile::parse(text).expect("a trust file").at(day("2026-11-20"), text)
}

fn of(files: &Files, depth: Depth) -> (Class, String) {
    let trust = Trust::in_keys([key("signer").public()]);
    let options = options(depth);
    let verdict = verify(files, &trust, &options);
    (verdict.class, page::of_release(&verdict, &asked(&trust, &options.expect)))
}

/// Nothing but our own tags, and every one of them closed; nothing from elsewhere.
#[track_caller]
pub(crate) fn harmless(page: &str) {
    for bad in ["<script", "<img", "src=", "href=", "url(", "onerror=\"", "http-equiv=\"refresh"] {
        assert!(!page.replace("&lt;img src=x", "").contains(bad), "{bad}: {page}");
    }
    assert!(!page.chars().any(|c| c != '\n' && (c.is_control() || matches!(c, '\u{200b}'..='\u{206f}'))), "{page}");
    for tag in [
        "html", "head", "body", "main", "style", "title", "table", "tbody", "tr", "td", "th", "bdi", "p", "ul", "li",
        "div", "h2",
    ] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count(), "a table without a caption");
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">") && page.matches("<h1>").count() == 1);
}

#[test]
fn golden_pages() {
    let mut file = TrustFile::empty();
    file.keys = vec![selfsame_verify::KeyEntry::new("release-2026", key("signer").public())];
    let text = file.to_string();
    let trust = trust_file(&text);
    let options = expecting(&["name=hello", "version=1.0.0"]);
    let verdict = verify(&fake::good(), &trust, &options);
    let page = page::of_release(&verdict, &asked(&trust, &options.expect));
    assert_eq!(page, page::of_release(&verdict, &asked(&trust, &options.expect)));
    harmless(&page);
    insta::assert_snapshot!("page_verified", page);

    let mut files = fake::good();
    files.remove("oci-layout");
    let (class, page) = of(&files, Depth::Content);
    assert_eq!(class, Class::NotVerified);
    harmless(&page);
    insta::assert_snapshot!("page_not_verified", page);
}

#[test]
fn the_answer_is_the_verdicts() {
    let (_, page) = of(&fake::good(), Depth::Evidence);
    assert!(
        page.contains("<title>Verified: hello.release</title>")
            && page.contains("<p class=\"answer yes\">Verified.</p>")
    );
    assert!(page.contains("the layers of the image were not read") && !page.contains("down to every file"));
    assert!(page.contains("<li>layers (every layer is safe to unpack and has its diffID): <bdi>not asked for at depth &#96;evidence&#96;</bdi></li>"));
    let stranger = Trust::in_keys([key("stranger").public()]);
    let nobody = Trust::default();
    for (trust, title) in [(&stranger, "Not verified: hello.release"), (&nobody, "Not answered: hello.release")] {
        let verdict = verify(&fake::good(), trust, &options(Depth::Content));
        let page = page::of_release(&verdict, &asked(trust, &Expectations::default()));
        assert!(page.contains(&format!("<title>{title}</title>")) && !page.contains("is what the key"), "{page}");
        assert!(
            page.contains("it should not be used") && !page.contains("memchr"),
            "what nobody vouches for is not shown"
        );
        harmless(&page);
    }
}

#[test]
fn a_page_about_one_file() {
    let file = Digest::of(b"an artifact\n");
    let mut statement = Parts::good().statements().remove(0);
    statement.subjects = vec![Subject::new(EVIL, file)];
    let bundle = sign_statement(&statement, &key("signer")).unwrap().to_bytes();
    let expect = Expectations::default();
    for (trust, class) in [("signer", Class::Verified), ("stranger", Class::NotVerified)] {
        let trust = Trust::in_keys([key(trust).public()]);
        let verdict = verify_file(file, &bundle, &trust, uri::PROVENANCE, &expect);
        assert_eq!(verdict.class, class);
        let page = page::of_file(&verdict, uri::PROVENANCE, &asked(&trust, &expect));
        harmless(&page);
        assert!(page.contains(&file.to_string()), "the whole digest");
        assert_eq!(page.contains("about exactly this file"), class == Class::Verified);
    }
}

/// The places of all strings below a value, as JSON pointers.
fn strings(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(place.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| strings(item, &format!("{place}/{at}"), found));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            strings(field, &format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }),
        _ => {}
    }
}

#[test]
fn hostile_words_in_every_place() {
    let parts = Parts::good();
    let statements = parts.statements();
    let (mut verified, mut shown) = (0, 0);
    for (number, statement) in statements.iter().enumerate() {
        let whole = serde_json::from_slice::<Value>(&statement.to_payload()).unwrap();
        let mut places = Vec::new();
        strings(&whole, "", &mut places);
        for place in places {
            let mut changed = whole.clone();
            *changed.pointer_mut(&place).unwrap() = EVIL.into();
            let Ok(statement) = Statement::parse(&serde_json::to_vec(&changed).unwrap()) else { continue };
            let mut all: Vec<Statement> = statements.clone();
            all[number] = statement;
            if number < 3 {
                all[3] = parts.inventory(&all[..3]);
            }
            let (class, page) = of(&parts.lay_out(&signed(&all, "signer")), Depth::Content);
            harmless(&page);
            verified += usize::from(class == Class::Verified);
            shown += usize::from(page.contains("&lt;script&gt;") || page.contains("<bdi>&lt;/bdi"));
        }
    }
    assert!(verified > 3 && shown > 3, "only {verified} were verified, and {shown} showed something");

    // The person's own words, too: what was judged, and what was expected.
    let trust = Trust::in_keys([key("signer").public()]);
    let expected = format!("name={EVIL}");
    let options = expecting(&[&expected]);
    let verdict = verify(&fake::good(), &trust, &options);
    harmless(&page::of_release(&verdict, &Asked { name: EVIL, ..asked(&trust, &options.expect) }));
}
