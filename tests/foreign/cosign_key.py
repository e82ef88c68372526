"""A key as cosign locks it, by Python's standard library alone: scrypt, XSalsa20 and Poly1305 (NaCl's secretbox).

usage: cosign_key.py lock PASSPHRASE_FILE < PRIVATE_KEY_PEM > LOCKED_PEM
"""
import base64, hashlib, json, os, struct, sys

MASK = 0xFFFFFFFF


def rounds(state):
    x = list(state)
    def quarter(a, b, c, d):
        for to, one, two, by in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
            s = (x[one] + x[two]) & MASK
            x[to] ^= ((s << by) | (s >> (32 - by))) & MASK
    for _ in range(10):
        for q in ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)):
            quarter(*q)
        for q in ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)):
            quarter(*q)
    return x


def state(key, middle):
    c = struct.unpack("<4I", b"expand 32-byte k")
    k = struct.unpack("<8I", key)
    m = struct.unpack("<4I", middle)
    return [c[0], *k[:4], c[1], *m, c[2], *k[4:], c[3]]


def stream(key, nonce, length):
    x = rounds(state(key, nonce[:16]))
    sub = struct.pack("<8I", *(x[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))
    out = b""
    for number in range((length + 63) // 64):
        s = state(sub, nonce[16:] + struct.pack("<Q", number))
        out += struct.pack("<16I", *((a + b) & MASK for a, b in zip(s, rounds(s))))
    return out[:length]


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at : at + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return ((total + int.from_bytes(key[16:], "little")) & ((1 << 128) - 1)).to_bytes(16, "little")


def lock(der, passphrase):
    salt, nonce = os.urandom(32), os.urandom(24)
    n, r, p = 65536, 8, 1
    key = hashlib.scrypt(passphrase, salt=salt, n=n, r=r, p=p, maxmem=256 << 20, dklen=32)
    keys = stream(key, nonce, 32 + len(der))
    boxed = bytes(a ^ b for a, b in zip(der, keys[32:]))
    text = lambda data: base64.b64encode(data).decode()
    return json.dumps(
        {
            "kdf": {"name": "scrypt", "params": {"N": n, "r": r, "p": p}, "salt": text(salt)},
            "cipher": {"name": "nacl/secretbox", "nonce": text(nonce)},
            "ciphertext": text(poly1305(keys[:32], boxed) + boxed),
        },
        separators=(",", ":"),
    )


lines = [line for line in sys.stdin.read().splitlines() if not line.startswith("-----")]
with open(sys.argv[2], "rb") as file:
    document = lock(base64.b64decode("".join(lines)), file.read())
body = base64.b64encode(document.encode()).decode()
print("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----")
print("\n".join(body[at : at + 64] for at in range(0, len(body), 64)))
print("-----END ENCRYPTED SIGSTORE PRIVATE KEY-----")
