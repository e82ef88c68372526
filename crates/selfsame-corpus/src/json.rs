//! Documents that two readers could read differently, or that no reader should read to their end.

use serde_json::json;

use crate::attack::Answer::{self, No, Yes};
use crate::attack::{Attack, Source, attack, bundle_files, bundle_question, source_of_file};
use crate::case::Grounds::{Good, Malformed, Strict};
use crate::case::{BUNDLE, Case, Class, Content};
use crate::draft::base64;

/// How deep the deep ones are.
const DEPTH: usize = 200_000;

pub(crate) fn attacks() -> Vec<Attack> {
    let mut attacks = twice();
    attacks.extend(bundles());
    attacks.extend(payloads());
    attacks.extend(spellings());
    attacks
}

/// The good bundle's text after a change.
fn bundle(source: &Source, change: impl FnOnce(String) -> Vec<u8>) -> crate::attack::Made {
    source.bytes(change(String::from_utf8(source.draft().to_bytes()).expect("JSON is UTF-8")))
}

const fn of_bundle(because: &'static str) -> [Answer; 2] {
    [No("bundle", because), No("bundles", because)]
}

const fn of_payload(because: &'static str) -> [Answer; 2] {
    [No("statement", because), No("statements", because)]
}

/// A key that stands twice: the first reader takes the first, the second the last.
fn twice() -> Vec<Attack> {
    vec![
        attack(
            29,
            "payload-twice",
            "the envelope has two payloads, the signed one last",
            Malformed,
            of_bundle("duplicate key `payload`"),
            |s| {
                let forged = base64(s.payload().replacen("1.0.0", "6.6.6", 1).as_bytes());
                s.bytes(s.draft().respelled("\"payload\":", &format!("\"payload\":\"{forged}\",\"payload\":")))
            },
        ),
        attack(
            29,
            "payload-twice-signed-first",
            "the envelope has two payloads, the signed one first",
            Malformed,
            of_bundle("duplicate key `payload`"),
            |s| {
                let forged = base64(s.payload().replacen("1.0.0", "6.6.6", 1).as_bytes());
                let with = format!("\"payload\":\"{forged}\",\"payloadType\":");
                s.bytes(s.draft().respelled("\"payloadType\":", &with))
            },
        ),
        attack(
            29,
            "media-type-twice",
            "the bundle has two media types",
            Malformed,
            of_bundle("duplicate key `mediaType`"),
            |s| s.bytes(s.draft().respelled("\"mediaType\":", "\"mediaType\":\"x\",\"mediaType\":")),
        ),
        attack(
            29,
            "subject-twice",
            "the signed statement has two lists of subjects",
            Malformed,
            of_payload("duplicate key `subject`"),
            |s| s.respelled(",\"subject\":", ",\"subject\":[{\"digest\":{\"sha256\":\"00\"}}],\"subject\":"),
        ),
        attack(
            29,
            "predicate-type-twice",
            "the signed statement has two types",
            Malformed,
            of_payload("duplicate key `predicateType`"),
            |s| s.respelled("\"predicateType\":", "\"predicateType\":\"https://example.com/x\",\"predicateType\":"),
        ),
        attack(
            29,
            "predicate-type-twice-escaped",
            "two types, one key written with an escape",
            Malformed,
            of_payload("duplicate key `predicateType`"),
            |s| {
                s.respelled(
                    "\"predicateType\":",
                    "\"predicate\\u0054ype\":\"https://example.com/x\",\"predicateType\":",
                )
            },
        ),
        attack(
            29,
            "digest-twice",
            "the signed subject has two SHA-256",
            Malformed,
            of_payload("duplicate key `sha256`"),
            {
                |s| {
                    s.respelled(
                        "\"digest\":{\"sha256\":\"",
                        &format!("\"digest\":{{\"sha256\":\"{:064x}\",\"sha256\":\"", 0),
                    )
                }
            },
        ),
    ]
}

/// Bundles that are no document.
fn bundles() -> Vec<Attack> {
    let deep = |open: &'static str, close: &'static str| {
        move |source: &Source| {
            let nested = format!("\"deep\":{}0{},\"dsseEnvelope\":", open.repeat(DEPTH), close.repeat(DEPTH));
            bundle(source, |text| text.replacen("\"dsseEnvelope\":", &nested, 1).into_bytes())
        }
    };
    vec![
        attack(30, "empty", "the bundle is an empty file", Malformed, of_bundle("EOF"), |s| s.bytes(Vec::new())),
        attack(30, "array", "the bundle is a list of one bundle", Malformed, of_bundle("is not an object"), |s| {
            bundle(s, |text| format!("[{text}]").into_bytes())
        }),
        attack(30, "two-documents", "two bundles stand behind one another", Malformed, of_bundle("trailing"), |s| {
            bundle(s, |text| format!("{text}{text}").into_bytes())
        }),
        attack(30, "cut", "the last byte of the bundle is missing", Malformed, of_bundle("EOF"), |s| {
            bundle(s, |text| text.as_bytes()[..text.len() - 1].to_vec())
        }),
        attack(30, "byte-order-mark", "a mark stands before the bundle", Malformed, of_bundle("expected value"), |s| {
            bundle(s, |text| format!("\u{feff}{text}").into_bytes())
        }),
        attack(30, "utf-16", "the bundle is UTF-16", Malformed, of_bundle("key must be a string"), |s| {
            bundle(s, |text| text.encode_utf16().flat_map(u16::to_le_bytes).collect())
        }),
        attack(30, "not-utf-8", "a text in the bundle is not UTF-8", Malformed, of_bundle("unicode"), |s| {
            bundle(s, |text| {
                let mut bytes = text.replacen("{\"", "{\"odd\":\"?\",\"", 1).into_bytes();
                bytes[8] = 0xff;
                bytes
            })
        }),
        attack(30, "comment", "a comment stands in the bundle", Malformed, of_bundle("expected value"), |s| {
            bundle(s, |text| format!("/**/{text}").into_bytes())
        }),
        attack(
            30,
            "deep-lists",
            "200,000 lists within one another",
            Malformed,
            of_bundle("recursion limit"),
            deep("[", "]"),
        ),
        attack(30, "deep-objects", "200,000 objects within one another", Malformed, of_bundle("recursion limit"), {
            deep("{\"a\":", "}")
        }),
        attack(
            31,
            "number-too-large",
            "a number that no computer has room for",
            Malformed,
            of_bundle("number out of range"),
            |s| bundle(s, |text| text.replacen('{', "{\"odd\":1e999,", 1).into_bytes()),
        ),
    ]
}

/// The same in what was signed.
fn payloads() -> Vec<Attack> {
    let deep = |open: &'static str, close: &'static str| {
        move |source: &Source| {
            let nested = format!("{{\"deep\":{}0{},", open.repeat(DEPTH), close.repeat(DEPTH));
            source.resigned(source.payload().replacen('{', &nested, 1))
        }
    };
    vec![
        attack(30, "payload-empty", "nothing was signed", Malformed, of_payload("EOF"), |s| s.resigned("")),
        attack(
            30,
            "payload-array",
            "a list of one statement was signed",
            Malformed,
            of_payload("is not an object"),
            |s| s.resigned(format!("[{}]", s.payload())),
        ),
        attack(30, "payload-of-two", "two statements were signed as one", Malformed, of_payload("trailing"), |s| {
            s.resigned(format!("{0}{0}", s.payload()))
        }),
        attack(30, "payload-cut", "a statement without its last byte was signed", Malformed, of_payload("EOF"), |s| {
            let payload = s.payload();
            s.resigned(&payload.as_bytes()[..payload.len() - 1])
        }),
        attack(
            30,
            "payload-not-utf-8",
            "a text in what was signed is not UTF-8",
            Malformed,
            of_payload("unicode"),
            |s| {
                let mut bytes = s.payload().replacen("{\"", "{\"odd\":\"?\",\"", 1).into_bytes();
                bytes[8] = 0xff;
                s.resigned(bytes)
            },
        ),
        attack(
            30,
            "payload-deep-lists",
            "200,000 lists within one another were signed",
            Malformed,
            of_payload("recursion limit"),
            deep("[", "]"),
        ),
        attack(
            30,
            "payload-deep-objects",
            "200,000 objects within one another were signed",
            Malformed,
            of_payload("recursion limit"),
            deep("{\"a\":", "}"),
        ),
        attack(
            31,
            "payload-number-too-large",
            "a number that no computer has room for was signed",
            Malformed,
            of_payload("number out of range"),
            |s| s.resigned(s.payload().replacen('{', "{\"odd\":1e999,", 1)),
        ),
    ]
}

/// Base64 in other spellings.
fn spellings() -> Vec<Attack> {
    let payload = of_bundle("`payload` is not padded base64");
    let with = |change: fn(String) -> String| {
        move |source: &Source| {
            let mut text = base64(source.payload().as_bytes());
            // One whose last letter has bits to spare.
            let mut draft = source.draft();
            while !text.ends_with('=') {
                draft = crate::draft::Draft::of([&draft.payload[..], b" "].concat()).logged(draft.logged);
                text = base64(&draft.payload);
            }
            let payload = draft.payload.clone();
            let changed = change(text);
            let bundle = draft.changed(|it| it["dsseEnvelope"]["payload"] = json!(changed));
            crate::attack::Made { bundle, payload, label: None }
        }
    };
    vec![
        attack(33, "white-space", "a line break within the base64 of the payload", Malformed, payload, {
            with(|text| format!("{}\n{}", &text[..76], &text[76..]))
        }),
        attack(33, "unpadded", "the base64 of the payload has no padding", Malformed, payload, {
            with(|text| text.trim_end_matches('=').to_owned())
        }),
        attack(
            33,
            "padded-too-much",
            "the base64 of the payload has more padding than it needs",
            Malformed,
            payload,
            with(|text| format!("{text}====")),
        ),
        attack(33, "spare-bits", "bits that say nothing are set at the end of the base64", Malformed, payload, {
            with(|text| {
                let digits = text.trim_end_matches('=');
                let (rest, last) = digits.split_at(digits.len() - 1);
                let next = char::from(last.as_bytes()[0] + 1);
                format!("{rest}{next}{}", &text[digits.len()..])
            })
        }),
        attack(
            33,
            "two-alphabets",
            "both alphabets of base64 in one text",
            Malformed,
            of_bundle("`sig` is not padded base64"),
            |s| {
                let draft = s.draft();
                let bundle = draft.changed(|it| {
                    let sig = &mut it["dsseEnvelope"]["signatures"][0]["sig"];
                    *sig = json!(format!("+-{}", &sig.as_str().expect("a text")[2..]));
                });
                s.bytes(bundle)
            },
        ),
        attack(33, "url-safe", "base64 for URLs, which every reader of DSSE has to take", Good, [Yes, Yes], |s| {
            // One in which it is another spelling: white space behind a document says nothing.
            let mut draft = s.draft();
            while !base64(draft.signature()).contains(['+', '/']) {
                draft = crate::draft::Draft::of([&draft.payload[..], b" "].concat()).logged(draft.logged);
            }
            let bundle = draft.changed(|it| {
                let sig = &mut it["dsseEnvelope"]["signatures"][0]["sig"];
                *sig = json!(sig.as_str().expect("a text").replace('+', "-").replace('/', "_"));
            });
            crate::attack::Made { bundle, payload: draft.payload, label: None }
        }),
    ]
}

/// Endless files in the places where small ones are read.
pub(crate) fn endless() -> Vec<Case> {
    let source = source_of_file();
    let good = source.draft().to_bytes();
    let case = |name: &str, says: &str, content: Content, expected: Answer| {
        let mut files = bundle_files(Vec::new());
        files.insert(BUNDLE.to_owned(), content);
        Case {
            name: format!("json/{name}.file"),
            item: Some(32),
            class: Class::Json,
            says: says.into(),
            question: bundle_question(selfsame_core::uri::PROVENANCE),
            expected: expected.expected().expect("it is asked"),
            grounds: Strict,
            files,
        }
    };
    vec![
        case(
            "a-gigabyte-behind",
            "a gigabyte of nothing behind a good bundle",
            Content::Sparse { head: good.clone(), size_bytes: 1 << 30 },
            No("", "has more than 67108864 bytes"),
        ),
        case(
            "white-space-before",
            "a hundred megabytes of white space before a good bundle",
            Content::Repeated { head: Vec::new(), unit: vec![b' '; 1000], times: 100_000, tail: good },
            No("", "has more than 67108864 bytes"),
        ),
    ]
}
