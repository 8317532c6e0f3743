//! What an answer with a status other than 2xx means (codes and messages:
//! `docs/alpaca-broker.md`).

use crate::alpaca::ApiError;
use crate::types::Reason;

/// What an answer says of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The broker refused this request.
    Refused(Reason),
    /// It does not know these credentials (any more).
    Unauthorized,
    /// Too many requests; nothing is said of this one.
    Throttled,
    /// Nothing is said of this one: a server between us and the broker, or one that failed.
    Unknown,
}

/// Reads a refusal. A 4xx with a number is the broker's word on the request; 401, 429, 5xx and
/// what has no number are not.
pub(super) fn read(error: &ApiError) -> Answer {
    match (error.status, error.code) {
        (401, _) | (403, Some(40_110_000)) => Answer::Unauthorized,
        (403, None) if error.message.starts_with("forbidden") => Answer::Unauthorized,
        (429, _) => Answer::Throttled,
        // A server that waited too long, or was asked too early: whatever number it gives.
        (408 | 425, _) => Answer::Unknown,
        (400..=499, Some(code)) => Answer::Refused(reason(code, &error.message)),
        _ => Answer::Unknown,
    }
}

/// The closed reason of a code and its message. Codes are few and general, so the words decide; words
/// that this build does not know are `broker_other`, and stand in the log.
fn reason(code: u32, message: &str) -> Reason {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["wash trade"]) {
        return Reason::BrokerWashTrade;
    }
    if says(&["insufficient qty"]) {
        return Reason::BrokerQty;
    }
    if says(&["insufficient", "buying power", "cost basis", "day trading"]) {
        return Reason::BrokerFunds;
    }
    if says(&["client_order_id must be unique"]) {
        return Reason::BrokerDuplicate;
    }
    if says(&["isn't sent to exchange yet", "pending"]) {
        return Reason::BrokerNotReady;
    }
    if says(&["already in", "not open", "cannot be cancel", "order is not cancelable"]) {
        return Reason::BrokerTooLate;
    }
    let unsupported = [
        "not allowed to short",
        "not fractionable",
        "fractional",
        "is not active",
        "asset",
        "time_in_force",
        "extended hours",
        "order_class",
        "order type",
        "not tradable",
    ];
    match code {
        40_410_000 if says(&["order not found"]) => Reason::UnknownOrder,
        _ if says(&unsupported) => Reason::BrokerUnsupported,
        40_010_000..=40_019_999 | 42_210_000..=42_219_999 => Reason::InvalidOrder,
        _ => Reason::BrokerOther,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(status: u16, code: u32, message: &str) -> Answer {
        read(&ApiError::new(status, code, message))
    }

    #[test]
    fn each_documented_refusal_has_its_reason() {
        use Reason::*;
        for (status, code, message, reason) in [
            (403, 40_310_000, "insufficient buying power", BrokerFunds),
            (
                403,
                40_310_000,
                "insufficient balance for ETH (requested: 1, available: 0)",
                BrokerFunds,
            ),
            (403, 40_310_000, "cost basis must be >= minimal amount of order 10", BrokerFunds),
            (
                403,
                40_310_000,
                "insufficient qty available for order (requested: 10, available: 0)",
                BrokerQty,
            ),
            (403, 40_310_000, "potential wash trade detected. use complex orders", BrokerWashTrade),
            (422, 42_210_000, "potential wash trade detected", BrokerWashTrade),
            (403, 40_310_000, "account is not allowed to short", BrokerUnsupported),
            (403, 40_310_000, "asset \"X\" is not fractionable", BrokerUnsupported),
            (422, 40_010_001, "client_order_id must be unique", BrokerDuplicate),
            (422, 42_210_000, "client_order_id must be unique", BrokerDuplicate),
            (422, 40_010_001, "qty must be > 0", InvalidOrder),
            (422, 42_210_000, "asset \"ZZZZ\" not found", BrokerUnsupported),
            (422, 42_210_000, "order is already in \"filled\" state", BrokerTooLate),
            (
                422,
                42_210_000,
                "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria",
                InvalidOrder,
            ),
            (
                422,
                42_210_000,
                "unable to replace order, order isn't sent to exchange yet",
                BrokerNotReady,
            ),
            (404, 40_410_000, "order not found for x", UnknownOrder),
            (403, 40_310_000, "words that nobody has seen", BrokerOther),
        ] {
            assert_eq!(say(status, code, message), Answer::Refused(reason), "{message}");
        }
    }

    #[test]
    fn what_is_no_word_on_the_order_is_no_refusal() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert_ne!(say(status, 50_010_000, "x"), Answer::Refused(Reason::BrokerOther));
        }
        assert_eq!(read(&ApiError::read(403, b"<html>403 Forbidden</html>")), Answer::Unknown);
        assert_eq!(read(&ApiError::no_endpoint()), Answer::Unknown);
        assert_eq!(read(&ApiError::unauthorized()), Answer::Unauthorized);
        assert_eq!(read(&ApiError::bare(403, "forbidden.")), Answer::Unauthorized);
        assert_eq!(say(429, 42_910_000, "rate limit exceeded"), Answer::Throttled);
    }
}
