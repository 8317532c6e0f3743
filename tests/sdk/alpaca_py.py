"""alpaca-py against a local venue: VENUE is host:port, VENUE_KEY and VENUE_SECRET the login."""

import asyncio
import json
import os
import threading
import time
import uuid
from datetime import date, datetime, timedelta, timezone

import requests
import websockets
from alpaca.common.exceptions import APIError
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.historical.news import NewsClient
from alpaca.data.live import CryptoDataStream, StockDataStream
from alpaca.data.live.news import NewsDataStream
from alpaca.data.requests import (
    CryptoBarsRequest, CryptoLatestOrderbookRequest, CryptoLatestQuoteRequest,
    CryptoSnapshotRequest, NewsRequest, StockBarsRequest, StockLatestBarRequest,
    StockLatestQuoteRequest, StockLatestTradeRequest, StockQuotesRequest, StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import (
    AssetClass, AssetStatus, OrderClass, OrderSide, OrderStatus, OrderType, PositionSide,
    QueryOrderStatus, TimeInForce, TradeConfirmationEmail,
)
from alpaca.trading.requests import (
    ClosePositionRequest, CreateWatchlistRequest, GetAssetsRequest, GetCalendarRequest,
    GetOrderByIdRequest, GetOrdersRequest, GetPortfolioHistoryRequest, LimitOrderRequest,
    MarketOrderRequest, ReplaceOrderRequest, StopLimitOrderRequest, StopLossRequest,
    StopOrderRequest, TakeProfitRequest, TrailingStopOrderRequest, UpdateWatchlistRequest,
)
from alpaca.trading.stream import TradingStream

from runner import case, run, until

HOST, KEY, SECRET = os.environ["VENUE"], os.environ["VENUE_KEY"], os.environ["VENUE_SECRET"]
HTTP, WS = f"http://{HOST}", f"ws://{HOST}"
trading = TradingClient(KEY, SECRET, url_override=HTTP)
stocks = StockHistoricalDataClient(KEY, SECRET, url_override=HTTP)
coins = CryptoHistoricalDataClient(KEY, SECRET, url_override=HTTP)
BUY, SELL, DAY, GTC = OrderSide.BUY, OrderSide.SELL, TimeInForce.DAY, TimeInForce.GTC


def clean():
    trading.cancel_orders()
    trading.close_all_positions(cancel_orders=True)
    until(lambda: not trading.get_all_positions(), "no position")


def ask(symbol="AAPL"):
    return stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=symbol))[symbol].ask_price


def away(symbol="AAPL", part=0.8):
    return round(ask(symbol) * part, 2)


def market(symbol="AAPL", side=BUY, tif=DAY, **more):
    more = more or {"qty": 1}
    return trading.submit_order(MarketOrderRequest(symbol=symbol, side=side, time_in_force=tif, **more))


def limit(price, symbol="AAPL", side=BUY, qty=1, tif=DAY, **more):
    return trading.submit_order(LimitOrderRequest(
        symbol=symbol, qty=qty, side=side, time_in_force=tif, limit_price=price, **more))


def status(order):
    return trading.get_order_by_id(order.id).status


def reaches(order, wanted):
    return until(lambda: (o := trading.get_order_by_id(order.id)).status == wanted and o, wanted)


def refused(call, http, code, text):
    try:
        call()
    except APIError as error:
        assert error.status_code == http, error.status_code
        assert error.code == code, error.code
        assert text in error.message, error.message
        return
    raise AssertionError("it was not refused")


# Orders.

@case
def a_market_order_fills():
    order = market(qty=2)
    assert order.status in (OrderStatus.PENDING_NEW, OrderStatus.ACCEPTED), order.status
    assert order.filled_qty == "0" and order.symbol == "AAPL" and order.legs is None
    done = reaches(order, OrderStatus.FILLED)
    assert done.filled_qty == "2" and float(done.filled_avg_price) > 0 and done.filled_at


@case
def a_limit_order_far_away_rests():
    price = away()
    order = limit(price)
    assert float(reaches(order, OrderStatus.NEW).limit_price) == price
    trading.cancel_order_by_id(order.id)
    assert reaches(order, OrderStatus.CANCELED).canceled_at


@case
def a_limit_order_through_the_touch_fills():
    order = limit(away(part=1.02))
    done = reaches(order, OrderStatus.FILLED)
    assert float(done.filled_avg_price) <= float(done.limit_price)


@case
def a_stop_order_rests():
    order = trading.submit_order(StopOrderRequest(
        symbol="AAPL", qty=1, side=BUY, time_in_force=DAY, stop_price=away(part=1.2)))
    assert reaches(order, OrderStatus.NEW).type == OrderType.STOP


@case
def a_stop_limit_order_rests():
    order = trading.submit_order(StopLimitOrderRequest(
        symbol="SPY", qty=1, side=BUY, time_in_force=GTC, stop_price=away("SPY", 1.2),
        limit_price=away("SPY", 1.21)))
    assert reaches(order, OrderStatus.NEW).type == OrderType.STOP_LIMIT


@case
def a_trailing_stop_by_price():
    reaches(market(qty=1), OrderStatus.FILLED)
    order = trading.submit_order(TrailingStopOrderRequest(
        symbol="AAPL", qty=1, side=SELL, time_in_force=GTC, trail_price=50))
    shown = reaches(order, OrderStatus.NEW)
    assert shown.trail_price == "50" and shown.trail_percent is None and float(shown.hwm) > 0
    assert abs(float(shown.hwm) - 50 - float(shown.stop_price)) < 0.01


@case
def a_trailing_stop_by_percent():
    reaches(market(qty=1), OrderStatus.FILLED)
    order = trading.submit_order(TrailingStopOrderRequest(
        symbol="AAPL", qty=1, side=SELL, time_in_force=GTC, trail_percent=10))
    shown = reaches(order, OrderStatus.NEW)
    assert shown.trail_percent == "10" and shown.trail_price is None
    new = trading.replace_order_by_id(order.id, ReplaceOrderRequest(trail=12))
    assert new.trail_percent == "12"


@case
def a_notional_order():
    order = market(notional=100.5)
    assert order.notional == "100.5" and order.qty is None
    done = reaches(order, OrderStatus.FILLED)
    assert 0 < float(done.filled_qty) < 1


@case
def a_fractional_order():
    done = reaches(market(qty=0.25), OrderStatus.FILLED)
    assert done.filled_qty == "0.25"


@case
def immediate_or_cancel_far_away_ends():
    order = limit(away(), tif=TimeInForce.IOC)
    assert reaches(order, OrderStatus.CANCELED).filled_qty == "0"
    trading.cancel_order_by_id(order.id)


@case
def fill_or_kill_at_the_touch_fills():
    reaches(limit(away(part=1.02), tif=TimeInForce.FOK), OrderStatus.FILLED)


@case
def auction_orders_are_taken():
    for tif in (TimeInForce.OPG, TimeInForce.CLS):
        order = limit(away(), tif=tif)
        assert order.time_in_force == tif
        trading.cancel_order_by_id(order.id)
        reaches(order, OrderStatus.CANCELED)


@case
def extended_hours_need_a_limit():
    assert limit(away(), extended_hours=True).extended_hours
    refused(lambda: market(qty=1, extended_hours=True), 422, 42210000, "extended hours order must be DAY or GTC limit orders")


@case
def a_crypto_order():
    order = market("BTC/USD", qty=0.001, tif=GTC)
    assert order.symbol == "BTC/USD" and order.asset_class == AssetClass.CRYPTO
    reaches(order, OrderStatus.FILLED)
    position = until(lambda: trading.get_all_positions(), "position")[0]
    assert position.symbol == "BTCUSD" and position.asset_class == AssetClass.CRYPTO
    assert trading.get_open_position("BTCUSD").qty == trading.get_open_position("BTC/USD").qty


@case
def an_asset_id_names_an_order():
    asset = trading.get_asset("AAPL")
    assert limit(away(), symbol=str(asset.id)).symbol == "AAPL"


@case
def a_short_sale():
    reaches(market(qty=3, side=SELL), OrderStatus.FILLED)
    position = trading.get_open_position("AAPL")
    assert position.side == PositionSide.SHORT and position.qty == "-3"


@case
def a_client_order_id_finds_its_order():
    name = f"mine-{uuid.uuid4()}"
    order = limit(away(), client_order_id=name)
    assert trading.get_order_by_client_id(name).id == order.id
    refused(lambda: limit(away(), client_order_id=name), 422, 42210000, "client_order_id must be unique")
    trading.cancel_order_by_id(order.id)
    reaches(order, OrderStatus.CANCELED)
    refused(lambda: limit(away(), client_order_id=name), 422, 40010001, "client_order_id must be unique")


@case
def a_refused_order_leaves_its_client_id_free():
    name = f"free-{uuid.uuid4()}"
    refused(lambda: limit(1000, qty=100_000, client_order_id=name), 403, 40310000, "insufficient buying power")
    refused(lambda: trading.get_order_by_client_id(name), 404, 40410000, "order not found")
    assert limit(away(), client_order_id=name).client_order_id == name


# Brackets.

def bracket(qty=1, entry=None):
    top, low = away(part=1.2), away(part=0.8)
    more = {"order_class": OrderClass.BRACKET, "take_profit": TakeProfitRequest(limit_price=top),
            "stop_loss": StopLossRequest(stop_price=low)}
    return limit(entry, qty=qty, **more) if entry else market(qty=qty, **more)


@case
def a_bracket_waits_for_its_entry():
    order = bracket(entry=away(part=0.9))
    assert order.order_class == OrderClass.BRACKET and len(order.legs) == 2
    assert all(leg.status == OrderStatus.HELD for leg in order.legs)
    open_now = trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN))
    assert [o.id for o in open_now] == [order.id]
    trading.cancel_order_by_id(order.id)
    reaches(order, OrderStatus.CANCELED)
    for leg in order.legs:
        reaches(leg, OrderStatus.CANCELED)
        trading.cancel_order_by_id(leg.id)


@case
def a_bracket_works_once_filled():
    order = bracket(qty=2)
    reaches(order, OrderStatus.FILLED)
    profit, loss = order.legs
    assert profit.type == OrderType.LIMIT and loss.type == OrderType.STOP
    reaches(profit, OrderStatus.NEW)
    assert status(loss) == OrderStatus.HELD
    nested = trading.get_order_by_id(order.id, GetOrderByIdRequest(nested=True))
    assert [leg.id for leg in nested.legs] == [profit.id, loss.id]
    trading.cancel_order_by_id(profit.id)
    reaches(profit, OrderStatus.CANCELED)
    reaches(loss, OrderStatus.CANCELED)


@case
def a_leg_of_a_bracket_can_be_replaced():
    order = bracket()
    reaches(order, OrderStatus.FILLED)
    profit, loss = order.legs
    reaches(profit, OrderStatus.NEW)
    new = trading.replace_order_by_id(profit.id, ReplaceOrderRequest(limit_price=away(part=1.3)))
    assert new.replaces == profit.id
    reaches(profit, OrderStatus.REPLACED)
    new = trading.replace_order_by_id(loss.id, ReplaceOrderRequest(stop_price=away(part=0.7)))
    assert new.status == OrderStatus.HELD and new.replaces == loss.id


@case
def a_take_profit_ends_its_stop():
    order = bracket()
    reaches(order, OrderStatus.FILLED)
    profit, loss = order.legs
    reaches(profit, OrderStatus.NEW)
    new = trading.replace_order_by_id(profit.id, ReplaceOrderRequest(limit_price=away(part=0.97)))
    reaches(new, OrderStatus.FILLED)
    reaches(loss, OrderStatus.CANCELED)
    assert not trading.get_all_positions()


@case
def one_triggers_other():
    order = limit(away(part=0.9), order_class=OrderClass.OTO,
                  stop_loss=StopLossRequest(stop_price=away(part=0.7)))
    assert order.order_class == OrderClass.OTO and len(order.legs) == 1
    assert order.legs[0].status == OrderStatus.HELD


@case
def one_cancels_other():
    reaches(market(qty=1), OrderStatus.FILLED)
    order = limit(away(part=1.2), side=SELL, order_class=OrderClass.OCO,
                  take_profit=TakeProfitRequest(limit_price=away(part=1.2)),
                  stop_loss=StopLossRequest(stop_price=away(part=0.8)))
    assert order.type == OrderType.LIMIT and len(order.legs) == 1
    assert order.legs[0].type == OrderType.STOP
    trading.cancel_order_by_id(order.id)
    reaches(order.legs[0], OrderStatus.CANCELED)


@case
def a_bracket_with_crossed_exits_is_refused():
    refused(lambda: market(qty=1, order_class=OrderClass.BRACKET,
                           take_profit=TakeProfitRequest(limit_price=away(part=0.8)),
                           stop_loss=StopLossRequest(stop_price=away(part=0.9))),
            422, 42210000, "take_profit.limit_price must be > stop_loss.stop_price")


# Replaces and cancels.

@case
def a_replace_is_a_new_order():
    order = limit(away())
    reaches(order, OrderStatus.NEW)
    new = trading.replace_order_by_id(order.id, ReplaceOrderRequest(qty=2, limit_price=away(part=0.7)))
    assert new.id != order.id and new.replaces == order.id and new.qty == "2"
    assert new.client_order_id != order.client_order_id
    old = reaches(order, OrderStatus.REPLACED)
    assert old.replaced_by == new.id and old.replaced_at and old.qty == "1"
    reaches(new, OrderStatus.NEW)


@case
def a_replace_may_fill():
    order = limit(away())
    reaches(order, OrderStatus.NEW)
    new = trading.replace_order_by_id(order.id, ReplaceOrderRequest(limit_price=away(part=1.02)))
    reaches(new, OrderStatus.FILLED)


@case
def a_replace_names_its_client_id():
    order, name = limit(away()), f"new-{uuid.uuid4()}"
    reaches(order, OrderStatus.NEW)
    new = trading.replace_order_by_id(order.id, ReplaceOrderRequest(qty=3, client_order_id=name))
    assert trading.get_order_by_client_id(name).id == new.id


@case
def a_replace_of_nothing_is_refused():
    order = limit(away(), qty=1)
    price = float(reaches(order, OrderStatus.NEW).limit_price)
    refused(lambda: trading.replace_order_by_id(order.id, ReplaceOrderRequest(limit_price=price)),
            403, 40310000, "order parameters are not changed")
    name = f"other-{uuid.uuid4()}"
    new = trading.replace_order_by_id(order.id, ReplaceOrderRequest(client_order_id=name))
    assert new.client_order_id == name and new.replaces == order.id


@case
def a_done_order_is_not_replaced():
    order = market(qty=1)
    reaches(order, OrderStatus.FILLED)
    refused(lambda: trading.replace_order_by_id(order.id, ReplaceOrderRequest(qty=2)), 422, 42210000, "")


@case
def cancels():
    order = limit(away())
    trading.cancel_order_by_id(order.id)
    reaches(order, OrderStatus.CANCELED)
    trading.cancel_order_by_id(order.id)
    filled = market(qty=1)
    reaches(filled, OrderStatus.FILLED)
    refused(lambda: trading.cancel_order_by_id(filled.id), 422, 42210000, 'order is already in "filled" state')
    refused(lambda: trading.cancel_order_by_id(uuid.uuid4()), 404, 40410000, "order not found")


@case
def cancel_all():
    orders = {limit(away(s), symbol=s).id for s in ("AAPL", "SPY", "IBM")}
    rows = trading.cancel_orders()
    assert {row.id for row in rows} == orders and all(row.status == 200 for row in rows)
    assert trading.cancel_orders() == []


# Refusals.

@case
def unknown_symbols_are_refused():
    refused(lambda: market("ZZZZ"), 422, 42210000, 'asset "ZZZZ" not found')


@case
def sub_penny_prices_are_refused():
    refused(lambda: limit(90.123), 422, 42210000, "sub-penny increment")


@case
def fractions_are_day_orders():
    refused(lambda: market(qty=0.5, tif=GTC), 422, 42210000, "fractional orders must be DAY orders")


@case
def wash_trades_are_refused():
    order = limit(away())
    refused(lambda: market("AAPL", SELL, qty=1), 403, 40310000, "potential wash trade detected")
    refused(lambda: limit(away(part=0.7), side=SELL), 403, 40310000, "potential wash trade detected")
    try:
        market("AAPL", SELL, qty=1)
    except APIError as error:
        assert str(order.id) in str(error), str(error)


@case
def more_than_there_is_is_not_sold():
    reaches(market(qty=2), OrderStatus.FILLED)
    refused(lambda: limit(away(part=1.2), side=SELL, qty=5), 403, 40310000,
            "insufficient qty available for order (requested: 5, available: 2)")
    limit(away(part=1.2), side=SELL, qty=2)
    refused(lambda: limit(away(part=1.2), side=SELL, qty=1), 403, 40310000, "available: 0")


@case
def money_is_needed():
    refused(lambda: limit(1000, qty=100_000), 403, 40310000, "insufficient buying power")
    refused(lambda: market("SPY", notional=10_000_000), 403, 40310000, "insufficient buying power")


@case
def crypto_has_its_own_rules():
    refused(lambda: market("BTC/USD", qty=0.001, tif=DAY), 422, 42210000, "invalid crypto time_in_force")
    refused(lambda: market("BTC/USD", qty=0.0001, tif=GTC), 403, 40310000, "cost basis must be >= minimal amount of order 10")
    refused(lambda: market("BTC/USD", SELL, GTC, qty=0.001), 403, 40310000, "insufficient balance for BTC")


@case
def no_login_no_answer():
    other = TradingClient("nobody", "nothing", url_override=HTTP)
    try:
        other.get_account()
    except APIError as error:
        assert error.status_code == 401
        return
    raise AssertionError("it was let in")


@case
def raw_refusals_have_their_shape():
    head = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
    answer = requests.get(f"{HTTP}/v2/nothing", headers=head)
    assert answer.status_code == 404 and answer.json() == {"message": "endpoint not found"}
    answer = requests.post(f"{HTTP}/v2/orders", headers=head, data=b"{no json")
    assert answer.json()["code"] == 40010000, answer.text
    answer = requests.post(f"{HTTP}/v2/orders", headers=head, data=b'{"symbol":"AAPL","qty":null}')
    assert answer.status_code == 422 and "code" in answer.json()
    for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-ID"):
        assert name in answer.headers, name


# Lists.

@case
def open_closed_all():
    first, second = limit(away("IBM"), symbol="IBM"), limit(away("XLK"), symbol="XLK")
    trading.cancel_order_by_id(first.id)
    reaches(first, OrderStatus.CANCELED)
    ids = lambda which, **more: [o.id for o in trading.get_orders(GetOrdersRequest(status=which, **more))]
    assert ids(QueryOrderStatus.OPEN) == [second.id]
    assert first.id in ids(QueryOrderStatus.CLOSED) and second.id not in ids(QueryOrderStatus.CLOSED)
    assert ids(QueryOrderStatus.ALL, limit=2) == [second.id, first.id]
    assert ids(QueryOrderStatus.OPEN, symbols=["IBM"]) == []
    assert ids(QueryOrderStatus.OPEN, symbols=["XLK", "IBM"], side=BUY) == [second.id]
    assert ids(QueryOrderStatus.OPEN, side=SELL) == []


@case
def pages_of_orders():
    orders = [limit(away(s), symbol=s) for s in ("AAPL", "SPY", "IBM", "XLK", "GOOG")]
    seen, after = [], orders[0].submitted_at - timedelta(microseconds=1)
    while True:
        page = trading.get_orders(GetOrdersRequest(
            status=QueryOrderStatus.ALL, limit=2, direction="asc", after=after))
        if not page:
            break
        seen += [o.id for o in page]
        after = page[-1].submitted_at
    assert seen[-5:] == [o.id for o in orders] or set(o.id for o in orders) <= set(seen), seen
    refused(lambda: trading.get_orders(GetOrdersRequest(limit=501)), 422, 40010001, "limit")


@case
def nested_lists_hold_legs():
    order = bracket(entry=away(part=0.9))
    rows = trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN, nested=True))
    assert [row.id for row in rows] == [order.id] and len(rows[0].legs) == 2


# Account and positions.

@case
def the_account():
    account = trading.get_account()
    assert account.status == "ACTIVE" and account.currency == "USD"
    assert float(account.cash) > 0 and float(account.equity) > 0
    assert account.pattern_day_trader is False and account.daytrade_count == 0


@case
def buying_power_is_reserved():
    before = float(trading.get_account().buying_power)
    price = away()
    order = limit(price, qty=10)
    assert abs(before - float(trading.get_account().buying_power) - 10 * price) < 0.01
    trading.cancel_order_by_id(order.id)
    reaches(order, OrderStatus.CANCELED)
    assert float(trading.get_account().buying_power) == before


@case
def account_settings():
    config = trading.get_account_configurations()
    config.no_shorting = True
    config.trade_confirm_email = TradeConfirmationEmail.NONE
    assert trading.set_account_configurations(config).no_shorting
    refused(lambda: market("AAPL", SELL, qty=1), 403, 40310000, "not allowed to short")
    config.no_shorting = False
    config.trade_confirm_email = TradeConfirmationEmail.ALL
    trading.set_account_configurations(config)


@case
def positions():
    done = reaches(market(qty=4), OrderStatus.FILLED)
    position = trading.get_open_position("AAPL")
    assert position.qty == "4" and position.side == PositionSide.LONG
    assert float(position.avg_entry_price) == float(done.filled_avg_price)
    assert abs(float(position.cost_basis) - 4 * float(position.avg_entry_price)) < 1e-6
    assert trading.get_open_position(position.asset_id).symbol == "AAPL"
    limit(away(part=1.2), side=SELL, qty=1)
    assert trading.get_open_position("AAPL").qty_available == "3"
    refused(lambda: trading.get_open_position("IBM"), 404, 40410000, "position does not exist")


@case
def a_part_of_a_position_closes():
    reaches(market(qty=4), OrderStatus.FILLED)
    reaches(trading.close_position("AAPL", ClosePositionRequest(qty="1")), OrderStatus.FILLED)
    assert trading.get_open_position("AAPL").qty == "3"
    reaches(trading.close_position("AAPL", ClosePositionRequest(percentage="50")), OrderStatus.FILLED)
    assert trading.get_open_position("AAPL").qty == "1.5"
    reaches(trading.close_position("AAPL"), OrderStatus.FILLED)
    refused(lambda: trading.close_position("AAPL"), 404, 40410000, "position does not exist")


@case
def all_positions_close():
    for symbol in ("AAPL", "SPY"):
        reaches(market(symbol, qty=1), OrderStatus.FILLED)
    rows = trading.close_all_positions(cancel_orders=True)
    assert {row.symbol for row in rows} == {"AAPL", "SPY"} and all(row.status == 200 for row in rows)


@case
def cash_follows_fills():
    before = float(trading.get_account().cash)
    done = reaches(market(qty=3), OrderStatus.FILLED)
    after = float(trading.get_account().cash)
    assert abs(before - after - 3 * float(done.filled_avg_price)) < 1e-4


@case
def activities():
    done = reaches(market(qty=1), OrderStatus.FILLED)
    rows = trading.get("/account/activities/FILL")
    assert rows[0]["order_id"] == str(done.id) and rows[0]["activity_type"] == "FILL"
    assert rows[0]["qty"] == "1" and rows[0]["cum_qty"] == "1" and rows[0]["side"] == "buy"
    first = trading.get("/account/activities", {"page_size": 1})
    second = trading.get("/account/activities", {"page_size": 1, "page_token": first[0]["id"]})
    assert len(first) == 1 and second[0]["id"] != first[0]["id"]


@case
def portfolio_history():
    history = trading.get_portfolio_history(GetPortfolioHistoryRequest(period="1M", timeframe="1D"))
    assert len(history.timestamp) == len(history.equity) > 0 and history.timeframe == "1D"


# Reference.

@case
def the_clock():
    clock = trading.get_clock()
    assert clock.is_open and clock.timestamp < clock.next_close < clock.next_open
    assert clock.timestamp.utcoffset() in (timedelta(hours=-4), timedelta(hours=-5))


@case
def the_calendar():
    days = trading.get_calendar(GetCalendarRequest(start=date(2020, 4, 6), end=date(2020, 4, 13)))
    assert [d.date.day for d in days] == [6, 7, 8, 9, 13]
    early = trading.get_calendar(GetCalendarRequest(start=date(2024, 11, 29), end=date(2024, 11, 29)))
    assert early[0].close.hour == 13


@case
def assets():
    apple = trading.get_asset("AAPL")
    assert str(apple.id) == "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415" and apple.exchange == "NASDAQ"
    assert trading.get_asset(apple.id).symbol == "AAPL"
    names = {a.symbol for a in trading.get_all_assets(GetAssetsRequest(status=AssetStatus.ACTIVE))}
    assert {"AAPL", "SPY", "AMZN", "GOOG", "IBM", "XLK", "TSLA", "BTC/USD"} <= names
    only = trading.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))
    assert {a.symbol for a in only} == {"BTC/USD"}
    assert trading.get_asset("BTC/USD").id == trading.get_asset("BTCUSD").id
    refused(lambda: trading.get_asset("ZZZZ"), 404, 40410000, "asset not found")


@case
def watchlists():
    name = f"list-{uuid.uuid4()}"
    made = trading.create_watchlist(CreateWatchlistRequest(name=name, symbols=["AAPL", "SPY"]))
    assert [a.symbol for a in made.assets] == ["AAPL", "SPY"]
    refused(lambda: trading.create_watchlist(CreateWatchlistRequest(name=name, symbols=[])), 422, 40010001, "unique")
    assert made.id in {w.id for w in trading.get_watchlists()}
    added = trading.add_asset_to_watchlist_by_id(made.id, "IBM")
    assert [a.symbol for a in added.assets] == ["AAPL", "SPY", "IBM"]
    left = trading.remove_asset_from_watchlist_by_id(made.id, "SPY")
    assert [a.symbol for a in left.assets] == ["AAPL", "IBM"]
    trading.update_watchlist_by_id(made.id, UpdateWatchlistRequest(name=name, symbols=["XLK"]))
    assert [a.symbol for a in trading.get_watchlist_by_id(made.id).assets] == ["XLK"]
    trading.delete_watchlist_by_id(made.id)
    refused(lambda: trading.get_watchlist_by_id(made.id), 404, 40410000, "watchlist")


# Market data by request.

@case
def latest_prices():
    both = stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=["AAPL", "SPY"]))
    assert set(both) == {"AAPL", "SPY"} and both["SPY"].ask_price > both["SPY"].bid_price > 0
    trade = stocks.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert trade.price > 0 and trade.timestamp
    assert stocks.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="AAPL"))["AAPL"].vwap > 0


@case
def bars_of_the_past():
    start = datetime.now(timezone.utc) - timedelta(hours=1)
    for frame in (TimeFrame.Minute, TimeFrame(5, TimeFrameUnit.Minute), TimeFrame.Hour, TimeFrame.Day):
        bars = stocks.get_stock_bars(StockBarsRequest(
            symbol_or_symbols=["AAPL", "SPY"], timeframe=frame, start=start - timedelta(days=1)))
        assert len(bars["AAPL"]) > 0 and bars["AAPL"][0].high >= bars["AAPL"][0].low, frame


@case
def trades_and_quotes_of_the_past():
    start = datetime.now(timezone.utc) - timedelta(minutes=10)
    trades = stocks.get_stock_trades(StockTradesRequest(symbol_or_symbols="AAPL", start=start, limit=20))
    assert 0 < len(trades["AAPL"]) <= 20
    times = [row.timestamp for row in trades["AAPL"]]
    assert times == sorted(times)
    quotes = stocks.get_stock_quotes(StockQuotesRequest(symbol_or_symbols="AAPL", start=start))
    assert len(quotes["AAPL"]) > 10


@case
def snapshots():
    shot = stocks.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=["AAPL", "IBM"]))
    assert shot["IBM"].latest_quote.bid_price > 0 and shot["AAPL"].daily_bar.volume > 0
    shot = coins.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols="BTC/USD"))
    assert shot["BTC/USD"].latest_trade.price > 0


@case
def coins_of_the_past():
    open_client = CryptoHistoricalDataClient(url_override=HTTP)
    quote = open_client.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols="BTC/USD"))
    assert quote["BTC/USD"].ask_price > 0
    bars = coins.get_crypto_bars(CryptoBarsRequest(
        symbol_or_symbols="BTC/USD", timeframe=TimeFrame.Minute,
        start=datetime.now(timezone.utc) - timedelta(hours=1)))
    assert len(bars["BTC/USD"]) > 10
    book = coins.get_crypto_latest_orderbook(CryptoLatestOrderbookRequest(symbol_or_symbols="BTC/USD"))
    assert book["BTC/USD"].asks[0].price > book["BTC/USD"].bids[0].price


@case
def data_says_no_without_a_code():
    head = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
    for bad in ("symbols=ABC123", "symbols=AAPL&page_token=x1", "symbols=AAPL&limit=0", "symbols=AAPL&start=soon"):
        answer = requests.get(f"{HTTP}/v2/stocks/trades?{bad}", headers=head)
        assert answer.status_code == 400 and list(answer.json()) == ["message"], (bad, answer.text)
    answer = requests.get(f"{HTTP}/v2/stocks/quotes/latest?symbols=AAPL,NONE", headers=head)
    assert list(answer.json()["quotes"]) == ["AAPL"]


@case
def news_of_the_past():
    rows = NewsClient(KEY, SECRET, url_override=HTTP).get_news(NewsRequest(limit=5))
    assert 0 < len(rows.data["news"]) <= 5


# Streams.

class Running:
    """A stream that runs on a thread of its own until the block ends."""

    def __init__(self, stream):
        self.stream = stream
        self.thread = threading.Thread(target=stream.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self.stream

    def __exit__(self, *_):
        until(lambda: getattr(self.stream, "_running", False), "the stream runs")
        self.stream.stop()
        self.thread.join(15)


def updates():
    seen = []

    async def take(update):
        seen.append(update)

    stream = TradingStream(KEY, SECRET, url_override=f"{WS}/stream")
    stream.subscribe_trade_updates(take)
    return Running(stream), seen


def ready(running):
    until(lambda: running.stream._running, "the stream is authorised")
    time.sleep(0.3)


@case
def updates_of_a_fill():
    running, seen = updates()
    with running:
        ready(running)
        order = market(qty=2)
        until(lambda: any(u.event == "fill" for u in seen), "fill")
        mine = [u for u in seen if u.order.id == order.id]
        events = [u.event.value if hasattr(u.event, "value") else u.event for u in mine]
        assert events[-2:] == ["new", "fill"], events
        fill = mine[-1]
        assert fill.qty == 2 and fill.position_qty == 2 and fill.price > 0
        assert fill.order.status == OrderStatus.FILLED and fill.execution_id
        # The view by request never lags behind an event.
        assert status(order) == OrderStatus.FILLED


@case
def updates_of_a_replace_and_a_cancel():
    running, seen = updates()
    with running:
        ready(running)
        order = limit(away())
        reaches(order, OrderStatus.NEW)
        new = trading.replace_order_by_id(order.id, ReplaceOrderRequest(qty=2))
        trading.cancel_order_by_id(new.id)
        until(lambda: any(u.event == "canceled" for u in seen), "canceled")
        told = [(u.event.value if hasattr(u.event, "value") else u.event, u.order.id) for u in seen]
        assert ("replaced", order.id) in told and told[-1] == ("canceled", new.id), told
        assert ("new", new.id) in told, told
        replaced = next(u for u in seen if u.event == "replaced")
        assert replaced.order.replaced_by == new.id and replaced.order.status == OrderStatus.REPLACED


def data(stream, subscribe):
    seen = []

    async def take(row):
        seen.append(row)

    subscribe(stream, take)
    return Running(stream), seen


@case
def stock_streams():
    def subscribe(stream, take):
        stream.subscribe_trades(take, "AAPL")
        stream.subscribe_quotes(take, "SPY", "IBM")

    running, seen = data(StockDataStream(KEY, SECRET, url_override=f"{WS}/v2/iex"), subscribe)
    with running:
        until(lambda: {"AAPL", "SPY", "IBM"} <= {row.symbol for row in list(seen)}, "ticks", 20)
        until(lambda: any(hasattr(row, "bid_price") for row in list(seen)), "a quote", 20)
        assert all(row.timestamp for row in list(seen))


@case
def a_star_is_all_stocks():
    running, seen = data(StockDataStream(KEY, SECRET, url_override=f"{WS}/v2/sip"),
                         lambda stream, take: stream.subscribe_quotes(take, "*"))
    with running:
        until(lambda: len({row.symbol for row in list(seen)}) >= 5, "many symbols", 20)


@case
def crypto_streams():
    def subscribe(stream, take):
        stream.subscribe_quotes(take, "BTC/USD")
        stream.subscribe_orderbooks(take, "BTC/USD")

    running, seen = data(CryptoDataStream(KEY, SECRET, url_override=f"{WS}/v1beta3/crypto/us"), subscribe)
    with running:
        until(lambda: any(hasattr(row, "ask_price") for row in list(seen)), "quotes", 20)
        until(lambda: any(hasattr(row, "asks") for row in list(seen)), "books", 20)


@case
def news_streams():
    running, seen = data(NewsDataStream(KEY, SECRET, url_override=f"{WS}/v1beta1/news"),
                         lambda stream, take: stream.subscribe_news(take, "*"))
    with running:
        until(lambda: seen, "an article", 20)
        assert seen[0].headline and seen[0].created_at


def talk(path, *messages):
    """What a socket says: once for its beginning (data only), once for each message."""

    async def run():
        async with websockets.connect(WS + path) as socket:
            said = [json.loads(await socket.recv())] if path != "/stream" else []
            for message in messages:
                await socket.send(json.dumps(message))
                said.append(json.loads(await asyncio.wait_for(socket.recv(), 10)))
            return said

    return asyncio.run(run())


LOGIN = {"action": "auth", "key": KEY, "secret": SECRET}


@case
def what_a_data_stream_says():
    said = talk("/v2/iex", {"action": "subscribe", "trades": ["AAPL"]}, {"action": "nothing"}, LOGIN, LOGIN,
                {"action": "subscribe", "news": ["*"]},
                {"action": "unsubscribe", "trades": ["SPY"]})
    codes = [row[0].get("code", row[0].get("msg", row[0]["T"])) for row in said]
    assert codes == ["connected", 401, 400, "authenticated", 403, 410, "subscription"], codes
    assert said[-1][0]["corrections"] == [] and said[-1][0]["bars"] == []
    wrong = talk("/v2/iex", {"action": "auth", "key": KEY, "secret": "no"})
    assert wrong[1][0]["code"] == 402 and wrong[1][0]["msg"] == "auth failed"


@case
def one_data_connection_at_a_time():
    async def two():
        async with websockets.connect(f"{WS}/v2/sip") as first, websockets.connect(f"{WS}/v2/sip") as second:
            said = []
            # The second logs in when the first is in: which of two at once is first, nobody knows.
            for socket in (first, second):
                await socket.recv()
                await socket.send(json.dumps(LOGIN))
                said.append(json.loads(await socket.recv()))
            return said

    first, second = asyncio.run(two())
    assert first[0]["msg"] == "authenticated" and second[0]["code"] == 406, second


@case
def both_forms_of_login_on_the_trade_stream():
    other = {"action": "authenticate", "data": {"key_id": KEY, "secret_key": SECRET}}
    listen = {"action": "listen", "data": {"streams": ["trade_updates", "nothing"]}}
    for form in (LOGIN, other):
        said = talk("/stream", form, listen)
        assert said[0] == {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}
        assert said[1] == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
    assert talk("/stream", listen)[0]["data"]["status"] == "unauthorized"


@case
def the_test_stream_always_ticks():
    said = talk("/v2/test", LOGIN, {"action": "subscribe", "trades": ["FAKEPACA"], "quotes": ["FAKEPACA"]})
    assert said[-1][0]["trades"] == ["FAKEPACA"]


# OAuth2 and faults.

@case
def a_token_by_oauth():
    query = {"response_type": "code", "client_id": "c", "redirect_uri": "http://127.0.0.1/back",
             "state": "s t", "scope": "account:write trading data"}
    page = requests.get(f"{HTTP}/oauth/authorize", params=query, allow_redirects=False)
    assert page.status_code == 302 and "state=s%20t" in page.headers["Location"]
    code = page.headers["Location"].split("code=")[1].split("&")[0]
    form = {"grant_type": "authorization_code", "code": code, "client_id": "c",
            "client_secret": "x", "redirect_uri": "http://127.0.0.1/back"}
    answer = requests.post(f"{HTTP}/oauth/token", data=form).json()
    assert answer["token_type"] == "bearer"
    assert TradingClient(oauth_token=answer["access_token"], url_override=HTTP).get_account().status == "ACTIVE"
    assert requests.post(f"{HTTP}/oauth/token", data=form).status_code == 400


@case
def a_lost_answer_is_found_by_its_client_id():
    name = f"lost-{uuid.uuid4()}"
    requests.post(f"{HTTP}/__sim/faults", json={"kind": "lost_response", "method": "POST", "path": "/v2/orders", "times": 1})
    try:
        limit(away(), client_order_id=name)
    except requests.exceptions.ConnectionError:
        assert trading.get_order_by_client_id(name).client_order_id == name
        return
    raise AssertionError("the answer was not lost")


@case
def a_status_on_purpose():
    requests.post(f"{HTTP}/__sim/faults", json={"kind": "status", "status": 500, "path": "/v2/clock", "times": 1})
    refused(trading.get_clock, 500, 50010000, "on purpose")
    assert trading.get_clock().is_open


@case
def a_late_fill_and_a_bust():
    order = limit(away(), qty=2)
    trading.cancel_order_by_id(order.id)
    reaches(order, OrderStatus.CANCELED)
    running, seen = updates()
    with running:
        ready(running)
        price = away()
        assert requests.post(f"{HTTP}/__sim/fill?order={order.id}&qty=1&price={price}").ok
        until(lambda: seen, "the late fill")
        assert trading.get_order_by_id(order.id).filled_qty == "1"
        assert trading.get_open_position("AAPL").qty == "1"
        assert requests.post(f"{HTTP}/__sim/bust?order={order.id}").ok
        until(lambda: len(seen) > 1, "the bust")
        assert seen[-1].event == "trade_bust"
        assert trading.get_order_by_id(order.id).filled_qty == "0"
        assert not trading.get_all_positions()


if __name__ == "__main__":
    run(clean)
