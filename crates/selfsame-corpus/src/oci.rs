//! Manifests, configs and layouts, linked again after each change as an attacker would do it.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use selfsame_core::{Digest, Platform, json, media};
use selfsame_oci::{Descriptor, Index, Manifest, image_manifest, layout, referrer_manifest};
use serde_json::{Value, json};

use crate::attack::Answer::{self, No, Unanswered};
use crate::attack::release_case;
use crate::case::Grounds::{Malformed, Strict};
use crate::case::{Case, Class, Content, RELEASE};
use crate::release::{Files, Parts};

fn case(item: u8, name: &str, says: &str, answer: Answer, release: impl Borrow<Files>) -> Case {
    release_case(item, Class::Oci, name, says, Malformed, answer, release.borrow())
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = blobs();
    cases.extend(places());
    cases.extend(digests());
    cases.extend(documents());
    cases.extend(layouts());
    cases.extend(referrers());
    cases
}

/// The path of the layer in the good release.
fn layer() -> String {
    layout::blob_path(Parts::good().layers[0].digest)
}

fn good() -> Files {
    Parts::good().release()
}

fn blobs() -> Vec<Case> {
    let with = |change: fn(&mut Vec<u8>)| {
        let mut release = good();
        change(release.get_mut(&layer()).expect("a layer"));
        release
    };
    let mut missing = good();
    missing.remove(&layer());
    vec![
        case(52, "blob-changed", "one bit of a layer is another", No("blobs", "does not have the digest"), {
            with(|it| it[40] ^= 1)
        }),
        case(52, "blob-longer", "a layer has a byte more", No("blobs", "is longer than"), with(|it| it.push(0))),
        case(
            52,
            "blob-shorter",
            "a layer has a byte less",
            No("blobs", "its descriptor says"),
            with(|it| _ = it.pop()),
        ),
        case(52, "blob-empty", "a layer is empty", No("blobs", "its descriptor says"), with(Vec::clear)),
        case(52, "blob-missing", "a layer is not there", No("blobs", "is missing"), &missing),
    ]
}

/// Other things than files in the places of files.
fn places() -> Vec<Case> {
    let mut cases = Vec::new();
    let (layer, manifest) = (layer(), layout::blob_path(Parts::good().image().1.digest));
    for (what, path, row) in [
        ("layer", layer.as_str(), "blobs"),
        ("manifest", manifest.as_str(), "image"),
        ("index", layout::INDEX_FILE, "index"),
        ("layout", layout::LAYOUT_FILE, "layout"),
    ] {
        let bytes = good()[path].clone();
        let depth = path.matches('/').count();
        let kept = format!("{}kept", "../".repeat(depth + 1));
        for (kind, says, content) in [
            ("link", "is a symbolic link to the right bytes", Content::Link(kept)),
            ("folder", "is a folder", Content::Folder),
            ("pipe", "is a pipe that nobody writes to", Content::Pipe),
            ("device", "leads to a device without an end", Content::Link("/dev/zero".into())),
        ] {
            let name = format!("{what}-is-a-{kind}");
            let says = format!("a {what} {says}");
            let mut case =
                release_case(52, Class::Oci, &name, &says, Malformed, Unanswered(row, "cannot be read"), good());
            case.files.insert(format!("{RELEASE}/{path}"), content);
            if kind == "link" {
                case.files.insert("kept".into(), bytes.clone().into());
            }
            cases.push(case);
        }
    }
    let mut sparse = release_case(
        32,
        Class::Oci,
        "index-without-end",
        "a gigabyte of nothing behind the index",
        Strict,
        No("index", "has more than 4194304 bytes"),
        good(),
    );
    let head = good()[layout::INDEX_FILE].clone();
    sparse.files.insert(format!("{RELEASE}/{}", layout::INDEX_FILE), Content::Sparse { head, size_bytes: 1 << 30 });
    cases.push(sparse);
    cases
}

/// The good release with its index's text changed.
fn index(change: impl FnOnce(&mut Value)) -> Files {
    let mut release = good();
    let mut value: Value = serde_json::from_slice(&release[layout::INDEX_FILE]).expect("an index");
    change(&mut value);
    release.insert(layout::INDEX_FILE.into(), json::canonical_value(&value));
    release
}

fn digests() -> Vec<Case> {
    let image = Parts::good().image().1.digest;
    let texts = [
        ("digest-that-leaves", "a digest that is a way out of the folder", "sha256:../../../../etc/passwd".to_owned()),
        ("digest-in-capitals", "a digest in capital letters", format!("sha256:{}", image.hex().to_uppercase())),
        ("digest-of-no-algorithm", "a digest of an algorithm that nobody knows", format!("sha1024:{}", image.hex())),
        ("digest-by-sha512", "a digest of 512 bits", format!("sha512:{0}{0}", image.hex())),
        ("digest-cut", "the first half of a digest", format!("sha256:{}", &image.hex()[..32])),
        ("digest-without-algorithm", "a digest without its algorithm", image.hex()),
    ];
    texts
        .into_iter()
        .map(|(name, says, text)| {
            let release = index(|it| it["manifests"][0]["digest"] = json!(text));
            case(53, name, says, No("index", "digest"), &release)
        })
        .collect()
}

/// The good evidence with another image manifest in its place.
fn image(manifest: Vec<u8>) -> Files {
    let descriptor = Descriptor::of(media::MANIFEST, &manifest);
    let mut release = index(|it| {
        it["manifests"][0]["digest"] = json!(descriptor.digest);
        it["manifests"][0]["size"] = json!(descriptor.size);
    });
    release.insert(layout::blob_path(descriptor.digest), manifest);
    release
}

fn documents() -> Vec<Case> {
    let parts = Parts::good();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(&parts.image().0).expect("a manifest");
        change(&mut value);
        image(json::canonical_value(&value))
    };
    let text = String::from_utf8(parts.image().0).expect("JSON is UTF-8");
    let twice = text.replacen("\"layers\":", "\"layers\":[],\"layers\":", 1);
    let size = format!("\"size\":{}", parts.layers[0].size);
    let sized = |other: &str| text.replacen(&size, &format!("\"size\":{other}"), 1).into_bytes();
    // A config under which everything else is signed anew.
    let config = |change: &dyn Fn(&mut selfsame_oci::ImageConfig)| {
        let mut parts = Parts::good();
        change(&mut parts.config);
        parts.release()
    };
    let annotated = image_manifest(
        &parts.config.document().descriptor,
        &parts.layers,
        &BTreeMap::from([("org.example.more".to_owned(), "x".to_owned())]),
    );
    let deep = format!("{{\"deep\":{}0{},{}", "[".repeat(200_000), "]".repeat(200_000), &text[1..]);
    vec![
        case(
            54,
            "manifest-and-index",
            "a document that is a manifest and an index",
            No("image", "another kind of document"),
            with(&|it| it["manifests"] = json!([])),
        ),
        case(
            54,
            "another-media-type",
            "a manifest that says that it is an index",
            No("image", "manifest has the media type"),
            with(&|it| it["mediaType"] = json!(media::INDEX)),
        ),
        case(54, "layers-twice", "a manifest with two lists of layers", No("image", "duplicate key `layers`"), {
            image(twice.into_bytes())
        }),
        case(
            54,
            "no-layers",
            "a manifest without a layer under a config of one",
            No("image", "rootfs has 1 layers and the manifest 0"),
            with(&|it| it["layers"] = json!([])),
        ),
        case(54, "layer-of-another-kind", "a layer of a media type that nobody unpacks", No("image", "is none of"), {
            with(&|it| it["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+xz"))
        }),
        case(54, "another-manifest", "another manifest of the same layers", No("referrers", "not about this image"), {
            image(annotated.bytes)
        }),
        case(
            31,
            "size-too-large",
            "a layer of more bytes than there are",
            No("image", "size"),
            image(sized(&u64::MAX.to_string())),
        ),
        case(31, "size-negative", "a layer of less than nothing", No("image", "expected u64"), image(sized("-1"))),
        case(30, "deep-manifest", "200,000 lists within one another in a manifest", No("image", "recursion limit"), {
            image(deep.into_bytes())
        }),
        case(55, "another-diff-id", "the config says another diffID", No("layers", "has another diffID"), {
            config(&|it| it.diff_ids[0] = Digest::of(b"another"))
        }),
        case(
            55,
            "diff-ids-of-more",
            "the config says diffIDs of more layers than there are",
            No("image", "rootfs of 2"),
            config(&|it| it.diff_ids.push(Digest::of(b"another"))),
        ),
        case(55, "history-of-more", "the history tells of more layers than there are", No("image", "history"), {
            config(&|it| {
                let again = it.history[0].clone();
                it.history.push(again);
            })
        }),
    ]
}

fn layouts() -> Vec<Case> {
    let with = |name: &str, text: &str| {
        let mut release = good();
        release.insert(name.to_owned(), text.as_bytes().to_vec());
        release
    };
    let mut without = good();
    without.remove(layout::LAYOUT_FILE);
    let platform = Platform { os: "linux".into(), architecture: "arm64".into(), variant: None };
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let many = |count: usize| {
        index(|it| {
            let first = it["manifests"][1].clone();
            let list = it["manifests"].as_array_mut().expect("manifests");
            for at in 0..count {
                let mut more = first.clone();
                more["digest"] = json!(Digest::of(&at.to_be_bytes()));
                list.push(more);
            }
        })
    };
    vec![
        case(59, "layout-of-no-version", "a layout of a version that nobody knows", No("layout", "`1.0.0` is read"), {
            with(layout::LAYOUT_FILE, "{\"imageLayoutVersion\":\"2.0.0\"}")
        }),
        case(59, "layout-missing", "nothing says that it is a layout", No("layout", "oci-layout is missing"), &without),
        case(59, "index-of-nothing", "the index lists nothing", No("index", "lists nothing"), {
            with(layout::INDEX_FILE, "{\"schemaVersion\":2,\"manifests\":[]}")
        }),
        case(59, "index-empty", "the index is an empty file", No("index", "EOF"), with(layout::INDEX_FILE, "")),
        case(59, "index-of-another-version", "an index of another version", No("index", "schemaVersion"), {
            index(|it| it["schemaVersion"] = json!(1))
        }),
        case(54, "index-and-manifest", "an index that is a manifest, too", No("index", "another kind of document"), {
            index(|it| it["layers"] = json!([]))
        }),
        case(54, "index-lists-twice", "the index lists one referrer twice", No("index", "twice"), {
            index(|it| {
                let again = it["manifests"][1].clone();
                it["manifests"].as_array_mut().expect("manifests").push(again);
            })
        }),
        case(54, "index-with-a-list-twice", "an index with two lists", No("index", "duplicate key"), {
            with(layout::INDEX_FILE, "{\"schemaVersion\":2,\"manifests\":[],\"manifests\":[]}")
        }),
        case(30, "deep-index", "200,000 lists within one another for an index", No("index", "recursion limit"), {
            with(layout::INDEX_FILE, &deep)
        }),
        case(
            47,
            "filed-under-another-version",
            "filed under a newer version than the one that is signed",
            No("names", "another name than the signed one"),
            index(|it| it["manifests"][0]["annotations"][layout::REF_NAME] = json!("hello:2.0.0")),
        ),
        case(
            54,
            "another-platform",
            "the index says another platform than the config",
            No("image", "its config says linux/amd64"),
            index(|it| it["manifests"][0]["platform"]["architecture"] = json!(platform.architecture)),
        ),
        case(
            54,
            "another-size",
            "the index says another size than the manifest has",
            No("image", "its descriptor says"),
            index(|it| it["manifests"][0]["size"] = json!(it["manifests"][0]["size"].as_u64().unwrap_or(0) + 1)),
        ),
        case(60, "ten-thousand-manifests", "an index of 10,000 manifests", No("index", "manifests"), many(10_000)),
        case(60, "two-thousand-referrers", "an index of 2,000 referrers", No("index", "at most 1024 are read"), {
            many(2000)
        }),
    ]
}

/// The good release with its first referrer changed, and the index with it.
fn referrer(change: impl Fn(&mut Value)) -> Files {
    let mut release = good();
    let listed = Index::parse(&release[layout::INDEX_FILE], media::INDEX).expect("an index");
    let old = layout::blob_path(listed.manifests[1].digest);
    let bytes = release.remove(&old).expect("a referrer");
    let mut value: Value = serde_json::from_slice(&bytes).expect("a manifest");
    change(&mut value);
    let bytes = json::canonical_value(&value);
    let manifest = Manifest::parse(&bytes, media::MANIFEST).ok();
    let mut index: Value = serde_json::from_slice(&release[layout::INDEX_FILE]).expect("an index");
    let descriptor = Descriptor::of(media::MANIFEST, &bytes);
    index["manifests"][1]["digest"] = json!(descriptor.digest);
    index["manifests"][1]["size"] = json!(descriptor.size);
    if let Some(manifest) = manifest {
        index["manifests"][1]["annotations"] = json!(manifest.annotations);
    }
    release.insert(layout::blob_path(descriptor.digest), bytes);
    release.insert(layout::INDEX_FILE.into(), json::canonical_value(&index));
    release
}

fn referrers() -> Vec<Case> {
    let parts = Parts::good();
    let other = Descriptor::of(media::MANIFEST, b"another image");
    let capsule = referrer_manifest(&other, media::CAPSULE, &parts.capsule, &BTreeMap::new());
    let mut stranger = good();
    let mut listed: Value = serde_json::from_slice(&stranger[layout::INDEX_FILE]).expect("an index");
    let last = listed["manifests"].as_array().expect("manifests").len() - 1;
    listed["manifests"][last]["digest"] = json!(capsule.descriptor.digest);
    listed["manifests"][last]["size"] = json!(capsule.descriptor.size);
    stranger.insert(layout::INDEX_FILE.into(), json::canonical_value(&listed));
    stranger.insert(layout::blob_path(capsule.descriptor.digest), capsule.bytes.clone());
    let about = |digest: Digest| json!({"mediaType": media::MANIFEST, "digest": digest, "size": 7});
    vec![
        case(
            61,
            "referrer-of-another-image",
            "a referrer of the right type, about another image",
            No("referrers", "not about this image"),
            referrer(|it| it["subject"] = about(other.digest)),
        ),
        case(61, "referrer-of-nothing", "a referrer that is about nothing", No("referrers", "has no subject"), {
            referrer(|it| _ = it.as_object_mut().map(|it| it.remove("subject")))
        }),
        case(61, "referrer-of-two-files", "a referrer that holds two files", No("referrers", "holds 2 files"), {
            referrer(|it| {
                let layer = it["layers"][0].clone();
                it["layers"].as_array_mut().expect("layers").push(layer);
            })
        }),
        case(61, "referrer-of-no-file", "a referrer that holds nothing", No("referrers", "holds 0 files"), {
            referrer(|it| it["layers"] = json!([]))
        }),
        case(61, "capsule-of-another-image", "the inputs of another image", No("referrers", "not about this image"), {
            &stranger
        }),
        case(17, "filed-as-an-sbom", "the provenance is filed as the SBOM", No("statements", "is labelled"), {
            referrer(|it| it["annotations"]["dev.sigstore.bundle.predicateType"] = json!("https://cyclonedx.org/bom"))
        }),
        case(17, "filed-as-nothing", "the provenance is filed as nothing", No("statements", "is labelled ``"), {
            referrer(|it| it["annotations"] = json!({"dev.sigstore.bundle.content": "dsse-envelope"}))
        }),
    ]
}
