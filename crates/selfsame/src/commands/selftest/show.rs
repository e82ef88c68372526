//! Scores, for people and as JSON.

use std::collections::BTreeSet;

use selfsame_corpus::{Case, Class, ELSEWHERE, Expected, Grounds};
use serde_json::{Value, json};

use super::against::{Found as Asked, Said};
use super::ours::{Found, MEMORY_BYTES};
use crate::cli::Selftest;
use crate::report::{printable, with_schema};

const SCHEMA: &str = "https://selfsame.dev/selftest/v1";

/// How many attacks the list has.
const ITEMS: u8 = 69;

fn document(arguments: &Selftest, body: &Value, text: String) -> String {
    if arguments.json { with_schema(SCHEMA, body) } else { text }
}

/// The cases, and what is no case.
pub(super) fn list(cases: &[Case], arguments: &Selftest) -> String {
    let mut text = String::new();
    for case in cases {
        let item = case.item.map_or_else(String::new, |item| item.to_string());
        text += &format!("{:46} {item:>2}  {:6} {:9} {}\n", case.name, word(case), case.grounds.as_str(), case.says);
    }
    let all = arguments.only.is_empty();
    for elsewhere in ELSEWHERE.iter().filter(|_| all) {
        text += &format!("not a file: item {}, {}\n", elsewhere.item, elsewhere.says);
        text += &elsewhere.tests.iter().map(|test| format!("    held by {test}\n")).collect::<String>();
    }
    if all {
        let items: BTreeSet<u8> = cases.iter().filter_map(|case| case.item).collect();
        let held: BTreeSet<u8> = items.iter().copied().chain(ELSEWHERE.iter().map(|it| it.item)).collect();
        text += &format!(
            "{} cases; of {ITEMS} items of the list {} have cases and {} have cases or tests\n",
            cases.len(),
            items.len(),
            held.len()
        );
    }
    let held: Vec<Value> =
        ELSEWHERE.iter().map(|it| json!({"item": it.item, "says": it.says, "tests": it.tests})).collect();
    let cases: Vec<Value> = cases.iter().map(Case::to_json).collect();
    document(arguments, &json!({"cases": cases, "class": "list", "elsewhere": held}), text)
}

fn word(case: &Case) -> &'static str {
    match case.expected {
        Expected::Accept => "accept",
        Expected::Reject { .. } => "refuse",
    }
}

/// The score of this program.
pub(super) fn ours(found: &[Found<'_>], arguments: &Selftest) -> String {
    let right = found.iter().filter(|it| it.wrong.is_none()).count();
    let mut text = String::new();
    for class in Class::ALL {
        let of_class: Vec<&Found<'_>> = found.iter().filter(|it| it.case.class == class).collect();
        if of_class.is_empty() {
            continue;
        }
        let fine = of_class.iter().filter(|it| it.wrong.is_none()).count();
        let said = if class == Class::Control { "accepted" } else { "answered rightly, for the right reason" };
        text += &format!("  {:10} {fine:>3} of {:>3} {said}\n", class.as_str(), of_class.len());
        for it in of_class {
            if let Some(wrong) = &it.wrong {
                text += &format!("             WRONG {}: {}\n", it.case.name, printable(wrong));
                text += &format!("                   {}\n", it.case.says);
            }
        }
    }
    text += &format!("score: {right} of {}\n", found.len());
    if let Some(slow) = found.iter().max_by_key(|it| it.ran.took) {
        text += &format!(
            "longest: {:.2} s, {} (at most {} s each)\n",
            slow.ran.took.as_secs_f64(),
            slow.case.name,
            arguments.timeout
        );
    }
    if let Some(large) = found.iter().max_by_key(|it| it.ran.memory_bytes) {
        text += &format!(
            "most memory: {} MiB, {} (at most {} MiB each)\n",
            large.ran.memory_bytes >> 20,
            large.case.name,
            MEMORY_BYTES >> 20
        );
    }
    let cases: Vec<Value> = found
        .iter()
        .map(|it| {
            json!({
                "case": it.case.to_json(),
                "memoryBytes": it.ran.memory_bytes,
                "milliseconds": u64::try_from(it.ran.took.as_millis()).unwrap_or(u64::MAX),
                "right": it.wrong.is_none(),
                "wrong": it.wrong,
            })
        })
        .collect();
    let class = if right == found.len() { "passed" } else { "failed" };
    document(arguments, &json!({"asked": found.len(), "cases": cases, "class": class, "right": right}), text)
}

/// The score of another verifier.
pub(super) fn against(found: &[Asked<'_>], of: usize, arguments: &Selftest) -> String {
    let good = |it: &&Asked<'_>| it.case.expected == Expected::Accept;
    let counts = |it: &&Asked<'_>| it.case.grounds.counts();
    let number = |keep: &dyn Fn(&&Asked<'_>) -> bool| found.iter().filter(|it| keep(it)).count();
    let accepted = |it: &&Asked<'_>| it.said == Said::Accepted;
    let mut text = format!("{} of {of} cases can be put to it\n", found.len());
    text += "  class        good: accepted   bad: refused  (rules of selfsame's own left out)\n";
    for class in Class::ALL {
        let of_class = |it: &&Asked<'_>| it.case.class == class && counts(it);
        if number(&of_class) == 0 {
            continue;
        }
        let pair = |all: usize, right: usize| if all == 0 { "-".to_owned() } else { format!("{right} of {all}") };
        let goods =
            pair(number(&|it| of_class(it) && good(it)), number(&|it| of_class(it) && good(it) && it.is_right()));
        let bads =
            pair(number(&|it| of_class(it) && !good(it)), number(&|it| of_class(it) && !good(it) && it.is_right()));
        text += &format!("  {:12} {goods:>14}  {bads:>13}\n", class.as_str());
    }
    let mut section = |title: &str, keep: &dyn Fn(&&Asked<'_>) -> bool, words: bool| {
        let those: Vec<&Asked<'_>> = found.iter().filter(|it| keep(it)).collect();
        if those.is_empty() {
            return;
        }
        text += &format!("{title}: {}\n", those.len());
        for it in those {
            text += &format!("  {} ({}): {}\n", it.case.name, it.case.grounds.as_str(), it.case.says);
            if words && !it.words.is_empty() {
                text += &format!("      it said: {}\n", printable(&it.words));
            }
        }
    };
    section("let through", &|it| counts(it) && !good(it) && accepted(it), false);
    section("refused though good", &|it| counts(it) && good(it) && it.said == Said::Refused, true);
    section("broke", &|it| it.said == Said::Broke, true);
    section("did not end in time and memory", &|it| it.said == Said::Stopped, false);
    section("other than selfsame, and not wrong", &|it| !counts(it) && !it.is_right(), false);
    let bad = number(&|it| counts(it) && !good(it));
    let through = number(&|it| counts(it) && !good(it) && accepted(it));
    let goods = number(&|it| counts(it) && good(it));
    let taken = number(&|it| counts(it) && good(it) && accepted(it));
    text += &format!("score: {through} of {bad} bad ones let through; {taken} of {goods} good ones accepted\n");
    if taken == 0 && goods > 0 {
        text += "It accepted nothing that is good: the command may not be the right one.\n";
    }
    let cases: Vec<Value> = found
        .iter()
        .map(|it| {
            let said = match it.said {
                Said::Accepted => "accepted",
                Said::Refused => "refused",
                Said::Broke => "broke",
                Said::Stopped => "stopped",
            };
            json!({"case": it.case.to_json(), "right": it.is_right(), "said": said, "words": it.words})
        })
        .collect();
    let strict = number(&|it| it.case.grounds == Grounds::Strict);
    let body = json!({
        "accepted": taken,
        "asked": found.len(),
        "bad": bad,
        "cases": cases,
        "class": if found.iter().any(Asked::is_fault) { "failed" } else { "passed" },
        "good": goods,
        "letThrough": through,
        "of": of,
        "strict": strict,
    });
    document(arguments, &body, text)
}
