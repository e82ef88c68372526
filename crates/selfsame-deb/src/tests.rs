//! Packages made by hand, byte by byte, and what is refused of them.

mod hostile;
mod making;
mod texts;
mod vectors;
