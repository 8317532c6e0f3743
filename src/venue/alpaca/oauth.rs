//! OAuth2 as the real venue has it: a page that gives a code, and an endpoint that makes a token of
//! it. The user of the page is this venue's first account, and says yes.

use super::floor::AlpacaVenue;
use crate::alpaca::{ApiError, Params, Reply, Uuid};
use crate::types::AccountId;
use serde_json::json;

impl AlpacaVenue {
    /// `GET /oauth/authorize`: back to the client with a code that can be used once.
    pub(super) fn authorize(
        &mut self,
        account: AccountId,
        query: &Params,
    ) -> Result<Reply, ApiError> {
        let need = |key: &str| {
            let missing = || ApiError::invalid(format!("{key} is required"));
            query.get(key).map(str::to_owned).ok_or_else(missing)
        };
        if need("response_type")? != "code" {
            return Err(ApiError::invalid("response_type must be code"));
        }
        let (client, back) = (need("client_id")?, need("redirect_uri")?);
        let state = query.get("state").unwrap_or_default();
        let stamp = self.stamp().nanos();
        let code = Uuid::of_text("code", &format!("{}/{client}/{stamp}", self.seed)).to_string();
        let scope = query.get("scope").unwrap_or_default().to_owned();
        self.codes.push((code.clone(), client, back.clone(), scope, account));
        let joint = if back.contains('?') { '&' } else { '?' };
        let state = encode_percent(state);
        let location = format!("{back}{joint}code={code}&state={state}");
        Ok(Reply { status: 302, body: None, headers: vec![("Location", location)] })
    }

    /// `POST /oauth/token`.
    pub(super) fn token(&mut self, form: &Params) -> Result<Reply, ApiError> {
        let field = |key: &str| form.get(key).unwrap_or_default().to_owned();
        let no = |text: &str| Err(ApiError::bare(400, text));
        if field("grant_type") != "authorization_code" {
            return no("unsupported_grant_type");
        }
        if field("client_secret").is_empty() {
            return no("invalid_client");
        }
        let fits = |(code, client, back, ..): &(String, String, String, String, AccountId)| {
            *code == field("code")
                && *client == field("client_id")
                && *back == field("redirect_uri")
        };
        let Some(at) = self.codes.iter().position(fits) else {
            return no("invalid_grant");
        };
        let (code, _, _, scope, account) = self.codes.remove(at);
        let token = Uuid::of_text("token", &code).to_string();
        let member = self.member_mut(account);
        member.state.tokens.push(token.clone());
        member.changed = true;
        Ok(Reply::ok(json!({"access_token": token, "token_type": "bearer", "scope": scope})))
    }
}

/// What stands in a query: letters, digits and a few marks as they are.
fn encode_percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
