//! What files of a source pin, by whatever hash, on machines that have nothing but the checkout and the shared store; and
//! for a release, by what its provenance names.

use std::fs;
use std::path::Path;

use selfsame_core::{Digest, Sha512Digest};
use selfsame_testing::TestEnv;
use selfsame_testing::server::{Answer, Server};

use crate::world::{DEV_KEY, build, definition, empty, files_below, sandboxed};

const GO_MOD: &[u8] = b"module plum.example/go\n";

fn targz(name: &str, text: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_ustar();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, text.as_bytes()).expect("memory");
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("memory")
}

fn apple() -> Vec<u8> {
    targz("apple-1.0/PKG-INFO", "Metadata-Version: 2.1\nName: apple\nVersion: 1.0\nLicense: MIT\n")
}

fn pear() -> Vec<u8> {
    targz("package/package.json", "{\"name\":\"pear\",\"version\":\"1.0.0\",\"license\":\"MIT\"}")
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| -> String {
        let number = (0..3).fold(0_u32, |number, at| number << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        let letter = |at: usize| char::from(LETTERS[(number >> (18 - 6 * at)) as usize & 63]);
        (0..4).map(|at| if at <= group.len() { letter(at) } else { '=' }).collect()
    };
    bytes.chunks(3).map(group).collect()
}

/// An index of Python packages, a registry of npm and a proxy of go.
fn origin() -> Server {
    Server::http(|asked| match asked.path() {
        "/simple/apple/" => {
            let link = format!(
                "<a href=\"/files/apple-1.0.tar.gz#sha256={}\">apple-1.0.tar.gz</a>",
                Digest::of(&apple()).hex()
            );
            Answer::ok(link).header("content-type", "text/html")
        }
        "/files/apple-1.0.tar.gz" => Answer::ok(apple()),
        "/npm/pear/-/pear-1.0.0.tgz" => Answer::ok(pear()),
        "/go/plum.example/go/@v/v1.0.0.mod" => Answer::ok(GO_MOD),
        _ => Answer::status(404),
    })
}

/// The files of a project whose three inputs are pinned by SHA-256, SHA-512 and `h1:`.
fn project(env: &TestEnv) {
    let action = "script = \"ls /inputs/python /inputs/go > out\"\ninputs = [\"source\", \"python\", \"node\", \"go\"]\noutputs = [\"out\"]";
    let inputs = "\n[input.python]\npypi = \"requirements.txt\"\npython = \"3.11\"\n\n[input.node]\nnpm = \"package-lock.json\"\n\n[input.go]\ngo = \"go.sum\"\n";
    env.write("selfsame.toml", definition(action) + inputs);
    env.write("requirements.txt", format!("apple==1.0 --hash=sha256:{}\n", Digest::of(&apple()).hex()));
    let hex = Sha512Digest::of(&pear()).hex();
    let sha512: Vec<u8> = (0..64).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("a byte")).collect();
    let sha512 = base64(&sha512);
    let package = format!(
        "{{\"version\":\"1.0.0\",\"resolved\":\"https://r.example/pear/-/pear-1.0.0.tgz\",\"integrity\":\"sha512-{sha512}\"}}"
    );
    env.write(
        "package-lock.json",
        format!("{{\"name\":\"x\",\"lockfileVersion\":3,\"packages\":{{\"\":{{\"name\":\"x\"}},\"node_modules/pear\":{package}}}}}"),
    );
    let list = format!("{}  go.mod\n", Digest::of(GO_MOD).hex());
    env.write(
        "go.sum",
        format!("plum.example/go v1.0.0/go.mod h1:{}\n", base64(Digest::of(list.as_bytes()).as_bytes())),
    );
}

/// A machine whose tools ask the origin.
fn asks(env: &mut TestEnv, origin: &Server) {
    env.set("PIP_INDEX_URL", origin.url("/simple"))
        .set("PIP_CONFIG_FILE", "/dev/null")
        .set("npm_config_registry", origin.url("/npm/"))
        .set("GOPROXY", origin.url("/go"));
}

fn share_all(env: &TestEnv, remote: &Path) {
    let folder = env.at("home/.config/selfsame");
    fs::create_dir_all(&folder).expect("a folder");
    let text = format!("[store]\nremote = \"{}\"\nshare = \"all\"\n", remote.display());
    fs::write(folder.join("origins.toml"), text).expect("a file");
}

#[test]
fn pins_of_every_hash_are_had_from_the_shared_store_alone() {
    let (origin, folder) = (origin(), tempfile::tempdir().expect("a folder"));
    let mut here = empty();
    asks(&mut here, &origin);
    project(&here);
    share_all(&here, folder.path());
    here.selfsame(["fetch"]).succeeds().says("share 1 file, ").says("3 inputs are in the store");
    assert_eq!(files_below(&folder.path().join("pins")).len(), 3, "one document for each input");

    let there = empty();
    project(&there);
    share_all(&there, folder.path());
    there.selfsame(["fetch", "--offline"]).succeeds().says("from the shared store").says("3 inputs are in the store");
    // The next time nobody is asked.
    fs::remove_file(there.at("home/.config/selfsame/origins.toml")).expect("a file");
    there.selfsame(["fetch", "--offline"]).succeeds();

    // Documents that name other files: what they name answers no pin.
    let stranger = Digest::of(b"stranger").hex();
    let path = folder.path().join("blobs/sha256").join(&stranger[..2]).join(&stranger);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, "stranger").expect("a file");
    for path in files_below(&folder.path().join("pins")) {
        let mut document: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
        for file in document["files"].as_array_mut().expect("files") {
            (file["sha256"], file["size"]) = (format!("sha256:{stranger}").into(), 8.into());
        }
        fs::write(&path, document.to_string()).expect("a file");
    }
    let third = empty();
    project(&third);
    share_all(&third, folder.path());
    third.selfsame(["fetch", "--offline"]).exits(2).says("not here, and the network may not be used");
}

#[test]
fn sandbox_a_build_shares_pins_and_a_fetch_for_its_release_brings_them() {
    let Some(mut here) = sandboxed() else { return };
    let (origin, folder) = (origin(), tempfile::tempdir().expect("a folder"));
    asks(&mut here, &origin);
    project(&here);
    share_all(&here, folder.path());
    build(&here, &[]).succeeds().says("share 1 file, ");
    let release = here.at("project/probe-1.0.0.release").display().to_string();
    let key = here.at(DEV_KEY).display().to_string();

    // By name from the origins of this machine, without a shared store.
    let mut there = empty();
    there.selfsame(["rebuild-verify", &release, "--key", &key]).exits(2).says("input python, apple 1.0");
    asks(&mut there, &origin);
    there.selfsame(["fetch", &release]).succeeds().says("3 inputs are in the store");
    there.selfsame(["rebuild-verify", &release, "--key", &key, "--offline"]).succeeds();

    // From the shared store alone.
    let third = empty();
    share_all(&third, folder.path());
    third.selfsame(["fetch", &release]).succeeds().says("from the shared store");
    third.selfsame(["rebuild-verify", &release, "--key", &key, "--offline"]).succeeds();
}
