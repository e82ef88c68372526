//! Explains why two images differ: at which level, in which files, at which bytes, and what probably wrote them.
//!
//! Opens no file: whoever holds an image lends it as an [`ImageView`]. Reads of strangers' bytes are bounded by
//! [`Limits`], and a cause is a guess that carries its evidence; where the bytes do not tell, it says `unknown`.
#![forbid(unsafe_code)]

mod cause;
mod content;
mod escape;
mod explanation;
mod image;
mod json;
mod kinds;
mod lines;
mod secret;
mod view;

pub use cause::{Cause, Guess, HostFacts, Known};
pub use content::{ContentDifference, Place, explain_content};
pub use explanation::{EntryChange, Explanation, Extent, LayerChange, LayerId, Limits, What};
pub use image::explain;
pub use json::{FieldChange, explain_json};
pub use lines::{content_lines, lines};
pub use view::{ImageView, LayerView};

#[cfg(test)]
mod tests;
