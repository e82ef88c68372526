use std::os::unix::fs::PermissionsExt;

use selfsame_http::Environment;

use crate::{Login, helper};

/// A folder with one `docker-credential-test`, as PATH.
fn with(script: &str) -> (tempfile::TempDir, Environment) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker-credential-test");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut environment = Environment::default();
    let folders = std::env::join_paths([folder.path(), "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
    environment.variables.insert("PATH".into(), folders);
    environment.variables.insert("MARK".into(), "given".into());
    (folder, environment)
}

#[test]
fn the_question_goes_in_by_stdin_and_not_by_argv() {
    let (_folder, environment) = with(
        r#"[ "$*" = get ] || exit 9
read -r server
printf '{"ServerURL":"%s","Username":"%s","Secret":"for %s"}' "$server" "$MARK" "$server""#,
    );
    let login = helper::ask("test", "r.example:5000", &environment).unwrap();
    let expected = Login::Password { user: "given".to_owned(), password: "for r.example:5000".to_owned() };
    assert!(login == Some(expected), "{login:?}");
}

#[test]
fn identity_tokens_and_nothing_known() {
    let (_folder, environment) = with(r#"echo '{"Username":"<token>","Secret":"t"}'"#);
    assert!(helper::ask("test", "x", &environment).unwrap() == Some(Login::Identity("t".to_owned())));
    let (_folder, environment) = with("echo credentials not found in native keychain; exit 1");
    assert!(helper::ask("test", "x", &environment).unwrap().is_none());
    let (_folder, environment) = with(r#"echo '{"Username":"","Secret":""}'"#);
    assert!(helper::ask("test", "x", &environment).unwrap().is_none());
}

#[test]
fn helpers_that_fail_are_named_without_what_they_know() {
    let (_folder, environment) = with("echo the chain is locked; exit 3");
    let error = helper::ask("test", "x", &environment).unwrap_err().to_string();
    assert_eq!(
        error,
        "credential helper `docker-credential-test` ended with exit status: 3 and says `the chain is locked`"
    );
    for script in [
        r#"echo '{"Username":"u","Secret":"hidden"'"#,
        r#"echo '{"Username":"u","Secret":"hidden"}'; exit 1"#,
        "echo hidden",
        "yes hidden",
    ] {
        let (_folder, environment) = with(script);
        let error = helper::ask("test", "x", &environment).unwrap_err().to_string();
        assert!(
            error.starts_with("credential helper `docker-credential-test` ") && !error.contains("hidden"),
            "{error}"
        );
    }
    let fault = |name: &str| helper::ask(name, "x", &environment).unwrap_err().to_string();
    assert!(fault("absent").ends_with("is not in any folder of PATH"));
    assert!(fault("../test").ends_with("has a name that no program has"));
}
