//! Package URLs: how an input is called, without saying where it lies.

use std::fmt;
use std::str::FromStr;

use packageurl::PackageUrl;

/// A package URL in its canonical spelling: `pkg:cargo/ripgrep@14.1.1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purl(String);

/// A text that is no package URL, or one that is not in its canonical spelling.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a package URL{}", canonical.as_ref().map(|c| format!("; it would be `{c}`")).unwrap_or_default())]
pub struct PurlError {
    /// The beginning of the text.
    pub text: String,
    /// The spelling that would be right, if it can be read at all.
    pub canonical: Option<String>,
}

impl Purl {
    /// `pkg:cargo/NAME@VERSION`.
    pub fn cargo(name: &str, version: &str) -> Result<Self, PurlError> {
        Self::new("cargo", None, name, Some(version), &[])
    }

    /// `pkg:generic/NAME@VERSION`, for files that no registry names.
    pub fn generic(name: &str, version: Option<&str>) -> Result<Self, PurlError> {
        Self::new("generic", None, name, version, &[])
    }

    /// `pkg:deb/debian/NAME@VERSION?arch=ARCH`; `vendor` is os-release's `ID`.
    pub fn deb(vendor: &str, name: &str, version: &str, arch: &str) -> Result<Self, PurlError> {
        Self::new("deb", Some(vendor), name, Some(version), &[("arch", arch)])
    }

    /// A package URL of any type.
    pub fn new(
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        version: Option<&str>,
        qualifiers: &[(&str, &str)],
    ) -> Result<Self, PurlError> {
        let build = || {
            let mut purl = PackageUrl::new(kind.to_owned(), name.to_owned())?;
            if let Some(namespace) = namespace {
                purl.with_namespace(namespace.to_owned())?;
            }
            if let Some(version) = version {
                purl.with_version(version.to_owned())?;
            }
            for (key, value) in qualifiers {
                purl.add_qualifier((*key).to_owned(), (*value).to_owned())?;
            }
            Ok::<_, packageurl::Error>(purl.to_string())
        };
        let text = build().map_err(|_| PurlError { text: clip(name), canonical: None })?;
        text.parse()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Purl {
    /// Name and version for people, nothing encoded: `gcc 4:12.2.0-3`, `@babel/core 7.29.0`, `golang.org/x/text v0.3.0`.
    #[must_use]
    pub fn plain(&self) -> String {
        let Ok(purl) = PackageUrl::from_str(&self.0) else { return self.0.clone() };
        let exact = purl.qualifiers().get("name").filter(|_| matches!(purl.ty(), "npm" | "golang"));
        let name = match (exact, purl.namespace(), purl.ty()) {
            // Small letters only are known to package URLs.
            (Some(exact), ..) => exact.to_string(),
            (None, Some(namespace), "npm" | "golang") => format!("{namespace}/{}", purl.name()),
            _ => purl.name().to_owned(),
        };
        match purl.version() {
            Some(version) => format!("{name} {version}"),
            None => name,
        }
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Purl {
    type Err = PurlError;

    fn from_str(text: &str) -> Result<Self, PurlError> {
        let error = |canonical| PurlError { text: clip(text), canonical };
        if text.len() > 1024 {
            return Err(error(None));
        }
        let canonical = PackageUrl::from_str(text).map_err(|_| error(None))?.to_string();
        if canonical != text {
            return Err(error(Some(canonical)));
        }
        Ok(Self(canonical))
    }
}

fn clip(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect()
}
