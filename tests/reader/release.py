"""A whole release of one platform: a folder, judged by one public key.

From docs/release/v1.md, docs/inventory/v1.md, docs/build-type/v1.md and docs/verdicts.md, and from the specifications of OCI,
DSSE, in-toto, SLSA and Sigstore that they name. It shares no code with selfsame, so that the two can disagree. What it does not
look at is listed in tests/reader/README.md.
"""

import base64
import functools
import hashlib
import io
import pathlib
import tarfile
import zlib

import signatures
from transparency import Fault, canonical, either_base64, strict_json

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
LAYERS = ("application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip")
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
CAPSULE = "application/vnd.selfsame.capsule.v1+json"
TREE = "application/vnd.selfsame.tree.v1"
PACK = "application/vnd.selfsame.pack.v1.tar+gzip"
NAME = "org.opencontainers.image.ref.name"
LABEL = "dev.sigstore.bundle.predicateType"

PROVENANCE = "https://slsa.dev/provenance/v1"
SBOM = "https://cyclonedx.org/bom"
SIGN = "https://sigstore.dev/cosign/sign/v1"
INVENTORY = "https://selfsame.dev/inventory/v1"
EVIDENCE = (PROVENANCE, SBOM, SIGN, INVENTORY)
LATER = (
    "https://selfsame.dev/run-record/v1",
    "https://selfsame.dev/rebuild/v1",
    "https://slsa.dev/verification_summary/v1",
)
BUILD_TYPE = "https://selfsame.dev/build/v1"
LOCAL_BUILDER = "https://selfsame.dev/builder/local"
LEVELS = ("isolated", "normalized", "deterministic", "serialized")

DOCUMENT_BYTES = 64 << 20
LAYER_BYTES = 4 << 30
SUBJECTS = 1024


def judge(folder, key_path):
    """Raises a Fault with the first thing that does not hold."""
    try:
        release = Release(pathlib.Path(folder))
        key, builder = key_file(key_path)
        documents = release.documents(key)
        provenance, sbom = closed(documents)
        request(provenance, release.config, builder)
        inputs(provenance)
        described(provenance, sbom, release.name)
        release.capsule({it["digest"].get("sha256") for it in provenance["buildDefinition"]["resolvedDependencies"]})
        release.nothing_else()
        release.content(sbom)
    except (zlib.error, tarfile.TarError, EOFError) as error:
        raise Fault(f"a layer cannot be read: {error!r}") from error
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, OSError, RecursionError) as error:
        raise Fault(f"something is missing or of another kind: {error!r}") from error


def key_file(path):
    """A public key, and the builder that it speaks for."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    key = base64.b64decode(text.split("-----BEGIN PUBLIC KEY-----", 1)[1].split("-----END", 1)[0])
    builder = LOCAL_BUILDER
    for line in text.split("-----BEGIN", 1)[0].splitlines():
        if line.startswith("selfsame-builder-id:"):
            builder = line.split(":", 1)[1].strip()
    return key, builder


class Release:
    """The folder, and what of it was named so far."""

    def __init__(self, folder):
        self.folder, self.named = folder, {"oci-layout", "index.json"}
        if strict_json(self.read("oci-layout")) != {"imageLayoutVersion": "1.0.0"}:
            raise Fault("oci-layout is of another version")
        text = self.read("index.json")
        index = strict_json(text)
        if canonical(index) != text or set(index) - {"schemaVersion", "mediaType", "manifests"}:
            raise Fault("index.json is not canonical or holds more than manifests")
        if index["schemaVersion"] != 2 or not index["manifests"]:
            raise Fault("index.json is of another version or lists nothing")
        image, *self.listed = index["manifests"]
        digests = [it["digest"] for it in index["manifests"]]
        if len(set(digests)) != len(digests):
            raise Fault("index.json lists something twice")
        if image["mediaType"] != MANIFEST or set(image["annotations"]) != {NAME}:
            raise Fault("the first of index.json is not one image under one name")
        self.name, self.image = image["annotations"][NAME], image
        self.manifest = self.document(image, MANIFEST)
        if set(self.manifest) & {"subject", "artifactType", "manifests"}:
            raise Fault("the image is not an image")
        self.config = self.document(self.manifest["config"], CONFIG)
        platform = {name: self.config[name] for name in ("architecture", "os", "variant") if name in self.config}
        if image.get("platform", platform) != platform:
            raise Fault("index.json and config say different platforms")
        self.layers = self.manifest["layers"]
        if len(self.config["rootfs"]["diff_ids"]) != len(self.layers):
            raise Fault("config and manifest have different numbers of layers")
        history = self.config.get("history") or []
        if history and len([it for it in history if not it.get("empty_layer")]) != len(self.layers):
            raise Fault("the history tells of another number of layers")
        if any(layer["mediaType"] not in LAYERS for layer in self.layers):
            raise Fault("a layer is of another kind")
        self.bundles, self.capsules = [], []
        for referrer in self.listed:
            self.referrer(referrer)

    def read(self, name, most=DOCUMENT_BYTES):
        path = self.folder / name
        if path.is_symlink() or not path.is_file() or path.stat().st_size > most:
            raise Fault(f"{name} is missing, too large, or no file")
        return path.read_bytes()

    def blob(self, descriptor, most=LAYER_BYTES):
        algorithm, _, digest = descriptor["digest"].partition(":")
        if algorithm != "sha256" or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise Fault("a digest is not a SHA-256")
        name = f"blobs/sha256/{digest}"
        self.named.add(name)
        data = self.read(name, most)
        if len(data) != descriptor["size"] or hashlib.sha256(data).hexdigest() != digest:
            raise Fault(f"{name} is not what its name says")
        return data

    def document(self, descriptor, media_type):
        if descriptor["mediaType"] != media_type:
            raise Fault(f"a descriptor says {descriptor['mediaType']} where {media_type} has to stand")
        document = strict_json(self.blob(descriptor, 4 << 20))
        if media_type == MANIFEST and (document["schemaVersion"] != 2 or document.get("mediaType", MANIFEST) != MANIFEST):
            raise Fault("a manifest is of another kind than its descriptor says")
        return document

    def referrer(self, listed):
        manifest = self.document(listed, MANIFEST)
        subject = {name: manifest["subject"][name] for name in ("mediaType", "digest", "size")}
        if subject != {name: self.image[name] for name in subject}:
            raise Fault("a referrer is not about this image")
        for field in ("artifactType", "annotations"):
            if listed.get(field, {}) != manifest.get(field, {}):
                raise Fault(f"a referrer is listed with another {field} than it has")
        if manifest["config"]["mediaType"] != EMPTY:
            raise Fault("a referrer has a config")
        self.blob(manifest["config"], 2)
        if manifest["artifactType"] == CAPSULE:
            self.capsules.append(manifest)
        elif manifest["artifactType"] == BUNDLE and [it["mediaType"] for it in manifest["layers"]] == [BUNDLE]:
            label = manifest.get("annotations", {}).get(LABEL, "")
            self.bundles.append((label, self.blob(manifest["layers"][0], DOCUMENT_BYTES)))
        else:
            raise Fault("a referrer is neither one bundle nor a capsule")

    def documents(self, key):
        """What the key signed: statements and payloads by predicate type.

        What anybody could attach is passed over: no bundle, no signature that holds, no statement, or a label that is not
        its own. Where a document is missing, closed() says so.
        """
        found = {}
        for label, text in self.bundles:
            try:
                payload = payload_of(text, key)
                statement = None if payload is None else statement_of(payload)
            except (Fault, KeyError, TypeError, AttributeError, ValueError, RecursionError):
                continue
            if statement is None or statement["predicateType"] != label or found.get(label, (0, 0))[1] == payload:
                continue
            digest = self.image["digest"].removeprefix("sha256:")
            if not any(subject["digest"].get("sha256") == digest for subject in statement["subject"]):
                raise Fault("a statement is about something else than this image")
            if label in found:
                raise Fault(f"there are two documents of the type {label}")
            found[label] = (statement, payload)
        return found

    def capsule(self, digests):
        """Every part of the capsule is an input of the provenance, and what is in a pack is of its tree."""
        parts = [part for capsule in self.capsules for part in capsule["layers"]]
        trees = {part["digest"]: self.blob(part) for part in parts if part["mediaType"] == TREE}
        for part in parts:
            packed, is_pack = self.blob(part), part["mediaType"] == PACK
            own = part["annotations"]["dev.selfsame.tree"] if is_pack else part["digest"]
            if own.removeprefix("sha256:") not in digests:
                raise Fault("the capsule holds something that is no input")
            if not is_pack:
                continue
            if own not in trees:
                raise Fault("the capsule lacks the tree of a pack")
            lines = [line.split(" ") for line in trees[own].decode().splitlines()]
            wanted = {line[6].removeprefix("sha256:") for line in lines if len(line) > 6 and line[1] == "file"}
            files = {}
            apply(unpacked(packed), files)
            if not {digest for digest in files.values() if digest} <= wanted:
                raise Fault("a pack holds a file that its tree does not have")

    def nothing_else(self):
        for layer in self.layers:
            self.blob(layer)
        docker = [{
            "Config": path_of(self.manifest["config"]),
            "Layers": [path_of(layer) for layer in self.layers],
            "RepoTags": [self.name],
        }]
        if (self.folder / "manifest.json").exists():
            self.named.add("manifest.json")
            if self.read("manifest.json") != canonical(docker):
                raise Fault("manifest.json lists something else than this image under its name")
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if path.is_dir() and not path.is_symlink():
                continue
            beside = name == "run-record.sigstore.json" or (
                name.startswith("rebuild-") and name.endswith(".sigstore.json") and "/" not in name
            )
            if name not in self.named and not beside:
                raise Fault(f"nothing names {name!r}")

    def content(self, sbom):
        """The layers are what config and SBOM say."""
        files = {}
        for layer, diff_id in zip(self.layers, self.config["rootfs"]["diff_ids"]):
            tar = self.blob(layer)
            if layer["mediaType"].endswith("+gzip"):
                tar = unpacked(tar)
            if "sha256:" + hashlib.sha256(tar).hexdigest() != diff_id:
                raise Fault("a layer is not what its diffID says")
            apply(tar, files)
        claimed = {}
        for component in sbom.get("components", []):
            if component["type"] == "file" and component["name"].startswith("/"):
                hashes = [it["content"] for it in component["hashes"] if it["alg"] == "SHA-256"]
                if component["name"] in claimed or len(hashes) != 1:
                    raise Fault("the SBOM names a file twice or without its SHA-256")
                claimed[component["name"]] = hashes[0]
        if claimed != {name: digest for name, digest in files.items() if digest}:
            raise Fault("the files of the image are not those of the SBOM")
        claims(sbom, files)


def claims(sbom, files):
    """What the SBOM says is a package's is in the image."""
    places = set()
    for path in files:
        while path:
            places.add(path)
            path = path.rpartition("/")[0]
    packages = {}
    for component in sbom.get("components", []):
        reference = component.get("bom-ref", component.get("purl"))
        if component.get("type") != "file" and reference is not None:
            packages[reference] = component
    for entry in sbom.get("dependencies", []):
        for other in entry.get("dependsOn", []) if entry.get("ref") in packages else []:
            if other.startswith("file:") and not files.get(other.removeprefix("file:")):
                raise Fault("a package claims a file that is not in the image")
    for component in packages.values():
        for place in component.get("evidence", {}).get("occurrences", []):
            location = place.get("location", "")
            if location.startswith("/") and location.rstrip("/") not in places:
                raise Fault("a package was found where nothing is in the image")


def unpacked(packed):
    """What is in one gzip member, with nothing behind it."""
    unpacker = zlib.decompressobj(wbits=31)
    data = unpacker.decompress(packed, LAYER_BYTES)
    if unpacker.unconsumed_tail or unpacker.unused_data or not unpacker.eof:
        raise Fault("a layer is not one gzip member")
    return data


def apply(tar, files):
    """One layer over what is there: regular files with their SHA-256, links with nothing."""
    seen = set()
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        for member in archive:
            parts = member.name.split("/")
            name = "/" + member.name
            if member.name.startswith("/") or {"", ".", ".."} & set(parts) or name in seen:
                raise Fault(f"a layer holds {member.name!r}, which is not safe to unpack")
            seen.add(name)
            if parts[-1].startswith(".wh."):
                gone = "/".join(["", *parts[:-1], parts[-1].removeprefix(".wh.")])
                below = name.rpartition("/")[0] + "/" if parts[-1] == ".wh..wh..opq" else gone + "/"
                for old in [old for old in files if old not in seen and (old == gone or old.startswith(below))]:
                    del files[old]
                continue
            if not member.isdir():
                for old in [old for old in files if old.startswith(name + "/")]:
                    del files[old]
            if member.isreg():
                files[name] = hashlib.sha256(archive.extractfile(member).read()).hexdigest()
            elif member.islnk():
                files[name] = files["/" + member.linkname]
            elif member.issym():
                files[name] = None
            elif member.isdir():
                files[name] = None
            else:
                raise Fault(f"a layer holds a device: {member.name!r}")


# Python's integers are slow, and releases that are judged together may have documents in common.
signed = functools.lru_cache(maxsize=1024)(signatures.p256)


def payload_of(text, key):
    """What the key signed in a bundle, or None where it is somebody else's."""
    bundle = strict_json(text)
    if bundle["mediaType"] != BUNDLE:
        raise Fault("a bundle is of another kind")
    material = bundle["verificationMaterial"]
    # Certificates and bare signatures are of others: they name no key that could be the given one.
    if "messageSignature" in bundle or "certificate" in material or "x509CertificateChain" in material:
        return None
    envelope, hint = bundle["dsseEnvelope"], material["publicKey"]["hint"]
    if len(envelope["signatures"]) != 1:
        raise Fault("a bundle does not have one signature")
    signature = envelope["signatures"][0]
    if (signature.get("keyid") or hint) != hint:
        raise Fault("a bundle has two hints")
    kind, payload = envelope["payloadType"], either_base64(envelope["payload"])
    pae = b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)
    if not signed(key, pae, either_base64(signature["sig"])):
        if hint == base64.b64encode(hashlib.sha256(key).digest()).decode():
            raise Fault("a signature was not made by the key that it names")
        return None
    if kind != "application/vnd.in-toto+json":
        raise Fault("what was signed is no statement")
    return payload


def statement_of(payload):
    """An in-toto statement that says something about something."""
    statement = strict_json(payload)
    if statement["_type"] != "https://in-toto.io/Statement/v1":
        raise Fault("what was signed is no statement")
    if not isinstance(statement["predicate"], dict) or not statement["subject"]:
        raise Fault("a statement says nothing or is about nothing")
    names = [subject.get("name") for subject in statement["subject"] if subject.get("name")]
    if len(set(names)) != len(names) or any("\0" in name for name in names) or len(statement["subject"]) > SUBJECTS:
        raise Fault("a statement names two things alike, too many, or with a NUL")
    if not all(subject["digest"] for subject in statement["subject"]):
        raise Fault("a statement is about something without a digest")
    return statement


def closed(documents):
    """Everything that has to be there is, once, and nothing else. Gives provenance and SBOM."""
    if not documents:
        raise Fault("no document has a signature by this key")
    for kind in EVIDENCE:
        if kind not in documents:
            raise Fault(f"there is no {kind} by this key")
    own = {kind: document for kind, document in documents.items() if kind not in LATER}
    inventory = documents[INVENTORY][0]["predicate"]
    listed = sorted((it["predicateType"], it["sha256"]) for it in inventory["documents"])
    present = sorted(
        (kind, hashlib.sha256(payload).hexdigest()) for kind, (_, payload) in own.items() if kind != INVENTORY
    )
    if listed != present or len(own) != len(EVIDENCE):
        raise Fault("the inventory does not list exactly what is there")
    if inventory["checked"] is not (not inventory.get("notCheckedBecause")):
        raise Fault("the inventory says both that it was checked and why not")
    return documents[PROVENANCE][0]["predicate"], documents[SBOM][0]["predicate"]


def request(provenance, config, builder):
    """Who built it, as what; of an image, for the platform of its config."""
    definition, parameters = provenance["buildDefinition"], provenance["buildDefinition"]["externalParameters"]
    internal = definition.get("internalParameters", {})
    if provenance["runDetails"]["builder"]["id"] != builder:
        raise Fault("the key does not speak for this builder")
    if definition["buildType"] != BUILD_TYPE:
        raise Fault("the build type is another one")
    texts = {"definition", "level", "name", "platform", "version"}
    if set(parameters) - texts - {"source", "platforms", "relaxations"}:
        raise Fault("the external parameters have a field that nobody knows")
    if not all(isinstance(parameters[name], str) and parameters[name] for name in texts):
        raise Fault("an external parameter is no text")
    source = parameters["source"]
    if set(source) != {"uri", "digest"} or not isinstance(source["uri"], str) or not source["digest"]:
        raise Fault("the source is not a URI with digests")
    platform = parameters["platform"]
    if config is not None:
        platform = "/".join(config[name] for name in ("os", "architecture", "variant") if config.get(name))
    together = parameters.get("platforms", [platform, platform + "?"])
    if parameters["platform"] != platform or platform not in together:
        raise Fault("the provenance is for another platform")
    if len(together) < 2 or sorted(set(together)) != together:
        raise Fault("the platforms are no sorted list of several")
    if LEVELS.index(internal["level"]) < LEVELS.index(parameters["level"]):
        raise Fault("the build achieved less than was asked for")
    if parameters.get("relaxations") or set(internal.get("sandbox", {}).get("relaxed", "").split()) - {"or"}:
        raise Fault("the build used a relaxation")
    if internal.get("profile") != 1 or isinstance(internal["profile"], bool):
        raise Fault("the profile is not known")


def inputs(provenance):
    """Every input has a digest; definition and source are among them."""
    definition = provenance["buildDefinition"]
    parameters, found = definition["externalParameters"], definition["resolvedDependencies"]
    for it in found:
        digest, git = it["digest"].get("sha256"), it["digest"].get("gitCommit")
        fine = {"sha256": digest is None or is_hex(digest, (64,)), "gitCommit": git is None or is_hex(git, (40, 64))}
        if not it["uri"] or not (digest or git) or not all(fine.values()):
            raise Fault("an input has no well-formed digest")
    if not any(it["uri"] == parameters["definition"] for it in found):
        raise Fault("the definition is not among the inputs")
    asked = parameters["source"]["digest"].items()
    if not any(asked <= it["digest"].items() for it in found):
        raise Fault("the source is not among the inputs")


def is_hex(text, lengths):
    return len(text) in lengths and not set(text) - set("0123456789abcdef")


def described(provenance, sbom, name):
    """The SBOM is the one of the provenance, its inputs are the provenance's, and all have one name."""
    named = [it for it in provenance["runDetails"]["byproducts"] if it["name"] == "sbom.cdx.json"]
    if [it["digest"]["sha256"] for it in named] != [hashlib.sha256(canonical(sbom)).hexdigest()]:
        raise Fault("the SBOM is another one than the provenance names")
    if sbom["bomFormat"] != "CycloneDX":
        raise Fault("the SBOM is no CycloneDX document")
    definition = provenance["buildDefinition"]
    known = {(it["uri"], it["digest"].get("sha256")) for it in definition["resolvedDependencies"]}
    for component in components(sbom):
        properties = {it["name"]: it.get("value") for it in reversed(component.get("properties", []))}
        claims = [component["purl"]] if properties.get("selfsame:input") == "true" else []
        claims += [properties["selfsame:uri"]] if "selfsame:uri" in properties else []
        if properties.get("selfsame:unlocked") == "true":
            if claims or component.get("purl") in {uri for uri, _ in known}:
                raise Fault("a component is said to be locked by nothing and is an input")
        hashes = [it["content"] for it in component.get("hashes", []) if it["alg"] == "SHA-256"]
        if claims and len(hashes) != 1 or any((uri, hashes[0]) not in known for uri in claims):
            raise Fault("a component of the SBOM is no input of the provenance")
    signed = "{name}:{version}".format(**definition["externalParameters"])
    about = sbom["metadata"]["component"]
    if name != signed or f"{about['name']}:{about['version']}" != signed:
        raise Fault("it is filed under another name than the signed one")


def path_of(descriptor):
    return "blobs/" + descriptor["digest"].replace(":", "/")


def components(sbom):
    """All components, those of the formulation and those inside of others too."""
    open_ = [sbom, *sbom.get("formulation", [])]
    while open_:
        for component in open_.pop().get("components", []):
            open_.append(component)
            yield component
