//! The binary in a world of its own: folders below one temporary root, and an environment with nothing of the machine's
//! in it but `PATH`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Output, Variation};

/// How long the binary may take before it is killed and the test fails.
const DEADLINE: Duration = Duration::from_secs(600);

/// A temporary root with `home`, `store`, `tmp` and `project`, removed when dropped.
///
/// ```ignore
/// let env = TestEnv::new(env!("CARGO_BIN_EXE_selfsame"));
/// env.write("hello.c", "int main(void) { return 0; }\n");
/// env.git_commit("first");
/// env.selfsame(["build", "--dev-key"]).succeeds();
/// ```
#[derive(Debug)]
pub struct TestEnv {
    root: TempDir,
    binary: PathBuf,
    variables: BTreeMap<OsString, OsString>,
    user: Option<u32>,
    deadline: Duration,
}

impl TestEnv {
    /// For the binary at this path: `env!("CARGO_BIN_EXE_selfsame")`.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self::below(&std::env::temp_dir(), binary)
    }

    /// The same with its root in a folder of the caller's choice, on another disk for one.
    #[must_use]
    pub fn below(folder: &Path, binary: impl Into<PathBuf>) -> Self {
        let root = tempfile::Builder::new().prefix("selfsame-test-").tempdir_in(folder).expect("a temporary folder");
        for name in ["home", "tmp", "project"] {
            std::fs::create_dir(root.path().join(name)).expect("a new folder in the temporary root");
        }
        let at = |name: &str| root.path().join(name).into_os_string();
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let variables = BTreeMap::from([
            ("HOME".into(), at("home")),
            ("LC_ALL".into(), "C.UTF-8".into()),
            ("NO_COLOR".into(), "1".into()),
            ("PATH".into(), path),
            ("SELFSAME_STORE".into(), at("store")),
            ("TMPDIR".into(), at("tmp")),
            ("TZ".into(), "UTC".into()),
        ]);
        Self { root, binary: binary.into(), variables, user: None, deadline: DEADLINE }
    }

    /// The temporary root.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// A path below the root.
    #[must_use]
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root().join(path)
    }

    /// The folder in which the binary runs and files are written.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.at("project")
    }

    /// The store's folder, which the binary makes.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.at("store")
    }

    /// Sets a variable for the binary and for git.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Takes a variable away.
    pub fn unset(&mut self, name: &str) -> &mut Self {
        self.variables.remove(OsStr::new(name));
        self
    }

    /// Kills the binary after this time instead of ten minutes.
    pub fn set_deadline(&mut self, deadline: Duration) -> &mut Self {
        self.deadline = deadline;
        self
    }

    /// Lets the binary see the machine's cargo and rustup: their folders, mirrors and proxies, and no credentials.
    pub fn use_machine_cargo(&mut self) -> &mut Self {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        for (name, below_home) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            let folder = std::env::var_os(name).or_else(|| home.as_ref().map(|home| home.join(below_home).into()));
            self.variables.extend(folder.map(|folder| (OsString::from(name), folder)));
        }
        let wanted = |name: &str| {
            let upper = name.to_ascii_uppercase();
            let network = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"];
            let cargo = ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_SOURCE_"];
            let secret = ["TOKEN", "CREDENTIAL"].iter().any(|word| upper.contains(word));
            !secret && (network.contains(&upper.as_str()) || cargo.iter().any(|prefix| upper.starts_with(prefix)))
        };
        let machine = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(wanted));
        self.variables.extend(machine);
        self
    }

    /// Writes a file below the project, and the folders above it.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.project().join(path);
        let parent = path.parent().expect("a file below the project has a folder");
        std::fs::create_dir_all(parent).unwrap_or_else(|error| panic!("cannot create {}: {error}", parent.display()));
        std::fs::write(&path, content).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// The same, with mode 0755.
    pub fn write_executable(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.write(path, content);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("the mode of a file just written");
        path
    }

    /// A file below the root, as text.
    #[must_use]
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.at(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Copies a folder's content, an example's for one, into the project. Links stay links; `.git` is left out.
    pub fn copy_into_project(&self, folder: &Path) {
        copy(folder, &self.project());
    }

    /// Gives everything below the root to another user, who runs the binary from now on. Needs root.
    pub fn give_to(&mut self, user: u32) -> &mut Self {
        let own = self.at("selfsame-binary");
        // The user may not be able to reach the build folder.
        std::fs::copy(&self.binary, &own).expect("a copy of the binary");
        self.binary = own;
        let changed = Command::new("chown").arg("-R").arg(format!("{user}:{user}")).arg(self.root()).status();
        assert!(changed.is_ok_and(|status| status.success()), "cannot give the test's folder to user {user}");
        self.user = Some(user);
        self
    }

    /// Runs the binary in the project.
    pub fn selfsame<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.selfsame_under(&Variation::default(), arguments)
    }

    /// Runs the binary in the project, under other circumstances.
    pub fn selfsame_under<S: AsRef<OsStr>>(
        &self,
        variation: &Variation,
        arguments: impl IntoIterator<Item = S>,
    ) -> Output {
        self.run(self.command(variation, arguments))
    }

    /// The command that [`TestEnv::selfsame_under`] runs, to be changed, killed or watched by the test itself.
    #[must_use]
    pub fn command<S: AsRef<OsStr>>(&self, variation: &Variation, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut words = variation.wrapper(self.user);
        words.push(self.binary.clone().into_os_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(arguments);
        command.env_clear().envs(&self.variables).envs(variation.variables());
        command.current_dir(self.project()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end and keeps what it said.
    pub fn run(&self, command: Command) -> Output {
        let mut filters = vec![(self.store(), "[STORE]"), (self.root().to_owned(), "[TMP]")];
        // What a program finds out for itself has no links in it.
        filters.extend(std::fs::canonicalize(self.root()).ok().map(|root| (root, "[TMP]")));
        Output::of(command, self.deadline, filters)
    }

    pub(crate) fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.variables
    }
}

fn copy(from: &Path, to: &Path) {
    let failed = |error: std::io::Error| -> ! { panic!("cannot copy {}: {error}", from.display()) };
    std::fs::create_dir_all(to).unwrap_or_else(|error| failed(error));
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| failed(error)) {
        let entry = entry.unwrap_or_else(|error| failed(error));
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap_or_else(|error| failed(error));
        if kind.is_dir() && entry.file_name() == ".git" {
            continue;
        }
        if kind.is_dir() {
            copy(&source, &target);
        } else if kind.is_symlink() {
            let text = std::fs::read_link(&source).unwrap_or_else(|error| failed(error));
            std::os::unix::fs::symlink(text, &target).unwrap_or_else(|error| failed(error));
        } else {
            std::fs::copy(&source, &target).unwrap_or_else(|error| failed(error));
        }
    }
}
