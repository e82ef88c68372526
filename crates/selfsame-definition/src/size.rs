//! Sizes as people write them: `512MiB`, `8GiB`, or plain bytes.

/// Bytes of a size text: decimal digits, then nothing, `KiB`, `MiB`, `GiB` or `TiB`. Nothing for anything else, for
/// zero, and for more than 2^63-1.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return None,
    };
    let bytes = number.parse::<u64>().ok()?.checked_mul(1 << shift)?;
    (1..=i64::MAX as u64).contains(&bytes).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn binary_units_only() {
        for (text, bytes) in [("1", 1), ("64KiB", 65_536), ("512MiB", 512 << 20), ("8GiB", 8 << 30), ("2TiB", 2 << 40)]
        {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for wrong in
            ["", "0", "8GB", "8 GiB", "8gib", "-1", "+1", "1.5GiB", "GiB", "99999999999999999999", "9999999TiB"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
