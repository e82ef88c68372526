//! From outputs to an image: the tree that the definition asks for, its layers, config and manifest.

use std::collections::BTreeMap;

use selfsame_core::{RelPath, media};
use selfsame_definition::{ActionInput, Definition, FileOrigin, ImageFile};
use selfsame_oci::{BASE_DIGEST, BASE_NAME, Descriptor, ImageConfig, image_manifest, same_platform, with_parents};
use selfsame_store::Store;
use selfsame_tree::{Entry, Kind, Tree};

use crate::base::{BaseImage, Stacked, stack};
use crate::error::BuildError;
use crate::layer::{Form, remembered_layer};
use crate::progress::{Event, Progress};
use crate::record::{Image, Layer, StepRecord};
use crate::request::Request;

/// The line of history that stands for the layer of the definition's files. A format constant of profile 1.
const CREATED_BY: &str = "selfsame build";
/// The line that stands for the layer made of a root file system. A format constant of profile 1.
const BASE_CREATED_BY: &str = "selfsame build: base";

/// Assembles the image from its base, the source and the outputs of the steps. Every blob is in the store then.
#[expect(clippy::too_many_arguments, reason = "each is a value of its own, and a struct would name them again")]
pub fn assemble(
    definition: &Definition,
    request: &Request,
    source: &Tree,
    inputs: &BTreeMap<String, Tree>,
    steps: &[StepRecord],
    base: Option<&BaseImage>,
    store: &Store,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Image, BuildError> {
    let (files, origins) = image_files(definition, source, inputs, steps)?;
    let Content { own, whole, origins } = match base {
        None => scratch(files, origins)?,
        Some(base) => on_base(base, &files, &origins)?,
    };
    let mut layers = Vec::new();
    let mut config = own_config(definition, request);
    if let Some(base) = base {
        (config, layers) = base_layers(base, config, request, store, threads, progress)?;
    }
    // A layer of nothing is no layer, unless there would be none at all.
    if own.is_empty() && !layers.is_empty() {
        config.push_empty(CREATED_BY);
    } else {
        progress.event(Event::Layer { size_bytes: own.size_bytes() });
        let layer = layer(&own, request, store, threads)?;
        config.push_layer(layer.diff_id, CREATED_BY);
        layers.push(layer);
    }
    let config = config.document();
    let descriptors: Vec<Descriptor> = layers.iter().map(|layer| layer.descriptor.clone()).collect();
    let manifest = image_manifest(&config.descriptor, &descriptors, &annotations(request, base));
    store.put_bytes(&config.bytes, false)?;
    store.put_bytes(&manifest.bytes, false)?;
    Ok(Image {
        manifest: manifest.descriptor.for_platform(request.platform.clone()),
        config: config.descriptor,
        layers,
        tree: whole,
        origins,
    })
}

/// Where each path of an image came from: `/bin/hello` to `compile:hello`.
type Origins = BTreeMap<String, String>;

/// What stands where.
type Files = BTreeMap<RelPath, Entry>;

/// The files of an image.
struct Content {
    /// What its uppermost layer holds.
    own: Tree,
    /// What all its layers hold.
    whole: Tree,
    origins: Origins,
}

fn scratch(files: Files, origins: BTreeMap<RelPath, String>) -> Result<Content, BuildError> {
    let tree = Tree::from_entries(files).map_err(|fault| BuildError::ImageTree { fault })?;
    let own = with_parents(&tree);
    Ok(Content { whole: own.clone(), own, origins: absolute(origins) })
}

fn on_base(base: &BaseImage, files: &Files, origins: &BTreeMap<RelPath, String>) -> Result<Content, BuildError> {
    let Stacked { layer, whole, origins } = stack(base, files, origins)?;
    let mut all = absolute(origins);
    for (path, entry) in whole.iter().filter(|(_, entry)| entry.kind != Kind::Directory) {
        // A file that the base has in the very same way is the base's.
        let kept = base.tree.entry(path.as_str()) == Some(entry) && layer.entry(path.as_str()).is_none();
        let path = format!("/{}", path.as_str());
        if kept || !all.contains_key(&path) {
            all.insert(path, base_origin(&base.name));
        }
    }
    Ok(Content { own: layer, whole, origins: all })
}

fn absolute(origins: BTreeMap<RelPath, String>) -> Origins {
    origins.into_iter().map(|(path, origin)| (format!("/{}", path.as_str()), origin)).collect()
}

/// How the origin of a base's files is told.
pub(crate) fn base_origin(name: &str) -> String {
    format!("base {name}")
}

/// A base's layers, kept or made, and the config on top of them.
fn base_layers(
    base: &BaseImage,
    own: ImageConfig,
    request: &Request,
    store: &Store,
    threads: usize,
    progress: &dyn Progress,
) -> Result<(ImageConfig, Vec<Layer>), BuildError> {
    if let Some(image) = &base.image {
        let there = &image.config.platform;
        if !same_platform(there, &request.platform) {
            let (base, there, wanted) = (base.name.clone(), there.clone(), request.platform.clone());
            return Err(BuildError::BasePlatform { base, there, wanted });
        }
        return Ok((own.over(&image.config), image.layers.clone()));
    }
    progress.event(Event::Layer { size_bytes: base.tree.size_bytes() });
    let layer = layer(&with_parents(&base.tree), request, store, threads)?;
    let mut config = own;
    config.push_layer(layer.diff_id, BASE_CREATED_BY);
    Ok((config, vec![layer]))
}

/// What `[[image.file]]` tables put where, and from where each file is.
fn image_files(
    definition: &Definition,
    source: &Tree,
    inputs: &BTreeMap<String, Tree>,
    steps: &[StepRecord],
) -> Result<(Files, BTreeMap<RelPath, String>), BuildError> {
    let mut entries = Files::new();
    let mut origins = BTreeMap::new();
    for file in &definition.image.files {
        let from = match &file.from.input {
            ActionInput::Source => source,
            ActionInput::Input(name) => {
                inputs.get(name.as_str()).expect("the definition names only inputs that it has, and each was bound")
            }
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
                origins.insert(path.clone(), file.from.to_string());
            }
            entries.insert(path, entry);
        }
    }
    entries.remove("");
    Ok((entries, origins))
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

/// What the definition says of the image, without layers.
fn own_config(definition: &Definition, request: &Request) -> ImageConfig {
    let image = &definition.image;
    let mut config = ImageConfig::new(request.platform.clone(), request.epoch);
    config.env = image.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    config.entrypoint.clone_from(&image.entrypoint);
    config.cmd.clone_from(&image.cmd);
    config.user = image.user.map(|owner| owner.to_string()).unwrap_or_default();
    config.workdir = image.workdir.clone().unwrap_or_default();
    config.labels.clone_from(&image.labels);
    config.ports = image.ports.iter().map(ToString::to_string).collect();
    config
}

/// Annotations of the manifest: what registries show without opening the config.
pub(crate) fn annotations(request: &Request, base: Option<&BaseImage>) -> BTreeMap<String, String> {
    let annotation = |name: &str, value: &str| (format!("org.opencontainers.image.{name}"), value.to_owned());
    let mut annotations = BTreeMap::from([
        annotation("created", &request.epoch.rfc3339()),
        annotation("title", &request.name),
        annotation("version", &request.version),
    ]);
    if let Some(image) = base.and_then(|base| base.image.as_ref()) {
        annotations.insert(BASE_DIGEST.to_owned(), image.manifest.to_string());
        annotations.extend(image.reference.iter().map(|name| (BASE_NAME.to_owned(), name.clone())));
    }
    annotations
}
