//! Where a path really is, in a root where links stand for folders: `/bin` is `/usr/bin`.

use std::collections::BTreeMap;

use selfsame_core::RelPath;

/// As many links as the kernel follows.
const HOPS: usize = 40;

/// Links by where they stand, with what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Links(pub(super) BTreeMap<RelPath, String>);

impl Links {
    /// Where a path is, all links among its folders followed, and its last name too if that is asked. Nothing leaves the
    /// root. Nothing comes back where links never end.
    pub(super) fn follow(&self, path: &RelPath, last: bool) -> Option<RelPath> {
        let mut rest: Vec<&str> = path.components().collect();
        rest.reverse();
        let mut at = RelPath::root();
        let mut hops = 0;
        while let Some(name) = rest.pop() {
            match name {
                "" | "." => continue,
                ".." => {
                    at = at.parent().unwrap_or_else(RelPath::root);
                    continue;
                }
                name => at = at.join(&RelPath::new(name).ok()?).ok()?,
            }
            if rest.is_empty() && !last {
                break;
            }
            if let Some(target) = self.0.get(&at) {
                hops += 1;
                if hops > HOPS {
                    return None;
                }
                at = if target.starts_with('/') { RelPath::root() } else { at.parent().unwrap_or_else(RelPath::root) };
                rest.extend(target.split('/').rev());
            }
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_behind_links() {
        let path = |text: &str| RelPath::new(text).unwrap();
        let links =
            [("bin", "usr/bin"), ("usr/lib/x", "../share/x"), ("usr/share/x", "/opt/x/"), ("out", "../../../etc")];
        let more = [("loop", "loop2"), ("loop2", "/loop"), ("usr/bin/cc", "gcc")];
        let links = Links(links.into_iter().chain(more).map(|(at, to)| (path(at), to.to_owned())).collect());
        for (from, last, to) in [
            ("bin/sh", true, Some("usr/bin/sh")),
            ("bin", false, Some("bin")),
            ("bin", true, Some("usr/bin")),
            ("usr/lib/x/y", true, Some("opt/x/y")),
            ("out/passwd", true, Some("etc/passwd")),
            ("bin/cc", true, Some("usr/bin/gcc")),
            ("bin/cc", false, Some("usr/bin/cc")),
            ("loop/x", true, None),
            ("loop", false, Some("loop")),
        ] {
            assert_eq!(links.follow(&path(from), last), to.map(path), "{from}");
        }
    }
}
