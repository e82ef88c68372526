//! Strangers' bytes made safe and short for a terminal.

/// The most characters of one excerpt.
const CLIP: usize = 120;

/// The bytes as text if they are, otherwise as hex, clipped, with everything escaped that a terminal could obey:
/// controls, escapes, bidirectional marks.
pub(crate) fn clip(bytes: &[u8]) -> String {
    let window = &bytes[..bytes.len().min(CLIP * 4)];
    let text = match std::str::from_utf8(window) {
        Ok(text) => Some(text),
        // A cut in the middle of a character is not a fault.
        Err(error) if error.error_len().is_none() && window.len() < bytes.len() => {
            std::str::from_utf8(&window[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    match text.filter(|text| printable_enough(text)) {
        Some(text) => {
            let mut clipped: String = text.chars().take(CLIP).flat_map(escaped).collect();
            if text.chars().nth(CLIP).is_some() || window.len() < bytes.len() {
                clipped.push('…');
            }
            clipped
        }
        None => hex(bytes, 16),
    }
}

/// The first `limit` bytes, in pairs.
pub(crate) fn hex(bytes: &[u8], limit: usize) -> String {
    let shown: Vec<String> = bytes.iter().take(limit).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() > limit { " …" } else { "" };
    format!("{}{more}", shown.join(" "))
}

/// At least nine of ten characters can be seen.
fn printable_enough(text: &str) -> bool {
    let total = text.chars().count();
    let controls = text.chars().filter(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')).count();
    controls * 10 <= total
}

fn escaped(c: char) -> Vec<char> {
    let seen = !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    if seen { vec![c] } else { c.escape_default().collect() }
}
