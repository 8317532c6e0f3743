//! What `GET /v2/orders` asks for.

use super::{ApiError, AssetClass, Params, SideWord, Time, Uuid};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;

/// Which orders by their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of the wire")]
pub enum Wanted {
    Open,
    Closed,
    All,
}

/// A list of orders: filters, order, page.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderQuery {
    /// By their state.
    pub wanted: Wanted,
    /// At most so many, 1 to 500.
    pub limit: usize,
    /// Made later than this.
    pub after: Option<Time>,
    /// Made before this.
    pub until: Option<Time>,
    /// Made later than this order.
    pub after_order: Option<Uuid>,
    /// Made before this order.
    pub before_order: Option<Uuid>,
    /// The oldest first.
    pub ascending: bool,
    /// Of these symbols; `None`: of all.
    pub symbols: Option<Vec<String>>,
    /// On this side.
    pub side: Option<SideWord>,
    /// Of this kind of asset.
    pub class: Option<AssetClass>,
    /// Legs are shown below their order, not for themselves.
    pub nested: bool,
}

impl OrderQuery {
    /// Reads the query of a request.
    ///
    /// # Errors
    /// The field that cannot be read, or fields that exclude each other.
    pub fn read(query: &Params) -> Result<Self, ApiError> {
        let limit = query.parse::<usize>("limit")?.unwrap_or(DEFAULT_LIMIT);
        if limit == 0 || limit > MAX_LIMIT {
            return Err(ApiError::invalid("limit must be between 1 and 500"));
        }
        let (after, until) = (query.parse::<Time>("after")?, query.parse::<Time>("until")?);
        let before_order = query.parse::<Uuid>("before_order_id")?;
        let after_order = query.parse::<Uuid>("after_order_id")?;
        let timed = after.is_some() || until.is_some();
        if before_order.is_some() && (after_order.is_some() || timed)
            || after_order.is_some() && timed
        {
            return Err(ApiError::unprocessable(
                "before_order_id, after_order_id and after/until exclude each other",
            ));
        }
        let ascending = match query.get("direction") {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(word) => return Err(ApiError::invalid(format!("invalid direction: {word}"))),
        };
        let wanted = match query.get("status") {
            None | Some("open") => Wanted::Open,
            Some("closed") => Wanted::Closed,
            Some("all") => Wanted::All,
            Some(word) => return Err(ApiError::invalid(format!("invalid status: {word}"))),
        };
        Ok(Self {
            wanted,
            limit,
            after,
            until,
            after_order,
            before_order,
            ascending,
            symbols: query.get("symbols").map(|_| query.list("symbols")),
            side: query.get("side").map(SideWord::from),
            class: query.get("asset_class").map(AssetClass::from),
            nested: query.flag("nested"),
        })
    }
}
