//! The real registry, and npm as the judge. Tier `network`.

use std::path::Path;
use std::process::Command;

use selfsame_core::RelPath;
use selfsame_definition::NpmSpec;

use super::super::{describe, fetch, pins, tree};
use crate::kinds::pinned::world::{World, network_is_wanted};

fn npm(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("npm").args(arguments).current_dir(folder).output().expect("npm is there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn npm_ci_works_offline_from_what_is_laid_out() {
    if !network_is_wanted() {
        return;
    }
    // With and without addresses in the lock.
    for omit in ["--omit-lockfile-registry-resolved=true", "--omit-lockfile-registry-resolved=false"] {
        let world = World::real();
        let project = world.path("project");
        std::fs::create_dir_all(&project).unwrap();
        let manifest = "{\"name\":\"app\",\"version\":\"1.0.0\",\"dependencies\":{\"express\":\"5.1.0\",\"esbuild\":\"0.25.10\",\"@babel/parser\":\"7.28.4\",\"JSONStream\":\"1.3.5\"}}";
        std::fs::write(project.join("package.json"), manifest).unwrap();
        let first = world.path("first-cache");
        let first = format!("--cache={}", first.display());
        npm(&project, &["install", "--package-lock-only", "--ignore-scripts", omit, &first]);
        let lock = std::fs::read_to_string(project.join("package-lock.json")).unwrap();
        assert_eq!(lock.contains("\"resolved\""), omit.ends_with("false"));

        let mut world = World::real();
        std::fs::create_dir_all(world.path("project")).unwrap();
        let project = world.path("project");
        std::fs::write(project.join("package.json"), manifest).unwrap();
        std::fs::write(project.join("package-lock.json"), &lock).unwrap();
        let source = world.source(&[("package-lock.json", &lock)]);
        let spec = NpmSpec { lock: RelPath::new("package-lock.json").unwrap() };
        let parts = world.with(|cx| pins("x", &spec, &source, cx)).unwrap();
        assert!(parts.len() > 60, "{}", parts.len());
        assert_eq!(parts.iter().filter(|part| part.purl.as_str().contains("%40esbuild")).count(), 1, "one platform's");
        world.offline = true;
        assert_eq!(world.with(|cx| pins("x", &spec, &source, cx)).unwrap(), parts);
        world.with(|cx| fetch("x", &spec, &parts, cx)).unwrap();
        let laid = world.with(|cx| tree(&spec, &parts, cx)).unwrap();
        let cache = world.path("cache");
        world.unpack(&laid, "unpacked");
        // Placed copies can be written: npm wants a folder of its own in its cache.
        let copied =
            Command::new("cp").args(["-r", "--no-preserve=mode"]).arg(world.path("unpacked")).arg(&cache).status();
        assert!(copied.unwrap().success());
        let cache = format!("--cache={}", cache.display());
        let registry = format!("--registry={}", super::super::cache::REGISTRY);
        npm(&project, &["ci", "--offline", "--ignore-scripts", &registry, &cache]);
        let listed = npm(&project, &["ls", "--all", "--json"]);
        assert!(listed.contains("\"express\"") && listed.contains("\"5.1.0\""), "{listed}");

        let described = world.with(|cx| describe(&spec, &parts, cx)).unwrap();
        let express = described.iter().find(|package| package.name == "express").unwrap();
        assert_eq!((express.licenses.as_slice(), express.depends_on.len() > 20), (&["MIT".to_owned()][..], true));
        assert!(described.iter().any(|package| package.name == "JSONStream"));
    }
}
