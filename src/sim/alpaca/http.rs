//! HTTP of a server: requests from bytes, answers to bytes.

use crate::alpaca::{Credentials, Method, Params, Reply, Request, decode_percent};

/// A whole request.
#[derive(Debug)]
pub struct Asked {
    /// What it asks for.
    pub request: Request,
    /// The key of a WebSocket handshake, if it is one.
    pub handshake: Option<String>,
}

/// Takes the next whole request off the front of `bytes`.
///
/// # Errors
/// Why the bytes are no request.
pub fn take_request(bytes: &mut Vec<u8>) -> Result<Option<Asked>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes).map_err(|error| error.to_string())? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let header = |name: &str| {
        let found = head.headers.iter().find(|one| one.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::to_owned)
    };
    let body = header("content-length").map_or(Ok(0), |text| text.parse::<usize>());
    let end = length + body.map_err(|error| error.to_string())?;
    if bytes.len() < end {
        return Ok(None);
    }
    let method = match head.method {
        Some("GET") => Method::Get,
        Some("POST") => Method::Post,
        Some("PATCH") => Method::Patch,
        Some("DELETE") => Method::Delete,
        other => return Err(format!("method {other:?}")),
    };
    let target = head.path.unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let credentials = header("apca-api-key-id")
        .zip(header("apca-api-secret-key"))
        .map(|(key, secret)| Credentials::Key(key, secret));
    let request = Request {
        method,
        path: decode_percent(path),
        query: Params::read(query),
        body: bytes[length..end].to_vec(),
        credentials,
    };
    let asked = Asked { request, handshake: header("sec-websocket-key") };
    bytes.drain(..end);
    Ok(Some(asked))
}

/// The bytes of an answer, its body in chunks where that is asked for.
pub fn write_reply(reply: &Reply, closes: bool, chunks: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} Answer\r\nX-Request-ID: sim\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if closes {
        head += "Connection: close\r\n";
    }
    let body = reply.body.as_ref().map(|body| body.to_string().into_bytes());
    finish(head, "application/json; charset=UTF-8", body.as_deref(), chunks)
}

/// What a proxy answers in the broker's place.
pub fn write_page(status: u16) -> Vec<u8> {
    let body = format!("<html><head><title>{status}</title></head><body>proxy</body></html>\r\n");
    let head = format!("HTTP/1.1 {status} Bad Gateway\r\nServer: proxy\r\n");
    finish(head, "text/html", Some(body.as_bytes()), false)
}

fn finish(mut head: String, kind: &str, body: Option<&[u8]>, chunks: bool) -> Vec<u8> {
    let Some(body) = body else {
        head += "\r\n";
        return head.into_bytes();
    };
    head += &format!("Content-Type: {kind}\r\n");
    if !chunks {
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        return bytes;
    }
    head += "Transfer-Encoding: chunked\r\n\r\n";
    let mut bytes = head.into_bytes();
    for chunk in body.chunks(700) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}
