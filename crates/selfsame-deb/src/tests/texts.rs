//! Versions, relations, paragraphs, sources and scripts.

use std::cmp::Ordering;

use proptest::prelude::*;

use crate::{Alternative, Stanza, Stanzas, Version, alternatives, parse_list, parse_sources, parse_uris, relations};

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

#[test]
fn versions_are_ordered_as_dpkg_orders_them() {
    // From dpkg's own tests and from deb-version(7).
    let ascending = [
        "0~~",
        "0~~a",
        "0~",
        "0",
        "0a",
        "0+",
        "0.0",
        "1.0~beta1~svn1245",
        "1.0~beta1",
        "1.0",
        "1.0-1~bpo11+1",
        "1.0-1",
        "1.0-1+b1",
        "1.0-1.1",
        "1.0-9",
        "1.0-10",
        "1.1",
        "2.36-9+deb12u2",
        "2.36-9+deb12u14",
        "10",
        "1:0",
        "1:0.1-1",
        "2:0",
    ];
    for (at, one) in ascending.iter().enumerate() {
        for (other_at, other) in ascending.iter().enumerate() {
            assert_eq!(version(one).cmp(&version(other)), at.cmp(&other_at), "{one} against {other}");
        }
    }
    for (one, other) in [("1.0", "0:1.0-0"), ("1.0", "1.00"), ("1-0", "1")] {
        assert_eq!(version(one).cmp(&version(other)), Ordering::Equal, "{one} is {other}");
    }
    for text in ["", ":1", "a:1", "-1:1", "1:", "1-", "1_0", "1/2", "1 2", "1:1-1:1", "99999999999:1"] {
        assert!(text.parse::<Version>().is_err(), "{text}");
    }
    assert_eq!(version("1:2.3-4").without_epoch(), "2.3-4");
}

#[test]
fn relations_of_a_field() {
    let lists = relations("libc6 (>= 2.34), libgcc-s1:any (<< 14) | foo (=1:2-3),  bar [amd64] <!nocheck>,").unwrap();
    let names: Vec<Vec<&str>> = lists.iter().map(|list| list.iter().map(|one| one.name.as_str()).collect()).collect();
    assert_eq!(names, [vec!["libc6"], vec!["libgcc-s1", "foo"], vec!["bar"]]);
    assert!(lists[0][0].holds(&version("2.36-9")) && !lists[0][0].holds(&version("2.33")));
    assert!(lists[1][0].holds(&version("12.2.0-14")) && !lists[1][0].holds(&version("14")));
    assert!(lists[1][1].holds(&version("1:2-3")) && !lists[1][1].holds(&version("1:2-4")));
    for text in
        ["Upper", "a (>= 1)", "foo (1.0)", "foo (>= )", "foo (=> 1)", "foo bar", "foo || bar", "${misc:Depends}"]
    {
        assert_eq!(relations(text), None, "{text}");
    }
    assert_eq!(relations(""), Some(vec![]));
}

#[test]
fn paragraphs() {
    let text = "# a comment\nA: 1\nB:\n two\n .\n three  \n\n\nC: x: y\n";
    let stanzas: Vec<Stanza> = Stanzas::new(text).collect::<Result<_, _>>().unwrap();
    assert_eq!(stanzas.len(), 2);
    assert_eq!(stanzas[0].get("b"), Some("\n two\n .\n three"));
    assert_eq!(stanzas[1].get("C"), Some("x: y"));
    assert_eq!(stanzas[0].to_string(), "A: 1\nB:\n two\n .\n three\n");
    for (text, expect) in [
        (" x", "line 1 continues a field where none is"),
        ("A: 1\nnothing", "line 2 is no `Field: value`"),
        ("A: 1\n: 2", "line 2 has no field name in front of its colon"),
        ("A: 1\na: 2", "line 2 has a field that the paragraph has already"),
        ("A: 1\n\nB: 2", "line 3 belongs to a second paragraph"),
        ("", "line 1 should begin a paragraph"),
    ] {
        assert_eq!(Stanza::parse(text).unwrap_err().to_string(), expect);
    }
}

#[test]
fn sources_of_both_forms_are_one() {
    let list = parse_list(
        "# comment\ndeb [arch=amd64,arm64 signed-by=/k.gpg trusted=yes] http://example.org/debian bookworm main contrib # x\n\
         deb-src http://example.org/debian bookworm main\n\ndeb cdrom:[Debian 12 _Bookworm_]/ bookworm main\n\
         deb https://example.org/flat ./\n",
    )
    .unwrap();
    let deb822 = parse_sources(
        "Types: deb deb-src\nURIs: http://example.org/debian\nSuites: bookworm\nComponents: main contrib\n\
         Architectures: amd64 arm64\nSigned-By: /k.gpg\nTrusted: yes\n\nEnabled: no\nTypes: deb\nURIs: x:/\nSuites: y\n\n\
         Types: deb-src\nURIs: http://example.org/debian\nSuites: bookworm\n",
    )
    .unwrap();
    assert_eq!(list[0], deb822[0]);
    assert_eq!(deb822.len(), 1);
    assert_eq!(list[1].uris, ["cdrom:[Debian 12 _Bookworm_]"]);
    assert_eq!(
        (list[1].suites.as_slice(), list[2].suites.as_slice()),
        (&["bookworm".to_owned()][..], &["./".to_owned()][..])
    );
    // What would make an unsigned list count is not kept.
    let kept = list[0].stanza(&["Signed-By", "Architectures"]).to_string();
    assert_eq!(
        kept,
        "Types: deb\nURIs: http://example.org/debian\nSuites: bookworm\nComponents: main contrib\nArchitectures: amd64 arm64\nSigned-By: /k.gpg\n"
    );
    for text in ["deb", "rpm http://x y", "deb http://x", "deb [a http://x y", "deb [trusted] http://x y"] {
        assert!(parse_list(text).is_err(), "{text}");
    }
    assert!(parse_sources("Types: deb\nURIs: http://x\n").is_err());
}

#[test]
fn suites_and_what_belongs_to_them() {
    use crate::Source;
    for (suite, wanted, expect) in [
        ("bookworm", "bookworm", true),
        ("bookworm-security", "bookworm", true),
        ("bookworm-updates", "bookworm", true),
        ("bookworm-backports", "bookworm", false),
        ("bookworm", "book", false),
        ("trixie", "bookworm", false),
    ] {
        assert_eq!(Source::belongs_to(suite, wanted), expect, "{suite} {wanted}");
    }
}

#[test]
fn what_apt_would_download() {
    let hex = "0218fc2befcd784c1b0c6292c0a137ce89fad054efaa579ad083bee0f2c01aae";
    let text = format!("Reading package lists...\n'http://h/p/a_1_all.deb' a_1_all.deb 12 SHA256:{hex}\n");
    let uris = parse_uris(&text).unwrap();
    assert_eq!(
        (uris[0].uri.as_str(), uris[0].size, uris[0].sha256.hex()),
        ("http://h/p/a_1_all.deb", 12, hex.to_owned())
    );
    for line in [
        "'http://h/a.deb' a.deb 12 MD5Sum:0123".to_owned(),
        format!("'http://h/a.deb' ../a.deb 12 SHA256:{hex}"),
        format!("'http://h/a.deb' a.deb -12 SHA256:{hex}"),
        format!("'http://h/a.deb a.deb 12 SHA256:{hex}"),
        format!("'http://h/a.deb' a.deb 12 SHA256:{}", &hex[1..]),
    ] {
        assert_eq!(parse_uris(&line), Err(line));
    }
}

#[test]
fn alternatives_are_read_where_every_word_is_literal() {
    let script = r#"#!/bin/sh
set -e
if [ "$1" = configure ]; then
# update-alternatives --install /usr/bin/no no /usr/bin/no 1
update-alternatives --quiet \
    --install /usr/bin/cc cc /usr/bin/gcc 20 \
    --slave /usr/share/man/man1/cc.1.gz cc.1.gz /usr/share/man/man1/gcc.1.gz
  update-alternatives --install "/usr/bin/c99" c99 /usr/bin/c99-gcc 20 >/dev/null || true
update-alternatives --install /usr/bin/c89 c89 /usr/bin/c89-gcc 20 \
    #--slave /usr/share/man/man1/c89.1.gz c89.1.gz /usr/share/man/man1/c89-gcc.1.gz
for i in a b; do update-alternatives --install /usr/bin/$i $i /usr/bin/$i.x 10; done
update-alternatives --install /usr/bin/x x `which y` 10
update-alternatives --install /usr/../x x /bin/y 10
update-alternatives --install /usr/bin/x ../x /bin/y 10
update-alternatives --remove cc /usr/bin/gcc
fi
"#;
    let alternative = |name: &str, path: &str, slaves: &[(&str, &str, &str)]| Alternative {
        link: format!("usr/bin/{name}"),
        name: name.to_owned(),
        path: path.to_owned(),
        priority: 20,
        slaves: slaves.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect(),
    };
    let slave = ("usr/share/man/man1/cc.1.gz", "cc.1.gz", "usr/share/man/man1/gcc.1.gz");
    assert_eq!(
        alternatives(script),
        [
            alternative("cc", "usr/bin/gcc", &[slave]),
            alternative("c99", "usr/bin/c99-gcc", &[]),
            alternative("c89", "usr/bin/c89-gcc", &[])
        ]
    );
}

proptest! {
    #[test]
    fn versions_have_one_order(a in "[0-9a-z.+~-]{1,12}", b in "[0-9a-z.+~-]{1,12}", c in "[0-9a-z.+~-]{1,12}") {
        let parsed: Vec<Version> = [a, b, c].iter().filter_map(|text| text.parse().ok()).collect();
        for one in &parsed {
            prop_assert_eq!(one.cmp(one), Ordering::Equal);
            for other in &parsed {
                prop_assert_eq!(one.cmp(other), other.cmp(one).reverse());
                for third in &parsed {
                    if one <= other && other <= third {
                        prop_assert!(one <= third, "{} {} {}", one, other, third);
                    }
                }
            }
        }
    }

    #[test]
    fn printed_paragraphs_are_read_back(fields in proptest::collection::btree_map("[A-Z][a-z]{0,8}", "([!-~]([ -~]{0,20}[!-~])?)?(\n [!-~][!-~ ]{0,10}[!-~]){0,3}", 1..6)) {
        let stanza = Stanza::new(fields.into_iter().collect());
        prop_assert_eq!(Stanza::parse(&stanza.to_string()).unwrap(), stanza);
    }

    #[test]
    fn texts_never_panic(text in "\\PC{0,200}", lines in "[ -~\n]{0,300}") {
        for text in [&text, &lines] {
            let _ = (text.parse::<Version>(), relations(text), Stanza::parse(text), parse_list(text), parse_sources(text));
            let _ = (parse_uris(text), alternatives(&format!("update-alternatives --install {text}")));
            let _ = crate::licence_of_copyright(&format!("Format: copyright-format\n\nFiles: *\nLicense: {text}"));
        }
    }
}
