//! Policies: what is one, what it answers, that it has no world, and that steps end it.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::facts::{FACTS, There, find};
use crate::{Answered, Asked, Desk, FACTS_SCHEMA, Policy, PolicyError, Reads, Ruler, Ruling, Unruled, built_in, rule};

fn facts() -> Value {
    json!({
        "schema": FACTS_SCHEMA,
        "depth": "content",
        "day": {"date": "2026-11-20", "number": 20777},
        "release": {"name": "hello", "version": "1.0.0", "platform": "linux/amd64", "platforms": ["linux/amd64"],
            "image": "sha256:aa", "id": "sha256:bb", "epoch": 1_700_000_000, "day": 19675},
        "builder": {"id": "https://example.com/builder", "development": false},
        "signers": [{"identity": "release team", "name": "release"}],
        "rebuilders": [],
        "level": {"asked": "normalized", "achieved": "normalized"},
        "profile": 1,
        "checked": {"twice": true, "because": ""},
        "relaxations": [],
        "source": {"uri": "selfsame:source", "commit": "0123", "dirty": false},
        "inputs": [{"name": "selfsame.toml", "uri": "selfsame:definition", "digest": {"sha256": "00"}}],
        "components": [{"name": "zlib", "version": "1.3", "type": "library", "purl": "", "licenses": ["Zlib"],
            "input": true, "locked": true}],
        "untraced": [],
        "files": {"count": 1, "bytes": 1, "setuid": [],
            "unclaimed": {"count": 0, "bytes": 0, "permille": 0, "paths": []}},
        "log": {"trusted": 0},
        "expected": {},
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut facts = facts();
    change(&mut facts);
    facts
}

#[track_caller]
fn ruling(policy: &str, facts: &Value) -> Ruling {
    Policy::parse(policy).expect("a policy").judge(facts).expect("an answer")
}

#[track_caller]
fn refused(text: &str) -> PolicyError {
    Policy::parse(text).expect_err(text)
}

#[test]
fn the_default_policy_takes_relaxations_from_those_only_who_accept_them() {
    let allowed = Ruling { allow: true, denied: Vec::new() };
    assert_eq!(ruling(Policy::DEFAULT, &facts()), allowed);
    let relaxed = |expected: Value| {
        with(|it| {
            it["relaxations"] = json!([{"name": "aslr", "reason": "slow"}, {"name": "proc", "reason": "old"}]);
            it["expected"] = expected;
        })
    };
    let denied = ruling(Policy::DEFAULT, &relaxed(json!({"relaxations": "aslr"})));
    let reason = "the build used the relaxation proc, and nobody accepted it";
    assert_eq!(denied, Ruling { allow: false, denied: vec![reason.to_owned()] });
    assert_eq!(ruling(Policy::DEFAULT, &relaxed(json!({}))).denied.len(), 2);
    assert_eq!(ruling(Policy::DEFAULT, &relaxed(json!({"relaxations": "aslr,proc"}))), allowed);
}

/// Every path to something in an object, from the whole to the smallest.
fn paths(value: &Value, above: &[String], found: &mut Vec<Vec<String>>) {
    for (name, below) in value.as_object().into_iter().flatten() {
        let mut path = above.to_vec();
        path.push(name.clone());
        found.push(path.clone());
        paths(below, &path, found);
    }
}

fn without(facts: &Value, path: &[String]) -> Value {
    let mut facts = facts.clone();
    let (last, above) = path.split_last().expect("a path");
    let object = above.iter().try_fold(&mut facts, |value, name| value.get_mut(name)).and_then(Value::as_object_mut);
    object.map(|object| object.remove(last));
    facts
}

proptest! {
    /// For the default policy: whatever is taken away, a no stays one.
    #[test]
    fn to_take_facts_away_never_helps(taken in proptest::collection::vec(any::<prop::sample::Index>(), 1..6), relaxed: bool) {
        let whole = with(|it| if relaxed {
            it["relaxations"] = json!([{"name": "aslr", "reason": "slow"}]);
        });
        let mut found = Vec::new();
        paths(&whole, &[], &mut found);
        let mut less = whole.clone();
        for index in taken {
            let path: &Vec<String> = index.get(&found);
            less = without(&less, path);
        }
        let policy = Policy::parse(Policy::DEFAULT).expect("a policy");
        let allowed = |facts: &Value| policy.judge(facts).is_ok_and(|ruling| ruling.allow);
        prop_assert!(allowed(&whole) || !allowed(&less));
    }
}

#[test]
fn what_the_default_policy_asks_for_has_to_be_there() {
    let mut found = Vec::new();
    paths(&facts(), &[], &mut found);
    let policy = Policy::parse(Policy::DEFAULT).expect("a policy");
    for name in ["release", "builder", "level", "signers", "relaxations", "expected"] {
        let path = [name.to_owned()];
        assert!(found.iter().any(|found| found == &path), "{name}");
        assert!(!policy.judge(&without(&facts(), &path)).expect("an answer").allow, "without {name}");
    }
}

#[test]
fn what_is_no_policy_is_refused() {
    assert_eq!(refused("package other\nallow := true"), PolicyError::Package { found: "data.other".into() });
    assert_eq!(refused("package selfsame\n"), PolicyError::NoAllow);
    assert_eq!(refused("package selfsame\nallowed := true"), PolicyError::NoAllow);
    assert_eq!(refused("package selfsame\ndeny contains \"x\""), PolicyError::NoAllow);
    assert_eq!(refused(&" ".repeat(Policy::LIMIT_BYTES + 1)), PolicyError::Large);
    for text in
        ["", "# nothing\n", "allow := true", "package selfsame\nallow if {", "package selfsame\nallow := \u{1b}"]
    {
        assert!(matches!(refused(text), PolicyError::Rego { .. }), "{text}");
    }
    let deep = format!("package selfsame\nallow := {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(refused(&deep), PolicyError::Deep);
    // A bracket that a comment closes too early does not hide what comes behind it.
    assert_eq!(refused(&format!("package selfsame\n# ))))\nallow := {}", "(".repeat(100))), PolicyError::Deep);
}

#[test]
fn nothing_but_a_whole_yes_is_one() {
    let no = Ruling { allow: false, denied: Vec::new() };
    assert_eq!(ruling("package selfsame\nallow if input.release.epoch < 0", &facts()), no);
    assert_eq!(ruling("package selfsame\ndefault allow := false", &facts()), no);
    let both = ruling("package selfsame\nallow := true\ndeny contains \"all the same\"", &facts());
    assert_eq!(both, Ruling { allow: false, denied: vec!["all the same".into()] });
    let odd = |text: &str| Policy::parse(text).expect("a policy").judge(&facts()).expect_err(text).to_string();
    assert_eq!(odd("package selfsame\nallow := \"true\""), "its rule `allow` gives neither true nor false");
    assert_eq!(odd("package selfsame\nallow := 1"), "its rule `allow` gives neither true nor false");
    assert_eq!(odd("package selfsame\nallow := true\ndeny := true"), "its rule `deny` gives no set of texts");
    assert_eq!(odd("package selfsame\nallow := true\ndeny contains 1"), "its rule `deny` gives no set of texts");
    assert!(odd("package selfsame\nallow := 1 / 0").contains("zero"));
    assert!(odd("package selfsame\nallow := true\nallow := false if input.profile").contains("conflict"));
}

/// Nobody would ask them, and what nobody asks says nothing.
#[test]
fn an_allow_or_deny_that_nobody_asks_is_refused() {
    for (rule, text) in [
        ("deny", "deny(x) if x == 1"),
        ("deny", "  deny(x) := \"a\" if x == 1"),
        ("deny", "default deny(_) := false"),
        ("deny", "deny(x) := \"a\" if { x == 1 } else := \"b\""),
        ("deny", "deny.x contains \"a\""),
        ("deny", "deny.x := \"a\""),
        ("deny", "deny[\"a\"] if true"),
        ("allow", "allow(x) if x == 1"),
        ("allow", "allow contains \"a\""),
    ] {
        let begins = if rule == "deny" { "allow := true\n" } else { "" };
        let error = refused(&format!("package selfsame\n{begins}{text}"));
        let head = matches!(&error, PolicyError::Head { rule: found, .. } if *found == rule);
        assert!(head, "{text}: {error}");
    }
    ruling("package selfsame\nallow if not denied(1)\ndenied(x) if x == 2", &facts());
}

#[test]
fn a_function_that_is_not_there_is_refused_wherever_it_is_called() {
    for text in ["deny contains \"x\" if foo.bar(input.profile)", "deny contains x if { x := nothing(1) }"] {
        let error = refused(&format!("package selfsame\nallow := true\n{text}"));
        assert!(matches!(error, PolicyError::NoFunction { .. }), "{text}: {error}");
    }
    let fine = "package selfsame\nallow if not(input.profile == 2)\ndeny contains x if {\n\
                some x in split(upper(\"\"), \"a\")\n  is(x)\n  data.selfsame.is(x)\n}\nis(x) if count(x) == 1";
    assert!(ruling(fine, &facts()).allow);
}

#[test]
fn tests_are_found_wherever_they_stand() {
    let policy = Policy::parse(Policy::DEFAULT).expect("the default policy");
    let test = |text: &str| policy.test(&format!("package selfsame_test\nimport data.selfsame\n{text}"));
    let results = test("  test_a := false\n\ttest_b if { true }\n\n test_c := 1").expect("tests");
    assert_eq!(results.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["test_a", "test_b", "test_c"]);
    assert_eq!(test("testa if true").expect_err("no test"), PolicyError::NoTests);
    for typo in ["selfsame.alow", "data.selfsame.alow", "data.selfsame[\"alow\"]"] {
        let error = test(&format!("test_a if not {typo} with input as {{}}")).expect_err(typo);
        assert_eq!(error, PolicyError::NoRule { rule: "alow".into() }, "{typo}");
    }
}

/// The functions for clock, network, environment and randomness are not there.
#[test]
fn a_policy_has_no_world() {
    for call in [
        "time.now_ns() > 0",
        "http.send({\"method\": \"get\", \"url\": \"http://localhost\"})",
        "rand.intn(\"a\", 10) < 10",
        "opa.runtime()",
        "net.lookup_ip_addr(\"localhost\")",
        "uuid.rfc4122(\"a\")",
    ] {
        let text = format!("package selfsame\nallow if {call}");
        let answer = Policy::parse(&text).and_then(|policy| policy.judge(&facts()));
        let error = answer.expect_err(call).to_string();
        assert!(error.contains("function"), "{call}: {error}");
    }
    for data in ["data.secrets.x", "data[x]", "x := data", "data[\"other\"].x"] {
        assert_eq!(refused(&format!("package selfsame\nallow if {{ {data} }}")), PolicyError::Data, "{data}");
    }
    assert!(Policy::parse("package selfsame\nallow if data.selfsame.fine\nfine := true").is_ok());
}

#[test]
fn what_a_policy_reads_is_found_in_its_words() {
    let reads = |body: &str| {
        let Reads { paths, everything } =
            Policy::parse(&format!("package selfsame\n{body}")).expect(body).reads().clone();
        (paths.into_iter().collect::<Vec<_>>().join(" "), everything)
    };
    let found = |paths: &str| (paths.to_owned(), false);
    assert_eq!(reads("allow if input.release.name == \"x\""), found("release.name"));
    assert_eq!(reads("allow if input[\"release\"][\"name\"] == \"x\""), found("release.name"));
    assert_eq!(reads("allow if input[`files`].count > 0"), found("files.count"));
    assert_eq!(reads("allow if input.components[_].name == \"x\""), found("components[].name"));
    assert_eq!(reads("allow if input.files.unclaimed.count > 0"), found("files.unclaimed.count"));
    assert_eq!(reads("allow if input.inputs[0].digest.sha256"), found("inputs[].digest.sha256"));
    assert_eq!(reads("import input.files as f\nallow if f.count > 0"), found("files"));
    assert_eq!(reads("allow if { some x in input.inputs; x.uri != \"\" }"), found("inputs"));
    assert_eq!(reads("allow if input.files[input.release.name] > 0"), found("files release.name"));
    assert_eq!(reads("# input.nothing\nallow if \"input.nothing\" != \"x\""), found(""));
    assert_eq!(reads("allow if input.expected.relaxations == \"x\""), found("expected.relaxations"));
    for whole in
        ["allow if count(input) > 0", "allow if { x := input; x.files }", "allow if { k := \"files\"; input[k] }"]
    {
        assert_eq!(reads(whole), (String::new(), true), "{whole}");
    }
    assert_eq!(reads("allow if input[\"fi\\u006ces\"]"), (String::new(), true), "an escape is not read here");
    let no_fact = |path: &str, nearest| PolicyError::NoFact { path: path.into(), nearest };
    assert_eq!(refused("package selfsame\nallow if input.relase.name"), no_fact("relase", Some("release")));
    assert_eq!(
        refused("package selfsame\nallow if input.source.comit"),
        no_fact("source.comit", Some("source.commit"))
    );
    assert_eq!(refused("package selfsame\nallow if input.inputs.uri"), no_fact("inputs.uri", Some("inputs[].uri")));
    for (read, path) in [
        ("input.files.unclaimed.cuont > 0", "files.unclaimed.cuont"),
        ("input.components[_].lisences", "components[].lisences"),
        ("input.components[0].lisences", "components[].lisences"),
        ("input.components[i].lisences", "components[].lisences"),
        ("input.release.name.first", "release.name.first"),
        ("input.release.platforms[0].os", "release.platforms[].os"),
        ("input.expected.relaxation == \"\"", "expected.relaxation"),
    ] {
        let error = refused(&format!("package selfsame\nallow := true\ndeny contains \"x\" if {{ some i; {read} }}"));
        assert!(matches!(&error, PolicyError::NoFact { path: found, .. } if found == path), "{read}: {error}");
    }
}

/// A rule against something that is not known would be silent.
#[test]
fn what_is_not_known_at_a_depth_is_no_answer() {
    #[derive(Debug)]
    struct One([crate::Named; 1], Policy);
    impl Ruler for One {
        fn policies(&self) -> &[crate::Named] {
            &self.0
        }
        fn rule(&self, facts: &Value) -> Result<Vec<Ruling>, String> {
            Ok(vec![self.1.judge(facts).expect("an answer")])
        }
    }
    let of = |text: &str| {
        let policy = Policy::parse(text).expect("a policy");
        One([crate::Named { name: "p".into(), digest: policy.digest(), reads: policy.reads().clone() }], policy)
    };
    let shallow = without(&without(&facts(), &["files".into()]), &["untraced".into()]);
    let silent = of("package selfsame\nallow := true\ndeny contains \"x\" if input.files.unclaimed.count > 0");
    assert!(rule(&silent, &facts()).is_ok());
    let unknown = |path: &str| Err(Unruled::NotKnown { policy: "p".into(), path: path.into() });
    assert_eq!(rule(&silent, &shallow), unknown("files"));
    let whole = of("package selfsame\nallow if { x := input; not x.files.setuid[0] }");
    assert_eq!(rule(&whole, &shallow), unknown("untraced"));
    assert!(rule(built_in().as_ref(), &shallow).is_ok());
}

#[test]
fn no_policy_is_no_yes() {
    #[derive(Debug)]
    struct Nobody;
    impl Ruler for Nobody {
        fn policies(&self) -> &[crate::Named] {
            &[]
        }
        fn rule(&self, _: &Value) -> Result<Vec<Ruling>, String> {
            Ok(Vec::new())
        }
    }
    assert_eq!(rule(&Nobody, &facts()), Err(Unruled::NoPolicy));
}

/// The same number of steps everywhere: it does not depend on how fast the machine is.
#[test]
fn a_policy_that_does_not_end_is_a_fault() {
    let numbers = (0..400).map(|n| n.to_string()).collect::<Vec<_>>().join(",\n");
    let text = format!(
        "package selfsame\nn := [{numbers}]\nallow if {{\n  some a in n\n  some b in n\n  some c in n\n  a + b + c < 0\n}}"
    );
    let policy = Policy::parse(&text);
    let error = policy.and_then(|policy| policy.judge(&facts())).expect_err("it takes 64 million steps").to_string();
    assert!(error.contains("limit"), "{error}");
}

#[test]
fn tests_hold_or_say_what_does_not() {
    let policy = Policy::parse(Policy::DEFAULT).expect("the default policy");
    let tests = format!(
        "package selfsame_test\nimport data.selfsame\ngood := {}\ntest_good if selfsame.allow with input as good\n\
         test_wrong if selfsame.allow with input as {{}}\ntest_value := 3\n",
        facts()
    );
    let results = policy.test(&tests).expect("tests");
    let told: Vec<(&str, bool)> = results.iter().map(|it| (it.name.as_str(), it.fault.is_none())).collect();
    assert_eq!(told, [("test_good", true), ("test_wrong", false), ("test_value", false)]);
    assert!(matches!(policy.test("package selfsame\ntest_a := true"), Err(PolicyError::TestPackage { .. })));
}

#[test]
fn a_desk_answers_what_it_is_asked() {
    let mut desk = Desk::default();
    let mut ask = |asked: &Asked| Answered::parse(&desk.answer(&asked.to_bytes())).expect("an answer");
    assert_eq!(ask(&Asked::Rule(facts())), Answered::Ruled(Vec::new()), "nobody is asked");
    let texts =
        |text: &str| Asked::Read(vec![("a.rego".into(), Policy::DEFAULT.into()), ("b.rego".into(), text.into())]);
    assert!(matches!(ask(&texts("")), Answered::Fault(name, _) if name == "b.rego"));
    assert!(
        matches!(ask(&texts("package selfsame\nallow if input.profile == 2")), Answered::Read(reads) if reads.len() == 2)
    );
    let rulings = vec![(true, Vec::new()), (false, Vec::new())];
    assert_eq!(ask(&Asked::Rule(facts())), Answered::Ruled(rulings));
    assert!(matches!(Answered::parse(&desk.answer(b"{")), Some(Answered::Fault(..))));
}

/// The facts of these tests are those of the table, and the table is sound.
#[test]
fn the_table_of_facts_is_whole() {
    let mut found = Vec::new();
    paths(&facts(), &[], &mut found);
    for path in found.iter().map(|path| path.join(".")) {
        assert!(find(&path).is_some(), "{path}");
    }
    for fact in FACTS {
        let above =
            fact.path.rsplit_once(['.', '[']).map(|(above, _)| above.trim_end_matches("[]").trim_end_matches('['));
        assert!(above.is_none_or(|above| find(above).is_some()), "{}", fact.path);
        assert!(fact.meaning.ends_with("...") || !fact.meaning.ends_with('.'), "{}", fact.path);
        assert!(fact.there != There::AtContent || fact.path.starts_with("files") || fact.path.starts_with("untraced"));
    }
}

/// The page for authors is the table, line by line.
#[test]
fn the_page_for_authors_is_the_table() {
    let page = include_str!("../../../docs/policy/v1.md");
    let there = |fact: &crate::facts::Fact| match fact.there {
        There::Always => "always",
        There::Sometimes => "sometimes",
        There::AtContent => "content",
    };
    let line = |it: &crate::facts::Fact| format!("| `{}` | {} | {} | {} |", it.path, it.kind, there(it), it.meaning);
    let table: Vec<String> = FACTS.iter().map(line).collect();
    let begins = |line: &&str| line.starts_with("| `") && line.matches(" | ").count() == 3 && !line.contains(".rego");
    let told: Vec<&str> = page.lines().filter(begins).collect();
    assert_eq!(told, table);
}
