//! The examples, built under every circumstance that must not matter.
