//! What is different between two trees, path by path.

use selfsame_core::RelPath;

use crate::{Entry, Tree};

/// One path at which two trees disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Only in the right tree.
    Added(&'a RelPath, &'a Entry),
    /// Only in the left tree.
    Removed(&'a RelPath, &'a Entry),
    /// In both, with another kind, mode, owner, attribute, content or target. Ranks do not count.
    Changed(&'a RelPath, &'a Entry, &'a Entry),
}

impl Change<'_> {
    /// Where.
    #[must_use]
    pub fn path(&self) -> &RelPath {
        match self {
            Self::Added(path, _) | Self::Removed(path, _) | Self::Changed(path, _, _) => path,
        }
    }
}

/// Every change from `left` to `right`, in path order.
#[must_use]
pub fn compare<'a>(left: &'a Tree, right: &'a Tree) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    let (mut lefts, mut rights) = (left.iter().peekable(), right.iter().peekable());
    loop {
        let order = match (lefts.peek(), rights.peek()) {
            (None, None) => return changes,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((l, _)), Some((r, _))) => l.cmp(r),
        };
        match order {
            std::cmp::Ordering::Less => changes.extend(lefts.next().map(|(path, entry)| Change::Removed(path, entry))),
            std::cmp::Ordering::Greater => {
                changes.extend(rights.next().map(|(path, entry)| Change::Added(path, entry)))
            }
            std::cmp::Ordering::Equal => {
                if let (Some((path, l)), Some((_, r))) = (lefts.next(), rights.next())
                    && !same(l, r)
                {
                    changes.push(Change::Changed(path, l, r));
                }
            }
        }
    }
}

fn same(left: &Entry, right: &Entry) -> bool {
    let Entry { kind, mode, uid, gid, xattrs, step_rank: _ } = left;
    (kind, mode, uid, gid, xattrs) == (&right.kind, &right.mode, &right.uid, &right.gid, &right.xattrs)
}
