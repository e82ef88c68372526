use std::path::Path;

use selfsame_http::{Environment, Origins};

use crate::configuration::Configuration;
use crate::containers_conf::ContainersConf;
use crate::docker_daemon::DockerDaemon;
use crate::{Place, Reference, RegistryError, Scheme};

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn configuration(origins: &str, daemon: &str, containers: &str) -> Configuration {
    let origins = Origins::parse(origins, Path::new("/")).unwrap();
    let daemon = match daemon {
        "" => DockerDaemon::default(),
        text => DockerDaemon::parse(Path::new("daemon.json"), text.as_bytes()).unwrap(),
    };
    let mut conf = ContainersConf::default();
    conf.add(Path::new("registries.conf"), containers.as_bytes()).unwrap();
    Configuration::new(&origins, daemon, conf)
}

fn print(place: &Place) -> String {
    let scheme = match place.scheme {
        Scheme::Https => "",
        Scheme::Http => "http ",
        Scheme::Either => "either ",
    };
    format!("{scheme}{}/{}", place.host, place.repository)
}

/// The places in their order, or what is wrong.
#[track_caller]
fn pulls(configuration: &Configuration, reference: &str, expected: &str) {
    let reference: Reference = reference.parse().unwrap();
    let found = match configuration.to_pull(&reference) {
        Ok(places) => places.iter().map(print).collect::<Vec<_>>().join(", "),
        Err(error) => format!("error: {error}"),
    };
    assert_eq!(found, expected, "{reference}");
}

#[test]
fn nothing_is_built_in() {
    let bare = configuration("", "", "");
    pulls(
        &bare,
        "debian:12",
        "error: `debian:12` names no registry, and this machine's configuration has none for such names",
    );
    pulls(&bare, "r.example/debian:12", "r.example/debian");
    pulls(&bare, "localhost:5000/debian", "either localhost:5000/debian");
    pulls(&bare, "[::1]/debian", "either [::1]/debian");
}

#[test]
fn our_own_origins_come_first() {
    let text = r#"
        [origin.docker]
        upstream = ["https://mirror.example/hub", "http://127.0.0.1:5001", "https://default.example"]
        aliases = ["alias.example"]
        [origin."other.example"]
        upstream = ["https://proxy.example:8443/v2/other"]
    "#;
    let own = configuration(
        text,
        r#"{ "registry-mirrors": ["https://unused.example"] }"#,
        "unqualified-search-registries = ['unused.example']",
    );
    let all = "mirror.example/hub/library/debian, http 127.0.0.1:5001/library/debian, default.example/library/debian";
    pulls(&own, "debian", all);
    pulls(&own, "alias.example/debian", all);
    pulls(&own, "team/app", "mirror.example/hub/team/app, http 127.0.0.1:5001/team/app, default.example/team/app");
    pulls(&own, "other.example/a/b", "proxy.example:8443/other/a/b");
    pulls(&own, "third.example/a/b", "third.example/a/b");
}

#[test]
fn docker_mirrors_then_aliases_or_search() {
    let conf = r#"
        unqualified-search-registries = ["one.example", "two.example"]
        [aliases]
        "busybox" = "long.example/team/busybox"
    "#;
    let plain = configuration("", "", conf);
    pulls(&plain, "debian:12", "one.example/debian, two.example/debian");
    pulls(&plain, "busybox", "long.example/team/busybox");
    let mirrored =
        configuration("", r#"{ "registry-mirrors": ["https://mirror.example/", "http://10.0.0.1:5000"] }"#, conf);
    pulls(
        &mirrored,
        "busybox",
        "mirror.example/library/busybox, http 10.0.0.1:5000/library/busybox, long.example/team/busybox",
    );
}

#[test]
fn rules_by_their_longest_prefix() {
    let conf = r#"
        [[registry]]
        prefix = "r.example"
        location = "moved.example:444/base"
        [[registry.mirror]]
        location = "m1.example/x"
        [[registry.mirror]]
        location = "m2.example"
        pull-from-mirror = "digest-only"
        insecure = true
        [[registry.mirror]]
        location = "m3.example"
        pull-from-mirror = "tag-only"

        [[registry]]
        prefix = "r.example/team"
        location = "team.example"

        [[registry]]
        location = "r.example/team/secret"
        blocked = true

        [[registry]]
        prefix = "*.wild.example"
        insecure = true
    "#;
    let configuration = configuration("", "", conf);
    pulls(&configuration, "r.example/a:1", "m1.example/x/a, m3.example/a, moved.example:444/base/a");
    pulls(
        &configuration,
        &format!("r.example/a@sha256:{HEX}"),
        "m1.example/x/a, either m2.example/a, moved.example:444/base/a",
    );
    pulls(&configuration, "r.example/team/b/c", "team.example/b/c");
    pulls(
        &configuration,
        "r.example/teams/b",
        "m1.example/x/teams/b, m3.example/teams/b, moved.example:444/base/teams/b",
    );
    pulls(
        &configuration,
        "r.example/team/secret/x",
        "error: `r.example` is blocked by the configuration of this machine",
    );
    pulls(&configuration, "a.b.wild.example:81/x", "either a.b.wild.example:81/x");
    pulls(&configuration, "wild.example/x", "wild.example/x");
    // A location of a whole repository: the name is all in front.
    pulls(
        &configuration,
        "r.example/team",
        "error: a registry that this machine's configuration names cannot be asked",
    );
}

#[test]
fn pushing_goes_to_the_registry_itself() {
    let conf =
        "[[registry]]\nprefix = 'r.example'\nlocation = 'moved.example'\n[[registry.mirror]]\nlocation = 'm.example'\n";
    let configuration = configuration("[origin.docker]\nupstream = 'https://mirror.example'\n", "", conf);
    let to = |text: &str| configuration.to_push(&text.parse().unwrap());
    assert_eq!(print(&to("r.example/a").unwrap()), "moved.example/a");
    assert_eq!(print(&to("127.0.0.1:5000/a").unwrap()), "either 127.0.0.1:5000/a");
    assert!(matches!(to("debian"), Err(RegistryError::NoRegistry { .. })));
}

#[test]
fn plain_http_only_where_the_machine_says_so() {
    let daemon = r#"{ "insecure-registries": ["plain.example:5000", "10.0.0.0/8", "fd00::/8", "http://any.example"] }"#;
    let configuration = configuration("", daemon, "");
    for (reference, expected) in [
        ("plain.example:5000/a", "either plain.example:5000/a"),
        ("plain.example/a", "plain.example/a"),
        ("any.example:81/a", "either any.example:81/a"),
        ("10.1.2.3/a", "either 10.1.2.3/a"),
        ("11.1.2.3/a", "11.1.2.3/a"),
        ("[fd12::1]/a", "either [fd12::1]/a"),
        ("[fe12::1]/a", "[fe12::1]/a"),
    ] {
        pulls(&configuration, reference, expected);
    }
}

#[test]
fn files_are_found_by_the_environment() {
    let home = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(".config/containers/registries.conf", "unqualified-search-registries = ['old.example']\n");
    write(
        ".config/containers/registries.conf.d/10-a.conf",
        "unqualified-search-registries = ['new.example']\n[aliases]\n'x' = 'a.example/x'\n",
    );
    write(".config/containers/registries.conf.d/20-b.conf", "[aliases]\n'x' = 'b.example/y'\n");
    write(".config/containers/registries.conf.d/30-c.txt", "no conf = at all\n");
    write(".config/docker/daemon.json", r#"{ "registry-mirrors": ["https://m.example"] }"#);
    let mut environment = Environment::default();
    environment.variables.insert("HOME".into(), home.path().into());
    let read = Configuration::read(&environment, &Origins::default()).unwrap();
    pulls(&read, "x", "m.example/library/x, b.example/y");
    pulls(&read, "unheard-of-name", "m.example/library/unheard-of-name, new.example/unheard-of-name");

    write(".config/containers/registries.conf.d/40-d.conf", "[[registry]\n");
    let error = Configuration::read(&environment, &Origins::default()).unwrap_err().to_string();
    assert!(error.contains("40-d.conf` is not read"), "{error}");
}
