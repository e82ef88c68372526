//! A policy and its ruling.

use regorus::{Engine, Value};

use selfsame_core::Digest;

use crate::heads;
use crate::reads::Reads;
use crate::steps;

/// A policy: one module in Rego v1 of the package `selfsame`, with a rule `allow` and, if it likes, a rule `deny`.
///
/// ```text
/// package selfsame
/// default allow := false
/// allow if count(deny) == 0
/// deny contains "built by another" if input.builderId != "https://example.com/builder"
/// ```
#[derive(Clone)]
pub struct Policy {
    text: String,
    digest: Digest,
    reads: Reads,
    engine: Engine,
}

/// What a policy says of one release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Whether `allow` is exactly true and `deny` is empty.
    pub allow: bool,
    /// The texts of `deny`, in order, as the policy wrote them: they may hold words of the release.
    pub denied: Vec<String>,
}

/// What came of one rule `test_…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The rule.
    pub name: String,
    /// Nothing where it is true.
    pub fault: Option<String>,
}

const PATH: &str = "policy.rego";
const TEST_PATH: &str = "policy_test.rego";

impl Policy {
    /// The largest policy that is read.
    pub const LIMIT_BYTES: usize = 256 << 10;
    /// The most brackets that may be open at once, those in texts and comments with them: the engine's own reader goes
    /// down with every bracket, and ends the process where there are ten thousand.
    pub const MOST_BRACKETS: usize = 64;
    /// The most reasons that a ruling has.
    pub const MOST_REASONS: usize = 64;
    /// The policy that is used where none is given.
    pub const DEFAULT: &'static str = include_str!("default.rego");

    /// Reads a policy.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > Self::LIMIT_BYTES {
            return Err(PolicyError::Large);
        }
        if depth(text) > Self::MOST_BRACKETS {
            return Err(PolicyError::Deep);
        }
        let reads = Reads::of(text)?;
        let mut engine = Engine::new();
        engine.set_execution_timer_config(steps::limit());
        engine.set_gather_prints(true);
        engine.set_strict_builtin_errors(true);
        let package = engine.add_policy(PATH.to_owned(), text.to_owned()).map_err(|error| fault(&error))?;
        if package != "data.selfsame" {
            return Err(PolicyError::Package { found: package });
        }
        if !engine.has_declared_rule_rooted_at(PATH, "allow").map_err(|error| fault(&error))? {
            return Err(PolicyError::NoAllow);
        }
        if let Some(module) = engine.get_modules().first().cloned() {
            let heads = heads::heads(&module);
            heads::refuse_odd(&heads)?;
            heads::refuse_unknown_calls(text, &module, &heads)?;
        }
        if let Some(unknown) = reads.unknown() {
            return Err(unknown);
        }
        let mut policy = Self { text: text.to_owned(), digest: Digest::of(text.as_bytes()), reads, engine };
        // What the engine finds when it puts rules in order, and not when it reads them.
        policy.engine.set_input(Value::new_object());
        let mut tried = policy.engine.clone();
        if let Err(error) = tried.eval_rule("data.selfsame.allow".to_owned())
            && is_static(&error.to_string())
        {
            return Err(fault(&error));
        }
        Ok(policy)
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of its text: what a verdict names it by.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The facts that it reads.
    #[must_use]
    pub const fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Judges facts. A policy that breaks, does not end or answers something else than yes or no gives a fault, never a yes.
    pub fn judge(&self, facts: &serde_json::Value) -> Result<Ruling, PolicyError> {
        let mut engine = self.engine.clone();
        engine.set_input(Value::from_json_str(&facts.to_string()).map_err(|error| fault(&error))?);
        let allow = match engine.eval_rule("data.selfsame.allow".to_owned()).map_err(|error| fault(&error))? {
            Value::Bool(allow) => allow,
            Value::Undefined => false,
            _ => return Err(PolicyError::Answer { rule: "allow", wanted: "neither true nor false" }),
        };
        let denied = match self.engine.has_declared_rule_rooted_at(PATH, "deny") {
            Ok(false) => Vec::new(),
            Ok(true) => reasons(engine.eval_rule("data.selfsame.deny".to_owned()).map_err(|error| fault(&error))?)?,
            Err(error) => return Err(fault(&error)),
        };
        Ok(Ruling { allow: allow && denied.is_empty(), denied })
    }

    /// Runs the rules `test_…` of a module of the package `selfsame_test`, in their order, each with a fresh engine.
    pub fn test(&self, tests: &str) -> Result<Vec<TestResult>, PolicyError> {
        if tests.len() > Self::LIMIT_BYTES {
            return Err(PolicyError::Large);
        }
        if depth(tests) > Self::MOST_BRACKETS {
            return Err(PolicyError::Deep);
        }
        let mut engine = self.engine.clone();
        let package = engine.add_policy(TEST_PATH.to_owned(), tests.to_owned()).map_err(|error| fault(&error))?;
        if package != "data.selfsame_test" {
            return Err(PolicyError::TestPackage { found: package });
        }
        let (policy, module) = match &engine.get_modules()[..] {
            [policy, module] => (policy.clone(), module.clone()),
            _ => return Err(PolicyError::NoTests),
        };
        if let Some(rule) = heads::undeclared(tests, &module, &heads::heads(&policy))? {
            return Err(PolicyError::NoRule { rule });
        }
        let mut names: Vec<String> = Vec::new();
        for name in heads::heads(&module).into_iter().map(|head| head.name) {
            if name.starts_with("test_") && !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() {
            return Err(PolicyError::NoTests);
        }
        let run = |name: &str| {
            let mut engine = engine.clone();
            let fault = match engine.eval_rule(format!("data.selfsame_test.{name}")) {
                Ok(Value::Bool(true)) => None,
                Ok(Value::Undefined) => Some("it does not hold".to_owned()),
                Ok(other) => Some(format!("it is {other}")),
                Err(error) => Some(error.to_string()),
            };
            TestResult { name: name.to_owned(), fault }
        };
        Ok(names.iter().map(|name| run(name)).collect())
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// The texts of `deny`.
fn reasons(value: Value) -> Result<Vec<String>, PolicyError> {
    const WRONG: PolicyError = PolicyError::Answer { rule: "deny", wanted: "no set of texts" };
    let texts: Vec<&Value> = match &value {
        Value::Undefined => Vec::new(),
        Value::Set(texts) => texts.iter().collect(),
        Value::Array(texts) => texts.iter().collect(),
        _ => return Err(WRONG),
    };
    let text = |value: &&Value| match value {
        Value::String(text) => Ok(text.chars().take(1000).collect::<String>()),
        _ => Err(WRONG),
    };
    texts.iter().take(Policy::MOST_REASONS).map(text).collect()
}

/// How many brackets are open at once at most.
fn depth(text: &str) -> usize {
    let mut open: usize = 0;
    let mut most = 0;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// Whether an error is one of the policy and not of the input.
fn is_static(error: &str) -> bool {
    ["could not find function", "undefined function", "unsafe", "not defined", "recursion"]
        .iter()
        .any(|it| error.contains(it))
}

/// The first thing that the engine says; it shows lines of the policy below it.
pub(crate) fn fault(error: &dyn std::fmt::Display) -> PolicyError {
    PolicyError::Rego { fault: error.to_string().trim().chars().take(2000).collect() }
}

/// Why a policy is none, or did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// More than [`Policy::LIMIT_BYTES`].
    #[error("it has more than {limit} bytes", limit = Policy::LIMIT_BYTES)]
    Large,
    /// More than [`Policy::MOST_BRACKETS`] within one another.
    #[error("more than {limit} brackets are open at once", limit = Policy::MOST_BRACKETS)]
    Deep,
    /// Not Rego, a function that is not there, a step too many, a fault while it was evaluated.
    #[error("{fault}")]
    Rego {
        /// In the engine's words, several lines.
        fault: String,
    },
    /// Another package.
    #[error("its package is `{found}`, not `data.selfsame`")]
    Package {
        /// The one that it names.
        found: String,
    },
    /// Tests of another package.
    #[error("the package of its tests is `{found}`, not `data.selfsame_test`")]
    TestPackage {
        /// The one that it names.
        found: String,
    },
    /// It reads documents beside the facts, and there are none.
    #[error(
        "it reads `data` of another package than `selfsame`, and there is none: a policy has facts in `input`, and nothing else"
    )]
    Data,
    /// It reads a fact that there is not, which would say nothing in silence.
    #[error("it reads `input.{path}`, which is no fact{near}", near = nearest.map(|it| format!("; `input.{it}` is one")).unwrap_or_default())]
    NoFact {
        /// As it stands there.
        path: String,
        /// The fact that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A policy that says yes to nothing.
    #[error("it has no rule `allow`")]
    NoAllow,
    /// `allow` or `deny` as what is never asked.
    #[error("its rule `{rule}` is {odd}: `allow` is one value, and `deny` a set or an array of texts")]
    Head {
        /// Which one.
        rule: &'static str,
        /// What it is.
        odd: &'static str,
    },
    /// A call of what is not there.
    #[error("it calls the function `{called}`, which neither it nor Rego as it is read here has")]
    NoFunction {
        /// As it stands there.
        called: String,
    },
    /// A file of tests without one.
    #[error("there is no rule `test_...` in it")]
    NoTests,
    /// Tests of a rule that the policy does not have: `not` of it would always hold.
    #[error("its tests name the rule `{rule}`, which the policy does not have")]
    NoRule {
        /// Which one.
        rule: String,
    },
    /// A rule with another kind of value.
    #[error("its rule `{rule}` gives {wanted}")]
    Answer {
        /// Which one.
        rule: &'static str,
        /// The rest of the sentence.
        wanted: &'static str,
    },
}
