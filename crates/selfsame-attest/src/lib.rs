//! Statements, predicates, envelopes, bundles and keys.
