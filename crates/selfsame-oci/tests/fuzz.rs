//! Layers, manifests and configurations of other people's images.

use selfsame_core::media;
use selfsame_oci::{ImageConfig, Index, LayerVisitor, Limits, Manifest, apply, layout, read_layer, read_pack};
use selfsame_testing::fuzz::{Answer, all, answer, checksummed, fuzz};

const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Holds a reader to what it tells: no more content than it announced.
struct Sees;

impl LayerVisitor for Sees {
    fn file(&mut self, _: &selfsame_core::RelPath, size: u64, content: &mut dyn std::io::Read) -> std::io::Result<()> {
        let got = std::io::copy(content, &mut std::io::sink())?;
        assert!(got <= size, "{got} of {size} bytes");
        Ok(())
    }
}

fn layer(bytes: &[u8], media_type: &str) -> Answer {
    let limits = Limits { diff_size_bytes: 64 << 20, ..Limits::LAYER };
    let read = read_layer(bytes, media_type, limits, &mut Sees).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    })?;
    answer(apply(&[read.clone(), read])).and(answer(read_pack(bytes, media_type, limits, &mut Sees)))
}

fn member(name: &[u8], kind: u8, link: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = vec![0_u8; 512];
    header[..name.len()].copy_from_slice(name);
    header[100..107].copy_from_slice(b"0000644");
    header[108..115].copy_from_slice(b"0001750");
    header[116..123].copy_from_slice(b"0001750");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[136..147].copy_from_slice(b"14000000000");
    header[156] = kind;
    header[157..157 + link.len()].copy_from_slice(link);
    header[257..265].copy_from_slice(b"ustar\x0000");
    header.extend_from_slice(content);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

fn tar() -> Vec<u8> {
    let members = [
        member(b"usr/", b'5', b"", b""),
        member(b"PaxHeaders/a", b'x', b"", b"25 path=usr/bin/a-longer\n30 SCHILY.xattr.user.key=value\n"),
        member(b"usr/a", b'0', b"", b"content"),
        member(b"usr/b", b'1', b"usr/a", b""),
        member(b"usr/lib", b'2', b"../lib", b""),
        member(b"././@LongLink", b'L', b"", b"usr/a-name-of-the-gnu-sort\0"),
        member(b"usr/c", b'0', b"", b""),
        member(b"usr/.wh.gone", b'0', b"", b""),
        vec![0; 1024],
    ];
    checksummed(&members.concat())
}

const WORDS: [&str; 14] = [
    ".wh.",
    ".wh..wh..opq",
    "../",
    "ustar\x0000",
    "ustar  \0",
    "././@LongLink",
    "0000755",
    "77777777777",
    "27 path=a/b\n",
    "11 size=1\n",
    "GNU.sparse.map=0,1",
    "30 mtime=1.5\n",
    "\u{80}",
    "SCHILY.xattr.security.capability=",
];

#[test]
fn fuzz_layer() {
    fuzz("layer", &[&tar()], &WORDS, |bytes| layer(&checksummed(bytes), TAR));
}

#[test]
fn fuzz_layer_bytes() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd = zstd::encode_all(tar().as_slice(), 1).expect("memory");
    let words = ["\x1f\u{8b}\x08\0", "\u{28}\u{b5}\u{2f}\u{fd}", "\0\0\u{ff}\u{ff}"];
    fuzz("layer-bytes", &[&gzip(&tar()), &zstd], &words, |bytes| {
        layer(bytes, layout::sniffed_layer(bytes)).and(layer(bytes, &format!("{TAR}+zstd")))
    });
}

#[test]
fn fuzz_manifest() {
    let descriptor = |media_type: &str| format!(r#"{{"mediaType":"{media_type}","digest":"{DIGEST}","size":12}}"#);
    let (config, tar) = (descriptor(media::CONFIG), descriptor(TAR));
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[{tar}],"annotations":{{"a":"b"}}}}"#,
        media::MANIFEST
    );
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{DIGEST}","size":7,"platform":{{"architecture":"amd64","os":"linux"}}}}]}}"#,
        media::INDEX,
        media::MANIFEST
    );
    let image = format!(
        r#"{{"architecture":"amd64","os":"linux","created":"2026-11-20T00:00:00Z","config":{{"Env":["A=b"],"Entrypoint":["/x"],"Labels":{{"a":"b"}}}},"rootfs":{{"type":"layers","diff_ids":["{DIGEST}"]}},"history":[{{"created_by":"x","empty_layer":false}}]}}"#
    );
    let docker = r#"[{"Config":"blobs/sha256/ab.json","RepoTags":["a:b"],"Layers":["l/layer.tar"]}]"#;
    let seeds = [
        manifest.as_bytes(),
        index.as_bytes(),
        image.as_bytes(),
        docker.as_bytes(),
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    ];
    let words = [
        "\"layers\":[",
        "\"manifests\":[",
        "\"subject\":",
        "\"size\":",
        "\"urls\":[",
        "\"data\":\"",
        "\"platform\":{",
        "null,",
        "sha512:",
    ];
    fuzz("manifest", &seeds, &words, |bytes| {
        let manifest = Manifest::parse(bytes, media::MANIFEST);
        let (index, config) = (Index::parse(bytes, media::INDEX), ImageConfig::parse(bytes));
        let (docker, file) = (layout::parse_docker_file(bytes), layout::check_layout_file(bytes));
        all([answer(manifest), answer(index), answer(docker), answer(file), answer(config)])
    });
}
