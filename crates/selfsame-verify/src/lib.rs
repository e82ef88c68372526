//! The offline verdict on a release, from arguments alone.
