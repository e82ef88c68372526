//! A root file system of one static program, and runs in it that read as a sentence.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use selfsame_core::RelPath;
use selfsame_sandbox::{
    Bind, Identity, Level, Limits, Outcome, OutputEntry, OutputSink, Placement, PlacementKind, Relaxation,
    SandboxError, Spec, Stream, Variation, run,
};

/// The helper of this crate's own.
pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_selfsame-sandbox-helper");

/// A folder with a root file system (busybox with all its names) and a place for scratch.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
}

/// A world, or nothing when this host cannot make one.
pub(crate) fn world() -> Option<World> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| is_static(Path::new(path)));
    let Some(busybox) = busybox else {
        skip("there is no static busybox (package busybox-static)");
        return None;
    };
    let dir = tempfile::tempdir().unwrap();
    // Other users of this machine run tests in it too.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let bin = dir.path().join("root/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::copy(busybox, bin.join("busybox")).unwrap();
    for applet in APPLETS {
        symlink("busybox", bin.join(applet)).unwrap();
    }
    fs::create_dir(dir.path().join("scratch")).unwrap();
    Some(World { dir })
}

const APPLETS: &[&str] = &[
    "sh",
    "ls",
    "cat",
    "echo",
    "stat",
    "id",
    "touch",
    "mkdir",
    "ln",
    "mknod",
    "mkfifo",
    "sleep",
    "dd",
    "hostname",
    "ps",
    "kill",
    "chmod",
    "nc",
    "ping",
    "mount",
    "umount",
    "unshare",
    "date",
    "env",
    "find",
    "grep",
    "nproc",
    "md5sum",
    "setsid",
    "rm",
    "mv",
    "cp",
    "sort",
    "true",
    "false",
    "test",
    "head",
    "tail",
    "wc",
    "od",
    "tr",
    "readlink",
    "sed",
    "awk",
    "cut",
    "printf",
    "uname",
    "df",
    "chown",
    "ip",
    "ifconfig",
    "chroot",
    "sync",
    "pwd",
    "dnsdomainname",
    "seq",
];

/// Says that something was not tested.
pub(crate) fn skip(why: &str) {
    skip_in("sandbox", why);
}

/// The same for a tier that needs more than a kernel and a compiler.
pub(crate) fn skip_in(tier: &str, why: &str) {
    let required = std::env::var("SELFSAME_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name.trim() == tier), "required, and skipped: {why}");
    #[expect(clippy::print_stderr, reason = "a skip is loud")]
    {
        eprintln!("SKIPPED: {why}");
    }
}

fn is_static(path: &Path) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    // Dynamic programs name their loader in the first page.
    bytes.starts_with(b"\x7fELF") && !bytes[..4096.min(bytes.len())].windows(4).any(|part| part == b"/ld-")
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) result: Result<Outcome, SandboxError>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) outputs: Vec<(OutputEntry, Vec<u8>)>,
}

impl Done {
    /// The outcome, which must be success.
    #[track_caller]
    pub(crate) fn ok(&self) -> &Outcome {
        let outcome = self.result.as_ref().unwrap_or_else(|error| panic!("{error:?}\n{}", self.stderr));
        assert!(outcome.end.is_success(), "{:?}\nstdout: {}\nstderr: {}", outcome.end, self.stdout, self.stderr);
        outcome
    }

    #[track_caller]
    pub(crate) fn outcome(&self) -> &Outcome {
        self.result.as_ref().unwrap_or_else(|error| panic!("{error:?}\n{}", self.stderr))
    }

    /// The error, which must be there.
    #[track_caller]
    pub(crate) fn error(&self) -> &SandboxError {
        match &self.result {
            Err(error) => error,
            Ok(outcome) => panic!("{:?}\nstdout: {}\nstderr: {}", outcome.end, self.stdout, self.stderr),
        }
    }
}

impl World {
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// A specification that runs nothing yet.
    pub(crate) fn spec(&self, argv: &[&str]) -> Spec {
        Spec {
            program: HELPER.into(),
            identity: Identity::Build,
            level: Level::Normalized,
            observe: false,
            lowers: vec![self.path("root")],
            binds: Vec::new(),
            scratch_dirs: vec!["/build".to_owned(), "/tmp".to_owned()],
            scratch_dir: self.path("scratch"),
            scratch_bytes: 256 << 20,
            placements: Vec::new(),
            owners: Vec::new(),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]),
            cwd: "/build".to_owned(),
            stdout_to: None,
            outputs: Vec::new(),
            limits: Limits { timeout_ms: 60_000, tasks: Limits::TASKS, memory_bytes: None },
            relax: BTreeSet::new(),
            variation: Variation::none(),
        }
    }

    /// Runs a shell script in the root.
    pub(crate) fn sh(&self, script: &str) -> Done {
        go(&self.spec(&["sh", "-c", script]))
    }

    /// Runs a shell script and takes outputs.
    pub(crate) fn sh_outputs(&self, script: &str, outputs: &[&str]) -> Done {
        let mut spec = self.spec(&["sh", "-ec", script]);
        spec.outputs = outputs.iter().map(|path| (*path).to_owned()).collect();
        go(&spec)
    }

    /// A file on the host to place.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }
}

#[derive(Default)]
pub(crate) struct Taken(pub(crate) Vec<(OutputEntry, Vec<u8>)>);

impl OutputSink for Taken {
    fn entry(&mut self, entry: OutputEntry, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        self.0.push((entry, bytes));
        Ok(())
    }
}

pub(crate) fn go(spec: &Spec) -> Done {
    go_until(spec, &AtomicBool::new(false))
}

pub(crate) fn go_until(spec: &Spec, cancel: &AtomicBool) -> Done {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut taken = Taken::default();
    let mut log = |stream, bytes: &[u8]| match stream {
        Stream::Stdout => stdout.extend_from_slice(bytes),
        Stream::Stderr => stderr.extend_from_slice(bytes),
    };
    let result = run(spec, &mut log, &mut taken, cancel);
    Done {
        result,
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        outputs: taken.0,
    }
}

pub(crate) fn rel(path: &str) -> RelPath {
    RelPath::new(path).unwrap()
}

pub(crate) fn placement(path: &str, kind: PlacementKind, mode: u32, mtime_secs: u64) -> Placement {
    Placement { path: rel(path), kind, mode, mtime_secs }
}

pub(crate) fn bind(from: impl Into<PathBuf>, to: &str) -> Bind {
    Bind { from: from.into(), to: to.to_owned() }
}

pub(crate) fn relaxed(mut spec: Spec, relaxation: Relaxation) -> Spec {
    spec.relax.insert(relaxation);
    spec
}
