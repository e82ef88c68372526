//! A cgroup for one run where the host lets us have one: task and memory limits that also bind root.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::outcome::TaskLimit;
use crate::spec::Limits;

/// A new cgroup, removed by [`Cgroup::remove`] when its processes are gone.
#[derive(Debug)]
pub(crate) struct Cgroup {
    folder: PathBuf,
    /// Written `0` to by the process that is to be in it. Opened while the right to do so is still there.
    pub(crate) procs: File,
    /// Which limit on tasks holds, if one does.
    pub(crate) tasks: Option<TaskLimit>,
    /// Whether a limit on memory holds.
    pub(crate) memory: bool,
}

impl Cgroup {
    /// The first place that can be had: version 2 below our own cgroup, then beside it, then version 1.
    pub(crate) fn create(limits: &Limits, name: &str) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let v2 = own.lines().find_map(|line| line.strip_prefix("0::")).zip(mount_of(&mounts, "cgroup2", None));
        if let Some((path, mount)) = v2 {
            let own = mount.join(path.trim_start_matches('/'));
            let beside = (own != mount).then(|| own.parent().map(Path::to_owned)).flatten();
            for parent in [Some(own), beside].into_iter().flatten() {
                if let Ok(cgroup) = Self::create_v2(&parent.join(name), limits) {
                    return Some(cgroup);
                }
            }
        }
        let pids = own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|controller| controller == "pids").then_some(path)
        })?;
        let mount = mount_of(&mounts, "cgroup", Some("pids"))?;
        Self::create_v1(&mount.join(pids.trim_start_matches('/')).join(name), limits).ok()
    }

    fn create_v2(folder: &Path, limits: &Limits) -> io::Result<Self> {
        fs::create_dir(folder)?;
        let set = || {
            let controllers = fs::read_to_string(folder.join("cgroup.controllers"))?;
            let has = |wanted: &str| controllers.split_whitespace().any(|controller| controller == wanted);
            let tasks = has("pids") && fs::write(folder.join("pids.max"), limits.tasks.to_string()).is_ok();
            let memory = match limits.memory_bytes {
                Some(bytes) => {
                    let set = has("memory") && fs::write(folder.join("memory.max"), bytes.to_string()).is_ok();
                    if set {
                        // Without swap, else the limit is only a slow-down. Absent where there is no swap accounting.
                        let _ = fs::write(folder.join("memory.swap.max"), "0");
                    }
                    set
                }
                None => false,
            };
            if !tasks && !memory {
                return Err(io::ErrorKind::Unsupported.into());
            }
            let procs = OpenOptions::new().write(true).open(folder.join("cgroup.procs"))?;
            Ok(Self { folder: folder.to_owned(), procs, tasks: tasks.then_some(TaskLimit::CgroupV2), memory })
        };
        set().inspect_err(|_| {
            let _ = fs::remove_dir(folder);
        })
    }

    fn create_v1(folder: &Path, limits: &Limits) -> io::Result<Self> {
        fs::create_dir(folder)?;
        let set = || {
            fs::write(folder.join("pids.max"), limits.tasks.to_string())?;
            let procs = OpenOptions::new().write(true).open(folder.join("cgroup.procs"))?;
            Ok(Self { folder: folder.to_owned(), procs, tasks: Some(TaskLimit::CgroupV1), memory: false })
        };
        set().inspect_err(|_| {
            let _ = fs::remove_dir(folder);
        })
    }

    /// How often the limit on tasks refused a process, and how many processes were killed for want of memory.
    pub(crate) fn events(&self) -> (u64, u64) {
        let count = |file: &str, key: &str| {
            let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
            text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok()).unwrap_or(0)
        };
        (count("pids.events", "max "), count("memory.events", "oom_kill "))
    }

    /// Removes it. Its processes must be gone.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Where a file system of this type (and, for version 1, with this controller) is mounted.
fn mount_of(mountinfo: &str, kind: &str, controller: Option<&str>) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        if after.next() != Some(kind) {
            return None;
        }
        let options = after.nth(1)?;
        if controller.is_some_and(|wanted| !options.split(',').any(|option| option == wanted)) {
            return None;
        }
        before.split(' ').nth(4).map(PathBuf::from)
    })
}

#[cfg(test)]
mod tests {
    use super::mount_of;

    #[test]
    fn finds_the_mounts_of_both_versions() {
        let mountinfo = "36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices\n\
                         39 31 0:36 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids\n\
                         41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(mount_of(mountinfo, "cgroup2", None).unwrap().to_str(), Some("/sys/fs/cgroup/unified"));
        assert_eq!(mount_of(mountinfo, "cgroup", Some("pids")).unwrap().to_str(), Some("/sys/fs/cgroup/pids"));
        assert_eq!(mount_of(mountinfo, "cgroup", Some("memory")), None);
    }
}
