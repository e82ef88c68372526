//! The `policy` row: what the policies say of the facts.

use serde_json::Value;

use selfsame_attest::text::quote;
use selfsame_policy::{Reads, Ruled, Ruler, Ruling};

use crate::verdict::Fact;

/// What the policies came to.
pub(crate) enum Answer {
    /// All of them allow it.
    Allowed(Vec<Fact>),
    /// One does not.
    Denied(String, Vec<Fact>),
    /// One gave no answer.
    Unanswered(String),
}

/// Asks every policy over one document of facts.
pub(crate) fn ask(ruler: &dyn Ruler, facts: &Value) -> (Answer, Vec<Ruled>) {
    let ruled = match selfsame_policy::rule(ruler, facts) {
        Ok(ruled) => ruled,
        Err(error) => return (Answer::Unanswered(quote(&error.to_string())), unasked(ruler)),
    };
    let mut told = Vec::new();
    let mut denial = None;
    for it in &ruled {
        let name = quote(&it.name);
        told.push(Fact::new("policy", format!("{name}, {}", it.digest)));
        let Some(Ruling { allow, denied }) = &it.ruling else { continue };
        told.extend(denied.iter().map(|why| Fact::new("denied", quote(why))));
        if !allow && denial.is_none() {
            denial = Some(match denied.first() {
                Some(why) => format!("the policy `{name}` denies it: {}", quote(why)),
                None => format!("the policy `{name}` does not allow it"),
            });
        }
    }
    match denial {
        Some(reason) => (Answer::Denied(reason, told), ruled),
        None => (Answer::Allowed(told), ruled),
    }
}

/// The policies, before they were asked.
pub(crate) fn unasked(ruler: &dyn Ruler) -> Vec<Ruled> {
    let one = |it: &selfsame_policy::Named| Ruled { name: it.name.clone(), digest: it.digest, ruling: None };
    ruler.policies().iter().map(one).collect()
}

/// What all of them read.
pub(crate) fn reads(ruler: &dyn Ruler, everything: bool) -> Reads {
    let none = Reads { everything, ..Reads::default() };
    ruler.policies().iter().fold(none, |reads, policy| reads.and(&policy.reads))
}
