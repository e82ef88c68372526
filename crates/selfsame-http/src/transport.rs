//! Sockets that can be interrupted, and that do not let a server take forever.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use ureq::Timeout;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, RustlsConnector, Transport,
};

use crate::names::Names;
use crate::patience::Patience;
use crate::stop::{Cancel, Stop};

/// How long a wait may go on before it is asked whether it still should.
const SLICE: Duration = Duration::from_millis(200);

const MUCH_BYTES: u64 = 64 << 10;

/// What may come in one read of a body, and before it. A server can send trailers without end, and a proxy a head, which
/// nobody above would ever see.
const READ_BYTES: u64 = 16 << 20;

thread_local! {
    /// What may still come in the call that this thread is in. ureq and rustls lie between who reads and the socket.
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Does a request up to its body, or a read of that, which ends where far more comes than it can be for.
pub(crate) fn not_flooded<R>(read: impl FnOnce() -> R) -> R {
    LEFT.set(READ_BYTES);
    let result = read();
    LEFT.set(u64::MAX);
    result
}

/// Opens sockets.
#[derive(Clone, Debug)]
pub(crate) struct Tcp {
    pub(crate) patience: Patience,
    pub(crate) cancel: Cancel,
}

impl<In: Transport> Connector<In> for Tcp {
    type Out = Either<In, Socket>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        // A proxy's tunnel, which is open already.
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let addresses: Vec<SocketAddr> = details.addrs.iter().copied().collect();
        self.open(&addresses, details).map(|socket| Some(Either::B(socket)))
    }
}

impl Tcp {
    pub(crate) fn open(
        &self,
        addresses: &[SocketAddr],
        details: &ConnectionDetails<'_>,
    ) -> Result<Socket, ureq::Error> {
        let begun = Instant::now();
        let mut last = ureq::Error::ConnectionFailed;
        for (index, address) in addresses.iter().enumerate() {
            let left = self.patience.connect.saturating_sub(begun.elapsed());
            let share = if index + 1 == addresses.len() { left } else { left / 2 };
            match connect(*address, share, &self.cancel) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    let config = details.config;
                    let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
                    let (patience, cancel) = (self.patience, self.cancel.clone());
                    stream.set_read_timeout(Some(SLICE))?;
                    stream.set_write_timeout(Some(SLICE))?;
                    let (reading, writing) = (Pace::default(), Pace::default());
                    let wire = Wire { stream, patience, cancel, reading, writing, sent_bytes: 0 };
                    return Ok(Socket { wire, buffers });
                }
                Err(error) => last = ureq::Error::Io(error),
            }
            self.cancel.check()?;
        }
        Err(last)
    }
}

/// Connects without blocking, so that it can be interrupted.
fn connect(address: SocketAddr, patience: Duration, cancel: &Cancel) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket: OwnedFd = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => {}
        Err(rustix::io::Errno::INPROGRESS) => {
            let begun = Instant::now();
            loop {
                cancel.check().map_err(io::Error::other)?;
                let slice = Timespec { tv_sec: 0, tv_nsec: i64::from(SLICE.subsec_nanos()) };
                match poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&slice)) {
                    Ok(0) if begun.elapsed() >= patience => return Err(io::ErrorKind::TimedOut.into()),
                    Ok(0) | Err(rustix::io::Errno::INTR) => {}
                    Ok(_) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            sockopt::socket_error(&socket)??;
        }
        Err(error) => return Err(error.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// How fast it goes in one direction, by the time that is spent waiting.
#[derive(Debug, Default)]
struct Pace {
    /// Whether something has come at all: until then only silence counts, since a server may have to think.
    moving: bool,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    fn moved(&mut self, bytes: usize, waited: Duration, patience: &Patience) -> Result<(), Stop> {
        if self.moving {
            self.waited += waited;
        }
        self.moving = true;
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.waited < patience.window {
            return Ok(());
        }
        if self.bytes < patience.window_bytes {
            return Err(Stop::TooSlow { bytes: patience.window_bytes, seconds: patience.window.as_secs() });
        }
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        Ok(())
    }
}

/// A connection.
pub(crate) struct Socket {
    pub(crate) wire: Wire,
    buffers: LazyBuffers,
}

pub(crate) struct Wire {
    stream: TcpStream,
    patience: Patience,
    cancel: Cancel,
    reading: Pace,
    writing: Pace,
    /// Since something was last read.
    sent_bytes: u64,
}

impl Wire {
    pub(crate) fn send(&mut self, mut bytes: &[u8], timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.reading = Pace::default();
        self.sent_bytes = self.sent_bytes.saturating_add(bytes.len() as u64);
        while !bytes.is_empty() {
            let (moved, waited) = self.wait(self.patience.silence, timeout, |mut stream| stream.write(bytes))?;
            if moved == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            self.writing.moved(moved, waited, &self.patience)?;
            bytes = &bytes[moved..];
        }
        Ok(())
    }

    pub(crate) fn receive(&mut self, buffer: &mut [u8], timeout: NextTimeout) -> Result<usize, ureq::Error> {
        self.writing = Pace::default();
        // Whoever was given much may have much to do before there is an answer.
        let silence = if self.sent_bytes > MUCH_BYTES { self.patience.digestion } else { self.patience.silence };
        let (moved, waited) = self.wait(silence, timeout, |mut stream| stream.read(buffer))?;
        self.sent_bytes = 0;
        let left = LEFT.get().checked_sub(moved as u64).ok_or(Stop::Flood { bytes: READ_BYTES })?;
        LEFT.set(left);
        self.reading.moved(moved, waited, &self.patience)?;
        Ok(moved)
    }

    /// Repeats a call that waits for at most [`SLICE`] until it moves something.
    fn wait(
        &self,
        silence: Duration,
        timeout: NextTimeout,
        mut call: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Result<(usize, Duration), ureq::Error> {
        let begun = Instant::now();
        let (limit, reason) = match timeout.after {
            left if *left < silence => (*left, timeout.reason),
            _ => (silence, Timeout::PerRead),
        };
        loop {
            self.cancel.check()?;
            match call(&self.stream) {
                Ok(moved) => return Ok((moved, begun.elapsed())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if begun.elapsed() >= limit {
                        return Err(ureq::Error::Timeout(reason));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.wire.send(&self.buffers.output()[..amount], timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let moved = self.wire.receive(self.buffers.input_append_buf(), timeout)?;
        self.buffers.input_appended(moved);
        Ok(moved > 0)
    }

    fn is_open(&mut self) -> bool {
        let probe = || -> io::Result<bool> {
            let mut stream = &self.wire.stream;
            stream.set_nonblocking(true)?;
            // Nothing was asked, so nothing should be there to read, not even an end.
            let quiet = match stream.read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
                Ok(_) | Err(_) => false,
            };
            stream.set_nonblocking(false)?;
            Ok(quiet)
        };
        probe().unwrap_or(false)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

/// `http` through a proxy, as every proxy of old knows it: the whole address stands in the request's first line. Many
/// proxies open tunnels to port 443 alone.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) tcp: Tcp,
    pub(crate) tls: RustlsConnector,
    pub(crate) names: Arc<Names>,
    /// `http://host:port/` or `https://host:port/`; nothing where requests go elsewhere than to a proxy of this kind.
    pub(crate) proxy: Option<ureq::http::Uri>,
}

impl<In: Transport> Connector<In> for Forward {
    type Out = Either<In, Forwarded>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let https = proxy.scheme_str() == Some("https");
        let port = proxy.port_u16().unwrap_or(if https { 443 } else { 80 });
        let addresses = self.names.lookup(proxy.host().unwrap_or_default())?;
        let addresses: Vec<SocketAddr> = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        let socket = self.tcp.open(&addresses, details)?;
        let to_proxy = ConnectionDetails {
            uri: proxy,
            addrs: details.resolver.empty(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        let inner = self.tls.connect(&to_proxy, Some(socket))?.ok_or(ureq::Error::ConnectionFailed)?;
        let authority = details.uri.authority().map(ToString::to_string).unwrap_or_default();
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        let inner: Box<dyn Transport> = Box::new(inner);
        Ok(Some(Either::B(Forwarded { inner, buffers, prefix: Some(format!("http://{authority}")) })))
    }
}

/// A connection to a forwarding proxy, for one request.
#[derive(Debug)]
pub(crate) struct Forwarded {
    inner: Box<dyn Transport>,
    buffers: LazyBuffers,
    /// What is to be put before the path in the first line, until that is done.
    prefix: Option<String>,
}

impl Transport for Forwarded {
    fn buffers(&mut self) -> &mut dyn Buffers {
        // What is read is the inner one's; what is written goes through ours until the first line is done.
        if self.prefix.is_some() { &mut self.buffers } else { self.inner.buffers() }
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let Some(prefix) = self.prefix.take() else { return self.inner.transmit_output(amount, timeout) };
        let head = self.buffers.output()[..amount].to_vec();
        let method = head.iter().position(|byte| *byte == b' ').map_or(0, |space| space + 1);
        let whole = [&head[..method], prefix.as_bytes(), &head[method..]].concat();
        let mut rest = whole.as_slice();
        while !rest.is_empty() {
            let output = self.inner.buffers().output();
            let part = rest.len().min(output.len());
            if part == 0 {
                return Err(ureq::Error::ConnectionFailed);
            }
            output[..part].copy_from_slice(&rest[..part]);
            self.inner.transmit_output(part, timeout)?;
            rest = &rest[part..];
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        // The next request would be for another first line.
        false
    }
}
