//! Disks that list the same folder in another order: ext4 sorts names by a hash, and the hash has a seed.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An ext4 file system in a file, mounted below a temporary folder; unmounted and removed when dropped.
#[derive(Debug)]
pub struct Ext4Disk {
    folder: TempDir,
}

impl Ext4Disk {
    /// Makes and mounts one of `size_mib` whose names are hashed with `seed`. Needs root and loop devices: says what is
    /// missing, for [`crate::require`].
    pub fn new(size_mib: u64, seed: u128) -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("selfsame-disk-")
            .tempdir()
            .map_err(|error| format!("no temporary folder: {error}"))?;
        let disk = Self { folder };
        let image = disk.folder.path().join("image");
        let file = std::fs::File::create_new(&image).map_err(|error| format!("no file for a disk: {error}"))?;
        file.set_len(size_mib << 20).map_err(|error| format!("no file for a disk: {error}"))?;
        let uuid = uuid(seed);
        let options = format!("hash_seed={uuid},lazy_itable_init=0");
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-O", "dir_index", "-U", &uuid, "-E", &options]).arg(&image))?;
        std::fs::create_dir(disk.path()).map_err(|error| format!("no mount point: {error}"))?;
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(&image).arg(disk.path()))?;
        Ok(disk)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }
}

impl Drop for Ext4Disk {
    fn drop(&mut self) {
        if is_mounted(&self.path()) {
            // Lazily: a test that fails may leave a process there, and its failure is the one to report.
            let _ = run(Command::new("umount").arg("--lazy").arg(self.path()));
        }
    }
}

fn is_mounted(path: &Path) -> bool {
    let parent = path.parent().and_then(|parent| parent.metadata().ok());
    let device = |metadata: &std::fs::Metadata| std::os::unix::fs::MetadataExt::dev(metadata);
    match (path.metadata(), parent) {
        (Ok(own), Some(parent)) => device(&own) != device(&parent),
        _ => false,
    }
}

fn uuid(seed: u128) -> String {
    let hex = format!("{seed:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("`{name}` failed: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("no `{name}`: {error}")),
    }
}
