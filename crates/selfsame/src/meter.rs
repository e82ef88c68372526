//! How far downloads are: a line that is written over on a terminal, and lines now and then elsewhere.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use selfsame_fetch::FetchProgress;

use crate::settings::monotonic;
use crate::terminal::{Voice, size};

/// Between two pictures on a terminal.
const LIVE: Duration = Duration::from_millis(100);
/// Between two lines in a log.
const LINES: Duration = Duration::from_secs(10);

/// Tells a voice how far downloads are.
pub(crate) struct Meter {
    voice: Voice,
    state: Mutex<Option<Batch>>,
}

/// Files that were announced together.
struct Batch {
    input: String,
    files: u64,
    size: Option<u64>,
    done_files: u64,
    done_bytes: u64,
    /// Of whole files. What another program downloads is told whole or not at all.
    came_bytes: u64,
    hosts: BTreeSet<String>,
    begun: Instant,
    told: Instant,
}

impl Meter {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice, state: Mutex::new(None) }
    }

    fn change(&self, change: impl FnOnce(&mut Batch)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(batch) = state.as_mut() else { return };
        change(batch);
        let now = monotonic();
        if batch.done_files >= batch.files {
            self.voice.say("fetch", &batch.ended(now));
            *state = None;
            return;
        }
        if now.duration_since(batch.told) < if self.voice.is_live() { LIVE } else { LINES } {
            return;
        }
        batch.told = now;
        let about = batch.under_way(now);
        if self.voice.is_live() {
            self.voice.picture("fetch", &about);
        } else {
            self.voice.say("fetch", &about);
        }
    }
}

impl Drop for Meter {
    /// What failed leaves a picture behind, and the next thing that is said is why.
    fn drop(&mut self) {
        if self.state.get_mut().is_ok_and(|state| state.is_some()) {
            self.voice.wipe();
        }
    }
}

impl FetchProgress for Meter {
    fn warn(&self, about: &str) {
        self.voice.wipe();
        self.voice.warn(about);
    }

    fn expect(&self, input: &str, files: u64, size: Option<u64>) {
        let now = monotonic();
        let batch = Batch {
            input: input.to_owned(),
            files,
            size,
            done_files: 0,
            done_bytes: 0,
            came_bytes: 0,
            hosts: BTreeSet::new(),
            begun: now,
            told: now,
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.as_mut() {
            // Several files of one input each, at once. The same input again is another attempt.
            Some(running) if running.input != input => running.join(batch),
            _ => *state = Some(batch),
        }
    }

    fn bytes(&self, count: u64) {
        self.change(|batch| batch.done_bytes = batch.done_bytes.saturating_add(count));
    }

    fn lost(&self, count: u64) {
        self.change(|batch| batch.done_bytes = batch.done_bytes.saturating_sub(count));
    }

    fn came(&self, _: &str, _: &str, size: u64) {
        self.change(|batch| {
            batch.done_files += 1;
            batch.came_bytes = batch.came_bytes.saturating_add(size);
        });
    }

    fn host(&self, host: &str) {
        self.change(|batch| _ = batch.hosts.insert(host.to_owned()));
    }
}

impl Batch {
    /// What comes together is counted together.
    fn join(&mut self, other: Self) {
        self.input = "inputs".to_owned();
        self.files += other.files;
        self.size = self.size.zip(other.size).map(|(one, two)| one.saturating_add(two));
    }

    fn bytes(&self) -> u64 {
        self.done_bytes.max(self.came_bytes)
    }

    /// `gcc: 12 of 50 files, 13.2 MiB of 58.1 MiB, 10.1 MiB/s`
    fn under_way(&self, now: Instant) -> String {
        let Self { input, files, done_files, .. } = self;
        let of = self.size.map(|all| format!(" of {}", size(all))).unwrap_or_default();
        let rate = rate(self.bytes(), now.duration_since(self.begun));
        let files = if *files == 1 { String::new() } else { format!("{done_files} of {files} files, ") };
        format!("{input}: {files}{}{of}, {rate}", size(self.bytes()))
    }

    /// `gcc: 50 files, 58.1 MiB, 9.7 MiB/s, from deb.example`
    fn ended(&self, now: Instant) -> String {
        let Self { input, files, .. } = self;
        let rate = rate(self.bytes(), now.duration_since(self.begun));
        let files = if *files == 1 { "1 file".to_owned() } else { format!("{files} files") };
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let from = if hosts.is_empty() { String::new() } else { format!(", from {}", hosts.join(", ")) };
        format!("{input}: {files}, {}, {rate}{from}", size(self.bytes()))
    }
}

fn rate(bytes: u64, time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    format!("{}/s", size(bytes.saturating_mul(1000) / millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_batch() {
        let begun = monotonic();
        let mut batch = Batch {
            input: "gcc".to_owned(),
            files: 50,
            size: Some(58 << 20),
            done_files: 12,
            done_bytes: 13 << 20,
            came_bytes: 0,
            hosts: BTreeSet::new(),
            begun,
            told: begun,
        };
        let later = begun + Duration::from_secs(2);
        assert_eq!(batch.under_way(later), "gcc: 12 of 50 files, 13.0 MiB of 58.0 MiB, 6.5 MiB/s");
        batch.hosts.extend(["a.example".to_owned(), "b.example by its upstream".to_owned()]);
        batch.done_bytes = 58 << 20;
        assert_eq!(
            batch.ended(later),
            "gcc: 50 files, 58.0 MiB, 29.0 MiB/s, from a.example, b.example by its upstream"
        );
        let file = |input: &str| Batch {
            input: input.to_owned(),
            files: 1,
            size: Some(1 << 20),
            done_files: 0,
            done_bytes: 0,
            came_bytes: 0,
            hosts: BTreeSet::new(),
            begun,
            told: begun,
        };
        let mut both = file("a");
        both.join(file("b"));
        assert_eq!(both.under_way(begun), "inputs: 0 of 2 files, 0 bytes of 2.0 MiB, 0 bytes/s");
        // One file of a program that says how large it was when it is there; in no time at all.
        let batch = Batch { files: 1, size: None, done_bytes: 0, came_bytes: 5, hosts: BTreeSet::new(), ..batch };
        assert_eq!(batch.under_way(begun), "gcc: 5 bytes, 4.8 KiB/s");
        assert_eq!(batch.ended(begun), "gcc: 1 file, 5 bytes, 4.8 KiB/s");
    }
}
