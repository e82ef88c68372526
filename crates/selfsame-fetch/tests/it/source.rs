//! What belongs to a path source, what it is bound to, and what is refused.

use std::os::unix::fs::symlink;

use selfsame_core::SourceEpoch;
use selfsame_definition::Epoch;
use selfsame_fetch::SourceError;

use crate::disk::{COMMIT_SECS, Disk, picture, skipped};

const FILES: [(&str, &str); 4] =
    [("main.c", "int main;"), ("run.sh*", "#!/bin/sh"), ("lib/a.c", ""), (".gitignore", "*.o\n/out/\n")];

#[test]
fn tracked_and_untracked_but_neither_ignored_nor_ours() {
    let disk = Disk::new();
    disk.repository("a", &FILES);
    symlink("lib/a.c", disk.path("a/link.c")).unwrap();
    disk.write(
        "a",
        &[
            ("new file\n\"\u{e9}\".c", "new"),
            ("main.o", "ignored"),
            ("out/x", "ignored"),
            ("selfsame.lock", ""),
            ("selfsame.host.lock", ""),
            (".selfsame/log", ""),
            ("release/index.json", ""),
            ("sub/selfsame.lock", "not beside the definition"),
        ],
    );
    std::fs::remove_file(disk.path("a/lib/a.c")).unwrap();
    std::fs::create_dir(disk.path("a/empty")).unwrap();
    let source = disk.bind_without("a", &[disk.path("a/release"), disk.path("elsewhere/release")]);
    insta::assert_snapshot!(picture(&source), @r#"
    .gitignore 644 10
    link.c -> lib/a.c
    main.c 644 9
    new file
    "é".c 644 3
    run.sh 755 9
    sub/selfsame.lock 644 25
    "#);
    let git = source.git.as_ref().unwrap();
    assert_eq!(git.commit, disk.git("a", &["rev-parse", "HEAD"]).trim());
    assert!(git.dirty);
    assert_eq!(git.dirty_paths, ["lib/a.c", "link.c", "new file\n\"\u{e9}\".c", "sub/selfsame.lock"]);
    assert_eq!(source.epoch.seconds(), COMMIT_SECS);
    assert_eq!(source.digest, source.tree.digest());
    assert!(disk.store.missing(&source.tree).unwrap().is_empty());
    assert_eq!(disk.store.tree(&source.digest).unwrap(), source.tree);
}

#[test]
fn what_is_only_ours_does_not_make_a_tree_dirty() {
    let disk = Disk::new();
    disk.repository("a", &FILES);
    disk.write("a", &[("selfsame.lock", ""), (".selfsame/x", ""), ("main.o", "")]);
    let git = disk.bind("a").git.unwrap();
    assert_eq!((git.dirty, git.dirty_paths), (false, vec![]));
    disk.git("a", &["rm", "-q", "--cached", "main.c"]);
    assert_eq!(disk.bind("a").git.unwrap().dirty_paths, ["main.c"]);
}

#[test]
fn umask_clone_depth_and_owner_do_not_change_the_digest() {
    let disk = Disk::new();
    disk.repository("a", &FILES);
    disk.commit("a");
    let digest = disk.bind("a").digest;
    let url = format!("file://{}", disk.path("a").display());
    disk.git(".", &["clone", "-q", "--depth=1", &url, "shallow"]);
    assert_eq!(disk.bind("shallow").digest, digest);
    disk.git("a", &["worktree", "add", "-q", "../linked"]);
    assert_eq!(disk.bind("linked").digest, digest);
    for (name, file, folder) in [("open", 0o666, 0o777), ("closed", 0o600, 0o700)] {
        disk.git(".", &["clone", "-q", &url, name]);
        for path in ["main.c", ".gitignore", "lib/a.c"] {
            disk.chmod(&disk.path(name).join(path), file);
        }
        disk.chmod(&disk.path(name).join("run.sh"), file | 0o100);
        disk.chmod(&disk.path(name).join("lib"), folder);
        let source = disk.bind(name);
        assert_eq!((source.digest, source.git.unwrap().dirty), (digest, false), "{name}");
    }
    // Root may give the checkout away; as another user git itself would refuse it.
    if rustix::process::geteuid().is_root() {
        let owner = Some(rustix::process::Uid::from_raw(12_345));
        for path in ["shallow", "shallow/.git", "shallow/main.c"] {
            rustix::fs::chown(disk.path(path), owner, None).unwrap();
        }
        assert_eq!(disk.bind("shallow").digest, digest);
    } else {
        skipped("a checkout with another owner", "needs root");
    }
}

#[test]
fn without_a_repository_every_file_and_a_stated_epoch() {
    let disk = Disk::new();
    disk.repository("a", &FILES);
    let digest = disk.bind("a").digest;
    disk.write("b", &FILES);
    std::fs::create_dir(disk.path("b/empty")).unwrap();
    assert_eq!(
        disk.refusal("b"),
        "source `TMP/b` is not in a git working tree, so it has no commit time; `source.epoch` has to state it"
    );
    let epoch = SourceEpoch::new(7).unwrap();
    let source = disk.bind_with("b", |request| request.epoch = Epoch::At(epoch)).unwrap();
    assert_eq!((source.digest, source.epoch), (digest, epoch));
    assert!(source.git.is_none());
    disk.write("b", &[("x.o", "not ignored: nobody asked git")]);
    let source = disk.bind_with("b", |request| request.epoch = Epoch::At(epoch)).unwrap();
    assert!(source.tree.entry("x.o").is_some());
}

#[test]
fn a_subfolder_of_a_repository() {
    let disk = Disk::new();
    disk.repository("a", &[("sub/dir/x.c", "x"), ("sub/y", "y"), ("other", ""), ("sub/dirt", ""), ("subdir", "")]);
    disk.write("a", &[("untracked", ""), ("sub/dir/new", "")]);
    let source = disk.bind("a/sub");
    insta::assert_snapshot!(picture(&source), @r"
    dir/new 644 0
    dir/x.c 644 1
    dirt 644 0
    y 644 1
    ");
    assert_eq!(source.git.unwrap().dirty_paths, ["dir/new"]);
    std::fs::remove_file(disk.path("a/sub/dir/new")).unwrap();
    assert!(!disk.bind("a/sub").git.unwrap().dirty, "changes elsewhere in the repository are none of this source");
}

#[test]
fn submodules_belong_to_the_source() {
    let disk = Disk::new();
    disk.repository("inner", &[("i.c", "i")]);
    disk.repository("middle", &[("m.c", "m")]);
    let url = |name: &str| disk.path(name).display().to_string();
    disk.git("middle", &["submodule", "--quiet", "add", &url("inner"), "deep"]);
    disk.commit("middle");
    disk.repository("a", &FILES);
    disk.git("a", &["submodule", "--quiet", "add", &url("middle"), "lib/mid"]);
    disk.commit("a");
    assert_eq!(disk.refusal("a"), "submodule `lib/mid/deep` is not checked out");
    disk.git("a", &["submodule", "--quiet", "update", "--init", "--recursive"]);
    let clean = disk.bind("a");
    insta::assert_snapshot!(picture(&clean), @r"
    .gitignore 644 10
    .gitmodules 644 68
    lib/a.c 644 0
    lib/mid/.gitmodules 644 61
    lib/mid/deep/i.c 644 1
    lib/mid/m.c 644 1
    main.c 644 9
    run.sh 755 9
    ");
    assert!(!clean.git.unwrap().dirty);
    disk.write("a", &[("lib/mid/deep/new", "")]);
    assert_eq!(disk.bind("a").git.unwrap().dirty_paths, ["lib/mid/deep/new"]);
    std::fs::remove_file(disk.path("a/lib/mid/deep/new")).unwrap();
    disk.commit("a/lib/mid");
    assert_eq!(disk.bind("a").git.unwrap().dirty_paths, ["lib/mid"], "another commit than the recorded one");
}

#[test]
fn what_depends_on_this_machines_git_is_refused() {
    let disk = Disk::new();
    disk.repository("lfs", &[(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    disk.write("lfs", &[("model.bin", pointer)]);
    disk.git("lfs", &["-c", "filter.lfs.clean=cat", "add", "model.bin"]);
    insta::assert_snapshot!(disk.refusal("lfs"), @r"`model.bin` in the source has the git filter `lfs`: its content here depends on this machine's configuration");

    disk.repository("outer", &FILES);
    disk.write("outer", &[(".git/info/attributes", "main.c filter=evil\n")]);
    disk.git("outer", &["config", "filter.evil.clean", &format!("touch {}; cat", disk.path("ran").display())]);
    std::fs::write(disk.path("outer/main.c"), "changed").unwrap();
    insta::assert_snapshot!(disk.refusal("outer"), @r"`main.c` in the source has the git filter `evil`: its content here depends on this machine's configuration");

    disk.repository("crlf", &FILES);
    disk.git("crlf", &["config", "core.autocrlf", "true"]);
    insta::assert_snapshot!(disk.refusal("crlf"), @r"core.autocrlf is `true`: git changes line endings in this checkout, and its content depends on that");
    disk.git("crlf", &["config", "core.autocrlf", "input"]);
    disk.bind("crlf");
    disk.write("crlf", &[(".gitattributes", "*.bat text eol=crlf\n# no filter= here\n")]);
    disk.bind("crlf");
}

#[test]
fn a_foreign_repository_runs_nothing() {
    if !rustix::process::geteuid().is_root() {
        skipped("a checkout with another owner", "needs root");
        return;
    }
    let disk = Disk::new();
    disk.repository("a", &[("x", "1"), (".gitattributes", "x filter=evil\n")]);
    let ran = disk.path("ran");
    let touch = format!("touch {}", ran.display());
    for key in ["filter.evil.clean", "core.fsmonitor", "core.pager", "diff.external"] {
        disk.git("a", &["config", key, &touch]);
    }
    disk.write("a", &[(".git/hooks/post-index-change*", &format!("#!/bin/sh\n{touch}\n")), ("x", "22")]);
    rustix::fs::chown(disk.path("a/.git"), Some(rustix::process::Uid::from_raw(12_345)), None).unwrap();
    assert!(disk.refusal("a").contains("the git filter `evil`"));
    assert!(!ran.exists(), "a command of the repository's configuration was run");
}

#[test]
fn a_users_ignore_file_counts_and_so_does_none() {
    let disk = Disk::new();
    disk.repository("a", &FILES);
    let digest = disk.bind("a").digest;
    disk.write("home", &[(".config/git/ignore", "*.swp\n")]);
    disk.write("a", &[(".main.c.swp", "")]);
    let source = disk.bind("a");
    assert_eq!((source.digest, source.git.unwrap().dirty), (digest, false));
}

#[test]
fn files_that_are_none() {
    let disk = Disk::new();
    let at = |request: &mut selfsame_fetch::SourceRequest<'_>| request.epoch = Epoch::At(SourceEpoch::new(1).unwrap());
    let refusal = |name: &str| disk.bind_with(name, at).unwrap_err().to_string();
    disk.write("fifo", &[("a", "")]);
    rustix::fs::mkfifoat(rustix::fs::CWD, disk.path("fifo/p"), rustix::fs::Mode::RWXU).unwrap();
    assert_eq!(refusal("fifo"), "`p` in the source is a FIFO; only files and links can be built from");
    disk.write("socket", &[("a", "")]);
    let _socket = std::os::unix::net::UnixListener::bind(disk.path("socket/s")).unwrap();
    assert_eq!(refusal("socket"), "`s` in the source is a socket; only files and links can be built from");

    disk.repository("tracked", &FILES);
    std::fs::remove_file(disk.path("tracked/main.c")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, disk.path("tracked/main.c"), rustix::fs::Mode::RWXU).unwrap();
    assert!(refusal("tracked").contains("`main.c` in the source is a FIFO"));

    disk.write("name", &[("a", "")]);
    let name = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(vec![b'x', 0xff]);
    std::fs::write(disk.path("name").join(name), "").unwrap();
    assert!(refusal("name").contains("has a name that is not UTF-8"));

    disk.write("nothing/.selfsame", &[("x", "")]);
    assert!(refusal("nothing").contains("holds no files"));
    assert!(refusal("absent").contains("is not a folder"));
    assert!(refusal("fifo/a").contains("is not a folder"));
}

#[test]
fn links_stay_in_the_source() {
    let disk = Disk::new();
    for (target, refused) in [
        ("../a", false),
        ("../../x", true),
        ("..", false),
        ("../..", true),
        ("./b/../c", false),
        ("b/../../../x", true),
        ("/etc/passwd", true),
    ] {
        disk.repository("a", &[("a", "")]);
        std::fs::create_dir_all(disk.path("a/d")).unwrap();
        symlink(target, disk.path("a/d/link")).unwrap();
        let result = disk.bind_with("a", |_| {});
        assert_eq!(matches!(result, Err(SourceError::Link { .. })), refused, "{target}: {result:?}");
        std::fs::remove_dir_all(disk.path("a")).unwrap();
    }
}

#[test]
fn a_folder_that_became_a_link_is_not_followed() {
    let disk = Disk::new();
    disk.repository("a", &[("d/x", "tracked"), ("e/x", "other")]);
    std::fs::remove_dir_all(disk.path("a/d")).unwrap();
    symlink("e", disk.path("a/d")).unwrap();
    insta::assert_snapshot!(picture(&disk.bind("a")), @r"
    d -> e
    e/x 644 5
    ");
}

#[test]
fn a_file_that_became_a_folder_and_back() {
    let disk = Disk::new();
    disk.repository("a", &[("d", "tracked"), ("e/x", "tracked")]);
    std::fs::remove_file(disk.path("a/d")).unwrap();
    std::fs::remove_dir_all(disk.path("a/e")).unwrap();
    disk.write("a", &[("d/y", ""), ("e", "")]);
    insta::assert_snapshot!(picture(&disk.bind("a")), @r"
    d/y 644 0
    e 644 0
    ");
}

#[test]
fn a_repository_in_the_source_that_is_no_submodule() {
    let disk = Disk::new();
    disk.repository("a", &FILES);
    disk.repository("a/vendored", &[("v.c", "")]);
    assert_eq!(disk.refusal("a"), "`vendored/` in the source is a git repository of its own, and not a submodule");
    disk.write("a", &[(".gitignore", "/vendored/\n*.o\n/out/\n")]);
    assert!(disk.bind("a").tree.entry("vendored/v.c").is_none());
}

#[test]
fn what_git_does_not_look_at_is_dirty() {
    let disk = Disk::new();
    disk.repository("a", &FILES);
    disk.git("a", &["update-index", "--assume-unchanged", "main.c"]);
    assert_eq!(disk.bind("a").git.unwrap().dirty_paths, ["main.c"]);
    disk.git("a", &["update-index", "--no-assume-unchanged", "main.c"]);
    disk.git("a", &["update-index", "--skip-worktree", "main.c"]);
    std::fs::remove_file(disk.path("a/main.c")).unwrap();
    assert_eq!(disk.refusal("a"), "`main.c` is tracked and not checked out (sparse checkout)");
}

#[test]
fn a_disk_without_executable_bits_or_links() {
    let disk = Disk::new();
    disk.repository("a", &FILES);
    symlink("run.sh", disk.path("a/link")).unwrap();
    disk.git("a", &["add", "link"]);
    disk.commit("a");
    let digest = disk.bind("a").digest;
    disk.git("a", &["config", "core.fileMode", "false"]);
    disk.git("a", &["config", "core.symlinks", "false"]);
    disk.chmod(&disk.path("a/run.sh"), 0o644);
    disk.chmod(&disk.path("a/main.c"), 0o755);
    std::fs::remove_file(disk.path("a/link")).unwrap();
    std::fs::write(disk.path("a/link"), "run.sh").unwrap();
    assert_eq!(disk.bind("a").digest, digest);
}

#[test]
fn broken_repositories_and_missing_commits() {
    let disk = Disk::new();
    disk.write("a", &FILES);
    disk.git("a", &["init", "-q"]);
    assert_eq!(disk.refusal("a"), "source `TMP/a` has no commit yet, so it has no commit time");
    let source = disk.bind_with("a", |request| request.epoch = Epoch::At(SourceEpoch::new(1).unwrap())).unwrap();
    assert!(source.git.is_none());
    disk.write("b", &[(".git", "gitdir: ../nowhere\n"), ("x", "")]);
    assert_eq!(disk.refusal("b"), "`TMP/b/.git` names a repository that is not there");
    disk.repository("c", &FILES);
    std::fs::write(disk.path("c/.git/index"), "damaged").unwrap();
    assert!(disk.refusal("c").starts_with("git ls-files: "), "{}", disk.refusal("c"));
}

#[test]
fn a_change_is_seen_at_once_and_at_the_end() {
    let disk = Disk::new();
    disk.repository("a", &FILES);
    let first = disk.bind("a");
    first.still_same().unwrap();
    // The same size within the same tick of the clock: the racy case.
    std::fs::write(disk.path("a/main.c"), "int m4in;").unwrap();
    assert_eq!(first.still_same().unwrap_err().to_string(), "`main.c` in the source changed during the build");
    let second = disk.bind("a");
    assert_ne!(first.digest, second.digest);
    std::fs::remove_file(disk.path("a/run.sh")).unwrap();
    assert!(matches!(second.still_same(), Err(SourceError::Changed { path }) if path.as_str() == "run.sh"));
}

#[test]
fn a_collected_store_is_filled_again() {
    let disk = Disk::new();
    disk.repository("a", &FILES);
    let first = disk.bind("a");
    std::thread::sleep(std::time::Duration::from_millis(30));
    disk.bind("a");
    for (digest, _) in first.tree.contents() {
        for executable in [false, true] {
            if let Ok(Some(path)) = disk.store.blob_path(&digest, executable) {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
    let again = disk.bind("a");
    assert_eq!(again.digest, first.digest);
    assert!(disk.store.missing(&again.tree).unwrap().is_empty());
}

#[test]
fn secrets_are_warned_about() {
    let disk = Disk::new();
    let key = ["-----BEGIN PRIV", "ATE KEY-----\n"].concat();
    disk.repository("a", &[(".env", "A=1"), ("conf/app.txt", &key), ("conf/tls.key", &key), ("x", "")]);
    let shown = |source: &selfsame_fetch::BoundSource| -> Vec<String> {
        source.warnings.iter().map(|secret| format!("{}: {}", secret.path, secret.why)).collect()
    };
    let all = [".env: an environment file", "conf/app.txt: a private key", "conf/tls.key: a private key"];
    assert_eq!(shown(&disk.bind("a")), all);
    std::thread::sleep(std::time::Duration::from_millis(30));
    disk.bind("a");
    assert_eq!(shown(&disk.bind("a")), [all[0], all[2]], "an unchanged file is not read again unless its name says so");
    let untrusting = disk.bind_with("a", |request| request.trust_stat_cache = false).unwrap();
    assert_eq!(shown(&untrusting), all);
}

/// A folder that came from elsewhere with its `.git` is owned by the invoker, too.
#[test]
fn nothing_of_a_repositorys_configuration_is_run() {
    let disk = Disk::new();
    disk.repository("a", &FILES);
    let ran = disk.path("ran");
    let program = format!("sh -c 'touch {}; cat'", ran.display());
    for key in ["filter.evil.clean", "filter.evil.process", "filter.ev=il.x.clean", "core.fsmonitor", "core.sshCommand"]
    {
        disk.git("a", &["config", key, &program]);
    }
    disk.git("a", &["config", "filter.evil.required", "true"]);
    for filter in ["evil", "ev=il.x"] {
        disk.write("a", &[(".git/info/attributes", &format!("*.c filter={filter}\n")), ("main.c", "int changed;")]);
        assert!(disk.refusal("a").contains("git filter"), "{}", disk.refusal("a"));
        disk.write("a", &[(".git/info/attributes", ""), (".gitattributes", &format!("*.c filter={filter}\n"))]);
        assert!(disk.refusal("a").contains("git filter"), "{}", disk.refusal("a"));
        std::fs::remove_file(disk.path("a/.gitattributes")).unwrap();
    }
    assert!(!ran.exists(), "a program of the repository's ran outside of every sandbox");
}
