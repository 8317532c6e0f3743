//! The core's refusals as this wire says no.

use crate::alpaca::ApiError;
use crate::live::NoAnswer;
use crate::types::Reason;

/// Which control refused, and why, in the shape that fits. What is no answer about an order has no code,
/// so that no client takes it for a refusal.
pub(super) fn refused(reason: Reason) -> ApiError {
    let (word, text) = (reason.name(), reason.text());
    let message = format!("denied by {word}: {text}");
    match reason {
        Reason::DuplicateIntent | Reason::BrokerDuplicate => {
            ApiError::invalid("client_order_id must be unique")
        }
        Reason::OrderRate | Reason::MessageBudget | Reason::Busy => {
            ApiError::new(429, 42_910_000, message)
        }
        Reason::InvalidOrder
        | Reason::BrokerUnsupported
        | Reason::UnknownOrder
        | Reason::ChangePending
        | Reason::BrokerTooLate => ApiError::unprocessable(message),
        Reason::BuyingPower | Reason::BrokerFunds => {
            ApiError::forbidden(format!("insufficient buying power: {message}"))
        }
        Reason::SelfMatch => {
            ApiError::forbidden(format!("potential wash trade detected: {message}"))
        }
        _ => ApiError::forbidden(message),
    }
    .with("reason", word)
}

impl From<NoAnswer> for ApiError {
    /// It may or may not have been done: a client asks for the order by its `client_order_id`.
    fn from(_: NoAnswer) -> Self {
        Self::bare(503, "the gateway does not answer: ask for the order by its client_order_id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_code_of_its_status_and_says_which_it_is() {
        for &reason in Reason::ALL {
            let error = refused(reason);
            let code = error.code.unwrap();
            assert!(matches!(error.status, 403 | 422 | 429), "{reason}: {}", error.status);
            assert!(code / 100_000 == u32::from(error.status) || code == 40_010_001, "{reason}");
            assert_eq!(error.body()["reason"], reason.name());
            let text = reason.text();
            assert!(!text.is_empty() && !text.contains(['`', '\n']), "{text}");
        }
        let kill = refused(Reason::Kill);
        assert_eq!((kill.status, kill.code), (403, Some(40_310_000)));
        assert_eq!(kill.message, "denied by kill: A kill switch covers the order");
        assert_eq!(ApiError::from(NoAnswer).code, None);
    }
}
