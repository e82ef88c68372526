//! A difference between locks as a comment on a merge request.

use selfsame_lock::{Change, LockDiff};

use super::hosts::Hosts;
use super::show::{about, count, notes, row, sum};

/// A comment may be so long on every forge that we know of.
const LIMIT_BYTES: usize = 48 << 10;

/// The difference in GitHub's and GitLab's Markdown. Whatever comes from a lock is code there, so that none of it is a
/// link, a mention or an image.
pub(super) fn difference(diff: &LockDiff, new_hosts: &Hosts) -> String {
    if diff.is_empty() && new_hosts.is_empty() {
        return "**selfsame.lock**: no difference".to_owned();
    }
    let mut text = String::from("### selfsame.lock\n");
    if let Some(sum) = sum(diff) {
        text += &format!("\n{sum}\n");
    }
    for (host, inputs) in new_hosts {
        let inputs: Vec<String> = inputs.iter().map(|input| code(input)).collect();
        text += &format!("\n**new host** {}: {}\n", code(host), inputs.join(", "));
    }
    if let Some((before, after)) = diff.profile {
        text += &format!("\nprofile {} → {}\n", before.number(), after.number());
    }
    let mut left_out = 0;
    for (name, input) in &diff.inputs {
        if text.len() > LIMIT_BYTES {
            left_out += input.parts.len().max(1);
            continue;
        }
        text += &format!("\n#### {} {}\n\n{}\n", word(input.change()), code(name.as_str()), code(&about(input)));
        if input.parts.is_empty() {
            continue;
        }
        text += "\n| | what | | who vouched |\n|---|---|---|---|\n";
        for part in &input.parts {
            if text.len() > LIMIT_BYTES {
                left_out += 1;
                continue;
            }
            let [title, what, vouched] = row(part).map(|cell| code(&cell));
            let notes: String = notes(part).into_iter().map(|note| format!(" **{note}**")).collect();
            text += &format!("| {} | {title} | {what} | {vouched}{notes} |\n", word(part.change()));
        }
        if input.same_parts > 0 {
            text += &format!("\n{} unchanged\n", count(input.same_parts, "file"));
        }
    }
    if left_out > 0 {
        text += &format!("\n{} more: `selfsame lock diff` shows them.\n", count(left_out, "line"));
    }
    text
}

const fn word(change: Change) -> &'static str {
    change.name()
}

/// A text as code, in a table too: nothing of it is markup.
fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.replace('`', "'").replace('|', "\\|");
    if text.trim().is_empty() { String::new() } else { format!("`{}`", text.trim()) }
}

#[cfg(test)]
mod tests {
    use super::code;

    /// A name out of a lock that somebody else wrote makes no link, no mention and no second column.
    #[test]
    fn what_comes_from_a_lock_is_no_markup() {
        assert_eq!(code("[x](https://example.com) @all <b>"), "`[x](https://example.com) @all <b>`");
        assert_eq!(code("a`b|c\nd"), "`a'b\\|c d`");
        assert_eq!(code(" \n"), "");
    }
}
