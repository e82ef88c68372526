//! Results that go from one machine to another say of an action what its first run said.

use std::cell::Cell;
use std::fs;

use selfsame_build::provenance::provenance_of;
use selfsame_build::request::{InputSet, Origin, Source};
use selfsame_build::{Inputs, Mode, Quiet, Request};
use selfsame_core::{Level, Platform, Profile, RelPath, SourceEpoch, json};
use selfsame_definition::Definition;
use selfsame_lock::Normaliser;
use selfsame_tree::{Entry, Tree};

use super::*;
use crate::settings::Settings;
use crate::terminal::Verbosity;

const DEFINITION: &str = r#"
name = "service"
version = "1.0.0"
[source]
epoch = 7
[input.base]
deb = ["dbus"]
rootfs = "configured"
[[image.file]]
from = "base:etc/hostname"
to = "/etc/hostname"
"#;

/// Configures a root as maintainer scripts do, and counts how often.
struct Scripts<'a>(&'a Store, Cell<u32>);

impl Executor for Scripts<'_> {
    fn run(&self, _: &Action, _: Variation) -> Result<Execution, ExecutionError> {
        self.1.set(self.1.get() + 1);
        let file = |text: &str| {
            let digest = self.0.put_bytes(text.as_bytes(), false).expect("a store");
            Entry::file(digest, text.len() as u64, false)
        };
        let entries = [
            ("etc/hostname", file("here\n")),
            ("etc/machine-id", file("5e1f5a3e\n")),
            ("var/lib/dbus/machine-id", file("5e1f5a3e\n")),
            ("var/log/dpkg.log", file("when\n")),
        ];
        let entries = entries.map(|(path, entry)| (RelPath::new(path).expect("a path"), entry));
        Ok(Execution {
            output: Tree::from_entries(entries).expect("a tree"),
            normalised: None,
            level: Level::Normalized,
            sandbox: BTreeMap::new(),
            host: BTreeMap::new(),
            log: Digest::of(b""),
            duration_millis: 1,
        })
    }
}

fn settings(folder: &Path) -> Settings {
    Settings {
        store: None,
        data: None,
        rustup_home: None,
        home: None,
        ca: Vec::new(),
        offline: true,
        origins: None,
        ci: true,
        colour: false,
        terminal: false,
        folder: folder.to_owned(),
        json: Cell::new(false),
    }
}

fn inputs(store: &Store) -> Inputs {
    let put = |text: &str| store.put_bytes(text.as_bytes(), false).unwrap();
    let base = Tree::from_entries([(RelPath::new("etc/hostname").unwrap(), Entry::file(put("there\n"), 6, false))]);
    let (base, source) = (base.unwrap(), Tree::new());
    let set = InputSet {
        kind: "deb".to_owned(),
        tree: store.put_tree(&base).unwrap(),
        configured: Some(Normaliser::ALL.map(|it| it.name().to_owned()).into()),
        parts: Vec::new(),
    };
    Inputs {
        definition: Definition::parse(DEFINITION).unwrap(),
        request: Request {
            name: "service".to_owned(),
            version: "1.0.0".to_owned(),
            definition: put(DEFINITION),
            lock: None,
            host_lock: None,
            source: Source {
                tree: store.put_tree(&source).unwrap(),
                origin: Origin::Path { commit: None, dirty: true },
            },
            toolchains: BTreeMap::new(),
            inputs: BTreeMap::from([("base".to_owned(), set)]),
            crates: Vec::new(),
            epoch: SourceEpoch::new(7).unwrap(),
            profile: Profile::CURRENT,
            level: Level::Normalized,
            platform: Platform::native(),
            platforms: Vec::new(),
            build_platform: Platform::native(),
            relaxations: BTreeMap::new(),
            builder_id: "https://builder.example".to_owned(),
        },
        source,
        toolchains: BTreeMap::new(),
        inputs: BTreeMap::from([("base".to_owned(), base)]),
        base: None,
        cargo: None,
        described: BTreeMap::new(),
        toolchain_packages: Vec::new(),
    }
}

/// The action, and the provenance that would be signed.
fn provenance(store: &Store, executor: &dyn Executor) -> (Digest, String) {
    let mode = Mode { use_cache: true, check: false };
    let built = selfsame_build::build(&inputs(store), store, executor, mode, 1, &Quiet).unwrap();
    let text = json::canonical(&provenance_of(&built.record));
    (built.record.steps[0].action, String::from_utf8(text).unwrap())
}

fn machine(folder: &Path, name: &str) -> Store {
    Store::open(&folder.join(name)).unwrap()
}

#[test]
fn a_configured_root_from_others_has_the_counts_of_who_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("shared")).unwrap();
    let settings = settings(folder);
    let (network, voice) = (Network::of(&settings, None).unwrap(), Voice::new(Verbosity::Quiet, &settings));
    let shared = named("--cache-from", "shared", folder, &network).unwrap();

    let here = machine(folder, "here");
    let (action, cold) = provenance(&here, &Scripts(&here, Cell::new(0)));
    let counts = r#"{"after":1,"before":2,"name":"machine-id"}"#;
    assert!(cold.contains(counts), "{cold}");
    leave(&shared, &[action], &here, &voice);

    let used = |name: &str| {
        let there = machine(folder, name);
        let scripts = Scripts(&there, Cell::new(0));
        let sharing = Sharing { inner: &scripts, shared: &shared, store: &there, voice: &voice };
        let (_, first) = provenance(&there, &sharing);
        // Then from its own store.
        let (_, again) = provenance(&there, &sharing);
        assert_eq!((&first, &again), (&cold, &cold), "{name}");
        scripts.1.get()
    };
    assert_eq!(used("there"), 0, "no script ran there");

    // What speaks of other normalisers than the action has, or of none as version 1 did, is no result.
    let hex = action.hex();
    let file = folder.join("shared/results/sha256").join(&hex[..2]).join(&hex);
    let text = fs::read_to_string(&file).unwrap();
    let lies = [
        ("\"logs\"", "\"lags\""),
        ("\"logs\":[1,0],", ""),
        ("\"machine-id\":[2,1]", "\"machine-id\":[2,3]"),
        ("\"version\":2", "\"version\":1"),
    ];
    for (index, (truth, lie)) in lies.into_iter().enumerate() {
        assert!(text.contains(truth), "{truth} in {text}");
        fs::write(&file, text.replace(truth, lie)).unwrap();
        assert_eq!(used(&format!("without {index}")), 1, "{lie}");
    }
}
