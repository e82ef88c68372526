"""Ed25519 (RFC 8032) and ECDSA P-256 with SHA-256, verified with Python's integers alone.

Slow and not constant in time: it only ever sees public things. Written from the standards, not from selfsame's code, so
that the two can disagree.
"""

import hashlib

# The curve of Ed25519, in extended coordinates (x, y, z, t) with x*y = z*t.
Q = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, Q) % Q
ROOT = pow(2, (Q - 1) // 4, Q)


def _ed_add(a, b):
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % Q, (a[1] + a[0]) * (b[1] + b[0]) % Q
    u, v = 2 * a[3] * b[3] * D % Q, 2 * a[2] * b[2] % Q
    e, f, g, h = t - s, v - u, v + u, t + s
    return (e * f % Q, g * h % Q, f * g % Q, e * h % Q)


def _ed_times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = _ed_add(result, point)
        point = _ed_add(point, point)
        number >>= 1
    return result


def _ed_same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % Q == 0 and (a[1] * b[2] - b[1] * a[2]) % Q == 0


def _ed_point(encoded):
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= Q:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, Q) % Q
    x = pow(square, (Q + 3) // 8, Q)
    if (x * x - square) % Q:
        x = x * ROOT % Q
    if (x * x - square) % Q or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = Q - x
    return (x, y, 1, x * y % Q)


ED_BASE = _ed_point((4 * pow(5, -1, Q) % Q).to_bytes(32, "little"))


def ed25519(key, message, signature):
    """Whether the 64 bytes are a signature of the message by the key of 32 bytes."""
    if len(key) != 32 or len(signature) != 64:
        return False
    point, commitment = _ed_point(key), _ed_point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if point is None or commitment is None or scalar >= L:
        return False
    # A key or commitment of small order fits more than one message.
    if any(_ed_same(_ed_times(8, it), (0, 1, 1, 0)) for it in (point, commitment)):
        return False
    digest = hashlib.sha512(signature[:32] + key + message).digest()
    challenge = int.from_bytes(digest, "little") % L
    return _ed_same(_ed_times(scalar, ED_BASE), _ed_add(commitment, _ed_times(challenge, point)))


# The curve P-256 (SP 800-186), in affine coordinates; None is the neutral point.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

# SubjectPublicKeyInfo up to the point, and up to an Ed25519 key.
P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")


def _add(a, b):
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return (x, (slope * (a[0] - x) - a[1]) % P)


def _times(number, point):
    result = None
    while number:
        if number & 1:
            result = _add(result, point)
        point = _add(point, point)
        number >>= 1
    return result


def _der_integers(der):
    """r and s of a signature in strict DER, or None."""

    def integer(data):
        if len(data) < 3 or data[0] != 2 or data[1] > 33 or len(data) < 2 + data[1] or data[1] == 0:
            return None
        value = data[2 : 2 + data[1]]
        if value[0] & 0x80 or (len(value) > 1 and value[0] == 0 and not value[1] & 0x80):
            return None
        return int.from_bytes(value, "big"), data[2 + data[1] :]

    if len(der) < 8 or der[0] != 0x30 or der[1] != len(der) - 2:
        return None
    first = integer(der[2:])
    second = integer(first[1]) if first else None
    return (first[0], second[0]) if second and not second[1] else None


def p256(spki, message, der):
    """Whether the DER is a signature of the message's SHA-256 by the key, a SubjectPublicKeyInfo."""
    if not spki.startswith(P256_SPKI) or len(spki) != 91 or spki[26] != 4:
        return False
    point = (int.from_bytes(spki[27:59], "big"), int.from_bytes(spki[59:], "big"))
    if max(point) >= P or (point[1] ** 2 - point[0] ** 3 + 3 * point[0] - B) % P:
        return False
    numbers = _der_integers(der)
    if numbers is None or not all(0 < number < N for number in numbers):
        return False
    r, s = numbers
    inverse = pow(s, -1, N)
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    found = _add(_times(digest * inverse % N, BASE), _times(r * inverse % N, point))
    return found is not None and found[0] % N == r
