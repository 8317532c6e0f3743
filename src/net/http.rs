//! HTTP/1.1 of a client: requests to bytes, bytes to answers. One request after the other on a
//! connection that stays open (RFC 9112).

use std::fmt::Write;

/// Longest head of an answer.
const MAX_HEAD: usize = 64 << 10;
/// Longest body of an answer.
const MAX_BODY: usize = 32 << 20;
const MAX_HEADERS: usize = 64;

/// Why a connection is of no more use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// It does not speak HTTP/1.1.
    #[error("not an HTTP answer: {0}")]
    Malformed(String),
    /// An answer is larger than any that this client asks for.
    #[error("an answer of more than {0} bytes")]
    TooLarge(usize),
    /// The connection ended within an answer.
    #[error("the connection ended within an answer")]
    CutOff,
}

/// A method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes.
    Post,
    /// Changes.
    Patch,
    /// Takes away.
    Delete,
}

impl Method {
    /// As it stands in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// The body of a request.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// JSON.
    Json(&'a [u8]),
    /// Fields of a form, percent-encoded.
    Form(&'a [u8]),
}

/// Appends a request to `out`. `headers` are whole lines, each with its line end: the same for all
/// requests of a connection, so they are made once.
pub fn write_request(
    out: &mut Vec<u8>,
    method: Method,
    target: &str,
    headers: &str,
    body: Option<Body<'_>>,
) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    out.extend_from_slice(headers.as_bytes());
    let (kind, content) = match body {
        None => ("", &[][..]),
        Some(Body::Json(content)) => ("json", content),
        Some(Body::Form(content)) => ("x-www-form-urlencoded", content),
    };
    if body.is_some() {
        let mut length = String::with_capacity(64);
        // Writing to a String cannot fail.
        let _ = write!(
            length,
            "Content-Type: application/{kind}\r\nContent-Length: {}\r\n",
            content.len()
        );
        out.extend_from_slice(length.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(content);
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// Body, whole.
    pub body: Vec<u8>,
    /// The server ends the connection behind it.
    pub closes: bool,
}

impl Response {
    /// The first header of this name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }
}

/// How the body of an answer ends.
#[derive(Debug, Clone, Copy)]
enum Length {
    Known(usize),
    Chunked,
    UntilClose,
}

/// Finds answers in the bytes of a connection.
#[derive(Debug, Default)]
pub struct ResponseDecoder {
    bytes: Vec<u8>,
    /// Consumed of `bytes`.
    at: usize,
    head: Option<(Response, Length)>,
}

impl ResponseDecoder {
    /// Forgets everything: a new connection.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether bytes of an answer that is not whole were taken in.
    pub const fn is_empty(&self) -> bool {
        self.at == self.bytes.len() && self.head.is_none()
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole answer.
    ///
    /// # Errors
    /// [`HttpError`]: close the connection.
    pub fn next_response(&mut self) -> Result<Option<Response>, HttpError> {
        if self.head.is_none() && !self.read_head()? {
            return Ok(None);
        }
        let Some((_, length)) = self.head.as_ref() else { return Ok(None) };
        match *length {
            Length::Known(count) => {
                if self.bytes.len() - self.at < count {
                    return Ok(None);
                }
                let body = self.bytes[self.at..self.at + count].to_vec();
                self.at += count;
                Ok(self.done(body))
            }
            Length::Chunked => {
                let Some((body, used)) = read_chunks(&self.bytes[self.at..])? else {
                    return self.bounded();
                };
                self.at += used;
                Ok(self.done(body))
            }
            Length::UntilClose => self.bounded(),
        }
    }

    /// The connection ended: an answer whose length is its end is whole now.
    ///
    /// # Errors
    /// [`HttpError::CutOff`]: it ended within one.
    pub fn finish(&mut self) -> Result<Option<Response>, HttpError> {
        match self.head {
            None if self.at == self.bytes.len() => Ok(None),
            Some((_, Length::UntilClose)) => {
                let body = self.bytes.split_off(self.at);
                self.at = self.bytes.len();
                Ok(self.done(body))
            }
            _ => Err(HttpError::CutOff),
        }
    }

    fn bounded(&self) -> Result<Option<Response>, HttpError> {
        // Chunks carry lengths of their own, at most as long again.
        let over = self.bytes.len() - self.at > 2 * MAX_BODY;
        if over { Err(HttpError::TooLarge(MAX_BODY)) } else { Ok(None) }
    }

    fn done(&mut self, body: Vec<u8>) -> Option<Response> {
        let (mut response, _) = self.head.take()?;
        response.body = body;
        Some(response)
    }

    fn read_head(&mut self) -> Result<bool, HttpError> {
        let malformed = |why: &dyn std::fmt::Display| HttpError::Malformed(why.to_string());
        loop {
            let bytes = &self.bytes[self.at..];
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut parsed = httparse::Response::new(&mut headers);
            let used = match parsed.parse(bytes).map_err(|error| malformed(&error))? {
                httparse::Status::Complete(used) => used,
                httparse::Status::Partial if bytes.len() > MAX_HEAD => {
                    return Err(HttpError::TooLarge(MAX_HEAD));
                }
                httparse::Status::Partial => return Ok(false),
            };
            let status = parsed.code.unwrap_or_default();
            self.at += used;
            // 100 and 103 only announce an answer; 101 has no place here.
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            if status < 200 {
                return Err(malformed(&"a status below 200"));
            }
            let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
            let headers: Vec<(String, String)> = parsed
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), text(header.value)))
                .collect();
            let old = parsed.version == Some(0);
            let response = Response { status, headers, body: Vec::new(), closes: false };
            let length = length_of(&response)?;
            let said = response.header("connection").unwrap_or_default();
            let closes = said.eq_ignore_ascii_case("close")
                || matches!(length, Length::UntilClose)
                || (old && !said.eq_ignore_ascii_case("keep-alive"));
            self.head = Some((Response { closes, ..response }, length));
            return Ok(true);
        }
    }
}

fn length_of(response: &Response) -> Result<Length, HttpError> {
    if response.status == 204 || response.status == 304 {
        return Ok(Length::Known(0));
    }
    if let Some(coding) = response.header("transfer-encoding") {
        return if coding.eq_ignore_ascii_case("chunked") {
            Ok(Length::Chunked)
        } else {
            Err(HttpError::Malformed(format!("transfer coding `{coding}`")))
        };
    }
    let mut lengths = response
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value);
    let Some(first) = lengths.next() else { return Ok(Length::UntilClose) };
    // Two lengths would let a server say where the next answer begins in two ways.
    if lengths.any(|other| other != first) {
        return Err(HttpError::Malformed("two lengths".to_owned()));
    }
    let digits = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    match first.parse::<usize>() {
        Ok(count) if digits && count <= MAX_BODY => Ok(Length::Known(count)),
        Ok(_) if digits => Err(HttpError::TooLarge(MAX_BODY)),
        _ => Err(HttpError::Malformed(format!("length `{first}`"))),
    }
}

/// The body of these chunks and the bytes they take, if the last one is there.
fn read_chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, HttpError> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let size = httparse::parse_chunk_size(&bytes[at..])
            .map_err(|_| HttpError::Malformed("a chunk without a size".to_owned()))?;
        let httparse::Status::Complete((used, size)) = size else { return Ok(None) };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > MAX_BODY - body.len() {
            return Err(HttpError::TooLarge(MAX_BODY));
        }
        at += used;
        if size == 0 {
            // Trailers up to an empty line; nobody here reads them.
            loop {
                let Some(end) = bytes[at..].windows(2).position(|pair| pair == b"\r\n") else {
                    return Ok(None);
                };
                at += end + 2;
                if end == 0 {
                    return Ok(Some((body, at)));
                }
            }
        }
        if bytes.len() - at < size + 2 {
            return Ok(None);
        }
        body.extend_from_slice(&bytes[at..at + size]);
        if &bytes[at + size..at + size + 2] != b"\r\n" {
            return Err(HttpError::Malformed("a chunk longer than its size".to_owned()));
        }
        at += size + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8], step: usize) -> Result<Vec<Response>, HttpError> {
        let (mut decoder, mut found) = (ResponseDecoder::default(), Vec::new());
        for part in bytes.chunks(step) {
            decoder.push(part);
            while let Some(response) = decoder.next_response()? {
                found.push(response);
            }
        }
        found.extend(decoder.finish()?);
        Ok(found)
    }

    const THREE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\n{}\
        HTTP/1.1 204 No Content\r\n\r\n\
        HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n";

    #[test]
    fn however_the_bytes_are_cut_the_answers_are_the_same() {
        for step in 1..THREE.len() {
            let found = all(THREE, step).unwrap();
            let said: Vec<_> = found.iter().map(|one| (one.status, one.body.as_slice())).collect();
            assert_eq!(said, [(200, &b"{}"[..]), (204, b""), (403, b"abcde")], "{step}");
            assert_eq!(found[0].header("x-a"), Some("b"));
        }
    }

    #[test]
    fn an_answer_may_end_with_its_connection() {
        let found = all(b"HTTP/1.0 200 OK\r\n\r\nrest", 3).unwrap();
        assert_eq!((found[0].body.as_slice(), found[0].closes), (&b"rest"[..], true));
        assert_eq!(all(&THREE[..THREE.len() - 3], 7), Err(HttpError::CutOff));
        assert_eq!(all(b"HTTP/1.1 200 OK\r\nContent-Le", 7), Err(HttpError::CutOff));
    }

    #[test]
    fn what_is_no_answer_ends_the_connection() {
        for bytes in [
            &b"<html>502</html>"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        ] {
            assert!(all(bytes, bytes.len()).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, at in 0usize..200, step in 1usize..50) {
            let mut mixed = THREE.to_vec();
            let at = at.min(mixed.len());
            mixed.splice(at..at, bytes);
            let _ = all(&mixed, step);
        }
    }

    #[test]
    fn a_request_is_what_it_says() {
        let mut out = Vec::new();
        write_request(&mut out, Method::Post, "/v2/orders", "Host: a\r\n", Some(Body::Json(b"{}")));
        let text = String::from_utf8(out).unwrap();
        let expected = "POST /v2/orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
            Content-Length: 2\r\n\r\n{}";
        assert_eq!(text, expected);
    }
}
