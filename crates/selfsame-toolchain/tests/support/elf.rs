//! A small shared library or executable, made of headers only.

/// What it needs, where it looks, who starts it. 64 bit, little endian, x86-64.
#[must_use]
pub(crate) fn elf(needed: &[&str], search: Option<&str>, interpreter: Option<&str>) -> Vec<u8> {
    elf_for(62, needed, search, interpreter)
}

/// The same for a machine by its number.
#[must_use]
pub(crate) fn elf_for(machine: u16, needed: &[&str], search: Option<&str>, interpreter: Option<&str>) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 3 * 56;
    let mut strings = vec![0];
    let mut put = |text: &str| {
        let at = strings.len() as u64;
        strings.extend_from_slice(text.as_bytes());
        strings.push(0);
        at
    };
    let mut rows: Vec<(u64, u64)> = needed.iter().map(|name| (1, put(name))).collect();
    rows.extend(search.map(|folders| (29, put(folders))));
    let interpreter_text = interpreter.map(|path| format!("{path}\0")).unwrap_or_default();
    let interpreter_at = HEADERS;
    let strings_at = interpreter_at + interpreter_text.len() as u64;
    let dynamic_at = strings_at + strings.len() as u64;
    rows.extend([(5, BASE + strings_at), (10, strings.len() as u64), (0, 0)]);
    let dynamic_size = rows.len() as u64 * 16;
    let end = dynamic_at + dynamic_size;

    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend_from_slice(&3_u16.to_le_bytes());
    bytes.extend_from_slice(&machine.to_le_bytes());
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    for word in [0_u64, 64, 0] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    for half in [64_u16, 56, 3, 0, 0, 0] {
        bytes.extend_from_slice(&half.to_le_bytes());
    }
    let interpreter_kind = if interpreter.is_some() { 3 } else { 0 };
    for (kind, at, size) in [
        (1_u32, 0, end),
        (2, dynamic_at, dynamic_size),
        (interpreter_kind, interpreter_at, interpreter_text.len() as u64),
    ] {
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&4_u32.to_le_bytes());
        for word in [at, BASE + at, BASE + at, size, size, 8] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    }
    bytes.extend_from_slice(interpreter_text.as_bytes());
    bytes.extend_from_slice(&strings);
    for (tag, value) in rows {
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes
}
