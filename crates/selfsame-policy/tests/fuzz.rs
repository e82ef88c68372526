//! What a policy reads, found in any text, and the built-in policy over any facts. The engine itself meets hostile policies
//! in a process of its own only: tests/it/policies.rs.

use selfsame_policy::{Policy, Reads, built_in, rule};
use selfsame_testing::fuzz::{answer, fuzz};

#[test]
fn fuzz_policy_words() {
    let seeds = [
        Policy::DEFAULT,
        "package selfsame\nallow if { input[\"release\"].name == `x`; data.selfsame.fine }\n",
        "package selfsame\nimport input.files as f\nallow if { x := input; f.count > 1e3 with input as {} }\n",
    ];
    let seeds: Vec<&[u8]> = seeds.iter().map(|seed| seed.as_bytes()).collect();
    let words =
        ["input", "data", "[\"", "\"]", ".files", "`", "\\u0069", "# ", "with input as ", "((((((((", "\n", "1e999"];
    fuzz("policy-words", &seeds, &words, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Err("not UTF-8".to_owned()) };
        let reads = Reads::of(text);
        // A name of a fact that stands nowhere in the text is read by nobody.
        if let Ok(reads) = &reads {
            for path in &reads.paths {
                assert!(
                    path.split('.').all(|name| text.contains(name.trim_end_matches("[]"))),
                    "`{path}` is not in the text"
                );
            }
            assert!(text.contains("input") || reads.paths.is_empty() && !reads.everything);
        }
        answer(reads)
    });
}

#[test]
fn fuzz_policy_facts() {
    let seed = br#"{"schema":"https://selfsame.dev/facts/v1","depth":"evidence","release":{"name":"a","version":"1",
        "image":"sha256:aa","id":"sha256:bb"},"builder":{"id":"b","development":false},"signers":[{"identity":"a","name":"a"}],
        "level":{"asked":"normalized","achieved":"normalized"},"relaxations":[{"name":"aslr","reason":"x"}],
        "expected":{"relaxations":"aslr"}}"#;
    let words = ["\"relaxations\":[", "\"expected\":{", "null", "[]", "{}", "1e308", "\"sha256:", "\"name\":"];
    let policy = built_in();
    fuzz("policy-facts", &[seed], &words, |bytes| {
        let facts: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let ruled = rule(policy.as_ref(), &facts).map_err(|error| error.to_string())?;
        let Some(ruling) = &ruled[0].ruling else { return Err("no ruling".to_owned()) };
        if !ruling.allow {
            return Err(ruling.denied.join("; "));
        }
        // Whatever else they say: a yes stands on these.
        let is = |path: &&str| facts.pointer(path).is_some_and(|value| value.is_string());
        let needed = ["/release/name", "/release/image", "/release/id", "/builder/id", "/level/achieved"];
        assert!(needed.iter().all(is), "{facts}");
        assert!(facts["relaxations"].is_array() && facts["expected"].is_object());
        Ok(())
    });
}
