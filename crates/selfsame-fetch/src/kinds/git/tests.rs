//! Repositories made here, honest and hostile, asked as any other.
#![expect(clippy::disallowed_methods, reason = "git is found by the path of whoever runs the tests")]

mod servers;

use std::path::{Path, PathBuf};

use selfsame_core::{Platform, SourceEpoch};
use selfsame_definition::{GitRef, GitSpec};
use selfsame_lock::{Claim, Day, Part};
use selfsame_store::Store;
use selfsame_testing::TestEnv;

use crate::context::Context;
use crate::resolve::FetchError;
use selfsame_http::Environment;

/// Repositories `project`, `lib`, ... beside one another, a store, and a home for git's configuration.
struct World {
    env: TestEnv,
    store: Store,
    environment: Environment,
    offline: bool,
}

impl World {
    fn new() -> Self {
        let env = TestEnv::new("none");
        let store = Store::open(&env.store()).unwrap();
        let mut environment = Environment::default();
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        environment.variables.insert("PATH".into(), path);
        environment.variables.insert("HOME".into(), env.at("home").into());
        environment.variables.insert("GIT_CONFIG_NOSYSTEM".into(), "1".into());
        Self { env, store, environment, offline: false }
    }

    fn with<T>(&self, work: impl FnOnce(&Context<'_>) -> T) -> T {
        let platform = Platform::native();
        let http = selfsame_http::Client::new(&self.environment, selfsame_http::Options::default()).unwrap();
        let folder = self.env.root().to_owned();
        work(&Context {
            folder: &folder,
            environment: &self.environment,
            http: &http,
            store: &self.store,
            platform: &platform,
            platforms: &[],
            offline: self.offline,
            today: Day::of(SourceEpoch::new(1_795_132_800).unwrap()),
            progress: &crate::context::Silent,
        })
    }

    fn resolve(&self, repository: &str, at: GitRef) -> Result<Part, FetchError> {
        let parts = self.with(|cx| super::resolve("lib", &spec(repository, at), cx))?;
        let [part] = <[Part; 1]>::try_from(parts).unwrap();
        Ok(part)
    }

    fn refused(&self, repository: &str, at: GitRef) -> String {
        chain(&self.resolve(repository, at).unwrap_err())
    }

    /// The tree as lines of `path kind content`, from the store alone.
    fn files(&self, part: &Part) -> Vec<String> {
        let tree = self.with(|cx| super::tree("lib", std::slice::from_ref(part), cx)).unwrap();
        assert!(self.store.missing(&tree).unwrap().is_empty());
        let line = |(path, entry): (&selfsame_core::RelPath, &selfsame_tree::Entry)| match &entry.kind {
            selfsame_tree::Kind::File { digest, .. } => {
                let text = String::from_utf8(self.store.read_blob(digest, 1 << 20).unwrap()).unwrap();
                format!("{path} {:o} {text}", entry.mode)
            }
            selfsame_tree::Kind::Symlink { target } => format!("{path} -> {target}"),
            _ => format!("{path}/"),
        };
        tree.iter().map(line).collect()
    }

    fn git(&self, repository: &str, arguments: &[&str]) -> String {
        let folder = self.env.at(repository);
        std::fs::create_dir_all(&folder).unwrap();
        self.env.git([&["-C", folder.to_str().unwrap()], arguments].concat())
    }

    fn write(&self, path: &str, content: &[u8]) -> PathBuf {
        let path = self.env.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A repository with one commit of what lies in its folder.
    fn commit(&self, repository: &str) -> String {
        if !self.env.at(repository).join(".git").exists() {
            self.git(repository, &["init", "--quiet", "--initial-branch=main"]);
        }
        self.git(repository, &["add", "--all"]);
        self.git(repository, &["commit", "--quiet", "--allow-empty", "-m", "more"]);
        self.git(repository, &["rev-parse", "HEAD"])
    }

    /// A commit of a tree that `git add` would not make: mode, name and id of each entry.
    fn hostile(&self, repository: &str, entries: &[(&str, &[u8], &str)]) -> String {
        let mut raw = Vec::new();
        for (mode, name, object) in entries {
            raw.extend_from_slice(mode.as_bytes());
            raw.push(b' ');
            raw.extend_from_slice(name);
            raw.push(0);
            let byte = |at: usize| u8::from_str_radix(&object[at..at + 2], 16).unwrap();
            raw.extend((0..object.len()).step_by(2).map(byte));
        }
        let file = self.write("raw-tree", &raw);
        let file = file.to_str().unwrap();
        let tree = self.git(repository, &["hash-object", "-t", "tree", "-w", "--literally", file]);
        let commit = self.git(repository, &["commit-tree", &tree, "-m", "hostile"]);
        self.git(repository, &["update-ref", "refs/heads/hostile", &commit]);
        commit
    }

    fn blob(&self, repository: &str, content: &[u8]) -> String {
        let file = self.write("raw-blob", content);
        self.git(repository, &["hash-object", "-w", file.to_str().unwrap()])
    }

    /// A commit whose `.gitmodules` says this of the submodule at `sub`, which is `commit`.
    fn with_submodule(&self, repository: &str, modules: &str, commit: &str) -> String {
        let modules = self.blob(repository, modules.as_bytes());
        self.hostile(repository, &[("100644", b".gitmodules", &modules), ("160000", b"sub", commit)])
    }
}

fn spec(repository: &str, at: GitRef) -> GitSpec {
    GitSpec { repository: repository.to_owned(), at, submodules: true }
}

fn at(commit: &str) -> GitRef {
    GitRef::Commit(commit.to_owned())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

const ABSENT: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn a_commit_is_its_files_and_nothing_of_its_place() {
    let world = World::new();
    world.write("a/hello.c", b"int main;\r\n");
    world.write("a/.gitattributes", b"* text=auto eol=lf\nsecret export-ignore\nhello.c export-subst ident filter=x\n");
    world.write("a/secret", b"$Id$ $Format:%H$\n");
    world.env.write_executable("../a/run.sh", "#!/bin/sh\n");
    std::os::unix::fs::symlink("/etc/hostname", world.env.at("a/outside")).unwrap();
    // Kept as it is: no attribute is applied when it is committed either.
    world.git("a", &["init", "--quiet", "--initial-branch=main"]);
    world.git("a", &["config", "filter.x.clean", "cat"]);
    let commit = world.commit("a");
    let part = world.resolve("a", at(&commit)).unwrap();
    assert_eq!(part.purl.as_str(), format!("pkg:generic/lib@{commit}"));
    assert_eq!(part.claim, Claim::GitCommit);
    let files = world.files(&part);
    assert!(files.contains(&"secret 644 $Id$ $Format:%H$\n".to_owned()), "{files:?}");
    assert!(files.contains(&"run.sh 755 #!/bin/sh\n".to_owned()), "{files:?}");
    assert!(files.contains(&"outside -> /etc/hostname".to_owned()), "{files:?}");
    assert!(!files.iter().any(|line| line.starts_with(".git/")), "{files:?}");

    // Another clone elsewhere, with another history behind the same files, has the same tar.
    world.git("", &["clone", "--quiet", "a", "elsewhere"]);
    let again = world.git("elsewhere", &["commit-tree", "HEAD^{tree}", "-m", "other"]);
    world.git("elsewhere", &["update-ref", "refs/heads/other", &again]);
    let other = world.resolve("elsewhere", GitRef::Branch("other".to_owned())).unwrap();
    assert_eq!((other.sha256, other.size), (part.sha256, part.size));
    assert_ne!(other.purl, part.purl);
    let tar = world.store.read_blob(&part.sha256, 1 << 20).unwrap();
    let text = String::from_utf8_lossy(&tar);
    assert!(!text.contains(&commit) && !text.contains(world.env.root().to_str().unwrap()));
}

#[test]
fn a_full_store_needs_no_repository_and_an_empty_one_makes_the_same_tar() {
    let mut world = World::new();
    world.write("a/x", b"1");
    let commit = world.commit("a");
    let part = world.resolve("a", at(&commit)).unwrap();
    let parts = [part.clone()];
    let gone = spec("gone", at(&commit));
    world.with(|cx| super::fetch("lib", &gone, &parts, cx)).unwrap();

    world.store = Store::open(&world.env.at("second")).unwrap();
    assert!(chain(&world.with(|cx| super::fetch("lib", &gone, &parts, cx)).unwrap_err()).contains("no repository at"));
    world.with(|cx| super::fetch("lib", &spec("a", at(&commit)), &parts, cx)).unwrap();
    assert_eq!(world.files(&part), ["x 644 1"]);

    // A lock that names other bytes for the commit is refused, and says both.
    let digest = selfsame_core::Digest::of(b"other");
    let wrong = [Part { sha256: digest, ..part }];
    let error = world.with(|cx| super::fetch("lib", &spec("a", at(&commit)), &wrong, cx)).unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { expected, .. } if expected == digest), "{error}");
}

#[test]
fn tags_are_peeled_and_may_move_branches_may_vanish() {
    let world = World::new();
    world.write("a/x", b"1");
    let first = world.commit("a");
    world.git("a", &["tag", "-a", "-m", "inner", "inner"]);
    world.git("a", &["tag", "-a", "-m", "outer", "v1", "inner"]);
    world.git("a", &["branch", "topic"]);
    // A name that ends as the tag's does is another one.
    world.write("a/x", b"2");
    let second = world.commit("a");
    world.git("a", &["tag", "x/refs/tags/v1"]);
    let tag = || GitRef::Tag("v1".to_owned());
    let part = world.resolve("a", tag()).unwrap();
    assert_eq!(part.purl.as_str(), format!("pkg:generic/lib@{first}"));
    assert_eq!(world.files(&part), ["x 644 1"]);

    world.git("a", &["tag", "--force", "v1", &second]);
    assert_eq!(world.resolve("a", tag()).unwrap().purl.as_str(), format!("pkg:generic/lib@{second}"));
    // What is locked does not move with it.
    world.with(|cx| super::fetch("lib", &spec("a", tag()), std::slice::from_ref(&part), cx)).unwrap();
    assert_eq!(world.files(&part), ["x 644 1"]);

    let topic = || GitRef::Branch("topic".to_owned());
    assert_eq!(world.resolve("a", topic()).unwrap().sha256, part.sha256);
    world.git("a", &["branch", "-D", "topic"]);
    assert!(world.refused("a", topic()).ends_with("has no branch `topic`"));
    assert!(world.refused("a", GitRef::Tag("main".to_owned())).ends_with("has no tag `main`"));
    assert!(world.refused("a", GitRef::Tag("--upload-pack=x".to_owned())).contains("begins with a dash"));
    assert!(world.refused("a", GitRef::Tag("v*".to_owned())).contains("no name that git allows"));
    // A tag of a file.
    let blob = world.git("a", &["rev-parse", "HEAD:x"]);
    world.git("a", &["tag", "file", &blob]);
    assert!(world.refused("a", GitRef::Tag("file".to_owned())).contains("is a blob, not a commit"));
}

#[test]
fn a_commit_that_no_branch_has_any_more_is_had_by_its_id_or_named() {
    let world = World::new();
    world.write("a/x", b"1");
    let first = world.commit("a");
    world.write("a/x", b"2");
    world.git("a", &["add", "--all"]);
    world.git("a", &["commit", "--quiet", "--amend", "-m", "amended"]);
    // Protocol version 2 gives any object; version 0 gives what the server's settings allow.
    world.resolve("a", at(&first)).unwrap();
    world.write("home/.gitconfig", b"[protocol]\nversion = 0\n");
    let said = world.refused("a", at(&first));
    assert!(said.ends_with(&format!("gives no commit {first}")), "{said}");
    world.git("a", &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    world.resolve("a", at(&first)).unwrap();
    assert!(world.refused("a", at(ABSENT)).ends_with(&format!("gives no commit {ABSENT}")));
}

#[test]
fn a_server_that_gives_nothing_by_id_is_asked_for_its_branches() {
    let world = World::new();
    world.write("a/x", b"1");
    let first = world.commit("a");
    world.write("a/x", b"2");
    world.commit("a");
    world.write("home/.gitconfig", b"[protocol]\nversion = 0\n");
    assert_eq!(world.files(&world.resolve("a", at(&first)).unwrap()), ["x 644 1"]);
}

#[test]
fn repositories_by_sha256_are_repositories() {
    let world = World::new();
    world.git("a", &["init", "--quiet", "--initial-branch=main", "--object-format=sha256"]);
    world.write("a/x", b"1");
    let commit = world.commit("a");
    assert_eq!(commit.len(), 64);
    let part = world.resolve("a", at(&commit)).unwrap();
    let branch = world.resolve("a", GitRef::Branch("main".to_owned())).unwrap();
    assert_eq!((world.files(&part), &branch), (vec!["x 644 1".to_owned()], &part));
    // An id of the other kind is no commit there, and says which kind is wanted.
    let said = world.refused("a", at(ABSENT));
    assert!(said.contains("sha256") || said.contains("gives no commit"), "{said}");
    // Whoever prefers them for their own still reads the others.
    world.write("home/.gitconfig", b"[init]\ndefaultObjectFormat = sha256\n");
    world.write("b/x", b"1");
    world.git("b", &["init", "--quiet", "--object-format=sha1", "--initial-branch=main"]);
    let commit = world.commit("b");
    assert_eq!(world.resolve("b", at(&commit)).unwrap().sha256, part.sha256);
}

#[test]
fn submodules_are_followed_from_a_path_from_the_clone_and_by_address() {
    let world = World::new();
    world.write("deep/z", b"3");
    world.commit("deep");
    world.write("lib/y", b"2");
    world.commit("lib");
    world.git("lib", &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../deep", "inner/deep"]);
    world.commit("lib");
    world.write("a/x", b"1");
    world.commit("a");
    world.git("a", &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../lib", "vendor/lib"]);
    let commit = world.commit("a");
    let wanted = ["vendor/lib/inner/deep/z 644 3", "vendor/lib/y 644 2", "x 644 1"];
    let contents = |world: &World, part: &Part| {
        let files = world.files(part);
        files.into_iter().filter(|line| !line.contains(".gitmodules")).collect::<Vec<_>>()
    };
    let part = world.resolve("a", at(&commit)).unwrap();
    assert_eq!(contents(&world, &part), wanted);

    // Without them there are folders, as git leaves them.
    let without = GitSpec { submodules: false, ..spec("a", at(&commit)) };
    let parts = world.with(|cx| super::resolve("lib", &without, cx)).unwrap();
    assert_eq!(contents(&world, &parts[0]), ["vendor/lib/", "x 644 1"]);

    // A clone that holds its submodules needs nobody else.
    world.git("a", &["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive"]);
    std::fs::rename(world.env.at("lib"), world.env.at("lib-elsewhere")).unwrap();
    std::fs::rename(world.env.at("deep"), world.env.at("deep-elsewhere")).unwrap();
    assert_eq!(world.resolve("a", at(&commit)).unwrap(), part);
    std::fs::rename(world.env.at("lib-elsewhere"), world.env.at("lib")).unwrap();
    std::fs::rename(world.env.at("deep-elsewhere"), world.env.at("deep")).unwrap();

    // By address, relative ones beside it, where this machine says that the server is a folder here.
    let root = world.env.root().to_str().unwrap().to_owned();
    world.write("home/.gitconfig", format!("[url \"{root}/\"]\ninsteadOf = https://git.example/\n").as_bytes());
    assert_eq!(world.resolve("https://git.example/a", at(&commit)).unwrap(), part);
    assert_eq!(world.resolve("https://git.example/a", GitRef::Branch("main".to_owned())).unwrap(), part);
}

#[test]
fn a_path_starts_at_the_definition_however_that_is_named() {
    let place = super::place::Place::parse("../lib", Some(Path::new("."))).unwrap();
    assert!(Path::new(place.argument()).is_absolute(), "{place}");
}

#[test]
fn offline_is_offline() {
    let mut world = World::new();
    world.write("a/x", b"1");
    let commit = world.commit("a");
    world.offline = true;
    world.resolve("a", at(&commit)).unwrap();
    let error = world.resolve("https://git.example/a", at(&commit)).unwrap_err();
    assert!(matches!(error, FetchError::Offline { .. }), "{error}");
    let modules = "[submodule \"s\"]\npath = sub\nurl = https://git.example/s\n";
    let commit = world.with_submodule("a", modules, ABSENT);
    assert!(world.refused("a", at(&commit)).contains("the network may not be used"));
}

#[test]
fn addresses_of_submodules_run_and_read_nothing() {
    let world = World::new();
    let commit = world.commit("a");
    let marker = world.env.at("marker");
    let ran = |program: &str| format!("{program} touch {}", marker.display());
    for (url, said) in [
        (format!("ext::sh -c {}", ran("").replace(' ', "% ")), "a program of git's to be run"),
        (format!("\"-u./payload;{}\"", ran("")), "begins with a dash"),
        ("--upload-pack=./payload".to_owned(), "begins with a dash"),
        (format!("ssh://-oProxyCommand={}/x", ran("").replace(' ', "%20")), "has no host"),
        ("file:///etc".to_owned(), "is a file's address"),
        (world.env.at("a").display().to_string(), "a path, which a submodule may not name"),
        ("a".to_owned(), "a path, which a submodule may not name"),
        ("../../../../../../../../../../../../etc".to_owned(), "outside of its server"),
        (String::new(), "has no address"),
    ] {
        let modules = format!("[submodule \"s\"]\npath = sub\nurl = {url}\n");
        let hostile = world.with_submodule("a", &modules, &commit);
        let refused = world.refused("a", at(&hostile));
        assert!(refused.contains("submodule `sub`") && refused.contains(said), "{url}: {refused}");
        assert!(!marker.exists(), "{url} was run");
    }
}

#[test]
fn submodules_with_other_names_and_paths_are_refused() {
    let world = World::new();
    let commit = world.commit("a");
    world.commit("s");
    for (modules, said) in [
        ("[submodule \"../x\"]\npath = sub\nurl = ../s\n", "has the name `../x`, which leads out"),
        ("[submodule \"s/../../x\"]\npath = sub\nurl = ../s\n", "which leads out"),
        ("[submodule \"s\"]\npath = other\nurl = ../s\n", "no .gitmodules says of which"),
        ("[submodule \"s\"]\npath = sub\nurl = ../s\n[submodule \"t\"]\npath = sub\nurl = ../s\n", "stands twice"),
        ("", "no .gitmodules says of which"),
        ("[submodule \"s\"]\npath = sub\nurl = ../s\n", "which `"),
    ] {
        let pinned = if said == "which `" { ABSENT } else { &commit };
        let hostile = world.with_submodule("a", modules, pinned);
        let refused = world.refused("a", at(&hostile));
        assert!(refused.contains("submodule `sub`") && refused.contains(said), "{modules}: {refused}");
    }
    let broken = world.with_submodule("a", "[submodule \"s\n=", &commit);
    assert!(world.refused("a", at(&broken)).contains("git config failed"));
    // A configuration that includes a file of this machine's.
    let outside = world.write("outside", b"[submodule \"s\"]\npath = sub\nurl = ../s\n");
    let include = format!("[include]\npath = {}\n", outside.display());
    let including = world.with_submodule("a", &include, &commit);
    assert!(world.refused("a", at(&including)).contains("no .gitmodules says of which"));
}

#[test]
fn names_and_kinds_of_files_that_git_would_not_check_out_are_refused() {
    let world = World::new();
    world.commit("a");
    let file = world.blob("a", b"x");
    let link = world.blob("a", b"/etc");
    let raw = |name: &str| name.as_bytes().to_vec();
    world.hostile("a", &[("100644", b"config", &file)]);
    let inner = world.git("a", &["rev-parse", "hostile^{tree}"]);
    let tree = inner.as_str();
    for (entries, said) in [
        (vec![("40000", raw(".git"), tree)], "take for `.git`"),
        (vec![("40000", raw(".GIT"), tree)], "take for `.git`"),
        (vec![("40000", raw("git~1"), tree)], "take for `.git`"),
        (vec![("40000", raw(".git."), tree)], "take for `.git`"),
        (vec![("100644", raw(".g\u{200c}it"), file.as_str())], "take for `.git`"),
        (vec![("160000", raw(".git"), ABSENT)], "take for `.git`"),
        (vec![("40000", raw(".."), tree)], "`..`"),
        (vec![("40000", raw("."), tree)], "`.`"),
        (vec![("100644", vec![b'a', 0xff], file.as_str())], "not UTF-8"),
        (vec![("120000", raw("a"), link.as_str()), ("40000", raw("a"), tree)], "lies below `a`"),
        (vec![("100644", raw("a"), file.as_str()), ("40000", raw("a"), tree)], "lies below `a`"),
        (vec![("100644", raw("a"), file.as_str()), ("100755", raw("a"), file.as_str())], "stands twice"),
        (vec![("120000", raw(".gitmodules"), link.as_str()), ("160000", raw("sub"), ABSENT)], "is a link"),
    ] {
        let entries: Vec<_> = entries.iter().map(|(mode, name, object)| (*mode, name.as_slice(), *object)).collect();
        let commit = world.hostile("a", &entries);
        let refused = world.refused("a", at(&commit));
        assert!(refused.contains(said), "{entries:?}: {refused}");
    }
    let nul = world.blob("a", b"a\0b");
    let commit = world.hostile("a", &[("120000", b"l", &nul)]);
    assert!(world.refused("a", at(&commit)).contains("holds a NUL"));
    // Modes of old: the owner's bit counts.
    let commit = world.hostile("a", &[("100664", b"f", &file), ("100775", b"g", &file)]);
    assert_eq!(world.files(&world.resolve("a", at(&commit)).unwrap()), ["f 644 x", "g 755 x"]);
}

#[test]
fn large_files_that_lie_elsewhere_are_named() {
    let world = World::new();
    let pointer = format!("version https://git-lfs.example/spec/v1\noid sha256:{}\nsize 12345\n", "a".repeat(64));
    world.write("a/data/model.bin", pointer.as_bytes());
    let commit = world.commit("a");
    let said = world.refused("a", at(&commit));
    assert!(said.contains("`data/model.bin`") && said.contains("Git LFS pointer"), "{said}");
    world.write("a/data/model.bin", b"version https://example/spec/v1\nno oid\n");
    let commit = world.commit("a");
    world.resolve("a", at(&commit)).unwrap();
}

#[test]
fn a_tree_of_trees_of_trees_is_not_listed_to_its_end() {
    let world = World::new();
    world.commit("a");
    let mut object = world.blob("a", b"x");
    let mut mode = "100644";
    // 10 to the 9th files in ten objects.
    for _ in 0..9 {
        let names: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        let entries: Vec<_> = names.iter().map(|name| (mode, name.as_bytes(), object.as_str())).collect();
        let commit = world.hostile("a", &entries);
        object = world.git("a", &["rev-parse", &format!("{commit}^{{tree}}")]);
        mode = "40000";
    }
    let commit = world.git("a", &["rev-parse", "hostile"]);
    assert!(world.refused("a", at(&commit)).contains("more than 1000000 files"));
}

#[test]
fn hooks_filters_and_configuration_of_a_repository_do_not_run() {
    let world = World::new();
    let marker = world.env.at("marker");
    world.write("a/x", b"1");
    world.write("a/.gitattributes", b"* filter=evil\n");
    let commit = world.commit("a");
    let script = format!("#!/bin/sh\ntouch {}\n", marker.display());
    for hook in ["post-checkout", "reference-transaction", "pre-auto-gc", "post-upload-pack", "post-index-change"] {
        world.env.write_executable(format!("../a/.git/hooks/{hook}"), &script);
        world.env.write_executable(format!("../home/template/hooks/{hook}"), &script);
    }
    world.env.write_executable("../payload", &script);
    let payload = world.env.at("payload").display().to_string();
    for key in [
        "core.fsmonitor",
        "filter.evil.smudge",
        "filter.evil.process",
        "uploadpack.packObjectsHook",
        "core.sshCommand",
        "core.gitProxy",
        "core.pager",
        "alias.cat-file",
    ] {
        world.git("a", &["config", key, &payload]);
    }
    world.write(
        "home/.gitconfig",
        format!("[init]\ntemplateDir = {}\n[core]\nhooksPath = {0}/hooks\n", world.env.at("home/template").display())
            .as_bytes(),
    );
    assert_eq!(
        world.files(&world.resolve("a", at(&commit)).unwrap()),
        [".gitattributes 644 * filter=evil\n", "x 644 1"]
    );
    assert_eq!(world.resolve("a", GitRef::Branch("main".to_owned())).unwrap().claim, Claim::GitCommit);
    assert!(!marker.exists(), "something of the repository was run");
}

#[test]
fn a_clone_with_holes_is_not_filled_from_elsewhere() {
    let world = World::new();
    let marker = world.env.at("marker");
    world.write("a/x", b"1");
    let commit = world.commit("a");
    let object = world.git("a", &["rev-parse", "HEAD:x"]);
    std::fs::remove_file(world.env.at("a/.git/objects").join(&object[..2]).join(&object[2..])).unwrap();
    for (key, value) in [
        ("remote.origin.url", format!("ext::sh -c touch% {}", marker.display())),
        ("remote.origin.promisor", "true".to_owned()),
        ("extensions.partialClone", "origin".to_owned()),
        ("protocol.ext.allow", "always".to_owned()),
    ] {
        world.git("a", &["config", key, &value]);
    }
    let refused = world.resolve("a", at(&commit)).unwrap_err();
    assert!(!marker.exists(), "the clone's remote was asked: {refused}");
}

/// The number of folders that processes left in the store's scratch room.
#[test]
fn nothing_is_left_behind() {
    let world = World::new();
    world.write("a/x", b"1");
    let commit = world.commit("a");
    world.resolve("a", at(&commit)).unwrap();
    world.resolve("a", at(ABSENT)).unwrap_err();
    let left = |path: &Path| std::fs::read_dir(path).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    for process in left(&world.store.root().join("tmp")) {
        assert!(left(&process).is_empty(), "{:?}", left(&process));
    }
}
