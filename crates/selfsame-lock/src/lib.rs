//! selfsame.lock and selfsame.host.lock: every input by content, and whether they answer a definition.
