//! The closed sets of words. A client must survive a word that is new, so each set has an arm for it;
//! a server refuses that arm.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$adoc:meta])* $arm:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $($(#[$adoc])* $arm,)*
            /// A word that this build does not know.
            Unknown(String),
        }
        impl $name {
            /// As it stands on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$arm => $text,)*
                    Self::Unknown(text) => text,
                }
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$arm,)*
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::from(String::deserialize(deserializer)?.as_str()))
            }
        }
    };
}

words! {
    /// State of an order.
    OrderStatus {
        /// Taken, not routed: the market is closed.
        Accepted = "accepted",
        /// Routed, not acknowledged.
        PendingNew = "pending_new",
        /// For an auction.
        AcceptedForBidding = "accepted_for_bidding",
        /// Working.
        New = "new",
        /// Working, with fills.
        PartiallyFilled = "partially_filled",
        /// Done.
        Filled = "filled",
        /// Out of the market until the next session.
        DoneForDay = "done_for_day",
        /// Taken back.
        Canceled = "canceled",
        /// Its time was over.
        Expired = "expired",
        /// Another order stands in its place.
        Replaced = "replaced",
        /// A cancel is under way.
        PendingCancel = "pending_cancel",
        /// A replace is under way.
        PendingReplace = "pending_replace",
        /// Refused after it was taken.
        Rejected = "rejected",
        /// Traded, not yet reported.
        Stopped = "stopped",
        /// Not allowed to trade for now.
        Suspended = "suspended",
        /// Done for the day, settlement under way.
        Calculated = "calculated",
        /// A leg that waits.
        Held = "held",
    }
}

impl OrderStatus {
    /// Whether nothing can happen to the order any more but a bust.
    pub const fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Filled | Self::Canceled | Self::Expired | Self::Replaced | Self::Rejected
        )
    }
}

words! {
    /// What a trade update tells of.
    Event {
        /// See [`OrderStatus::Accepted`].
        Accepted = "accepted",
        /// See [`OrderStatus::PendingNew`].
        PendingNew = "pending_new",
        /// Working.
        New = "new",
        /// An execution that leaves something open.
        PartialFill = "partial_fill",
        /// The last execution.
        Fill = "fill",
        /// Taken back.
        Canceled = "canceled",
        /// Its time was over.
        Expired = "expired",
        /// Refused.
        Rejected = "rejected",
        /// Done for the day.
        DoneForDay = "done_for_day",
        /// The old order of a replace.
        Replaced = "replaced",
        /// A cancel is under way.
        PendingCancel = "pending_cancel",
        /// A replace is under way.
        PendingReplace = "pending_replace",
        /// Traded, not yet reported.
        Stopped = "stopped",
        /// Not allowed to trade for now.
        Suspended = "suspended",
        /// Settlement under way.
        Calculated = "calculated",
        /// A leg that waits.
        Held = "held",
        /// The replace did not happen.
        OrderReplaceRejected = "order_replace_rejected",
        /// The cancel did not happen.
        OrderCancelRejected = "order_cancel_rejected",
        /// Terms were restated by the venue.
        Restated = "restated",
        /// An execution is taken back.
        TradeBust = "trade_bust",
        /// An execution is corrected.
        TradeCorrect = "trade_correct",
    }
}

words! {
    /// Side of an order.
    SideWord {
        /// Buys.
        Buy = "buy",
        /// Sells, short as well.
        Sell = "sell",
    }
}
words! {
    /// Kind of an order.
    OrderType {
        /// At the best price.
        Market = "market",
        /// At a price or better.
        Limit = "limit",
        /// A market order once triggered.
        Stop = "stop",
        /// A limit order once triggered.
        StopLimit = "stop_limit",
        /// A stop that follows the best price.
        TrailingStop = "trailing_stop",
    }
}
words! {
    /// How long an order stands.
    Tif {
        /// Until the session ends.
        Day = "day",
        /// Until cancelled, 90 days at most.
        Gtc = "gtc",
        /// In the opening auction.
        Opg = "opg",
        /// In the closing auction.
        Cls = "cls",
        /// At once, the rest is cancelled.
        Ioc = "ioc",
        /// All at once or nothing.
        Fok = "fok",
    }
}
words! {
    /// How orders hang together.
    OrderClass {
        /// Not at all; also written as an empty text.
        Simple = "simple",
        /// As it stands in answers for a plain order.
        Plain = "",
        /// Entry, take-profit and stop-loss.
        Bracket = "bracket",
        /// Take-profit and stop-loss of a position.
        Oco = "oco",
        /// Entry and one exit.
        Oto = "oto",
        /// Several option legs.
        Mleg = "mleg",
    }
}
words! {
    /// What an order does to a position.
    PositionIntent {
        /// Opens a long one.
        BuyToOpen = "buy_to_open",
        /// Closes a short one.
        BuyToClose = "buy_to_close",
        /// Opens a short one.
        SellToOpen = "sell_to_open",
        /// Closes a long one.
        SellToClose = "sell_to_close",
    }
}
words! {
    /// Kind of an asset.
    AssetClass {
        /// Stocks and funds.
        UsEquity = "us_equity",
        /// Options.
        UsOption = "us_option",
        /// Coins.
        Crypto = "crypto",
    }
}
words! {
    /// Side of a position.
    PositionSide {
        /// Above zero.
        Long = "long",
        /// Below zero.
        Short = "short",
    }
}
