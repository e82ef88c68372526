//! A temporary folder with a store, and working trees in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use selfsame_definition::Epoch;
use selfsame_fetch::{BoundSource, Environment, SourceError, SourceRequest, bind};
use selfsame_store::Store;

pub(crate) struct Disk {
    folder: tempfile::TempDir,
    pub(crate) store: Store,
}

/// The time of every commit in these tests.
pub(crate) const COMMIT_SECS: u64 = 1_700_000_000;

impl Disk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes files below a folder; a name that ends with `*` is executable.
    pub(crate) fn write(&self, folder: &str, files: &[(&str, &str)]) {
        for (name, content) in files {
            let path = self.path(folder).join(name.trim_end_matches('*'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            if name.ends_with('*') {
                self.chmod(&path, 0o755);
            }
        }
    }

    pub(crate) fn chmod(&self, path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A repository with these files in one commit.
    pub(crate) fn repository(&self, folder: &str, files: &[(&str, &str)]) {
        self.write(folder, files);
        self.git(folder, &["init", "-q", "-b", "main"]);
        self.git(folder, &["add", "-A"]);
        self.commit(folder);
    }

    pub(crate) fn commit(&self, folder: &str) {
        self.git(folder, &["commit", "-q", "--allow-empty", "-m", "x"]);
    }

    #[track_caller]
    pub(crate) fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let date = format!("{COMMIT_SECS} +0200");
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(self.path(folder))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .output()
            .expect("the tests need git");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn environment(&self) -> Environment {
        let mut environment = Environment { variables: std::env::vars_os().collect() };
        // Nothing of this machine's user: `home` has no `.gitconfig` unless a test writes one.
        for name in ["XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL"] {
            environment.variables.remove(std::ffi::OsStr::new(name));
        }
        environment.variables.insert("HOME".into(), self.path("home").into());
        // What must not reach git.
        environment.variables.insert("GIT_DIR".into(), "/nowhere".into());
        environment.variables.insert("GIT_INDEX_FILE".into(), "/nowhere".into());
        environment
    }

    pub(crate) fn bind_with(
        &self,
        folder: &str,
        change: impl FnOnce(&mut SourceRequest<'_>),
    ) -> Result<BoundSource, SourceError> {
        let root = self.path(folder);
        let mut request = SourceRequest {
            root: &root,
            definition_dir: &root,
            exclude: &[],
            epoch: Epoch::Git,
            trust_stat_cache: true,
        };
        change(&mut request);
        bind(&request, &self.environment(), &self.store)
    }

    /// Binds with these output folders left out.
    #[track_caller]
    pub(crate) fn bind_without(&self, folder: &str, exclude: &[PathBuf]) -> BoundSource {
        let root = &self.path(folder);
        let request = SourceRequest { root, definition_dir: root, exclude, epoch: Epoch::Git, trust_stat_cache: true };
        bind(&request, &self.environment(), &self.store).unwrap()
    }

    #[track_caller]
    pub(crate) fn bind(&self, folder: &str) -> BoundSource {
        self.bind_with(folder, |_| {}).unwrap()
    }

    #[track_caller]
    pub(crate) fn refusal(&self, folder: &str) -> String {
        let error = self.bind_with(folder, |_| {}).expect_err("a source that is refused");
        error.to_string().replace(self.folder.path().to_str().unwrap(), "TMP")
    }
}

/// `path mode` or `path -> target`, one a line.
pub(crate) fn picture(source: &BoundSource) -> String {
    use selfsame_tree::Kind;
    let line = |(path, entry): (&selfsame_core::RelPath, &selfsame_tree::Entry)| match &entry.kind {
        Kind::Symlink { target } => format!("{path} -> {target}\n"),
        Kind::File { size, .. } => format!("{path} {:o} {size}\n", entry.mode),
        other => format!("{path} {}\n", other.name()),
    };
    source.tree.iter().map(line).collect()
}

/// Says loudly that something was not tested.
pub(crate) fn skipped(what: &str, because: &str) {
    use std::io::Write as _;
    // Straight to the file descriptor: the harness swallows what a passing test prints.
    let _ = std::io::stderr().write_all(format!("SKIPPED {what}: {because}\n").as_bytes());
}
