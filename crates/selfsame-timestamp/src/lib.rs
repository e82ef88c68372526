//! Time stamps of RFC 3161: an authority's word that it saw a signature, and when.
//!
//! Opens no file and no socket, asks no clock and draws no random number: requests and responses are bytes, a nonce is an
//! argument. Nothing here decides which authority is trusted.
//!
//! ```text
//! signature -> Request -> (the authority) -> Token::parse -> Token::verify(Authority, signature) -> Stamp
//! ```
//!
//! Read is the part of CMS (RFC 5652) and X.509 (RFC 5280) that time stamps need, in DER, with ECDSA over P-256 and P-384:
//! docs/timestamp/v1.md.
#![forbid(unsafe_code)]

mod algorithm;
mod asn1;
mod time;

pub mod authority;
pub mod certificate;
pub mod request;
pub mod token;

pub use asn1::Malformed;
pub use authority::{Authority, AuthorityError};
pub use certificate::{Certificate, CertificateError};
pub use request::Request;
pub use token::{Stamp, Token, TokenError};
