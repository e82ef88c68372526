//! The fuzz targets, for longer than in a test run. A target is a test that is called `fuzz_NAME`, in the crate whose reader
//! it is about.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::command::{root, run_with};

/// What is asked for on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// One target, or all.
    target: Option<String>,
    /// For each.
    seconds: Option<u64>,
    /// To see again what was seen before.
    seed: Option<u64>,
    list: bool,
}

impl Asked {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut asked = Self::default();
        let mut words = words.iter();
        let number = |name: &str, text: Option<&&str>| {
            text.and_then(|text| text.parse().ok()).ok_or_else(|| format!("`{name}` is followed by a number"))
        };
        while let Some(word) = words.next() {
            match *word {
                "--seconds" => asked.seconds = Some(number(word, words.next())?),
                "--seed" => asked.seed = Some(number(word, words.next())?),
                "--list" => asked.list = true,
                word if !word.starts_with('-') && asked.target.is_none() => asked.target = Some(word.to_owned()),
                other => return Err(format!("`{other}` is not understood")),
            }
        }
        Ok(asked)
    }
}

/// Seconds for each target where nobody says otherwise.
const SECONDS: u64 = 60;

/// Runs targets, one after the other; all of them also where one fails.
#[expect(clippy::disallowed_methods, reason = "each run has a seed of its own")]
pub(crate) fn fuzz(asked: &Asked) -> Result<(), String> {
    let targets = targets(&root().join("crates"))?;
    if asked.list {
        for (target, package) in &targets {
            println!("{target:<20} {package}");
        }
        return Ok(());
    }
    let chosen: BTreeMap<&String, &String> =
        targets.iter().filter(|(name, _)| asked.target.as_ref().is_none_or(|target| target == *name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = targets.keys().map(String::as_str).collect();
        return Err(format!("`{}` is no target; they are {}", asked.target.as_deref().unwrap_or(""), names.join(", ")));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let mut environment = vec![
        ("SELFSAME_FUZZ_SECONDS", asked.seconds.unwrap_or(SECONDS).to_string()),
        ("SELFSAME_FUZZ_SEED", asked.seed.unwrap_or(now).to_string()),
    ];
    let mut failed = Vec::new();
    for (target, package) in chosen {
        environment.retain(|(name, _)| *name != "SELFSAME_FUZZ_TARGET");
        environment.push(("SELFSAME_FUZZ_TARGET", target.clone()));
        // Names of tests are matched in part: `fuzz_deb` would be `fuzz_deb_data` too, if the target were not named.
        let test = format!("fuzz_{}", target.replace('-', "_"));
        let arguments = ["test", "--quiet", "--package", package, &test, "--", "--test-threads", "1", "--nocapture"];
        if let Err(fault) = run_with("cargo", &arguments, &environment) {
            let current = root().join("target/fuzz").join(format!("{target}.current"));
            if current.exists() {
                eprintln!("xtask: the last input is `{}`", current.display());
            }
            failed.push(fault);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// The targets of all crates, with their crates.
fn targets(crates: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut targets = BTreeMap::new();
    let failed = |error: std::io::Error| format!("the crates cannot be read: {error}");
    for package in fs::read_dir(crates).map_err(failed)? {
        let package = package.map_err(failed)?;
        let name = package.file_name().to_string_lossy().into_owned();
        let mut folders = vec![package.path().join("src"), package.path().join("tests")];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.file_name().is_some_and(|file| file == "fuzz.rs") && name != "xtask" {
                    let text = fs::read_to_string(&path).map_err(failed)?;
                    let tests = text.lines().filter_map(|line| line.strip_prefix("fn fuzz_")?.split_once("()"));
                    targets.extend(tests.map(|(test, _)| (test.replace('_', "-"), name.clone())));
                }
            }
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked() {
        let asked = Asked::parse(&["lock", "--seconds", "5", "--seed", "7"]).expect("words");
        assert_eq!(asked, Asked { target: Some("lock".to_owned()), seconds: Some(5), seed: Some(7), list: false });
        assert_eq!(Asked::parse(&["--seconds", "x"]).unwrap_err(), "`--seconds` is followed by a number");
        assert_eq!(Asked::parse(&["a", "b"]).unwrap_err(), "`b` is not understood");
    }

    /// A target is called as its crate's test calls it, so that `cargo xtask fuzz NAME` and `tests/corpus/NAME` are one name.
    #[test]
    fn targets_are_found_by_their_names() {
        let crates = root().join("crates");
        let targets = targets(&crates).expect("the crates");
        assert!(targets.len() >= 30, "{targets:?}");
        for (target, package) in &targets {
            let named = format!("fuzz(\"{target}\"");
            let mut folders = vec![crates.join(package)];
            let mut found = false;
            while let Some(folder) = folders.pop() {
                for path in fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()) {
                    if path.is_dir() {
                        folders.push(path);
                    } else if path.ends_with("fuzz.rs") {
                        let text = fs::read_to_string(path).expect("a text");
                        found |= text.split_whitespace().collect::<String>().contains(&named);
                    }
                }
            }
            assert!(found, "`fuzz_{target}` of {package} does not call {named}");
        }
    }
}
