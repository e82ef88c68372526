use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use selfsame_store::{NotRelease, PublishError, Replace, Staging, is_release, is_staging, publish_all};
use tempfile::TempDir;

const INDEX: &str = r#"{"schemaVersion":2,"manifests":[
  {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:00"},
  {"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.selfsame.capsule.v1+json"}]}"#;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write_release(at: &Path, note: &str) {
    std::fs::create_dir_all(at.join("blobs/sha256")).unwrap();
    std::fs::write(at.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    std::fs::write(at.join("index.json"), INDEX).unwrap();
    std::fs::write(at.join("blobs/sha256/note"), note).unwrap();
}

fn staged(dest: &Path, note: &str) -> Staging {
    let staging = Staging::beside(dest).unwrap();
    write_release(&staging.create_dir().unwrap(), note);
    staging
}

fn note(release: &Path) -> String {
    std::fs::read_to_string(release.join("blobs/sha256/note")).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_release_appears_whole_and_replaces_an_old_one() {
    let folder = folder();
    let dest = folder.path().join("hello.release");
    let published = staged(&dest, "first").publish(Replace::Release).unwrap();
    assert_eq!((published.path.as_path(), published.replaced, published.leftover), (dest.as_path(), false, None));
    assert_eq!(note(&dest), "first");
    let published = staged(&dest, "second").publish(Replace::Release).unwrap();
    assert!(published.replaced);
    assert_eq!(note(&dest), "second");
    assert_eq!(names(folder.path()), ["hello.release"], "the old one or the staging folder is still there");
}

#[test]
fn dropped_staging_leaves_nothing_and_touches_nothing() {
    let folder = folder();
    let dest = folder.path().join("out");
    staged(&dest, "first").publish(Replace::Never).unwrap();
    drop(staged(&dest, "second"));
    assert_eq!(names(folder.path()), ["out"]);
    assert_eq!(note(&dest), "first");
    assert!(matches!(staged(&dest, "x").publish(Replace::Never), Err(PublishError::Appeared { .. })));
    assert_eq!(names(folder.path()), ["out"]);
}

/// What stands at the destination, and the words in which it is refused.
#[test]
fn whatever_is_not_a_release_stays_untouched() {
    type Make = fn(&Path);
    let cases: [(&str, Make); 9] = [
        ("it holds `thesis.tex`, which no release does", |at| {
            std::fs::create_dir(at).unwrap();
            std::fs::write(at.join("thesis.tex"), "ten years").unwrap();
        }),
        ("it has no `oci-layout`", |at| std::fs::create_dir(at).unwrap()),
        ("it holds `notes`, which no release does", |at| {
            write_release(at, "");
            std::fs::write(at.join("notes"), "").unwrap();
        }),
        ("its `index.json` names nothing of selfsame's", |at| {
            write_release(at, "");
            std::fs::write(at.join("index.json"), r#"{"manifests":[{"mediaType":"application/x"}]}"#).unwrap();
        }),
        ("its `index.json` names nothing of selfsame's", |at| {
            write_release(at, "");
            std::fs::write(at.join("index.json"), "no json").unwrap();
        }),
        ("it has no `index.json`", |at| {
            write_release(at, "");
            std::fs::remove_file(at.join("index.json")).unwrap();
        }),
        ("it is a symbolic link", |at| std::os::unix::fs::symlink("nowhere", at).unwrap()),
        ("it has no `oci-layout`", |at| std::fs::write(at, "a letter").unwrap()),
        ("it is a device, pipe or socket", |at| {
            std::mem::forget(std::os::unix::net::UnixListener::bind(at).unwrap());
        }),
    ];
    for (because, make) in cases {
        let folder = folder();
        let dest = folder.path().join("out");
        make(&dest);
        let inode = std::fs::symlink_metadata(&dest).unwrap().ino();
        let (before, inside) = (names(folder.path()), dest.is_dir().then(|| names(&dest)));
        match staged(&dest, "new").publish(Replace::Release) {
            Err(error @ PublishError::Exists { .. }) => {
                assert_eq!(error.to_string(), format!("`{}` exists and is not a release", dest.display()));
                assert_eq!(std::error::Error::source(&error).unwrap().to_string(), because);
            }
            other => panic!("{because}: {other:?}"),
        }
        assert_eq!(std::fs::symlink_metadata(&dest).unwrap().ino(), inode, "{because}");
        assert_eq!((names(folder.path()), dest.is_dir().then(|| names(&dest))), (before, inside), "{because}");
    }
}

#[test]
fn destinations_without_a_name_or_a_folder() {
    let folder = folder();
    for dest in ["/", ".."] {
        assert!(matches!(Staging::beside(Path::new(dest)), Err(PublishError::NoName { .. })), "{dest}");
    }
    let below_nothing = folder.path().join("missing/out");
    match Staging::beside(&below_nothing) {
        Err(PublishError::NoParent { path, parent }) => {
            assert_eq!((path, parent), (below_nothing, folder.path().join("missing")));
        }
        other => panic!("{other:?}"),
    }
    let long = folder.path().join("n".repeat(255));
    staged(&long, "long name").publish(Replace::Never).unwrap();
    assert_eq!(note(&long), "long name");
}

#[test]
fn of_several_destinations_none_is_touched_if_one_is_refused() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("b"), "mine").unwrap();
    let stagings = ["a", "b", "c"].map(|name| staged(&at(name), name)).into();
    assert!(matches!(publish_all(stagings, Replace::Release), Err(PublishError::Exists { .. })));
    assert_eq!(names(folder.path()), ["b"]);
    std::fs::remove_file(at("b")).unwrap();
    let stagings = ["a", "b", "c"].map(|name| staged(&at(name), name)).into();
    assert_eq!(publish_all(stagings, Replace::Release).unwrap().len(), 3);
    assert_eq!(["a", "b", "c"].map(|name| note(&at(name))), ["a", "b", "c"]);
}

#[test]
fn a_failure_between_two_destinations_names_the_one_that_exists() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    staged(&at("b"), "old").publish(Replace::Never).unwrap();
    let stagings = ["a", "b"].map(|name| staged(&at(name), "new")).into();
    // The second destination is still a release when all are asked, and none when its turn comes.
    let asked = std::cell::Cell::new(0);
    let turns = |_: &Path| {
        asked.set(asked.get() + 1);
        if asked.get() == 1 { Ok(()) } else { Err(NotRelease::Foreign) }
    };
    match publish_all(stagings, Replace::If(&turns)) {
        Err(error @ PublishError::Partly { .. }) => {
            let names = (at("b").display().to_string(), at("a").display().to_string());
            assert_eq!(error.to_string(), format!("`{}` was not published; published: `{}`", names.0, names.1));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((note(&at("a")), note(&at("b"))), ("new".to_owned(), "old".to_owned()));
    assert_eq!(names(folder.path()), ["a", "b"]);
}

#[test]
fn an_archive_is_replaced_by_an_archive_only() {
    let folder = folder();
    let (release, dest) = (folder.path().join("r"), folder.path().join("r.tar"));
    write_release(&release, "in a tar");
    let tar = |into: &Path, members: &[&str]| {
        let status =
            std::process::Command::new("tar").arg("-C").arg(&release).arg("-cf").arg(into).args(members).status();
        assert!(status.unwrap().success());
    };
    let make = |members: &[&str]| {
        let staging = Staging::beside(&dest).unwrap();
        tar(&staging.path(), members);
        staging
    };
    make(&["blobs", "index.json", "oci-layout"]).publish(Replace::Release).unwrap();
    is_release(&dest).unwrap();
    assert!(make(&["."]).publish(Replace::Release).unwrap().replaced);
    is_release(&dest).unwrap();
    tar(&dest, &["blobs"]);
    let error = make(&["."]).publish(Replace::Release).unwrap_err();
    assert!(
        matches!(error, PublishError::Exists { source: NotRelease::Lacks { name: "oci-layout" }, .. }),
        "{error:?}"
    );
}

/// A staging folder whose process is gone: made here, then its lock given up by dropping a copy of the folder in its place.
fn dead(dest: &Path, make: impl Fn(&Path)) -> PathBuf {
    let staging = staged(dest, "half");
    let home = staging.path().parent().unwrap().to_owned();
    let aside = dest.with_file_name("aside");
    std::fs::rename(&home, &aside).unwrap();
    drop(staging);
    std::fs::rename(&aside, &home).unwrap();
    make(&home);
    home
}

#[test]
fn a_leftover_is_removed_and_a_destination_that_stepped_aside_comes_back() {
    let folder = folder();
    let dest = folder.path().join("out");
    let home = dead(&dest, |_| {});
    drop(Staging::beside(&dest).unwrap());
    assert!(!home.exists());

    // Killed where names cannot be exchanged, between the two renames.
    dead(&dest, |home| write_release(&home.join("old"), "the only copy"));
    let staging = staged(&dest, "next");
    assert_eq!(note(&dest), "the only copy");
    staging.publish(Replace::Release).unwrap();
    assert_eq!((note(&dest).as_str(), names(folder.path())), ("next", vec!["out".to_owned()]));

    // A living process's staging folder, and one for a neighbour whose name begins alike.
    let home = |staging: &Staging| staging.path().parent().unwrap().to_owned();
    let (mine, neighbour) = (staged(&dest, "mine"), staged(&folder.path().join("out.selfsame-x"), "other"));
    drop(Staging::beside(&dest).unwrap());
    assert!(mine.path().exists() && neighbour.path().exists());
    assert!(is_staging(&home(&mine)) && is_staging(&home(&neighbour)));
    assert!(!is_staging(&dest) && !is_staging(&mine.path()) && !is_staging(folder.path()));
    std::fs::write(home(&mine).join("staging"), "something else").unwrap();
    assert!(!is_staging(&home(&mine)));
}
