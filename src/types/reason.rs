//! Why an order was refused: one closed list for checks, kills, queues and brokers alike.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($(#[doc = $doc:literal] $name:ident = $word:literal,)*) => {
        /// Why an order, replace or cancel was refused. The words are stable: metrics, JSON and
        /// runbooks use them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {
            $(#[doc = $doc] $name,)*
        }

        impl Reason {
            /// Every reason, in the order of this list.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The reason's word.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What the reason means, as a sentence for people.
            pub fn text(self) -> String {
                let text = match self { $(Self::$name => $doc,)* };
                text.trim().trim_end_matches('.').replace('`', "")
            }
        }
    };
}

reasons! {
    /// More units than `max_order_qty`.
    MaxOrderQty = "max_order_qty",
    /// Worth more than `max_order_value`.
    MaxOrderValue = "max_order_value",
    /// The worst-case position would pass `max_position`.
    MaxPosition = "max_position",
    /// Too far from the market.
    PriceCollar = "price_collar",
    /// Too many orders in the window.
    OrderRate = "order_rate",
    /// The instrument is not on the list.
    SymbolList = "symbol_list",
    /// The agent used this intent number before.
    DuplicateIntent = "duplicate_intent",
    /// The day's loss reached its limit.
    DailyLoss = "daily_loss",
    /// No price to judge the order by.
    NoPrice = "no_price",
    /// The price is too old, or the feed has a gap.
    StalePrice = "stale_price",
    /// The instrument is halted.
    Halted = "halted",
    /// The instrument's currency is not the account's and there is no FX mark.
    NoFxMark = "no_fx_mark",
    /// Quantity, price, step or combination that no broker accepts.
    InvalidOrder = "invalid_order",
    /// The order to cancel or replace is not known or not open.
    UnknownOrder = "unknown_order",
    /// The order belongs to another agent.
    NotOwner = "not_owner",
    /// A change of this order is already under way.
    ChangePending = "change_pending",
    /// A kill switch covers the order.
    Kill = "kill",
    /// A hold covers the order.
    Hold = "hold",
    /// A queue on the way to the broker is full.
    Busy = "busy",
    /// The agent is paused or quarantined.
    AgentStopped = "agent_stopped",
    /// The agent sent more requests in one call than its budget.
    AgentBudget = "agent_budget",
    /// The broker connection cannot take an order now.
    BrokerNotReady = "broker_not_ready",
    /// The broker does not support this order.
    BrokerUnsupported = "broker_unsupported",
    /// The broker refused for lack of money or margin.
    BrokerFunds = "broker_funds",
    /// The broker knows this client order id already.
    BrokerDuplicate = "broker_duplicate",
    /// The broker refused as it is too late: filled, cancelled, expired.
    BrokerTooLate = "broker_too_late",
    /// The broker holds fewer units than the sale: what is there is reserved by open orders.
    BrokerQty = "broker_qty",
    /// The broker refused as it would trade with an open order of the same account.
    BrokerWashTrade = "broker_wash_trade",
    /// The broker proved twice that it does not have the order.
    Absent = "absent",
    /// The broker refused for another reason; its text is in the log.
    BrokerOther = "broker_other",
    /// The journal cannot be written, so nothing that opens or changes an order may leave.
    Journal = "journal",
    /// The account is not on the list.
    AccountList = "account_list",
    /// The worst-case position would be worth more than `max_position_value`.
    MaxPositionValue = "max_position_value",
    /// The account may not go short.
    ShortSelling = "short_selling",
    /// Too many open orders.
    OpenOrders = "open_orders",
    /// The agent sends the same order over and over.
    RepeatedOrder = "repeated_order",
    /// The agent's own prices have moved too far in too short a time.
    PriceDrift = "price_drift",
    /// It would trade with an order of the same account.
    SelfMatch = "self_match",
    /// Positions and open orders would be worth too much at the worst case.
    GrossExposure = "gross_exposure",
    /// The same with long and short set off.
    NetExposure = "net_exposure",
    /// Too much exposure for the equity.
    Leverage = "leverage",
    /// The account's cash would fall below its floor at the worst case.
    BuyingPower = "buying_power",
    /// No data of the instrument for longer than `stale_data` allows.
    StaleData = "stale_data",
    /// The time of the market or of the broker is too far from ours.
    ClockSkew = "clock_skew",
    /// Too many orders on this day.
    DayOrders = "day_orders",
    /// Orders of too much worth on this day.
    DayValueSent = "day_value_sent",
    /// Fills of too much worth on this day.
    DayValueTraded = "day_value_traded",
    /// The approval was too old at the wire, or limits or kills had changed since.
    ApprovalAge = "approval_age",
    /// The broker takes no more messages now; what is left is for cancels.
    MessageBudget = "message_budget",
    /// The orders of a parent would come to more than its quantity.
    ParentQty = "parent_qty",
    /// The market is closed and the order would not live until it opens.
    MarketClosed = "market_closed",
    /// Before or after regular hours, and order or instrument are not for that.
    OutsideHours = "outside_hours",
    /// The auction that the order is for is over, or the market has none.
    NoAuction = "no_auction",
    /// The instrument is on the restricted list.
    Restricted = "restricted",
    /// A short sale of more than was located.
    ShortLocate = "short_locate",
    /// A short sale at or below the best bid while that is forbidden.
    ShortRestricted = "short_restricted",
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
