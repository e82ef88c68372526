//! Policies over a verdict: they see what is verified, a no of theirs is one, and no answer is never a yes.

use std::sync::Arc;

use selfsame_attest::RebuildVerdict;
use selfsame_policy::facts::{FACTS, There, find};
use selfsame_policy::{FACTS_SCHEMA, Named, Policy, Ruler, Ruling, built_in};
use selfsame_verify::{CheckId, Class, Depth, KeyEntry, Options, Outcome, Verdict, verify};
use serde_json::{Value, json};

use crate::fake::{self, Parts, key, signed};
use crate::trust::{day, file, rebuild};
use crate::{Files, assert_fails, options, table, verifies};

/// Policies judged in this process, as tests may: the texts are these.
#[derive(Debug)]
pub(crate) struct Given(Vec<Named>, Vec<Policy>);

impl Given {
    pub(crate) fn policies(texts: &[&str]) -> Arc<dyn Ruler> {
        let read = |text: &&str| Policy::parse(text).expect("a policy");
        let policies: Vec<Policy> = texts.iter().map(read).collect();
        let named = policies.iter().enumerate().map(|(number, policy)| Named {
            name: format!("{number}.rego"),
            digest: policy.digest(),
            reads: policy.reads().clone(),
        });
        Arc::new(Self(named.collect(), policies))
    }
}

impl Ruler for Given {
    fn policies(&self) -> &[Named] {
        &self.0
    }

    fn rule(&self, facts: &Value) -> Result<Vec<Ruling>, String> {
        self.1.iter().map(|policy| policy.judge(facts).map_err(|error| error.to_string())).collect()
    }
}

fn by(policy: &Arc<dyn Ruler>, depth: Depth) -> Options {
    Options { policy: Arc::clone(policy), day: Some(day("2026-11-20")), keep_facts: true, ..options(depth) }
}

fn judged(files: &Files, texts: &[&str]) -> Verdict {
    let trust = file(|_| {}).at(day("2026-11-20"), "a file");
    verify(files, &trust, &by(&Given::policies(texts), Depth::Content))
}

fn allowing(condition: &str) -> String {
    format!("package selfsame\nallow if {{ {condition} }}")
}

#[test]
fn a_policy_has_the_last_word() {
    let name = allowing("input.release.name == \"hello\"");
    let verdict = judged(&fake::good(), &[&name]);
    verifies(&verdict);
    let json: Value = serde_json::from_str(&verdict.to_json()).unwrap();
    let sha256 = Policy::parse(&name).unwrap().digest().hex();
    assert_eq!(json["policies"], json!([{"allow": true, "denied": [], "name": "0.rego", "sha256": sha256}]));

    let other = allowing("input.release.name == \"other\"");
    let verdict = judged(&fake::good(), &[&other]);
    assert_fails(&verdict, CheckId::Policy, "the policy `0.rego` does not allow it");
    assert!(verdict.facts.is_some(), "what a policy refused is verified, and its author may look at it");
    // All of them have to allow it.
    assert_fails(&judged(&fake::good(), &[&name, &other]), CheckId::Policy, "the policy `1.rego` does not allow it");
    let denied = "package selfsame\nallow := true\ndeny contains sprintf(\"built by %v\", [input.builder.id])";
    assert_fails(&judged(&fake::good(), &[denied]), CheckId::Policy, "denies it: built by https://");
}

#[test]
fn a_policy_is_told_what_is_verified_and_nothing_else() {
    let mut files = fake::good();
    files.insert("oci-layout".into(), b"{}".to_vec());
    let verdict = judged(&files, &["package selfsame\nallow := true"]);
    assert_eq!(verdict.class, Class::NotVerified);
    assert_eq!(verdict.check(CheckId::Policy).outcome.as_str(), "not-performed");
    assert!(verdict.facts.is_none());
    let json: Value = serde_json::from_str(&verdict.to_json()).unwrap();
    assert_eq!(json["policies"][0]["allow"], Value::Null);
}

#[test]
fn the_default_policy_is_asked_where_none_is_given() {
    let trust = file(|_| {}).at(day("2026-11-20"), "a file");
    let verdict = verify(&fake::good(), &trust, &by(&built_in(), Depth::Evidence));
    verifies(&verdict);
    assert_eq!(verdict.policies[0].name, "default");
    let fact = &verdict.check(CheckId::Policy).facts[0];
    assert_eq!(fact.value, format!("default, {}", Policy::parse(Policy::DEFAULT).unwrap().digest()));
}

#[test]
fn no_answer_of_a_policy_is_no_verdict() {
    let unanswered = |verdict: &Verdict, because: &str| {
        assert_eq!(verdict.class, Class::Unanswered, "{}", table(verdict));
        assert!(verdict.evidence.is_none());
        let outcome = &verdict.check(CheckId::Policy).outcome;
        assert!(matches!(outcome, Outcome::Failed { reason } if reason.contains(because)), "{outcome:?}");
    };
    unanswered(&judged(&fake::good(), &["package selfsame\nallow := 1 / 0"]), "zero");
    unanswered(&judged(&fake::good(), &["package selfsame\nallow := \"yes\""]), "neither true nor false");
    unanswered(&judged(&fake::good(), &[]), "no policy was given");
    let trust = file(|_| {}).at(day("2026-11-20"), "a file");
    let unclaimed = Given::policies(&["package selfsame\nallow := true\ndeny contains \"x\" if input.files.count < 0"]);
    unanswered(
        &verify(&fake::good(), &trust, &by(&unclaimed, Depth::Blobs)),
        "`files`, which is known at depth `content`",
    );
    verifies(&verify(&fake::good(), &trust, &by(&unclaimed, Depth::Content)));
}

/// Every path of the facts, with `[]` for what is in a list.
fn paths(value: &Value, above: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, below) in object {
                let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
                found.push(path.clone());
                // Names below these are the release's or the asker's own.
                if !matches!(path.as_str(), "expected" | "inputs[].digest" | "files.unclaimed") {
                    paths(below, &path, found);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|below| paths(below, &format!("{above}[]"), found)),
        _ => {}
    }
}

#[test]
fn facts_are_those_of_the_table() {
    let verdict = judged(&fake::good(), &["package selfsame\nallow := true"]);
    let facts = verdict.facts.as_deref().expect("kept");
    assert_eq!(facts["schema"], FACTS_SCHEMA);
    let mut found = Vec::new();
    paths(facts, "", &mut found);
    for path in &found {
        assert!(find(path).is_some(), "`{path}` is not in the table");
    }
    for fact in FACTS.iter().filter(|fact| fact.there == There::Always) {
        let above = fact.path.rsplit_once(['.']).map_or("", |(above, _)| above);
        let expected =
            above.is_empty() || !above.contains("[]") && find(above).is_some_and(|it| it.there == There::Always);
        assert!(!expected || found.iter().any(|path| path == fact.path), "`{}` is always there", fact.path);
    }
    insta::assert_snapshot!("facts", format!("{facts:#}"));
}

#[test]
fn rebuilders_are_identities() {
    let parts = Parts::good();
    let release = |signers: &[&str]| {
        let mut files = parts.release();
        for (number, signer) in signers.iter().enumerate() {
            files.insert(format!("rebuild-{number}.sigstore.json"), rebuild(&parts, signer, |_| {}));
        }
        files.insert(
            "rebuild-9.sigstore.json".into(),
            rebuild(&parts, "fifth", |it| it.verdict = RebuildVerdict::Differs),
        );
        files
    };
    let trust = file(|file| {
        file.keys[0].identity = "vendor".into();
        for (name, secret, who) in [
            ("lab", "second", "lab"),
            ("lab-too", "third", "lab"),
            ("vendor-too", "fourth", "vendor"),
            ("house", "fifth", "house"),
            ("yard", "sixth", "yard"),
        ] {
            file.keys.push(KeyEntry::new(name, key(secret).public()));
            file.keys.last_mut().unwrap().identity = who.into();
        }
    });
    let two = Given::policies(&[&allowing("count({r.identity | some r in input.rebuilders}) >= 2")]);
    let judge = |signers: &[&str]| {
        verify(&release(signers), &trust.at(day("2026-11-20"), "a file"), &by(&two, Depth::Evidence))
    };
    verifies(&judge(&["second", "sixth"]));
    for (signers, why) in [
        (&["second"][..], "one"),
        (&["second", "third"], "two keys of one"),
        (&["second", "fourth"], "the vendor's other key"),
        (&["second", "stranger"], "a stranger"),
    ] {
        let verdict = judge(signers);
        assert_eq!(verdict.class, Class::NotVerified, "{why}");
        assert_fails(&verdict, CheckId::Policy, "does not allow it");
    }
}

/// The first in the order of the trust that the policy allows.
#[test]
fn of_several_signers_one_that_the_policy_allows_suffices() {
    let parts = Parts::good();
    let bundles: Vec<_> = ["signer", "second"].iter().flat_map(|by| signed(&parts.statements(), by)).collect();
    let trust = file(|file| file.keys.push(KeyEntry::new("second", key("second").public())));
    let trust = trust.at(day("2026-11-20"), "a file");
    let all = Given::policies(&[&allowing("count(input.signers) == 2")]);
    verifies(&verify(&parts.lay_out(&bundles), &trust, &by(&all, Depth::Evidence)));
    assert_fails(&verify(&fake::good(), &trust, &by(&all, Depth::Evidence)), CheckId::Policy, "does not allow it");
}
