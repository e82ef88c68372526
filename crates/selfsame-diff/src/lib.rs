//! Explains why two images differ.
