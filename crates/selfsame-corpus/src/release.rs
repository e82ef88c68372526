//! A complete release in memory, in stages: each can be changed before the next is made from it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::OnceLock;

use selfsame_attest::bundle::{ANNOTATION_CONTENT, ANNOTATION_PREDICATE_TYPE, CONTENT};
use selfsame_attest::{
    BuildDefinition, Builder, Inventory, InventoryDocument, Provenance, ResourceDescriptor, RunDetails, Statement,
    Subject, canonical_of,
};
use selfsame_core::{Digest, Platform, RelPath, SourceEpoch, media, uri};
use selfsame_oci::{
    Compression, Contents, Descriptor, ImageConfig, image_manifest, layout, referrer_manifest, write_layer, write_pack,
};
use selfsame_tree::{Entry, Tree};
use serde_json::{Map, Value, json};

use crate::draft::Draft;

/// A release: relative names and bytes.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

const EPOCH: u64 = 1_700_000_000;
const DEFINITION: &[u8] = b"name = \"hello\"\n";
const CRATE: &str = "pkg:cargo/memchr@2.7.4";
const TREE_ANNOTATION: &str = "dev.selfsame.tree";

/// What the program in the image says.
pub(crate) const HELLO: &[u8] = b"\x7fELF hello";
/// The other file of the image.
pub(crate) const DATA: &[u8] = b"data\n";
/// The tag of the release.
pub(crate) const NAME: &str = "hello:1.0.0";

/// Everything that is decided before anything is signed.
#[derive(Clone)]
pub(crate) struct Parts {
    /// Blobs that a manifest names, by digest.
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    pub(crate) layers: Vec<Descriptor>,
    pub(crate) config: ImageConfig,
    /// What the SBOM says; its digest goes into the provenance.
    pub(crate) sbom: Map<String, Value>,
    pub(crate) provenance: Provenance,
    pub(crate) capsule: Vec<Descriptor>,
}

struct Blobs(BTreeMap<Digest, Vec<u8>>);

impl Contents for Blobs {
    fn open(&self, digest: &Digest, _size: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(&self.0[digest][..]))
    }
}

pub(crate) fn epoch() -> SourceEpoch {
    SourceEpoch::new(EPOCH).expect("a time")
}

fn tree(files: &[(&str, &[u8])]) -> (Tree, Blobs) {
    let entries = files.iter().map(|(path, bytes)| {
        (RelPath::new(*path).expect("a path"), Entry::file(Digest::of(bytes), bytes.len() as u64, true))
    });
    let blobs = files.iter().map(|(_, bytes)| (Digest::of(bytes), bytes.to_vec())).collect();
    (Tree::from_entries(entries).expect("a tree"), Blobs(blobs))
}

/// A layer of these files: its bytes and its diffID.
pub(crate) fn layer(files: &[(&str, &[u8])], compression: Compression) -> (Vec<u8>, Digest) {
    let (tree, blobs) = tree(files);
    let mut bytes = Vec::new();
    let layer = write_layer(&tree, epoch(), &blobs, &mut bytes, compression, 1).expect("a layer");
    (bytes, layer.diff_id)
}

/// A file as the SBOM claims it.
pub(crate) fn file_component(path: &str, bytes: &[u8]) -> Value {
    json!({"type": "file", "name": path, "hashes": [{"alg": "SHA-256", "content": Digest::of(bytes).hex()}]})
}

fn input(uri: &str, name: &str, digest: Digest) -> ResourceDescriptor {
    ResourceDescriptor { uri: uri.into(), name: name.into(), digest: digest.into(), ..ResourceDescriptor::default() }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is not an object"),
    }
}

impl Parts {
    /// A release that verifies: two files, one locked crate, a path source with a capsule.
    pub(crate) fn good() -> Self {
        static GOOD: OnceLock<Parts> = OnceLock::new();
        GOOD.get_or_init(|| Self::of("linux/amd64", &[])).clone()
    }

    /// The same for this platform, built together with others.
    pub(crate) fn of(platform: &str, together: &[&str]) -> Self {
        let (layer_bytes, diff_id) = layer(&[("bin/hello", HELLO), ("etc/data", DATA)], Compression::Gzip);
        let mut config = ImageConfig::new(platform.parse::<Platform>().expect("a platform"), epoch());
        config.entrypoint = vec!["/bin/hello".into()];
        config.push_layer(diff_id, "selfsame build");

        let (source, contents) = tree(&[("hello.c", b"int main;")]);
        let mut pack = Vec::new();
        write_pack(&source, epoch(), &contents, &mut pack, Compression::Gzip, 1).expect("a pack");
        let source_text = source.to_string().into_bytes();
        let capsule = vec![
            Descriptor::of(media::DEFINITION, DEFINITION),
            Descriptor::of(media::TREE, &source_text),
            Descriptor::of(media::PACK, &pack).annotated(TREE_ANNOTATION, source.digest().to_string()),
        ];
        let mut parameters = json!({
            "definition": "selfsame:definition",
            "level": "normalized",
            "name": "hello",
            "platform": platform,
            "source": {"uri": "selfsame:source", "digest": {"sha256": source.digest().hex()}},
            "version": "1.0.0",
        });
        if !together.is_empty() {
            parameters["platforms"] = json!(together);
        }
        let mut parts = Self {
            blobs: BTreeMap::new(),
            layers: vec![Descriptor::of(media::LAYER_GZIP, &layer_bytes)],
            config,
            sbom: sbom(),
            provenance: Provenance {
                build_definition: BuildDefinition {
                    build_type: uri::BUILD_TYPE.into(),
                    external_parameters: object(parameters),
                    internal_parameters: object(json!({
                        "epoch": EPOCH,
                        "level": "normalized",
                        "profile": 1,
                        "sandbox": {"network": "none", "relaxed": ""},
                    })),
                    resolved_dependencies: vec![
                        input("selfsame:definition", "selfsame.toml", Digest::of(DEFINITION)),
                        input("selfsame:source", "source", source.digest()),
                        input(CRATE, "memchr-2.7.4.crate", Digest::of(b"memchr")),
                    ],
                },
                run_details: RunDetails { builder: Builder { id: uri::BUILDER_LOCAL.into() }, byproducts: Vec::new() },
            },
            capsule,
        };
        for bytes in [&layer_bytes[..], DEFINITION, &source_text, &pack, Descriptor::EMPTY_BYTES] {
            parts.add(bytes);
        }
        parts
    }

    /// The same with this as its only layer: bytes as they are stored, under their media type, and the diffID of them.
    /// What the SBOM says is in it stays.
    pub(crate) fn with_layer(mut self, media_type: &str, bytes: &[u8], diff_id: Digest) -> Self {
        self.layers = vec![Descriptor::of(media_type, bytes)];
        let mut config = ImageConfig::new(self.config.platform.clone(), epoch());
        config.push_layer(diff_id, "selfsame build");
        self.config = config;
        self.add(bytes);
        let named: Vec<Digest> = self.layers.iter().chain(&self.capsule).map(|it| it.digest).collect();
        let empty = Digest::of(Descriptor::EMPTY_BYTES);
        self.blobs.retain(|digest, _| *digest == empty || named.contains(digest));
        self
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) -> Digest {
        self.blobs.insert(Digest::of(bytes), bytes.to_vec());
        Digest::of(bytes)
    }

    /// A field of the signed parameters.
    pub(crate) fn parameter(&mut self, name: &str, value: Value) {
        self.provenance.build_definition.external_parameters.insert(name.to_owned(), value);
    }

    /// The image manifest and its descriptor, as the index has it.
    pub(crate) fn image(&self) -> (Vec<u8>, Descriptor) {
        let config = self.config.document();
        let manifest = image_manifest(&config.descriptor, &self.layers, &BTreeMap::new());
        (manifest.bytes, manifest.descriptor.for_platform(self.config.platform.clone()))
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject::new(NAME, self.image().1.digest)
    }

    /// Provenance, SBOM and image signature, not signed yet.
    pub(crate) fn statements(&self) -> Vec<Statement> {
        let mut provenance = self.provenance.clone();
        if provenance.run_details.byproducts.is_empty()
            && let Ok(sbom) = canonical_of(&Value::Object(self.sbom.clone()))
        {
            provenance.run_details.byproducts.push(ResourceDescriptor {
                name: "sbom.cdx.json".into(),
                digest: Digest::of(&sbom).into(),
                ..ResourceDescriptor::default()
            });
        }
        vec![
            Statement::new(vec![self.subject()], &provenance),
            Statement::raw(vec![self.subject()], uri::CYCLONEDX, self.sbom.clone()),
            Statement::cosign_sign(vec![self.subject()]),
        ]
    }

    /// The inventory of documents of these types with these payloads.
    pub(crate) fn inventory(&self, payloads: &[(String, Vec<u8>)]) -> Statement {
        let documents = payloads
            .iter()
            .map(|(kind, payload)| InventoryDocument { predicate_type: kind.clone(), sha256: Digest::of(payload) });
        Statement::new(vec![self.subject()], &Inventory::new(documents.collect(), None))
    }

    /// The three statements and the inventory of them.
    pub(crate) fn all_statements(&self) -> Vec<Statement> {
        let mut statements = self.statements();
        let payloads: Vec<_> = statements.iter().map(|it| (it.predicate_type.clone(), it.to_payload())).collect();
        statements.push(self.inventory(&payloads));
        statements
    }

    /// The release id.
    pub(crate) fn release_id(&self) -> Digest {
        Digest::of(&self.all_statements()[3].to_payload())
    }

    /// A bundle by the trusted key for each of these, under its type.
    pub(crate) fn signed(statements: &[Statement], logged: bool) -> Vec<(String, Vec<u8>)> {
        let bundle = |it: &Statement| (it.predicate_type.clone(), Draft::statement(it).logged(logged).to_bytes());
        statements.iter().map(bundle).collect()
    }

    /// The whole release, signed by the trusted key.
    pub(crate) fn release(&self) -> Files {
        self.lay_out(&Self::signed(&self.all_statements(), false))
    }

    /// The release with these statements, which the inventory lists.
    pub(crate) fn release_of(&self, mut statements: Vec<Statement>) -> Files {
        let payloads: Vec<_> = statements.iter().map(|it| (it.predicate_type.clone(), it.to_payload())).collect();
        statements.push(self.inventory(&payloads));
        self.lay_out(&Self::signed(&statements, false))
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
            let manifest = bundle_manifest(&image, label, bundle);
            blob(&manifest.bytes);
            referrers.push(manifest.descriptor);
        }
        let capsule = referrer_manifest(&image, media::CAPSULE, &self.capsule, &BTreeMap::new());
        blob(&capsule.bytes);
        referrers.push(capsule.descriptor);
        files.insert(layout::INDEX_FILE.into(), layout::index_file(&image, NAME, &referrers).bytes);
        files.insert(layout::LAYOUT_FILE.into(), layout::layout_file());
        files
    }
}

/// The referrer that carries a bundle.
pub(crate) fn bundle_manifest(image: &Descriptor, label: &str, bundle: &[u8]) -> selfsame_oci::Document {
    let annotations = BTreeMap::from([
        (ANNOTATION_CONTENT.to_owned(), CONTENT.to_owned()),
        (ANNOTATION_PREDICATE_TYPE.to_owned(), label.to_owned()),
    ]);
    referrer_manifest(image, media::BUNDLE, &[Descriptor::of(media::BUNDLE, bundle)], &annotations)
}

fn sbom() -> Map<String, Value> {
    object(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"type": "application", "name": "hello", "version": "1.0.0"}},
        "components": [
            file_component("/bin/hello", HELLO),
            file_component("/etc/data", DATA),
            {"type": "library", "name": "memchr", "purl": CRATE,
             "hashes": [{"alg": "SHA-256", "content": Digest::of(b"memchr").hex()}],
             "properties": [{"name": "selfsame:input", "value": "true"}]},
            {"type": "library", "name": "not-locked", "purl": "pkg:generic/x@1"},
        ],
        "formulation": [{"components": [
            {"type": "file", "name": "selfsame.toml",
             "hashes": [{"alg": "SHA-256", "content": Digest::of(DEFINITION).hex()}],
             "properties": [{"name": "selfsame:uri", "value": "selfsame:definition"}]},
        ]}],
    }))
}
