//! Who may speak to the control API: a caller on this machine who can read the token file.
//!
//! The host check keeps out web pages that a browser was tricked into sending here; the token keeps
//! out other users.

use super::error::ApiError;
use crate::wiring::Secret;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use subtle::ConstantTimeEq;

/// What a request must show.
#[derive(Debug)]
pub(super) struct Guard {
    hosts: Vec<String>,
    token: Secret,
}

impl Guard {
    /// Accepts the loopback names with this port.
    pub fn new(port: u16, token: Secret) -> Self {
        let hosts = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
        Self { hosts: hosts.to_vec(), token }
    }

    fn check(&self, path: &str, headers: &HeaderMap) -> Result<(), ApiError> {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
        let known = |host: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        if !text(HOST).is_some_and(known) {
            return Err(forbidden("the Host header is not this gateway's address"));
        }
        if text(ORIGIN).is_some_and(|origin| !origin.strip_prefix("http://").is_some_and(known)) {
            return Err(forbidden("web pages of another origin may not call this gateway"));
        }
        if !path.starts_with("/v1/") {
            return Ok(());
        }
        let given = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let same = given.is_some_and(|given| {
            bool::from(given.as_bytes().ct_eq(self.token.expose().as_bytes()))
        });
        if same {
            Ok(())
        } else {
            let message =
                "the bearer token is missing or wrong: see the token file in the state folder";
            Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message))
        }
    }
}

fn forbidden(message: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "forbidden", message)
}

/// The guard as a middleware, in front of every route.
pub(super) async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(guard) = request.app_data::<web::Data<Guard>>() else {
        return Err(ApiError::internal("no guard").into());
    };
    match guard.check(request.path(), request.headers()) {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Err(error) => Ok(request.error_response(error).map_into_boxed_body()),
    }
}
