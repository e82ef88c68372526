//! What a build says while it runs.

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An action is about to run, or its result to be looked up.
    ActionStarted {
        /// Which.
        name: &'a str,
    },
    /// An action runs its second time, under variation.
    ActionChecked {
        /// Which.
        name: &'a str,
    },
    /// An action's result is there.
    ActionEnded {
        /// Which.
        name: &'a str,
        /// Whether it came from the store.
        cached: bool,
        /// Whether it was made twice.
        checked: bool,
        /// How long it took.
        duration_millis: u64,
    },
    /// The image's layer is being written.
    Layer {
        /// How many bytes its files have.
        size_bytes: u64,
    },
    /// Evidence is being signed.
    Signing,
}

/// Takes events; a terminal, a log, or nothing.
pub trait Progress {
    /// Called from the thread that builds.
    fn event(&self, event: Event<'_>);
}

/// Says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Progress for Quiet {
    fn event(&self, _: Event<'_>) {}
}
