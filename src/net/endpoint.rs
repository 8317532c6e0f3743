//! Where a server is, as a URL says it.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use tungstenite::http::Uri;

/// A host and a port, whether the connection is encrypted, and the path that requests begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS, by the scheme: `https` or `wss`.
    pub tls: bool,
    /// Path without a slash at its end; empty for the root.
    pub path: String,
}

impl Endpoint {
    /// A plain connection to an address.
    pub fn tcp(addr: SocketAddr) -> Self {
        Self { host: addr.ip().to_string(), port: addr.port(), tls: false, path: String::new() }
    }

    /// The value of a `Host` header: the port only where it is not the scheme's own.
    pub fn authority(&self) -> String {
        let own = if self.tls { 443 } else { 80 };
        if self.port == own { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// This machine: nothing that is sent there leaves it.
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost" || bare.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }

    /// The same server under another path.
    pub fn at(&self, path: &str) -> Self {
        Self { path: format!("{}{path}", self.path), ..self.clone() }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is not a URL of a server: {why}");
        let uri: Uri = text.parse().map_err(|error| wrong(&format!("{error}")))?;
        let tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(wrong("it begins with http, https, ws or wss")),
        };
        if uri.query().is_some() {
            return Err(wrong("a query has no place in it"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("a URL of a server must not carry a user or password".to_owned());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("no host"))?;
        Ok(Self {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where() {
        let one: Endpoint = "wss://stream.example/v2/sip/".parse().unwrap();
        assert_eq!((one.port, one.tls, one.path.as_str()), (443, true, "/v2/sip"));
        assert_eq!(one.authority(), "stream.example");
        let two: Endpoint = "http://127.0.0.1:9100".parse().unwrap();
        assert_eq!((two.authority().as_str(), two.path.as_str()), ("127.0.0.1:9100", ""));
        assert!(two.is_loopback() && !one.is_loopback());
        assert!("http://[::1]:1".parse::<Endpoint>().unwrap().is_loopback());
        assert_eq!(two.at("/stream").to_string(), "http://127.0.0.1:9100/stream");
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in ["", "localhost", "ftp://a", "http://", "http://a/b?c=d", "http://u:p@host"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
        let error = "http://user:secret@host".parse::<Endpoint>().unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
