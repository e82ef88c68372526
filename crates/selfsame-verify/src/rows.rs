//! The checks of a verdict while it is being made.

use std::collections::{BTreeMap, BTreeSet};

use crate::options::Depth;
use crate::verdict::{Check, CheckId, Class, Fact, Outcome};

/// The most facts in one row; the rest is counted.
const MOST_FACTS: usize = 20;

/// Answers by check. What nobody answered is "not performed" in the end, so a forgotten check cannot pass.
pub(crate) struct Rows {
    depth: Depth,
    rows: BTreeMap<CheckId, Check>,
    /// Whether a check failed for what was seen, not for what could not be seen.
    refuted: bool,
    unanswered: bool,
    /// Whether a manifest or a signed document could not be looked at: what is missing then may be in it.
    unread: bool,
    /// Checks that a verdict needs and that the trust has no demand for.
    excused: BTreeSet<CheckId>,
}

impl Rows {
    pub(crate) fn new(depth: Depth) -> Self {
        Self {
            depth,
            rows: BTreeMap::new(),
            refuted: false,
            unanswered: false,
            unread: false,
            excused: BTreeSet::new(),
        }
    }

    /// The check passed, unless it failed before.
    pub(crate) fn pass(&mut self, id: CheckId, facts: Vec<Fact>) {
        self.rows.entry(id).or_insert(Check { id, outcome: Outcome::Passed, facts: bounded(facts) });
    }

    /// The check failed; the first reason stays. It is no no if a document could not be read before: what fails may be what
    /// that one would have said.
    pub(crate) fn fail(&mut self, id: CheckId, reason: impl Into<String>, facts: Vec<Fact>) {
        self.refuted |= !self.unread;
        self.set_failed(id, reason.into(), facts);
    }

    fn set_failed(&mut self, id: CheckId, reason: String, facts: Vec<Fact>) {
        let check = Check { id, outcome: Outcome::Failed { reason }, facts: bounded(facts) };
        match self.rows.get(&id).map(|check| &check.outcome) {
            Some(Outcome::Failed { .. }) => {}
            _ => drop(self.rows.insert(id, check)),
        }
    }

    /// The check failed because something could not be looked at.
    pub(crate) fn unreadable(&mut self, id: CheckId, reason: impl Into<String>) {
        self.unanswered = true;
        self.unread |= matches!(id, CheckId::Image | CheckId::Referrers | CheckId::Bundles);
        self.set_failed(id, reason.into(), Vec::new());
    }

    /// The check was not asked, and here is why.
    pub(crate) fn skip(&mut self, id: CheckId, reason: impl Into<String>, facts: Vec<Fact>) {
        let outcome = Outcome::NotPerformed { reason: reason.into() };
        self.rows.entry(id).or_insert(Check { id, outcome, facts: bounded(facts) });
    }

    /// The trust asks for nothing here: the check is not performed, and the verdict does not need it.
    pub(crate) fn excuse(&mut self, id: CheckId, reason: impl Into<String>) {
        self.skip(id, reason, Vec::new());
        self.excused.insert(id);
    }

    /// Whether every check that is needed passed, but for these, which are still open.
    pub(crate) fn complete_but(&self, open: &[CheckId]) -> bool {
        let needed = |id: &&CheckId| !open.contains(id) && id.required_from().is_some_and(|depth| depth <= self.depth);
        let fine = |id: &CheckId| self.passed(*id) || self.excused.contains(id) && !self.failed(*id);
        !self.refuted && !self.unanswered && CheckId::ALL.iter().filter(needed).all(fine)
    }

    fn failed(&self, id: CheckId) -> bool {
        self.rows.get(&id).is_some_and(|check| matches!(check.outcome, Outcome::Failed { .. }))
    }

    /// The first check that failed, and why.
    pub(crate) fn first_failure(&self) -> Option<&str> {
        CheckId::ALL.iter().find_map(|id| match &self.rows.get(id)?.outcome {
            Outcome::Failed { reason } => Some(reason.as_str()),
            _ => None,
        })
    }

    pub(crate) fn passed(&self, id: CheckId) -> bool {
        self.rows.get(&id).is_some_and(|check| check.outcome == Outcome::Passed)
    }

    /// Every check in order, and the answer that they add up to.
    pub(crate) fn finish(mut self) -> (Class, Vec<Check>) {
        let mut checks = Vec::with_capacity(CheckId::ALL.len());
        let (mut complete, mut last_failed) = (true, None);
        for &id in CheckId::ALL {
            let check = self.rows.remove(&id).unwrap_or_else(|| {
                let reason = match (id.required_from(), last_failed) {
                    _ if id == CheckId::Offline => "the caller did not say".to_owned(),
                    (Some(needed), _) if needed > self.depth => {
                        format!("not asked for at depth `{}`", self.depth.as_str())
                    }
                    (_, Some(failed)) => format!("not reached: `{}` failed", CheckId::as_str(failed)),
                    (_, None) => "not reached".to_owned(),
                };
                Check { id, outcome: Outcome::NotPerformed { reason }, facts: Vec::new() }
            });
            let needed = id.required_from().is_some_and(|depth| depth <= self.depth);
            complete &= match check.outcome {
                Outcome::Passed => true,
                Outcome::Failed { .. } => {
                    last_failed = Some(id);
                    false
                }
                Outcome::NotPerformed { .. } => !needed || self.excused.contains(&id),
            };
            checks.push(check);
        }
        let class = match (complete, self.refuted, self.unanswered) {
            (true, false, false) => Class::Verified,
            (false, false, true) => Class::Unanswered,
            _ => Class::NotVerified,
        };
        (class, checks)
    }
}

fn bounded(mut facts: Vec<Fact>) -> Vec<Fact> {
    if facts.len() > MOST_FACTS {
        let more = facts.len() - (MOST_FACTS - 1);
        facts.truncate(MOST_FACTS - 1);
        facts.push(Fact::new("more", more.to_string()));
    }
    facts
}

/// An error and what it came from, in one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
