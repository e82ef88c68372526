//! What apt on this machine is configured to: where packages come from, by which proxy, and with which passwords.
//!
//! Only read. What a lock or a build needs of it is copied to a private root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use selfsame_deb::{Source, parse_list, parse_sources};
use selfsame_http::Environment;

use super::error::DebInputError;

/// Apt's configuration, as far as packages are had by it.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    /// Places of binary packages over http and https; others are left out.
    pub(super) sources: Vec<Source>,
    logins: Vec<Login>,
    /// Proxies by scheme, and hosts that are asked without one.
    proxies: Vec<(String, String)>,
    direct: Vec<String>,
}

/// The options of a source that count in the private root. `Trusted`, `Allow-Insecure` and their like do not.
pub(super) const KEPT_OPTIONS: [&str; 8] = [
    "Architectures",
    "Signed-By",
    "By-Hash",
    "PDiffs",
    "Check-Valid-Until",
    "Valid-Until-Max",
    "Check-Date",
    "Date-Max-Future",
];
/// What Debian's family puts behind the name of a suite for its fixes.
const COMPANIONS: [&str; 3] = ["-updates", "-security", "/updates"];
/// More is in no file of apt's.
const FILE_BYTES: u64 = 4 << 20;

impl Machine {
    /// Reads the configuration; nothing where apt is not there.
    pub(super) fn read(environment: &Environment) -> Result<Option<Self>, DebInputError> {
        let names =
            ["Dir::Etc::sourcelist/f", "Dir::Etc::sourceparts/d", "Dir::Etc::netrc/f", "Dir::Etc::netrcparts/d"];
        let arguments = names.iter().enumerate().flat_map(|(at, name)| [format!("P{at}"), (*name).to_owned()]);
        let arguments: Vec<String> = std::iter::once("shell".to_owned()).chain(arguments).collect();
        let Some(said) = apt_config(environment, &arguments)? else { return Ok(None) };
        let place = |at: usize| {
            let text = said.lines().find_map(|line| line.strip_prefix(&format!("P{at}="))).unwrap_or("''");
            PathBuf::from(text.trim_matches('\'').replace("'\\''", "'"))
        };
        let mut machine = Self::default();
        for path in files(&place(0), &place(1), &["list", "sources"])? {
            let text = read(&path)?;
            let is_list = path.extension().is_none_or(|extension| extension == "list");
            let parsed = if is_list { parse_list(&text) } else { parse_sources(&text) };
            let parsed = parsed.map_err(|source| DebInputError::Sources { path, source })?;
            machine.sources.extend(parsed.into_iter().filter_map(over_http));
        }
        for path in files(&place(2), &place(3), &["conf"])? {
            machine.logins.extend(logins(&read(&path)?));
        }
        let dump = apt_config(environment, &["dump".to_owned(), "Acquire".to_owned()])?.unwrap_or_default();
        machine.read_proxies(&dump);
        Ok(Some(machine))
    }

    /// The sources of one suite and its fixes. Where none is called so, those of the one distribution that the machine
    /// has, with the suite's name in place of its own.
    pub(super) fn suite(&self, suite: Option<&str>) -> Result<Vec<Source>, DebInputError> {
        if self.sources.is_empty() {
            return Err(DebInputError::NoSources);
        }
        let Some(suite) = suite else { return Ok(self.sources.clone()) };
        let named = renamed(&self.sources, |name| Source::belongs_to(name, suite).then(|| name.to_owned()));
        if !named.is_empty() {
            return Ok(named);
        }
        let all = || self.sources.iter().flat_map(|source| &source.suites);
        let mut bases: Vec<&String> = all()
            .filter(|base| COMPANIONS.iter().any(|companion| all().any(|name| *name == format!("{base}{companion}"))))
            .collect();
        bases.sort();
        bases.dedup();
        let [base] = bases[..] else {
            let mut known: Vec<String> = all().map(|name| format!("`{name}`")).collect();
            known.sort();
            known.dedup();
            return Err(DebInputError::NoSuite { suite: suite.to_owned(), known });
        };
        Ok(renamed(&self.sources, |name| {
            let companion = name.strip_prefix(base.as_str())?;
            (companion.is_empty() || COMPANIONS.contains(&companion)).then(|| format!("{suite}{companion}"))
        }))
    }

    /// An address with the login that apt has for it, if it has one. The client that is given it shows neither.
    pub(super) fn with_login(&self, url: &str) -> String {
        let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
        // As apt does it: a login without a scheme is for https alone.
        let fits = |login: &&Login| {
            login.scheme.as_deref().unwrap_or("https") == scheme
                && rest
                    .strip_prefix(login.place.as_str())
                    .is_some_and(|rest| rest.is_empty() || login.place.ends_with('/') || rest.starts_with(['/', ':']))
        };
        match self.logins.iter().find(fits) {
            None => url.to_owned(),
            Some(Login { user, password, .. }) => format!("{scheme}://{}:{}@{rest}", encoded(user), encoded(password)),
        }
    }

    /// The environment with apt's proxies in the variables that name proxies.
    pub(super) fn environment(&self, environment: &Environment) -> Environment {
        let mut environment = environment.clone();
        for (scheme, proxy) in &self.proxies {
            let (lower, upper) = (format!("{scheme}_proxy"), format!("{}_PROXY", scheme.to_ascii_uppercase()));
            environment.variables.remove(std::ffi::OsStr::new(&upper));
            environment.variables.insert(lower.into(), proxy.into());
        }
        if !self.direct.is_empty() {
            let name = ["no_proxy", "NO_PROXY"].into_iter().find(|name| environment.variable(name).is_some());
            let name = name.unwrap_or("no_proxy");
            let known = environment.variable(name).map(|known| known.to_string_lossy().into_owned());
            let all: Vec<String> = known.into_iter().chain(self.direct.iter().cloned()).collect();
            environment.variables.insert(name.into(), all.join(",").into());
        }
        environment
    }

    fn read_proxies(&mut self, dump: &str) {
        let value = |key: &str| {
            let line = dump.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" \""))?;
            Some(line.strip_suffix("\";")?.to_owned()).filter(|value| !value.is_empty())
        };
        let http = value("Acquire::http::Proxy");
        let https = value("Acquire::https::Proxy").or_else(|| http.clone());
        for (scheme, proxy) in [("http", http), ("https", https)] {
            if let Some(proxy) = proxy {
                let proxy = if proxy == "DIRECT" { String::new() } else { proxy };
                self.proxies.push((scheme.to_owned(), proxy));
            }
        }
        for line in dump.lines() {
            let host =
                ["Acquire::http::Proxy::", "Acquire::https::Proxy::"].iter().find_map(|key| line.strip_prefix(key));
            if let Some(host) = host.and_then(|rest| rest.strip_suffix(" \"DIRECT\";")) {
                self.direct.push(host.to_owned());
            }
        }
    }
}

/// A machine entry of `auth.conf`.
#[derive(Clone, PartialEq, Eq)]
struct Login {
    scheme: Option<String>,
    /// A host, with a port or the beginning of a path.
    place: String,
    user: String,
    password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("place", &self.place).finish_non_exhaustive()
    }
}

/// As it may stand before the `@` of an address.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// `machine HOST login USER password PASSWORD`, by words (apt_auth.conf(5)).
fn logins(text: &str) -> Vec<Login> {
    let mut logins: Vec<Login> = Vec::new();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut words = lines.flat_map(str::split_whitespace);
    while let Some(word) = words.next() {
        let Some(value) = words.next() else { break };
        match (word, logins.last_mut()) {
            ("machine", _) => {
                let (scheme, place) =
                    value.split_once("://").map_or((None, value), |(scheme, place)| (Some(scheme.to_owned()), place));
                let place = place.to_owned();
                logins.push(Login { scheme, place, user: String::new(), password: String::new() });
            }
            ("login", Some(login)) => login.user = value.to_owned(),
            ("password", Some(login)) => login.password = value.to_owned(),
            _ => {}
        }
    }
    logins
}

fn over_http(mut source: Source) -> Option<Source> {
    source.uris.retain(|uri| ["http://", "https://"].iter().any(|scheme| uri.starts_with(scheme)));
    (!source.uris.is_empty()).then_some(source)
}

fn renamed(sources: &[Source], name: impl Fn(&str) -> Option<String>) -> Vec<Source> {
    let mut found = Vec::new();
    for source in sources {
        let suites: Vec<String> = source.suites.iter().filter_map(|suite| name(suite)).collect();
        if !suites.is_empty() {
            found.push(Source { suites, ..source.clone() });
        }
    }
    found
}

/// The one file and those of the folder with these extensions, in the order of their names.
fn files(one: &Path, folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, DebInputError> {
    let mut parts = Vec::new();
    let failed = |source| DebInputError::Io { operation: "read", path: folder.to_owned(), source };
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(failed)?.path();
                let fits = path.extension().is_some_and(|own| extensions.iter().any(|extension| own == *extension));
                if fits && path.is_file() {
                    parts.push(path);
                }
            }
        }
    }
    parts.sort();
    Ok(std::iter::once(one.to_owned()).filter(|path| path.is_file()).chain(parts).collect())
}

fn read(path: &Path) -> Result<String, DebInputError> {
    let failed = |source| DebInputError::Io { operation: "read", path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        // A password that somebody else may use is none here.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Ok(String::new()),
        other => other.map_err(failed)?,
    };
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::io::Read::take(file, FILE_BYTES), &mut text).map_err(failed)?;
    Ok(text)
}

/// What `apt-config` says; nothing where there is none.
fn apt_config(environment: &Environment, arguments: &[String]) -> Result<Option<String>, DebInputError> {
    let failed = |source| DebInputError::Io { operation: "run", path: PathBuf::from("apt-config"), source };
    let mut command = Command::new("apt-config");
    command.env_clear().envs(&environment.variables).env("LC_ALL", "C.UTF-8").args(arguments);
    match command.stdin(Stdio::null()).stderr(Stdio::null()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => Ok(Some(String::from_utf8_lossy(&other.map_err(failed)?.stdout).into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(list: &str) -> Machine {
        Machine { sources: parse_list(list).unwrap().into_iter().filter_map(over_http).collect(), ..Machine::default() }
    }

    fn suites(sources: &[Source]) -> Vec<&str> {
        sources.iter().flat_map(|source| &source.suites).map(String::as_str).collect()
    }

    const DEBIAN: &str = "deb http://example.org/debian bookworm main\ndeb http://example.org/debian bookworm-updates main\n\
        deb http://example.org/security bookworm-security main\ndeb https://example.com/node nodistro main\n\
        deb file:/srv/debs ./\ndeb cdrom:[Debian 12]/ bookworm main\n";

    #[test]
    fn files_and_discs_are_no_places() {
        assert_eq!(suites(&machine(DEBIAN).sources), ["bookworm", "bookworm-updates", "bookworm-security", "nodistro"]);
        let none = machine("deb file:/srv/debs ./\n");
        assert!(matches!(none.suite(None), Err(DebInputError::NoSources)));
    }

    #[test]
    fn a_suite_is_taken_by_its_name_or_in_the_place_of_the_machines_own() {
        let machine = machine(DEBIAN);
        assert_eq!(suites(&machine.suite(None).unwrap()).len(), 4);
        assert_eq!(suites(&machine.suite(Some("nodistro")).unwrap()), ["nodistro"]);
        let own = machine.suite(Some("bookworm")).unwrap();
        assert_eq!(suites(&own), ["bookworm", "bookworm-updates", "bookworm-security"]);
        let other = machine.suite(Some("trixie")).unwrap();
        assert_eq!(suites(&other), ["trixie", "trixie-updates", "trixie-security"]);
        let flat = super::tests::machine("deb http://example.org/a one main\ndeb http://example.org/b two main\n");
        let error = flat.suite(Some("trixie")).unwrap_err();
        assert!(error.to_string().ends_with("they name `one`, `two`"), "{error}");
    }

    #[test]
    fn logins_are_for_their_host_path_and_scheme() {
        let logins = logins(
            "# comment\nmachine example.org/private login me password s@cret\nmachine http://example.com login you\n password x\n",
        );
        let machine = Machine { logins, ..Machine::default() };
        assert_eq!(
            machine.with_login("https://example.org/private/pool/a.deb"),
            "https://me:s%40cret@example.org/private/pool/a.deb"
        );
        assert_eq!(machine.with_login("http://example.com/a.deb"), "http://you:x@example.com/a.deb");
        for none in [
            "https://example.org/privateer/a",
            "http://example.org/private/a",
            "http://example.com.other.example/a",
            "x",
        ] {
            assert_eq!(machine.with_login(none), none);
        }
        assert!(!format!("{machine:?}").contains("s@cret"));
    }

    #[test]
    fn proxies_of_apt_stand_above_the_environments() {
        let mut machine = Machine::default();
        machine.read_proxies(
            "Acquire \"\";\nAcquire::http::Proxy \"http://proxy.example:3128\";\nAcquire::http::Proxy::mirror.example \"DIRECT\";\n",
        );
        let mut environment = Environment::default();
        environment.variables.insert("HTTPS_PROXY".into(), "http://other.example:1".into());
        environment.variables.insert("NO_PROXY".into(), "a.example".into());
        let environment = machine.environment(&environment);
        let value = |name: &str| environment.variable(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(value("https_proxy").as_deref(), Some("http://proxy.example:3128"));
        assert_eq!(value("HTTPS_PROXY"), None);
        assert_eq!(value("NO_PROXY").as_deref(), Some("a.example,mirror.example"));
    }
}
