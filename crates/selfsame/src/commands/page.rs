//! `--report FILE`: where a verdict is written as a page, and who says it.

use std::io::Read as _;
use std::path::Path;

use selfsame_core::Digest;
use selfsame_verify::page::Asked;
use selfsame_verify::{Expectations, Trust};

use crate::prepare;
use crate::report::{Answer, Exit, Report};
use crate::run_record;

/// What each page begins with.
const PAGE_BEGIN: &[u8; 15] = b"<!DOCTYPE html>";

/// A page that was asked for.
pub(super) struct Page<'a> {
    path: &'a Path,
    verifier: Digest,
}

impl<'a> Page<'a> {
    /// Removes an earlier page that is there, and reads this program, so that the new one can say which judged.
    pub(super) fn asked_for(path: Option<&'a Path>) -> Answer<Option<Self>> {
        let Some(path) = path else { return Ok(None) };
        // If this run ends without a page, an older one would speak for it.
        if is_page(path) {
            std::fs::remove_file(path).map_err(|error| {
                Report::new(Exit::Unanswered, format!("cannot replace `{}`: {error}", path.display()))
            })?;
        }
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

/// Whether a page is there, and not something else that somebody named by mistake: that stays until there is a new page.
fn is_page(path: &Path) -> bool {
    let mut begin = [0; PAGE_BEGIN.len()];
    let is_file = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
    is_file
        && std::fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut begin).is_ok())
        && begin == *PAGE_BEGIN
}
