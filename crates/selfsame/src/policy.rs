//! The policies that a command judges by: files of Rego, judged in a process of their own that may fall; or the policy
//! of this program.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use selfsame_core::Digest;
use selfsame_policy::{Answered, Asked, Desk, Named, Policy, Ruler, Ruling};
use selfsame_sandbox::Confined;
use serde_json::Value;

use crate::report::{Answer, Exit, Report};

/// The most policies of one question.
const MOST_POLICIES: usize = 16;

/// The policies of these files, read and ready; the policy of this program where there is none. What is wrong with one is
/// said at once. To be called before programs are given up.
pub(crate) fn of(paths: &[PathBuf]) -> Answer<Arc<dyn Ruler>> {
    match paths {
        [] => Ok(selfsame_policy::built_in()),
        paths => Ok(Arc::new(Apart::open(paths)?)),
    }
}

/// What the confined process does: answers questions about policies.
pub(crate) fn serve() -> ExitCode {
    let mut desk = Desk::default();
    selfsame_sandbox::confined_main(move |question| desk.answer(question))
}

/// A file of Rego.
pub(crate) fn text(path: &Path) -> Answer<String> {
    let fault = |what: String| {
        Report::new(Exit::Unanswered, format!("cannot read the policy `{}`: {what}", path.display()))
            .consequence("Without every policy that was given nothing is verified.")
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(Policy::LIMIT_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| fault(error.to_string()))?;
    if bytes.len() > Policy::LIMIT_BYTES {
        return Err(fault(format!("it has more than {} bytes", Policy::LIMIT_BYTES)).into());
    }
    Ok(String::from_utf8(bytes).map_err(|_| fault("it is not UTF-8".to_owned()))?)
}

/// Policies in a process apart.
#[derive(Debug)]
pub(crate) struct Apart {
    named: Vec<Named>,
    confined: Mutex<Confined>,
}

impl Apart {
    /// Reads the files here, and has them understood there.
    pub(crate) fn open(paths: &[PathBuf]) -> Answer<Self> {
        if paths.len() > MOST_POLICIES {
            let headline = format!("{} policies were given; at most {MOST_POLICIES} are judged by", paths.len());
            return Err(Report::new(Exit::Unanswered, headline).into());
        }
        let mut texts = Vec::with_capacity(paths.len());
        for path in paths {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            texts.push((name, text(path)?));
        }
        let confined = Confined::start().map_err(|error| {
            Report::new(Exit::Unanswered, format!("the process that judges policies cannot be started: {error}"))
        })?;
        let mut apart = Self { named: Vec::new(), confined: Mutex::new(confined) };
        let no_policy = |name: &str, fault: &str| {
            let path = paths.iter().find(|path| path.ends_with(name)).unwrap_or(&paths[0]);
            let mut lines = fault.lines().filter(|line| !line.trim().is_empty());
            let first = lines.next().unwrap_or_default();
            Report::new(Exit::Unanswered, format!("`{}` is not a policy: {first}", path.display()))
                .figure(&lines.map(|line| format!("{line}\n")).collect::<String>())
                .consequence("Without every policy that was given nothing is verified.")
        };
        let reads = match apart.ask(&Asked::Read(texts.clone())) {
            Ok(Answered::Read(reads)) if reads.len() == texts.len() => reads,
            Ok(Answered::Fault(name, fault)) => return Err(no_policy(&name, &fault).into()),
            Ok(_) => return Err(no_policy("", "it gave no answer").into()),
            Err(fault) => return Err(no_policy("", &fault).into()),
        };
        let named = |((name, text), reads): ((String, String), (Vec<String>, bool))| Named {
            digest: Digest::of(text.as_bytes()),
            name,
            reads: reads.into(),
        };
        apart.named = texts.into_iter().zip(reads).map(named).collect();
        Ok(apart)
    }

    /// One question; why there is no answer, if there is none.
    pub(crate) fn ask(&self, asked: &Asked) -> Result<Answered, String> {
        let mut confined = self.confined.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = confined.ask(&asked.to_bytes(), Answered::LIMIT_BYTES);
        let answer = answer.map_err(|error| format!("the policy was not judged to its end: {error}"))?;
        Answered::parse(&answer).ok_or_else(|| "the process that judges policies gave no answer".to_owned())
    }
}

impl Ruler for Apart {
    fn policies(&self) -> &[Named] {
        &self.named
    }

    fn rule(&self, facts: &Value) -> Result<Vec<Ruling>, String> {
        match self.ask(&Asked::Rule(facts.clone()))? {
            Answered::Ruled(rulings) => {
                Ok(rulings.into_iter().map(|(allow, denied)| Ruling { allow, denied }).collect())
            }
            Answered::Fault(name, fault) => Err(format!("the policy `{name}` gave no answer: {}", in_one_line(&fault))),
            _ => Err("the process that judges policies gave another answer".to_owned()),
        }
    }
}

/// The engine shows lines of the policy around what it says.
pub(crate) fn in_one_line(fault: &str) -> String {
    let lines: Vec<&str> = fault.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "|").collect();
    lines.join("; ")
}
