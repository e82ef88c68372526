//! A registry in memory, on loopback, whose answers a test can spoil; and a client with little patience.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selfsame_core::{Digest, media};
use selfsame_http::{Client, Environment, Options, Origins, Patience};
use selfsame_oci::{Descriptor, image_manifest, index, referrer_manifest};
use selfsame_registry::{Configuration, Credentials, Reference, Registry, RegistryError};
use selfsame_store::Store;
use selfsame_testing::server::{Answer, Asked, Server};

/// What a registry holds.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    /// By digest: media type and bytes.
    pub(crate) manifests: BTreeMap<Digest, (String, Vec<u8>)>,
    pub(crate) tags: BTreeMap<String, Digest>,
    pub(crate) uploads: BTreeMap<String, Vec<u8>>,
    /// Blobs of another repository, to be mounted.
    pub(crate) elsewhere: BTreeMap<Digest, Vec<u8>>,
    /// Whether it keeps lists of referrers by itself.
    pub(crate) lists: bool,
    /// Whether it heeds `If-Match`.
    pub(crate) conditions: bool,
}

impl State {
    pub(crate) fn put_manifest(&mut self, media_type: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = Descriptor::of(media_type, bytes);
        self.manifests.insert(descriptor.digest, (media_type.to_owned(), bytes.to_vec()));
        descriptor
    }

    pub(crate) fn put_blob(&mut self, media_type: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = Descriptor::of(media_type, bytes);
        self.blobs.insert(descriptor.digest, bytes.to_vec());
        descriptor
    }

    /// An image of one layer for a platform.
    pub(crate) fn put_image(&mut self, platform: &str, layer: &[u8]) -> Descriptor {
        let (os, architecture) = platform.split_once('/').expect("os/architecture");
        let config =
            format!(r#"{{"os":"{os}","architecture":"{architecture}","rootfs":{{"type":"layers","diff_ids":[]}}}}"#);
        let config = self.put_blob(media::CONFIG, config.as_bytes());
        let layer = self.put_blob(media::LAYER_TAR, layer);
        let manifest = image_manifest(&config, &[layer], &BTreeMap::new());
        self.put_manifest(media::MANIFEST, &manifest.bytes).for_platform(platform.parse().expect("a platform"))
    }

    pub(crate) fn put_index(&mut self, manifests: &[Descriptor]) -> Descriptor {
        let index = index(manifests, &BTreeMap::new());
        self.put_manifest(media::INDEX, &index.bytes)
    }

    fn manifest(&self, target: &str) -> Option<(Digest, &(String, Vec<u8>))> {
        let digest = target.parse().ok().or_else(|| self.tags.get(target).copied())?;
        Some((digest, self.manifests.get(&digest)?))
    }
}

type Spoil = dyn Fn(&Asked, &mut State) -> Option<Answer> + Send + Sync;

/// The registry. Its one repository is `team/app`.
pub(crate) struct Fake {
    pub(crate) server: Server,
    pub(crate) state: Arc<Mutex<State>>,
}

impl Fake {
    /// One that behaves.
    pub(crate) fn new() -> Self {
        Self::spoilt(|_, _| None)
    }

    /// One that answers as `spoil` wants, where it wants something.
    pub(crate) fn spoilt(spoil: impl Fn(&Asked, &mut State) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let server = Server::http(responder(state.clone(), Box::new(spoil)));
        Self { server, state }
    }

    /// `127.0.0.1:PORT/team/app:TARGET` or `...@sha256:...`.
    pub(crate) fn reference(&self, target: &str) -> Reference {
        let mark = if target.contains(':') { '@' } else { ':' };
        format!("{}/team/app{mark}{target}", self.server.address()).parse().expect("a reference")
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().expect("no test panicked with it"))
    }

    /// `METHOD path` of all that was asked but for the question whether it speaks https.
    pub(crate) fn asked(&self) -> Vec<String> {
        let all = self.server.asked();
        all.iter().map(|asked| format!("{} {}", asked.method, asked.target)).collect()
    }
}

/// What answers for a state.
pub(crate) fn responder(
    state: Arc<Mutex<State>>,
    spoil: Box<Spoil>,
) -> impl Fn(&Asked) -> Answer + Send + Sync + 'static {
    move |asked| {
        let state = &mut *state.lock().expect("no test panicked with it");
        spoil(asked, state).unwrap_or_else(|| answer(asked, state))
    }
}

/// As the specification wants it.
pub(crate) fn answer(asked: &Asked, state: &mut State) -> Answer {
    const NAME: &str = "/v2/team/app/";
    let Some(path) = asked.path().strip_prefix(NAME) else {
        return if asked.path() == "/v2/" { Answer::ok("{}") } else { Answer::status(404) };
    };
    let (kind, rest) = path.split_once('/').unwrap_or((path, ""));
    let method = asked.method.as_str();
    match (kind, method) {
        ("manifests", "GET" | "HEAD") => match state.manifest(rest) {
            None => Answer::status(404),
            Some((digest, (media_type, bytes))) => Answer::ok(bytes.as_slice())
                .header("Content-Type", media_type)
                .header("Docker-Content-Digest", &digest.to_string())
                .header("ETag", &format!("\"{digest}\"")),
        },
        ("manifests", "PUT") => put_manifest(asked, state, rest),
        ("blobs", "GET" | "HEAD") if !rest.starts_with("uploads") => {
            match rest.parse::<Digest>().ok().and_then(|digest| state.blobs.get(&digest)) {
                None => Answer::status(404),
                Some(bytes) => Answer::file(asked, bytes, rest),
            }
        }
        ("blobs", _) => upload(asked, state, rest.trim_start_matches("uploads").trim_matches('/')),
        ("referrers", "GET") if state.lists => {
            let subject: Digest = rest.parse().expect("a digest");
            let mut found = Vec::new();
            for (media_type, bytes) in state.manifests.values() {
                let value: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
                if value["subject"]["digest"] == subject.to_string() {
                    let mut descriptor = Descriptor::of(media_type.clone(), bytes);
                    descriptor.artifact_type = value["artifactType"].as_str().map(str::to_owned);
                    found.push(descriptor);
                }
            }
            Answer::ok(index(&found, &BTreeMap::new()).bytes).header("Content-Type", media::INDEX)
        }
        ("tags", "GET") => {
            let tags: Vec<&String> = state.tags.keys().collect();
            Answer::ok(serde_json::json!({ "name": "team/app", "tags": tags }).to_string())
        }
        _ => Answer::status(404),
    }
}

fn put_manifest(asked: &Asked, state: &mut State, target: &str) -> Answer {
    let digest = Digest::of(&asked.body);
    if state.conditions {
        let now = state.manifest(target).map(|(digest, _)| format!("\"{digest}\""));
        let kept = match (asked.header("if-match"), asked.header("if-none-match")) {
            (Some(expected), _) => now.as_deref() == Some(expected),
            (None, Some(_)) => now.is_none(),
            (None, None) => true,
        };
        if !kept {
            return Answer::status(412);
        }
    }
    let media_type = asked.header("content-type").unwrap_or_default();
    state.put_manifest(media_type, &asked.body);
    if target.parse::<Digest>().is_err() {
        state.tags.insert(target.to_owned(), digest);
    }
    let value: serde_json::Value = serde_json::from_slice(&asked.body).expect("JSON");
    let answer = Answer::status(201).header("Docker-Content-Digest", &digest.to_string());
    match value["subject"]["digest"].as_str().filter(|_| state.lists) {
        Some(subject) => answer.header("OCI-Subject", subject),
        None => answer,
    }
}

fn upload(asked: &Asked, state: &mut State, id: &str) -> Answer {
    let query = asked.target.split_once('?').map_or("", |(_, query)| query);
    let parameter = |name: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.map(|value| value.replace("%3A", ":").replace("%2F", "/"))
    };
    let digest = |name: &str| parameter(name).and_then(|digest| digest.parse::<Digest>().ok());
    let accepted = |id: &str, len: usize| {
        let last = len.saturating_sub(1);
        Answer { body: Vec::new(), ..Answer::status(202) }
            .header("Location", &format!("/v2/team/app/blobs/uploads/{id}?_state=a%3Db"))
            .header("Range", &format!("0-{last}"))
    };
    match asked.method.as_str() {
        "POST" => {
            if let Some(found) = digest("mount").and_then(|digest| state.elsewhere.get(&digest)) {
                let bytes = found.clone();
                state.put_blob("", &bytes);
                return Answer::status(201);
            }
            let id = format!("id-{}", state.uploads.len());
            state.uploads.insert(id.clone(), Vec::new());
            accepted(&id, 0)
        }
        "GET" => match state.uploads.get(id) {
            Some(bytes) => Answer { status: 204, ..accepted(id, bytes.len()) },
            None => Answer::status(404),
        },
        method @ ("PATCH" | "PUT") => {
            let Some(bytes) = state.uploads.get_mut(id) else { return Answer::status(404) };
            if let Some((start, _)) = asked.header("content-range").and_then(|range| range.split_once('-'))
                && start.parse() != Ok(bytes.len())
            {
                return Answer::status(416);
            }
            bytes.extend_from_slice(&asked.body);
            if method == "PATCH" {
                return accepted(id, bytes.len());
            }
            let bytes = state.uploads.remove(id).unwrap_or_default();
            if digest("digest") != Some(Digest::of(&bytes)) || parameter("_state").as_deref() != Some("a%3Db") {
                let body = r#"{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}"#;
                return Answer { body: body.into(), ..Answer::status(400) };
            }
            state.put_blob("", &bytes);
            Answer::status(201)
        }
        _ => Answer::status(405),
    }
}

/// Few retries, and quick ones.
pub(crate) fn options() -> Options {
    let patience = Patience {
        connect: Duration::from_secs(5),
        silence: Duration::from_secs(5),
        retries: 2,
        pause: Duration::from_millis(1),
        ..Patience::default()
    };
    Options { patience, ..Options::default() }
}

/// A client that knows nothing but loopback.
pub(crate) fn client() -> Registry {
    with(Credentials::none(), "")
}

/// One with logins and an `origins.toml`.
pub(crate) fn with(credentials: Credentials, origins: &str) -> Registry {
    let origins = Origins::parse(origins, Path::new("/")).expect("an origins.toml");
    // Of an empty environment nothing is read but what /etc has; these tests name their registries in full.
    let configuration = Configuration::of_origins(&origins);
    let options = Options { origins, ..options() };
    let client = Client::new(&Environment::default(), options).expect("a client");
    Registry::new(&client, configuration, credentials).with_pause(Duration::from_millis(1))
}

/// Logins as they stand in a `config.json`: host and `user:password`.
pub(crate) fn logins(list: &[(&str, &str)]) -> Credentials {
    use base64::Engine as _;
    let auth = |login: &str| serde_json::json!({ "auth": base64::prelude::BASE64_STANDARD.encode(login) });
    let auths: serde_json::Map<_, _> = list.iter().map(|(host, login)| ((*host).to_owned(), auth(login))).collect();
    config(&serde_json::json!({ "auths": auths }).to_string())
}

/// A `config.json`.
pub(crate) fn config(text: &str) -> Credentials {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("config.json"), text).expect("a file");
    let mut environment = Environment::default();
    environment.variables.insert("DOCKER_CONFIG".into(), folder.path().into());
    Credentials::read(&environment).expect("a configuration")
}

/// An empty store.
pub(crate) fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("store")).expect("a store");
    (folder, store)
}

/// A manifest that refers to `subject`.
pub(crate) fn referrer(subject: &Descriptor, kind: &str, note: &str) -> Vec<u8> {
    let empty = Descriptor::empty();
    referrer_manifest(subject, kind, &[empty], &BTreeMap::from([("note".to_owned(), note.to_owned())])).bytes
}

/// The error, as one line with its causes.
pub(crate) fn chain(error: &RegistryError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
