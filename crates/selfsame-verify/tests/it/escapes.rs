//! Words of a statement never reach a terminal as they are: every string that a statement can carry, one after another.

use serde_json::Value;

use selfsame_attest::Statement;
use selfsame_verify::{Depth, Verdict};

use crate::fake::{Parts, signed};
use crate::verdict;

/// Clears the screen in two ways, sets the title, turns the direction of writing, and begins a line.
const EVIL: &str = "\u{1b}[2J\u{9b}2J\u{1b}]0;x\u{7}\u{202e}\r\nnot\u{2028}";

fn acts(c: char) -> bool {
    c.is_control() || !c.is_ascii()
}

/// The places of all strings below a value, as JSON pointers.
fn strings(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(place.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| strings(item, &format!("{place}/{at}"), found));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            strings(field, &format!("{place}/{name}"), found);
        }),
        _ => {}
    }
}

/// All that is told of a verdict in words.
fn words(verdict: &Verdict) -> Vec<String> {
    let mut words = Vec::new();
    for check in &verdict.checks {
        words.extend(check.outcome.reason().map(str::to_owned));
        words.extend(check.facts.iter().flat_map(|fact| [fact.label.clone(), fact.value.clone()]));
    }
    for unlisted in &verdict.unlisted {
        words.extend([unlisted.file.clone(), unlisted.note.clone()]);
        words.extend(unlisted.predicate_type.clone());
    }
    words
}

#[test]
fn every_string_of_every_statement() {
    let parts = Parts::good();
    let statements = parts.statements();
    let (mut tried, mut refused) = (0, 0);
    for (number, statement) in statements.iter().enumerate() {
        let whole = serde_json::from_slice::<Value>(&statement.to_payload()).unwrap();
        let mut places = Vec::new();
        strings(&whole, "", &mut places);
        for place in places {
            for evil in [EVIL.to_owned(), format!("https://x.example/{EVIL}")] {
                let mut changed = whole.clone();
                *changed.pointer_mut(&place).unwrap() = evil.into();
                let mut all: Vec<Statement> = statements.clone();
                let Ok(changed) = Statement::parse(&serde_json::to_vec(&changed).unwrap()) else { continue };
                all[number] = changed;
                // The inventory lists what is there now, so that it is not the first to say no.
                if number < 3 {
                    all[3] = parts.inventory(&all[..3]);
                }
                let verdict = verdict(&parts.lay_out(&signed(&all, "signer")), Depth::Evidence);
                let told = words(&verdict);
                assert!(!told.iter().any(|word| word.contains(acts)), "{place}: {told:?}");
                tried += 1;
                refused += usize::from(!verdict.is_verified());
            }
        }
        // Keys of objects are words, too.
        let mut all = statements.clone();
        all[number].predicate.insert(EVIL.to_owned(), EVIL.into());
        if number == 0 {
            let external = all[0].predicate["buildDefinition"]["externalParameters"].as_object_mut().unwrap();
            external.insert(EVIL.to_owned(), EVIL.into());
        }
        let told = words(&verdict(&parts.lay_out(&signed(&all, "signer")), Depth::Evidence));
        assert!(!told.iter().any(|word| word.contains(acts)), "{number}: {told:?}");
    }
    assert!(tried > 60 && refused > 20, "{tried} tried, {refused} refused");
}

#[test]
fn labels_names_and_files_of_strangers() {
    let parts = Parts::good();
    let statements = parts.statements();
    let mut bundles = signed(&statements, "signer");
    bundles.extend(signed(&statements[..1], "stranger"));
    for at in 0..bundles.len() {
        let mut labelled = bundles.clone();
        labelled[at].0 = EVIL.to_owned();
        let mut files = parts.lay_out(&labelled);
        files.insert(format!("blobs/{EVIL}"), EVIL.into());
        files.insert(format!("rebuild-{EVIL}.sigstore.json"), EVIL.into());
        files.insert("rebuild-1.sigstore.json".into(), EVIL.into());
        files.insert("run-record.sigstore.json".into(), EVIL.into());
        for depth in Depth::ALL {
            let told = words(&verdict(&files, depth));
            assert!(!told.iter().any(|word| word.contains(acts)), "{at}: {told:?}");
        }
    }
}
