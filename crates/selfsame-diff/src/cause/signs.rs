//! The signs by which a word gives away what wrote it. A table of tests, the surest first.

use selfsame_core::SourceEpoch;

use super::{Cause, Guess, Known, Level, Run, Setting};
use crate::escape;

/// Two differing words with the lines that they stand in.
pub(crate) struct Sides<'a> {
    a: String,
    b: String,
    line_a: &'a [u8],
    line_b: &'a [u8],
    run: &'a Run,
    known: &'a Known,
    setting: Setting,
}

impl<'a> Sides<'a> {
    pub(crate) fn of(line_a: &'a [u8], line_b: &'a [u8], run: &'a Run, known: &'a Known, setting: Setting) -> Self {
        let word = |line: &[u8], range: &std::ops::Range<usize>| {
            let bytes = &line[range.start..range.end.min(range.start + 4096)];
            String::from_utf8_lossy(bytes).into_owned()
        };
        Self { a: word(line_a, &run.a), b: word(line_b, &run.b), line_a, line_b, run, known, setting }
    }

    fn quoted(&self) -> String {
        format!("`{}` and `{}`", escape::clip(self.a.as_bytes()), escape::clip(self.b.as_bytes()))
    }

    /// Whether the lines are longer than any that the kernel prints: looking through them for each word would take
    /// quadratic time.
    fn long_lines(&self) -> bool {
        self.line_a.len().max(self.line_b.len()) > 4096
    }

    fn both(&self, test: impl Fn(&str) -> bool) -> bool {
        test(&self.a) && test(&self.b)
    }
}

const SIGNS: &[fn(&Sides<'_>) -> Option<Guess>] =
    &[known, uuid, address, epoch, date, temporary, path, kernel_line, hardware, fraction, hexadecimal, order, small];

/// The first sign that speaks.
pub(crate) fn guess(sides: &Sides<'_>) -> Guess {
    SIGNS
        .iter()
        .find_map(|sign| sign(sides))
        .unwrap_or_else(|| Guess::unknown(format!("{}: nothing tells what wrote them", sides.quoted())))
}

fn known(sides: &Sides<'_>) -> Option<Guess> {
    sides.known.explains(&sides.a, &sides.b)
}

fn uuid(sides: &Sides<'_>) -> Option<Guess> {
    let shape = |text: &str| {
        let text = text.trim_start_matches("urn:uuid:").as_bytes();
        text.len() == 36
            && text.iter().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => *byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    };
    // Version 5 and 3 are hashes of a name, version 1 and 7 begin with a clock.
    let version = |text: &str| text.trim_start_matches("urn:uuid:").as_bytes().get(14).copied();
    if !sides.both(shape) {
        return None;
    }
    let evidence = format!("UUIDs {}", sides.quoted());
    Some(match (version(&sides.a), version(&sides.b)) {
        (Some(b'3' | b'5'), Some(b'3' | b'5')) => Guess::derived(format!("{evidence}, made by hashing a name")),
        (Some(b'1' | b'6' | b'7'), _) => {
            Guess::new(Cause::Timestamp, Level::Deterministic, format!("{evidence}, made from a clock"))
        }
        _ => Guess::new(Cause::Random, Level::Deterministic, evidence),
    })
}

fn address(sides: &Sides<'_>) -> Option<Guess> {
    let shape = |text: &str| {
        text.strip_prefix("0x")
            .is_some_and(|digits| (8..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    // Where Linux maps programs and libraries: 0x55..., 0x56..., 0x7f..., possibly with leading zeros.
    let mapped = |text: &str| {
        let digits = text.trim_start_matches("0x").trim_start_matches('0');
        digits.len() == 12 && ["55", "56", "7e", "7f"].iter().any(|prefix| digits.starts_with(prefix))
    };
    (sides.both(shape) && sides.both(mapped)).then(|| {
        Guess::new(Cause::Address, Level::Normalized, format!("{} are addresses of mapped memory", sides.quoted()))
    })
}

/// 2001 to 2099, in seconds.
const TIMES: std::ops::RangeInclusive<u64> = 1_000_000_000..=4_102_444_799;
/// Rebuilds lie closer together than thirty years.
const CLOSE_SECS: u64 = 30 * 365 * 86_400;

/// Seconds, milli-, micro- or nanoseconds since 1970, perhaps with a fraction.
fn epoch_seconds(text: &str) -> Option<u64> {
    let text = text.trim_start_matches('@');
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    if !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = whole.parse().ok()?;
    let seconds = match whole.len() {
        10 => number,
        13 => number / 1_000,
        16 => number / 1_000_000,
        19 => number / 1_000_000_000,
        _ => return None,
    };
    TIMES.contains(&seconds).then_some(seconds)
}

fn epoch(sides: &Sides<'_>) -> Option<Guess> {
    let (a, b) = (epoch_seconds(&sides.a)?, epoch_seconds(&sides.b)?);
    (a.abs_diff(b) <= CLOSE_SECS).then(|| {
        let evidence = format!("{} are {} and {}", sides.quoted(), moment(a), moment(b));
        Guess::new(Cause::Timestamp, Level::Deterministic, evidence)
    })
}

/// A number of seconds as a date.
pub(crate) fn moment(seconds: u64) -> String {
    SourceEpoch::new(seconds).map_or_else(|| format!("{seconds} seconds"), SourceEpoch::rfc3339)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The dates and times that the run touches: how each is written, and its text.
fn dates<'a>(line: &'a [u8], range: &std::ops::Range<usize>) -> Vec<(&'static str, &'a [u8])> {
    /// `9` is a digit.
    const PATTERNS: [(&str, &[u8]); 5] = [
        ("an ISO date", b"9999-99-99"),
        ("a date", b"9999/99/99"),
        ("a date", b"99/99/9999"),
        ("a time of day", b"99:99:99"),
        ("a compact ISO time", b"99999999T999999"),
    ];
    let fits = |bytes: &[u8], pattern: &[u8]| {
        bytes.len() >= pattern.len()
            && pattern.iter().zip(bytes).all(|(p, b)| if *p == b'9' { b.is_ascii_digit() } else { p == b })
    };
    let mut found = Vec::new();
    let from = range.start.saturating_sub(24);
    for start in from..range.end.min(line.len()) {
        for (style, pattern) in PATTERNS {
            if start + pattern.len() > range.start && fits(&line[start..], pattern) {
                found.push((style, &line[start..start + pattern.len()]));
            }
        }
    }
    // `Nov 20 2026`, `Fri Nov 20 09:05:01 2026`: the word, and a month within reach before or after it.
    let around = String::from_utf8_lossy(&line[from..line.len().min(range.end + 24)]).into_owned();
    let month_near = around.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| MONTHS.contains(&word));
    let word = String::from_utf8_lossy(&line[range.clone()]).into_owned();
    let number = word.parse::<u32>().ok();
    let part_of_date = MONTHS.contains(&word.as_str())
        || WEEKDAYS.contains(&word.as_str())
        || number.is_some_and(|n| (1..=31).contains(&n) || (1980..=2100).contains(&n));
    if month_near && part_of_date {
        found.push(("a date in words", &line[range.clone()]));
    }
    found
}

fn date(sides: &Sides<'_>) -> Option<Guess> {
    let (in_a, in_b) = (dates(sides.line_a, &sides.run.a), dates(sides.line_b, &sides.run.b));
    // A date that both share explains nothing.
    let (style, _) = *in_a.iter().zip(&in_b).find(|(x, y)| x.0 == y.0 && x.1 != y.1)?.0;
    let evidence = format!("{} are part of {style}", sides.quoted());
    // The two forms that C compilers write for __DATE__, __TIME__ and __TIMESTAMP__: from SOURCE_DATE_EPOCH, and from
    // the file's own time, both fixed at this level.
    let compiled = sides.setting == Setting::Program && matches!(style, "a date in words" | "a time of day");
    let (level, evidence) = if compiled {
        (Level::Normalized, format!("{evidence}, as compilers write __DATE__ and __TIME__"))
    } else {
        (Level::Deterministic, evidence)
    };
    Some(Guess::new(Cause::Timestamp, level, evidence))
}

/// The absolute path that a word holds: from the first `/` that begins one.
fn path_in(text: &str) -> Option<&str> {
    let start = text.match_indices('/').map(|(at, _)| at).find(|&at| {
        at == 0
            || !matches!(text.as_bytes()[at - 1], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/')
    })?;
    let path = &text[start..];
    (path.len() > 1 && !path.starts_with("//")).then_some(path)
}

/// Whether what differs lies in a path of three components or more, in texts that stand close together as in debug
/// information: the differing middle, widened to all characters of paths.
fn inside_path(a: &str, b: &str) -> bool {
    let (bytes_a, bytes_b) = (a.as_bytes(), b.as_bytes());
    let start = bytes_a.iter().zip(bytes_b).take_while(|(x, y)| x == y).count();
    let most = bytes_a.len().min(bytes_b.len()) - start;
    let end = bytes_a.iter().rev().zip(bytes_b.iter().rev()).take(most).take_while(|(x, y)| x == y).count();
    let of_path = |b: &u8| b.is_ascii_alphanumeric() || b"._/+-".contains(b);
    let widened = |bytes: &[u8]| -> String {
        let from = start - bytes[..start].iter().rev().take_while(|b| of_path(b)).count();
        let middle = bytes.len() - end;
        let to = middle + bytes[middle..].iter().take_while(|b| of_path(b)).count();
        String::from_utf8_lossy(&bytes[from..to]).into_owned()
    };
    [widened(bytes_a), widened(bytes_b)]
        .iter()
        .all(|path| path.matches('/').count() >= 3 && !path.contains("//") && path.chars().any(char::is_alphabetic))
}

fn temporary(sides: &Sides<'_>) -> Option<Guess> {
    let (a, b) = (path_in(&sides.a)?, path_in(&sides.b)?);
    let (parts_a, parts_b): (Vec<&str>, Vec<&str>) = (a.split('/').collect(), b.split('/').collect());
    if parts_a.len() != parts_b.len() {
        return None;
    }
    let mut pairs = parts_a.iter().zip(&parts_b).filter(|(x, y)| x != y);
    let (first, rest) = (pairs.next()?, pairs.next());
    let below_tmp = ["/tmp/", "/var/tmp/", "/dev/shm/"].iter().any(|tmp| a.starts_with(tmp) && b.starts_with(tmp));
    // Two random names share a stem and a length; two folders that people named seldom do.
    let shared = first.0.bytes().zip(first.1.bytes()).take_while(|(x, y)| x == y).count();
    let tail = first.0.get(shared..).unwrap_or(first.0);
    let random = first.0.len() == first.1.len()
        && tail.len() >= 4
        && tail.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && tail.bytes().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    (below_tmp && rest.is_none() && random).then(|| {
        let evidence = format!("{}: the same place, another made-up name of the same length", sides.quoted());
        Guess::new(Cause::TemporaryName, Level::Deterministic, evidence)
    })
}

fn path(sides: &Sides<'_>) -> Option<Guess> {
    let absolute = path_in(&sides.a).zip(path_in(&sides.b)).is_some_and(|(a, b)| a != b);
    if !absolute && !inside_path(&sides.a, &sides.b) {
        return None;
    }
    Some(Guess::new(Cause::BuildPath, Level::Isolated, format!("{} hold absolute paths", sides.quoted())))
}

/// `0.8444218515250481`: sixteen random digits, as `Math.random` and its like print them.
fn fraction(sides: &Sides<'_>) -> Option<Guess> {
    let shape = |text: &str| {
        text.strip_prefix("0.").is_some_and(|digits| digits.len() >= 12 && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    sides.both(shape).then(|| {
        let evidence = format!("{} are fractions with all digits used", sides.quoted());
        Guess::new(Cause::Random, Level::Deterministic, evidence)
    })
}

fn hexadecimal(sides: &Sides<'_>) -> Option<Guess> {
    let digits = |text: &str| text.rsplit([':', '-', '.', '/', '@']).next().unwrap_or(text).to_owned();
    let (a, b) = (digits(&sides.a), digits(&sides.b));
    let shape = |text: &str| {
        text.len() >= 8 && text.bytes().all(|c| c.is_ascii_hexdigit()) && text.bytes().any(|c| c.is_ascii_alphabetic())
    };
    let same_frame = sides.a.len() - a.len() == sides.b.len() - b.len();
    (a.len() == b.len()
        && same_frame
        && (shape(&a) || shape(&b))
        && [&a, &b].iter().all(|t| t.bytes().all(|c| c.is_ascii_hexdigit())))
    .then(|| {
        let kind = match a.len() {
            40 | 64 | 96 | 128 => "the length of a hash",
            _ => "a hash or a random value",
        };
        Guess::opaque(format!("{}: {} hex digits, {kind}", sides.quoted(), a.len()))
    })
}

/// The one line of /proc/uptime (two numbers) and of /proc/loadavg (three, then `1/234` and a process id).
fn kernel_line(sides: &Sides<'_>) -> Option<Guess> {
    if sides.long_lines() {
        return None;
    }
    let shape = |line: &[u8]| -> Option<&'static str> {
        let text = std::str::from_utf8(line).ok()?;
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let hundredths = |word: &&str| {
            word.split_once('.').is_some_and(|(whole, rest)| {
                rest.len() == 2 && !whole.is_empty() && whole.bytes().chain(rest.bytes()).all(|b| b.is_ascii_digit())
            })
        };
        match words.as_slice() {
            [up, idle] if hundredths(up) && hundredths(idle) => Some("/proc/uptime"),
            [one, five, fifteen, tasks, _]
                if [one, five, fifteen].iter().all(|w| hundredths(w)) && tasks.contains('/') =>
            {
                Some("/proc/loadavg")
            }
            _ => None,
        }
    };
    let file = shape(sides.line_a).filter(|file| Some(*file) == shape(sides.line_b))?;
    let evidence = format!("{} in a line as {file} has it", sides.quoted());
    Some(Guess::new(Cause::HostHardware, Level::Normalized, evidence))
}

/// Lines of /proc and its like, by the words beside the number.
fn hardware(sides: &Sides<'_>) -> Option<Guess> {
    const WORDS: [(&str, Cause, Level); 9] = [
        ("MemTotal", Cause::HostHardware, Level::Normalized),
        ("MemFree", Cause::HostHardware, Level::Normalized),
        ("MemAvailable", Cause::HostHardware, Level::Normalized),
        ("model name", Cause::HostHardware, Level::Normalized),
        ("cpu MHz", Cause::HostHardware, Level::Normalized),
        ("bogomips", Cause::HostHardware, Level::Normalized),
        ("load average", Cause::HostHardware, Level::Deterministic),
        ("Linux version", Cause::Kernel, Level::Normalized),
        ("btime", Cause::Timestamp, Level::Normalized),
    ];
    if sides.long_lines() {
        return None;
    }
    let (a, b) = (String::from_utf8_lossy(sides.line_a), String::from_utf8_lossy(sides.line_b));
    let (word, cause, level) = WORDS.into_iter().find(|(word, ..)| a.contains(word) && b.contains(word))?;
    Some(Guess::new(cause, level, format!("{} beside `{word}`, as the kernel reports it", sides.quoted())))
}

/// A run of several words that are the same words in another order.
fn order(sides: &Sides<'_>) -> Option<Guess> {
    let words = |text: &str| {
        let mut words: Vec<String> = text
            .split(|c: char| c.is_whitespace() || ",;'\"[](){}".contains(c))
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect();
        words.sort();
        words
    };
    let (a, b) = (words(&sides.a), words(&sides.b));
    (a.len() > 1 && a == b).then(|| Guess::order(&format!("the same {} words", a.len())))
}

fn small(sides: &Sides<'_>) -> Option<Guess> {
    let shape = |text: &str| (1..=7).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    sides
        .both(shape)
        .then(|| Guess::unknown(format!("{}: small numbers, such as a process id, a count or a size", sides.quoted())))
}
