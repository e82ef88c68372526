//! Tokens for a registry, from the server that it names (docker's token authentication specification).

use std::io::Read;

use selfsame_http::{Body, Client, Credential, Method, Request, Response};
use serde::Deserialize;

use crate::address::{Address, escape};
use crate::challenge::Challenge;
use crate::scope::Scope;
use crate::{Login, RegistryError};

/// The longest answer that is read; tokens are some kilobytes.
const ANSWER_BYTES: u64 = 1 << 20;
/// Whom a token is for, as the specification wants it said.
const CLIENT: &str = "selfsame";

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

/// Asks the challenge's realm for a token for `scope`: as `login`, or as nobody.
///
/// The realm is https. It may be http where the registry itself is: on the same host, or both on this machine.
pub(crate) fn fetch(
    client: &Client,
    registry: &Address,
    challenge: &Challenge,
    scope: &Scope,
    login: Option<&Login>,
) -> Result<Credential, RegistryError> {
    let host = registry.host.to_string();
    let realm = challenge.parameter("realm").unwrap_or_default();
    let realm = Address::parse(realm).ok_or_else(|| RegistryError::Token {
        host: host.clone(),
        realm: realm
            .split(['?', '#'])
            .next()
            .unwrap_or_default()
            .chars()
            .take(200)
            .flat_map(char::escape_debug)
            .collect(),
        fault: "is not an address".to_owned(),
        may_pass: false,
    })?;
    let told = format!("{}{}", realm.origin(), realm.path.split('?').next().unwrap_or_default());
    let failed =
        |fault: String, may_pass| RegistryError::Token { host: host.clone(), realm: told.clone(), fault, may_pass };
    let both_here = realm.host.is_loopback() && registry.host.is_loopback();
    if !realm.https && (registry.https || !(both_here || realm.host == registry.host)) {
        return Err(failed("is not https".to_owned(), false));
    }
    if realm.host.is_loopback() && !both_here {
        return Err(failed("is on this machine, where the registry is not".to_owned(), false));
    }
    let mut scopes = scope.lines();
    // What the registry itself asks for may be spelled otherwise, where it stores a repository under another name.
    scopes.extend(challenge.parameter("scope").map(str::to_owned).filter(|line| !scopes.contains(line)));
    let service = challenge.parameter("service");

    let response = match login {
        Some(Login::Identity(secret)) => exchange(client, &realm, service, &scopes, secret),
        login => simple(client, &realm, service, &scopes, login),
    };
    let mut response = response.map_err(|error| failed(format!("cannot be asked: {error}"), error.retry_may_help()))?;
    match response.status {
        200 => {}
        status @ (401 | 403) => {
            return Err(RegistryError::Refused {
                host: host.clone(),
                what: format!("a token of {told}"),
                status,
                said: String::new(),
                as_somebody: login.is_some(),
            });
        }
        status => return Err(failed(format!("answered with status {status}"), status == 429 || status >= 500)),
    }
    let mut bytes = Vec::new();
    let read = response.by_ref().take(ANSWER_BYTES).read_to_end(&mut bytes);
    read.map_err(|_| failed("broke off its answer".to_owned(), true))?;
    // serde's own words may repeat a value, and the values are secrets.
    let answer: Answer =
        serde_json::from_slice(&bytes).map_err(|_| failed("gave an answer that is not read".to_owned(), false))?;
    let token = [answer.token, answer.access_token].into_iter().find(|token| !token.is_empty());
    match token {
        Some(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Credential::Bearer(token)),
        Some(_) => Err(failed("gave a token that cannot stand in a header".to_owned(), false)),
        None => Err(failed("gave no token".to_owned(), false)),
    }
}

/// GET, with a password if there is one.
fn simple(
    client: &Client,
    realm: &Address,
    service: Option<&str>,
    scopes: &[String],
    login: Option<&Login>,
) -> Result<Response, selfsame_http::HttpError> {
    let mut address = realm.clone();
    if let Some(service) = service {
        address = address.with_parameter("service", service);
    }
    for scope in scopes {
        address = address.with_parameter("scope", scope);
    }
    let mut credential = None;
    if let Some(Login::Password { user, password }) = login {
        address = address.with_parameter("account", user);
        credential = Some(Credential::Basic { user: user.clone(), password: password.clone() });
    }
    let url = address.to_string();
    let mut request = Request::get(&url);
    request.credential = credential;
    request.limit_bytes = ANSWER_BYTES;
    request.plain_http = !realm.https;
    client.send(&request)
}

/// POST, with an identity token. No redirect is followed: the secret is in the body.
fn exchange(
    client: &Client,
    realm: &Address,
    service: Option<&str>,
    scopes: &[String],
    secret: &str,
) -> Result<Response, selfsame_http::HttpError> {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT),
        ("service", service.unwrap_or_default()),
        ("scope", &scopes.join(" ")),
        ("refresh_token", secret),
    ];
    let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    let form = form.join("&");
    let url = realm.to_string();
    let mut request = Request::new(Method::Post, &url).header("Content-Type", "application/x-www-form-urlencoded");
    request.body = Body::Bytes(form.as_bytes());
    request.limit_bytes = ANSWER_BYTES;
    request.plain_http = !realm.https;
    request.follow = false;
    client.send(&request)
}
