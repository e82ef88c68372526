//! A proxy on loopback, as companies have them: tunnels for https, whole addresses for http, and a password.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::server::{basic, read_request};

struct Shared {
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
        Self::start(None, names)
    }

    /// For who knows the password.
    #[must_use]
    pub fn guarded(user: &str, password: &str, names: &[(&str, SocketAddr)]) -> Self {
        Self::start(Some((user.to_owned(), password.to_owned())), names)
    }

    fn start(user: Option<(String, String)>, names: &[(&str, SocketAddr)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let names = names.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let shared = Arc::new(Shared { user, names, seen: Mutex::default(), stop: AtomicBool::new(false) });
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
        format!("http://{}", self.address)
    }

    /// The same with user and password in it, as it stands in `HTTPS_PROXY`.
    #[must_use]
    pub fn url_as(&self, user: &str, password: &str) -> String {
        format!("http://{user}:{password}@{}", self.address)
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
        let mut reader = BufReader::new(stream);
        let Some(asked) = read_request(&mut reader)? else { return Ok(()) };
        let line = format!("{} {}", asked.method, asked.target);
        let allowed = self
            .user
            .as_ref()
            .is_none_or(|(user, password)| asked.header("proxy-authorization") == Some(&basic(user, password)));
        let note = if allowed { line } else { format!("407 {line}") };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        let mut client = reader.into_inner();
        let refuse = |client: &mut TcpStream, status: &str, header: &str| {
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
        let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        std::thread::spawn(move || {
            let _ = io::copy(&mut from_client, &mut to_server);
            let _ = to_server.shutdown(Shutdown::Write);
        });
        let mut buffer = [0; 64 << 10];
        loop {
            let read = server.read(&mut buffer)?;
            if read == 0 {
                return client.shutdown(Shutdown::Both);
            }
            client.write_all(&buffer[..read])?;
        }
    }
}
