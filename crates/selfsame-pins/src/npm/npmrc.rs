//! npm's settings: registries by scope, and credentials by registry.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::PinsError;
use crate::ini;

const DOCUMENT: &str = ".npmrc";

/// What a machine's `.npmrc` files say. Holds tokens, so it does not print itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Npmrc {
    values: BTreeMap<String, String>,
}

/// What a registry wants to be shown.
#[derive(Clone, PartialEq, Eq)]
pub enum RegistryAuth {
    /// `_authToken`
    Bearer(String),
    /// `_auth`, or `username` with `_password`.
    Basic {
        /// Before the colon.
        user: String,
        /// Behind it.
        password: String,
    },
}

impl Npmrc {
    /// Parses a file. `${NAME}` is replaced by `lookup`; where that knows nothing, the text stays, as with npm.
    pub fn parse(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, PinsError> {
        let entries = ini::npm(DOCUMENT, text)?;
        let entries = entries.into_iter().filter(|(section, ..)| section.is_empty());
        let values = entries.map(|(_, key, value)| (expanded(&key, &lookup), expanded(&value, &lookup)));
        Ok(Self { values: values.collect() })
    }

    /// Of the environment: `variables` that begin with `npm_config_` in any case. Keys with `/` or `@` keep their form.
    #[must_use]
    pub fn of_environment(variables: impl Iterator<Item = (String, String)>) -> Self {
        let values = variables.filter_map(|(name, value)| {
            let (prefix, key) = name.split_at_checked("npm_config_".len())?;
            let matches = prefix.eq_ignore_ascii_case("npm_config_") && !value.is_empty();
            let key = if key.starts_with(['/', '@']) { key.to_owned() } else { dashed(key) };
            matches.then_some((key, value))
        });
        Self { values: values.collect() }
    }

    /// Adds a weaker place: what a stronger one says stays.
    #[must_use]
    pub fn or(mut self, weaker: Self) -> Self {
        for (key, value) in weaker.values {
            self.values.entry(key).or_insert(value);
        }
        self
    }

    /// The registry that is named for a package: its scope's, else the general one. Ends with `/`.
    #[must_use]
    pub fn registry(&self, package: &str) -> Option<String> {
        let scope = package.split_once('/').map(|(scope, _)| scope).filter(|scope| scope.starts_with('@'));
        let scoped = scope.and_then(|scope| self.values.get(&format!("{scope}:registry")));
        let url = scoped.or_else(|| self.values.get("registry"))?;
        Some(format!("{}/", url.trim_end_matches('/')))
    }

    /// What to show to a registry, by the longest `//HOST/PATH/:` key that its address begins with. Never for another host.
    #[must_use]
    pub fn auth(&self, url: &str) -> Option<RegistryAuth> {
        let (_, rest) = url.split_once("://")?;
        let mut place = rest.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        loop {
            for nerf in [format!("//{place}/:"), format!("//{place}:")] {
                let value = |key: &str| self.values.get(&format!("{nerf}{key}")).filter(|value| !value.is_empty());
                if let Some(token) = value("_authToken") {
                    return Some(RegistryAuth::Bearer(token.clone()));
                }
                let decoded = |text: &String| String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok();
                if let Some((user, password)) =
                    value("_auth").and_then(decoded).as_deref().and_then(|t| t.split_once(':'))
                {
                    return Some(RegistryAuth::Basic { user: user.to_owned(), password: password.to_owned() });
                }
                if let (Some(user), Some(password)) = (value("username"), value("_password").and_then(decoded)) {
                    return Some(RegistryAuth::Basic { user: user.clone(), password });
                }
            }
            place = place.rsplit_once('/')?.0;
        }
    }

    /// A setting by its name: `cafile`, `proxy`, `https-proxy`, `strict-ssl`.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty() && *value != "null")
    }
}

fn dashed(key: &str) -> String {
    let lower = key.to_ascii_lowercase();
    let (first, rest) = lower.split_at(usize::from(lower.starts_with('_')));
    format!("{first}{}", rest.replace('_', "-"))
}

/// `${NAME}` and `${NAME?}` replaced; `\${` stays as it is.
fn expanded(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let Some(end) = behind.find('}') else { break };
        let name = &behind[2..end];
        let optional = name.strip_suffix('?');
        let value = (!before.ends_with('\\')).then(|| lookup(optional.unwrap_or(name))).flatten();
        match (value, optional) {
            (Some(value), _) => out.push_str(&value),
            (None, Some(_)) => {}
            (None, None) => out.push_str(&behind[..=end]),
        }
        rest = &behind[end + 1..];
    }
    let unread = rest.find("${").map_or(rest, |at| &rest[at..]);
    out.push_str(unread);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn npmrc(text: &str) -> Npmrc {
        Npmrc::parse(text, |name| (name == "TOKEN").then(|| "t0k".to_owned())).unwrap()
    }

    #[test]
    fn registries_by_scope() {
        let settings = npmrc("registry=https://a.example/npm\n@acme:registry = https://b.example/\n");
        assert_eq!(settings.registry("express").as_deref(), Some("https://a.example/npm/"));
        assert_eq!(settings.registry("@acme/x").as_deref(), Some("https://b.example/"));
        assert_eq!(settings.registry("@other/x").as_deref(), Some("https://a.example/npm/"));
        assert_eq!(Npmrc::default().registry("x"), None);
        let variables = [("NPM_CONFIG_REGISTRY", "https://env.example"), ("npm_config_cafile", "/ca"), ("PATH", "x")];
        let variables = variables.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
        let both = Npmrc::of_environment(variables).or(settings);
        assert_eq!(both.registry("x").as_deref(), Some("https://env.example/"));
        assert_eq!(both.registry("@acme/x").as_deref(), Some("https://b.example/"));
        assert_eq!(both.setting("cafile"), Some("/ca"));
    }

    #[test]
    fn credentials_go_to_their_registry_only() {
        let settings = npmrc(
            "//a.example/npm/:_authToken=${TOKEN}\n//b.example/:_auth=dXNlcjpwYXNz\n//c.example:8443/:username=u\n//c.example:8443/:_password=cA==\n",
        );
        assert!(
            settings.auth("https://a.example/npm/express/-/express-5.tgz")
                == Some(RegistryAuth::Bearer("t0k".to_owned()))
        );
        assert!(settings.auth("https://a.example/other").is_none());
        assert!(settings.auth("https://a.example.evil.example/npm/").is_none());
        let basic = |user: &str, password: &str| {
            Some(RegistryAuth::Basic { user: user.to_owned(), password: password.to_owned() })
        };
        assert!(settings.auth("https://b.example/x/y") == basic("user", "pass"));
        assert!(settings.auth("https://c.example:8443/") == basic("u", "p"));
        assert!(settings.auth("https://c.example/").is_none());
        assert!(npmrc("_authToken=x").auth("https://a.example/").is_none());
    }

    #[test]
    fn variables_in_values() {
        let lookup = |name: &str| (name == "A").then(|| "1".to_owned());
        for (text, expected) in
            [("x${A}y", "x1y"), ("${B}", "${B}"), ("${B?}z", "z"), ("\\${A}", "\\${A}"), ("${A", "${A")]
        {
            assert_eq!(expanded(text, lookup), expected);
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[${}?\\\\aA=/:\\n@é]{0,60}") {
            let settings = Npmrc::parse(&text, |_| None).unwrap();
            let _ = settings.auth(&text);
        }
    }
}
