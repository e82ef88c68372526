//! `selfsame check`: whether the inputs of a release can still be had, asked of the indexes of this machine, of the
//! addresses of a definition that somebody vouched for, and of the shared store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use selfsame_core::Digest;
use selfsame_testing::server::{Answer, Server};
use selfsame_testing::{Output, TestEnv};
use serde_json::Value;

use crate::push_world::{Registry, push};
use crate::world::{DEV_KEY, build, definition, one_error, sandboxed};

const DATA: &[u8] = b"some data\n";

/// A source distribution of a package.
fn sdist(name: &str) -> Vec<u8> {
    let text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nLicense: MIT\n");
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_ustar();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, format!("{name}-1.0/PKG-INFO"), text.as_bytes()).expect("memory");
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("memory")
}

/// What the index is like.
const WHOLE: usize = 0;
const WITHOUT_PEAR: usize = 1;
const BUSY: usize = 2;
const GONE: usize = 3;

/// An index of Python packages and a file.
fn origin(state: &Arc<AtomicUsize>) -> Server {
    let state = Arc::clone(state);
    Server::http(move |asked| {
        let state = state.load(Ordering::SeqCst);
        let path = asked.path();
        let name = ["apple", "pear"].into_iter().find(|name| path.contains(name));
        match (state, name) {
            (BUSY, _) => Answer::status(503).header("Retry-After", "0"),
            (GONE, _) | (WITHOUT_PEAR, Some("pear")) => Answer::status(404),
            (_, Some(name)) if path.starts_with("/simple/") => {
                let file = format!("{name}-1.0.tar.gz");
                let link = format!("<a href=\"/files/{file}#sha256={}\">{file}</a>", Digest::of(&sdist(name)).hex());
                Answer::ok(link).header("content-type", "text/html")
            }
            (_, Some(name)) => Answer::ok(sdist(name)),
            (_, None) if path == "/data.bin" => Answer::ok(DATA),
            _ => Answer::status(404),
        }
    })
}

/// A release of a script and inputs of two kinds, without its inputs in a registry.
fn pushed(origin: &Server, registry: &Registry) -> Option<(TestEnv, String)> {
    let mut env = sandboxed()?;
    env.set("PIP_INDEX_URL", origin.url("/simple")).set("PIP_CONFIG_FILE", "/dev/null");
    let action = "script = \"cat /inputs/data/data.bin > out; ls > /dev/null\"\ninputs = [\"source\", \"data\", \"wheels\"]\noutputs = [\"out\"]";
    let inputs = format!(
        "\n[input.wheels]\npypi = [\"apple==1.0\", \"pear==1.0\"]\n\n[input.data]\nfile = \"{}\"\n",
        origin.url("/data.bin")
    );
    env.write("selfsame.toml", definition(action) + &inputs);
    build(&env, &[]).succeeds();
    let reference = registry.reference("1.0");
    push(&env, &reference, &["--with-capsule"]).succeeds();
    Some((env, reference))
}

fn group(output: &Output, name: &str) -> Value {
    let report = output.json();
    let groups = report["groups"].as_array().expect("groups").clone();
    groups.into_iter().find(|group| group["name"] == name).unwrap_or_else(|| panic!("no group `{name}`: {report}"))
}

fn counts(group: &Value) -> [u64; 4] {
    ["there", "absent", "unknown", "total"].map(|key| group[key].as_u64().expect("a number"))
}

#[test]
fn sandbox_each_input_is_asked_for_where_it_is_had() {
    let state = Arc::new(AtomicUsize::new(WHOLE));
    let (origin, registry) = (origin(&state), Registry::new());
    let Some((env, reference)) = pushed(&origin, &registry) else { return };
    std::fs::remove_dir_all(env.store()).expect("a store that is not asked");
    let key = env.at(DEV_KEY).display().to_string();
    let check = |more: &[&str]| env.selfsame(["check", &reference].iter().chain(more));

    // The indexes are this machine's own. The address of a file is the release's, and nobody vouched for it.
    let stranger = check(&["--json"]);
    assert_eq!(counts(&group(&stranger, "wheels")), [2, 0, 0, 2], "{}", stranger.stdout);
    assert_eq!(counts(&group(&stranger, "data")), [0, 0, 1, 1], "{}", stranger.stdout);
    let before = origin.asked().len();
    let known = check(&["--json", "--key", &key]);
    known.exits(1);
    assert_eq!(counts(&group(&known, "data")), [1, 0, 0, 1], "{}", known.stdout);
    assert_eq!(counts(&group(&known, "project"))[1], 1, "the host's files are nowhere else: {}", known.stdout);
    let asked = origin.asked();
    assert!(asked[before..].iter().all(|asked| asked.method == "HEAD" || asked.path().starts_with("/simple/")));
    assert!(asked[before..].iter().any(|asked| asked.path() == "/data.bin"), "{asked:?}");

    state.store(WITHOUT_PEAR, Ordering::SeqCst);
    let output = check(&[]);
    output.exits(1).says("hint: a release that was built with `selfsame build --capsule`");
    let text = &output.stdout;
    assert!(text.contains("  wheels (pypi): 1 of 2 can be had\n"), "{text}");
    assert!(text.contains("absent   pear 1.0: in no capsule, and its origin does not have it any more"), "{text}");
    assert!(!text.contains("apple") && !text.contains("pkg:"), "what is there needs no line: {text}");
    let rows = check(&["--json"]).json()["rows"].clone();
    let uris: Vec<&str> = rows.as_array().expect("rows").iter().filter_map(|row| row["uri"].as_str()).collect();
    assert!(uris.iter().any(|uri| uri.starts_with("pkg:pypi/pear@1.0?file_name=")), "{uris:?}");

    // Whoever is offline is asked nothing; whoever is busy may be asked later.
    state.store(BUSY, Ordering::SeqCst);
    one_error(check(&[]).exits(3));
    let folder = env.at("project/probe-1.0.0.release").display().to_string();
    let offline = env.selfsame(["check", &folder, "--offline", "--json"]);
    assert_eq!(counts(&group(&offline, "wheels")), [0, 0, 2, 2], "{}", offline.stdout);
}

#[test]
fn sandbox_what_the_shared_store_has_is_asked_of_nobody_else() {
    let state = Arc::new(AtomicUsize::new(WHOLE));
    let (origin, registry) = (origin(&state), Registry::new());
    let Some((env, reference)) = pushed(&origin, &registry) else { return };
    let shared = env.at("shared");
    std::fs::create_dir(&shared).expect("a folder");
    let origins = env.at("home/.config/selfsame/origins.toml");
    std::fs::create_dir_all(origins.parent().expect("a folder")).expect("a folder");
    std::fs::write(origins, format!("[store]\nremote = \"{}\"\n", shared.display())).expect("a file");
    state.store(GONE, Ordering::SeqCst);
    let output = env.selfsame(["check", &reference, "--json"]);
    assert_eq!(counts(&group(&output, "wheels")), [0, 2, 0, 2], "{}", output.stdout);
    for bytes in [sdist("apple"), sdist("pear")] {
        let hex = Digest::of(&bytes).hex();
        let path = shared.join("blobs/sha256").join(&hex[..2]).join(&hex);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
    let output = env.selfsame(["check", &reference, "--json"]);
    assert_eq!(counts(&group(&output, "wheels")), [2, 0, 0, 2], "{}", output.stdout);
}
