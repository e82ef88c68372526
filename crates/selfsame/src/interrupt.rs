//! Ctrl-C: the first one stops the running action and ends the command in order, the second one ends the process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::report::{Answer, Exit, Report};

/// A flag that SIGINT, SIGTERM and SIGHUP set.
pub(crate) fn flag() -> Answer<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        let registered = signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)));
        if let Err(error) = registered {
            return Err(Report::new(Exit::Unanswered, format!("cannot handle signal {signal}: {error}")).into());
        }
    }
    Ok(flag)
}
