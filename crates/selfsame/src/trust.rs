//! Whom a command believes: keys, or a trust file on a day. Nothing but the command line names either.

use std::io::Read as _;
use std::path::Path;

use selfsame_core::{Day, SourceEpoch};
use selfsame_verify::trust::shared_origin;
use selfsame_verify::{Trust, TrustFile};

use crate::cli::TrustArgs;
use crate::keys;
use crate::report::{Answer, Exit, Report, printable};
use crate::settings::wall_clock_secs;

/// The keys that count.
pub(crate) fn of(arguments: &TrustArgs) -> Answer<Trust> {
    match &arguments.trust {
        // Its logs are its own: one more would be one more in which a document may be.
        Some(path) => {
            let (file, text) = read(path)?;
            Ok(file.at(arguments.at.unwrap_or_else(today), &text))
        }
        None => {
            let keys = arguments.keys.iter().map(|path| keys::public(path)).collect::<Answer<Vec<_>>>()?;
            let logs = arguments.log_keys.iter().map(|path| keys::log_public(path)).collect::<Answer<Vec<_>>>()?;
            if let Some(origin) = shared_origin(&logs) {
                let fault = format!("two of the logs that were given are called `{}`", printable(origin));
                return Err(Report::new(Exit::Unanswered, fault)
                    .consequence("A log has one key: one that goes on with another key has another name.")
                    .into());
            }
            Ok(Trust::in_keys(keys).with_logs(logs))
        }
    }
}

impl TrustArgs {
    /// Whether nobody is named at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.trust.is_none()
    }
}

/// A trust file, and its text.
pub(crate) fn read(path: &Path) -> Answer<(TrustFile, String)> {
    let fault = |what: String| {
        Report::new(Exit::Unanswered, format!("cannot read the trust file `{}`: {what}", path.display()))
    };
    let mut bytes = Vec::new();
    crate::given::open(path)
        .and_then(|file| file.take(TrustFile::LIMIT_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| fault(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| fault("it is not UTF-8".to_owned()))?;
    match TrustFile::parse(&text) {
        Ok(file) => Ok((file, text)),
        Err(error) => Err(Report::new(Exit::Unanswered, error.message.clone())
            .fact("at", format!("{}:{}:{}", path.display(), error.line, error.column))
            .figure(&error.excerpt())
            .consequence("Nobody is trusted by a file with a fault.")
            .into()),
    }
}

/// The day that this machine's clock says.
pub(crate) fn today() -> Day {
    Day::of(SourceEpoch::new(wall_clock_secs()).unwrap_or(SourceEpoch::new(0).expect("the first second")))
}
