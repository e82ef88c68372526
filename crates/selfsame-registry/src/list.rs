//! Lists that come in pages: tags, referrers.

use std::collections::BTreeSet;

use selfsame_http::Method;

use crate::link::next_page;
use crate::repository::Ask;
use crate::{MANIFEST_BYTES, RegistryError, Repository};

/// The most pages of a list.
const PAGES: usize = 1000;
/// The most items of all pages together.
pub(crate) const ITEMS: usize = 100_000;

impl Repository<'_> {
    /// All tags, as the registry lists them, sorted.
    pub fn tags(&self) -> Result<Vec<String>, RegistryError> {
        #[derive(serde::Deserialize)]
        struct Wire {
            tags: Option<Vec<String>>,
        }
        let what = format!("list of tags of {}", self.name());
        let mut tags = BTreeSet::new();
        self.pages("tags/list", &what, &mut |bytes| {
            let wire: Wire = serde_json::from_slice(bytes)
                .map_err(|error| self.unexpected(&what, 200, &format!(" line {}, not read", error.line())))?;
            tags.extend(wire.tags.unwrap_or_default().into_iter().filter(|tag| crate::reference::is_tag(tag)));
            Ok(tags.len())
        })?;
        Ok(tags.into_iter().collect())
    }

    /// Gives each page to `take`, which says how many items there are now. A next page is on the same registry, and none
    /// comes twice.
    pub(crate) fn pages(
        &self,
        path: &str,
        what: &str,
        take: &mut dyn FnMut(&[u8]) -> Result<usize, RegistryError>,
    ) -> Result<(), RegistryError> {
        let base = self.base()?;
        let first = self.address(path)?;
        let mut seen = BTreeSet::new();
        let mut next = Some(first);
        while let Some(address) = next {
            if !seen.insert(address.to_string()) {
                return Err(self.unexpected(what, 200, " its next page is an earlier one"));
            }
            let limit =
                |items, limit| RegistryError::TooMany { host: self.host(), what: what.to_owned(), items, limit };
            if seen.len() > PAGES {
                return Err(limit("pages", PAGES));
            }
            let ask = Ask { address: address.clone(), ..self.ask(Method::Get, path)? };
            let answer = self.send(&ask, what)?;
            if answer.response.status != 200 {
                return Err(self.fault(what, answer));
            }
            let link = answer.header("link").and_then(next_page);
            next = match link {
                None => None,
                Some(link) => {
                    let joined = address.join(&link).filter(|joined| joined.same_origin(base));
                    Some(joined.ok_or_else(|| self.unexpected(what, 200, " its next page is on another host"))?)
                }
            };
            let bytes = self.body(what, answer, MANIFEST_BYTES)?;
            if take(&bytes)? > ITEMS {
                return Err(limit("items", ITEMS));
            }
        }
        Ok(())
    }
}
