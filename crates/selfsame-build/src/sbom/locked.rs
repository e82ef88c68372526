//! The packages of the inputs that are not the image's base: locked, and perhaps in the image.

use std::collections::BTreeMap;

use selfsame_core::{Digest, RelPath};
use selfsame_sbom::{Entity, Part, PartKind};
use selfsame_store::Store;

use super::identity::{Identity, qualifier};
use super::installed::{Root, of_python};
use crate::base::InputPackage;
use crate::build::Inputs;
use crate::error::BuildError;
use crate::request::Request;

/// What our own lock is called where it names a package.
const OWN_LOCK: &str = "selfsame.lock";

/// A package that a lock names.
#[derive(Clone, Debug)]
pub(crate) struct Locked<'a> {
    /// The input that it is of.
    pub(crate) input: &'a str,
    pub(crate) package: &'a InputPackage,
    /// Of its file.
    pub(crate) sha256: Option<Digest>,
    /// The lock: a file of the source, or `selfsame.lock`.
    pub(crate) lock: String,
    is_toolchain: bool,
}

impl<'a> Locked<'a> {
    /// All, inputs before toolchains: where both have a package, an action most likely took it from an input.
    pub(crate) fn all(inputs: &'a Inputs) -> Vec<Self> {
        let base = inputs.base.as_ref().map(|base| base.name.as_str());
        let mut all = Vec::new();
        for (input, packages) in inputs.described.iter().filter(|(name, _)| base != Some(name.as_str())) {
            let is_toolchain = inputs.definition.toolchains.keys().any(|known| known.as_str() == input);
            let pins = inputs.definition.input(input).and_then(|spec| spec.pins());
            let lock = pins.map_or_else(|| OWN_LOCK.to_owned(), |path| path.as_str().to_owned());
            all.extend(packages.iter().map(|package| Self {
                input,
                package,
                sha256: archive(&inputs.request, input, &package.purl),
                lock: lock.clone(),
                is_toolchain,
            }));
        }
        all.sort_by_key(|locked| (locked.is_toolchain, locked.input, &locked.package.purl));
        all
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        Identity::of(&self.package.purl, &self.package.name, &self.package.version)
    }

    /// What is known of it, without a SHA-512.
    pub(crate) fn part(&self) -> Part {
        let kind = if self.is_toolchain { PartKind::Application } else { PartKind::Library };
        let InputPackage { purl, name, version, .. } = self.package;
        let mut part = Part::new(kind, purl, name, version);
        part.license.clone_from(&self.package.license);
        part.supplier = self.package.supplier.clone().map(|name| Entity { name: Some(name), ..Entity::default() });
        part.filename = qualifier(purl, "file_name").filter(|file| !file.contains('%')).map(str::to_owned);
        part.sha256 = self.sha256;
        part.locations.insert(self.lock.clone());
        part
    }
}

/// The SHA-256 of the file that a package of an input comes from; nothing for one that came with others in one file, as
/// those of an image's layer.
pub(crate) fn archive(request: &Request, input: &str, purl: &str) -> Option<Digest> {
    let parts = request.inputs.get(input)?.parts.iter();
    // A module of Go is locked with its go.mod beside it, under one purl.
    let mut files = parts.filter(|part| part.purl == purl && part.role.as_deref().is_none_or(|role| role == "zip"));
    let digest = files.next()?.sha256;
    files.all(|other| other.sha256 == digest).then_some(digest)
}

/// Which package each file of an input's tree is of.
pub(crate) struct Owners<'a> {
    by_path: BTreeMap<RelPath, &'a Locked<'a>>,
    /// The only package that there is.
    only: Option<&'a Locked<'a>>,
}

impl<'a> Owners<'a> {
    pub(crate) fn of(
        input: &str,
        inputs: &Inputs,
        locked: &'a [Locked<'a>],
        store: &Store,
    ) -> Result<Self, BuildError> {
        let of_input: Vec<&Locked<'_>> = locked.iter().filter(|locked| locked.input == input).collect();
        let mut by_path = BTreeMap::new();
        for locked in &of_input {
            by_path.extend(locked.package.files.iter().map(|path| (path.clone(), *locked)));
        }
        if let (Some(tree), true) = (inputs.inputs.get(input), of_input.len() > 1) {
            let by_identity: BTreeMap<Identity, &Locked<'_>> =
                of_input.iter().filter_map(|locked| Some((locked.identity()?, *locked))).collect();
            for found in of_python(&Root::new(tree, store), &inputs.request.platform)? {
                let Some(locked) = by_identity.get(&found.identity) else { continue };
                by_path.extend(found.files.into_iter().map(|path| (path, *locked)));
            }
        }
        let only = if let [only] = of_input[..] { Some(only) } else { None };
        Ok(Self { by_path, only })
    }

    pub(crate) fn owner(&self, path: &RelPath) -> Option<&'a Locked<'a>> {
        self.by_path.get(path).copied().or(self.only)
    }
}
