//! A complete release in memory, in stages: each stage can be changed before the next is made from it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde_json::{Map, Value, json};

use selfsame_attest::bundle::{ANNOTATION_CONTENT, ANNOTATION_PREDICATE_TYPE, CONTENT};
use selfsame_attest::{
    BuildDefinition, Builder, Cpu, Host, Inventory, InventoryDocument, Provenance, ResourceDescriptor, RunDetails,
    RunRecord, SigningKey, Statement, Subject, Tool, User, canonical_of, sign_statement,
};
use selfsame_core::{Digest, Platform, RelPath, SourceEpoch, media, uri};
use selfsame_oci::{
    Compression, Contents, Descriptor, ImageConfig, image_manifest, layout, referrer_manifest, write_layer, write_pack,
};
use selfsame_tree::{Entry, Tree};

use crate::Files;

/// The key whose secret number is the SHA-256 of `text`.
pub(crate) fn key(text: &str) -> SigningKey {
    SigningKey::generate(|seed| {
        seed.copy_from_slice(Digest::of(text.as_bytes()).as_bytes());
        Ok(())
    })
    .unwrap()
}

const EPOCH: u64 = 1_700_000_000;
const DEFINITION: &[u8] = b"name = \"hello\"\n";
const CRATE: &str = "pkg:cargo/memchr@2.7.4";
const TREE_ANNOTATION: &str = "dev.selfsame.tree";

/// Everything that is decided before anything is signed.
pub(crate) struct Parts {
    /// Blobs that a manifest names, by digest.
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    pub(crate) layers: Vec<Descriptor>,
    pub(crate) config: ImageConfig,
    /// What the SBOM says; its digest goes into the provenance.
    pub(crate) sbom: Map<String, Value>,
    pub(crate) provenance: Provenance,
    pub(crate) capsule: Vec<Descriptor>,
    pub(crate) not_checked_because: Option<&'static str>,
}

/// The contents of files by digest.
struct Blobs(BTreeMap<Digest, Vec<u8>>);

impl Contents for Blobs {
    fn open(&self, digest: &Digest, _size: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(&self.0[digest][..]))
    }
}

/// A tree of files and where their bytes are.
fn tree(files: &[(&str, &[u8])]) -> (Tree, Blobs) {
    let entries = files
        .iter()
        .map(|(path, bytes)| (RelPath::new(*path).unwrap(), Entry::file(Digest::of(bytes), bytes.len() as u64, true)));
    let blobs = files.iter().map(|(_, bytes)| (Digest::of(bytes), bytes.to_vec())).collect();
    (Tree::from_entries(entries).unwrap(), Blobs(blobs))
}

/// A gzip layer of these files: its bytes and its diffID.
pub(crate) fn layer(files: &[(&str, &[u8])]) -> (Vec<u8>, Digest) {
    let (tree, blobs) = tree(files);
    let mut bytes = Vec::new();
    let epoch = SourceEpoch::new(EPOCH).unwrap();
    let layer = write_layer(&tree, epoch, &blobs, &mut bytes, Compression::Gzip, 1).unwrap();
    (bytes, layer.diff_id)
}

/// A file as the SBOM claims it.
pub(crate) fn file_component(path: &str, bytes: &[u8]) -> Value {
    json!({"type": "file", "name": path, "hashes": [{"alg": "SHA-256", "content": Digest::of(bytes).hex()}]})
}

pub(crate) fn input(uri: &str, name: &str, digest: Digest) -> ResourceDescriptor {
    ResourceDescriptor { uri: uri.into(), name: name.into(), digest: digest.into(), ..ResourceDescriptor::default() }
}

impl Parts {
    /// A release that verifies: two files, one locked crate, a path source with a capsule.
    pub(crate) fn good() -> Self {
        let (hello, data) = (b"\x7fELF hello".as_slice(), b"data\n".as_slice());
        let (layer_bytes, diff_id) = layer(&[("bin/hello", hello), ("etc/data", data)]);
        let epoch = SourceEpoch::new(EPOCH).unwrap();
        let mut config =
            ImageConfig::new(Platform { os: "linux".into(), architecture: "amd64".into(), variant: None }, epoch);
        config.entrypoint = vec!["/bin/hello".into()];
        config.push_layer(diff_id, "selfsame build");

        let (source, contents) = tree(&[("hello.c", b"int main;")]);
        let mut pack = Vec::new();
        write_pack(&source, epoch, &contents, &mut pack, Compression::Gzip, 1).unwrap();
        let source_text = source.to_string().into_bytes();
        let capsule = vec![
            Descriptor::of(media::DEFINITION, DEFINITION),
            Descriptor::of(media::TREE, &source_text),
            Descriptor::of(media::PACK, &pack).annotated(TREE_ANNOTATION, source.digest().to_string()),
        ];
        let krate = Digest::of(b"memchr");
        let sbom = json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "metadata": {"component": {"type": "application", "name": "hello", "version": "1.0.0"}},
            "components": [
                file_component("/bin/hello", hello),
                file_component("/etc/data", data),
                {"type": "library", "name": "memchr", "purl": CRATE,
                 "hashes": [{"alg": "SHA-256", "content": krate.hex()}],
                 "properties": [{"name": "selfsame:input", "value": "true"}]},
                {"type": "library", "name": "not-locked", "purl": "pkg:generic/x@1"},
            ],
            "formulation": [{"components": [
                {"type": "file", "name": "selfsame.toml",
                 "hashes": [{"alg": "SHA-256", "content": Digest::of(DEFINITION).hex()}],
                 "properties": [{"name": "selfsame:uri", "value": "selfsame:definition"}]},
            ]}],
        });
        let parameters = json!({
            "definition": "selfsame:definition",
            "level": "normalized",
            "name": "hello",
            "platform": "linux/amd64",
            "source": {"uri": "selfsame:source", "digest": {"sha256": source.digest().hex()}},
            "version": "1.0.0",
        });
        let mut parts = Self {
            blobs: BTreeMap::new(),
            layers: vec![Descriptor::of(media::LAYER_GZIP, &layer_bytes)],
            config,
            sbom: sbom.as_object().unwrap().clone(),
            provenance: Provenance {
                build_definition: BuildDefinition {
                    build_type: uri::BUILD_TYPE.into(),
                    external_parameters: parameters.as_object().unwrap().clone(),
                    internal_parameters: Map::from_iter([
                        ("level".to_owned(), json!("normalized")),
                        ("profile".to_owned(), json!(1)),
                        ("sandbox".to_owned(), json!({"network": "none", "relaxed": ""})),
                    ]),
                    resolved_dependencies: vec![
                        input("selfsame:definition", "selfsame.toml", Digest::of(DEFINITION)),
                        input("selfsame:source", "source", source.digest()),
                        input(CRATE, "memchr-2.7.4.crate", krate),
                    ],
                },
                run_details: RunDetails { builder: Builder { id: uri::BUILDER_LOCAL.into() }, byproducts: Vec::new() },
            },
            capsule,
            not_checked_because: None,
        };
        for bytes in [&layer_bytes[..], DEFINITION, &source_text, &pack, Descriptor::EMPTY_BYTES] {
            parts.add(bytes);
        }
        parts
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) -> Digest {
        self.blobs.insert(Digest::of(bytes), bytes.to_vec());
        Digest::of(bytes)
    }

    /// The image manifest and its descriptor, as the index has it.
    pub(crate) fn image(&self) -> (Vec<u8>, Descriptor) {
        let config = self.config.document();
        let manifest = image_manifest(&config.descriptor, &self.layers, &BTreeMap::new());
        (manifest.bytes, manifest.descriptor.for_platform(self.config.platform.clone()))
    }

    pub(crate) fn image_digest(&self) -> Digest {
        self.image().1.digest
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject::new("hello:1.0.0", self.image_digest())
    }

    /// Provenance, SBOM, image signature and inventory, not signed yet.
    pub(crate) fn statements(&self) -> Vec<Statement> {
        let mut provenance = self.provenance.clone();
        if let Ok(sbom) = canonical_of(&Value::Object(self.sbom.clone())) {
            provenance.run_details.byproducts.push(ResourceDescriptor {
                name: "sbom.cdx.json".into(),
                digest: Digest::of(&sbom).into(),
                ..ResourceDescriptor::default()
            });
        }
        let mut statements = vec![
            Statement::new(vec![self.subject()], &provenance),
            Statement::raw(vec![self.subject()], uri::CYCLONEDX, self.sbom.clone()),
            Statement::cosign_sign(vec![self.subject()]),
        ];
        statements.push(self.inventory(&statements));
        statements
    }

    /// The inventory of these statements.
    pub(crate) fn inventory(&self, statements: &[Statement]) -> Statement {
        let documents = statements.iter().map(|statement| InventoryDocument {
            predicate_type: statement.predicate_type.clone(),
            sha256: Digest::of(&statement.to_payload()),
        });
        Statement::new(vec![self.subject()], &Inventory::new(documents.collect(), self.not_checked_because))
    }

    /// The release with these bundles, each under its label.
    pub(crate) fn lay_out(&self, bundles: &[(String, Vec<u8>)]) -> Files {
        let (image_bytes, image) = self.image();
        let mut files = Files::new();
        let mut blob = |bytes: &[u8]| files.insert(layout::blob_path(Digest::of(bytes)), bytes.to_vec());
        blob(&image_bytes);
        blob(&self.config.document().bytes);
        self.blobs.values().for_each(|bytes| drop(blob(bytes)));
        let mut referrers = Vec::new();
        for (label, bundle) in bundles {
            blob(bundle);
            let annotations = BTreeMap::from([
                (ANNOTATION_CONTENT.to_owned(), CONTENT.to_owned()),
                (ANNOTATION_PREDICATE_TYPE.to_owned(), label.clone()),
            ]);
            let layers = [Descriptor::of(media::BUNDLE, bundle)];
            let manifest = referrer_manifest(&image, media::BUNDLE, &layers, &annotations);
            blob(&manifest.bytes);
            referrers.push(manifest.descriptor);
        }
        let capsule = referrer_manifest(&image, media::CAPSULE, &self.capsule, &BTreeMap::new());
        blob(&capsule.bytes);
        referrers.push(capsule.descriptor);
        files.insert(layout::INDEX_FILE.into(), layout::index_file(&image, "hello:1.0.0", &referrers).bytes);
        files.insert(layout::LAYOUT_FILE.into(), layout::layout_file());
        files
    }

    /// The whole release, signed by the key `signer`.
    pub(crate) fn release(&self) -> Files {
        self.lay_out(&signed(&self.statements(), "signer"))
    }

    /// The release id.
    pub(crate) fn release_id(&self) -> Digest {
        Digest::of(&self.statements()[3].to_payload())
    }

    /// A run record about this release, signed by this key.
    pub(crate) fn run_record(&self, release_id: Digest, signer: &str) -> Vec<u8> {
        let record = RunRecord {
            release_id,
            selfsame: Tool { version: "0.1.0".into(), sha256: Digest::of(b"selfsame") },
            started_at: "2023-11-14T22:13:20Z".into(),
            finished_at: "2023-11-14T22:13:21Z".into(),
            duration_ms: 1000,
            host: Host { hostname: "h".into(), kernel: "6".into(), machine: "x86_64".into(), cpu: Cpu::default() },
            user: User { uid: 1000, gid: 1000, rootless: true },
            actions: Vec::new(),
            not_covered: Vec::new(),
        };
        sign_statement(&Statement::new(vec![self.subject()], &record), &key(signer)).unwrap().to_bytes()
    }
}

/// A bundle for each statement, labelled with its type, signed by the key of this name.
pub(crate) fn signed(statements: &[Statement], signer: &str) -> Vec<(String, Vec<u8>)> {
    let sign = |statement: &Statement| {
        (statement.predicate_type.clone(), sign_statement(statement, &key(signer)).unwrap().to_bytes())
    };
    statements.iter().map(sign).collect()
}

/// A good release with its run record.
pub(crate) fn good() -> Files {
    let parts = Parts::good();
    let mut files = parts.release();
    files.insert(selfsame_verify::RUN_RECORD_FILE.into(), parts.run_record(parts.release_id(), "signer"));
    files
}
