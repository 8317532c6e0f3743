//! How this wire says no.

use serde_json::{Map, Value, json};

/// A refusal: HTTP status and body. A body without `code` is no answer about an order.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// `code`, where the venue gives one.
    pub code: Option<u32>,
    /// `message`.
    pub message: String,
    /// Further fields of the body.
    pub extras: Map<String, Value>,
}

impl ApiError {
    /// With the general code of its status.
    pub fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code: Some(code), message: message.into(), extras: Map::new() }
    }
    /// 422 with 42210000: what was asked cannot be.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, 42_210_000, message)
    }
    /// 422 with 40010001: a field is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(422, 40_010_001, message)
    }
    /// 403 with 40310000: what was asked may not be.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, 40_310_000, message)
    }
    /// 404 with 40410000.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, 40_410_000, message)
    }
    /// 401, without a code.
    pub fn unauthorized() -> Self {
        Self::bare(401, "unauthorized.")
    }
    /// 404 of a path that there is not.
    pub fn no_endpoint() -> Self {
        Self::bare(404, "endpoint not found")
    }
    /// Without a code.
    pub fn bare(status: u16, message: &str) -> Self {
        Self { status, code: None, message: message.to_owned(), extras: Map::new() }
    }
    /// With a further field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.extras.insert(field.to_owned(), value.into());
        self
    }

    /// As it stands on the wire.
    pub fn body(&self) -> Value {
        let mut body = json!({});
        if let Value::Object(fields) = &mut body {
            if let Some(code) = self.code {
                fields.insert("code".to_owned(), code.into());
            }
            fields.insert("message".to_owned(), self.message.clone().into());
            fields.extend(self.extras.clone());
        }
        body
    }

    /// As a client reads it. A body that is no such JSON (a proxy's page) gives no code, and the
    /// text's beginning as message.
    pub fn read(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(mut fields)) => {
                let code = fields.remove("code").and_then(|code| code.as_u64());
                let message = fields.remove("message");
                let message = message.and_then(|text| text.as_str().map(str::to_owned));
                Self {
                    status,
                    code: code.and_then(|code| u32::try_from(code).ok()),
                    message: message.unwrap_or_default(),
                    extras: fields,
                }
            }
            _ => {
                let text: String = String::from_utf8_lossy(body).chars().take(120).collect();
                Self::bare(status, &text)
            }
        }
    }
}
