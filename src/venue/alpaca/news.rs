//! Made-up news, from the seed: one article every few seconds.

use super::floor::AlpacaVenue;
use crate::alpaca::{ApiError, Asset, Params, Time};
use crate::types::{Nanos, Timestamp};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};
use std::collections::VecDeque;

const EVERY: Nanos = Nanos::from_secs(3);
const KEPT: usize = 1_000;
/// Articles that are there at the start, a minute apart.
const BEFORE: u64 = 20;
const WORDS: &[&str] = &["rises", "falls", "is little changed", "trades heavily", "is quiet"];

#[derive(Debug, Clone)]
struct Article {
    id: u64,
    at: Timestamp,
    headline: String,
    symbol: String,
}

impl Article {
    fn show(&self) -> Value {
        let time = self.at.to_string();
        json!({
            "id": self.id, "headline": self.headline, "summary": "A made-up article.",
            "author": "the local venue", "created_at": time, "updated_at": time,
            "url": format!("http://localhost/news/{}", self.id), "content": "<p>Made up.</p>",
            "symbols": [self.symbol], "source": "local",
        })
    }
}

/// What writes the news.
#[derive(Debug)]
pub(super) struct Newsroom {
    random: Pcg64Mcg,
    articles: VecDeque<Article>,
    symbols: Vec<String>,
    count: u64,
    /// By the machine's clock.
    next: Option<Timestamp>,
}

impl Newsroom {
    pub fn new(seed: u64) -> Self {
        let random = Pcg64Mcg::seed_from_u64(seed ^ 0x6e65_7773);
        Self { random, articles: VecDeque::new(), symbols: Vec::new(), count: 0, next: None }
    }

    /// Begins to write: the machine's time, and that of the session.
    pub fn begin(&mut self, wall: Timestamp, now: Timestamp, assets: &[Asset]) {
        self.symbols = assets.iter().map(|asset| asset.symbol.clone()).collect();
        for back in (1..=BEFORE).rev() {
            self.write(now - Nanos::from_secs(60 * back));
        }
        self.next = Some(wall + EVERY);
    }

    pub const fn next_event(&self) -> Option<Timestamp> {
        self.next
    }

    fn pick(&mut self, end: usize) -> usize {
        (self.random.next_u64() % end.max(1) as u64) as usize
    }

    fn write(&mut self, at: Timestamp) -> Option<Article> {
        let place = self.pick(self.symbols.len());
        let symbol = self.symbols.get(place)?.clone();
        let word = WORDS[self.pick(WORDS.len())];
        self.count += 1;
        let name = symbol.replace('/', "");
        let article =
            Article { id: self.count, at, headline: format!("{name} {word}"), symbol: name };
        self.articles.push_back(article.clone());
        if self.articles.len() > KEPT {
            self.articles.pop_front();
        }
        Some(article)
    }
}

impl AlpacaVenue {
    /// Writes and sends what is due.
    pub(super) fn publish_news(&mut self) {
        if self.news.next.is_some_and(|at| at <= self.wall) {
            self.news.next = Some(self.wall + EVERY);
            if let Some(article) = self.news.write(self.now) {
                let mut message = article.show();
                message["T"] = "n".into();
                self.sockets.publish_news(&[article.symbol], &message);
            }
        }
    }

    /// `GET /v1beta1/news`.
    pub(super) fn list_news(&self, query: &Params) -> Result<Value, ApiError> {
        let (start, end) = (query.parse::<Time>("start")?, query.parse::<Time>("end")?);
        let limit = query.parse::<usize>("limit")?.unwrap_or(10);
        if limit == 0 || limit > 50 {
            return Err(ApiError::bare(400, "invalid limit, limit must be between 1 and 50"));
        }
        let token = query.parse::<u64>("page_token")?;
        let symbols: Vec<String> =
            query.list("symbols").iter().map(|symbol| symbol.replace('/', "")).collect();
        let ascending = query.get("sort").is_some_and(|word| word.eq_ignore_ascii_case("asc"));
        let fits = |article: &&Article| {
            start.is_none_or(|start| article.at >= start.0)
                && end.is_none_or(|end| article.at <= end.0)
                && (symbols.is_empty() || symbols.contains(&article.symbol))
                && token.is_none_or(
                    |last| if ascending { article.id > last } else { article.id < last },
                )
        };
        let mut found: Vec<&Article> = self.news.articles.iter().filter(fits).collect();
        if !ascending {
            found.reverse();
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let token = found.last().filter(|_| more).map(|article| article.id.to_string());
        let with_content = query.flag("include_content");
        let rows = found.iter().map(|article| {
            let mut row = article.show();
            row["images"] = json!([]);
            if !with_content {
                row["content"] = "".into();
            }
            row
        });
        Ok(json!({"news": rows.collect::<Vec<_>>(), "next_page_token": token}))
    }
}
