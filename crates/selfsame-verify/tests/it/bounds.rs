//! What a verdict costs at most, whoever made the release: layers that unpack to more than there is room for, a million
//! subjects, and what is said of files with rights of their own.

#![expect(clippy::disallowed_methods, reason = "a test of what takes how long asks the clock")]

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use selfsame_attest::{Statement, Subject};
use selfsame_core::{Digest, Hasher, RelPath, SourceEpoch, media, uri};
use selfsame_oci::{Compression, Contents, Descriptor, write_layer};
use selfsame_tree::{Entry, Kind, Tree};
use selfsame_verify::{CheckId, Class, Depth, Options, Outcome, Trust, Verdict, verify};

use crate::fake::{Parts, file_component, key, signed};
use crate::{Files, options};

/// For tests that are not optimised, on a machine that does something else, too.
const SOON: Duration = Duration::from_secs(60);

/// Files of so many zeros.
struct Zeros;

impl Contents for Zeros {
    fn open(&self, _: &Digest, size: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(io::repeat(0).take(size)))
    }
}

fn entry(size: u64) -> Entry {
    let (digest, size) = Hasher::of_reader(io::repeat(0).take(size)).expect("zeros");
    Entry::file(digest, size, true)
}

/// A gzip layer of these entries: its bytes and its diffID.
fn layer(entries: &[(&str, Entry)]) -> (Vec<u8>, Digest) {
    let entries = entries.iter().map(|(path, entry)| (RelPath::new(*path).expect("a path"), entry.clone()));
    let tree = Tree::from_entries(entries).expect("a tree");
    let mut bytes = Vec::new();
    let epoch = SourceEpoch::new(1_700_000_000).expect("an epoch");
    let layer = write_layer(&tree, epoch, &Zeros, &mut bytes, Compression::Gzip, 1).expect("a layer");
    (bytes, layer.diff_id)
}

/// A release by a trusted signer with these layers and no others, whose SBOM says what is in the last of them.
fn release(layers: &[(Vec<u8>, Digest)], files: &[(&str, Entry)]) -> Files {
    let mut parts = Parts::good();
    for old in std::mem::take(&mut parts.layers) {
        parts.blobs.remove(&old.digest);
    }
    parts.config.diff_ids.clear();
    parts.config.history.clear();
    for (bytes, diff_id) in layers {
        parts.layers.push(Descriptor::of(media::LAYER_GZIP, bytes));
        parts.config.push_layer(*diff_id, "selfsame build");
        parts.add(bytes);
    }
    let components = parts.sbom["components"].as_array_mut().expect("components");
    components.retain(|component| component["type"] != "file");
    for (path, entry) in files {
        let Kind::File { digest, .. } = entry.kind else { continue };
        let mut component = file_component(&format!("/{path}"), b"");
        component["hashes"][0]["content"] = digest.hex().into();
        components.push(component);
    }
    parts.release()
}

fn judged(files: &Files, content_bytes: u64, threads: usize) -> Verdict {
    let threads = NonZeroUsize::new(threads).expect("a thread");
    let begin = Instant::now();
    let options = Options { content_bytes, threads, ..options(Depth::Content) };
    let verdict = verify(files, &Trust::in_keys([key("signer").public()]), &options);
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    verdict
}

/// It is verified.
#[track_caller]
fn verifies(verdict: Verdict) -> Verdict {
    assert_eq!(verdict.failed().map(|check| format!("{check:?}")).collect::<Vec<_>>(), [""; 0]);
    verdict
}

#[track_caller]
fn layers_say(verdict: &Verdict) -> String {
    match &verdict.check(CheckId::Layers).outcome {
        Outcome::Failed { reason } => reason.clone(),
        other => panic!("{other:?}"),
    }
}

/// 256 MiB in a quarter of one; a trusted signer may have been fooled, too.
#[test]
fn a_bomb_stops_where_the_room_ends() {
    let files = [("zeros", entry(256 << 20))];
    let layer = layer(&files);
    assert!(layer.0.len() < 512 << 10, "{} bytes", layer.0.len());
    let release = release(&[layer], &files);
    let verdict = judged(&release, 64 << 20, 2);
    assert_eq!(verdict.class, Class::NotVerified);
    assert_eq!(layers_say(&verdict), "the layers unpack to more than 67108864 bytes; no more are read");
    verifies(judged(&release, Options::CONTENT_BYTES, 2));
}

/// Many layers are one image: what each may have is not what all may have.
#[test]
fn the_room_is_for_all_layers_together() {
    let one = |name| vec![(name, entry(1 << 20))];
    let (a, b) = (one("a"), one("b"));
    let layers = [layer(&a), layer(&b)];
    let release = release(&layers, &[a, b].concat());
    let said: Vec<String> =
        [1, 2, 8].into_iter().map(|threads| layers_say(&judged(&release, 3 << 19, threads))).collect();
    assert_eq!(said, vec!["the layers unpack to more than 1572864 bytes; no more are read"; 3]);
    verifies(judged(&release, 4 << 20, 2));
}

/// How many threads read them, and which is read first, changes no word of the verdict.
#[test]
fn too_much_is_said_first_and_alone() {
    let good = layer(&[("a", entry(1 << 20))]);
    let (mut bytes, diff_id) = layer(&[("b", entry(1 << 20))]);
    bytes.truncate(bytes.len() - 40);
    let cut = (bytes, diff_id);
    for (layers, faulty) in [([good.clone(), cut.clone()], 2), ([cut, good], 1)] {
        let release = release(&layers, &[]);
        let said = |limit| [1, 2, 3].map(|threads| layers_say(&judged(&release, limit, threads)));
        assert_eq!(said(3 << 18), ["the layers unpack to more than 786432 bytes; no more are read"; 3]);
        // The one that is whole has room; of the other nobody knows how much it would be.
        let [one, two, three] = said(5 << 18);
        assert!(one == two && two == three && one.starts_with(&format!("layer {faulty}: ")), "{one}\n{two}\n{three}");
    }
}

/// They are no fault, and nobody overlooks them.
#[test]
fn files_with_rights_of_their_own_are_said() {
    let with = |mode: u32, uid: u32, gid: u32, capable: bool| {
        let xattrs = if capable {
            BTreeMap::from([("security.capability".to_owned(), vec![1, 0, 0, 2])])
        } else {
            BTreeMap::new()
        };
        Entry { mode, uid, gid, xattrs, ..entry(1) }
    };
    let files = [
        ("bin/ping", with(0o755, 0, 0, true)),
        ("bin/plain", with(0o755, 0, 0, false)),
        ("bin/su", with(0o4755, 0, 0, false)),
        ("bin/wall", with(0o2755, 0, 5, false)),
    ];
    let told = |release: &Files| -> Vec<String> {
        let verdict = verifies(judged(release, Options::CONTENT_BYTES, 2));
        let facts = &verdict.check(CheckId::Layers).facts;
        facts.iter().skip(2).map(|fact| format!("{}: {}", fact.label, fact.value)).collect()
    };
    assert_eq!(
        told(&release(&[layer(&files)], &files)),
        [
            "setuid files: 1",
            "setgid files: 1",
            "files with capabilities: 1",
            "rights of its own: /bin/ping: capabilities",
            "rights of its own: /bin/su: setuid to 0",
            "rights of its own: /bin/wall: setgid to 5",
        ]
    );
    // What a later layer takes away or puts in its place is not in the image.
    let over = [("bin/ping", with(0o755, 0, 0, false)), ("bin/wall", with(0o755, 0, 0, false))];
    let all = [over[0].clone(), files[1].clone(), files[2].clone(), over[1].clone()];
    let layers = [layer(&files), layer(&over)];
    assert_eq!(told(&release(&layers, &all)), ["setuid files: 1", "rights of its own: /bin/su: setuid to 0"]);
    assert_eq!(told(&release(&[layer(&over)], &over)), [""; 0]);
}

/// As many as the largest document holds, by a trusted key.
#[test]
fn half_a_million_subjects_are_refused_before_any_is_looked_at() {
    let subject = |number: u64| Subject::new(number.to_string(), Digest::of(&number.to_le_bytes()));
    for count in [1025, 400_000] {
        let subjects = (0..count).map(subject).collect();
        let statement = Statement::raw(subjects, uri::COSIGN_SIGN, serde_json::Map::new());
        let (_, bundle) = signed(&[statement], "signer").remove(0);
        let begin = Instant::now();
        let trust = Trust::in_keys([key("signer").public()]);
        let expect = selfsame_verify::Expectations::default();
        let verdict =
            selfsame_verify::verify_file(Digest::of(&0_u64.to_le_bytes()), &bundle, &trust, uri::COSIGN_SIGN, &expect);
        assert_eq!(verdict.class, Class::NotVerified);
        let said: Vec<_> = verdict.checks.iter().filter_map(|check| check.outcome.reason()).collect();
        assert!(said.iter().any(|it| it.contains("1024") || it.contains("values")), "{count}: {said:?}");
        assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    }
}
