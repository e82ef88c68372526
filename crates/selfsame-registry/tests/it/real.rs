//! Other people's registries, started on loopback: Debian's docker-registry, which has no list of referrers, and
//! ferro-oci-server, which has.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use selfsame_core::{Digest, media};
use selfsame_http::{Body, Client, Environment, Method, Options, Origins, Request};
use selfsame_oci::{Descriptor, image_manifest};
use selfsame_registry::{
    Configuration, Credentials, Document, Reference, Registry, RegistryError, Repository, Sent, Source, Target,
};
use selfsame_store::Store;
use selfsame_testing::authority::Authority;
use selfsame_testing::proxy::Proxy;
use selfsame_testing::registry::{LOGIN, Registry as Real};
use selfsame_testing::server::{Answer, Asked, Fault, Server};
use selfsame_testing::{Tier, require};

use crate::world::{chain, client, logins, options, referrer, store, with};

const NOTE: &str = "application/vnd.example.note.v1+json";

/// The registry, or nothing where this machine has none.
fn started(real: Result<Real, String>) -> Option<Real> {
    let (real, why) = match real {
        Ok(real) => (Some(real), Ok(())),
        Err(why) => (None, Err(why)),
    };
    require(Tier::Foreign, why).then_some(real)?
}

fn reference(address: SocketAddr, rest: &str) -> Reference {
    format!("{address}/{rest}").parse().unwrap()
}

/// An image of a layer of 8 MiB, in the store.
struct Made {
    manifest: Vec<u8>,
    descriptor: Descriptor,
    blobs: Vec<Descriptor>,
}

fn make(store: &Store) -> Made {
    let put = |kind: &str, bytes: &[u8]| {
        store.put_bytes(bytes, false).unwrap();
        Descriptor::of(kind, bytes)
    };
    let layer: Vec<u8> = (0..2_u32 << 20).flat_map(u32::to_le_bytes).collect();
    let layer = put(media::LAYER_TAR, &layer);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}},"config":{{}}}}"#,
        layer.digest
    );
    let config = put(media::CONFIG, config.as_bytes());
    put(media::EMPTY, b"{}");
    let document = image_manifest(&config, std::slice::from_ref(&layer), &std::collections::BTreeMap::new());
    let (manifest, descriptor) = (document.bytes, document.descriptor);
    Made { manifest, descriptor, blobs: vec![layer, config, Descriptor::empty()] }
}

fn push(repository: &Repository<'_>, made: &Made, store: &Store, tag: &str) -> Vec<Sent> {
    let send = |blob: &Descriptor| repository.push_blob(&blob.digest, blob.size, Source::Store(store), &[]);
    let sent = made.blobs.iter().map(|blob| send(blob).unwrap_or_else(|error| panic!("{}", chain(&error))));
    let sent = sent.collect();
    for target in [Target::Digest(made.descriptor.digest), Target::tag(tag).unwrap()] {
        let pushed = repository.push_manifest(&made.manifest, media::MANIFEST, &target);
        assert_eq!(pushed.unwrap_or_else(|error| panic!("{}", chain(&error))), made.descriptor.digest);
    }
    sent
}

fn refer(repository: &Repository<'_>, subject: &Descriptor, kind: &str, note: &str) -> Digest {
    let bytes = referrer(subject, kind, note);
    let target = Target::Digest(Digest::of(&bytes));
    let pushed = repository.push_manifest(&bytes, media::MANIFEST, &target);
    pushed.unwrap_or_else(|error| panic!("{}", chain(&error)))
}

/// Pushes an image with two referrers and pulls all of it into another store.
fn there_and_back(address: SocketAddr, registry: &Registry, lists: bool) {
    let (_folder, here) = store();
    let made = make(&here);
    let reference = reference(address, "team/app:1.0");
    let repository = registry.to_push(&reference).unwrap();
    assert!(!repository.has_manifest(&reference.target()).unwrap());
    // Some have the empty object from the beginning.
    assert_eq!(push(&repository, &made, &here, "1.0")[..2], [Sent::Uploaded; 2]);
    assert_eq!(push(&repository, &made, &here, "1.1"), [Sent::Present; 3]);

    assert!(repository.referrers(&made.descriptor.digest, None).unwrap().is_empty());
    let bundle = refer(&repository, &made.descriptor, media::BUNDLE, "a bundle");
    let note = refer(&repository, &made.descriptor, NOTE, "a note");
    refer(&repository, &made.descriptor, NOTE, "a note");
    let listed = |kind: Option<&str>| {
        let found = repository.referrers(&made.descriptor.digest, kind);
        let mut found: Vec<Digest> =
            found.unwrap_or_else(|error| panic!("{}", chain(&error))).iter().map(|found| found.digest).collect();
        found.sort();
        found
    };
    let mut both = vec![bundle, note];
    both.sort();
    assert_eq!(listed(None), both);
    assert_eq!(listed(Some(NOTE)), [note]);
    assert!(listed(Some("application/none")).is_empty());
    let tag = format!("sha256-{}", made.descriptor.digest.hex());
    let tags = repository.tags().unwrap();
    assert_eq!(tags.contains(&tag), !lists, "{tags:?}");
    assert!(["1.0", "1.1"].iter().all(|tag| tags.iter().any(|found| found == tag)), "{tags:?}");

    let (_folder, there) = store();
    let wanted = ["linux/amd64".parse().unwrap()];
    for target in [reference.target(), Target::Digest(made.descriptor.digest)] {
        let reference = reference.with(&target);
        let (repository, image) = registry.first(&reference, |repository| repository.image(&target, &wanted)).unwrap();
        repository.pull(&image, &there, None).unwrap();
    }
    for blob in made.blobs.iter().take(2).chain([&made.descriptor]) {
        assert_eq!(there.open_blob(&blob.digest).unwrap().verify().unwrap(), blob.size);
    }
    let error = repository.manifest(&Target::tag("none").unwrap()).unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{}", chain(&error));
    let absent = Descriptor::of(media::LAYER_TAR, b"absent");
    assert!(matches!(repository.blob(&absent, &there, None).unwrap_err(), RegistryError::NotFound { .. }));
    // A manifest whose blobs are not there must not become visible.
    let dangling = image_manifest(&absent, &[], &std::collections::BTreeMap::new());
    if let Err(error) = repository.push_manifest(&dangling.bytes, media::MANIFEST, &Target::tag("dangling").unwrap()) {
        assert!(!error.retry_may_help(), "{}", chain(&error));
        assert!(!repository.has_manifest(&Target::tag("dangling").unwrap()).unwrap());
    }
}

#[test]
fn foreign_docker_registry_there_and_back() {
    let Some(real) = started(Real::docker()) else { return };
    there_and_back(real.address(), &client(), false);
}

#[test]
fn foreign_ferro_there_and_back() {
    let Some(real) = started(Real::ferro()) else { return };
    there_and_back(real.address(), &client(), true);
}

#[test]
fn foreign_docker_registry_mounts_between_repositories() {
    let Some(real) = started(Real::docker()) else { return };
    let (_folder, store) = store();
    let made = make(&store);
    let registry = client();
    push(&registry.to_push(&reference(real.address(), "team/app:1")).unwrap(), &made, &store, "1");
    let other = registry.to_push(&reference(real.address(), "other/name:1")).unwrap();
    let layer = &made.blobs[0];
    let from = ["absent/name".to_owned(), "team/app".to_owned()];
    let sent = other.push_blob(&layer.digest, layer.size, Source::Bytes(b"never read"), &from[1..]).unwrap();
    assert_eq!(sent, Sent::Mounted);
    let config = &made.blobs[1];
    let sent = other.push_blob(&config.digest, config.size, Source::Store(&store), &from[..1]).unwrap();
    assert_eq!(sent, Sent::Uploaded);
}

#[test]
fn foreign_docker_registry_with_a_login() {
    let Some(real) = started(Real::docker_with_login()) else { return };
    let host = real.address().to_string();
    let login = format!("{}:{}", LOGIN.0, LOGIN.1);
    there_and_back(real.address(), &with(logins(&[(&host, &login)]), ""), false);
    for (credentials, as_somebody) in [(Credentials::none(), false), (logins(&[(&host, "me:wrong")]), true)] {
        let registry = with(credentials, "");
        let error = registry.find(&reference(real.address(), "team/app:1.0")).unwrap_err();
        let expected =
            matches!(&error, RegistryError::Refused { status: 401, as_somebody: found, .. } if *found == as_somebody);
        assert!(expected && !chain(&error).contains("wrong"), "{}", chain(&error));
    }
}

/// A private registry, as in many offices: its own certificate authority, behind a proxy that wants a password.
#[test]
fn foreign_docker_registry_behind_an_authenticating_proxy() {
    let authority = Authority::new("of an office");
    let Some(real) = started(Real::docker_with_tls(&authority, &["registry.example"])) else { return };
    let proxy = Proxy::guarded("office", "open sesame", &[("registry.example:443", real.address())]);
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { ca_files: vec![authority.write(&folder.path().join("ca.pem"))], ..options() };
    let registry = |proxy: String| {
        let mut environment = Environment::default();
        environment.variables.insert("HTTPS_PROXY".into(), proxy.into());
        let client = Client::new(&environment, options()).unwrap();
        let credentials = logins(&[("registry.example", &format!("{}:{}", LOGIN.0, LOGIN.1))]);
        Registry::new(&client, Configuration::of_origins(&Origins::default()), credentials)
    };
    let (_folder, store) = store();
    let made = make(&store);
    let reference: Reference = "registry.example/team/app:1".parse().unwrap();
    let inside = registry(proxy.url_as("office", "open sesame"));
    push(&inside.to_push(&reference).unwrap(), &made, &store, "1");
    assert_eq!(inside.find(&reference).unwrap().1.digest, made.descriptor.digest);
    assert!(proxy.seen().iter().all(|line| line.starts_with("CONNECT registry.example:443")), "{:?}", proxy.seen());
    let error = registry(proxy.url_as("office", "wrong")).find(&reference).unwrap_err();
    assert!(chain(&error).contains("407") && !chain(&error).contains("wrong"), "{}", chain(&error));
}

/// In front of a registry: what is `spoilt` is answered here, all else by the registry.
fn front(real: &Real, spoil: impl Fn(&Asked, &Forward) -> Option<Answer> + Send + Sync + 'static) -> Server {
    let client = Client::new(&Environment::default(), options()).unwrap();
    let forward = Forward { client, real: real.address(), front: Arc::default() };
    let front = forward.front.clone();
    let server = Server::http(move |asked| spoil(asked, &forward).unwrap_or_else(|| forward.pass(asked, &asked.body)));
    *front.lock().unwrap() = server.address().to_string();
    server
}

struct Forward {
    client: Client,
    real: SocketAddr,
    front: Arc<std::sync::Mutex<String>>,
}

impl Forward {
    fn pass(&self, asked: &Asked, body: &[u8]) -> Answer {
        self.pass_as(asked, &asked.method, body)
    }

    fn pass_as(&self, asked: &Asked, method: &str, body: &[u8]) -> Answer {
        let methods = [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete];
        let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
        let method = methods[names.iter().position(|name| *name == method).unwrap()];
        let url = format!("http://{}{}", self.real, asked.target);
        let mut request = Request::new(method, &url);
        for name in ["accept", "content-type", "content-range", "if-match", "if-none-match"] {
            request.headers.extend(asked.header(name).map(|value| (name.to_owned(), value.to_owned())));
        }
        if !body.is_empty() {
            request.body = Body::Bytes(body);
        }
        request.limit_bytes = 1 << 30;
        let response = self.client.send(&request).unwrap();
        let (status, headers) = (response.status, response.headers.clone());
        let body = if method == Method::Head { Vec::new() } else { response.bytes().unwrap() };
        let front = self.front.lock().unwrap().clone();
        let mut answer = Answer { status, ..Answer::ok(body) };
        for (name, value) in
            headers.iter().filter(|(name, _)| !["content-length", "transfer-encoding", "date"].contains(&name.as_str()))
        {
            answer = answer.header(name, &value.replace(&self.real.to_string(), &front));
        }
        answer
    }
}

fn pushed_through(server: &Server) -> (Result<Sent, RegistryError>, Vec<String>) {
    let (_folder, store) = store();
    let layer = make(&store).blobs[0].clone();
    let registry = client();
    let repository = registry.to_push(&reference(server.address(), "team/app:1")).unwrap();
    let sent = repository.push_blob(&layer.digest, layer.size, Source::Store(&store), &[]);
    if sent.is_ok() {
        assert_eq!(repository.blob_bytes(&layer, 16 << 20).unwrap().len() as u64, layer.size);
    }
    let lines = server.asked().iter().map(|asked| format!("{} {}", asked.method, asked.body.len())).collect();
    (sent, lines)
}

#[test]
fn foreign_registries_take_chunks() {
    let Some(docker) = started(Real::docker()) else { return };
    let Some(ferro) = started(Real::ferro()) else { return };
    for real in [&docker, &ferro] {
        // As of a proxy in front of a registry that takes no large body in a PUT.
        let server =
            front(real, |asked, _| (asked.method == "PUT" && !asked.body.is_empty()).then(|| Answer::status(413)));
        let (sent, lines) = pushed_through(&server);
        assert_eq!(sent.unwrap_or_else(|error| panic!("{}: {lines:#?}", chain(&error))), Sent::Uploaded);
        assert_eq!(lines, ["HEAD 0", "POST 0", "PUT 8388608", "PATCH 8388608", "PUT 0", "GET 0"]);
    }
}

#[test]
fn foreign_registries_whose_upload_was_cut() {
    let Some(docker) = started(Real::docker()) else { return };
    let Some(ferro) = started(Real::ferro()) else { return };
    // docker-registry does not go on with an upload whose last answer was lost: it begins anew.
    let anew = ["HEAD 0", "POST 0", "PUT 8388608", "GET 0", "POST 0", "PUT 8388608", "GET 0"];
    let on = ["HEAD 0", "POST 0", "PUT 8388608", "GET 0", "PATCH 5388608", "PUT 0", "GET 0"];
    for (real, expected) in [(&docker, anew), (&ferro, on)] {
        let count = AtomicUsize::new(0);
        let server = front(real, move |asked, forward| {
            if asked.method != "PUT" || count.fetch_add(1, Ordering::Relaxed) > 0 {
                return None;
            }
            let arrived = forward.pass_as(asked, "PATCH", &asked.body[..3_000_000]);
            assert_eq!(arrived.status, 202, "{}", String::from_utf8_lossy(&arrived.body));
            Some(Answer::status(500).fault(Fault::Hangup))
        });
        let (sent, lines) = pushed_through(&server);
        assert_eq!(sent.unwrap_or_else(|error| panic!("{}: {lines:#?}", chain(&error))), Sent::Uploaded);
        assert_eq!(lines, expected);
    }
}

fn skopeo(arguments: &[&str]) -> String {
    let output = Command::new("skopeo").args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "skopeo {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What we push skopeo reads, and what skopeo pushes we read: Docker's formats, too.
#[test]
fn foreign_skopeo_agrees() {
    let version = Command::new("skopeo").arg("--version").output();
    if !require(Tier::Foreign, version.map(drop).map_err(|error| format!("no `skopeo`: {error}"))) {
        return;
    }
    let Some(real) = started(Real::docker()) else { return };
    let (folder, store) = store();
    let registry = client();
    let layer = write_tar(folder.path());
    let bytes = std::fs::read(&layer).unwrap();
    store.put_bytes(&bytes, false).unwrap();
    let layer = Descriptor::of(media::LAYER_TAR, &bytes);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}},"config":{{}}}}"#,
        layer.digest
    );
    store.put_bytes(config.as_bytes(), false).unwrap();
    let config = Descriptor::of(media::CONFIG, config.as_bytes());
    let document = image_manifest(&config, std::slice::from_ref(&layer), &std::collections::BTreeMap::new());
    let made = Made { manifest: document.bytes, descriptor: document.descriptor, blobs: vec![layer, config] };
    let repository = registry.to_push(&reference(real.address(), "team/app:1")).unwrap();
    push(&repository, &made, &store, "1");

    let ours = format!("docker://{}/team/app:1", real.address());
    let seen = skopeo(&["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &ours]);
    assert_eq!(seen.trim(), made.descriptor.digest.to_string());
    let theirs = format!("docker://{}/team/copy", real.address());
    let policy = "--insecure-policy";
    for (format, kind) in
        [("v2s2", "vnd.docker.distribution.manifest.v2+json"), ("oci", "vnd.oci.image.manifest.v1+json")]
    {
        let to = format!("{theirs}:{format}");
        skopeo(&[policy, "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--format", format, &ours, &to]);
        let reference = reference(real.address(), &format!("team/copy:{format}"));
        let wanted = ["linux/amd64".parse().unwrap()];
        let (repository, image) =
            registry.first(&reference, |repository| repository.image(&reference.target(), &wanted)).unwrap();
        assert!(matches!(image.root.document, Document::Manifest(_)));
        assert!(image.root.descriptor.media_type.ends_with(kind), "{}", image.root.descriptor.media_type);
        let (_folder, other) = crate::world::store();
        repository.pull(&image, &other, None).unwrap();
        let layer = &image.platforms[0].manifest.layers[0];
        assert!(other.has(&layer.digest));
    }
}

/// A tar with one file, as skopeo wants to be able to compress it.
fn write_tar(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("layer.tar");
    std::fs::write(folder.join("hello"), "hello\n").unwrap();
    let status = Command::new("tar").arg("-cf").arg(&path).arg("-C").arg(folder).arg("hello").status().unwrap();
    assert!(status.success());
    path
}
