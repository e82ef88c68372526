//! `selfsame keygen`: a release key.

use crate::cli::Keygen;
use crate::keys;
use crate::report::{Answer, Exit};
use crate::terminal;

pub(super) fn run(arguments: &Keygen) -> Answer {
    let (private, public, key) = keys::generate(&arguments.output, arguments.builder_id.as_deref())?;
    terminal::data(&format!("private  {}  (mode 0600: keep it)", private.display()));
    terminal::data(&format!("public   {}  (give it to everyone who verifies)", public.display()));
    terminal::data(&format!("key id   {}", key.key_id()));
    terminal::data(&format!("builder  {}", selfsame_attest::builder_id(key.declared_builder_id(), false)));
    Ok(Exit::Yes)
}
