//! What a person has to hear of: the driver logs it, counts it and makes durable what must be.

use crate::msg::Intervention;
use crate::types::{ClientOrderId, Qty, Reason, Scope};

/// One such thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The guardian acted. A kill is on the board already; its latch file is still to be written.
    Intervened(Intervention),
    /// The broker has confirmed twice that no covered order is open; `flat`: and no position.
    Confirmed {
        /// Of which kill.
        scope: Scope,
        /// Positions too.
        flat: bool,
    },
    /// The broker has not confirmed in time what a kill asked for. A person has to look.
    Unconfirmed {
        /// Of which kill.
        scope: Scope,
    },
    /// A flatten sent its exit, or the gate refused it. It is not tried again by itself.
    Exit {
        /// The exit's order.
        order: ClientOrderId,
        /// Why it was refused.
        refused: Option<Reason>,
    },
    /// A fill after its order's end, or one that the broker took back (negative). The books follow; a
    /// strategy that thought itself done may not.
    OddFill {
        /// Of which order.
        order: ClientOrderId,
        /// How much.
        qty: Qty,
    },
    /// An exit ended before all of it traded. It is not tried again by itself.
    ExitEnded {
        /// The exit's order.
        order: ClientOrderId,
    },
}
