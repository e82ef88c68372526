//! Releases of strangers: what a release says that nobody vouched for reaches no file of this machine.

use std::fs;

use selfsame_core::{Digest, media};
use selfsame_testing::server::{Answer, Server};

use crate::world::{ONE_FILE, assert_nothing_left, build, empty, one_error};

#[test]
fn fetch_for_a_release_opens_no_file_that_its_inputs_name() {
    let env = empty();
    env.write("src/a", "a\n");
    env.write("selfsame.toml", ONE_FILE);
    build(&env, &["-o", "first.release"]).succeeds();
    env.write("note", "of the one who built it\n");
    for (kind, location) in [("file", "note"), ("oci", "oci:first.release:1.0.0")] {
        let (store, release) = (env.store(), format!("{kind}.release"));
        env.write("selfsame.toml", format!("{ONE_FILE}\n[input.local]\n{kind} = \"{location}\"\n"));
        env.selfsame(["lock"]).succeeds();
        build(&env, &["-o", &release]).succeeds();
        fs::remove_dir_all(&store).expect("a store to begin anew with");
        let output = env.selfsame(["fetch", &release]);
        let error = one_error(output.exits(2));
        let path = location.trim_start_matches("oci:").trim_end_matches(":1.0.0");
        assert!(error.contains(&format!("input `local`: `{path}` was a file of its builder")), "{error}");
        fs::remove_dir_all(&store).expect("a store to begin anew with");
    }
}

#[test]
fn an_index_of_a_registry_is_not_followed_to_thousands_of_images() {
    let env = empty();
    let entry = format!(r#"{{"mediaType":"{}","digest":"{}","size":2}}"#, media::MANIFEST, Digest::of(b"{}"));
    let entries = vec![entry; 300].join(",");
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{entries}]}}"#, media::INDEX);
    let server = Server::http(move |asked| match asked.path() {
        "/v2/" => Answer::ok("{}"),
        "/v2/app/manifests/1" => Answer::ok(index.clone()).header("content-type", media::INDEX),
        _ => Answer::status(404),
    });
    let output = env.selfsame(["pull", &format!("{}/app:1", server.address()), "-o", "pulled"]);
    let error = one_error(output.exits(2));
    assert!(error.contains("it lists 300 images; at most 256 are read"), "{error}");
    assert!(server.asked().len() < 10, "{} requests", server.asked().len());
    assert_nothing_left(&env);
}
