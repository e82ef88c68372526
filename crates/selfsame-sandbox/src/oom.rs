//! Processes that the kernel kills for want of memory, where no cgroup of the run's own counts them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::cgroup::mount_of;

/// A counter of the kernel's, and where it stood.
#[derive(Debug)]
pub(crate) struct OomKills {
    counter: Option<File>,
    before: u64,
}

impl OomKills {
    /// Begins to count: in the cgroup that this process is in, so that others' misfortunes are not taken for ours; on
    /// the whole host where that has no count.
    pub(crate) fn watch() -> Self {
        let counter = own_cgroup().or_else(|| File::open("/proc/vmstat").ok());
        let before = counter.as_ref().map_or(0, count);
        Self { counter, before }
    }

    /// How many there were since.
    pub(crate) fn since(&self) -> u64 {
        self.counter.as_ref().map_or(0, count).saturating_sub(self.before)
    }
}

/// The events of this process's cgroup. Nothing in a root cgroup of version 2, which has none.
fn own_cgroup() -> Option<File> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = |wanted: &str| {
        own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|known| known == wanted).then(|| path.trim_start_matches('/'))
        })
    };
    let open = |kind: &str, controller: Option<&str>, path: &str, file: &str| {
        let file = File::open(mount_of(&mounts, kind, controller)?.join(path).join(file)).ok()?;
        text(&file).lines().any(|line| line.starts_with("oom_kill ")).then_some(file)
    };
    match line("memory") {
        Some(path) => open("cgroup", Some("memory"), path, "memory.oom_control"),
        None => open("cgroup2", None, line("")?, "memory.events"),
    }
}

fn count(counter: &File) -> u64 {
    text(counter).lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

/// The whole file, from its beginning.
fn text(file: &File) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = file.read_at(&mut buffer, bytes.len() as u64) {
        bytes.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
