//! `--report FILE`: where a verdict is written as a page, and who says it.

use std::path::Path;

use selfsame_core::Digest;
use selfsame_verify::page::Asked;
use selfsame_verify::{Expectations, Trust};

use crate::prepare;
use crate::report::Answer;
use crate::run_record;

/// A page that was asked for.
pub(super) struct Page<'a> {
    path: &'a Path,
    verifier: Digest,
}

impl<'a> Page<'a> {
    /// Reads this program, so that the page can say which one judged.
    pub(super) fn asked_for(path: Option<&'a Path>) -> Answer<Option<Self>> {
        let Some(path) = path else { return Ok(None) };
        Ok(Some(Self { path, verifier: run_record::tool()?.sha256 }))
    }

    pub(super) fn asked<'b>(&self, name: &'b str, trust: &'b Trust, expect: &'b Expectations) -> Asked<'b> {
        let program = concat!("selfsame ", env!("CARGO_PKG_VERSION"));
        Asked { name, program, verifier: self.verifier, trust, expect }
    }

    /// Writes it whole or not at all.
    pub(super) fn write(&self, text: &str) -> Answer<()> {
        prepare::write_text(self.path, text)
    }
}
