//! One WebSocket: messages to the backend, its frames back. Fragments are put together here; pings
//! are answered.

use super::runner::{Frame, Inlet};
use crate::alpaca::{Credentials, SocketId, Stream};
use actix_web::error::Error;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, CloseCode, CloseReason, Session};
use tokio::sync::mpsc::Receiver;

/// Largest message of a client, bytes.
const MAX_MESSAGE: usize = 1 << 20;

/// Answers the handshake, and leaves a task behind that serves the socket.
pub(super) fn open(
    request: &HttpRequest,
    payload: web::Payload,
    inlet: &Inlet,
    stream: Stream,
    credentials: Option<Credentials>,
) -> Result<HttpResponse, Error> {
    let (response, session, messages) = actix_ws::handle(request, payload)?;
    let messages = messages.max_frame_size(MAX_MESSAGE).aggregate_continuations();
    let messages = messages.max_continuation_size(MAX_MESSAGE);
    let Ok((id, frames)) = inlet.open(stream, credentials) else {
        return Ok(HttpResponse::TooManyRequests().finish());
    };
    let inlet = inlet.clone();
    actix_web::rt::spawn(async move {
        attend(session, messages, frames, id, &inlet).await;
        inlet.closed(id);
    });
    Ok(response)
}

async fn attend(
    mut session: Session,
    mut messages: actix_ws::AggregatedMessageStream,
    mut frames: Receiver<Frame>,
    id: SocketId,
    inlet: &Inlet,
) {
    let mut frozen = false;
    loop {
        tokio::select! {
            frame = frames.recv() => {
                let Some(frame) = frame else {
                    // The backend has let go of it: it read too slowly.
                    let reason = CloseReason { code: CloseCode::Policy, description: None };
                    let _ = session.close(Some(reason)).await;
                    return;
                };
                let sent = match frame {
                    _ if frozen => Ok(()),
                    Frame::Text(text) => session.text(text).await,
                    Frame::Binary(bytes) => session.binary(bytes).await,
                    Frame::Freeze => {
                        frozen = true;
                        Ok(())
                    }
                    Frame::Close => {
                        let _ = session.close(Some(CloseCode::Normal.into())).await;
                        return;
                    }
                };
                if sent.is_err() {
                    return;
                }
            }
            message = messages.recv() => {
                let put = match message {
                    Some(Ok(_)) if frozen => Ok(()),
                    Some(Ok(AggregatedMessage::Text(text))) => {
                        inlet.receive(id, text.as_bytes().to_vec())
                    }
                    Some(Ok(AggregatedMessage::Binary(bytes))) => inlet.receive(id, bytes.to_vec()),
                    Some(Ok(AggregatedMessage::Ping(bytes))) => {
                        if session.pong(&bytes).await.is_err() {
                            return;
                        }
                        Ok(())
                    }
                    Some(Ok(AggregatedMessage::Pong(_))) => Ok(()),
                    Some(Ok(AggregatedMessage::Close(reason))) => {
                        let _ = session.close(reason).await;
                        return;
                    }
                    Some(Err(_)) | None => return,
                };
                if put.is_err() {
                    let _ = session.close(Some(CloseCode::Again.into())).await;
                    return;
                }
            }
        }
    }
}
