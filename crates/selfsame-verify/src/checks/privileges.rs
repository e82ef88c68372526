//! Files that give whoever runs them rights of their own: setuid, setgid, file capabilities.
//!
//! They are no fault: systems have them. They are said, so that a person or a policy can say no.

use std::collections::BTreeMap;

use selfsame_attest::text::quote;
use selfsame_oci::{ReadLayer, Whiteout};
use selfsame_tree::{Entry, Kind};

use crate::verdict::Fact;

/// The attribute that holds a file's capabilities.
const CAPABILITY: &str = "security.capability";
const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;
/// The most files that are named; all are counted.
const MOST_NAMED: usize = 12;

/// What of this the layers leave in the image, in the order of the paths; no facts where there is none.
pub(super) fn facts(layers: &[ReadLayer]) -> Vec<Fact> {
    let mut found: BTreeMap<String, Rights> = BTreeMap::new();
    for layer in layers {
        for whiteout in &layer.whiteouts {
            let (gone, itself) = match whiteout {
                Whiteout::Path(path) => (path.as_str(), true),
                Whiteout::Opaque(path) => (path.as_str(), false),
            };
            let below = |path: &str| path.strip_prefix(gone).is_some_and(|rest| rest.starts_with('/'));
            found.retain(|path, _| !(below(path) || itself && path == gone));
        }
        for (path, entry) in layer.tree.iter() {
            match Rights::of(entry) {
                Some(rights) => drop(found.insert(path.to_string(), rights)),
                None if found.is_empty() => {}
                None => drop(found.remove(path.as_str())),
            }
        }
    }
    let count = |what: fn(&Rights) -> bool| found.values().filter(|rights| what(rights)).count();
    let counts = [
        ("setuid files", count(|rights| rights.setuid)),
        ("setgid files", count(|rights| rights.setgid)),
        ("files with capabilities", count(|rights| rights.capabilities)),
    ];
    let counted = counts.into_iter().filter(|(_, count)| *count > 0);
    let mut facts: Vec<Fact> = counted.map(|(label, count)| Fact::new(label, count.to_string())).collect();
    let named = found.iter().take(MOST_NAMED);
    facts.extend(
        named.map(|(path, rights)| Fact::new("rights of its own", format!("/{}: {}", quote(path), rights.told()))),
    );
    facts
}

/// What running a file gives.
struct Rights {
    setuid: bool,
    setgid: bool,
    capabilities: bool,
    uid: u32,
    gid: u32,
}

impl Rights {
    /// Of a folder the bits mean something else, and of a link nothing.
    fn of(entry: &Entry) -> Option<Self> {
        if !matches!(entry.kind, Kind::File { .. } | Kind::HardLink { .. }) {
            return None;
        }
        let rights = Self {
            setuid: entry.mode & SETUID != 0,
            setgid: entry.mode & SETGID != 0,
            capabilities: entry.xattrs.contains_key(CAPABILITY),
            uid: entry.uid,
            gid: entry.gid,
        };
        (rights.setuid || rights.setgid || rights.capabilities).then_some(rights)
    }

    /// `setuid to 0, setgid to 5, capabilities`
    fn told(&self) -> String {
        let parts = [
            self.setuid.then(|| format!("setuid to {}", self.uid)),
            self.setgid.then(|| format!("setgid to {}", self.gid)),
            self.capabilities.then(|| "capabilities".to_owned()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
