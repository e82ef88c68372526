//! `selfsame keygen`: a release key, new or taken over.

use crate::cli::{Keygen, KeygenCommand};
use crate::keys;
use crate::keys::passphrase::Source;
use crate::report::{Answer, Exit};
use crate::terminal;

pub(super) fn run(arguments: &Keygen) -> Answer {
    let (made, locked) = match &arguments.command {
        None => {
            let passphrase = arguments.passphrase_from.as_deref().map(Source::of);
            let pair = &arguments.pair;
            let made = keys::generate(&pair.output, pair.builder_id.as_deref(), passphrase.as_ref())?;
            (made, passphrase.is_some())
        }
        Some(KeygenCommand::Import(arguments)) => {
            let old = Source::of(&arguments.passphrase_from);
            let new = match &arguments.new_passphrase_from {
                _ if arguments.no_passphrase => None,
                Some(source) => Some(Source::of(source)),
                None => Some(old.clone()),
            };
            let pair = &arguments.pair;
            let builder_id = pair.builder_id.as_deref();
            (keys::import(&arguments.file, &old, &pair.output, builder_id, new.as_ref())?, new.is_some())
        }
    };
    let (private, public, key) = made;
    let keep = if locked { "mode 0600, under its passphrase: keep both" } else { "mode 0600: keep it" };
    terminal::data(&format!("private  {}  ({keep})", private.display()));
    terminal::data(&format!("public   {}  (give it to everyone who verifies)", public.display()));
    terminal::data(&format!("key id   {}", key.key_id()));
    terminal::data(&format!("builder  {}", selfsame_attest::builder_id(key.declared_builder_id(), false)));
    Ok(Exit::Yes)
}
