"""Transparency logs: notes, checkpoints, proofs, entries in bundles, folders of tiles.

From C2SP signed-note, tlog-checkpoint and tlog-tiles, RFC 9162 and Rekor v2, not from selfsame's code.
"""

import base64
import hashlib
import json
import pathlib

import signatures


class Fault(Exception):
    """Why something does not count, in one line."""


def unbase64(text):
    try:
        decoded = base64.b64decode(text, validate=True)
    except (ValueError, TypeError) as error:
        raise Fault(f"not base64: {text!r}") from error
    if base64.b64encode(decoded).decode() != text:
        raise Fault(f"not the one spelling of base64: {text!r}")
    return decoded


def either_base64(text):
    """Base64 in one of its two alphabets, which every reader of DSSE has to take."""
    if set(text) & set("-_") and not set(text) & set("+/"):
        text = text.translate(str.maketrans("-_", "+/"))
    return unbase64(text)


def strict_json(text):
    """JSON in UTF-8, without a key twice and without numbers that nobody has room for."""

    def unique(pairs):
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise Fault("a key stands twice")
        return fields

    def number(digits):
        found = float(digits)
        if found in (float("inf"), float("-inf")):
            raise Fault("a number is too large")
        return found

    def constant(name):
        raise Fault(f"{name} is no JSON")

    try:
        # Of bytes, json.loads guesses the encoding, and passes over a mark before them.
        text = text.decode("utf-8") if isinstance(text, bytes) else text
        return json.loads(text, object_pairs_hook=unique, parse_float=number, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise Fault(f"not JSON: {error}") from error


def canonical(value):
    """RFC 8785 of what has ASCII keys and no numbers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class LogKey:
    """A log's name and key."""

    def __init__(self, origin, kind, key):
        self.origin, self.kind, self.key = origin, kind, key
        # An ECDSA key's id is older than the rule for all others.
        named = key if kind == 2 else origin.encode() + b"\n" + bytes([kind]) + key
        self.id = hashlib.sha256(named).digest()

    @classmethod
    def line(cls, text):
        """NAME+HASH+KEY."""
        try:
            origin, digest, key = text.strip().split("+", 2)
        except ValueError as error:
            raise Fault("not a key of the form NAME+HASH+KEY") from error
        key = unbase64(key)
        found = cls(origin, key[0], key[1:])
        if found.id[:4].hex() != digest or key[0] not in (1, 2):
            raise Fault("the key's hash or kind is wrong")
        return found

    @classmethod
    def of_root(cls, log):
        """One of a trusted root's logs."""
        origin = log["baseUrl"].removeprefix("https://")
        spki = unbase64(log["publicKey"]["rawBytes"])
        if log["publicKey"]["keyDetails"] == "PKIX_ED25519":
            if not spki.startswith(signatures.ED25519_SPKI):
                raise Fault("the trusted root's key is not what it says")
            key = cls(origin, 1, spki[len(signatures.ED25519_SPKI) :])
        else:
            key = cls(origin, 2, spki)
        if unbase64(log["checkpointKeyId"]["keyId"]) != key.id or unbase64(log["logId"]["keyId"]) != key.id:
            raise Fault("the trusted root's log has another id than its key")
        return key

    def signed(self, message, signature):
        check = signatures.ed25519 if self.kind == 1 else signatures.p256
        return check(self.key, message, signature)


def checkpoint(text, key):
    """Size and root of a checkpoint that the log of this key signed."""
    body, separator, lines = text.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise Fault("not a signed note")
    body += "\n"
    signed = False
    for line in lines.rstrip("\n").split("\n"):
        dash, name, blob = (line.split(" ") + ["", ""])[:3]
        blob = unbase64(blob)
        if dash != "\u2014" or len(blob) < 5:
            raise Fault("a line of the note is no signature")
        if name == key.origin and blob[:4] == key.id[:4]:
            if not key.signed(body.encode(), blob[4:]):
                raise Fault("the log's signature is not over this checkpoint")
            signed = True
    if not signed:
        raise Fault("the checkpoint is not signed by this log")
    fields = body.split("\n")
    if len(fields) < 4 or fields[0] != key.origin or not fields[1].isdecimal() or str(int(fields[1])) != fields[1]:
        raise Fault("not a checkpoint of this log")
    root = unbase64(fields[2])
    if len(root) != 32:
        raise Fault("the checkpoint's root is no SHA-256")
    return int(fields[1]), root


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(leaves):
    """The Merkle tree hash as RFC 9162 section 2.1.1 defines it, level by level."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    while len(leaves) > 1:
        pairs = [node(leaves[at], leaves[at + 1]) for at in range(0, len(leaves) - 1, 2)]
        leaves = pairs + leaves[len(pairs) * 2 :]
    return leaves[0]


def included(hash_, index, size, proof, root):
    """RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        raise Fault("the entry is not in the tree")
    place, last = index, size - 1
    for sibling in proof:
        if last == 0:
            raise Fault("the proof is too long")
        if place & 1 or place == last:
            hash_ = node(sibling, hash_)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hash_ = node(hash_, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise Fault("the proof is too short")
    if hash_ != root:
        raise Fault("the proof leads to another root")


class Histories:
    """What entries show of logs together: trees of one log have the same entries in the same places."""

    def __init__(self):
        self.known = {}

    def add(self, origin, body, index, size, proof, root):
        """Notes every whole range of entries that a proof shows. A right proof: included() has gone before."""
        self.note(origin, 0, size, root)
        first, width, hash_ = index, 1, leaf(body)
        self.note(origin, first, width, hash_)
        for sibling in proof:
            # At the right edge there may be no sibling until some levels higher.
            while first // width % 2 == 0 and first + width >= size:
                first, width = first // (2 * width) * 2 * width, 2 * width
            if first // width % 2:
                self.note(origin, first - width, width, sibling)
                first, hash_ = first - width, node(sibling, hash_)
            else:
                if first + 2 * width <= size:
                    self.note(origin, first + width, width, sibling)
                hash_ = node(hash_, sibling)
            width *= 2
            if first + width <= size:
                self.note(origin, first, width, hash_)

    def note(self, origin, first, width, hash_):
        if self.known.setdefault((origin, first, width), hash_) != hash_:
            raise Fault(f"the log {origin} has two histories: entries {first} to {first + width - 1} are two")


def logged(entry, envelope, signer, logs, histories=None):
    """Whether a bundle's log entry shows that one of the logs holds this envelope's signature by the signer."""
    try:
        proof = entry["inclusionProof"]
        key = next((log for log in logs if log.id == unbase64(entry["logId"]["keyId"])), None)
        if key is None:
            raise Fault("the entry is of no log that is trusted")
        size, root = checkpoint(proof["checkpoint"]["envelope"], key)
        if int(proof["treeSize"]) != size or unbase64(proof["rootHash"]) != root:
            raise Fault("size or root beside the checkpoint is not the signed one")
        index, body = int(entry["logIndex"]), unbase64(entry["canonicalizedBody"])
        if int(proof["logIndex"]) != index:
            raise Fault("the entry says two places")
        hashes = [unbase64(hash_) for hash_ in proof.get("hashes", [])]
        included(leaf(body), index, size, hashes, root)
        if histories is not None:
            histories.add(key.origin, body, index, size, hashes, root)
        said = strict_json(body)
        if entry["kindVersion"] != {"kind": said["kind"], "version": said["apiVersion"]}:
            raise Fault("the entry is of another kind than it says")
    except (KeyError, TypeError, ValueError) as error:
        raise Fault(f"the log entry lacks something: {error!r}") from error
    kind, payload = envelope["payloadType"], either_base64(envelope["payload"])
    pae = b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)
    signature = either_base64(envelope["signatures"][0]["sig"])
    expected = {
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {
            "hashedRekordV002": {
                "data": {
                    "algorithm": "SHA2_256",
                    "digest": base64.b64encode(hashlib.sha256(pae).digest()).decode(),
                },
                "signature": {
                    "content": base64.b64encode(signature).decode(),
                    "verifier": {
                        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                        "publicKey": {"rawBytes": base64.b64encode(signer).decode()},
                    },
                },
            }
        },
    }
    if canonical(expected) != body:
        raise Fault("the log holds something else than this document, signature and key")
    return key.origin, index


def place(index, width):
    """The file of a tile or of entries in its row: x001/067, or 067.p/12."""
    text = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        text = f"x{index % 1000:03}/{text}"
    return text if width == 256 else f"{text}.p/{width}"


def read_folder(folder, key):
    """Every entry of a log, hashed and held against the tiles and the checkpoint. Gives the leaves."""
    folder = pathlib.Path(folder)
    size, root = checkpoint((folder / "checkpoint").read_text(encoding="utf-8"), key)

    def read(path, width):
        partial = folder / path / place(index, width)
        return (partial if partial.is_file() else folder / path / place(index, 256)).read_bytes()

    leaves = []
    for index in range((size + 255) // 256):
        width = min(256, size - 256 * index)
        data, tile = read("tile/entries", width), read("tile/0", width)
        for offset in range(width):
            length = int.from_bytes(data[:2], "big")
            entry, data = data[2 : 2 + length], data[2 + length :]
            leaves.append(leaf(entry))
            if tile[32 * offset : 32 * offset + 32] != leaves[-1]:
                raise Fault(f"entry {256 * index + offset} is not the one that its tile has the hash of")
    if root_of(leaves) != root:
        raise Fault("the entries give another root than the checkpoint")
    row, level = leaves, 1
    while len(row) >= 256:
        row = [root_of(row[at : at + 256]) for at in range(0, len(row) // 256 * 256, 256)]
        for index in range((len(row) + 255) // 256):
            hashes = row[256 * index : 256 * index + 256]
            if read(f"tile/{level}", len(hashes))[: 32 * len(hashes)] != b"".join(hashes):
                raise Fault(f"tile {index} of level {level} is not that of the tiles below it")
        level += 1
    return leaves
