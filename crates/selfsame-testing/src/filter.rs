//! Taking out of a text what differs from run to run.

/// Which words of a transcript are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// 64 or 128 lowercase hex digits become `[DIGEST]`.
    pub digests: bool,
    /// Durations such as `1.2 s`, `340 ms` or `2m 3s`, and dates such as `2026-01-31T10:00:00Z`, become `[TIME]`.
    pub times: bool,
}

impl Filter {
    /// Nothing but the test's folders.
    pub const NONE: Self = Self { digests: false, times: false };
    /// Times.
    pub const TIMES: Self = Self { digests: false, times: true };
    /// Times and digests.
    pub const ALL: Self = Self { digests: true, times: true };

    pub(crate) fn apply(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = ' ';
        while let Some(first) = rest.chars().next() {
            let found = if is_word(before) { None } else { self.at_start_of(rest) };
            let taken = match found {
                Some((length, word)) => {
                    out.push_str(word);
                    length
                }
                None => {
                    out.push(first);
                    first.len_utf8()
                }
            };
            before = rest[..taken].chars().next_back().unwrap_or(' ');
            rest = &rest[taken..];
        }
        out
    }

    /// How many bytes at the start of a text are to be replaced, and by what.
    fn at_start_of(self, text: &str) -> Option<(usize, &'static str)> {
        let digits = text.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
        if self.digests && matches!(digits, 64 | 128) && ends_word(&text[digits..]) {
            return Some((digits, "[DIGEST]"));
        }
        if !self.times {
            return None;
        }
        date(text).or_else(|| durations(text)).map(|length| (length, "[TIME]"))
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '.'
}

fn ends_word(rest: &str) -> bool {
    rest.chars().next().is_none_or(|next| !next.is_alphanumeric() && next != '_')
}

/// `2026-01-31T10:00:00Z`, with or without a fraction.
fn date(text: &str) -> Option<usize> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let head = text.as_bytes().get(..SHAPE.len())?;
    let fits = head.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    });
    let rest = &text[if fits { SHAPE.len() } else { return None }..];
    let fraction = rest.bytes().take_while(|byte| *byte == b'.' || byte.is_ascii_digit()).count();
    rest[fraction..].starts_with('Z').then_some(SHAPE.len() + fraction + 1)
}

/// One duration, or several with spaces between, as `1m 20s`.
fn durations(text: &str) -> Option<usize> {
    let mut end = duration(text)?;
    while let Some(next) = text[end..].strip_prefix(' ').and_then(duration) {
        end += 1 + next;
    }
    Some(end)
}

fn duration(text: &str) -> Option<usize> {
    let number = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    if number == 0 || !text.as_bytes()[0].is_ascii_digit() || text[..number].ends_with('.') {
        return None;
    }
    let space = usize::from(text[number..].starts_with(' '));
    let unit = &text[number + space..];
    ["ms", "µs", "us", "ns", "min", "s", "m", "h"]
        .iter()
        .find(|name| unit.strip_prefix(**name).is_some_and(ends_word))
        // `5 m` may be anything; a minute has no space before it.
        .filter(|name| space == 0 || !matches!(**name, "m" | "h"))
        .map(|name| number + space + name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, times: &str) {
        assert_eq!(Filter::TIMES.apply(text), times);
    }

    #[test]
    fn replaces_times_and_nothing_that_looks_alike() {
        check("built in 1.25 s, checked in 340ms", "built in [TIME], checked in [TIME]");
        check("took 1m 20s.", "took [TIME].");
        check("at 2026-01-31T10:00:00Z and 2026-01-31T10:00:00.123Z", "at [TIME] and [TIME]");
        check("hello-1.0.0 sha256 4 sources 3 steps x86 v1.2.3", "hello-1.0.0 sha256 4 sources 3 steps x86 v1.2.3");
        check("2026-01-31", "2026-01-31");
        check("a1s 1.s 5 m", "a1s 1.s 5 m");
        check("µ é 2 µs é", "µ é [TIME] é");
    }

    #[test]
    fn replaces_whole_digests_only() {
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(Filter::ALL.apply(&format!("sha256:{digest} {digest}\n")), "sha256:[DIGEST] [DIGEST]\n");
        let longer = format!("{digest}0");
        assert_eq!(Filter::ALL.apply(&longer), longer);
        assert_eq!(Filter::TIMES.apply(&digest), digest);
    }
}
