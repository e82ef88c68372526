//! Links resolve, and whatever we named for the world has its page.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::{File, none, ours, root};

#[test]
fn every_relative_link_resolves() {
    let mut faults = Vec::new();
    let files = ours();
    let pages: BTreeMap<&str, &File> =
        files.iter().filter(|file| file.is("md")).map(|file| (file.path.as_str(), file)).collect();
    assert!(pages.len() > 5, "found only {} pages", pages.len());
    for page in pages.values() {
        for (line, target) in links(&page.text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page.path.clone() } else { resolve(&page.path, file) };
            if !root().join(&path).exists() {
                faults.push(format!("{}: `{target}` is not there", page.at(line)));
            } else if !heading.is_empty()
                && let Some(other) = pages.get(path.as_str())
                && !headings(&other.text).contains(heading)
            {
                faults.push(format!("{}: {path} has no heading `#{heading}`", page.at(line)));
            }
        }
    }
    none("links between pages resolve:", faults);
}

#[test]
fn pages_named_in_the_code_exist() {
    let mut faults = Vec::new();
    for file in ours().iter().filter(|file| file.is("rs") || file.is("toml")) {
        if file.path.starts_with("crates/xtask/tests/") {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            for page in named_pages(line) {
                if !root().join(page).is_file() {
                    faults.push(format!("{}: {page} is not there", file.at(number)));
                }
            }
        }
    }
    none("comments name pages that exist:", faults);
}

#[test]
fn every_name_below_our_domain_has_its_page() {
    let pages: Vec<File> = ours().into_iter().filter(|file| file.path.starts_with("docs/") && file.is("md")).collect();
    let mut faults = Vec::new();
    let mut found = 0;
    for (place, uri) in our_uris() {
        found += 1;
        if let Some(name) = uri.strip_prefix(BASE).and_then(|path| path.strip_suffix("/v1")) {
            let folder = if name == "build" { "build-type" } else { name };
            let page = format!("docs/{folder}/v1.md");
            if root().join(&page).is_file() {
                continue;
            }
        }
        if !pages.iter().any(|page| page.text.contains(&uri)) {
            faults.push(format!("{place}: no page below docs/ has `{uri}`"));
        }
    }
    assert!(found > 5, "found only {found} URIs of ours");
    none("type URIs, builder ids and media types of ours are described in docs/:", faults);
}

/// `doctor` prints lines; the page for people has the same.
#[test]
fn the_lines_of_doctor_are_on_its_page() {
    let page = std::fs::read_to_string(root().join("docs/ci.md")).expect("docs/ci.md");
    let page = one_spaced(&page);
    let source = std::fs::read_to_string(root().join(REMEDIES)).expect(REMEDIES);
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<String> = literals(code).into_iter().filter(|text| is_line(text)).collect();
    assert!(lines.len() > 10, "found only {} lines in {REMEDIES}", lines.len());
    let faults = lines.into_iter().filter(|line| !page.contains(&one_spaced(line))).collect();
    none("docs/ci.md has every line that `doctor` prints:", faults);
}

const REMEDIES: &str = "crates/selfsame-sandbox/src/probe/remedy.rs";

/// What is to be pasted, not said.
fn is_line(text: &str) -> bool {
    let marks = ["sudo ", "--security-opt", "security_opt", "procMount: ", "Profile: ", "--relax", "userns,"];
    !text.starts_with('#') && marks.into_iter().any(|mark| text.contains(mark))
}

/// The string literals of Rust code without raw strings.
fn literals(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut literal: Option<String> = None;
    let mut characters =
        code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| line.chars().chain(['\n']));
    while let Some(character) = characters.next() {
        match (&mut literal, character) {
            (Some(text), '\\') => match characters.next() {
                Some('n') => text.push('\n'),
                Some('\n') | None => text.push(' '),
                Some(escaped) => text.push(escaped),
            },
            (Some(_), '"') => found.extend(literal.take()),
            (Some(text), other) => text.push(other),
            (None, '"') => literal = Some(String::new()),
            (None, _) => {}
        }
    }
    found
}

fn one_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const BASE: &str = "https://selfsame.dev/";
const MEDIA: &str = "application/vnd.selfsame.";

/// Every URI and media type of ours in the sources of the crates, with the place where it stands.
fn our_uris() -> Vec<(String, String)> {
    let mut uris = Vec::new();
    for file in ours().iter().filter(|file| file.is("rs") && file.path.contains("/src/")) {
        let code = file.text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let mut add = |uri: String| uris.push((file.at(number), uri));
            for (start, _) in line.match_indices("ours!(\"") {
                let path = line[start + 7..].split('"').next().unwrap_or_default();
                if !path.is_empty() {
                    add(format!("{BASE}{path}"));
                }
            }
            for prefix in [BASE, MEDIA] {
                for (start, _) in line.match_indices(prefix) {
                    let end = |c: char| !(c.is_ascii_alphanumeric() || "/.-+:".contains(c));
                    let uri = line[start..].split(end).next().unwrap_or_default().trim_end_matches(['.', ':', '/']);
                    if uri.len() > prefix.len() {
                        add(uri.to_owned());
                    }
                }
            }
        }
    }
    uris
}

/// `docs/a/v1.md` in a line of code.
fn named_pages(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("docs/").filter_map(|(start, _)| {
        let before = line[..start].chars().next_back();
        let end = |c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c));
        let page = line[start..].split(end).next().unwrap_or_default().trim_end_matches('.');
        let is_ours = !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '/' || c == '-');
        (is_ours && page.ends_with(".md")).then_some(page)
    })
}

/// The targets of `[text](target)` outside of code, with their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        for (start, _) in line.match_indices("](") {
            let in_code = line[..start].matches('`').count() % 2 == 1;
            if let Some((target, _)) = line[start + 2..].split_once(')')
                && !in_code
            {
                links.push((number, target.split(' ').next().unwrap_or(target)));
            }
        }
    }
    links
}

/// Lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The anchors of a page's headings, as code hosts make them.
fn headings(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() < line.len() && title.starts_with(' ') {
            let slug = title.trim().to_lowercase();
            let slug = slug.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            anchors.insert(slug.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
    }
    anchors
}

/// `docs/a/v1.md` and `../b.md#x` make `docs/b.md`.
fn resolve(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn reads_literals() {
    assert_eq!(literals("f(\"a \\\"b\\\"\", // \n \"c \\\n   d\")"), ["a \"b\"", "c     d"]);
}

#[test]
fn reads_markdown() {
    let text = "# A `b` c\n[x](y.md) `[n](o)` [z](../q.md#a-b-c)\n```\n[in](code)\n```\n";
    assert_eq!(links(text), [(1, "y.md"), (1, "../q.md#a-b-c")]);
    assert!(headings(text).contains("a-b-c"));
    assert_eq!(resolve("docs/a/v1.md", "../q.md"), "docs/q.md");
    assert_eq!(named_pages("see docs/lock/v1.md. and x/docs/no.md").collect::<Vec<_>>(), ["docs/lock/v1.md"]);
}
