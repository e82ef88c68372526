//! `selfsame policy`: for those who write policies. docs/policy/v1.md.

use std::fs::File;
use std::path::{Path, PathBuf};

use selfsame_policy::facts::{FACTS, There};
use selfsame_policy::{Answered, Asked, FACTS_SCHEMA, Policy, Reads, Ruler as _};
use serde_json::{Value, json};

use crate::cli::{PolicyCheck, PolicyCommand, PolicyShow, PolicyTest, PolicyTry};
use crate::policy::{self, Apart};
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::settings::Settings;
use crate::terminal;

/// The largest file of facts.
const FACTS_BYTES: u64 = 64 << 20;
const TESTS: &str = "_test.rego";
const SCHEMA: &str = "https://selfsame.dev/policy/v1";

pub(super) fn run(command: &PolicyCommand, settings: &Settings) -> Answer {
    match command {
        PolicyCommand::Show(arguments) => show(arguments, settings),
        PolicyCommand::Check(arguments) => check(arguments, settings),
        PolicyCommand::Test(arguments) => test(arguments, settings),
        PolicyCommand::Try(arguments) => try_out(arguments, settings),
    }
}

fn show(arguments: &PolicyShow, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let there = |there: There| match there {
        There::Always => "always",
        There::Sometimes => "sometimes",
        There::AtContent => "content",
    };
    match (arguments.facts, arguments.json) {
        (true, true) => {
            let fact = |it: &selfsame_policy::facts::Fact| json!({ "kind": it.kind, "meaning": it.meaning, "path": it.path, "there": there(it.there) });
            let body = json!({ "facts": FACTS.iter().map(fact).collect::<Vec<_>>(), "factsSchema": FACTS_SCHEMA });
            terminal::data(&with_schema(SCHEMA, &body));
        }
        (true, false) => {
            let width = FACTS.iter().map(|it| it.path.len()).max().unwrap_or(0);
            for it in FACTS {
                terminal::data(&format!(
                    "{:width$}  {:9}  {:9}  {}",
                    it.path,
                    it.kind,
                    there(it.there),
                    it.meaning.replace('`', "")
                ));
            }
        }
        (false, true) => {
            let named = &selfsame_policy::built_in().policies()[0].clone();
            let body = json!({ "name": named.name, "policy": Policy::DEFAULT, "sha256": named.digest.hex() });
            terminal::data(&with_schema(SCHEMA, &body));
        }
        (false, false) => terminal::data(Policy::DEFAULT.trim_end()),
    }
    Ok(Exit::Yes)
}

fn check(arguments: &PolicyCheck, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let mut found = Vec::new();
    for file in &arguments.files {
        let apart = Apart::open(std::slice::from_ref(file))?;
        let named = apart.policies()[0].clone();
        if !arguments.json {
            terminal::data(&format!("{}  {}", named.digest, printable(&file.display().to_string())));
            for (fact, note) in told(&named.reads) {
                terminal::data(&format!("  reads {fact}{note}"));
            }
            terminal::data(
                "  names behind a variable (`some x in ...`, `import ... as x`) are not checked: test such rules",
            );
        }
        let Reads { paths, everything } = &named.reads;
        found.push(
            json!({ "everything": everything, "name": named.name, "reads": paths, "sha256": named.digest.hex() }),
        );
    }
    if arguments.json {
        terminal::data(&with_schema(SCHEMA, &json!({ "policies": found })));
    }
    Ok(Exit::Yes)
}

/// What a policy reads, and what its author should know of that.
fn told(reads: &Reads) -> Vec<(String, &'static str)> {
    let mut told: Vec<(String, &'static str)> = reads
        .paths
        .iter()
        .map(|path| {
            let fact = selfsame_policy::facts::find(path);
            let first = path.split(['.', '[']).next().and_then(selfsame_policy::facts::find);
            let there = |wanted: There| [fact, first].into_iter().flatten().any(|fact| fact.there == wanted);
            let note = match () {
                () if there(There::AtContent) => "  (needs depth `content`; at another one there is no answer)",
                () if there(There::Sometimes) => {
                    "  (not in every release: a rule over it does not hold where it is missing)"
                }
                () => "",
            };
            (path.clone(), note)
        })
        .collect();
    if reads.everything {
        told.push(("input as a whole".to_owned(), "  (needs depth `content`; names of facts cannot be checked)"));
    }
    told
}

fn test(arguments: &PolicyTest, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let files = test_files(&arguments.path)?;
    let (mut all, mut failed, mut results) = (0, 0, Vec::new());
    for file in &files {
        let shown = printable(&file.display().to_string());
        let under_test = policy_of(file);
        let apart = Apart::open(&[under_test])?;
        let unanswered = |fault: &str| {
            Report::new(Exit::Unanswered, format!("the tests of `{shown}` did not run: {}", policy::in_one_line(fault)))
        };
        let tested = match apart.ask(&Asked::Test(policy::text(file)?)) {
            Ok(Answered::Tested(tested)) => tested,
            Ok(Answered::Fault(_, fault)) | Err(fault) => return Err(unanswered(&fault).into()),
            Ok(_) => return Err(unanswered("no answer").into()),
        };
        for (name, fault) in tested {
            all += 1;
            failed += usize::from(fault.is_some());
            if !arguments.json {
                let told = fault.as_ref().map(|fault| format!(": {}", printable(&policy::in_one_line(fault))));
                let mark = if fault.is_some() { "FAILED " } else { "passed " };
                terminal::data(&format!("{mark}  {shown}  {name}{}", told.unwrap_or_default()));
            }
            results.push(json!({ "fault": fault, "file": shown, "name": name }));
        }
    }
    if arguments.json {
        let body = json!({ "class": if failed == 0 { "passed" } else { "failed" }, "tests": results });
        terminal::data(&with_schema(SCHEMA, &body));
    } else {
        terminal::data(&format!("{} of {all} tests passed", all - failed));
    }
    Ok(if failed == 0 { Exit::Yes } else { Exit::No })
}

/// Every file of tests, in order; one at least.
fn test_files(path: &Path) -> Answer<Vec<PathBuf>> {
    let is_test = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(TESTS));
    let fault = |error: &dyn std::fmt::Display| {
        Report::new(Exit::Unanswered, format!("cannot read `{}`: {error}", path.display()))
    };
    let mut files = Vec::new();
    if path.metadata().map_err(|error| fault(&error))?.is_dir() {
        for entry in path.read_dir().map_err(|error| fault(&error))? {
            files.push(entry.map_err(|error| fault(&error))?.path());
        }
    } else {
        files.push(path.to_owned());
    }
    files.retain(|file| is_test(file));
    files.sort();
    if files.is_empty() {
        return Err(Report::new(Exit::Unanswered, format!("there are no tests at `{}`", path.display()))
            .hint("tests of NAME.rego are rules `test_...` in NAME_test.rego beside it, in the package `selfsame_test`")
            .into());
    }
    Ok(files)
}

/// `NAME.rego` of `NAME_test.rego`.
fn policy_of(tests: &Path) -> PathBuf {
    let name = tests.file_name().unwrap_or_default().to_string_lossy();
    tests.with_file_name(format!("{}.rego", name.strip_suffix(TESTS).unwrap_or(&name)))
}

fn try_out(arguments: &PolicyTry, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let fault = |what: String| {
        Report::new(Exit::Unanswered, format!("cannot read the facts in `{}`: {what}", arguments.facts.display()))
    };
    let bytes = File::open(&arguments.facts)
        .and_then(|file| crate::files::read_bounded(file, FACTS_BYTES))
        .map_err(|error| fault(error.to_string()))?;
    let facts: Value = serde_json::from_slice(&bytes).map_err(|error| fault(error.to_string()))?;
    // Of a release for several platforms there is one for each.
    let each = match facts {
        Value::Array(each) => each,
        one => vec![one],
    };
    if each.is_empty() || each.iter().any(|facts| facts.get("schema").and_then(Value::as_str) != Some(FACTS_SCHEMA)) {
        return Err(fault(format!("they have not the schema {FACTS_SCHEMA}"))
            .hint("`selfsame verify RELEASE ... --facts FILE` writes them")
            .into());
    }
    let apart = Apart::open(std::slice::from_ref(&arguments.policy))?;
    let (mut allow, mut denied) = (true, Vec::new());
    for facts in &each {
        let ruled = selfsame_policy::rule(&apart, facts)
            .map_err(|error| Report::new(Exit::Unanswered, policy::in_one_line(&error.to_string())))?;
        for ruling in ruled.into_iter().filter_map(|it| it.ruling) {
            allow &= ruling.allow;
            denied.extend(ruling.denied);
        }
    }
    if arguments.json {
        let class = if allow { "allowed" } else { "denied" };
        terminal::data(&with_schema(SCHEMA, &json!({ "class": class, "denied": denied })));
    } else {
        terminal::data(if allow { "allowed: and nothing was verified" } else { "denied" });
        for why in &denied {
            terminal::data(&format!("  {}", printable(why)));
        }
    }
    Ok(if allow { Exit::Yes } else { Exit::No })
}
