//! A trust file as text: fields in one order, so that two changes can be compared line by line.

use std::fmt;

use super::file::{KeyEntry, PREDICATES, TrustFile};

impl fmt::Display for TrustFile {
    /// What [`TrustFile::parse`] reads. Comments of an earlier text are not kept; notes are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Whom this machine believes. `selfsame trust` writes this file; what people want to say goes into `note`."
        )?;
        writeln!(f, "version = 1\nserial = {}", self.serial)?;
        if let Some(level) = self.minimum_level {
            writeln!(f, "minimum-level = {}", text(level.name()))?;
        }
        let thresholds = [self.release_threshold, self.rebuild_threshold, self.witness_threshold];
        if thresholds != [1, 0, 0] {
            writeln!(f, "\n[threshold]\nrelease = {}\nrebuild = {}", self.release_threshold, self.rebuild_threshold)?;
        }
        if self.witness_threshold > 0 {
            writeln!(f, "witness = {}", self.witness_threshold)?;
        }
        for log in &self.logs {
            writeln!(f, "\n[[log]]\nkey = {}", text(&log.key.to_string()))?;
            for (name, day) in [("from", log.from), ("until", log.until)] {
                optional(f, name, day.map(|day| day.to_string()).as_ref())?;
            }
        }
        for witness in &self.witnesses {
            writeln!(f, "\n[[witness]]\nkey = {}", text(&witness.to_string()))?;
        }
        for authority in &self.authorities {
            writeln!(f, "\n[[timestamp-authority]]\nname = {}", text(&authority.name))?;
            // PEM has no quote and no backslash.
            writeln!(f, "certificates = \"\"\"\n{}\"\"\"", authority.authority)?;
            for (name, day) in [("from", authority.from), ("until", authority.until)] {
                optional(f, name, day.map(|day| day.to_string()).as_ref())?;
            }
        }
        for floor in self.floors.values() {
            writeln!(f, "\n[[rollback]]\nname = {}", text(&floor.name))?;
            optional(f, "version", floor.version.as_ref())?;
            if let Some(epoch) = floor.epoch {
                writeln!(f, "epoch = {epoch}")?;
            }
        }
        for key in &self.keys {
            write_key(f, key)?;
        }
        for rotation in &self.rotations {
            let json = String::from_utf8(rotation.to_bytes()).map_err(|_| fmt::Error)?;
            writeln!(f, "\n[[rotation]]\nstatement = {}", text(&json))?;
        }
        Ok(())
    }
}

fn write_key(f: &mut fmt::Formatter<'_>, key: &KeyEntry) -> fmt::Result {
    writeln!(f, "\n[[key]]\nname = {}", text(&key.name))?;
    if key.identity != key.name {
        writeln!(f, "identity = {}", text(&key.identity))?;
    }
    // PEM has no quote and no backslash.
    writeln!(f, "public-key = \"\"\"\n{}\"\"\"", key.key.to_pem())?;
    if let Some(ids) = &key.builder_ids {
        writeln!(f, "builder-ids = [{}]", list(ids.iter().map(String::as_str)))?;
    }
    if let Some(types) = &key.predicates {
        let word = |uri: &str| {
            PREDICATES
                .into_iter()
                .find(|(_, known)| *known == uri)
                .map_or_else(|| uri.to_owned(), |(word, _)| word.to_owned())
        };
        let words: Vec<String> = types.iter().map(|uri| word(uri)).collect();
        writeln!(f, "predicates = [{}]", list(words.iter().map(String::as_str)))?;
    }
    for (name, day) in
        [("from", key.from), ("until", key.until), ("retired", key.retired), ("compromised", key.compromised)]
    {
        optional(f, name, day.map(|day| day.to_string()).as_ref())?;
    }
    optional(f, "successor-of", key.successor_of.as_ref())?;
    optional(f, "note", key.note.as_ref())
}

fn optional(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&String>) -> fmt::Result {
    value.map_or(Ok(()), |value| writeln!(f, "{name} = {}", text(value)))
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.map(text).collect::<Vec<_>>().join(", ")
}

/// A basic string of TOML: quotes, backslashes and control characters escaped.
fn text(value: &str) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
