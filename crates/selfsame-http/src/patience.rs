//! How long is waited, and how often is tried.

use std::time::Duration;

/// How long is waited, and how often is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a name, and for a connection to one of its addresses.
    pub connect: Duration,
    /// For the next byte, whatever comes.
    pub silence: Duration,
    /// For the first byte of an answer to whom much was sent: a registry hashes a layer before it says yes.
    pub digestion: Duration,
    /// In this time, counted while waiting, at least [`Patience::window_bytes`] must come or go.
    pub window: Duration,
    /// How many.
    pub window_bytes: u64,
    /// For one exchange from its beginning to its last byte.
    pub whole: Duration,
    /// How often something is tried again.
    pub retries: u32,
    /// Before the first retry; three times as long before each that follows.
    pub pause: Duration,
    /// The longest wait before a retry. A server that asks for more is not asked again.
    pub longest_pause: Duration,
}

impl Patience {
    /// How long is waited before the retry with this number, from 0, where the server does not say.
    pub(crate) fn pause_before(&self, retry: u32) -> Duration {
        self.pause.saturating_mul(3_u32.saturating_pow(retry)).min(self.longest_pause)
    }
}

impl Default for Patience {
    /// Half a minute for a connection, one for the next byte, ten for the answer to an upload, 1 KiB/s at least, six hours for one exchange; three retries
    /// after 0.3, 0.9 and 2.7 seconds, or as the server says up to a minute.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            digestion: Duration::from_secs(600),
            window: Duration::from_secs(60),
            window_bytes: 60 << 10,
            whole: Duration::from_secs(6 * 3600),
            retries: 3,
            pause: Duration::from_millis(300),
            longest_pause: Duration::from_secs(60),
        }
    }
}
