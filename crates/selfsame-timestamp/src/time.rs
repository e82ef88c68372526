//! Times of ASN.1, as seconds since 1970.

use der::Tag;
use selfsame_core::SourceEpoch;

use crate::asn1::{Elements, Fault, Malformed};

/// `GeneralizedTime` with or without a fraction of a second, which is dropped: `20261120190233.5Z`.
pub(crate) fn generalized(elements: &mut Elements<'_>) -> Result<u64, Malformed> {
    let element = elements.element(Tag::GeneralizedTime)?;
    let text = std::str::from_utf8(element.value).ok().and_then(|text| text.strip_suffix('Z'));
    let (whole, fraction) = text.map(|text| text.split_once('.').unwrap_or((text, "1"))).unwrap_or_default();
    // DER writes no zeros at the end of a fraction.
    let fine = digits(fraction) && !fraction.ends_with('0');
    seconds(whole).filter(|_| fine).ok_or(elements.fault(Fault::NotDer))
}

/// The time of a certificate: before 2050 as `UTCTime`, later as `GeneralizedTime` (RFC 5280 section 4.1.2.5). Times before
/// 1970 are 1970.
pub(crate) fn of_certificate(elements: &mut Elements<'_>) -> Result<u64, Malformed> {
    let fault = elements.fault(Fault::NotDer);
    let element = elements.next()?;
    let text = std::str::from_utf8(element.value).ok().and_then(|text| text.strip_suffix('Z')).ok_or(fault)?;
    let whole = match element.tag {
        Tag::UtcTime if text.len() == 12 => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        Tag::GeneralizedTime => text.to_owned(),
        _ => return Err(fault),
    };
    match whole.get(..4) {
        Some(year) if year < "1970" && digits(&whole) && whole.len() == 14 => Ok(0),
        _ => seconds(&whole).ok_or(fault),
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `YYYYMMDDHHMMSS`.
fn seconds(text: &str) -> Option<u64> {
    if text.len() != 14 || !digits(text) {
        return None;
    }
    let part = |at: usize| &text[at..at + 2];
    let rfc3339 = format!("{}-{}-{}T{}:{}:{}Z", &text[..4], part(4), part(6), part(8), part(10), part(12));
    SourceEpoch::from_rfc3339(&rfc3339).map(SourceEpoch::seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: u8, text: &str, by: fn(&mut Elements<'_>) -> Result<u64, Malformed>) -> Option<u64> {
        let bytes = crate::asn1::element(tag, &[text.as_bytes()]);
        by(&mut Elements::of(&bytes, "time").unwrap()).ok()
    }

    #[test]
    fn times() {
        let stamp = |text| read(0x18, text, generalized);
        assert_eq!(stamp("19700101000001Z"), Some(1));
        assert_eq!(stamp("20261120190233Z"), Some(1_795_201_353));
        assert_eq!(stamp("20261120190233.25Z"), Some(1_795_201_353));
        for wrong in [
            "",
            "Z",
            "20261120190233",
            "20261120190233.Z",
            "20261120190233.50Z",
            "20261120190233+0100",
            "20261120190260Z",
            "20261320190233Z",
            "2026112019023Z",
            "20261120190233.5.5Z",
            "2026112019023\u{e9}Z",
        ] {
            assert_eq!(stamp(wrong), None, "{wrong}");
        }
        let of = |tag, text| read(tag, text, of_certificate);
        assert_eq!(of(0x17, "700101000001Z"), Some(1));
        assert_eq!(of(0x17, "261120190233Z"), Some(1_795_201_353));
        assert_eq!(of(0x17, "500101000000Z"), Some(0));
        assert_eq!(of(0x18, "19500101000000Z"), Some(0));
        assert_eq!(of(0x18, "99991231235959Z"), Some(253_402_300_799));
        for (tag, wrong) in
            [(0x17, "20261120190233Z"), (0x17, "2611201902Z"), (0x18, "261120190233Z"), (0x04, "261120190233Z")]
        {
            assert_eq!(of(tag, wrong), None, "{wrong}");
        }
    }
}
