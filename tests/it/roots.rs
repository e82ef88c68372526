//! A compiler that no package owns: a folder of this machine, named in the definition, seen at `/toolchain/NAME`.

use std::fs;

use crate::world::{DEV_KEY, RELEASE, build, sandboxed, verify};

const DEFINITION: &str = r#"name = "probe"
version = "1.0.0"
license = "MIT"
[source]
epoch = 1700000000
[toolchain.greeter]
host = true
root = "~/sdk/greeter"
[[action]]
name = "make"
run = ["greet", "seed", "out"]
outputs = ["out"]
[image]
[[image.file]]
from = "make:out"
to = "/out"
"#;

#[test]
fn sandbox_a_folder_below_the_home_folder_is_a_toolchain() {
    let Some(env) = sandboxed() else { return };
    env.write("seed", "a seed\n");
    env.write("selfsame.toml", DEFINITION);
    let sdk = env.at("home/sdk/greeter");
    fs::create_dir_all(sdk.join("bin")).expect("a folder");
    fs::create_dir_all(sdk.join("share")).expect("a folder");
    fs::write(sdk.join("share/greeting"), "hello from ").expect("a file");
    let program = sdk.join("bin/greet");
    fs::write(
        &program,
        "#!/bin/sh -eu\nhere=${0%/bin/*}\ncat \"$here/share/greeting\" \"$1\" > \"$2\"\necho \"$here\" >> \"$2\"\n",
    )
    .expect("a file");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    fs::write(env.at("home/secret"), "not for builds").expect("a file");

    build(&env, &[]).succeeds();
    let lock = fs::read_to_string(env.project().join("selfsame.host.lock")).expect("a host lock");
    assert!(lock.contains("root = \"~/sdk/greeter\"\n"), "{lock}");
    verify(&env, RELEASE).succeeds();
    let listed = env.selfsame(["toolchain", "show", "greeter", "--files"]);
    listed.succeeds();
    let files = &listed.stdout;
    assert!(files.contains("toolchain/greeter/bin/greet") && !files.contains("secret"), "{files}");

    // The release is made again from the folder of this machine, by digest, and not without it.
    let again = |env: &selfsame_testing::TestEnv| {
        let key = env.at(DEV_KEY).into_os_string();
        env.selfsame(["rebuild-verify".into(), env.at(RELEASE).into_os_string(), "--key".into(), key])
    };
    fs::remove_dir_all(env.store()).expect("the store");
    let same = again(&env);
    assert!(same.succeeds().stdout.contains("same"), "{}", same.stdout);
    fs::remove_dir_all(env.store()).expect("the store");
    fs::write(sdk.join("share/greeting"), "other words ").expect("a file");
    let refused = again(&env);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("toolchain greeter, /toolchain/greeter/share/greeting"), "{}", refused.stderr);
    fs::write(sdk.join("share/greeting"), "hello from ").expect("a file");

    // Another folder is another toolchain: the host lock no longer answers, and the build records it anew.
    fs::rename(env.at("home/sdk"), env.at("home/kit")).expect("a rename");
    env.write("selfsame.toml", DEFINITION.replace("~/sdk/", "~/kit/"));
    build(&env, &["-o", "moved.release"]).succeeds().says("observe");
}
