//! ar archives: static libraries. Header fields of members, order, contents.

use super::nested::{Collector, members, shown};
use crate::cause::Guess;
use crate::content::{Finding, Pair};

const MAGIC: &[u8] = b"!<arch>\n";

pub(crate) fn claims(pair: &Pair<'_>) -> bool {
    pair.a.starts_with(MAGIC) && pair.b.starts_with(MAGIC)
}

struct Member<'a> {
    name: String,
    mtime: u64,
    uid: u64,
    gid: u64,
    mode: u32,
    content: &'a [u8],
}

/// The members, symbol table and long names left out as what follows from the rest.
fn read(bytes: &[u8]) -> Option<Vec<Member<'_>>> {
    const MOST_MEMBERS: usize = 100_000;
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let (mut members, mut long_names): (Vec<Member<'_>>, &[u8]) = (Vec::new(), b"");
    while !rest.is_empty() {
        let (header, after) = rest.split_first_chunk::<60>()?;
        if &header[58..] != b"`\n" || members.len() == MOST_MEMBERS {
            return None;
        }
        let field = |range: std::ops::Range<usize>| std::str::from_utf8(&header[range]).ok().map(str::trim_end);
        let decimal = |range| field(range).and_then(|text| if text.is_empty() { Some(0) } else { text.parse().ok() });
        let size = usize::try_from(decimal(48..58)?).ok()?;
        let content = after.get(..size)?;
        rest = after.get(size + size % 2..).unwrap_or_default();
        let name = field(0..16)?;
        if name == "//" {
            long_names = content;
            continue;
        }
        if name == "/" || name == "/SYM64/" {
            continue;
        }
        let name = match name.strip_prefix('/') {
            Some(offset) => {
                let from = long_names.get(offset.parse::<usize>().ok()?..)?;
                let end = from.iter().position(|b| *b == b'\n').unwrap_or(from.len());
                String::from_utf8_lossy(&from[..end]).into_owned()
            }
            None => name.to_owned(),
        };
        let mode = field(40..48)?;
        members.push(Member {
            name: name.trim_end_matches('/').to_owned(),
            mtime: decimal(16..28)?,
            uid: decimal(28..34)?,
            gid: decimal(34..40)?,
            mode: if mode.is_empty() { 0 } else { u32::from_str_radix(mode, 8).ok()? },
            content,
        });
    }
    Some(members)
}

pub(crate) fn explain(pair: &Pair<'_>) -> Option<Finding> {
    let (a, b) = (read(pair.a)?, read(pair.b)?);
    let mut collector = Collector::new(pair);
    let (mut headers, mut contents) = (0, 0);
    let (_, common) = members(
        &mut collector,
        &a,
        &b,
        |member| &member.name,
        |collector, x, y| {
            let at = |field: &str| format!("member {}: {field}", shown(&x.name));
            let header_differs = (x.mtime, x.uid, x.gid, x.mode) != (y.mtime, y.uid, y.gid, y.mode);
            collector.field(at("modification time"), x.mtime, y.mtime, || Guess::file_time(x.mtime, y.mtime));
            let owner = |member: &Member<'_>| format!("{}:{}", member.uid, member.gid);
            collector.field(at("owner"), owner(x), owner(y), || Guess::owner((x.uid, x.gid), (y.uid, y.gid)));
            collector.field(at("mode"), format!("{:o}", x.mode), format!("{:o}", y.mode), || {
                Guess::mode(x.mode & 0o7777, y.mode & 0o7777)
            });
            headers += usize::from(header_differs);
            contents += usize::from(x.content != y.content);
            collector.inside(&format!("member {}", shown(&x.name)), &x.name, x.content, y.content).is_some()
                || header_differs
        },
    );
    if collector.is_empty() {
        return None;
    }
    Some(
        collector
            .finish(format!("of {common} members in both, {headers} have other headers and {contents} other contents")),
    )
}
