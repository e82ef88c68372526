//! docs/bounds.md says what the code does: each number in it is the constant that it names, and no limit is left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::{none, ours, root};

const PAGE: &str = "docs/bounds.md";

/// Limits of no document and no run, by what their names would say.
const NO_BOUNDS: [&str; 3] = ["MAX_OCTAL", "MOST_NAMED", "MOST_STRINGS"];

#[test]
fn the_page_of_bounds_says_what_the_code_does() {
    let page = std::fs::read_to_string(root().join(PAGE)).expect("the page");
    let rows: Vec<(&str, &str, &str)> = page.lines().filter_map(row).collect();
    assert!(rows.len() > 200, "{} rows: the page has another form", rows.len());
    let mut faults = Vec::new();
    for (limit, file, name) in &rows {
        let text = std::fs::read_to_string(root().join("crates").join(file)).unwrap_or_default();
        match (defined(&text, name), stated(limit)) {
            (Some(is), Some(said)) if is == said => {}
            (Some(is), _) => faults.push(format!("{file} `{name}` is {is}; the page says {limit}")),
            (None, _) => faults.push(format!("{file} has no `{name}` whose value can be read")),
        }
    }
    none("docs/bounds.md does not say what the code does:", faults);
}

/// A limit is a constant whose name says so. A crate comes onto the page with its first row.
#[test]
fn no_limit_is_left_out_of_the_page() {
    let page = std::fs::read_to_string(root().join(PAGE)).expect("the page");
    let named: BTreeSet<(String, String)> =
        page.lines().filter_map(row).map(|(_, file, name)| (format!("crates/{file}"), name.to_owned())).collect();
    let mut left_out = Vec::new();
    for file in ours() {
        let is_product = file.path.starts_with("crates/")
            && file.path.contains("/src/")
            && !file.path.contains("/tests")
            && !["crates/xtask/", "crates/selfsame-testing/", "crates/selfsame-corpus/"]
                .iter()
                .any(|dev| file.path.starts_with(dev));
        let krate = |path: &str| path.split('/').nth(1).unwrap_or_default().to_owned();
        let on_the_page = named.iter().any(|(path, _)| krate(path) == krate(&file.path));
        if !is_product || !on_the_page {
            continue;
        }
        let text = file.text.split("\nmod tests {").next().unwrap_or_default();
        for (name, value) in constants(text) {
            let says_so = ["MOST", "MAX", "LIMIT"].iter().any(|word| name.split('_').any(|part| part == *word));
            let is_there = named.contains(&(file.path.clone(), name.to_owned()));
            if says_so && value.is_some() && !is_there && !NO_BOUNDS.contains(&name) {
                left_out.push(format!("{} `{name}`", file.path));
            }
        }
    }
    none("docs/bounds.md has no row for:", left_out);
}

/// The limit, the file below `crates` and the name of the constant, of a row `| what | limit | `file` `NAME` |`.
fn row(line: &str) -> Option<(&str, &str, &str)> {
    let cells: Vec<&str> = line.trim().strip_prefix('|')?.strip_suffix('|')?.split(" | ").map(str::trim).collect();
    let [.., limit, place] = cells[..] else { return None };
    let (file, name) = place.strip_prefix('`')?.strip_suffix('`')?.split_once("` `")?;
    Some((limit, file, name))
}

/// What the page says: `64 MiB`, `4,000,000`, `120 s`.
fn stated(limit: &str) -> Option<u128> {
    let (number, unit) = limit.split_once(' ').unwrap_or((limit, ""));
    let number: u128 = number.replace(',', "").parse().ok()?;
    let units = BTreeMap::from([("", 0), ("s", 0), ("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)]);
    Some(number << units.get(unit)?)
}

/// The value of a constant of this name, or of a field of one.
fn defined(text: &str, name: &str) -> Option<u128> {
    if let Some((_, value)) = constants(text).into_iter().find(|(constant, _)| *constant == name) {
        return value;
    }
    let field = format!("{name}: ");
    let fields =
        text.match_indices(&field).filter_map(|(at, _)| text[at + field.len()..].split([',', '}', '\n']).next());
    fields.filter_map(value).next()
}

/// Constants of numbers and times, each with its value if that can be read.
fn constants(text: &str) -> Vec<(&str, Option<u128>)> {
    let constant = |line: &'_ str| -> Option<(usize, usize)> {
        let at = line.find("const ")?;
        let visible = line[..at].trim();
        (visible.is_empty() || visible.starts_with("pub")).then_some((at + 6, line.find(": ")?))
    };
    let read = |line| {
        let (start, end) = constant(line)?;
        let name = line.get(start..end).filter(|name| {
            name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        })?;
        let (kind, expression) = line[end + 2..].split_once(" = ")?;
        let counts = ["u8", "u32", "u64", "usize", "Duration"].contains(&kind);
        counts.then(|| (name, expression.strip_suffix(';').and_then(value)))
    };
    text.lines().filter_map(read).collect()
}

/// `64 << 20`, `24 * 60 * 60`, `22 + 65_535`, `Duration::from_secs(5)`.
fn value(expression: &str) -> Option<u128> {
    let expression = expression.trim();
    if let Some(seconds) = expression.strip_prefix("Duration::from_secs(") {
        return value(seconds.strip_suffix(')')?);
    }
    if let Some((left, right)) = expression.split_once(" << ") {
        return Some(value(left)? << value(right)?);
    }
    for (sign, of) in [(" + ", u128::checked_add as fn(u128, u128) -> Option<u128>), (" * ", u128::checked_mul)] {
        if let Some((left, right)) = expression.split_once(sign) {
            return of(value(left)?, value(right)?);
        }
    }
    match expression.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16).ok(),
        None => expression.replace('_', "").parse().ok(),
    }
}
