//! `docker-credential-NAME get`: the registry's name goes in by stdin, JSON comes out by stdout.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use selfsame_http::Environment;
use serde::Deserialize;

use crate::{Login, RegistryError};

/// How long a helper may take: it may ask another computer, and it must not wait for a person.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long its end may take behind the end of its answer.
const END: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const ANSWER_BYTES: u64 = 64 * 1024;
/// The user of an answer whose secret is an identity token.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    secret: String,
}

/// What the helper knows about `server`; nothing if it says that it knows nothing.
pub(crate) fn ask(name: &str, server: &str, environment: &Environment) -> Result<Option<Login>, RegistryError> {
    let failed = |fault: String| RegistryError::Helper { helper: name.escape_debug().to_string(), fault };
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err(failed("has a name that no program has".to_owned()));
    }
    let program = find(&format!("docker-credential-{name}"), environment)
        .ok_or_else(|| failed("is not in any folder of PATH".to_owned()))?;
    let mut child = Command::new(&program)
        .arg("get")
        .env_clear()
        .envs(&environment.variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("does not start: {error}")))?;
    let answer = converse(&mut child, server);
    let ended = end(&mut child);
    let answer = answer.map_err(failed)?;
    let Some(status) = ended else { return Err(failed("did not end behind its answer".to_owned())) };
    if !status.success() {
        return match said(&answer) {
            said if is_unknown(&said) => Ok(None),
            said => Err(failed(format!("ended with {status}{said}"))),
        };
    }
    // serde's own words may repeat a value, and the values are secrets.
    let answer: Answer =
        serde_json::from_slice(&answer).map_err(|_| failed("gave an answer that is not read".to_owned()))?;
    if answer.secret.is_empty() {
        return Ok(None);
    }
    Ok(Some(match answer.username.as_str() {
        TOKEN_USER => Login::Identity(answer.secret),
        _ => Login::Password { user: answer.username, password: answer.secret },
    }))
}

fn find(program: &str, environment: &Environment) -> Option<PathBuf> {
    let folders = environment.variable("PATH")?;
    // A relative folder would be one of the source that is being built.
    let mut candidates = std::env::split_paths(folders).filter(|folder| folder.is_absolute());
    candidates.find_map(|folder| Some(folder.join(program)).filter(|path| is_file(path)))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// Writes the question and reads the answer, on a thread that a helper which does neither can keep.
fn converse(child: &mut Child, server: &str) -> Result<Vec<u8>, String> {
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("has no pipes".to_owned());
    };
    let question = format!("{server}\n");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // A helper that does not read its question says so by its answer.
        let _ = stdin.write_all(question.as_bytes());
        drop(stdin);
        let mut answer = Vec::new();
        let read = stdout.by_ref().take(ANSWER_BYTES + 1).read_to_end(&mut answer);
        // Nobody listens any more after a timeout.
        let _ = sender.send(read.map(|_| answer));
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(Ok(answer)) if answer.len() as u64 > ANSWER_BYTES => {
            Err(format!("gave an answer of more than {ANSWER_BYTES} bytes"))
        }
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("could not be read: {error}")),
        Err(_) => Err(format!("gave no answer within {} seconds", PATIENCE.as_secs())),
    }
}

/// Waits a little for the end, then makes one.
fn end(child: &mut Child) -> Option<ExitStatus> {
    const STEP: Duration = Duration::from_millis(10);
    for _ in 0..END.as_millis() / STEP.as_millis() {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) => std::thread::sleep(STEP),
            Err(_) => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// A failed helper's message, which it writes to stdout; nothing that may hold a secret.
fn said(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() || text.contains("Secret") {
        return String::new();
    }
    format!(" and says `{}`", line.chars().take(200).flat_map(char::escape_debug).collect::<String>())
}

/// Every helper of docker's own library says one of these.
fn is_unknown(said: &str) -> bool {
    said.contains("credentials not found")
}
