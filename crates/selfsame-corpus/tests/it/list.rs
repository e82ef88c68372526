//! The list of all cases, with a digest of each: a case changes only where somebody sees it. To accept a change that is
//! meant, run once with `SELFSAME_BLESS` set to `1` at compile time and read the difference.

use std::collections::BTreeSet;
use std::path::Path;

use selfsame_corpus::{ELSEWHERE, cases};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_cases_are_these() {
    let line = |case: &selfsame_corpus::Case| {
        let item = case.item.map_or_else(|| "-".to_owned(), |item| item.to_string());
        let (expected, grounds) = (case.expected.as_str(), case.grounds.as_str());
        format!("{} {item} {expected} {grounds} {}\n", case.name, case.digest())
    };
    let found: String = cases().iter().map(line).collect();
    let path = root().join("tests/vectors/attacks/list.txt");
    if option_env!("SELFSAME_BLESS") == Some("1") {
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let (found, expected): (BTreeSet<&str>, BTreeSet<&str>) = (found.lines().collect(), expected.lines().collect());
    let other: Vec<_> = found.symmetric_difference(&expected).collect();
    assert!(other.is_empty(), "{other:#?}");
}

/// What is no file is held by tests that are there.
#[test]
fn the_tests_that_hold_the_rest_exist() {
    for elsewhere in ELSEWHERE {
        assert!(!elsewhere.tests.is_empty(), "{elsewhere:?}");
        for test in elsewhere.tests {
            let (file, name) = test.split_once(": ").expect("FILE: NAME");
            let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            let at = text.find(&format!("fn {name}(")).unwrap_or_else(|| panic!("{file} has no `{name}`"));
            assert!(text[..at].trim_end().ends_with("#[test]"), "{test} is no test");
        }
    }
}
