//! Cgroups for one run where the host lets us have them: task and memory limits that also bind root.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::outcome::TaskLimit;
use crate::spec::Limits;

/// New cgroups, removed by [`Cgroup::remove`] when their processes are gone.
#[derive(Debug)]
pub(crate) struct Cgroup {
    /// One for version 2; one a controller for version 1.
    folders: Vec<PathBuf>,
    /// Written `0` to by the process that is to be in them. Opened while the right to do so is still there.
    pub(crate) procs: Vec<File>,
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
        let mut cgroup = Self { folders: Vec::new(), procs: Vec::new(), tasks: None, memory: false };
        if cgroup.add_v1(&own, &mounts, "pids", name, "pids.max", limits.tasks.into()).is_ok() {
            cgroup.tasks = Some(TaskLimit::CgroupV1);
        }
        if let Some(bytes) = limits.memory_bytes {
            cgroup.memory = cgroup.add_v1(&own, &mounts, "memory", name, "memory.limit_in_bytes", bytes).is_ok();
        }
        (!cgroup.folders.is_empty()).then_some(cgroup)
    }

    fn create_v2(folder: &Path, limits: &Limits) -> io::Result<Self> {
        fs::create_dir(folder)?;
        let set = || {
            let controllers = fs::read_to_string(folder.join("cgroup.controllers"))?;
            let has = |wanted: &str| controllers.split_whitespace().any(|controller| controller == wanted);
            let tasks = has("pids") && fs::write(folder.join("pids.max"), limits.tasks.to_string()).is_ok();
            let memory = limits
                .memory_bytes
                .is_some_and(|bytes| has("memory") && fs::write(folder.join("memory.max"), bytes.to_string()).is_ok());
            if !tasks && !memory {
                return Err(io::ErrorKind::Unsupported.into());
            }
            // Without swap, else the limit is only a slow-down. Absent where there is no swap accounting.
            let _ = fs::write(folder.join("memory.swap.max"), "0");
            let procs = vec![OpenOptions::new().write(true).open(folder.join("cgroup.procs"))?];
            Ok(Self { folders: vec![folder.to_owned()], procs, tasks: tasks.then_some(TaskLimit::CgroupV2), memory })
        };
        set().inspect_err(|_| {
            let _ = fs::remove_dir(folder);
        })
    }

    fn add_v1(
        &mut self,
        own: &str,
        mounts: &str,
        controller: &str,
        name: &str,
        file: &str,
        limit: u64,
    ) -> io::Result<()> {
        let path = own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|known| known == controller).then_some(path)
        });
        let (path, mount) = path.zip(mount_of(mounts, "cgroup", Some(controller))).ok_or(io::ErrorKind::NotFound)?;
        let folder = mount.join(path.trim_start_matches('/')).join(name);
        fs::create_dir(&folder)?;
        let set = || {
            fs::write(folder.join(file), limit.to_string())?;
            OpenOptions::new().write(true).open(folder.join("cgroup.procs"))
        };
        match set() {
            Ok(procs) => {
                self.procs.push(procs);
                self.folders.push(folder);
                Ok(())
            }
            Err(error) => {
                let _ = fs::remove_dir(&folder);
                Err(error)
            }
        }
    }

    /// How often the limit on tasks refused a process, and how many processes were killed for want of memory.
    pub(crate) fn events(&self) -> (u64, u64) {
        let count = |file: &str, key: &str| {
            let texts = self.folders.iter().filter_map(|folder| fs::read_to_string(folder.join(file)).ok());
            let counts = texts
                .filter_map(|text| text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<u64>().ok()));
            counts.sum::<u64>()
        };
        let oom_kills = count("memory.events", "oom_kill ") + count("memory.oom_control", "oom_kill ");
        (count("pids.events", "max "), oom_kills)
    }

    /// Removes them. Their processes must be gone.
    pub(crate) fn remove(&self) {
        for folder in &self.folders {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Where a file system of this type (and, for version 1, with this controller) is mounted.
pub(crate) fn mount_of(mountinfo: &str, kind: &str, controller: Option<&str>) -> Option<PathBuf> {
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
