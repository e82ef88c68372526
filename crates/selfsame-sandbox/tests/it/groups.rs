//! The invoker's supplementary groups: gone where the host lets them be dropped, and a reason where it does not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use selfsame_sandbox::SupplementaryGroups;

use crate::hosts::{is_root, wrapper};
use crate::world::{Done, World, bind, go, skip, skip_in, world};

/// Unless these are the same, an action can tell who invoked it, or that groups were dropped.
const WHO: &str = "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; stat -c '%u %g' /build /bin/busybox; touch x; stat -c '%u %g' x; grep -E '^(Uid|Gid|Groups)' /proc/self/status";

/// A user who is not root, on a machine that root of this one can be.
struct User {
    world: World,
    /// What [`WHO`] says to root.
    root: Done,
}

impl User {
    fn new() -> Option<Self> {
        let world = world()?;
        if !is_root() {
            skip("only root can be two users");
            return None;
        }
        let root = world.sh(WHO);
        // The root file system must belong to who runs, as a store does.
        let bin = world.path("root/bin");
        for path in [world.path("root"), bin.clone(), bin.join("busybox")] {
            chown(path, Some(65_534), Some(65_534)).unwrap();
        }
        for link in fs::read_dir(bin).unwrap() {
            std::os::unix::fs::lchown(link.unwrap().path(), Some(65_534), Some(65_534)).unwrap();
        }
        let secret = world.file("secret", "of the group\n");
        chown(&secret, Some(0), Some(4)).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o040)).unwrap();
        Some(Self { world, root })
    }

    /// Runs a script as `nobody` with these groups, where `subgid` is all of `/etc/subgid`.
    fn sh(&self, script: &str, subgid: &str, prepare: &str, gid: u32, groups: &str) -> Done {
        let ranges = self.world.file("subgid", subgid);
        let become_user = format!("exec setpriv --reuid 65534 --regid {gid} --groups {groups} \"$0\" \"$@\"");
        let mount = format!("mount --bind {} /etc/subgid && {prepare}{become_user}", ranges.display());
        let mut spec = self.world.spec(&["sh", "-c", script]);
        spec.binds = vec![bind(self.world.path("secret"), "/secret")];
        spec.program = wrapper(&self.world, &format!("exec unshare -m sh -ec '{mount}' \"$H\" \"$@\""));
        go(&spec)
    }
}

#[track_caller]
fn kept(done: &Done) -> &str {
    match &done.ok().host.supplementary_groups {
        SupplementaryGroups::Kept { because } => because,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sandbox_drops_a_users_groups_with_newgidmap() {
    let Some(user) = User::new() else { return };
    let root = &user.root;
    let alone = user.sh(WHO, "", "", 65_534, "65534");
    assert_eq!(alone.ok().host.supplementary_groups, SupplementaryGroups::None);
    let script = format!("{WHO}; cat /secret");

    let kept_them = user.sh(&script, "someone:300000:65536\n", "", 65_534, "65534,4,24");
    assert_eq!(kept(&kept_them), "the user has no range in /etc/subgid");
    assert!(kept_them.stdout.ends_with("of the group\n"), "{kept_them:?}");

    if !std::path::Path::new("/usr/bin/newgidmap").exists() {
        skip_in("foreign", "newgidmap is not installed (package uidmap)");
        return;
    }
    let dropped = user.sh(&format!("{WHO}; ! cat /secret"), "nobody:300000:65536\n", "", 65_534, "65534,4,24");
    assert_eq!(dropped.ok().host.supplementary_groups, SupplementaryGroups::Dropped);
    assert!(dropped.stderr.contains("Permission denied"), "{dropped:?}");
    assert_eq!(dropped.ok().achieved, root.ok().achieved);
    // One id of each kind, the same for everybody, and nothing of the host's in sight.
    assert_eq!((&dropped.stdout, &alone.stdout), (&root.stdout, &root.stdout));
    let map = |line: &&str| line.split_whitespace().eq(["1000", "1000", "1"]);
    assert_eq!(root.stdout.lines().filter(map).count(), 2, "{}", root.stdout);
    assert!(root.stdout.contains("deny\n"), "{}", root.stdout);
}

#[test]
fn sandbox_keeps_a_users_groups_and_says_why() {
    let Some(user) = User::new() else { return };
    let range = "65534:300000:65536\n";
    let mask = "for file in /usr/bin/newgidmap /bin/newgidmap /usr/local/bin/newgidmap; do
        test ! -e $file || mount --bind /dev/null $file; done; ";
    let missing = user.sh("cat /secret", range, mask, 65_534, "65534,4");
    assert_eq!((kept(&missing), missing.stdout.as_str()), ("newgidmap is not installed", "of the group\n"));

    // Without the right to gain a privilege the program starts and can do nothing.
    let powerless = "exec setpriv --no-new-privs sh -ec \"$(cat $0.script)\" \"$0\" \"$@\" #";
    let script = user.world.path("helper.script");
    fs::write(script, "exec setpriv --reuid 65534 --regid 65534 --groups 65534,4 \"$0\" \"$@\"").unwrap();
    let powerless = user.sh("cat /secret; cat /proc/self/gid_map", range, powerless, 65_534, "65534,4");
    assert!(kept(&powerless).starts_with("newgidmap: "), "{}", kept(&powerless));
    assert!(powerless.stdout.starts_with("of the group\n"), "{powerless:?}");

    // It trusts no primary group but that of the user's account.
    let other = user.sh("id -g; cat /secret", range, "", 100, "100,4");
    assert!(kept(&other).starts_with("newgidmap: "), "{}", kept(&other));
    assert_eq!(other.stdout, "1000\nof the group\n");
}
