//! `selfsame doctor`
use crate::cli::Doctor;
use crate::report::{Answer, Exit};
use crate::settings::Settings;

pub(super) fn run(_arguments: &Doctor, _settings: &Settings) -> Answer {
    Ok(Exit::Yes)
}
