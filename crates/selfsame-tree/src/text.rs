//! The text form of a tree: one line an entry, reversible, one spelling for each tree.
//!
//! ```text
//! selfsame-tree v1
//! bin dir 0755 0:0 r0
//! bin/hello file 0755 0:0 r1 16072 sha256:2cf2...
//! bin/hi hardlink 0755 0:0 r1 bin/hello
//! lib symlink 0777 0:0 r0 usr/lib
//! usr/bin/ping file 0755 0:0 r0 90568 sha256:77fe... security.capability=0100000200200000
//! ```
//!
//! Bytes outside of `!`..`~`, and `\` itself, are written `\xNN`. Lines are sorted by path; the text ends with a newline.

use std::collections::BTreeMap;
use std::fmt;

use selfsame_core::digest::hex;
use selfsame_core::{Digest, RelPath};

use crate::{Entry, Kind, Tree, TreeError};

/// The first line. A format constant.
const HEADER: &str = "selfsame-tree v1";

/// Where and why a text is not a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tree text, line {line}: {fault}")]
pub struct TextError {
    /// From 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: String,
}

pub(crate) fn print(tree: &Tree, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{HEADER}")?;
    for (path, entry) in tree.iter() {
        let path = if path.is_root() { "." } else { path.as_str() };
        let Entry { kind, mode, uid, gid, xattrs, step_rank } = entry;
        write!(f, "{} {} {mode:04o} {uid}:{gid} r{step_rank}", Escaped(path), kind.name())?;
        match kind {
            Kind::Directory => {}
            Kind::File { digest, size } => write!(f, " {size} {digest}")?,
            Kind::Symlink { target } => write!(f, " {}", Escaped(target))?,
            Kind::HardLink { target } => write!(f, " {}", Escaped(target.as_str()))?,
        }
        for (name, value) in xattrs {
            write!(f, " {}={}", Escaped(name), hex(value))?;
        }
        writeln!(f)?;
    }
    Ok(())
}

pub(crate) fn parse(text: &str) -> Result<Tree, TextError> {
    let at = |line: usize, fault: String| TextError { line, fault };
    let body = text
        .strip_suffix('\n')
        .ok_or_else(|| at(text.lines().count().max(1), "does not end with a newline".to_owned()))?;
    let mut lines = body.split('\n').enumerate();
    match lines.next() {
        Some((_, HEADER)) => {}
        _ => return Err(at(1, format!("is not `{HEADER}`"))),
    }
    let mut entries: Vec<(RelPath, Entry)> = Vec::new();
    for (index, line) in lines {
        let number = index + 1;
        let (path, entry) = parse_line(line).map_err(|fault| at(number, fault))?;
        if let Some((before, _)) = entries.last()
            && *before >= path
        {
            return Err(at(number, format!("`{path}` does not sort after `{before}`")));
        }
        entries.push((path, entry));
    }
    let count = entries.len();
    let tree = Tree::from_entries(entries).map_err(|error: TreeError| at(count + 1, error.to_string()))?;
    Ok(tree)
}

fn parse_line(line: &str) -> Result<(RelPath, Entry), String> {
    let mut fields = line.split(' ');
    let mut field = |name: &str| fields.next().filter(|f| !f.is_empty()).ok_or_else(|| format!("has no {name}"));
    let path = RelPath::new(unescape(field("path")?)?).map_err(|error| error.to_string())?;
    let kind = field("kind")?;
    let mode = field("mode")?;
    let mode = (mode.len() == 4)
        .then(|| u32::from_str_radix(mode, 8).ok())
        .flatten()
        .ok_or("has a mode that is not four octal digits")?;
    let (uid, gid) = field("owner")?.split_once(':').ok_or("has an owner that is not `uid:gid`")?;
    let (uid, gid) = (number(uid)?, number(gid)?);
    let step_rank = number(field("rank")?.strip_prefix('r').ok_or("has a rank that does not begin with `r`")?)?;
    let kind = match kind {
        "dir" => Kind::Directory,
        "file" => {
            let size = number(field("size")?)?;
            let digest: Digest = field("digest")?.parse().map_err(|error| format!("{error}"))?;
            Kind::File { digest, size }
        }
        "symlink" => Kind::Symlink { target: unescape(field("link text")?)? },
        "hardlink" => {
            let target = RelPath::new(unescape(field("link target")?)?).map_err(|error| error.to_string())?;
            Kind::HardLink { target }
        }
        other => return Err(format!("has the unknown kind `{}`", other.escape_debug())),
    };
    let mut xattrs = BTreeMap::new();
    let mut last: Option<String> = None;
    for pair in fields {
        let (name, value) = pair.rsplit_once('=').ok_or("has an attribute without `=`")?;
        let name = unescape(name)?;
        if last.as_ref().is_some_and(|last| *last >= name) {
            return Err("has attributes out of order".to_owned());
        }
        xattrs.insert(name.clone(), bytes(value)?);
        last = Some(name);
    }
    Ok((path, Entry { kind, mode, uid, gid, xattrs, step_rank }))
}

/// A decimal number in its shortest spelling.
fn number<T: std::str::FromStr + ToString>(text: &str) -> Result<T, String> {
    let number: Option<T> = text.parse().ok();
    number.filter(|n| n.to_string() == text).ok_or_else(|| format!("has `{}` for a number", text.escape_debug()))
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let fault = || "has an attribute value that is not lowercase hex".to_owned();
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(fault());
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| fault())).collect()
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'\\' | ..=b' ' | 0x7f.. => write!(f, "\\x{byte:02x}")?,
                _ => write!(f, "{}", byte as char)?,
            }
        }
        Ok(())
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match first {
            b'\\' => {
                let [b'x', high, low, after @ ..] = after else {
                    return Err("has an escape that is not `\\xNN`".into());
                };
                let pair = [*high, *low];
                let digits =
                    std::str::from_utf8(&pair).ok().filter(|d| !d.bytes().any(|b| b.is_ascii_uppercase() || b == b'+'));
                let byte =
                    digits.and_then(|d| u8::from_str_radix(d, 16).ok()).ok_or("has an escape that is not `\\xNN`")?;
                if !matches!(byte, b'\\' | ..=b' ' | 0x7f..) {
                    return Err("escapes a byte that needs none".into());
                }
                bytes.push(byte);
                after
            }
            b'!'..=b'~' => {
                bytes.push(*first);
                after
            }
            _ => return Err("has a byte that must be escaped".into()),
        };
    }
    String::from_utf8(bytes).map_err(|_| "has a name that is not UTF-8".into())
}
