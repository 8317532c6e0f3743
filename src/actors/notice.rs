//! What a person has to hear of: the driver logs it, counts it and makes durable what must be.

use crate::msg::Intervention;

/// One such thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The guardian acted. A kill is on the board already; its latch file is still to be written.
    Intervened(Intervention),
}
