//! A small HTTP/1.1 server on loopback that answers as a test wants: well, or with one of the faults of real ones.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::authority::Authority;

/// The longest body that is taken.
const BODY_BYTES: u64 = 1 << 30;

/// What a client asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// What it sent.
    pub body: Vec<u8>,
}

impl Asked {
    /// Without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("")
    }

    /// A header by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200 for one.
    pub status: u16,
    /// Beside the length, which is added.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What goes wrong.
    pub fault: Fault,
}

/// What goes wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection ends after so many bytes of the body.
    CutAfter(usize),
    /// The connection ends where the answer should begin.
    Hangup,
    /// The head announces another length.
    Length(u64),
    /// Neither a length nor chunks: the end of the connection ends the body, after so many bytes.
    NoLength(usize),
    /// The body repeats without end, in chunks.
    Endless,
    /// The body comes byte by byte with this pause.
    Drip(Duration),
    /// The head comes byte by byte with this pause.
    HeadDrip(Duration),
    /// So many bytes of the body come, then nothing.
    Silent(usize),
    /// The head never ends.
    EndlessHead,
    /// The body comes in chunks.
    Chunked,
}

impl Answer {
    /// 200 with these bytes.
    #[must_use]
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into(), fault: Fault::None }
    }

    /// A status with its number as body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: format!("{status}\n").into_bytes(), fault: Fault::None }
    }

    /// 302 to there.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::status(302).header("Location", location)
    }

    /// With a header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a fault.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// A file as good servers give it: whole, or the range that is asked for, if it is still the same.
    #[must_use]
    pub fn file(asked: &Asked, bytes: &[u8], etag: &str) -> Self {
        let etag = format!("\"{etag}\"");
        let range = asked.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let same = asked.header("if-range").is_none_or(|validator| validator == etag);
        let whole = Self::ok(bytes).header("Accept-Ranges", "bytes").header("ETag", &etag);
        let Some((start, end)) = range.filter(|_| same) else { return whole };
        let start: usize = start.parse().unwrap_or(0);
        let end = end.parse::<usize>().map_or(bytes.len(), |end| (end + 1).min(bytes.len()));
        if start >= end {
            return Self::status(416).header("Content-Range", &format!("bytes */{}", bytes.len()));
        }
        let content_range = format!("bytes {start}-{}/{}", end - 1, bytes.len());
        Self { status: 206, body: bytes[start..end].to_vec(), ..whole }.header("Content-Range", &content_range)
    }

    /// A file, if who asks has this user and password; else 401.
    #[must_use]
    pub fn guarded(asked: &Asked, user: &str, password: &str, inside: impl FnOnce() -> Self) -> Self {
        if asked.header("authorization") == Some(&basic(user, password)) {
            return inside();
        }
        Self::status(401).header("WWW-Authenticate", "Basic realm=\"test\"")
    }
}

/// The value of `Authorization` for a user and a password.
#[must_use]
pub fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}")))
}

type Respond = dyn Fn(&Asked) -> Answer + Send + Sync;

struct Shared {
    respond: Box<Respond>,
    tls: Option<Arc<ServerConfig>>,
    asked: Mutex<Vec<Asked>>,
    stop: AtomicBool,
}

/// A server on a free port of 127.0.0.1. It ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// Answers http.
    #[must_use]
    pub fn http(respond: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(None, Box::new(respond))
    }

    /// Answers https as `localhost`, 127.0.0.1 and these hosts.
    #[must_use]
    pub fn https(
        authority: &Authority,
        hosts: &[&str],
        respond: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(authority.server(hosts)), Box::new(respond))
    }

    /// Answers https with a configuration of [`Authority::server_until`] or another.
    #[must_use]
    pub fn tls(config: Arc<ServerConfig>, respond: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(Some(config), Box::new(respond))
    }

    fn start(tls: Option<Arc<ServerConfig>>, respond: Box<Respond>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let shared = Arc::new(Shared { respond, tls, asked: Mutex::default(), stop: AtomicBool::new(false) });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = serving.clone();
                // A client that goes away is what many tests are about.
                std::thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT` or `https://…` with a path behind it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// All that was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for clients.
        let _ = TcpStream::connect(self.address);
    }
}

pub(crate) trait Channel: Read + Write {}
impl<T: Read + Write> Channel for T {}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut channel: Box<dyn Channel> = match &self.tls {
            None => Box::new(stream),
            Some(config) => {
                let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                Box::new(StreamOwned::new(connection, stream))
            }
        };
        let mut reader = BufReader::new(&mut channel);
        while !self.stop.load(Ordering::SeqCst) {
            let Some(asked) = read_request(&mut reader)? else { return Ok(()) };
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
            let answer = (self.respond)(&asked);
            let goes_on = self.write(reader.get_mut(), &asked, &answer)?;
            reader.get_mut().flush()?;
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the connection can be used again.
    fn write(&self, to: &mut dyn Write, asked: &Asked, answer: &Answer) -> io::Result<bool> {
        let body = &answer.body;
        let mut head = format!("HTTP/1.1 {} Answer\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n", answer.status);
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match answer.fault {
            Fault::Hangup => return Ok(false),
            Fault::EndlessHead => {
                to.write_all(head.as_bytes())?;
                while !self.stop.load(Ordering::SeqCst) {
                    to.write_all(b"X-More: and more\r\n")?;
                }
                return Ok(false);
            }
            Fault::NoLength(_) => head.push_str("Connection: close\r\n"),
            Fault::Endless | Fault::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
            Fault::Length(length) => head.push_str(&format!("Connection: close\r\nContent-Length: {length}\r\n")),
            _ if answer.status == 204 || answer.status == 304 => {}
            _ => head.push_str(&format!("Content-Length: {}\r\n", body.len())),
        }
        head.push_str("\r\n");
        if let Fault::HeadDrip(pause) = answer.fault {
            self.drip(to, head.as_bytes(), pause)?;
        } else {
            to.write_all(head.as_bytes())?;
        }
        if asked.method == "HEAD" || answer.status == 204 || answer.status == 304 {
            return Ok(answer.fault == Fault::None);
        }
        match answer.fault {
            Fault::CutAfter(bytes) | Fault::NoLength(bytes) => to.write_all(&body[..bytes.min(body.len())])?,
            Fault::Silent(bytes) => {
                to.write_all(&body[..bytes.min(body.len())])?;
                to.flush()?;
                while !self.stop.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            Fault::Endless => {
                let filler = if body.is_empty() { b"\0".as_slice() } else { body };
                while !self.stop.load(Ordering::SeqCst) {
                    write_chunk(to, filler)?;
                }
            }
            Fault::Chunked => {
                for chunk in body.chunks(1000) {
                    write_chunk(to, chunk)?;
                }
                to.write_all(b"0\r\n\r\n")?;
                return Ok(true);
            }
            Fault::Drip(pause) => self.drip(to, body, pause)?,
            Fault::None | Fault::Length(_) | Fault::HeadDrip(_) | Fault::Hangup | Fault::EndlessHead => {
                to.write_all(body)?;
            }
        }
        Ok(answer.fault == Fault::None && asked.header("connection") != Some("close"))
    }

    fn drip(&self, to: &mut dyn Write, bytes: &[u8], pause: Duration) -> io::Result<()> {
        for byte in bytes {
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            to.write_all(&[*byte])?;
            to.flush()?;
            std::thread::sleep(pause);
        }
        Ok(())
    }
}

fn write_chunk(to: &mut dyn Write, chunk: &[u8]) -> io::Result<()> {
    write!(to, "{:x}\r\n", chunk.len())?;
    to.write_all(chunk)?;
    to.write_all(b"\r\n")
}

/// The next request; nothing at the end of the connection.
pub(crate) fn read_request<C: Read + Write>(reader: &mut BufReader<C>) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("/").to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    if headers.get("expect").is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue")) {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        reader.get_mut().flush()?;
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|encoding| encoding.contains("chunked")) {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            let mut end = String::new();
            if size == 0 {
                reader.read_line(&mut end)?;
                break;
            }
            if body.len() as u64 + size > BODY_BYTES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            reader.by_ref().take(size).read_to_end(&mut body)?;
            reader.read_line(&mut end)?;
        }
    } else if let Some(length) = headers.get("content-length").and_then(|length| length.parse::<u64>().ok()) {
        if length > BODY_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        reader.by_ref().take(length).read_to_end(&mut body)?;
    }
    Ok(Some(Asked { method, target, headers, body }))
}
