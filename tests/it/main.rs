//! The program from outside: what it prints, how it ends, and what it leaves behind.
//!
//! One binary. Tests of a machine's abilities say so on standard error where they cannot run, and fail where
//! `SELFSAME_REQUIRE` names their tier.

#![expect(clippy::disallowed_methods, reason = "tests live in a real environment")]

mod bad_actions;
mod bad_company;
mod bad_disks;
mod bad_ends;
mod bad_input;
mod bad_locks;
mod bad_moments;
mod bad_pulls;
mod bad_steps;
mod bounds_files;
mod bounds_registry;
mod by_hand;
mod capsule;
mod check_inputs;
mod contract;
mod demoted;
mod examples;
mod flow;
mod from_locks;
mod groups;
mod host_b;
mod hosts;
mod judges;
mod lock_diff;
mod lock_upkeep;
mod locked_keys;
mod logs;
mod newcomers;
mod platforms;
mod policies;
mod push_index;
mod push_registry;
mod push_world;
mod roots;
mod selftest;
mod several;
mod shared_pins;
mod shared_store;
mod signers;
mod stamps;
mod store;
mod strangers;
mod summaries;
mod trust;
mod verdict;
mod world;

/// A file of this folder that no `mod` names is never compiled, and its tests never fail.
#[test]
fn every_file_of_this_folder_is_declared() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/it");
    let main = std::fs::read_to_string(folder.join("main.rs")).expect("this file");
    let declared: std::collections::BTreeSet<_> =
        main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).map(str::to_owned).collect();
    let present: std::collections::BTreeSet<_> = std::fs::read_dir(folder)
        .expect("this folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs") || path.is_dir())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .filter(|name| name != "main")
        .collect();
    assert_eq!(declared, present);
}
