//! How long content takes to a registry and back, and how much memory that needs, for the figures in docs/registry.md.
//!
//! `cargo run --release -p selfsame-registry --example transfer -- HOST/NAME FOLDER MIB`: pushes that many MiB as four blobs
//! from a new store in FOLDER, and pulls them into another one.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "measures, and says so")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read;
use std::path::PathBuf;
use std::time::Instant;

use selfsame_core::media;
use selfsame_http::{Client, Environment, Options, Origins};
use selfsame_oci::{Descriptor, image_manifest};
use selfsame_registry::{Configuration, Credentials, Reference, Registry, Source, Target};
use selfsame_store::Store;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [reference, folder, mib] = arguments.as_slice() else {
        return Err("usage: transfer HOST/NAME FOLDER MIB".into());
    };
    let (folder, mib): (PathBuf, u64) = (folder.into(), mib.parse()?);
    let client = Client::new(&Environment::default(), Options::default())?;
    let registry = Registry::new(&client, Configuration::of_origins(&Origins::default()), Credentials::none());
    let tag = Target::tag("measured")?;
    let reference = reference.parse::<Reference>()?.with(&tag);

    let here = Store::open(&folder.join("here"))?;
    let mut layers = Vec::new();
    for number in 0..4 {
        let (digest, size) = here.put(&mut Numbers { state: number + 1, left: mib << 18 }, false)?;
        layers.push(Descriptor::new(media::LAYER_TAR, digest, size));
    }
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    here.put_bytes(config, false)?;
    let config = Descriptor::of(media::CONFIG, config);
    let manifest = image_manifest(&config, &layers, &BTreeMap::new());

    let repository = registry.to_push(&reference)?;
    let start = Instant::now();
    for blob in layers.iter().chain([&config]) {
        repository.push_blob(&blob.digest, blob.size, Source::Store(&here), &[])?;
    }
    repository.push_manifest(&manifest.bytes, media::MANIFEST, &tag)?;
    say("push", start, mib);
    let start = Instant::now();
    for blob in layers.iter().chain([&config]) {
        repository.push_blob(&blob.digest, blob.size, Source::Store(&here), &[])?;
    }
    say("push, again", start, mib);

    let there = Store::open(&folder.join("there"))?;
    for what in ["pull", "pull, again"] {
        let start = Instant::now();
        let wanted = ["linux/amd64".parse()?];
        let (repository, image) = registry.first(&reference, |repository| repository.image(&tag, &wanted))?;
        repository.pull(&image, &there, None)?;
        say(what, start, mib);
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!("{peak}");
    Ok(())
}

fn say(what: &str, start: Instant, mib: u64) {
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let speed = mib as f64 / seconds;
    println!("{what:<12} {seconds:>7.2} s  {speed:>6.0} MiB/s");
}

/// Bytes that do not compress.
struct Numbers {
    state: u64,
    left: u64,
}

impl Read for Numbers {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        for chunk in buffer[..len].chunks_mut(8) {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            chunk.copy_from_slice(&self.state.to_le_bytes()[..chunk.len()]);
        }
        self.left -= len as u64;
        Ok(len)
    }
}
