//! A small fuzzer that needs nothing but stable Rust: a reader of foreign bytes must neither panic nor take long nor
//! take much memory, whatever it is given.
//!
//! In the default tier each target sees a few hundred inputs, the same on every machine. `cargo xtask fuzz` runs them for
//! as long as is wished, with inputs of a new seed each time. An input that gives an answer not seen before (another
//! error, with names and numbers left out) becomes a seed itself.
#![expect(clippy::print_stderr, reason = "long runs say what they did")]

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use selfsame_core::Digest;

use crate::mutator::Mutator;

/// Inputs of a target where nobody asks for more.
const INPUTS: u32 = 300;
/// An input that keeps a reader busy so long twice is a fault: most take microseconds, and tests are not optimised.
const PATIENCE: Duration = Duration::from_secs(8);
/// How much more memory a target may take than the process had before.
const MEMORY_BYTES: u64 = 1 << 30;
/// All of the address space, in a long run.
const ADDRESSES_BYTES: u64 = 8 << 30;
/// Seeds with those that were found.
const POOL: usize = 2000;

/// What a reader answered: nothing, or why not.
pub type Answer = Result<(), String>;

/// What a reader answered, of its result.
pub fn answer<T, E: Display>(result: Result<T, E>) -> Answer {
    result.map(drop).map_err(|error| error.to_string())
}

/// What several readers answered: each is heard, so that none hides what another one says.
pub fn all<const N: usize>(answers: [Answer; N]) -> Answer {
    if answers.iter().all(Result::is_ok) {
        return Ok(());
    }
    Err(answers.map(|answer| answer.err().map_or_else(String::new, |fault| outline(&fault))).join("; "))
}

/// Gives `read` the seeds, the files of `tests/corpus/NAME`, and changed ones. `words` are those of the format.
///
/// # Panics
///
/// Where `read` does, or takes too long or too much memory. The input is kept, and the message says where.
#[track_caller]
pub fn fuzz(name: &str, seeds: &[&[u8]], words: &[&str], read: impl Fn(&[u8]) -> Answer) {
    let run = Run::new(name);
    if std::env::var("SELFSAME_FUZZ_TARGET").is_ok_and(|target| !target.is_empty() && target != name) {
        return;
    }
    let mut pool: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.to_vec()).chain(corpus(name)).collect();
    pool.push(Vec::new());
    let mut seen = BTreeSet::new();
    for seed in &pool {
        seen.insert(run.give(seed, &read));
    }
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let mut mutator = Mutator::new(run.seed, &words);
    let began = Instant::now();
    let mut given = 0_u64;
    loop {
        let done = match run.seconds {
            Some(seconds) => began.elapsed() >= Duration::from_secs(seconds),
            None => given >= u64::from(INPUTS),
        };
        if done {
            break;
        }
        let input = mutator.input(&pool);
        let answered = run.give(&input, &read);
        given += 1;
        if seen.insert(answered) && pool.len() < POOL && input.len() < 64 << 10 {
            pool.push(input);
        }
    }
    if run.seconds.is_some() {
        eprintln!("fuzz {name}: seed {}, {given} inputs, {} different answers", run.seed, seen.len());
        let _ = fs::remove_file(run.current());
    }
}

/// A tar whose headers have the sums that they should, so that what stands in them is read and not only refused.
#[must_use]
pub fn checksummed(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    let mut at = 0;
    while let Some(header) = tar.get_mut(at..at + 512) {
        if header.iter().any(|&byte| byte != 0) {
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let size = std::str::from_utf8(&header[124..135]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size.trim_matches([' ', '\0']), 8).ok()).unwrap_or(0);
        at += 512 + size.next_multiple_of(512);
    }
    tar
}

/// What is asked for in the environment.
struct Run<'a> {
    name: &'a str,
    seconds: Option<u64>,
    seed: u64,
    memory_bytes: u64,
}

impl<'a> Run<'a> {
    fn new(name: &'a str) -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
        };
        let seconds = number("SELFSAME_FUZZ_SECONDS");
        if seconds.is_some() {
            let limit = rustix::process::Rlimit { current: Some(ADDRESSES_BYTES), maximum: Some(ADDRESSES_BYTES) };
            rustix::process::setrlimit(rustix::process::Resource::As, limit).expect("a lower limit on memory");
        }
        Self { name, seconds, seed: number("SELFSAME_FUZZ_SEED").unwrap_or(1), memory_bytes: peak_bytes() }
    }

    /// One input. The answer, without names and numbers.
    fn give(&self, input: &[u8], read: &impl Fn(&[u8]) -> Answer) -> String {
        if self.seconds.is_some() {
            // An overflown stack and memory that is not there end the process: this is what it was given then.
            let current = self.current();
            fs::create_dir_all(current.parent().expect("a folder")).expect("a folder for inputs");
            fs::write(current, input).expect("the input is kept");
        }
        let began = Instant::now();
        let answered = catch_unwind(AssertUnwindSafe(|| read(input)));
        let took = began.elapsed();
        let Ok(answered) = answered else { self.fault(input, "panics") };
        if took > PATIENCE {
            // Perhaps the machine was busy with something else.
            let again = Instant::now();
            let _ = read(input);
            if again.elapsed() > PATIENCE {
                self.fault(input, &format!("takes {took:?}"));
            }
        }
        let memory = peak_bytes().saturating_sub(self.memory_bytes);
        if memory > MEMORY_BYTES {
            self.fault(input, &format!("takes {} MiB", memory >> 20));
        }
        answered.err().map_or_else(String::new, |fault| outline(&fault))
    }

    fn current(&self) -> PathBuf {
        findings().join(format!("{}.current", self.name))
    }

    fn fault(&self, input: &[u8], fault: &str) -> ! {
        let path = findings().join(format!("{}-{}", self.name, &Digest::of(input).hex()[..16]));
        fs::create_dir_all(findings()).expect("a folder for findings");
        fs::write(&path, input).expect("the finding is kept");
        panic!(
            "fuzz target `{}` {fault} with the {} bytes of `{}` (seed {}); move it to `tests/corpus/{}/`",
            self.name,
            input.len(),
            path.display(),
            self.seed,
            self.name,
        );
    }
}

/// An error without what is particular to an input.
fn outline(fault: &str) -> String {
    let mut outline = String::new();
    let mut quoted = false;
    for character in fault.chars() {
        match character {
            '`' | '"' => quoted = !quoted,
            _ if quoted || character.is_ascii_digit() => {}
            _ => outline.push(character),
        }
        if outline.len() > 300 {
            break;
        }
    }
    outline
}

/// The seeds of a target that are files, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let Ok(folder) = fs::read_dir(root().join("tests/corpus").join(name)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

fn findings() -> PathBuf {
    root().join("target/fuzz")
}

/// The workspace, for all of its crates lie side by side.
fn root() -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs tests")).join("../..")
}

/// The most memory that this process ever had.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(read: impl Fn(&[u8]) -> Answer) -> String {
        let failed = catch_unwind(AssertUnwindSafe(|| fuzz("of-the-fuzzer-itself", &[b"seed 12"], &["word"], read)));
        let fault = failed.expect_err("a fault is found");
        fault.downcast_ref::<String>().expect("a message").clone()
    }

    #[test]
    fn a_panic_is_found_and_its_input_kept() {
        let message = said(|bytes| {
            assert!(!bytes.ends_with(b"word"), "of the test");
            Ok(())
        });
        let (_, rest) = message.split_once("bytes of `").expect("a path");
        let path = rest.split('`').next().expect("a path");
        assert!(message.contains("panics"), "{message}");
        assert!(fs::read(path).expect("the finding").ends_with(b"word"));
        fs::remove_file(path).expect("the finding");
    }

    #[test]
    fn answers_are_told_apart_by_what_they_say_and_not_of_what() {
        assert_eq!(outline("line 12: `a` is no \"b\""), outline("line 7: `xyz` is no \"\""));
        assert_ne!(outline("line 12: `a` is no name"), outline("line 12: `a` is no number"));
    }

    #[test]
    fn what_answers_differently_is_built_upon() {
        // Three steps, each of which a single change finds and no luck finds at once.
        let steps = std::cell::Cell::new(0);
        fuzz("of-the-fuzzer-itself", &[b"0"], &["alpha", "beta", "gamma"], |bytes| {
            let has = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
            let step = ["alpha", "beta", "gamma"].iter().take_while(|word| has(word)).count();
            steps.set(steps.get().max(step));
            Err(format!("step {}", "i".repeat(step)))
        });
        assert_eq!(steps.get(), 3);
    }
}
