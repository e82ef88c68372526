//! How repositories elsewhere are asked, and what is said of those that do not answer.

use selfsame_definition::GitRef;
use selfsame_lock::Claim;

use super::{ABSENT, World, at};
use crate::kinds::git::GitError;
use crate::resolve::FetchError;

#[test]
fn places_that_do_not_answer_are_told_apart() {
    let world = World::new();
    let nowhere = world.refused("nowhere", at(ABSENT));
    assert!(nowhere.contains("no repository at"), "{nowhere}");
    // A port that was open a moment ago, and is not now.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = world.resolve(&format!("http://127.0.0.1:{port}/a"), at(ABSENT)).unwrap_err();
    assert!(error.retry_may_help(), "{error}");
    for hostile in ["ext::sh -c x", "-u./payload", "file:///etc"] {
        assert!(matches!(world.resolve(hostile, at(ABSENT)), Err(FetchError::Git(GitError::Place { .. }))));
    }
}

/// Answers every request with this, and hangs up.
fn server(answer: &'static str) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The thread ends with the test's process.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}/a.git")
}

#[test]
fn servers_that_refuse_break_or_answer_something_else_are_told_apart() {
    let world = World::new();
    let of = |answer: &'static str| {
        let url = server(answer);
        let error = world.resolve(&url, GitRef::Branch("main".to_owned())).unwrap_err();
        let by_commit = world.resolve(&url, at(ABSENT)).unwrap_err();
        assert_eq!(error.retry_may_help(), by_commit.retry_may_help(), "{error}: {by_commit}");
        let FetchError::Git(error) = error else { panic!("{error}") };
        error
    };
    let page = "<html>\n<body>log in, please, with your name and your password</body>\n</html>\n";
    let status = |line: &str, more: &str, body: &str| -> &'static str {
        let text =
            format!("HTTP/1.1 {line}\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        Box::leak(text.into_boxed_str())
    };
    let refused = of(status("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", ""));
    assert!(matches!(refused, GitError::Refused { .. }), "{refused}");
    let refused = of(status("403 Forbidden", "", ""));
    assert!(matches!(refused, GitError::Refused { .. }), "{refused}");
    let absent = of(status("404 Not Found", "", ""));
    assert!(matches!(absent, GitError::NotFound { .. }), "{absent}");
    let busy = of(status("503 Service Unavailable", "", ""));
    assert!(matches!(busy, GitError::Network { .. }), "{busy}");
    let busy = of(status("429 Too Many Requests", "Retry-After: 1\r\n", ""));
    assert!(matches!(busy, GitError::Network { .. }), "{busy}");
    let html = of(status("200 OK", "Content-Type: text/html\r\n", page));
    assert!(matches!(html, GitError::NoRepository { .. }), "{html}");
    let cut = of("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n00");
    assert!(matches!(cut, GitError::Network { .. }), "{cut}");
    let silent = of("");
    assert!(matches!(silent, GitError::Network { .. }), "{silent}");
}

/// The machine's own way to reach ssh servers is taken, and what it is given names the server and no option.
#[test]
fn ssh_is_the_machines_own() {
    let mut world = World::new();
    world.write("a/x", b"1");
    let commit = world.commit("a");
    let root = world.env.root().display().to_string();
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {root}/asked\nfor last; do :; done\n\
         eval \"$(printf %s \"$last\" | sed \"s#'/#'{root}/#\")\"\n"
    );
    let ssh = world.env.write_executable("../ssh", script);
    world.environment.variables.insert("GIT_SSH_COMMAND".into(), ssh.into());
    world.environment.variables.insert("GIT_SSH_VARIANT".into(), "ssh".into());
    let part = world.resolve("ssh://git@git.example:2222/a", GitRef::Branch("main".to_owned())).unwrap();
    assert_eq!(part.purl.as_str(), format!("pkg:generic/lib@{commit}"));
    assert_eq!((world.files(&part), part.claim), (vec!["x 644 1".to_owned()], Claim::GitCommit));
    let asked = world.env.read("asked");
    assert!(asked.lines().all(|line| line.contains("-p 2222 git@git.example git-upload-pack '/a'")), "{asked}");
}

/// A clone of another user is read as any other, and nothing of its configuration counts.
#[test]
fn a_clone_of_somebody_else_is_read() {
    let world = World::new();
    world.write("a/x", b"1");
    let commit = world.commit("a");
    if !rustix::process::geteuid().is_root() {
        selfsame_testing::skip("only root can give a clone away");
        return;
    }
    let given = std::process::Command::new("chown").args(["-R", "12345"]).arg(world.env.at("a")).status();
    assert!(given.is_ok_and(|status| status.success()));
    assert_eq!(world.files(&world.resolve("a", at(&commit)).unwrap()), ["x 644 1"]);
    assert!(world.resolve("a", GitRef::Branch("main".to_owned())).is_ok());
}

/// Credentials that this machine's configuration puts into an address are in no message.
#[test]
fn messages_hold_no_credentials() {
    let world = World::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!("[url \"http://user:s3cret@127.0.0.1:{port}/\"]\ninsteadOf = https://git.example/\n");
    world.write("home/.gitconfig", config.as_bytes());
    for at in [at(ABSENT), GitRef::Tag("v1".to_owned())] {
        let said = world.refused("https://git.example/a", at);
        assert!(said.contains("127.0.0.1") && !said.contains("s3cret") && !said.contains("user"), "{said}");
    }
}
