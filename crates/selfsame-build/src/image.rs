//! From outputs to an image: the tree that the definition asks for, one layer, config and manifest.

use std::collections::BTreeMap;

use selfsame_core::{Digest, RelPath, media};
use selfsame_definition::{ActionInput, Definition, FileOrigin, ImageFile};
use selfsame_oci::{Descriptor, ImageConfig, image_manifest, with_parents};
use selfsame_store::Store;
use selfsame_tree::{Entry, Kind, Tree};

use crate::error::BuildError;
use crate::layer::{Form, remembered_layer};
use crate::progress::{Event, Progress};
use crate::record::{Image, Layer, StepRecord};
use crate::request::Request;

/// The line of history that stands for the one layer. A format constant of profile 1.
const CREATED_BY: &str = "selfsame build";

/// Assembles the image from the source and the outputs of the steps. Every blob is in the store then.
pub fn assemble(
    definition: &Definition,
    request: &Request,
    source: &Tree,
    steps: &[StepRecord],
    store: &Store,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Image, BuildError> {
    let (tree, origins) = image_tree(definition, source, steps)?;
    progress.event(Event::Layer { size_bytes: tree.size_bytes() });
    let layer = layer(&tree, request, store, threads)?;
    let config = config(definition, request, layer.diff_id);
    let manifest = image_manifest(&config.descriptor, std::slice::from_ref(&layer.descriptor), &annotations(request));
    store.put_bytes(&config.bytes, false)?;
    store.put_bytes(&manifest.bytes, false)?;
    Ok(Image {
        manifest: manifest.descriptor.for_platform(request.platform.clone()),
        config: config.descriptor,
        layers: vec![layer],
        tree,
        origins,
    })
}

/// Where each path of an image came from: `/bin/hello` to `compile:hello`.
type Origins = BTreeMap<String, String>;

fn image_tree(definition: &Definition, source: &Tree, steps: &[StepRecord]) -> Result<(Tree, Origins), BuildError> {
    let mut entries: BTreeMap<RelPath, Entry> = BTreeMap::new();
    let mut origins = Origins::new();
    for file in &definition.image.files {
        let from = match &file.from.input {
            ActionInput::Source => source,
            ActionInput::Action(name) => {
                let step = steps.iter().find(|step| step.name == name.as_str());
                &step.expect("the definition names only actions that it has, and each ran").tree
            }
        };
        for (path, entry) in placed(file, from)? {
            let is_folder = entry.kind == Kind::Directory;
            match entries.get(&path) {
                Some(there) if !(is_folder && there.kind == Kind::Directory) => {
                    return Err(BuildError::ImageConflict { path, from: file.from.to_string() });
                }
                _ => {}
            }
            if !is_folder {
                origins.insert(format!("/{}", path.as_str()), file.from.to_string());
            }
            entries.insert(path, entry);
        }
    }
    entries.remove("");
    let tree = Tree::from_entries(entries).map_err(|fault| BuildError::ImageTree { fault })?;
    Ok((with_parents(&tree), origins))
}

/// What one `[[image.file]]` adds, at its places in the image.
fn placed(file: &ImageFile, from: &Tree) -> Result<Vec<(RelPath, Entry)>, BuildError> {
    let FileOrigin { path, .. } = &file.from;
    let missing = || BuildError::ImageSource { from: file.from.to_string() };
    let own = |mut entry: Entry| {
        entry.uid = file.owner.uid;
        entry.gid = file.owner.gid;
        entry.step_rank = 0;
        entry
    };
    let is_folder = match from.entry(path.as_str()) {
        Some(entry) => entry.kind == Kind::Directory,
        None => path.is_root() || from.iter().any(|(below, _)| below.below(path).is_some()),
    };
    if is_folder {
        if file.mode.is_some() {
            return Err(BuildError::ImageMode { from: file.from.to_string() });
        }
        let below = from
            .subtree(path)
            .and_then(|tree| tree.below(&file.to))
            .map_err(|fault| BuildError::ImageTree { fault })?;
        return Ok(below.iter().map(|(path, entry)| (path.clone(), own(entry.clone()))).collect());
    }
    let mut entry = from.entry(path.as_str()).ok_or_else(missing)?.clone();
    if let Kind::HardLink { .. } = entry.kind {
        let (digest, size) = from.content(path.as_str()).ok_or_else(missing)?;
        entry.kind = Kind::File { digest, size };
    }
    if let (Some(mode), Kind::File { .. }) = (file.mode, &entry.kind) {
        entry.mode = mode;
    }
    Ok(vec![(file.to.clone(), own(entry))])
}

fn layer(tree: &Tree, request: &Request, store: &Store, threads: usize) -> Result<Layer, BuildError> {
    let layer = remembered_layer(tree, Form::Layer, request.epoch, request.profile, store, threads)?;
    Ok(Layer { descriptor: Descriptor::new(media::LAYER_GZIP, layer.digest, layer.size), diff_id: layer.diff_id })
}

fn config(definition: &Definition, request: &Request, diff_id: Digest) -> selfsame_oci::Document {
    let image = &definition.image;
    let mut config = ImageConfig::new(request.platform.clone(), request.epoch);
    config.env = image.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    config.entrypoint.clone_from(&image.entrypoint);
    config.cmd.clone_from(&image.cmd);
    config.user = image.user.map(|owner| owner.to_string()).unwrap_or_default();
    config.workdir = image.workdir.clone().unwrap_or_default();
    config.labels.clone_from(&image.labels);
    config.ports = image.ports.iter().map(ToString::to_string).collect();
    config.push_layer(diff_id, CREATED_BY);
    config.document()
}

/// Annotations of the manifest: what registries show without opening the config.
fn annotations(request: &Request) -> BTreeMap<String, String> {
    let annotation = |name: &str, value: &str| (format!("org.opencontainers.image.{name}"), value.to_owned());
    BTreeMap::from([
        annotation("created", &request.epoch.rfc3339()),
        annotation("title", &request.name),
        annotation("version", &request.version),
    ])
}
