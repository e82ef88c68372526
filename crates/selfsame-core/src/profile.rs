//! The profile: one number for everything that decides bytes.

/// Sandbox constants, normalisers, tar dialect, compressor, JSON form and evidence mapping, as docs/profile/v1.md
/// writes them down. An unknown profile is refused, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Profile(u32);

impl Profile {
    /// The profile that this version builds with.
    pub const CURRENT: Self = Self(1);

    /// A profile that this version can reproduce, or nothing.
    #[must_use]
    pub const fn known(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self(1)),
            _ => None,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// The modification time of toolchains and fetched inputs in a sandbox: 1980-01-01T00:00:00Z, the first second that
/// a zip archive can hold. Sources and outputs of steps carry the source epoch plus their step's rank instead.
/// Changing this changes digests.
pub const INPUT_MTIME_SECS: u64 = 315_532_800;
