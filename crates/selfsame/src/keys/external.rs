//! A signer in another program: any HSM or key service. docs/keys.md has what is asked of it.

use std::io::{Read, Write as _};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use selfsame_attest::{PublicKey, SignError, Signer};

use crate::report::{Answer, Exit, Report, printable};
use crate::settings::{Settings, monotonic};
use crate::terminal;

/// The longest answer.
const ANSWER_BYTES: u64 = 64 << 10;
/// The most that is shown of what a signer says on standard error.
const TALK_BYTES: usize = 16 << 10;
/// The longest line of it.
const LINE_BYTES: u64 = 1 << 10;
/// How long each call may take, in seconds, if nothing else is said: time to find and touch a token.
const PATIENCE_SECS: u64 = 120;
/// Names another time.
const PATIENCE: &str = "SELFSAME_SIGNER_SECONDS";
/// The longest time that may be named.
const MOST_PATIENCE_SECS: u64 = 3600;
/// How long the last words are waited for when a signer has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A command that `sh -c` runs, with one more argument: for `public-key` it prints its public key as PEM; for `sign` it
/// reads a PAE from standard input and prints an ASN.1 DER signature.
pub(super) struct External {
    command: String,
    patience: Duration,
    public: PublicKey,
}

impl External {
    /// Asks the command for its public key.
    pub(super) fn new(command: &str) -> Answer<Self> {
        let patience = patience()?;
        let fault = |error: SignError| {
            Report::new(Exit::Unanswered, format!("key `exec:{}` cannot be used: {error}", shown(command)))
                .consequence(crate::report::NOTHING_BUILT)
                .hint("the command is called with `public-key` and with `sign`; see docs/keys.md")
        };
        let pem = call(&Call::of_signer(command, "public-key"), &[], patience).map_err(fault)?;
        let public = PublicKey::parse(&pem).map_err(|error| fault(refused(format!("its public key: {error}"))))?;
        Ok(Self { command: command.to_owned(), patience, public })
    }
}

impl Signer for External {
    fn public_key(&self) -> Result<PublicKey, SignError> {
        Ok(self.public.clone())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        call(&Call::of_signer(&self.command, "sign"), message, self.patience)
    }

    fn is_deterministic(&self) -> bool {
        false
    }
}

/// The command as an error names it: its first word. What follows may hold a token or a PIN.
pub(crate) fn shown(command: &str) -> String {
    match command.trim().split_once(char::is_whitespace) {
        _ if command.split_whitespace().next().is_none_or(|word| word.contains('=')) => "…".to_owned(),
        Some((word, _)) => format!("{word} …"),
        None => command.trim().to_owned(),
    }
}

/// How long each call may take.
pub(crate) fn patience() -> Answer<Duration> {
    let Some(text) = Settings::variable(PATIENCE).filter(|text| !text.is_empty()) else {
        return Ok(Duration::from_secs(PATIENCE_SECS));
    };
    match text.parse() {
        Ok(seconds @ 1..=MOST_PATIENCE_SECS) => Ok(Duration::from_secs(seconds)),
        _ => Err(Report::new(
            Exit::Unanswered,
            format!("`{PATIENCE}` is `{text}`; a number of seconds from 1 to {MOST_PATIENCE_SECS} is wanted"),
        )
        .into()),
    }
}

fn refused(reason: String) -> SignError {
    SignError::Refused { reason }
}

/// What a command says to some bytes, where it is called for nothing else.
pub(crate) fn ask(command: &str, who: &'static str, input: &[u8], patience: Duration) -> Result<Vec<u8>, String> {
    let it = Call { command: command.to_owned(), arguments: Vec::new(), what: who, speaker: who };
    call(&it, input, patience).map_err(|error| match error {
        SignError::Refused { reason } => reason,
        other => other.to_string(),
    })
}

/// A command as it is called.
struct Call<'a> {
    /// For `sh -c`.
    command: String,
    arguments: Vec<&'a str>,
    /// What the call is named, for errors.
    what: &'a str,
    /// Whose words its standard error has.
    speaker: &'static str,
}

impl<'a> Call<'a> {
    fn of_signer(command: &str, argument: &'a str) -> Self {
        let command = format!("{command} \"$@\"");
        Self { command, arguments: vec![argument], what: argument, speaker: "signer" }
    }
}

/// One call. Nothing that the command does keeps it from coming to an end: not a pipe that is neither read nor closed,
/// not more output than a key or a signature could have.
fn call(call: &Call<'_>, input: &[u8], patience: Duration) -> Result<Vec<u8>, SignError> {
    let (argument, speaker) = (call.what, call.speaker);
    let deadline = monotonic() + patience;
    // In our process group: Ctrl-C means both, and a PIN can be asked for at the terminal.
    let mut child = Command::new("sh")
        .args(["-c", &call.command, "selfsame-signer"])
        .args(&call.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| refused(format!("it could not be started: {error}")))?;
    let missing = || refused("it has no standard streams".to_owned());
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    // Each stream has a thread that is not waited for: whoever inherited the other end may keep it open for ever.
    let input = input.to_vec();
    std::thread::spawn(move || drop(stdin.write_all(&input)));
    let (said, last_words) = channel();
    std::thread::spawn(move || relay(stderr, speaker, said));
    let (answered, answer) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(ANSWER_BYTES + 1).read_to_end(&mut bytes);
        let _ = answered.send(read.map(|_| bytes));
    });
    let ended = finish(&mut child, argument, &answer, deadline, patience);
    if ended.is_err() {
        kill(&mut child);
    }
    let _ = last_words.recv_timeout(LAST_WORDS);
    let (answer, status) = ended?;
    match status {
        status if !status.success() => Err(refused(format!("`{argument}` ended with {status}"))),
        _ if answer.is_empty() => Err(refused(format!("`{argument}` printed nothing"))),
        _ => Ok(answer),
    }
}

/// The answer, when the command closed its output and ended.
fn finish(
    child: &mut Child,
    argument: &str,
    answer: &Receiver<std::io::Result<Vec<u8>>>,
    deadline: Instant,
    patience: Duration,
) -> Result<(Vec<u8>, ExitStatus), SignError> {
    let late = || {
        let seconds = patience.as_secs();
        refused(format!("`{argument}` did not end within {seconds} s (`{PATIENCE}` allows another time)"))
    };
    let left = |deadline: Instant| deadline.saturating_duration_since(monotonic());
    let answer = match answer.recv_timeout(left(deadline)) {
        Ok(read) => read.map_err(|error| refused(format!("its answer could not be read: {error}")))?,
        Err(RecvTimeoutError::Timeout) => return Err(late()),
        Err(RecvTimeoutError::Disconnected) => return Err(refused("its answer could not be read".to_owned())),
    };
    if answer.len() as u64 > ANSWER_BYTES {
        return Err(refused(format!("`{argument}` printed more than {ANSWER_BYTES} bytes")));
    }
    loop {
        match child.try_wait().map_err(|error| refused(format!("it was lost: {error}")))? {
            Some(status) => return Ok((answer, status)),
            None if left(deadline).is_zero() => return Err(late()),
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Ends the command and what it started, as far as that is still below it.
fn kill(child: &mut Child) {
    let mut processes = vec![child.id()];
    let mut at = 0;
    while let Some(process) = processes.get(at).filter(|_| at < 1000) {
        let file = format!("/proc/{process}/task/{process}/children");
        let children = std::fs::read_to_string(file).unwrap_or_default();
        processes.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        at += 1;
    }
    for process in processes {
        if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(process, Signal::KILL);
        }
    }
    let _ = child.wait();
}

/// Shows what a signer says, line by line, with nothing in it that acts on a terminal, and keeps none of it. Reads to
/// the end in any case: a full pipe would stop the signer.
fn relay(mut stderr: ChildStderr, speaker: &str, said: Sender<()>) {
    let mut shown = 0;
    let mut reader = std::io::BufReader::new(&mut stderr);
    loop {
        let mut line = Vec::new();
        let read = std::io::BufRead::read_until(&mut Read::take(&mut reader, LINE_BYTES), b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            break;
        }
        let before = shown;
        shown += line.len();
        if shown <= TALK_BYTES {
            let line = String::from_utf8_lossy(&line);
            terminal::talk(&format!("{speaker}: {}", printable(line.trim_end_matches(['\n', '\r']))));
        } else if before <= TALK_BYTES {
            terminal::talk(&format!("{speaker}: … (it says more than is shown)"));
        }
    }
    let _ = said.send(());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_a_command_without_what_may_be_secret() {
        assert_eq!(shown("kms-sign --token 1234"), "kms-sign …");
        assert_eq!(shown("  /opt/kms-sign "), "/opt/kms-sign");
        assert_eq!(shown("PIN=1234 pkcs11-sign"), "…");
        assert_eq!(shown(""), "…");
    }

    /// In a process of its own, `sleep` would outlive its shell.
    #[test]
    fn a_command_that_hangs_is_ended_with_what_it_started() {
        for script in ["sleep 86401; :", "(sleep 86401; :) & wait; :", "exec sleep 86401"] {
            let began = monotonic();
            let error = call(&Call::of_signer(&format!("{script} #"), "sign"), &[0; 1 << 20], Duration::from_secs(1))
                .unwrap_err();
            assert!(error.to_string().contains("`sign` did not end within 1 s"), "{error}");
            assert!(began.elapsed() < Duration::from_secs(60));
        }
        let sleeps = |process: &std::fs::DirEntry| {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|word| word == b"86401")
        };
        for _ in 0..500 {
            if !std::fs::read_dir("/proc").unwrap().flatten().any(|process| sleeps(&process)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("a process was left behind");
    }

    #[test]
    fn an_answer_has_an_end() {
        let error = call(&Call::of_signer("cat /dev/zero #", "sign"), &[], Duration::from_secs(60)).unwrap_err();
        assert!(error.to_string().contains("`sign` printed more than 65536 bytes"), "{error}");
    }
}
