//! HTML in which no word of a release is anything but text.

/// So many characters of one value are shown; a page is for people.
const LONGEST_CHARS: usize = 600;

/// A page while it is written. Only this file knows what a tag is.
pub(super) struct Html(String);

/// What stands in a cell or a paragraph.
pub(super) enum Piece<'a> {
    /// Our own words.
    Words(&'a str),
    /// Somebody's words, set apart: their direction of writing ends where they end.
    Value(&'a str),
}

impl Html {
    /// The head, up to the first heading. `class` colours the answer and says nothing that the words do not.
    pub(super) fn new(title: &str) -> Self {
        let mut text = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        // Were anything to get through as a tag, the browser would still load and run nothing.
        text += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n";
        text += "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n";
        text += &format!("<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n", escaped(title));
        Self(text)
    }

    pub(super) fn heading(&mut self, level: u8, text: &str) {
        self.0 += &format!("<h{level}>{}</h{level}>\n", escaped(text));
    }

    /// The answer in one word, and what is wrong where something is.
    pub(super) fn answer(&mut self, class: &'static str, pieces: &[Piece<'_>]) {
        self.0 += &format!("<p class=\"answer {class}\">{}</p>\n", inline(pieces));
    }

    pub(super) fn paragraph(&mut self, pieces: &[Piece<'_>]) {
        self.0 += &format!("<p>{}</p>\n", inline(pieces));
    }

    /// Items with a term before each.
    pub(super) fn list(&mut self, items: &[(&str, &str)]) {
        self.0 += "<ul>\n";
        for (term, text) in items {
            self.0 += &format!("<li>{}: {}</li>\n", escaped(term), value(text));
        }
        self.0 += "</ul>\n";
    }

    /// Names with a value each.
    pub(super) fn values(&mut self, caption: &str, rows: &[(&str, String)]) {
        self.0 += &format!("<table class=\"values\">\n<caption>{}</caption>\n<tbody>\n", escaped(caption));
        for (name, text) in rows {
            self.0 += &format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escaped(name), value(text));
        }
        self.0 += "</tbody>\n</table>\n";
    }

    /// A table with a heading over each column.
    pub(super) fn table<'a>(&mut self, caption: &str, columns: &[&str], rows: impl IntoIterator<Item = Row<'a>>) {
        let class = if columns.len() > 4 { "many" } else { "few" };
        let caption = escaped(caption);
        // What is wider than a window can be reached without a mouse.
        self.0 += &format!("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">");
        self.0 += &format!("<table class=\"{class}\">\n<caption>{caption}</caption>\n<thead><tr>");
        for column in columns {
            self.0 += &format!("<th scope=\"col\">{}</th>", escaped(column));
        }
        self.0 += "</tr></thead>\n<tbody>\n";
        for row in rows {
            self.0 += &format!("<tr class=\"{}\"><th scope=\"row\">{}</th>", row.class, value(row.name));
            for cell in &row.cells {
                let lines: Vec<String> = cell.iter().map(|pieces| format!("<div>{}</div>", inline(pieces))).collect();
                self.0 += &format!("<td>{}</td>", lines.concat());
            }
            self.0 += "</tr>\n";
        }
        self.0 += "</tbody>\n</table></div>\n";
    }

    pub(super) fn end(mut self) -> String {
        self.0 += "</main>\n</body>\n</html>\n";
        self.0
    }
}

/// A row of a table: its heading, then cells of lines.
pub(super) struct Row<'a> {
    pub(super) class: &'static str,
    pub(super) name: &'a str,
    pub(super) cells: Vec<Vec<Vec<Piece<'a>>>>,
}

fn inline(pieces: &[Piece<'_>]) -> String {
    let one = |piece: &Piece<'_>| match piece {
        Piece::Words(text) => escaped(text),
        Piece::Value(text) => value(text),
    };
    pieces.iter().map(one).collect()
}

fn value(text: &str) -> String {
    format!("<bdi>{}</bdi>", escaped(text))
}

/// Text as a browser shows it: no tag, no reference, and every character that acts, hides or turns the direction of
/// writing by its number.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars().take(LONGEST_CHARS) {
        match c {
            '&' => shown += "&amp;",
            '<' => shown += "&lt;",
            '>' => shown += "&gt;",
            '"' => shown += "&quot;",
            '\'' => shown += "&#39;",
            '`' => shown += "&#96;",
            c if unseen(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    if text.chars().nth(LONGEST_CHARS).is_some() {
        shown += "...";
    }
    shown
}

/// Control characters, marks of direction, what takes no room, what is no character, and tags of old.
fn unseen(c: char) -> bool {
    let number = u32::from(c);
    c.is_control()
        || number & 0xfffe == 0xfffe
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}')
}

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1c1c1e; --paper: #ffffff; --faint: #5b5b60; --line: #c9c9ce; --yes: #146c2e; --no: #b3261e; --open: #7a4f01; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececee; --paper: #161618; --faint: #a8a8ae; --line: #47474c; --yes: #7bd88f; --no: #ff8a80; --open: #f2c14e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, \"Segoe UI\", \"DejaVu Sans\", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
h1, h2, h3, p, li { max-width: 60rem; overflow-wrap: anywhere; }
.answer { font-size: 1.15rem; font-weight: 600; border-left: .35rem solid currentColor; padding: .3rem .8rem; }
.answer.yes, .yes td:nth-child(2) { color: var(--yes); }
.answer.no, .no td:nth-child(2) { color: var(--no); font-weight: 600; }
.answer.open, .open td:nth-child(2) { color: var(--open); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1.2rem; font-size: .9rem; }
caption { text-align: left; color: var(--faint); padding: .2rem 0; }
th, td { text-align: left; vertical-align: top; border-top: 1px solid var(--line); padding: .3rem .6rem .3rem 0; overflow-wrap: anywhere; }
thead th { border-top: 0; color: var(--faint); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; }
.many { min-width: 56rem; }
.many tbody th { min-width: 8.5rem; }
.values th { width: 12rem; color: var(--faint); }
.values td, td bdi, p bdi { font-family: ui-monospace, \"DejaVu Sans Mono\", Menlo, Consolas, monospace; font-size: .93em; }
@media print { :root { --ink: #000000; --paper: #ffffff; --faint: #333333; --line: #999999; --yes: #000000; --no: #000000; --open: #000000; } main { max-width: none; padding: 0; } .wide { overflow: visible; } .many { min-width: 0; font-size: .75rem; } tr { break-inside: avoid; } h2, h3, caption { break-after: avoid; } thead { display: table-header-group; } }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_value_is_markup_or_acts() {
        let evil = "</bdi><script>alert(1)</script><img src=x onerror=\"y\">&lt;'`\u{1b}[2J\u{9b}2J\r\n\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}\u{fffe}\u{0}";
        let mut page = Html::new(evil);
        page.heading(1, evil);
        page.answer("no", &[Piece::Words(evil), Piece::Value(evil)]);
        page.paragraph(&[Piece::Value(evil)]);
        page.list(&[(evil, evil)]);
        page.values(evil, &[(evil, evil.to_owned())]);
        page.table(evil, &[evil], [Row { class: "no", name: evil, cells: vec![vec![vec![Piece::Value(evil)]]] }]);
        let page = page.end();
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("onerror=\""), "{page}");
        assert!(!page.chars().any(|c| c != '\n' && unseen(c)), "{page}");
        assert_eq!(page.matches("<bdi>").count(), page.matches("</bdi>").count());
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("&amp;lt;&#39;&#96;"));
        assert!(page.contains("\\u{1b}[2J\\u{9b}2J\\u{d}\\u{a}\\u{202e}\\u{2066}\\u{200b}\\u{feff}\\u{e0041}"));
        // What people write in their own letters is shown as it is.
        assert_eq!(escaped("Žluťoučký 日本語 שלום 😀"), "Žluťoučký 日本語 שלום 😀");
        assert_eq!(escaped(&"x".repeat(601)), "x".repeat(600) + "...");
    }
}
