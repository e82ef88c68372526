//! Questions about policies in bytes, and the answers: what runs in a process that may fall.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::{Policy, PolicyError, Ruling, TestResult};
use crate::reads::Reads;

/// A question. The desk keeps the policies that it was given first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Asked {
    /// Policies: name and text. They take the place of those before.
    Read(Vec<(String, String)>),
    /// What they say of these facts.
    Rule(Value),
    /// What comes of these tests of the first policy.
    Test(String),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answered {
    /// What each policy reads: paths, and whether it is everything.
    Read(Vec<(Vec<String>, bool)>),
    /// What each says: whether it allows it, and the reasons why not.
    Ruled(Vec<(bool, Vec<String>)>),
    /// Each test with its fault, if it has one.
    Tested(Vec<(String, Option<String>)>),
    /// Why there is no answer, and about which policy.
    Fault(String, String),
}

impl Asked {
    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and values")
    }
}

impl Answered {
    /// The largest answer.
    pub const LIMIT_BYTES: usize = 4 << 20;

    /// Out of bytes; nothing where they are no answer.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl From<(Vec<String>, bool)> for Reads {
    fn from((paths, everything): (Vec<String>, bool)) -> Self {
        Self { paths: paths.into_iter().collect(), everything }
    }
}

/// Policies, and whoever asks about them.
#[derive(Debug, Default)]
pub struct Desk {
    policies: Vec<(String, Policy)>,
}

impl Desk {
    /// Answers one question. What is no question gets a fault.
    pub fn answer(&mut self, question: &[u8]) -> Vec<u8> {
        let answer = match serde_json::from_slice(question) {
            Ok(asked) => self.answered(asked),
            Err(error) => Answered::Fault(String::new(), format!("not a question: {error}")),
        };
        let bytes = serde_json::to_vec(&answer).expect("texts");
        if bytes.len() <= Answered::LIMIT_BYTES {
            return bytes;
        }
        serde_json::to_vec(&Answered::Fault(String::new(), "its answer is too long".to_owned())).expect("texts")
    }

    fn answered(&mut self, asked: Asked) -> Answered {
        let fault = |name: &str, error: &PolicyError| Answered::Fault(name.to_owned(), error.to_string());
        match asked {
            Asked::Read(texts) => {
                self.policies.clear();
                let mut reads = Vec::with_capacity(texts.len());
                for (name, text) in texts {
                    let policy = match Policy::parse(&text) {
                        Ok(policy) => policy,
                        Err(error) => return fault(&name, &error),
                    };
                    let Reads { paths, everything } = policy.reads().clone();
                    reads.push((paths.into_iter().collect(), everything));
                    self.policies.push((name, policy));
                }
                Answered::Read(reads)
            }
            Asked::Rule(facts) => {
                let mut rulings = Vec::with_capacity(self.policies.len());
                for (name, policy) in &self.policies {
                    match policy.judge(&facts) {
                        Ok(Ruling { allow, denied }) => rulings.push((allow, denied)),
                        Err(error) => return fault(name, &error),
                    }
                }
                Answered::Ruled(rulings)
            }
            Asked::Test(tests) => match self.policies.first() {
                None => Answered::Fault(String::new(), "no policy was given".to_owned()),
                Some((name, policy)) => match policy.test(&tests) {
                    Ok(results) => {
                        Answered::Tested(results.into_iter().map(|TestResult { name, fault }| (name, fault)).collect())
                    }
                    Err(error) => fault(name, &error),
                },
            },
        }
    }
}
