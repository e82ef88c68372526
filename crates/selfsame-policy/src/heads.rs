//! The heads of a module's rules and what it calls: what is declared, and what can never be found.

use std::collections::BTreeSet;

use regorus::unstable::{BUILTINS, Expr, Module, Rule, RuleHead};

use crate::policy::PolicyError;
use crate::reads::{Kind, words};

/// The head of a rule.
pub(crate) struct Head {
    /// `deny` of `deny.x contains 1`.
    pub name: String,
    /// What makes it something else than a value or a set.
    pub odd: Option<&'static str>,
    /// Whether it is a set.
    pub set: bool,
}

/// The heads of a module, in its order.
pub(crate) fn heads(module: &Module) -> Vec<Head> {
    let head = |rule: &Rule| {
        let (refr, function, set) = match rule {
            Rule::Spec { head: RuleHead::Compr { refr, .. }, .. } => (refr, false, false),
            Rule::Spec { head: RuleHead::Set { refr, .. }, .. } => (refr, false, true),
            Rule::Spec { head: RuleHead::Func { refr, .. }, .. } => (refr, true, false),
            Rule::Default { refr, args, .. } => (refr, !args.is_empty(), false),
        };
        let names = names(refr);
        let odd = match () {
            () if function => Some("a function"),
            () if names.len() != 1 => Some("a rule with something below its name"),
            () => None,
        };
        Head { name: names.into_iter().next().unwrap_or_default(), odd, set }
    };
    module.policy.iter().map(|rule| head(rule)).collect()
}

/// The names that the imports of a module give, each with what stands for it.
pub(crate) fn imports(module: &Module) -> Vec<(String, Vec<String>)> {
    let one = |refr: &Expr, given: Option<&str>| {
        let path = names(refr);
        (given.map_or_else(|| path.last().cloned().unwrap_or_default(), str::to_owned), path)
    };
    module.imports.iter().map(|it| one(&it.refr, it.r#as.as_ref().map(|it| it.text()))).collect()
}

/// `deny` or `allow` in a form that would never be asked.
pub(crate) fn refuse_odd(heads: &[Head]) -> Result<(), PolicyError> {
    for rule in ["allow", "deny"] {
        for head in heads.iter().filter(|head| head.name == rule) {
            let odd = head.odd.or((rule == "allow" && head.set).then_some("a set"));
            if let Some(odd) = odd {
                return Err(PolicyError::Head { rule, odd });
            }
        }
    }
    Ok(())
}

/// Every function that is called by its name is there. A name with space behind it is left to the engine.
pub(crate) fn refuse_unknown_calls(text: &str, module: &Module, heads: &[Head]) -> Result<(), PolicyError> {
    const KEYWORDS: [&str; 11] =
        ["as", "contains", "default", "else", "every", "if", "import", "in", "not", "some", "with"];
    let declared: BTreeSet<&str> = heads.iter().map(|head| head.name.as_str()).collect();
    let imported = imports(module);
    let words = words(text)?;
    for (place, _) in words.iter().enumerate().filter(|(_, word)| word.0 == Kind::Call) {
        let mut from = place - 1;
        while from >= 2 && words[from - 1].1 == "." && words[from - 2].0 == Kind::Name {
            from -= 2;
        }
        let chained = from >= 1 && words[from - 1].1 == ".";
        let root = words[from].1.as_str();
        let called: String = words[from..place].iter().map(|word| word.1.as_str()).collect();
        let own = called.strip_prefix("data.selfsame.").unwrap_or(&called);
        let known = chained
            || KEYWORDS.contains(&root)
            || imported.iter().any(|(name, _)| name == root)
            || declared.contains(own)
            || called == "print"
            || BUILTINS.contains_key(called.as_str());
        if !known {
            return Err(PolicyError::NoFunction { called });
        }
    }
    Ok(())
}

/// The first rule of the policy that its tests name and that it does not have.
pub(crate) fn undeclared(tests: &str, module: &Module, heads: &[Head]) -> Result<Option<String>, PolicyError> {
    let is_policy = |path: &[String]| path == ["data", "selfsame"];
    let imported = imports(module);
    let words = words(tests)?;
    let text = |at: usize| words.get(at).map_or("", |word| word.1.as_str());
    for (place, word) in words.iter().enumerate() {
        if word.0 != Kind::Name || place > 0 && text(place - 1) == "." {
            continue;
        }
        let mut path = vec![word.1.clone()];
        path.extend(crate::reads::path(&words[place + 1..], 2));
        let named = match () {
            () if path[0] == "data" && path.len() > 2 && is_policy(&path[..2]) => &path[2],
            () if path.len() > 1 && imported.iter().any(|(name, of)| *name == path[0] && is_policy(of)) => &path[1],
            () => continue,
        };
        if !heads.iter().any(|head| head.name == *named) {
            return Ok(Some(named.clone()));
        }
    }
    Ok(None)
}

/// The names of a reference; what stands in brackets counts as one.
fn names(refr: &Expr) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = refr;
    loop {
        match at {
            Expr::RefDot { refr, field, .. } => {
                names.push(field.0.text().to_owned());
                at = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                names.push(index.span().text().trim_matches(['"', '`']).to_owned());
                at = refr;
            }
            other => {
                names.push(other.span().text().to_owned());
                break;
            }
        }
    }
    names.reverse();
    names
}
