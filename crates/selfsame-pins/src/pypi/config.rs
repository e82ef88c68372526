//! pip's settings: where this machine gets Python packages from.

use crate::error::PinsError;
use crate::ini;

const DOCUMENT: &str = "pip's configuration file";

/// What one place says: a file or the environment. Addresses may hold passwords, so nothing here prints itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PipSettings {
    /// `index-url`
    pub index_url: Option<String>,
    /// `extra-index-url`
    pub extra_index_urls: Vec<String>,
    /// A file with certificates.
    pub cert: Option<String>,
    /// `HOST` or `HOST:PORT`, without https or with any certificate.
    pub trusted_hosts: Vec<String>,
    /// An address.
    pub proxy: Option<String>,
}

/// The settings of several places, strongest first.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PipConfig {
    settings: PipSettings,
}

impl PipSettings {
    /// Of a `pip.conf`: `[global]`, and `[install]` above it.
    pub fn parse(text: &str) -> Result<Self, PinsError> {
        let entries = ini::python(DOCUMENT, text)?;
        let mut settings = Self::default();
        for wanted in ["global", "install"] {
            for (section, key, value) in &entries {
                if section == wanted {
                    settings.set(key, value);
                }
            }
        }
        Ok(settings)
    }

    /// Of the environment: `lookup` gives the value of a variable.
    pub fn of_environment(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut settings = Self::default();
        for key in ["index-url", "extra-index-url", "cert", "trusted-host", "proxy"] {
            let name = format!("PIP_{}", key.to_ascii_uppercase().replace('-', "_"));
            if let Some(value) = lookup(&name) {
                settings.set(key, &value);
            }
        }
        settings
    }

    fn set(&mut self, key: &str, value: &str) {
        let words = || value.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let one = || Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        match key.to_ascii_lowercase().replace('_', "-").trim_start_matches('-') {
            "index-url" | "pypi-url" => self.index_url = one(),
            "extra-index-url" => self.extra_index_urls = words(),
            "cert" => self.cert = one(),
            "trusted-host" => self.trusted_hosts = words(),
            "proxy" => self.proxy = one(),
            _ => {}
        }
    }
}

impl PipConfig {
    /// Adds a weaker place: what a stronger one says stays.
    #[must_use]
    pub fn or(mut self, weaker: PipSettings) -> Self {
        let mine = &mut self.settings;
        mine.index_url = mine.index_url.take().or(weaker.index_url);
        mine.cert = mine.cert.take().or(weaker.cert);
        mine.proxy = mine.proxy.take().or(weaker.proxy);
        if mine.extra_index_urls.is_empty() {
            mine.extra_index_urls = weaker.extra_index_urls;
        }
        if mine.trusted_hosts.is_empty() {
            mine.trusted_hosts = weaker.trusted_hosts;
        }
        self
    }

    /// Everything together.
    #[must_use]
    pub const fn settings(&self) -> &PipSettings {
        &self.settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stronger_places_win() {
        let environment = PipSettings::of_environment(|name| {
            (name == "PIP_INDEX_URL").then(|| "https://env.example/simple".to_owned())
        });
        let file = PipSettings::parse(
            "[global]\nindex_url = https://file.example/simple\ncert=/ca.pem\nextra-index-url =\n  https://b.example\n  https://c.example\n\
             [install]\ntrusted-host = b.example c.example:8443\n[freeze]\ncert = /other\n",
        )
        .unwrap();
        let config = PipConfig::default()
            .or(environment)
            .or(file)
            .or(PipSettings { cert: Some("/weaker.pem".to_owned()), ..PipSettings::default() });
        let settings = config.settings();
        assert_eq!(settings.index_url.as_deref(), Some("https://env.example/simple"));
        assert_eq!(settings.extra_index_urls, ["https://b.example", "https://c.example"]);
        assert_eq!(settings.cert.as_deref(), Some("/ca.pem"));
        assert_eq!(settings.trusted_hosts, ["b.example", "c.example:8443"]);
        assert!(PipSettings::parse("nonsense").is_err());
    }
}
