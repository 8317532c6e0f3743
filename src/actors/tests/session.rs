//! The control `session` at its edges, and the trading day of the books.

use super::*;
use crate::actors::risk::check;
use crate::msg::market::SecurityStatus;

/// What is said of IBM, on a calendar of US stocks.
fn stock(words: &[&str]) -> Rig {
    let value = LimitValue::List(words.iter().map(|word| (*word).to_owned()).collect());
    let rules = LimitRow { value, ..row("session", Scope::Symbol(IBM), "") };
    rig_of(Calendar::UsEquity, at("2024-11-27T15:00:00Z"), &[rules])
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Rig {
    /// Moves to `at` with a fresh price.
    fn go(&mut self, at: Timestamp) {
        self.at = at;
        self.quote(IBM, "99.99", "100.01");
    }

    fn new_order(&mut self, terms: OrderTerms) -> Result<Effect, Reason> {
        let new = self.draft(AGENT, IBM, terms);
        self.ask(AGENT, OrderRequest::New(new))
    }
}

fn day(tif: TimeInForce, extended_hours: bool) -> OrderTerms {
    OrderTerms { tif, extended_hours, ..limit_terms(Side::Buy, 1, "100") }
}

/// Each edge of a day, one nanosecond before it and at it.
#[test]
fn an_order_needs_hours_that_take_it() {
    use Reason::{MarketClosed, NoAuction, OutsideHours};
    use TimeInForce::{Cls, Day, Fok, Gtc, Ioc, Opg};
    let open = Ok(Effect::Opens);
    let (closed, outside, over) = (Err(MarketClosed), Err(OutsideHours), Err(NoAuction));
    // day, day outside hours, at the open, at the close
    let table = [
        ("2024-11-27T09:00:00Z", [closed, closed, open, open], [outside, open, open, open]),
        ("2024-11-27T14:30:00Z", [outside, open, open, open], [open, open, over, open]),
        ("2024-11-27T21:00:00Z", [open, open, over, open], [outside, open, over, over]),
        // The evening belongs to the next session, which is on Friday.
        ("2024-11-28T01:00:00Z", [outside, open, over, over], [closed, closed, open, open]),
        ("2024-11-29T09:00:00Z", [closed, closed, open, open], [outside, open, open, open]),
        // A half day.
        ("2024-11-29T18:00:00Z", [open, open, over, open], [outside, open, over, over]),
        ("2024-11-29T22:00:00Z", [outside, open, over, over], [closed, closed, open, open]),
        // Clocks: the Friday before summer time ends, and the Monday after.
        ("2024-11-01T13:30:00Z", [outside, open, open, open], [open, open, over, open]),
        ("2024-11-04T14:30:00Z", [outside, open, open, open], [open, open, over, open]),
    ];
    for (edge, before, from) in table {
        for (moment, expected) in [(at(edge) - Nanos(1), before), (at(edge), from)] {
            let mut rig = stock(&["outside_hours"]);
            rig.go(moment);
            let orders = [day(Day, false), day(Day, true), day(Opg, false), day(Cls, false)];
            assert_eq!(orders.map(|terms| rig.new_order(terms)), expected, "{moment}");
            for now_or_never in [Ioc, Fok] {
                assert_eq!(rig.new_order(day(now_or_never, false)), expected[0], "{moment}");
            }
            assert_eq!(rig.new_order(day(Gtc, false)), open, "{moment}: waits for its session");
        }
    }
}

#[test]
fn a_dated_order_must_live_until_it_can_trade() {
    let dated = |end: &str, extended| OrderTerms {
        expire_at: Some(at(end)),
        ..day(TimeInForce::Gtd, extended)
    };
    let mut rig = stock(&["outside_hours"]);
    rig.go(at("2024-11-28T02:00:00Z"));
    assert_eq!(rig.new_order(dated("2024-11-29T14:30:00Z", false)), Err(Reason::MarketClosed));
    assert_eq!(rig.new_order(dated("2024-11-29T14:30:00.000000001Z", false)), Ok(Effect::Opens));
    assert_eq!(rig.new_order(dated("2024-11-29T09:00:00Z", true)), Err(Reason::MarketClosed));
    assert_eq!(rig.new_order(dated("2024-11-29T09:00:00.000000001Z", true)), Ok(Effect::Opens));
}

#[test]
fn outside_hours_needs_a_permit_and_a_limit() {
    let terms = day(TimeInForce::Day, true);
    let market = OrderTerms { ord_type: OrdType::Market, ..terms };
    let mut rig = stock(&["outside_hours"]);
    rig.go(at("2024-11-27T13:00:00Z"));
    assert_eq!(rig.new_order(market), Err(Reason::OutsideHours));
    assert_eq!(rig.new_order(terms), Ok(Effect::Opens));
    let mut rig = stock(&[]);
    rig.go(at("2024-11-27T15:00:00Z"));
    assert_eq!(rig.new_order(terms), Err(Reason::OutsideHours), "it would stay after the close");
}

#[test]
fn a_replace_is_judged_by_the_hour_it_comes() {
    let mut rig = stock(&["locate 10"]);
    let (id, verdict) = rig.order(Side::Buy, 1, "100");
    assert_eq!(verdict, Ok(Effect::Opens));
    rig.accept(id);
    rig.go(at("2024-11-27T21:00:00Z"));
    assert_eq!(rig.replace(id, Side::Buy, 2, "100"), Err(Reason::OutsideHours));
    rig.go(at("2024-11-27T21:00:00Z") - Nanos(1));
    assert_eq!(rig.replace(id, Side::Buy, 2, "100"), Ok(Effect::Opens));
}

#[test]
fn a_halt_stops_what_opens_and_a_restriction_everything() {
    let mut rig = stock(&[]);
    let (id, _) = rig.order(Side::Buy, 10, "100");
    rig.fill(id, 10, 10, "100", OrdStatus::Filled);
    let halt = SecurityStatus { ts: rig.at, instrument: IBM, halted: true };
    rig.market.apply(rig.at, &MarketData::Status(halt));
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Err(Reason::Halted));
    assert_eq!(rig.order(Side::Sell, 10, "100").1, Ok(Effect::Reduces));

    let mut rig = stock(&["restricted"]);
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Err(Reason::Restricted));
}

#[test]
fn a_short_sale_needs_its_shares() {
    let mut rig = stock(&["locate 10"]);
    let (id, _) = rig.order(Side::Buy, 5, "100");
    rig.fill(id, 5, 5, "100", OrdStatus::Filled);
    assert_eq!(rig.order(Side::Sell, 16, "100").1, Err(Reason::ShortLocate));
    let (id, verdict) = rig.order(Side::Sell, 14, "100");
    assert_eq!(verdict, Ok(Effect::Opens));
    rig.accept(id);
    assert_eq!(rig.replace(id, Side::Sell, 16, "100"), Err(Reason::ShortLocate));
    assert_eq!(rig.replace(id, Side::Sell, 15, "100"), Ok(Effect::Opens));
    assert_eq!(rig.order(Side::Sell, 1, "100").1, Err(Reason::ShortLocate), "open sells count");

    let mut rig = stock(&[]);
    assert_eq!(rig.order(Side::Sell, 1, "100").1, Err(Reason::ShortLocate), "nobody located any");
    let mut rig = stock(&["locate any"]);
    assert_eq!(rig.order(Side::Sell, 1_000, "100").1, Ok(Effect::Opens));
}

#[test]
fn a_short_restriction_asks_for_more_than_the_bid() {
    let mut rig = stock(&["locate any", "short_restricted"]);
    assert_eq!(rig.order(Side::Sell, 1, "99.99").1, Err(Reason::ShortRestricted));
    let market = OrderTerms { ord_type: OrdType::Market, ..limit_terms(Side::Sell, 1, "100") };
    assert_eq!(rig.new_order(market), Err(Reason::ShortRestricted));
    let (id, verdict) = rig.order(Side::Sell, 1, "100");
    assert_eq!(verdict, Ok(Effect::Opens));
    rig.accept(id);
    assert_eq!(rig.replace(id, Side::Sell, 1, "99.99"), Err(Reason::ShortRestricted));
    assert_eq!(rig.order(Side::Buy, 1, "100").1, Ok(Effect::Opens));
}

#[test]
fn what_always_trades_has_no_auction_and_needs_no_locate() {
    let mut rig = rig(&[]);
    assert_eq!(rig.new_order(day(TimeInForce::Opg, false)), Err(Reason::NoAuction));
    assert_eq!(rig.new_order(day(TimeInForce::Cls, false)), Err(Reason::NoAuction));
    assert_eq!(rig.order(Side::Sell, 1, "100").1, Ok(Effect::Opens));
}

#[test]
fn a_word_that_the_control_does_not_know_is_an_error() {
    for (scope, word) in [
        (Scope::Symbol(IBM), "locate -1"),
        (Scope::Symbol(IBM), "locate"),
        (Scope::Symbol(IBM), "halted"),
        (Scope::Agent(AGENT), "restricted"),
    ] {
        let rows = [row("session", scope, word)];
        let control = check::find("session").unwrap();
        let table = rig_of(Calendar::UsEquity, Timestamp::ZERO, &[]);
        let instruments = Arc::new(table.core.oms.books.instruments().clone());
        let known = Known { instruments, accounts: Vec::new() };
        let error = (control.build)(&rows, &known).unwrap_err();
        assert_eq!(error.line, Some(1), "{word}");
    }
}

/// The loss of a night counts to the day that it ends in; the loss of a day ends with it.
#[test]
fn a_day_begins_with_what_the_books_were_worth() {
    let mut rig = rig(&[row("daily_loss", Scope::Global, "50")]);
    let midnight = Timestamp::from_nanos(86_400_000_000_000);
    rig.go(midnight - Nanos::from_secs(1));
    let (id, _) = rig.order(Side::Buy, 10, "100");
    rig.fill(id, 10, 10, "100", OrdStatus::Filled);
    rig.quote(IBM, "94.99", "95.01");
    assert_eq!(rig.order(Side::Buy, 1, "95").1, Err(Reason::DailyLoss));
    // The new day begins at 95, with whatever input comes first, long before an order.
    rig.at = midnight;
    rig.core.begin_day(rig.at, &rig.market);
    assert_eq!(rig.core.oms.books.date().days(), 1);
    rig.quote(IBM, "91.99", "92.01");
    assert_eq!(rig.order(Side::Buy, 1, "92").1, Ok(Effect::Opens), "30 lost today");
    rig.quote(IBM, "89.99", "90.01");
    assert_eq!(rig.order(Side::Buy, 1, "90").1, Err(Reason::DailyLoss), "50 lost today");
}

/// A change of the configuration within the day keeps what the day began with.
#[test]
fn a_new_configuration_keeps_the_day() {
    let limit = [row("daily_loss", Scope::Global, "50")];
    let mut old = rig(&limit);
    let (id, _) = old.order(Side::Buy, 10, "100");
    old.fill(id, 10, 10, "100", OrdStatus::Filled);
    old.quote(IBM, "94.99", "95.01");
    let mut new = rig(&limit);
    new.core.carry_over(old.core);
    new.seq = old.seq;
    new.quote(IBM, "94.99", "95.01");
    assert_eq!(new.order(Side::Buy, 1, "95").1, Err(Reason::DailyLoss));
}

/// Nor does it give back what was used: windows and budgets outlive a change of their limits.
#[test]
fn a_new_configuration_keeps_what_was_counted() {
    for (control, value, reason) in [
        ("day_orders", "3", Reason::DayOrders),
        ("day_value_sent", "350", Reason::DayValueSent),
        ("order_rate", "3/10s", Reason::OrderRate),
        ("repeated_order", "3/10s", Reason::RepeatedOrder),
    ] {
        let mut old = rig(&[row(control, Scope::Global, value)]);
        (0..3).for_each(|_| assert!(old.order(Side::Buy, 1, "100").1.is_ok(), "{control}"));
        let mut new = rig(&[row(control, Scope::Global, value)]);
        new.core.carry_over(old.core);
        (new.seq, new.at) = (old.seq, old.at);
        assert_eq!(new.order(Side::Buy, 1, "100").1, Err(reason), "{control}");
    }
}
