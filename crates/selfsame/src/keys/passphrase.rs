//! Where passphrases come from: a file, a variable, or the terminal. Never an argument, which every user could read.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use selfsame_attest::pem::Secret;
use selfsame_passphrase::{LockedKey, LockedKeyError, MOST_PASSPHRASE_BYTES, RANDOM_BYTES};

use super::cannot;
use crate::report::{Answer, Exit, Report, printable};
use crate::settings::Settings;

/// Names the source where a command that signs finds its key locked.
pub(crate) const VARIABLE: &str = "SELFSAME_PASSPHRASE_FROM";

/// Where a passphrase is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The first line of a file.
    File(PathBuf),
    /// `env:NAME`.
    Variable(String),
    /// `ask`: whoever sits at the terminal.
    Terminal,
}

impl Source {
    /// `FILE`, `env:NAME` or `ask`.
    pub(crate) fn of(text: &str) -> Self {
        match text.strip_prefix("env:") {
            Some(name) => Self::Variable(name.to_owned()),
            None if text == "ask" => Self::Terminal,
            None => Self::File(PathBuf::from(text)),
        }
    }

    /// The passphrase, which may be empty. `what` it is for stands in the question; `twice` is for new ones.
    pub(crate) fn read(&self, what: &str, twice: bool) -> Answer<Secret> {
        match self {
            Self::File(path) => {
                let mut text = Secret::new(String::with_capacity(MOST_PASSPHRASE_BYTES + 4));
                crate::given::open(path)
                    .and_then(|file| file.take(MOST_PASSPHRASE_BYTES as u64 + 3).read_to_string(&mut text))
                    .map_err(|error| cannot("read the passphrase in", path, &error))?;
                if let Some(line) = text.strip_suffix('\n') {
                    let length = line.strip_suffix('\r').unwrap_or(line).len();
                    text.truncate(length);
                }
                if text.contains('\n') {
                    let headline = format!("`{}` holds more than one line; a passphrase is one", path.display());
                    return Err(Report::new(Exit::Unanswered, headline).into());
                }
                Ok(text)
            }
            Self::Variable(name) => match Settings::variable(name) {
                Some(value) => Ok(Secret::new(value)),
                None => {
                    let headline = format!("passphrase `env:{name}`: the variable `{name}` is not set");
                    Err(Report::new(Exit::Unanswered, headline).into())
                }
            },
            Self::Terminal => {
                let first = ask(what, &format!("Passphrase for {what}: "))?;
                if twice && *ask(what, "The same again: ")? != *first {
                    return Err(Report::new(Exit::Unanswered, "the two passphrases differ").into());
                }
                Ok(first)
            }
        }
    }
}

/// The key file `bytes`, which `text` names, as it is without a passphrase.
pub(super) fn unlocked(bytes: Vec<u8>, text: &str) -> Answer<Secret> {
    if !LockedKey::is_locked(&bytes) {
        // What is no text is no key; who parses it says so.
        return Ok(Secret::new(String::from_utf8(bytes).unwrap_or_else(|_| "\u{fffd}".to_owned())));
    }
    let source = match Settings::variable(VARIABLE).filter(|source| !source.is_empty()) {
        Some(source) => Source::of(&source),
        None => Source::Terminal,
    };
    open(&bytes, text, &source)
}

/// The locked key file `bytes`, opened.
pub(crate) fn open(bytes: &[u8], text: &str, source: &Source) -> Answer<Secret> {
    let fault = |error: LockedKeyError| Report::new(Exit::Unanswered, format!("key `{text}` cannot be used: {error}"));
    // Before anybody is asked for anything.
    let locked = LockedKey::parse(bytes).map_err(fault)?;
    let passphrase = source.read(&format!("key `{text}`"), false)?;
    locked.open(passphrase.as_bytes()).map_err(|error| fault(error).into())
}

/// The key file `plain` under a passphrase.
pub(crate) fn lock(plain: &str, passphrase: &Secret) -> Answer<Secret> {
    let fault = |error: String| Report::new(Exit::Unanswered, format!("no key was made: {error}"));
    let mut random = [0; RANDOM_BYTES];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .map_err(|error| fault(format!("no random number: {error}")))?;
    selfsame_passphrase::lock(plain.as_bytes(), passphrase.as_bytes(), &random)
        .map_err(|error| fault(error.to_string()).into())
}

/// Asks at the terminal, whatever the standard streams are, and shows nothing of the answer.
fn ask(what: &str, question: &str) -> Answer<Secret> {
    let none = || {
        Report::new(Exit::Unanswered, format!("{what} wants a passphrase, and there is no terminal to ask at"))
            .hint(format!("name its source: `{VARIABLE}=FILE` or `{VARIABLE}=env:NAME`"))
    };
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(|_| none())?;
    let fault = |error: std::io::Error| Report::new(Exit::Unanswered, format!("the terminal cannot be read: {error}"));
    let before = tcgetattr(&terminal).map_err(|_| none())?;
    let quiet = Quiet::new(&terminal, before).map_err(fault)?;
    (&terminal).write_all(printable(question).as_bytes()).map_err(fault)?;
    let line = line(&terminal).map_err(fault)?;
    (&terminal).write_all(b"\n").map_err(fault)?;
    drop(quiet);
    match line {
        Some(line) => String::from_utf8(line)
            .map(Secret::new)
            .map_err(|_| Report::new(Exit::Unanswered, "the passphrase is not UTF-8").into()),
        None => Err(Report::new(Exit::Unanswered, "no passphrase was given").into()),
    }
}

/// One line, byte by byte, with the keys that take back; `None` where it was broken off.
fn line(mut terminal: &File) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::with_capacity(MOST_PASSPHRASE_BYTES + 1);
    loop {
        let mut byte = [0];
        if terminal.read(&mut byte)? == 0 {
            return Ok(None);
        }
        match byte[0] {
            b'\r' | b'\n' => return Ok(Some(line)),
            // Ctrl-C; Ctrl-D with nothing before.
            0x03 => return Ok(None),
            0x04 if line.is_empty() => return Ok(None),
            // Backspace takes a whole letter.
            0x08 | 0x7f => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            // Ctrl-U.
            0x15 => line.clear(),
            byte if line.len() <= MOST_PASSPHRASE_BYTES => line.push(byte),
            _ => {}
        }
    }
}

/// A terminal that shows nothing, gives each byte at once, and is as before when this is dropped. Ctrl-C is a byte like
/// any other meanwhile: a signal would leave it silent.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(terminal: &'a File, before: Termios) -> std::io::Result<Self> {
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
