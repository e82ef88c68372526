//! Other people's registries as programs on loopback, for the foreign tier.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::authority::Authority;

/// The user that [`Registry::docker_with_login`] lets in, and the password.
pub const LOGIN: (&str, &str) = ("me", "hidden");
/// The same for the registry: `htpasswd`'s line.
const HTPASSWD: &str = "me:$2b$04$iTiRO3xpibwRkw58PgzsjeACQ3eLNJLwnr6u5gXA5wJ5Ey8MGiOyW\n";
/// How long a registry may take until it listens.
const PATIENCE: Duration = Duration::from_secs(30);

/// A registry that runs. It ends, and forgets everything, when it is dropped.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Registry {
    /// Debian's `docker-registry`: it has no list of referrers, and speaks http.
    ///
    /// # Errors
    /// Why it cannot be had here, for [`crate::require`].
    pub fn docker() -> Result<Self, String> {
        Self::start_docker("", |_| String::new())
    }

    /// The same for [`LOGIN`] alone.
    ///
    /// # Errors
    /// As [`Registry::docker`].
    pub fn docker_with_login() -> Result<Self, String> {
        Self::start_docker(HTPASSWD, |_| String::new())
    }

    /// The same by https, as 127.0.0.1, `localhost` and these hosts.
    ///
    /// # Errors
    /// As [`Registry::docker`].
    pub fn docker_with_tls(authority: &Authority, hosts: &[&str]) -> Result<Self, String> {
        Self::start_docker(HTPASSWD, |folder| {
            let (certificate, key) = authority.pair(hosts);
            let [certificate_file, key_file] = ["certificate.pem", "key.pem"].map(|name| folder.join(name));
            std::fs::write(&certificate_file, certificate).expect("a file");
            std::fs::write(&key_file, key).expect("a file");
            let (certificate, key) = (certificate_file.display(), key_file.display());
            format!(", tls: {{ certificate: '{certificate}', key: '{key}' }}")
        })
    }

    fn start_docker(htpasswd: &str, tls: impl FnOnce(&Path) -> String) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut text = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage: {{ filesystem: {{ \
             rootdirectory: '{}' }}, delete: {{ enabled: true }} }}\nhttp: {{ addr: '127.0.0.1:0', secret: s{} }}\n",
            path("data"),
            tls(folder.path())
        );
        if !htpasswd.is_empty() {
            std::fs::write(path("htpasswd"), htpasswd).expect("a file");
            text.push_str(&format!("auth: {{ htpasswd: {{ realm: test, path: '{}' }} }}\n", path("htpasswd")));
        }
        std::fs::write(path("config.yml"), text).expect("a file");
        let mut command = Command::new("docker-registry");
        command.args(["serve", &path("config.yml")]);
        Self::start(command, "docker-registry", folder)
    }

    /// `ferro-oci-server`, which has lists of referrers. `SELFSAME_OCI_SERVER` says where it is; else `PATH`.
    ///
    /// # Errors
    /// Why it cannot be had here, for [`crate::require`].
    pub fn ferro() -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let program = std::env::var_os("SELFSAME_OCI_SERVER").unwrap_or_else(|| "ferro-oci-server".into());
        let mut command = Command::new(program);
        command.env("FERRO_OCI_LISTEN", "127.0.0.1:0").env("FERRO_OCI_STORAGE_DIR", folder.path().join("data"));
        Self::start(command, "ferro-oci-server", folder)
    }

    fn start(mut command: Command, name: &str, folder: tempfile::TempDir) -> Result<Self, String> {
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let again = log.try_clone().expect("a file twice");
        let spawned = command.stdin(Stdio::null()).stdout(again).stderr(log).spawn();
        let mut child = spawned.map_err(|error| format!("no `{name}`: {error}"))?;
        let begun = std::time::Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(port) = listening(child.id()) {
                return Ok(Self { child, address: ([127, 0, 0, 1], port).into(), _folder: folder });
            }
            if let Ok(Some(status)) = child.try_wait() {
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                panic!("`{name}` ended with {status}: {log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("`{name}` does not listen after {} s", PATIENCE.as_secs());
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port of 127.0.0.1 that a process listens on: a program that is told port 0 need not say which one it got.
fn listening(process: u32) -> Option<u16> {
    let links = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let names =
        links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok()?.into_os_string().into_string().ok());
    let sockets: Vec<String> =
        names.filter_map(|name| Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).ok()?;
    table.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (&local, &state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
        let port = local.strip_prefix("0100007F:")?;
        (state == "0A" && sockets.iter().any(|socket| socket == inode)).then(|| u16::from_str_radix(port, 16).ok())?
    })
}
