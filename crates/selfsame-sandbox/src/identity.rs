//! Who a command is: one user and one group in user namespaces, and no other group where the host lets us drop them; or
//! root of a whole system.
//!
//! Two namespaces, one in the other. In the outer one the host's ids become [`BUILD_UID`] and [`BUILD_GID`]; in the inner
//! one these are mapped to themselves, so that `/proc/self/uid_map` names no id of the host, nor a group that only
//! stands in the outer map so that groups may be dropped there. A whole system's ids are mapped in the same two steps.

use std::fs;
use std::io;

use rustix::process::Gid;
use rustix::thread::UnshareFlags;

use crate::outcome::SupplementaryGroups;
use crate::spec::{BUILD_GID, BUILD_UID};
use crate::subordinate::{MapWriter, NoIds};
use crate::sys;

/// Enters the namespaces, without the caller's supplementary groups where that can be.
pub(crate) fn enter() -> io::Result<SupplementaryGroups> {
    if let Some(groups) = drop_directly() {
        user_namespaces()?;
        return Ok(groups);
    }
    match MapWriter::start(BUILD_GID) {
        Ok(writer) => enter_mapped(writer),
        Err(because) => {
            user_namespaces()?;
            Ok(SupplementaryGroups::Kept { because })
        }
    }
}

/// Why there is no whole system.
pub(crate) enum NotWhole {
    /// There are no ids for it.
    Ids(NoIds),
    /// The kernel refuses something.
    Refused(&'static str, io::Error),
}

/// Enters namespaces that have all ids of a system, as its root and with no other group. The ids are the host's own where
/// this is root of it, else the user's subordinate ones with the user's own as root.
pub(crate) fn enter_whole() -> Result<(), NotWhole> {
    let refused = |what: &'static str| move |error: io::Error| NotWhole::Refused(what, error);
    let failed = |because: String| NotWhole::Ids(NoIds { because, line: String::new() });
    let writers = match rustix::process::geteuid().is_root() {
        true => vec![MapWriter::direct().map_err(failed)?],
        false => MapWriter::whole().map_err(NotWhole::Ids)?,
    };
    sys::unshare(UnshareFlags::NEWUSER).map_err(refused("a user namespace"))?;
    for writer in writers {
        writer.write().map_err(failed)?;
    }
    let groups = rustix::thread::set_thread_groups(&[Gid::ROOT]);
    groups.map_err(|error| NotWhole::Refused("dropping groups", error.into()))?;
    let writer = MapWriter::direct().map_err(failed)?;
    sys::unshare(UnshareFlags::NEWUSER).map_err(refused("a second user namespace"))?;
    writer.write().map_err(failed)?;
    Ok(())
}

/// A user namespace in which this process has every capability and is [`BUILD_UID`]:[`BUILD_GID`], with whatever groups
/// it has.
pub(crate) fn user_namespaces() -> io::Result<()> {
    let gid = rustix::process::getegid().as_raw();
    outer()?;
    map_one_group(gid)?;
    inner()
}

/// Root may drop groups before any namespace. Nothing where there are some and that is refused.
///
/// The list that stays has one entry, the group itself, as a login makes it: then it is the same for root and for users
/// who have no other group.
fn drop_directly() -> Option<SupplementaryGroups> {
    let own = rustix::process::getegid();
    let none = rustix::process::getgroups().is_ok_and(|groups| groups.iter().all(|group| *group == own));
    let set = rustix::thread::set_thread_groups(&[own]).is_ok();
    match (none, set) {
        (true, _) => Some(SupplementaryGroups::None),
        (false, true) => Some(SupplementaryGroups::Dropped),
        (false, false) => None,
    }
}

/// In a namespace whose group map a privileged program has written, groups may be dropped.
fn enter_mapped(writer: MapWriter) -> io::Result<SupplementaryGroups> {
    let gid = rustix::process::getegid().as_raw();
    outer()?;
    let groups = match writer.write() {
        Ok(()) => match rustix::thread::set_thread_groups(&[Gid::from_raw(BUILD_GID)]) {
            Ok(()) => SupplementaryGroups::Dropped,
            Err(error) => SupplementaryGroups::Kept {
                because: format!("setgroups: {}", crate::error::errno_text(error.raw_os_error())),
            },
        },
        Err(because) => {
            map_one_group(gid)?;
            SupplementaryGroups::Kept { because }
        }
    };
    inner()?;
    Ok(groups)
}

/// The outer namespace, with its user.
fn outer() -> io::Result<()> {
    let uid = rustix::process::geteuid().as_raw();
    sys::unshare(UnshareFlags::NEWUSER)?;
    fs::write("/proc/self/uid_map", format!("{BUILD_UID} {uid} 1\n"))
}

fn inner() -> io::Result<()> {
    sys::unshare(UnshareFlags::NEWUSER)?;
    fs::write("/proc/self/uid_map", format!("{BUILD_UID} {BUILD_UID} 1\n"))?;
    map_one_group(BUILD_GID)
}

/// Maps this process's group, which is `gid` in the namespace around.
fn map_one_group(gid: u32) -> io::Result<()> {
    // The kernel wants this before it takes a group map from the unprivileged.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/gid_map", format!("{BUILD_GID} {gid} 1\n"))
}
