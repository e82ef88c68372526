//! Runs one command in namespaces of its own; observes what a command touches. The only crate with unsafe code.
