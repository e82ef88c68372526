//! What probably wrote a difference, with the evidence, and the level of the sandbox that should make it go away.

mod binary;
mod signs;
mod tokens;

use selfsame_core::Level;

use crate::escape;

pub(crate) use tokens::{Run, runs};

/// What sorts of things make builds differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A clock or a file time.
    Timestamp,
    /// The folder in which the build ran.
    BuildPath,
    /// A made-up file name.
    TemporaryName,
    /// A build id that a linker draws at random.
    BuildId,
    /// The machine's name.
    HostName,
    /// The user who built.
    UserName,
    /// The kernel's name or version.
    Kernel,
    /// CPU model, memory, load.
    HostHardware,
    /// The number of CPUs.
    CpuCount,
    /// A memory address.
    Address,
    /// The same things in another order: directory order, hash order, racing jobs.
    Order,
    /// The same things, sorted by another locale.
    Locale,
    /// Random numbers, UUIDs.
    Random,
    /// File permissions, by umask.
    FileMode,
    /// Numeric owner or group.
    Owner,
    /// Another compressor or compressor setting, the same content.
    Compressor,
    /// A hash, checksum, size or offset that follows from another difference.
    Derived,
    /// Bytes that share nothing: a hash of something, or random. The bytes do not say which.
    Opaque,
    /// Nothing is known.
    Unknown,
}

impl Cause {
    /// In words: `a timestamp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "a timestamp",
            Self::BuildPath => "the build path",
            Self::TemporaryName => "a temporary file name",
            Self::BuildId => "a random build id",
            Self::HostName => "the host name",
            Self::UserName => "the user name",
            Self::Kernel => "the kernel version",
            Self::HostHardware => "the host's hardware",
            Self::CpuCount => "the CPU count",
            Self::Address => "a memory address",
            Self::Order => "the order of things",
            Self::Locale => "sorting by locale",
            Self::Random => "a random value",
            Self::FileMode => "file modes",
            Self::Owner => "file owners",
            Self::Compressor => "the compressor",
            Self::Derived => "follows from another difference",
            Self::Opaque => "a hash or a random value",
            Self::Unknown => "unknown",
        }
    }
}

/// A cause, why it is believed, and what should cure it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Guess {
    /// The cause.
    pub cause: Cause,
    /// The facts in the bytes that speak for it, safe for a terminal.
    pub evidence: String,
    /// The lowest level that is expected to make the difference go away; nothing where that is not known.
    pub fixed_by: Option<Level>,
}

impl Guess {
    pub(crate) fn new(cause: Cause, fixed_by: Level, evidence: impl Into<String>) -> Self {
        Self { cause, evidence: evidence.into(), fixed_by: Some(fixed_by) }
    }

    pub(crate) fn unknown(evidence: impl Into<String>) -> Self {
        Self { cause: Cause::Unknown, evidence: evidence.into(), fixed_by: None }
    }

    pub(crate) fn opaque(evidence: impl Into<String>) -> Self {
        Self { cause: Cause::Opaque, evidence: evidence.into(), fixed_by: None }
    }

    pub(crate) fn derived(evidence: impl Into<String>) -> Self {
        Self { cause: Cause::Derived, evidence: evidence.into(), fixed_by: None }
    }

    /// Directory order and hash order are both fixed by `deterministic`; races are not.
    pub(crate) fn order(what: &str) -> Self {
        Self::new(
            Cause::Order,
            Level::Deterministic,
            format!("{what} in another order: directory order, hash order, or jobs that race"),
        )
    }

    /// Two file modes.
    pub(crate) fn mode(a: u32, b: u32) -> Self {
        let evidence = format!("mode {a:04o} and {b:04o}");
        if (a ^ b) & !0o077 == 0 {
            Self::new(Cause::FileMode, Level::Isolated, format!("{evidence}: only bits that a umask takes away"))
        } else {
            Self { cause: Cause::FileMode, evidence, fixed_by: None }
        }
    }

    /// Two numeric owners.
    pub(crate) fn owner(a: (u64, u64), b: (u64, u64)) -> Self {
        Self::new(Cause::Owner, Level::Isolated, format!("owner {}:{} and {}:{}", a.0, a.1, b.0, b.1))
    }

    /// Two file times in seconds, of files that the build made.
    pub(crate) fn file_time(a: u64, b: u64) -> Self {
        Self::new(
            Cause::Timestamp,
            Level::Deterministic,
            format!("file times {} and {}", signs::moment(a), signs::moment(b)),
        )
    }

    /// Two texts: the guess of the first run that tells something.
    pub(crate) fn of_texts(a: &[u8], b: &[u8], known: &Known) -> Self {
        let guesses: Vec<Self> = runs(a, b).iter().map(|run| Self::of_run(a, b, run, known, Setting::Text)).collect();
        Self::distinct(&guesses).into_iter().next().unwrap_or_else(|| Self::unknown("the texts differ"))
    }

    /// One run of two lines.
    pub(crate) fn of_run(a: &[u8], b: &[u8], run: &Run, known: &Known, setting: Setting) -> Self {
        signs::guess(&signs::Sides::of(a, b, run, known, setting))
    }

    /// Two binary contents at their first difference, which is at `at` in both.
    pub(crate) fn of_bytes(a: &[u8], b: &[u8], at: usize, known: &Known) -> Self {
        binary::guess(a, b, at, known)
    }

    /// Each cause once, the most telling first.
    pub(crate) fn distinct<'a>(guesses: impl IntoIterator<Item = &'a Self>) -> Vec<Self> {
        let mut tally = Tally::default();
        for guess in guesses {
            tally.add(guess, 1);
        }
        tally.ranked()
    }
}

/// How often each cause was guessed, in the order of first sight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Vec<(Guess, usize)>);

impl Tally {
    pub(crate) fn add(&mut self, guess: &Guess, times: usize) {
        match self.0.iter_mut().find(|(known, _)| known.cause == guess.cause) {
            Some((known, count)) => {
                *count += times;
                // The level that cures all of them; unknown where one is.
                known.fixed_by = match (known.fixed_by, guess.fixed_by) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    _ => None,
                };
            }
            None => self.0.push((guess.clone(), times)),
        }
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for (guess, count) in &other.0 {
            self.add(guess, *count);
        }
    }

    /// Known causes by how often they occur, then what explains nothing. Equals keep their order.
    pub(crate) fn ranked(&self) -> Vec<Guess> {
        let rank = |cause: Cause| match cause {
            Cause::Unknown => 3,
            Cause::Derived => 2,
            Cause::Opaque => 1,
            _ => 0,
        };
        let mut counted = self.0.clone();
        counted.sort_by_key(|(guess, count)| (rank(guess.cause), usize::MAX - count));
        counted.into_iter().map(|(guess, _)| guess).collect()
    }
}

/// Where a text stands, which decides what may have written a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// In a text file.
    Text,
    /// In a compiled program.
    Program,
}

/// What is known of the two machines, from run records: it turns a guess into a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Of the machine that made the left image.
    pub a: HostFacts,
    /// Of the machine that made the right image.
    pub b: HostFacts,
}

/// What a run record says about a machine. Each may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Its name.
    pub host_name: Option<String>,
    /// Who built.
    pub user: Option<String>,
    /// The folder in which the source lay.
    pub build_path: Option<String>,
    /// `6.1.0-18-amd64`.
    pub kernel: Option<String>,
    /// As /proc/cpuinfo writes it.
    pub cpu_model: Option<String>,
    /// How many CPUs.
    pub cpu_count: Option<String>,
    /// When the build ran, in seconds since 1970.
    pub built_at: Option<u64>,
}

impl Known {
    /// Whether two times lie within a day of the two builds, and the builds are known.
    pub(crate) fn built_at(&self, a: u64, b: u64) -> bool {
        const DAY_SECS: u64 = 86_400;
        let near = |host: &HostFacts, time: u64| host.built_at.is_some_and(|at| at.abs_diff(time) <= DAY_SECS);
        near(&self.a, a) && near(&self.b, b)
    }

    /// The fact that explains why one text is `a` and the other `b`, if one does: putting the right machine's value
    /// in the left text gives the right text.
    pub(crate) fn explains(&self, a: &str, b: &str) -> Option<Guess> {
        let rows = [
            (Cause::HostName, Level::Isolated, &self.a.host_name, &self.b.host_name),
            (Cause::BuildPath, Level::Isolated, &self.a.build_path, &self.b.build_path),
            (Cause::UserName, Level::Isolated, &self.a.user, &self.b.user),
            (Cause::Kernel, Level::Deterministic, &self.a.kernel, &self.b.kernel),
            (Cause::HostHardware, Level::Normalized, &self.a.cpu_model, &self.b.cpu_model),
            (Cause::CpuCount, Level::Deterministic, &self.a.cpu_count, &self.b.cpu_count),
        ];
        rows.into_iter().find_map(|(cause, level, mine, theirs)| {
            let (mine, theirs) = (mine.as_deref()?, theirs.as_deref()?);
            let told = !mine.is_empty() && mine != theirs && a.contains(mine) && a.replace(mine, theirs) == b;
            let quote = |text: &str| escape::clip(text.as_bytes());
            told.then(|| {
                let evidence = format!("the run records say `{}` and `{}`", quote(mine), quote(theirs));
                Guess::new(cause, level, evidence)
            })
        })
    }
}
