//! Watchlists.

use super::floor::AlpacaVenue;
use super::members::List;
use crate::alpaca::{
    ApiError, Reply, Time, Uuid, Watchlist, WatchlistAction, WatchlistBody, WatchlistKey,
};
use crate::types::{AccountId, InstrumentId};

impl AlpacaVenue {
    /// `GET /v2/watchlists`.
    pub(super) fn list_watchlists(&self, account: AccountId) -> Vec<Watchlist> {
        let lists = self.member(account).state.watchlists.iter();
        lists.map(|list| Watchlist { assets: None, ..self.show_list(account, list) }).collect()
    }

    fn show_list(&self, account: AccountId, list: &List) -> Watchlist {
        Watchlist {
            id: list.id,
            account_id: self.member(account).id,
            created_at: Time(list.created),
            updated_at: Time(list.updated),
            name: list.name.clone(),
            assets: Some(list.assets.iter().map(|&id| self.assets.get(id).clone()).collect()),
        }
    }

    fn symbols(&self, symbols: &[String]) -> Result<Vec<InstrumentId>, ApiError> {
        let find = |symbol: &String| {
            let missing = || ApiError::unprocessable(format!("asset \"{symbol}\" not found"));
            self.assets.find(symbol).ok_or_else(missing)
        };
        symbols.iter().map(find).collect()
    }

    /// `POST /v2/watchlists`.
    pub(super) fn make_watchlist(
        &mut self,
        account: AccountId,
        body: &WatchlistBody,
    ) -> Result<Watchlist, ApiError> {
        let name = body.name.clone().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| ApiError::invalid("watchlist name is required"))?;
        self.check_name(account, &name, None)?;
        let assets = self.symbols(body.symbols.as_deref().unwrap_or_default())?;
        let now = self.stamp();
        let id = Uuid::of_text("watchlist", &format!("{name}/{}", now.nanos()));
        let list = List { id, name, created: now, updated: now, assets };
        let shown = self.show_list(account, &list);
        let member = self.member_mut(account);
        member.state.watchlists.push(list);
        member.changed = true;
        Ok(shown)
    }

    fn check_name(
        &self,
        account: AccountId,
        name: &str,
        but: Option<usize>,
    ) -> Result<(), ApiError> {
        let lists = self.member(account).state.watchlists.iter().enumerate();
        match lists.into_iter().any(|(at, list)| list.name == name && Some(at) != but) {
            true => Err(ApiError::invalid("watchlist name must be unique")),
            false => Ok(()),
        }
    }

    /// What is done to one watchlist.
    pub(super) fn watchlist(
        &mut self,
        account: AccountId,
        key: &WatchlistKey,
        action: &WatchlistAction,
    ) -> Result<Reply, ApiError> {
        let is = |list: &List| match key {
            WatchlistKey::Id(id) => id.parse().is_ok_and(|id| list.id == id),
            WatchlistKey::Name(name) => list.name == *name,
        };
        let at = self.member(account).state.watchlists.iter().position(is);
        let at = at.ok_or_else(|| ApiError::not_found("watchlist not found"))?;
        let mut list = self.member(account).state.watchlists[at].clone();
        match action {
            WatchlistAction::Get => return Ok(Reply::ok(self.show_list(account, &list))),
            WatchlistAction::Put(body) => {
                if let Some(name) = body.name.clone().filter(|name| !name.is_empty()) {
                    self.check_name(account, &name, Some(at))?;
                    list.name = name;
                }
                if let Some(symbols) = &body.symbols {
                    list.assets = self.symbols(symbols)?;
                }
            }
            WatchlistAction::Add(symbol) => {
                let asset = self.symbols(std::slice::from_ref(symbol))?[0];
                if list.assets.contains(&asset) {
                    return Err(ApiError::invalid("duplicate symbol"));
                }
                list.assets.push(asset);
            }
            WatchlistAction::Remove(symbol) => {
                let missing = || ApiError::not_found("asset not found in watchlist");
                let asset = self.assets.find(symbol).ok_or_else(missing)?;
                let before = list.assets.len();
                list.assets.retain(|own| *own != asset);
                if list.assets.len() == before {
                    return Err(missing());
                }
            }
            WatchlistAction::Delete => {
                let member = self.member_mut(account);
                member.state.watchlists.remove(at);
                member.changed = true;
                return Ok(Reply::empty());
            }
        }
        list.updated = self.stamp();
        let shown = self.show_list(account, &list);
        let member = self.member_mut(account);
        member.state.watchlists[at] = list;
        member.changed = true;
        Ok(Reply::ok(shown))
    }
}
