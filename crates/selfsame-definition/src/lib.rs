//! What the author wrote: selfsame.toml, parsed with spans into a Definition.
