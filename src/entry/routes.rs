//! The routes. A handler reads the request, then asks the gateway off the reactor.

use super::error::ApiError;
use super::gateway::{Gateway, OrderFilter, Refusal};
use super::order;
use crate::msg::ActionKind;
use crate::types::{AgentId, ClientOrderId, KillLevel, Scope};
use crate::view::{
    ActionRequest, Actors, AgentAction, Agents, ArmConfirm, ArmRequest, Fills, FlattenRequest,
    KillRequest, LimitRequest, NewOrderRequest, Orders, Positions, ReplaceOrderRequest,
};
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

/// Largest body taken, in bytes.
pub(super) const MAX_BODY: usize = 64 * 1024;

type Gate = Data<dyn Gateway>;
type Answer = Result<HttpResponse, ApiError>;

/// Adds every route and the shape of its errors.
pub(super) fn configure(app: &mut ServiceConfig) {
    let json = web::JsonConfig::default().limit(MAX_BODY);
    app.app_data(json.error_handler(|error, _| ApiError::from(error).into()))
        .app_data(web::PayloadConfig::new(MAX_BODY))
        .app_data(
            web::QueryConfig::default().error_handler(|error, _| ApiError::from(error).into()),
        )
        .route("/livez", web::get().to(livez))
        .route("/readyz", web::get().to(readyz))
        .route("/metrics", web::get().to(metrics))
        .route("/v1/status", web::get().to(status))
        .route("/v1/actors", web::get().to(actors))
        .route("/v1/orders", web::get().to(orders))
        .route("/v1/orders", web::post().to(place))
        .route("/v1/orders/{id}", web::delete().to(cancel))
        .route("/v1/orders/{id}/replace", web::post().to(replace))
        .route("/v1/fills", web::get().to(fills))
        .route("/v1/positions", web::get().to(positions))
        .route("/v1/limits", web::get().to(limits))
        .route("/v1/limits", web::post().to(set_limit))
        .route("/v1/limits/confirm", web::post().to(limit_confirm))
        .route("/v1/agents", web::get().to(agents))
        .route("/v1/agents/{name}/pause", web::post().to(pause))
        .route("/v1/agents/{name}/resume", web::post().to(resume))
        .route("/v1/flatten", web::post().to(flatten))
        .route("/v1/corporate-actions", web::post().to(corporate_action))
        .route("/v1/heartbeat", web::post().to(heartbeat))
        .route("/v1/kill", web::post().to(kill))
        .route("/v1/drill", web::post().to(drill))
        .route("/v1/arm", web::post().to(arm))
        .route("/v1/arm/confirm", web::post().to(arm_confirm))
        .default_service(web::to(no_such_route));
}

async fn no_such_route(request: HttpRequest) -> Answer {
    let message = format!("there is no {} {}", request.method(), request.path());
    Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", message))
}

/// Runs what may wait for the core on a thread that may wait.
async fn off_reactor<T: Send + 'static>(
    gateway: Gate,
    call: impl FnOnce(&dyn Gateway) -> T + Send + 'static,
) -> Result<T, ApiError> {
    web::block(move || call(gateway.get_ref()))
        .await
        .map_err(|_| ApiError::internal("the call ended early"))
}

async fn ask<T: Serialize + Send + 'static>(
    gateway: Gate,
    call: impl FnOnce(&dyn Gateway) -> Result<T, Refusal> + Send + 'static,
) -> Answer {
    let value = off_reactor(gateway, call).await??;
    Ok(HttpResponse::Ok().json(value))
}

fn scope(gateway: &Gate, text: &str) -> Result<Scope, ApiError> {
    gateway.names().scope(text).map_err(ApiError::invalid)
}

fn order_id(text: &str) -> Result<ClientOrderId, ApiError> {
    text.parse().map_err(|message: String| ApiError::invalid(message))
}

/// Who looks whether the gateway lives.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looker {
    #[serde(default)]
    watchdog: bool,
}

async fn livez(gateway: Gate, by: Query<Looker>) -> Answer {
    if by.watchdog {
        gateway.watched();
    }
    let liveness = gateway.liveness();
    let status = if liveness.live { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(HttpResponse::build(status).json(liveness))
}

async fn readyz(gateway: Gate) -> Answer {
    let readiness = off_reactor(gateway, |gateway| gateway.readiness()).await?;
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(HttpResponse::build(status).json(readiness))
}

async fn metrics(gateway: Gate) -> Answer {
    let text = off_reactor(gateway, |gateway| gateway.metrics()).await?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text))
}

async fn status(gateway: Gate) -> Answer {
    crate::live::inject("control");
    ask(gateway, |gateway| gateway.status()).await
}

async fn actors(gateway: Gate) -> Answer {
    ask(gateway, |gateway| gateway.actors().map(|actors| Actors { actors })).await
}

/// Which and how many rows of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    open: bool,
    #[serde(default = "most")]
    limit: usize,
}

const fn most() -> usize {
    1_000
}

async fn orders(gateway: Gate, list: Query<List>) -> Answer {
    let filter = OrderFilter { open: list.open, limit: list.limit };
    ask(gateway, move |gateway| gateway.orders(filter).map(|orders| Orders { orders })).await
}

async fn fills(gateway: Gate, list: Query<List>) -> Answer {
    let limit = list.limit;
    ask(gateway, move |gateway| gateway.fills(limit).map(|fills| Fills { fills })).await
}

async fn positions(gateway: Gate) -> Answer {
    ask(gateway, |gateway| gateway.positions().map(|positions| Positions { positions })).await
}

async fn limits(gateway: Gate) -> Answer {
    ask(gateway, |gateway| gateway.limits()).await
}

async fn set_limit(gateway: Gate, body: Json<LimitRequest>) -> Answer {
    let scope = scope(&gateway, &body.scope)?;
    ask(gateway, move |gateway| gateway.set_limit(scope, body.into_inner())).await
}

async fn limit_confirm(gateway: Gate, body: Json<ArmConfirm>) -> Answer {
    ask(gateway, move |gateway| gateway.limit_confirm(&body.challenge)).await
}

async fn agents(gateway: Gate) -> Answer {
    ask(gateway, |gateway| gateway.agents().map(|agents| Agents { agents })).await
}

async fn place(gateway: Gate, body: Json<NewOrderRequest>) -> Answer {
    let order = order::entry(&body, gateway.names()).map_err(ApiError::invalid)?;
    ask(gateway, move |gateway| gateway.place(order)).await
}

async fn cancel(gateway: Gate, id: Path<String>) -> Answer {
    let id = order_id(&id)?;
    ask(gateway, move |gateway| gateway.cancel(id)).await
}

async fn replace(gateway: Gate, id: Path<String>, body: Json<ReplaceOrderRequest>) -> Answer {
    let (id, change) = (order_id(&id)?, body.into_inner());
    if change == ReplaceOrderRequest::default() {
        return Err(ApiError::invalid("a replace needs `qty`, `price` or `stop_px`"));
    }
    if change.qty.is_some_and(|qty| !qty.is_positive()) {
        return Err(ApiError::invalid("`qty` must be above zero"));
    }
    ask(gateway, move |gateway| gateway.replace(id, change)).await
}

async fn flatten(gateway: Gate, body: Json<FlattenRequest>) -> Answer {
    let scope = scope(&gateway, &body.scope)?;
    ask(gateway, move |gateway| gateway.flatten(scope, &body.reason)).await
}

async fn corporate_action(gateway: Gate, body: Json<ActionRequest>) -> Answer {
    let ActionRequest { symbol, split, dividend, on, reason } = body.into_inner();
    if reason.trim().len() < 3 {
        return Err(ApiError::invalid("a reason of at least 3 characters is needed"));
    }
    let kind = match (split, dividend) {
        (Some(ratio), None) => {
            let parts = ratio.split_once(':').and_then(|(numerator, denominator)| {
                Some((numerator.trim().parse().ok()?, denominator.trim().parse().ok()?))
            });
            let (numerator, denominator) =
                parts.ok_or_else(|| ApiError::invalid("a split is written as `3:2`"))?;
            ActionKind::Split { numerator, denominator }
        }
        (None, Some(per_unit)) => ActionKind::CashDividend { per_unit },
        _ => return Err(ApiError::invalid("one of `split` and `dividend` is needed")),
    };
    let instrument = gateway.names().find_symbol(&symbol).map_err(Refusal::NotFound)?;
    ask(gateway, move |gateway| gateway.corporate_action(instrument, kind, on, &reason)).await
}

async fn heartbeat(gateway: Gate) -> Answer {
    ask(gateway, |gateway| gateway.heartbeat()).await
}

/// The latch is an atomic store in this very call; what takes time comes after it.
async fn kill(gateway: Gate, body: Json<KillRequest>) -> Answer {
    let KillRequest { scope: name, level, reason } = body.into_inner();
    if level == KillLevel::Normal {
        return Err(ApiError::invalid("a kill only raises: to lower a scope, use the arm"));
    }
    let scope = scope(&gateway, &name)?;
    gateway.latch(scope, level);
    ask(gateway, move |gateway| gateway.kill(scope, level, &reason)).await
}

/// A drill ends with the cancels: what trades or hangs up is no practice.
async fn drill(gateway: Gate, body: Json<KillRequest>) -> Answer {
    let KillRequest { scope: name, level, reason } = body.into_inner();
    if !(KillLevel::ReduceOnly..=KillLevel::Cancel).contains(&level) {
        return Err(ApiError::invalid("a drill is at level reduce_only, block or cancel"));
    }
    let scope = scope(&gateway, &name)?;
    ask(gateway, move |gateway| gateway.drill(scope, level, &reason)).await
}

async fn arm(gateway: Gate, body: Json<ArmRequest>) -> Answer {
    let scope = scope(&gateway, &body.scope)?;
    ask(gateway, move |gateway| gateway.arm(scope, &body.reason)).await
}

async fn arm_confirm(gateway: Gate, body: Json<ArmConfirm>) -> Answer {
    ask(gateway, move |gateway| gateway.arm_confirm(&body.challenge)).await
}

async fn pause(gateway: Gate, name: Path<String>) -> Answer {
    steer(gateway, &name, AgentAction::Pause).await
}

async fn resume(gateway: Gate, name: Path<String>) -> Answer {
    steer(gateway, &name, AgentAction::Resume).await
}

async fn steer(gateway: Gate, name: &str, action: AgentAction) -> Answer {
    let agent = gateway.names().find_agent(name).map_err(Refusal::NotFound)?;
    if agent.0 < AgentId::FIRST {
        return Err(ApiError::invalid(format!("`{name}` is no strategy: it cannot be paused")));
    }
    ask(gateway, move |gateway| gateway.steer(agent, action)).await
}
