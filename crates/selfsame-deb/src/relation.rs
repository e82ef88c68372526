//! `Depends: libc6 (>= 2.36), debconf (>= 0.5) | debconf-2.0`: what packages say about one another.

use std::cmp::Ordering;

use crate::version::Version;

/// One package that is named, with the versions that are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Its name, `:any` and the like left out.
    pub name: String,
    /// Which versions; all without it.
    pub version: Option<(Operator, Version)>,
}

/// How a version is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl Relation {
    /// Whether a package of this version is meant.
    #[must_use]
    pub fn holds(&self, version: &Version) -> bool {
        let Some((operator, bound)) = &self.version else { return true };
        let order = version.cmp(bound);
        match operator {
            Operator::Earlier => order == Ordering::Less,
            Operator::EarlierOrEqual => order != Ordering::Greater,
            Operator::Equal => order == Ordering::Equal,
            Operator::LaterOrEqual => order != Ordering::Less,
            Operator::Later => order == Ordering::Greater,
        }
    }
}

/// The relations of a field: all of the outer list, any of each inner one. Nothing where the text is none.
#[must_use]
pub fn relations(text: &str) -> Option<Vec<Vec<Relation>>> {
    let groups = text.split(',').map(str::trim).filter(|group| !group.is_empty());
    groups.map(|group| group.split('|').map(|one| relation(one.trim())).collect()).collect()
}

/// `NAME[:ARCH] [(OPERATOR VERSION)]`. Restrictions to architectures and profiles may stand behind; they were decided when
/// the package was built.
fn relation(text: &str) -> Option<Relation> {
    let (name, version) = match text.split_once('(') {
        None => (text.split(['[', '<']).next()?, None),
        Some((name, rest)) => {
            let bound = rest.split_once(')')?.0.trim();
            let split = bound.find(|c| !matches!(c, '<' | '>' | '='))?;
            let (operator, version) = bound.split_at(split);
            let operator = match operator {
                "<<" => Operator::Earlier,
                "<=" | "<" => Operator::EarlierOrEqual,
                "=" => Operator::Equal,
                ">=" | ">" => Operator::LaterOrEqual,
                ">>" => Operator::Later,
                _ => return None,
            };
            (name, Some((operator, version.trim().parse().ok()?)))
        }
    };
    let name = name.trim();
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    crate::control::is_name(name).then(|| Relation { name: name.to_owned(), version })
}
