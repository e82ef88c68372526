//! The corpus against the verifier as a library, and against the list of what it was.

mod judged;
mod list;
