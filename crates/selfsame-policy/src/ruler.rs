//! Who rules over facts: the policy of this program, or policies of somebody in a process of their own.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use selfsame_core::Digest;

use crate::facts::{self, There};
use crate::policy::{Policy, Ruling};
use crate::reads::Reads;

/// A policy by what a verdict calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// A file's name; `default` for the one of this program.
    pub name: String,
    /// SHA-256 of its text.
    pub digest: Digest,
    /// The facts that it reads.
    pub reads: Reads,
}

/// One policy's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruled {
    /// Which policy.
    pub name: String,
    /// SHA-256 of its text.
    pub digest: Digest,
    /// What it says; nothing where it was not asked or did not answer.
    pub ruling: Option<Ruling>,
}

/// Something that policies are asked of.
pub trait Ruler: Debug + Send + Sync {
    /// The policies, in the order in which they are asked. With none, nothing is ever allowed.
    fn policies(&self) -> &[Named];

    /// What each of them says, in that order.
    ///
    /// # Errors
    /// One of them gave no answer: why, in one line.
    fn rule(&self, facts: &Value) -> Result<Vec<Ruling>, String>;
}

/// Why facts were not ruled over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unruled {
    /// There is no policy.
    #[error("no policy was given")]
    NoPolicy,
    /// A fact that is found out at another depth only.
    #[error("the policy `{policy}` reads `{path}`, which is known at depth `content` only")]
    NotKnown {
        /// Which policy.
        policy: String,
        /// Which fact.
        path: String,
    },
    /// No answer.
    #[error("{reason}")]
    Fault {
        /// Why.
        reason: String,
    },
}

/// Asks every policy. All of them have to allow it; that is for the caller to see.
pub fn rule(ruler: &dyn Ruler, facts: &Value) -> Result<Vec<Ruled>, Unruled> {
    let policies = ruler.policies();
    if policies.is_empty() {
        return Err(Unruled::NoPolicy);
    }
    for policy in policies {
        // A rule over what is not there would be silent, and silence in a rule against something is a yes.
        let missing = |fact: &&facts::Fact| {
            fact.there == There::AtContent
                && !fact.path.contains(['.', '['])
                && policy.reads.wants(fact.path)
                && !facts::has(facts, fact.path)
        };
        if let Some(fact) = facts::FACTS.iter().find(missing) {
            return Err(Unruled::NotKnown { policy: policy.name.clone(), path: fact.path.to_owned() });
        }
    }
    let rulings = ruler.rule(facts).map_err(|reason| Unruled::Fault { reason })?;
    if rulings.len() != policies.len() {
        return Err(Unruled::Fault { reason: "not every policy gave an answer".to_owned() });
    }
    let ruled = |(policy, ruling): (&Named, Ruling)| Ruled {
        name: policy.name.clone(),
        digest: policy.digest,
        ruling: Some(ruling),
    };
    Ok(policies.iter().zip(rulings).map(ruled).collect())
}

/// The default policy, judged in this process: its text is ours, and its depth does not depend on the facts.
#[must_use]
pub fn built_in() -> Arc<dyn Ruler> {
    static DEFAULT: OnceLock<Arc<BuiltIn>> = OnceLock::new();
    let made = || {
        let policy = Policy::parse(Policy::DEFAULT).expect("the default policy is one: a test reads it");
        let named = Named { name: "default".to_owned(), digest: policy.digest(), reads: policy.reads().clone() };
        Arc::new(BuiltIn { named: [named], policy })
    };
    Arc::clone(DEFAULT.get_or_init(made)) as Arc<dyn Ruler>
}

#[derive(Debug)]
struct BuiltIn {
    named: [Named; 1],
    policy: Policy,
}

impl Ruler for BuiltIn {
    fn policies(&self) -> &[Named] {
        &self.named
    }

    fn rule(&self, facts: &Value) -> Result<Vec<Ruling>, String> {
        let ruling = self.policy.judge(facts).map_err(|error| format!("the default policy: {error}"))?;
        Ok(vec![ruling])
    }
}
