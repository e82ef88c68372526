//! What a program said and how it ended.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Filter;

/// Both streams, whole, and the exit code. What is not UTF-8 is replaced.
#[derive(Clone, Debug)]
pub struct Output {
    /// Data.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
    /// The exit code, or 128 and the signal, as a shell says it.
    pub code: i32,
    /// How it was called, for messages of failing tests.
    call: String,
    places: Vec<(PathBuf, &'static str)>,
}

impl Output {
    /// Runs a command; kills it and fails if it takes longer than `deadline`, or leaves a process that holds its output.
    pub(crate) fn of(mut command: Command, deadline: Duration, places: Vec<(PathBuf, &'static str)>) -> Self {
        let call = format!("{command:?}");
        let end = Instant::now() + deadline;
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {call}: {error}"));
        let stdout = read_in_background(child.stdout.take().expect("stdout was piped"));
        let stderr = read_in_background(child.stderr.take().expect("stderr was piped"));
        let stdout = wait_for(&stdout, end, &mut child, &call);
        let stderr = wait_for(&stderr, end, &mut child, &call);
        let status = child.wait().unwrap_or_else(|error| panic!("cannot wait for {call}: {error}"));
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
        Self { stdout, stderr, code, call, places }
    }

    /// Fails unless the exit code is this one.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}\n{}", self.call, self.transcript(Filter::NONE));
        self
    }

    /// Fails unless the exit code is 0.
    #[track_caller]
    pub fn succeeds(&self) -> &Self {
        self.exits(0)
    }

    /// Fails unless stderr holds this text.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "no `{text}` in:\n{}", self.transcript(Filter::NONE));
        self
    }

    /// Stdout as one JSON document, read strictly.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let limits = selfsame_core::json::Limits::DOCUMENT;
        selfsame_core::json::parse(self.stdout.as_bytes(), limits)
            .unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{}", self.transcript(Filter::NONE)))
    }

    /// Both streams and the code in one text for a snapshot, the same on every machine and in every run.
    ///
    /// The test's folders become `[STORE]` and `[TMP]`, and what `filter` names goes too.
    #[must_use]
    pub fn transcript(&self, filter: Filter) -> String {
        let mut text = format!("exit {}\n", self.code);
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                text += &format!("--- {name}\n{stream}");
                if !stream.ends_with('\n') {
                    text += "[no newline]\n";
                }
            }
        }
        for (place, word) in &self.places {
            text = text.replace(&*place.to_string_lossy(), word);
        }
        filter.apply(&text)
    }
}

/// Two pipes must be read at once: a program that fills the one nobody reads waits for ever.
fn read_in_background(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A stream that breaks has said what it has said.
        let _ = stream.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn wait_for(stream: &mpsc::Receiver<String>, end: Instant, child: &mut Child, call: &str) -> String {
    stream.recv_timeout(end.saturating_duration_since(Instant::now())).unwrap_or_else(|_| {
        // Whether it has ended by itself meanwhile is the difference between too slow and a process left behind.
        let ended = child.try_wait().ok().flatten();
        let _ = child.kill();
        let _ = child.wait();
        match ended {
            Some(status) => panic!("{call} ended ({status}), and something that it started holds its output open"),
            None => panic!("{call} did not end in time and was killed"),
        }
    })
}
