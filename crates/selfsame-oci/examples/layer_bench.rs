//! Layer assembly against `tar | pigz -6` and `tar | gzip -6`, in one run over the same files.
//!
//! `layer_bench FOLDER [THREADS] [ROUNDS]`: a folder that does not exist is filled first, always with the same 20,001
//! files of 707 MB (source-like text, machine code, tables, pictures); one that exists is taken as it is.
//! benches/layer.sh calls it.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark needs the clock and a terminal")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use selfsame_core::{Digest, Hasher, RelPath, SourceEpoch};
use selfsame_oci::{Compression, Contents, Limits, read_layer, write_layer};
use selfsame_tree::{Entry, Tree};

const FILES: usize = 20_001;
const BYTES: u64 = 707_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("usage: layer_bench FOLDER [THREADS] [ROUNDS]")?);
    let threads = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let rounds = arguments.next().map_or(Ok(3), |text| text.parse())?;
    if !folder.exists() {
        generate(&folder)?;
    }
    let (tree, files) = scan(&folder)?;
    println!(
        "{} entries, {} bytes, {threads} threads, best of {rounds}; time, CPU, size",
        tree.len(),
        tree.size_bytes()
    );
    let epoch = SourceEpoch::new(1_700_000_000).ok_or("epoch")?;
    let stored = folder.with_extension("layer");
    let peers = ["tar | pigz -6", "tar | gzip -6"];
    let mut best = BTreeMap::new();
    for _ in 0..rounds {
        let run = Run::of(|| {
            let mut out = BufWriter::new(fs::File::create(&stored)?);
            Ok(write_layer(&tree, epoch, &files, &mut out, Compression::Gzip, threads)?.size)
        })?;
        run.keep("selfsame", &mut best);
        for name in peers {
            let compress = name.split(' ').nth(2).ok_or("name")?;
            let flags = if compress == "pigz" { format!("-p {threads}") } else { String::new() };
            let target = stored.with_extension(compress);
            let line = format!("tar -C {} -cf - . | {compress} -6 {flags} > {}", folder.display(), target.display());
            let run = Run::of(|| {
                let status = Command::new("sh").args(["-c", &line]).status()?;
                if status.success() { Ok(fs::metadata(&target)?.len()) } else { Err(line.clone().into()) }
            })?;
            run.keep(name, &mut best);
            fs::remove_file(&target)?;
        }
    }
    // No round: only the tree was wanted.
    let Some(&ours) = best.get("selfsame") else { return Ok(()) };
    for name in ["selfsame"].iter().chain(&peers) {
        let Run { wall, cpu, size } = best[name];
        let ratios = (ours.wall / wall, ours.cpu / cpu, ours.size as f64 / size as f64);
        println!(
            "{name:<14} {wall:>6.2} s, {cpu:>6.2} s of CPU, {size:>11} bytes   ours: {:.2}x, {:.2}x, {:.3}x",
            ratios.0, ratios.1, ratios.2
        );
    }
    let mut same = false;
    let run = Run::of(|| {
        let read = read_layer(fs::File::open(&stored)?, Compression::Gzip.media_type(), Limits::LAYER, &mut ())?;
        same = read.tree == tree;
        Ok(read.diff_size)
    })?;
    let rate = run.size as f64 / 1e6 / run.wall;
    let verdict = if same { "same" } else { "differs" };
    println!("read again: {verdict}; {:.2} s, {:.2} s of CPU, {rate:.0} MB/s of tar", run.wall, run.cpu);
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("peak memory {line}"));
    }
    fs::remove_file(&stored)?;
    if same { Ok(()) } else { Err("the layer does not hold the tree".into()) }
}

/// One run: seconds on the wall, seconds of all processors, bytes made. The second says more on a busy machine.
#[derive(Clone, Copy)]
struct Run {
    wall: f64,
    cpu: f64,
    size: u64,
}

impl Run {
    fn of(work: impl FnOnce() -> Result<u64, Box<dyn std::error::Error>>) -> Result<Self, Box<dyn std::error::Error>> {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let size = work()?;
        Ok(Self { wall: start.elapsed().as_secs_f64(), cpu: cpu_seconds() - cpu, size })
    }

    fn keep(self, name: &'static str, best: &mut BTreeMap<&'static str, Self>) {
        let kept = best.entry(name).or_insert(self);
        (kept.wall, kept.cpu) = (kept.wall.min(self.wall), kept.cpu.min(self.cpu));
    }
}

/// Of this process and its children: fields 14 to 17 of /proc/self/stat, in hundredths.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Files of a folder by digest.
struct Files(BTreeMap<Digest, PathBuf>);

impl Contents for Files {
    fn open(&self, digest: &Digest, _: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let path = self.0.get(digest).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(fs::File::open(path)?))
    }
}

fn scan(root: &Path) -> Result<(Tree, Files), Box<dyn std::error::Error>> {
    let (mut entries, mut files, mut folders) = (Vec::new(), BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(&folder)? {
            let path = item?.path();
            let kind = fs::symlink_metadata(&path)?.file_type();
            let Some(Ok(name)) = path.strip_prefix(root)?.to_str().map(RelPath::new) else { continue };
            if kind.is_dir() {
                entries.push((name, Entry::directory()));
                folders.push(path);
            } else if kind.is_symlink() {
                let Some(target) = fs::read_link(&path)?.to_str().map(str::to_owned) else { continue };
                entries.push((name, Entry::symlink(target)));
            } else if kind.is_file() {
                let (digest, size) = Hasher::of_reader(fs::File::open(&path)?)?;
                entries.push((name, Entry::file(digest, size, false)));
                files.insert(digest, path);
            }
        }
    }
    Ok((Tree::from_entries(entries)?, Files(files)))
}

/// xorshift64*: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    /// Small numbers much more often than large ones.
    fn skewed(&mut self, limit: usize) -> usize {
        let fraction = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        ((limit as f64).powf(fraction) - 1.0) as usize
    }
}

/// 20,000 files in 400 folders, sizes spread over three orders of magnitude, and one file that fills the sum.
fn generate(root: &Path) -> io::Result<()> {
    let mut random = Random(0x5e1f_5a3e);
    let words: Vec<String> = (0..6000).map(|_| word(&mut random)).collect();
    let mut left = BYTES;
    for number in 0..FILES {
        let folder = root.join(format!("part{:02}/module{:02}", number / 50 % 20, number / 1000));
        if number % 50 == 0 {
            fs::create_dir_all(&folder)?;
        }
        // The mean of 2^7 .. 2^17 by a uniform exponent is about 19 KB; one in forty is sixteen times as large.
        let size = (128.0 * 2_f64.powf(random.below(10_000) as f64 / 1000.0)) as usize;
        let size = if number % 40 == 7 { size * 16 } else { size };
        let size = if number == FILES - 1 { left as usize } else { size.min(left as usize) };
        let mut bytes = Vec::with_capacity(size + 256);
        match number % 10 {
            _ if number == FILES - 1 => {
                while bytes.len() < size {
                    blob(&mut random, &words, &mut bytes)
                }
            }
            0..=5 => {
                while bytes.len() < size {
                    line(&mut random, &words, &mut bytes)
                }
            }
            6 | 7 => {
                while bytes.len() < size {
                    code(&mut random, &mut bytes)
                }
            }
            8 => {
                while bytes.len() < size {
                    table(&mut random, &mut bytes)
                }
            }
            _ => {
                while bytes.len() < size {
                    bytes.extend_from_slice(&random.next().to_le_bytes())
                }
            }
        }
        bytes.truncate(size);
        left -= size as u64;
        fs::File::create(folder.join(format!("file{number:05}")))?.write_all(&bytes)?;
    }
    Ok(())
}

fn word(random: &mut Random) -> String {
    let syllables =
        ["re", "con", "al", "ti", "ver", "ser", "ma", "de", "file", "get", "ta", "ble", "ing", "er", "lo", "x"];
    let count = 1 + random.below(4);
    (0..count).map(|_| syllables[random.below(syllables.len())]).collect::<Vec<_>>().join(if count > 2 {
        "_"
    } else {
        ""
    })
}

/// A line of something like a program.
fn line(random: &mut Random, words: &[String], out: &mut Vec<u8>) {
    out.extend(std::iter::repeat_n(b' ', 4 * random.below(5)));
    for _ in 0..1 + random.below(8) {
        let signs = [" ", "(", ") ", " = ", ".", "->", ", ", ";", " == ", "[i]"];
        out.extend_from_slice(words[random.skewed(words.len())].as_bytes());
        out.extend_from_slice(signs[random.skewed(signs.len())].as_bytes());
    }
    out.push(b'\n');
}

/// Something like x86-64 instructions: few opcodes, registers, small displacements, now and then an address.
fn code(random: &mut Random, out: &mut Vec<u8>) {
    let heads: [&[u8]; 12] = [
        &[0x48, 0x89],
        &[0x48, 0x8b],
        &[0xe8],
        &[0x0f, 0x1f, 0x44],
        &[0x48, 0x83, 0xc4],
        &[0x85, 0xc0],
        &[0x74],
        &[0x31, 0xc0],
        &[0x48, 0x8d],
        &[0xc3, 0x66, 0x90],
        &[0xf3, 0x0f, 0x1e, 0xfa],
        &[0x41, 0x54],
    ];
    let head = random.skewed(heads.len());
    out.extend_from_slice(heads[head]);
    match head {
        2 | 8 => out.extend_from_slice(&(random.next() as u32 >> 12).to_le_bytes()),
        _ => out.extend_from_slice(&[(random.skewed(64) * 3) as u8, (random.skewed(200)) as u8]),
    }
}

/// Numbers that grow, as in symbol tables.
fn table(random: &mut Random, out: &mut Vec<u8>) {
    let at = out.len() as u64 * 3 + random.below(64) as u64;
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&(random.skewed(40_000) as u32).to_le_bytes());
    out.extend_from_slice(&[0, 0, 1, 0]);
}

/// A stretch of each.
fn blob(random: &mut Random, words: &[String], out: &mut Vec<u8>) {
    let end = out.len() + 65_536;
    let kind = random.below(4);
    while out.len() < end {
        match kind {
            0 => line(random, words, out),
            1 => table(random, out),
            _ => code(random, out),
        }
    }
}
