//! Elements of DER one after the other. Nothing here recurses: each level is entered by who knows what it holds.

use std::fmt;

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Reader as _, SliceReader, Tag, TagNumber};

/// The contents of one constructed element.
#[derive(Clone)]
pub(crate) struct Elements<'a> {
    reader: SliceReader<'a>,
    /// What they are of, for errors.
    what: &'static str,
}

/// One element.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: Tag,
    /// Behind tag and length.
    pub(crate) value: &'a [u8],
    /// All of it.
    pub(crate) raw: &'a [u8],
}

/// `[number]` around elements.
pub(crate) const fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// `[number]` in place of a primitive tag.
pub(crate) const fn primitive(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

impl<'a> Elements<'a> {
    /// Elements out of bytes.
    pub(crate) fn of(bytes: &'a [u8], what: &'static str) -> Result<Self, Malformed> {
        let reader = SliceReader::new(bytes).map_err(|_| Malformed { what, fault: Fault::NotDer })?;
        Ok(Self { reader, what })
    }

    /// The contents of the one element that the bytes are.
    pub(crate) fn whole(bytes: &'a [u8], what: &'static str) -> Result<Self, Malformed> {
        let mut outer = Self::of(bytes, what)?;
        let inner = outer.inside(Tag::Sequence, what)?;
        outer.end()?;
        Ok(inner)
    }

    pub(crate) fn fault(&self, fault: Fault) -> Malformed {
        Malformed { what: self.what, fault }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.reader.is_finished()
    }

    /// The next one, whatever it is.
    pub(crate) fn next(&mut self) -> Result<Element<'a>, Malformed> {
        if self.is_empty() {
            return Err(self.fault(Fault::Short));
        }
        let raw = self.reader.tlv_bytes().map_err(|_| self.fault(Fault::NotDer))?;
        let any = AnyRef::from_der(raw).map_err(|_| self.fault(Fault::NotDer))?;
        Ok(Element { tag: der::Tagged::tag(&any), value: any.value(), raw })
    }

    /// The next one, which has this tag.
    pub(crate) fn element(&mut self, tag: Tag) -> Result<Element<'a>, Malformed> {
        let element = self.next()?;
        if element.tag == tag { Ok(element) } else { Err(self.fault(Fault::Other)) }
    }

    /// The next one, if it has this tag.
    pub(crate) fn optional(&mut self, tag: Tag) -> Result<Option<Element<'a>>, Malformed> {
        let mut ahead = self.clone();
        match ahead.is_empty() {
            true => Ok(None),
            false => Ok(Some(ahead.next()?).filter(|element| element.tag == tag).inspect(|_| *self = ahead)),
        }
    }

    /// The contents of the next one, which has this tag.
    pub(crate) fn inside(&mut self, tag: Tag, what: &'static str) -> Result<Self, Malformed> {
        let element = self.element(tag)?;
        Self::of(element.value, what)
    }

    /// An integer in its shortest form, as its bytes.
    pub(crate) fn integer(&mut self) -> Result<&'a [u8], Malformed> {
        let element = self.element(Tag::Integer)?;
        match element.value {
            [] | [0x00, 0x00..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(self.fault(Fault::NotDer)),
            value => Ok(value),
        }
    }

    /// A number below 2^31 that is not negative.
    pub(crate) fn small(&mut self) -> Result<u32, Malformed> {
        self.integer().and_then(|bytes| small(bytes).ok_or(self.fault(Fault::Other)))
    }

    pub(crate) fn oid(&mut self) -> Result<ObjectIdentifier, Malformed> {
        let element = self.element(Tag::ObjectIdentifier)?;
        ObjectIdentifier::from_der(element.raw).map_err(|_| self.fault(Fault::NotDer))
    }

    /// Yes, where it is said; DER does not write the default.
    pub(crate) fn yes(&mut self) -> Result<bool, Malformed> {
        match self.optional(Tag::Boolean)?.map(|element| element.value) {
            None => Ok(false),
            Some([0xff]) => Ok(true),
            Some(_) => Err(self.fault(Fault::NotDer)),
        }
    }

    /// Nothing is left.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(self.fault(Fault::Behind)) }
    }
}

/// The value of an integer's bytes, below 2^31.
pub(crate) fn small(bytes: &[u8]) -> Option<u32> {
    let fits = bytes.len() <= 4 && bytes.first().is_some_and(|first| *first < 0x80);
    fits.then(|| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// One element out of its tag and what it holds, for what is written here.
pub(crate) fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let length = contents.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut bytes = vec![tag];
    match (contents.len(), u8::try_from(length.len())) {
        (0..=0x7f, _) => bytes.push(length.first().copied().unwrap_or_default()),
        (_, Ok(count)) => {
            bytes.push(0x80 | count);
            bytes.extend(length);
        }
        (_, Err(_)) => unreachable!("a length has eight bytes at most"),
    }
    bytes.extend(contents);
    bytes
}

/// Why bytes are not the structure that they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Malformed {
    pub(crate) what: &'static str,
    pub(crate) fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    NotDer,
    Short,
    Other,
    Behind,
    Twice,
    Many,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::NotDer => "is not DER",
            Fault::Short => "ends too early",
            Fault::Other => "holds something else than it should",
            Fault::Behind => "holds more than it should",
            Fault::Twice => "says the same thing twice",
            Fault::Many => "holds more than is read",
        };
        write!(f, "the {} {fault}", self.what)
    }
}
