//! A proxy on loopback, as companies have them: tunnels for https, whole addresses for http, and a password.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::authority::Authority;
use crate::server::{Channel, basic, read_request};

/// How long one direction is waited for before the other has its turn.
const TURN: Duration = Duration::from_millis(5);

struct Shared {
    tls: Option<Arc<ServerConfig>>,
    user: Option<(String, String)>,
    names: BTreeMap<String, SocketAddr>,
    seen: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// A proxy on a free port of 127.0.0.1, for names that only it knows, and for whatever listens on 127.0.0.1. It ends when
/// it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// For everybody, with the names it knows: `mirror.example:443` and where that is.
    #[must_use]
    pub fn new(names: &[(&str, SocketAddr)]) -> Self {
        Self::start(None, None, names)
    }

    /// For who knows the password.
    #[must_use]
    pub fn guarded(user: &str, password: &str, names: &[(&str, SocketAddr)]) -> Self {
        Self::start(None, Some((user.to_owned(), password.to_owned())), names)
    }

    /// For who knows the password, and spoken to by https.
    #[must_use]
    pub fn https(authority: &Authority, user: &str, password: &str, names: &[(&str, SocketAddr)]) -> Self {
        Self::start(Some(authority.server(&[])), Some((user.to_owned(), password.to_owned())), names)
    }

    fn start(tls: Option<Arc<ServerConfig>>, user: Option<(String, String)>, names: &[(&str, SocketAddr)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let names = names.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let shared = Arc::new(Shared { tls, user, names, seen: Mutex::default(), stop: AtomicBool::new(false) });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = serving.clone();
                std::thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme(), self.address)
    }

    fn scheme(&self) -> &'static str {
        if self.shared.tls.is_some() { "https" } else { "http" }
    }

    /// The same with user and password in it, as it stands in `HTTPS_PROXY`.
    #[must_use]
    pub fn url_as(&self, user: &str, password: &str) -> String {
        format!("{}://{user}:{password}@{}", self.scheme(), self.address)
    }

    /// First words of all requests so far: `CONNECT mirror.example:443`, `GET http://mirror.example/file`; with `407 ` before
    /// those that were refused.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for clients.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let wire = stream.try_clone()?;
        let channel: Box<dyn Channel> = match &self.tls {
            None => Box::new(stream),
            Some(config) => {
                let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                Box::new(StreamOwned::new(connection, stream))
            }
        };
        let mut reader = BufReader::new(channel);
        let Some(asked) = read_request(&mut reader)? else { return Ok(()) };
        let line = format!("{} {}", asked.method, asked.target);
        let allowed = self
            .user
            .as_ref()
            .is_none_or(|(user, password)| asked.header("proxy-authorization") == Some(&basic(user, password)));
        let note = if allowed { line } else { format!("407 {line}") };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        let mut client = reader.into_inner();
        let refuse = |client: &mut Box<dyn Channel>, status: &str, header: &str| {
            client.write_all(
                format!("HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n").as_bytes(),
            )
        };
        if !allowed {
            return refuse(&mut client, "407 Who are you", "Proxy-Authenticate: Basic realm=\"proxy\"\r\n");
        }
        let tunnel = asked.method == "CONNECT";
        let rest = asked.target.strip_prefix("http://");
        let (place, path) = match (tunnel, rest) {
            (true, _) => (asked.target.as_str(), ""),
            (false, Some(rest)) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            (false, None) => return refuse(&mut client, "400 Not for a proxy", ""),
        };
        let place = if place.contains(':') { place.to_owned() } else { format!("{place}:80") };
        let local = place.parse::<SocketAddr>().ok().filter(|address| address.ip().is_loopback());
        let port = place.strip_prefix("localhost:").and_then(|port| port.parse::<u16>().ok());
        let local = local.or(port.map(|port| SocketAddr::from(([127, 0, 0, 1], port))));
        let Some(address) = self.names.get(&place).copied().or(local) else {
            return refuse(&mut client, "502 No such name", "");
        };
        let Ok(mut server) = TcpStream::connect(address) else { return refuse(&mut client, "502 Nobody there", "") };
        if tunnel {
            client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
        } else {
            let mut head = format!("{} {} HTTP/1.1\r\n", asked.method, if path.is_empty() { "/" } else { path });
            for (name, value) in &asked.headers {
                if name != "proxy-authorization" && name != "connection" {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
            }
            server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
            server.write_all(&asked.body)?;
        }
        wire.set_read_timeout(Some(TURN))?;
        server.set_read_timeout(Some(TURN))?;
        // In turns, since a TLS connection is one thing in both directions.
        let mut buffer = [0; 64 << 10];
        while !self.stop.load(Ordering::SeqCst) {
            match pass(&mut client, &mut server, &mut buffer)? {
                Some(0) => server.shutdown(Shutdown::Write)?,
                _ => client.flush()?,
            }
            if pass(&mut server, &mut client, &mut buffer)? == Some(0) {
                client.flush()?;
                return wire.shutdown(Shutdown::Both);
            }
        }
        Ok(())
    }
}

/// What is there to be read now: how many bytes, or nothing yet.
fn pass(from: &mut dyn Read, to: &mut dyn Write, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match from.read(buffer) {
        Ok(read) => to.write_all(&buffer[..read]).map(|()| Some(read)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(None),
        Err(error) => Err(error),
    }
}
