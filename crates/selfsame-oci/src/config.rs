//! The image config: what a container of the image runs, and which layers it is made of (image-spec, config.md).

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::{Digest, Platform, SourceEpoch, media};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::descriptor::{Document, DocumentError, WirePlatform, bounded, parse_document};
use crate::manifest::{MAX_LAYERS, Manifest};

/// What an image runs, and its layers by diffID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageConfig {
    /// What it runs on.
    pub platform: Platform,
    /// RFC 3339; ours hold the source epoch.
    pub created: Option<String>,
    /// `NAME=VALUE`, in order.
    pub env: Vec<String>,
    /// The first words of the command.
    pub entrypoint: Vec<String>,
    /// The words behind them.
    pub cmd: Vec<String>,
    /// `uid:gid`, or empty.
    pub user: String,
    /// Absolute, or empty.
    pub workdir: String,
    /// Free text by key.
    pub labels: BTreeMap<String, String>,
    /// `8080/tcp`, ...
    pub ports: BTreeSet<String>,
    /// Folders that a container keeps apart.
    pub volumes: BTreeSet<String>,
    /// The signal that ends a container, or empty.
    pub stop_signal: String,
    /// Docker's words for how a container is asked whether it is well, as they stand in a base's config.
    pub healthcheck: Option<Value>,
    /// Docker's shell for commands that are one text.
    pub shell: Vec<String>,
    /// The layers, lowest first: digests of the uncompressed tars.
    pub diff_ids: Vec<Digest>,
    /// Where the layers came from; one entry each in ours.
    pub history: Vec<History>,
}

/// One line of an image's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// RFC 3339.
    pub created: Option<String>,
    /// What made the layer.
    pub created_by: Option<String>,
    /// A step that changed no file and so has no layer.
    pub empty_layer: bool,
}

impl ImageConfig {
    /// A config with no layer and no command, made at the source epoch.
    #[must_use]
    pub fn new(platform: Platform, epoch: SourceEpoch) -> Self {
        Self {
            platform,
            created: Some(epoch.rfc3339()),
            env: Vec::new(),
            entrypoint: Vec::new(),
            cmd: Vec::new(),
            user: String::new(),
            workdir: String::new(),
            labels: BTreeMap::new(),
            ports: BTreeSet::new(),
            volumes: BTreeSet::new(),
            stop_signal: String::new(),
            healthcheck: None,
            shell: Vec::new(),
            diff_ids: Vec::new(),
            history: Vec::new(),
        }
    }

    /// Adds a layer on top, and its line of history with the config's own time.
    pub fn push_layer(&mut self, diff_id: Digest, created_by: impl Into<String>) {
        self.diff_ids.push(diff_id);
        let created_by = Some(created_by.into());
        self.history.push(History { created: self.created.clone(), created_by, empty_layer: false });
    }

    /// Adds a line of history that has no layer, with the config's own time.
    pub fn push_empty(&mut self, created_by: impl Into<String>) {
        let created_by = Some(created_by.into());
        self.history.push(History { created: self.created.clone(), created_by, empty_layer: true });
    }

    /// The canonical bytes: empty lists, maps and texts are left out.
    #[must_use]
    pub fn document(&self) -> Document {
        let list = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        let names = |names: &BTreeSet<String>| {
            (!names.is_empty()).then(|| names.iter().map(|name| (name.clone(), Nothing {})).collect())
        };
        let WirePlatform { architecture, os, variant } = WirePlatform::from(&self.platform);
        let wire = WireConfig {
            architecture,
            os,
            variant,
            created: self.created.clone(),
            config: Some(WireRuntime {
                env: list(&self.env),
                entrypoint: list(&self.entrypoint),
                cmd: list(&self.cmd),
                user: text(&self.user),
                working_dir: text(&self.workdir),
                labels: (!self.labels.is_empty()).then(|| self.labels.clone()),
                exposed_ports: names(&self.ports),
                volumes: names(&self.volumes),
                stop_signal: text(&self.stop_signal),
                healthcheck: self.healthcheck.clone(),
                shell: list(&self.shell),
            }),
            rootfs: WireRootfs { kind: ROOTFS.to_owned(), diff_ids: self.diff_ids.clone() },
            history: (!self.history.is_empty()).then(|| self.history.iter().map(WireHistory::from).collect()),
        };
        Document::of(media::CONFIG, &wire)
    }

    /// Reads a config. Fields that selfsame has no use for are ignored; a history that counts other layers than
    /// `rootfs` is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        const WHAT: &str = "image config";
        let wire: WireConfig = parse_document(bytes, WHAT, &["manifests", "layers", "fsLayers"])?;
        let value = |fault: String| Err(DocumentError::Value { what: WHAT, fault });
        if wire.rootfs.kind != ROOTFS {
            return value(format!("rootfs.type is `{}`; `{ROOTFS}` is read", wire.rootfs.kind.escape_debug()));
        }
        let history = wire.history.unwrap_or_default();
        bounded(&wire.rootfs.diff_ids, WHAT, "layers", MAX_LAYERS)?;
        bounded(&history, WHAT, "lines of history", MAX_LAYERS * 4)?;
        let (told, layers) = (history.iter().filter(|line| !line.empty_layer).count(), wire.rootfs.diff_ids.len());
        if !history.is_empty() && told != layers {
            return value(format!("history tells of {told} layers and rootfs of {layers}"));
        }
        let runtime = wire.config.unwrap_or_default();
        Ok(Self {
            platform: WirePlatform { architecture: wire.architecture, os: wire.os, variant: wire.variant }.into(),
            created: wire.created,
            env: runtime.env.unwrap_or_default(),
            entrypoint: runtime.entrypoint.unwrap_or_default(),
            cmd: runtime.cmd.unwrap_or_default(),
            user: runtime.user.unwrap_or_default(),
            workdir: runtime.working_dir.unwrap_or_default(),
            labels: runtime.labels.unwrap_or_default(),
            ports: runtime.exposed_ports.unwrap_or_default().into_keys().collect(),
            volumes: runtime.volumes.unwrap_or_default().into_keys().collect(),
            stop_signal: runtime.stop_signal.unwrap_or_default(),
            healthcheck: runtime.healthcheck,
            shell: runtime.shell.unwrap_or_default(),
            diff_ids: wire.rootfs.diff_ids,
            history: history.into_iter().map(History::from).collect(),
        })
    }

    /// Whether this config and its manifest speak of the same number of layers.
    pub fn agrees_with(&self, manifest: &Manifest) -> Result<(), DocumentError> {
        let (here, there) = (self.diff_ids.len(), manifest.layers.len());
        if here == there {
            return Ok(());
        }
        let fault = format!("rootfs has {here} layers and the manifest {there}");
        Err(DocumentError::Value { what: "image config", fault })
    }
}

/// The only `rootfs.type` (image-spec, config.md: "MUST be set to the value `layers`").
const ROOTFS: &str = "layers";

#[derive(Serialize, Deserialize)]
struct WireConfig {
    architecture: String,
    os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<WireRuntime>,
    rootfs: WireRootfs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<Vec<WireHistory>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireRuntime {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    env: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entrypoint: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cmd: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exposed_ports: Option<BTreeMap<String, Nothing>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    volumes: Option<BTreeMap<String, Nothing>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop_signal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    healthcheck: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shell: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
struct Nothing {}

#[derive(Serialize, Deserialize)]
struct WireRootfs {
    #[serde(rename = "type")]
    kind: String,
    diff_ids: Vec<Digest>,
}

#[derive(Serialize, Deserialize)]
struct WireHistory {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    empty_layer: bool,
}

impl From<&History> for WireHistory {
    fn from(line: &History) -> Self {
        let History { created, created_by, empty_layer } = line.clone();
        Self { created, created_by, empty_layer }
    }
}

impl From<WireHistory> for History {
    fn from(wire: WireHistory) -> Self {
        let WireHistory { created, created_by, empty_layer } = wire;
        Self { created, created_by, empty_layer }
    }
}
