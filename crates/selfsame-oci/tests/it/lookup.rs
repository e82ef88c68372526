//! Paths through links, seen from inside.

use selfsame_oci::{Lookup, Obstacle};
use selfsame_tree::Entry;

use crate::fixture::{Files, path};

#[test]
fn links_lead_where_a_process_of_the_image_would_go() {
    let files = Files::default()
        .entry("bin", Entry::symlink("usr/bin"))
        .entry("etc/alternatives/cc", Entry::symlink("/bin/gcc"))
        .entry("etc/out", Entry::symlink("../../../../usr/./lib//x"))
        .entry("etc/a", Entry::symlink("b"))
        .entry("etc/b", Entry::symlink("a"))
        .file("usr/bin/gcc", b"x");
    let tree = files.tree();
    let lookup = Lookup::new(&tree);
    let place = |at: &str, last| lookup.place(&path(at), last).map(|place| place.to_string());
    assert_eq!(place("bin/gcc", false).unwrap(), "usr/bin/gcc");
    assert_eq!(place("etc/alternatives/cc", false).unwrap(), "etc/alternatives/cc");
    assert_eq!(place("etc/alternatives/cc", true).unwrap(), "usr/bin/gcc");
    assert_eq!(place("etc/out", true).unwrap(), "usr/lib/x", "above the root is the root");
    assert_eq!(place("new/file", false).unwrap(), "new/file");
    assert_eq!(place("etc/a", true), Err(Obstacle::Circle));
    assert_eq!(place("bin/gcc/x", false), Err(Obstacle::File));
    assert!(lookup.kind(&path("etc")).is_some(), "folders that are only implied are there");
    assert!(lookup.kind(&path("opt")).is_none());
}
