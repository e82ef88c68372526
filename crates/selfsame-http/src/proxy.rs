//! Which proxy stands before an address: what `HTTPS_PROXY`, `http_proxy`, `ALL_PROXY` and `NO_PROXY` say.

use std::fmt;
use std::net::IpAddr;

use crate::address::{Address, decode, split_port};
use crate::environment::Environment;

/// This machine's proxies.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    https: Option<Setting>,
    http: Option<Setting>,
    exceptions: Vec<Exception>,
}

/// A variable and its value, which is not read before it is needed: one that is wrong must not keep from what needs no
/// proxy.
struct Setting {
    variable: String,
    value: String,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.variable)
    }
}

/// A proxy. Prints without its user and password.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Proxy {
    pub(crate) kind: Kind,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<(String, String)>,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Http,
    Https,
    /// Version 5; names are the proxy's to resolve.
    Socks,
}

impl Kind {
    const fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks => "socks5h",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks => 1080,
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.kind.scheme(), self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl Proxies {
    /// As curl takes them: the small name before the large one; of `HTTP_PROXY` only the small one, since a web server sets
    /// the large one from a request's header.
    pub(crate) fn of(environment: &Environment) -> Self {
        let one = |name: &str| {
            let value = environment.variable(name)?.to_string_lossy().trim().to_owned();
            Some(Setting { variable: name.to_owned(), value })
        };
        let either = |name: &str| one(name).or_else(|| one(&name.to_ascii_uppercase()));
        let exceptions = either("no_proxy").map(|setting| setting.value).unwrap_or_default();
        Self {
            https: either("https_proxy").or_else(|| either("all_proxy")),
            http: one("http_proxy").or_else(|| either("all_proxy")),
            exceptions: exceptions.split([',', ' ']).filter_map(Exception::parse).collect(),
        }
    }

    /// The proxy before an address; or the variable that says so and what is wrong with it.
    pub(crate) fn before(&self, address: &Address) -> Result<Option<Proxy>, (String, &'static str)> {
        let setting = if address.is_https() { &self.https } else { &self.http };
        let Some(setting) = setting.as_ref().filter(|setting| !setting.value.is_empty()) else { return Ok(None) };
        if self.exceptions.iter().any(|exception| exception.covers(address)) {
            return Ok(None);
        }
        Proxy::parse(&setting.value).map(Some).map_err(|why| (format!("`{}`", setting.variable), why))
    }
}

impl Proxy {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "http" => Kind::Http,
            "https" => Kind::Https,
            "socks5" | "socks5h" => Kind::Socks,
            "socks" | "socks4" | "socks4a" => return Err("of SOCKS only version 5 is known"),
            _ => return Err("it begins with neither http:// nor https:// nor socks5://"),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let user = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            Ok::<_, &'static str>((decode(name)?, decode(password)?))
        });
        let user = user.transpose()?;
        let (host, port) = split_port(place)?;
        // The same rules as for any address.
        Address::parse(&format!("http://{host}/"))?;
        let port = port.unwrap_or(kind.default_port());
        Ok(Self { kind, host: host.to_ascii_lowercase(), port, user })
    }
}

/// One entry of `NO_PROXY`.
#[derive(Debug, PartialEq, Eq)]
struct Exception {
    what: What,
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    Everything,
    /// A host, and whatever ends in a dot and it.
    Host(String),
    /// Only what ends in a dot and it.
    Below(String),
    Network(IpAddr, u8),
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let everywhere = |what| Some(Self { what, port: None });
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            return everywhere(What::Everything);
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
            let bits: u8 = bits.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            return if bits <= most { everywhere(What::Network(address, bits)) } else { None };
        }
        // `::1` without brackets has colons and no port.
        if let Ok(address) = text.parse::<IpAddr>() {
            return everywhere(What::Network(address, if address.is_ipv4() { 32 } else { 128 }));
        }
        let (host, port) = split_port(&text).ok()?;
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            return Some(Self { what: What::Network(address, bits), port });
        }
        let host = host.trim_end_matches('.');
        let what = match host.strip_prefix("*.").or_else(|| host.strip_prefix('.')) {
            Some(domain) => What::Below(domain.to_owned()),
            None => What::Host(host.to_owned()),
        };
        Some(Self { what, port })
    }

    fn covers(&self, address: &Address) -> bool {
        if self.port.is_some_and(|port| port != address.port()) {
            return false;
        }
        let host = address.host().trim_end_matches('.');
        let below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
        match &self.what {
            What::Everything => true,
            What::Host(name) => host == name || below(name),
            What::Below(name) => below(name),
            What::Network(network, bits) => {
                host.trim_matches(['[', ']']).parse().is_ok_and(|address| is_within(address, *network, *bits))
            }
        }
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    address.is_ipv4() == network.is_ipv4() && number(address) & mask == number(network) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Proxies::of(&Environment { variables })
    }

    fn before(proxies: &Proxies, url: &str) -> Option<String> {
        proxies.before(&Address::parse(url).unwrap()).unwrap().map(|proxy| proxy.to_string())
    }

    #[test]
    fn the_variables_that_curl_reads() {
        let all = proxies(&[
            ("HTTPS_PROXY", "http://big:1"),
            ("https_proxy", "http://small:1"),
            ("HTTP_PROXY", "http://cgi:1"),
        ]);
        assert_eq!(before(&all, "https://a.example/").as_deref(), Some("http://small:1"));
        assert_eq!(before(&all, "http://a.example/"), None, "HTTP_PROXY may be a request's header");
        let fallback = proxies(&[("ALL_PROXY", "proxy.example:3128"), ("http_proxy", "https://p.example")]);
        assert_eq!(before(&fallback, "https://a.example/").as_deref(), Some("http://proxy.example:3128"));
        assert_eq!(before(&fallback, "http://a.example/").as_deref(), Some("https://p.example:443"));
        assert_eq!(before(&proxies(&[("https_proxy", "")]), "https://a.example/"), None);
    }

    #[test]
    fn a_password_is_read_and_not_told() {
        let proxy = Proxy::parse("http://CORP%5Cme:p%40ss%3A1@proxy.example:3128/").unwrap();
        assert_eq!(proxy.user, Some(("CORP\\me".to_owned(), "p@ss:1".to_owned())));
        assert_eq!(format!("{proxy} {proxy:?}"), "http://proxy.example:3128 Proxy(http://proxy.example:3128)");
        let wrong = proxies(&[("https_proxy", "ftp://me:secret@host")]);
        let fault = wrong.before(&Address::parse("https://a/").unwrap()).unwrap_err();
        assert_eq!(fault, ("`https_proxy`".to_owned(), "it begins with neither http:// nor https:// nor socks5://"));
        assert!(!format!("{wrong:?}").contains("secret"));
    }

    #[test]
    fn exceptions() {
        let list =
            "localhost, .dot.example,*.star.example,host.example:8443,10.0.0.0/8,192.168.1.5,[::1],fd00::/8,bad/99";
        let proxies = proxies(&[("https_proxy", "http://p:1"), ("no_proxy", list)]);
        let direct = |url: &str| before(&proxies, url).is_none();
        for url in [
            "https://localhost:5000/",
            "https://a.host.example:8443/",
            "https://a.dot.example/",
            "https://a.b.star.example/",
            "https://host.example:8443/",
            "https://sub.host.example:8443/",
            "https://10.255.0.1/",
            "https://192.168.1.5/",
            "https://[::1]:99/",
            "https://[fd12::1]/",
        ] {
            assert!(direct(url), "{url}");
        }
        for url in [
            "https://notlocalhost/",
            "https://dot.example/",
            "https://baddot.example/",
            "https://host.example/",
            "https://11.0.0.1/",
            "https://192.168.1.50/",
            "https://[fe80::1]/",
        ] {
            assert!(!direct(url), "{url}");
        }
        assert!(
            before(&Proxies { exceptions: vec![Exception::parse("*").unwrap()], ..proxies }, "https://x/").is_none()
        );
    }
}
