//! Images of any of the forms that tools leave, as the explainer wants to see them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use selfsame_core::json::{self, Limits};
use selfsame_core::{Digest, Platform, RelPath, media};
use selfsame_diff::{ImageView, LayerView};
use selfsame_oci::{Descriptor, ImageConfig, Index, LayerVisitor, Manifest, layout, read_layer, same_platform};
use selfsame_store::Store;
use selfsame_tree::Tree;
use selfsame_verify::ReleaseFiles;
use serde_json::Value;

use crate::report::{Answer, Exit, Report};

/// The largest manifest or config that is read.
const DOCUMENT_BYTES: u64 = 64 << 20;

/// An image in a release folder, an OCI layout, a tar of one, or what `docker save` wrote.
pub(crate) struct Image {
    files: Box<dyn ReleaseFiles>,
    manifest_digest: Option<Digest>,
    manifest: Option<Value>,
    config: Value,
    layers: Vec<LayerView>,
    /// Where each layer's bytes are, and what they are.
    sources: Vec<(String, String)>,
    /// The last file content that was read: explainers read the same file more than once.
    last: RefCell<Option<(Digest, Vec<u8>)>>,
}

/// Reads an image: all its layers, once, for their trees.
pub(crate) fn open(path: &Path) -> Answer<Image> {
    of(crate::files::open(path)?, path)
}

/// The same of an image for several platforms, by one of them.
pub(crate) fn open_for(path: &Path, platform: Option<&Platform>) -> Answer<Image> {
    of_platform(crate::files::open(path)?, path, platform)
}

/// The same from its files; errors call it `path`.
pub(crate) fn of(files: Box<dyn ReleaseFiles>, path: &Path) -> Answer<Image> {
    of_platform(files, path, None)
}

/// The platforms of an image that is for several; none where it is one image.
pub(crate) fn platforms(path: &Path) -> Answer<Vec<Platform>> {
    let files = crate::files::open(path)?;
    if !files.read(layout::INDEX_FILE, DOCUMENT_BYTES).is_ok_and(|file| file.is_some()) {
        return Ok(Vec::new());
    }
    let (_, _, platforms) = first_manifest(files.as_ref(), None).map_err(|fault| unreadable(path, &fault))?;
    Ok(platforms)
}

fn unreadable(path: &Path, fault: &str) -> Report {
    Report::new(Exit::Unanswered, format!("`{}` holds no image that can be read: {fault}", path.display()))
}

fn of_platform(files: Box<dyn ReleaseFiles>, path: &Path, platform: Option<&Platform>) -> Answer<Image> {
    let fault = |fault: String| unreadable(path, &fault);
    let document = |name: &str| {
        let bytes = files.read(name, DOCUMENT_BYTES).map_err(|error| fault(format!("`{name}`: {error}")))?;
        bytes.ok_or_else(|| fault(format!("there is no `{name}`")))
    };
    let value = |name: &str, bytes: &[u8]| {
        json::parse(bytes, Limits::DOCUMENT).map_err(|error| fault(format!("`{name}`: {error}")))
    };

    let has_index = files.read(layout::INDEX_FILE, DOCUMENT_BYTES).is_ok_and(|file| file.is_some());
    let (manifest_digest, manifest, config_name, sources) = if has_index {
        let (digest, name, _) = first_manifest(files.as_ref(), platform).map_err(fault)?;
        let bytes = document(&name)?;
        let manifest = value(&name, &bytes)?;
        let typed = Manifest::parse(&bytes, media::MANIFEST).map_err(|error| fault(error.to_string()))?;
        let sources: Vec<(String, String)> =
            typed.layers.iter().map(|layer| (layout::blob_path(layer.digest), layer.media_type.clone())).collect();
        (Some(digest), Some(manifest), layout::blob_path(typed.config.digest), sources)
    } else {
        let bytes = document(layout::DOCKER_FILE)?;
        let images = layout::parse_docker_file(&bytes).map_err(|error| fault(error.to_string()))?;
        let image = images.into_iter().next().ok_or_else(|| fault("`manifest.json` lists no image".to_owned()))?;
        let layers = image.layers.into_iter().map(|name| {
            let gzip = files.open(&name).ok().flatten().is_some_and(|mut reader| {
                let mut magic = [0; 2];
                reader.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b]
            });
            (name, if gzip { media::LAYER_GZIP } else { media::LAYER_TAR }.to_owned())
        });
        let layers = layers.collect();
        (None, None, image.config, layers)
    };
    let config_bytes = document(&config_name)?;
    let config = value(&config_name, &config_bytes)?;
    ImageConfig::parse(&config_bytes).map_err(|error| fault(error.to_string()))?;

    let mut layers = Vec::new();
    for (name, media_type) in &sources {
        let reader = files.open(name).map_err(|error| fault(format!("`{name}`: {error}")))?;
        let reader = reader.ok_or_else(|| fault(format!("there is no `{name}`")))?;
        let limits = selfsame_oci::Limits { specials: selfsame_oci::Specials::Report, ..selfsame_oci::Limits::LAYER };
        let read =
            read_layer(reader, media_type, limits, &mut ()).map_err(|error| fault(format!("`{name}`: {error}")))?;
        layers.push(LayerView {
            digest: has_index.then_some(read.digest),
            diff_id: read.diff_id,
            marks: marks(&read),
            tree: read.tree,
        });
    }
    Ok(Image { manifest_digest, manifest, config, layers, sources, last: RefCell::new(None), files })
}

/// The first image of a layout's index, through one nested index where a tool wrote one: of that the one for a platform,
/// or the first. And the platforms of that index.
fn first_manifest(
    files: &dyn ReleaseFiles,
    wanted: Option<&Platform>,
) -> Result<(Digest, String, Vec<Platform>), String> {
    let mut name = layout::INDEX_FILE.to_owned();
    let mut platforms = Vec::new();
    for nested in [false, true] {
        let bytes = files.read(&name, DOCUMENT_BYTES).map_err(|error| format!("`{name}`: {error}"))?;
        let bytes = bytes.ok_or_else(|| format!("there is no `{name}`"))?;
        let index = Index::parse(&bytes, media::INDEX).map_err(|error| format!("`{name}`: {error}"))?;
        if nested {
            // What tools attach to an index is for the platform `unknown/unknown`.
            let known = index.manifests.iter().filter_map(|image| image.platform.clone());
            platforms = known.filter(|platform| platform.os != "unknown").collect();
        }
        let fits = |image: &&Descriptor| match (nested, wanted, &image.platform) {
            (true, Some(wanted), Some(there)) => same_platform(there, wanted),
            (true, Some(_), None) => false,
            _ => true,
        };
        let first = index.manifests.iter().find(fits);
        let first = first.ok_or_else(|| match wanted.filter(|_| nested) {
            Some(wanted) => format!("it has none for {wanted}"),
            None => format!("`{name}` lists nothing"),
        })?;
        name = layout::blob_path(first.digest);
        if first.media_type != media::INDEX {
            return Ok((first.digest, name, platforms));
        }
    }
    Err("indexes of indexes".to_owned())
}

impl ImageView for Image {
    fn manifest_digest(&self) -> Option<Digest> {
        self.manifest_digest
    }

    fn manifest(&self) -> Option<&Value> {
        self.manifest.as_ref()
    }

    fn config(&self) -> &Value {
        &self.config
    }

    fn layers(&self) -> &[LayerView] {
        &self.layers
    }

    fn content(&self, layer: usize, digest: &Digest) -> io::Result<Box<dyn Read + '_>> {
        if let Some((known, bytes)) = self.last.borrow().as_ref()
            && known == digest
        {
            return Ok(Box::new(io::Cursor::new(bytes.clone())));
        }
        let wanted = self.layers.get(layer).and_then(|layer| {
            let file = layer
                .tree
                .iter()
                .find(|(path, _)| layer.tree.content(path.as_str()).is_some_and(|(d, _)| d == *digest));
            file.map(|(path, _)| path.clone())
        });
        let wanted = wanted.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut find = Find { wanted, found: None };
        let (name, media_type) = &self.sources[layer];
        let reader = self.files.open(name)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let limits = selfsame_oci::Limits { specials: selfsame_oci::Specials::Report, ..selfsame_oci::Limits::LAYER };
        read_layer(reader, media_type, limits, &mut find).map_err(|error| io::Error::other(error.to_string()))?;
        let bytes = find.found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        *self.last.borrow_mut() = Some((*digest, bytes.clone()));
        Ok(Box::new(io::Cursor::new(bytes)))
    }

    fn tar(&self, layer: usize) -> io::Result<Box<dyn Read + '_>> {
        let (name, media_type) = &self.sources[layer];
        let reader = self.files.open(name)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        if media_type.ends_with("gzip") {
            return Ok(Box::new(flate2::read::GzDecoder::new(reader)));
        }
        Ok(Box::new(reader))
    }
}

/// What a layer holds that a tree cannot: whiteouts and devices, in words.
fn marks(read: &selfsame_oci::ReadLayer) -> BTreeMap<RelPath, String> {
    let whiteouts = read.whiteouts.iter().map(|whiteout| match whiteout {
        selfsame_oci::Whiteout::Path(path) => (path.clone(), "takes this path away".to_owned()),
        selfsame_oci::Whiteout::Opaque(path) => (path.clone(), "hides what lower layers have here".to_owned()),
    });
    let specials = read.specials.iter().map(|(path, special)| (path.clone(), format!("{special:?}").to_lowercase()));
    whiteouts.chain(specials).collect()
}

/// Keeps the content of one file of a layer.
struct Find {
    wanted: RelPath,
    found: Option<Vec<u8>>,
}

impl LayerVisitor for Find {
    fn file(&mut self, path: &RelPath, _: u64, content: &mut dyn Read) -> io::Result<()> {
        if *path == self.wanted {
            let mut bytes = Vec::new();
            content.take(selfsame_diff::Limits::STANDARD.file_bytes + 1).read_to_end(&mut bytes)?;
            self.found = Some(bytes);
        }
        Ok(())
    }
}

/// Two trees of the store as images of one layer, so that the same explainers say why they differ.
struct TreeImage<'a> {
    config: Value,
    layers: Vec<LayerView>,
    store: &'a Store,
}

impl<'a> TreeImage<'a> {
    fn new(tree: &Tree, store: &'a Store) -> Self {
        // The digest of the tree stands for the tar that nobody wrote.
        let layer = LayerView { digest: None, diff_id: tree.digest(), tree: tree.clone(), marks: BTreeMap::new() };
        Self { config: Value::Object(serde_json::Map::new()), layers: vec![layer], store }
    }
}

impl ImageView for TreeImage<'_> {
    fn manifest_digest(&self) -> Option<Digest> {
        None
    }

    fn manifest(&self) -> Option<&Value> {
        None
    }

    fn config(&self) -> &Value {
        &self.config
    }

    fn layers(&self) -> &[LayerView] {
        &self.layers
    }

    fn content(&self, _: usize, digest: &Digest) -> io::Result<Box<dyn Read + '_>> {
        let reader = self.store.open_blob(digest).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Box::new(reader))
    }

    fn tar(&self, _: usize) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(io::empty()))
    }
}

/// Lines that say why two trees of the store differ.
pub(crate) fn explain_trees(first: &Tree, second: &Tree, store: &Store) -> Vec<String> {
    let (first, second) = (TreeImage::new(first, store), TreeImage::new(second, store));
    let limits = selfsame_diff::Limits { entries: 8, contents: 8, places: 4, ..selfsame_diff::Limits::STANDARD };
    // The second run is the checking one, with a single CPU.
    let here = crate::run_record::facts_here();
    let once = selfsame_diff::HostFacts { cpu_count: Some("1".to_owned()), ..here.clone() };
    match selfsame_diff::explain(&first, &second, &selfsame_diff::Known { a: here, b: once }, &limits) {
        Ok(explanation) => {
            let lines = selfsame_diff::lines(&explanation, "first", "second");
            // Trees have no manifests to compare.
            lines.into_iter().filter(|line| !line.ends_with("no manifest")).collect()
        }
        Err(error) => vec![format!("the difference could not be read: {error}")],
    }
}
