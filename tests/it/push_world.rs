//! A registry in memory, on loopback, whose answers a test can spoil.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use selfsame_core::Digest;
use selfsame_testing::registry::Registry as Real;
use selfsame_testing::server::{Answer, Asked, Server};
use selfsame_testing::{TestEnv, Tier, require};
use serde_json::{Value, json};

use crate::world::{RELEASE, build, define, sandboxed};

type Spoil = dyn Fn(&Asked, &mut State) -> Option<Answer> + Send;

/// What it holds, in one repository of any name.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    /// By digest: media type and bytes.
    pub(crate) manifests: BTreeMap<Digest, (String, Vec<u8>)>,
    pub(crate) tags: BTreeMap<String, Digest>,
    /// Blobs that were sent to the end, in their order.
    pub(crate) sent: Vec<Digest>,
    /// What was there for whom each time that a tag came.
    pub(crate) at_tag: Vec<(String, usize)>,
    uploads: u64,
    /// As a test wants it.
    pub(crate) spoil: Option<Box<Spoil>>,
}

pub(crate) struct Registry {
    pub(crate) server: Server,
    state: Arc<Mutex<State>>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let server = Server::http(move |asked| {
            let state = &mut *shared.lock().expect("no test panicked with it");
            let spoil = state.spoil.take();
            let spoilt = spoil.as_ref().and_then(|spoil| spoil(asked, state));
            state.spoil = spoil;
            spoilt.unwrap_or_else(|| state.answer(asked))
        });
        Self { server, state }
    }

    /// `127.0.0.1:PORT/team/app:TAG`
    pub(crate) fn reference(&self, tag: &str) -> String {
        format!("{}/team/app:{tag}", self.server.address())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked with it")
    }

    pub(crate) fn spoil(&self, spoil: impl Fn(&Asked, &mut State) -> Option<Answer> + Send + 'static) {
        self.state().spoil = Some(Box::new(spoil));
    }

    pub(crate) fn behave(&self) {
        self.state().spoil = None;
    }
}

impl State {
    /// What refers to a manifest.
    pub(crate) fn referrers(&self, subject: &str) -> Vec<Value> {
        let item = |(digest, (media_type, bytes)): (&Digest, &(String, Vec<u8>))| {
            let manifest: Value = serde_json::from_slice(bytes).ok()?;
            (manifest["subject"]["digest"] == subject).then(|| {
                json!({
                    "mediaType": media_type,
                    "digest": digest,
                    "size": bytes.len(),
                    "artifactType": manifest["artifactType"],
                    "annotations": manifest.get("annotations").cloned().unwrap_or(json!({})),
                })
            })
        };
        self.manifests.iter().filter_map(item).collect()
    }

    /// Whether everything that a manifest names is here.
    fn is_whole(&self, manifest: &Value) -> bool {
        let layers = manifest["layers"].as_array().into_iter().flatten();
        let named: BTreeSet<&str> =
            layers.chain([&manifest["config"]]).filter_map(|blob| blob["digest"].as_str()).collect();
        named.iter().all(|digest| digest.parse().is_ok_and(|digest: Digest| self.blobs.contains_key(&digest)))
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        let path = asked.path().to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        match (asked.method.as_str(), &parts[..]) {
            (_, ["", "v2", ""]) => Answer::ok("{}"),
            ("POST", [.., "blobs", "uploads", ""]) => {
                self.uploads += 1;
                Answer::status(202).header("Location", &format!("{path}{}", self.uploads))
            }
            ("PUT", [.., "blobs", "uploads", _]) => {
                let digest = asked.target.split("digest=").nth(1).unwrap_or_default().replace("%3A", ":");
                let Ok(digest) = digest.parse::<Digest>() else { return Answer::status(400) };
                if Digest::of(&asked.body) != digest {
                    return Answer::status(400);
                }
                self.blobs.insert(digest, asked.body.clone());
                self.sent.push(digest);
                Answer::status(201)
            }
            ("GET" | "HEAD", [.., "blobs", digest]) => {
                match digest.parse().ok().and_then(|digest: Digest| self.blobs.get(&digest)) {
                    Some(bytes) => Answer::file(asked, bytes, digest),
                    None => Answer::status(404),
                }
            }
            ("PUT", [.., "manifests", target]) => self.put(asked, target),
            ("GET" | "HEAD", [.., "manifests", target]) => {
                let digest = target.parse().ok().or_else(|| self.tags.get(*target).copied());
                match digest.and_then(|digest: Digest| Some((digest, self.manifests.get(&digest)?))) {
                    None => Answer::status(404),
                    Some((digest, (media_type, bytes))) => Answer::ok(bytes.as_slice())
                        .header("Content-Type", media_type)
                        .header("Docker-Content-Digest", &digest.to_string()),
                }
            }
            ("GET", [.., "referrers", digest]) => {
                let index = json!({
                    "schemaVersion": 2,
                    "mediaType": "application/vnd.oci.image.index.v1+json",
                    "manifests": self.referrers(digest),
                });
                Answer::ok(index.to_string()).header("Content-Type", "application/vnd.oci.image.index.v1+json")
            }
            _ => Answer::status(404),
        }
    }

    fn put(&mut self, asked: &Asked, target: &str) -> Answer {
        let digest = Digest::of(&asked.body);
        let manifest: Value = serde_json::from_slice(&asked.body).expect("a manifest");
        if !self.is_whole(&manifest) {
            return Answer::status(400);
        }
        let media_type = asked.header("content-type").unwrap_or_default().to_owned();
        self.manifests.insert(digest, (media_type, asked.body.clone()));
        if target.parse::<Digest>().is_err() {
            self.at_tag.push((target.to_owned(), self.referrers(&digest.to_string()).len()));
            self.tags.insert(target.to_owned(), digest);
        }
        let answer = Answer::status(201).header("Docker-Content-Digest", &digest.to_string());
        match manifest["subject"]["digest"].as_str() {
            Some(subject) => answer.header("OCI-Subject", subject),
            None => answer,
        }
    }
}

/// A project that was built: [`RELEASE`] below the root, [`crate::world::DEV_KEY`] for its key.
#[track_caller]
pub(crate) fn released() -> Option<TestEnv> {
    let env = sandboxed()?;
    env.write("seed", "a seed\n");
    define(&env, "cat seed > out; ls > /dev/null", "");
    build(&env, &[]).succeeds();
    assert!(env.at(RELEASE).is_dir(), "a release");
    Some(env)
}

/// `selfsame push` of that release.
pub(crate) fn push(env: &TestEnv, reference: &str, more: &[&str]) -> selfsame_testing::Output {
    let release = env.at(RELEASE).into_os_string().into_string().expect("UTF-8");
    env.selfsame(["push", &release, reference].iter().chain(more))
}

/// Debian's registry has no list of referrers, the other one has.
pub(crate) fn real() -> Vec<Real> {
    let started = [Real::docker(), Real::ferro()].into_iter().filter_map(|real| match real {
        Ok(real) => Some(real),
        Err(why) => {
            let _ = require(Tier::Foreign, Err(why));
            None
        }
    });
    started.collect()
}
