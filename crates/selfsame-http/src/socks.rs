//! SOCKS 5 (RFC 1928, 1929): what `ssh -D` and some companies have for a proxy.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ureq::unversioned::transport::{ConnectionDetails, Connector};

use crate::names::Names;
use crate::proxy::Proxy;
use crate::stop::Stop;
use crate::transport::{Socket, Tcp};

/// Opens tunnels through a SOCKS proxy, which resolves the names.
#[derive(Debug)]
pub(crate) struct Socks {
    pub(crate) tcp: Tcp,
    pub(crate) names: Arc<Names>,
    /// Nothing where the way is another.
    pub(crate) proxy: Option<Proxy>,
}

impl Connector<()> for Socks {
    type Out = Socket;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let addresses = self.names.lookup(&proxy.host)?;
        let addresses: Vec<SocketAddr> = addresses.into_iter().map(|ip| SocketAddr::new(ip, proxy.port)).collect();
        let mut tunnel = Tunnel { socket: self.tcp.open(&addresses, details)?, details };
        tunnel.greet(proxy)?;
        let host = details.uri.host().ok_or(ureq::Error::HostNotFound)?;
        let port = details.uri.port_u16().unwrap_or(if details.needs_tls() { 443 } else { 80 });
        tunnel.open(host, port)?;
        Ok(Some(tunnel.socket))
    }
}

struct Tunnel<'a, 'd> {
    socket: Socket,
    details: &'a ConnectionDetails<'d>,
}

impl Tunnel<'_, '_> {
    fn greet(&mut self, proxy: &Proxy) -> Result<(), ureq::Error> {
        let refused = Stop::Socks { message: "it takes no such user and password" };
        let Some((user, password)) = &proxy.user else {
            self.send(&[5, 1, 0])?;
            return if self.receive()? == [5, 0] { Ok(()) } else { Err(refused.into()) };
        };
        self.send(&[5, 2, 0, 2])?;
        match self.receive()? {
            [5, 0] => Ok(()),
            [5, 2] => {
                let length = |text: &str| u8::try_from(text.len()).map_err(|_| refused.clone());
                let user_length = [1, length(user)?];
                let password_length = [length(password)?];
                self.send(&[&user_length, user.as_bytes(), &password_length, password.as_bytes()].concat())?;
                let [_, status] = self.receive()?;
                if status == 0 { Ok(()) } else { Err(refused.into()) }
            }
            _ => Err(refused.into()),
        }
    }

    fn open(&mut self, host: &str, port: u16) -> Result<(), ureq::Error> {
        let too_long = Stop::Socks { message: "the name is too long for it" };
        let place = match host.trim_matches(['[', ']']).parse() {
            Ok(IpAddr::V4(address)) => [&[1], address.octets().as_slice()].concat(),
            Ok(IpAddr::V6(address)) => [&[4], address.octets().as_slice()].concat(),
            Err(_) => {
                let length = u8::try_from(host.len()).map_err(|_| too_long)?;
                [&[3, length], host.as_bytes()].concat()
            }
        };
        self.send(&[&[5, 1, 0], place.as_slice(), &port.to_be_bytes()].concat())?;
        let [version, status, _, kind] = self.receive()?;
        let message = match (version, status) {
            (5, 0) => None,
            (5, 2) => Some("it does not allow this"),
            (5, 3..=6) => Some("it cannot reach this"),
            _ => Some("it does not answer as SOCKS 5 has it"),
        };
        if let Some(message) = message {
            return Err(match status {
                // The other side may be there another time.
                3..=6 => std::io::Error::other(format!("the proxy says: {message}")).into(),
                _ => Stop::Socks { message }.into(),
            });
        }
        // From where it connected, which nobody needs.
        match kind {
            1 => self.receive::<6>().map(drop),
            4 => self.receive::<18>().map(drop),
            3 => {
                let [length] = self.receive()?;
                for _ in 0..usize::from(length) + 2 {
                    self.receive::<1>()?;
                }
                Ok(())
            }
            _ => Err(Stop::Socks { message: "it does not answer as SOCKS 5 has it" }.into()),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), ureq::Error> {
        self.socket.wire.send(bytes, self.details.timeout)
    }

    /// So many bytes and not one more: what follows is for others.
    fn receive<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], ureq::Error> {
        let mut bytes = [0; COUNT];
        let mut filled = 0;
        while filled < COUNT {
            match self.socket.wire.receive(&mut bytes[filled..], self.details.timeout)? {
                0 => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
                received => filled += received,
            }
        }
        Ok(bytes)
    }
}
