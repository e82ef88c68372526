//! Signatures as pairs of numbers, right ones and others.

/// The order of the curve P-256.
pub(crate) const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// `SEQUENCE { INTEGER r, INTEGER s }` of big-endian numbers that are not negative, minimal.
pub(crate) fn print(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let mut number: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        if number.first().is_none_or(|byte| *byte >= 0x80) {
            number.insert(0, 0);
        }
        tagged(0x02, &number)
    };
    tagged(0x30, &[integer(r), integer(s)].concat())
}

fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("two numbers of 33 bytes are short");
    [&[tag, length], body].concat()
}

/// The two numbers of a signature, 32 bytes each.
pub(crate) fn numbers(der: &[u8]) -> ([u8; 32], [u8; 32]) {
    let r_end = 4 + usize::from(der[3]);
    (padded(&der[4..r_end]), padded(&der[r_end + 2..]))
}

fn padded(number: &[u8]) -> [u8; 32] {
    let number = &number[number.len().saturating_sub(32)..];
    let mut padded = [0; 32];
    padded[32 - number.len()..].copy_from_slice(number);
    padded
}

/// The order less this number.
pub(crate) fn order_minus(number: &[u8; 32]) -> [u8; 32] {
    let (mut result, mut borrow) = ([0; 32], 0_i16);
    for at in (0..32).rev() {
        let digit = i16::from(ORDER[at]) - i16::from(number[at]) - borrow;
        borrow = i16::from(digit < 0);
        result[at] = u8::try_from(digit.rem_euclid(256)).expect("below 256");
    }
    result
}

/// The order and this number: 33 bytes.
pub(crate) fn order_plus(number: &[u8; 32]) -> [u8; 33] {
    let (mut result, mut carry) = ([0; 33], 0_u16);
    for at in (0..32).rev() {
        let digit = u16::from(ORDER[at]) + u16::from(number[at]) + carry;
        carry = digit >> 8;
        result[at + 1] = digit.to_be_bytes()[1];
    }
    result[0] = carry.to_be_bytes()[1];
    result
}
