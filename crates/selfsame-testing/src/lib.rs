//! Fixtures and a test environment for the binary.
