use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use selfsame_http::Environment;

use crate::auth_file::{AuthFile, Found};
use crate::{Credentials, Login};

fn file(text: &str) -> AuthFile {
    AuthFile::parse(Path::new("config.json"), text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn encoded(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// `user:password`, `identity token`, `helper name for server` or `-`.
#[track_caller]
fn finds(file: &AuthFile, host: &str, repository: &str, expected: &str) {
    let found = match file.find(&host.parse().unwrap(), repository) {
        None => "-".to_owned(),
        Some(Found::Login(Login::Password { user, password })) => format!("{user}:{password}"),
        Some(Found::Login(Login::Identity(token))) => format!("identity {token}"),
        Some(Found::Login(Login::Bearer(token))) => format!("bearer {token}"),
        Some(Found::Helper { name, server }) => format!("helper {name} for {server}"),
    };
    assert_eq!(found, expected, "{host}/{repository}");
}

#[test]
fn logins_by_registry_however_it_is_spelled() {
    let file = file(&format!(
        r#"{{ "auths": {{
            "plain.example": {{ "auth": "{}" }},
            "https://scheme.example/v2/": {{ "auth": "{}" }},
            "https://Port.example:5000": {{ "username": "u", "password": "p:q" }},
            "identity.example": {{ "auth": "{}", "identitytoken": "it" }},
            "registry-token.example": {{ "registrytoken": "rt" }},
            "empty.example": {{}},
            "null.example": null,
            "padded.example": {{ "auth": "{}" }},
            "https://index.default.example/v1/": {{ "auth": "{}" }}
        }}, "HttpHeaders": {{ "X": "y" }} }}"#,
        encoded("a:b"),
        encoded("c:d:e"),
        encoded("f:"),
        encoded("g:h\0\0"),
        encoded("i:j"),
    ));
    finds(&file, "plain.example", "x", "a:b");
    finds(&file, "plain.example:5000", "x", "-");
    finds(&file, "sub.plain.example", "x", "-");
    finds(&file, "scheme.example", "x/y", "c:d:e");
    finds(&file, "port.example:5000", "x", "u:p:q");
    finds(&file, "port.example", "x", "-");
    finds(&file, "identity.example", "x", "identity it");
    finds(&file, "registry-token.example", "x", "bearer rt");
    finds(&file, "empty.example", "x", "-");
    finds(&file, "null.example", "x", "-");
    finds(&file, "padded.example", "x", "g:h");
    // Docker's spelling for its own registry, which is asked under another name of the same domain.
    finds(&file, "registry-1.default.example", "library/x", "i:j");
    finds(&file, "registry-1.default.example:444", "library/x", "-");
    finds(&file, "default.example.test", "library/x", "-");
}

#[test]
fn the_longest_path_wins() {
    let file = file(&format!(
        r#"{{ "auths": {{ "r.example": {{ "auth": "{}" }}, "r.example/team": {{ "auth": "{}" }},
             "r.example/team/app": {{ "auth": "{}" }} }} }}"#,
        encoded("all:1"),
        encoded("team:2"),
        encoded("app:3"),
    ));
    finds(&file, "r.example", "other", "all:1");
    finds(&file, "r.example", "teams", "all:1");
    finds(&file, "r.example", "team/other", "team:2");
    finds(&file, "r.example", "team/app", "app:3");
    finds(&file, "r.example", "team/app/part", "app:3");
}

#[test]
fn helpers_before_passwords_and_the_store_for_the_rest() {
    let file = file(&format!(
        r#"{{ "auths": {{ "helped.example": {{ "auth": "{}" }}, "kept.example": {{ "auth": "{}" }}, "https://listed.example/v1/": {{}} }},
             "credHelpers": {{ "helped.example": "cloud", "none.example": "" }}, "credsStore": "chain" }}"#,
        encoded("a:b"),
        encoded("c:d"),
    ));
    finds(&file, "helped.example", "x", "helper cloud for helped.example");
    finds(&file, "kept.example", "x", "c:d");
    finds(&file, "listed.example", "x", "helper chain for https://listed.example/v1/");
    finds(&file, "none.example", "x", "helper chain for none.example");
    finds(&file, "unknown.example:1", "x", "helper chain for unknown.example:1");
}

#[test]
fn faults_do_not_repeat_secrets() {
    for (text, expected) in [
        (
            r#"{ "auths": { "r.example": { "auth": "not*base64-secret" } } }"#,
            "has an `auth` that is not base64 of `r.example`",
        ),
        (r#"{ "auths": { "r.example": { "auth": "c2VjcmV0" } } }"#, "has an `auth` without a `:` of `r.example`"),
        (r#"{ "auths": { "r.example": { "auth": "/////w==" } } }"#, "has an `auth` that is not UTF-8 of `r.example`"),
        (r#"{ "auths": { "r.example": "secret" } }"#, "is not a docker configuration: line 1, column"),
        (r#"{ "auths": secret } }"#, "is not a docker configuration: line 1, column"),
    ] {
        let error = AuthFile::parse(Path::new("config.json"), text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    let login = Login::Password { user: "u".to_owned(), password: "secret".to_owned() };
    assert_eq!(format!("{login:?} {:?}", Login::Identity("secret".to_owned())), "Password(..) Identity(..)");
}

#[test]
fn files_are_found_by_the_environment_in_their_order() {
    let home = tempfile::tempdir().unwrap();
    let write = |path: &str, user: &str| {
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = format!(
            r#"{{ "auths": {{ "r.example": {{ "auth": "{}" }}, "{user}.example": {{ "auth": "{0}" }} }} }}"#,
            encoded(&format!("{user}:x"))
        );
        std::fs::write(path, text).unwrap();
    };
    write(".docker/config.json", "home");
    write("docker/config.json", "docker");
    write("run/containers/auth.json", "run");
    write(".config/containers/auth.json", "config");
    write("named.json", "named");
    let user = |variables: &[(&str, &str)], host: &str| {
        let mut environment = Environment::default();
        for (name, value) in variables {
            environment.variables.insert((*name).into(), home.path().join(value).into());
        }
        let login = Credentials::read(&environment).unwrap().login(&host.parse().unwrap(), "x").unwrap();
        login.map(|login| match login {
            Login::Password { user, .. } => user,
            other => panic!("{other:?}"),
        })
    };
    let all =
        [("HOME", ""), ("DOCKER_CONFIG", "docker"), ("XDG_RUNTIME_DIR", "run"), ("REGISTRY_AUTH_FILE", "named.json")];
    assert_eq!(user(&all, "r.example").as_deref(), Some("named"));
    assert_eq!(user(&all, "docker.example").as_deref(), Some("docker"));
    assert_eq!(user(&all, "home.example"), None, "DOCKER_CONFIG replaces ~/.docker");
    assert_eq!(user(&all[..3], "r.example").as_deref(), Some("run"));
    assert_eq!(user(&all[..2], "r.example").as_deref(), Some("config"));
    assert_eq!(user(&all[..1], "home.example").as_deref(), Some("home"));
    assert_eq!(user(&[], "r.example"), None);
}
