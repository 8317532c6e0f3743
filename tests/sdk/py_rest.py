"""Cases of alpaca-py over HTTP. Usage: py_rest.py URL KEY SECRET. Prints one line a case."""
import sys, time, uuid
from datetime import date, datetime, timedelta, timezone
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import *
from alpaca.trading.requests import *
from alpaca.data.historical import (
    StockHistoricalDataClient, CryptoHistoricalDataClient, NewsClient)
from alpaca.data.requests import *
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

url, key, secret = sys.argv[1:4]
client = TradingClient(key, secret, paper=True, url_override=url)
stocks = StockHistoricalDataClient(key, secret, url_override=url)
coins = CryptoHistoricalDataClient(key, secret, url_override=url)
failed = 0
B, S = OrderSide.BUY, OrderSide.SELL
DAY, GTC = TimeInForce.DAY, TimeInForce.GTC


def case(function):
    global failed
    try:
        function()
        print("ok", function.__name__)
    except Exception as error:  # a case must not end the run
        failed += 1
        print("FAILED", function.__name__, type(error).__name__, error)
    client.cancel_orders()
    client.close_all_positions(cancel_orders=True)
    return function


def refused(status, code, text, call):
    try:
        call()
    except APIError as error:
        assert error.status_code == status, (error.status_code, str(error))
        assert error.code == code, (error.code, str(error))
        assert text in error.message, error.message
        return error
    raise AssertionError(f"not refused: {text}")


def wait(order, *states):
    for _ in range(100):
        now = client.get_order_by_id(order.id)
        if now.status.value in states:
            return now
        time.sleep(0.02)
    raise AssertionError(f"{now.status} is none of {states}")


def limit(symbol="AAPL", qty=1, side=B, price=None, **more):
    price = price or round(last(symbol) * (0.8 if side == B else 1.2), 2)
    more.setdefault("time_in_force", DAY)
    return client.submit_order(LimitOrderRequest(
        symbol=symbol, qty=qty, side=side, limit_price=price, **more))


def market(symbol="AAPL", qty=1, side=B, **more):
    more.setdefault("time_in_force", DAY)
    return client.submit_order(MarketOrderRequest(symbol=symbol, qty=qty, side=side, **more))


def last(symbol):
    quote = stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=symbol))
    return quote[symbol].ask_price


@case
def account_has_money_and_status():
    account = client.get_account()
    assert account.status.value == "ACTIVE" and account.currency == "USD"
    assert float(account.cash) > 0 and float(account.buying_power) >= float(account.cash)
    assert account.pattern_day_trader is False and account.multiplier == "2"


@case
def configuration_is_patched_in_part():
    config = client.get_account_configurations()
    config.no_shorting = True
    assert client.set_account_configurations(config).no_shorting is True
    try:
        refused(403, 40310000, "not allowed to short", lambda: market(side=S))
    finally:
        config.no_shorting = False
        client.set_account_configurations(config)
    assert client.get_account_configurations().no_shorting is False


@case
def market_order_fills():
    order = market(qty=2)
    assert order.status.value in ("accepted", "pending_new"), order.status
    assert order.filled_qty == "0" and order.qty == "2" and order.order_class.value in ("", "simple")
    done = wait(order, "filled")
    assert done.filled_qty == "2" and float(done.filled_avg_price) > 0 and done.filled_at
    position = client.get_open_position("AAPL")
    assert position.qty == "2" and position.side.value == "long" and position.qty_available == "2"


@case
def limit_order_far_away_rests():
    order = limit()
    now = wait(order, "new")
    assert now.filled_qty == "0" and now.filled_avg_price is None
    assert now.position_intent.value == "buy_to_open"


@case
def limit_order_through_the_touch_fills():
    wait(limit(price=round(last("AAPL") * 1.05, 2)), "filled")


@case
def notional_order_fills_in_fractions():
    order = client.submit_order(MarketOrderRequest(
        symbol="AAPL", notional=100, side=B, time_in_force=DAY))
    assert order.qty is None and float(order.notional) == 100
    done = wait(order, "filled")
    assert 0 < float(done.filled_qty) < 1
    assert abs(float(done.filled_qty) * float(done.filled_avg_price) - 100) < 0.01


@case
def fractional_order_fills():
    assert wait(market(qty=0.5), "filled").filled_qty == "0.5"


@case
def fractional_order_must_be_day():
    refused(422, 42210000, "fractional orders must be DAY", lambda: market(qty=0.5, time_in_force=GTC))


@case
def fractional_short_is_refused():
    refused(422, 42210000, "fractional orders cannot be sold short", lambda: market(qty=0.5, side=S))


@case
def stop_order_rests_and_is_marked():
    order = client.submit_order(StopOrderRequest(
        symbol="AAPL", qty=1, side=B, time_in_force=GTC, stop_price=round(last("AAPL") * 1.3, 2)))
    now = wait(order, "new")
    assert now.type.value == "stop" and now.limit_price is None and float(now.stop_price) > 0


@case
def stop_order_through_the_market_fills():
    order = client.submit_order(StopOrderRequest(
        symbol="AAPL", qty=1, side=B, time_in_force=DAY, stop_price=round(last("AAPL") * 0.9, 2)))
    wait(order, "filled")


@case
def stop_limit_order_rests():
    price = last("AAPL")
    order = client.submit_order(StopLimitOrderRequest(
        symbol="AAPL", qty=1, side=B, time_in_force=DAY,
        stop_price=round(price * 1.2, 2), limit_price=round(price * 1.25, 2)))
    assert wait(order, "new").type.value == "stop_limit"


@case
def trailing_stop_by_price_and_percent():
    for trail in ({"trail_price": 50}, {"trail_percent": 10}):
        order = client.submit_order(TrailingStopOrderRequest(
            symbol="AAPL", qty=1, side=B, time_in_force=GTC, **trail))
        now = wait(order, "new")
        assert now.hwm and float(now.stop_price) > float(now.hwm)
        assert (now.trail_price is None) == ("trail_percent" in trail)
        client.cancel_order_by_id(order.id)


@case
def trailing_stop_is_replaced_through_trail():
    order = client.submit_order(TrailingStopOrderRequest(
        symbol="AAPL", qty=1, side=B, time_in_force=GTC, trail_percent=10))
    wait(order, "new")
    new = client.replace_order_by_id(order.id, ReplaceOrderRequest(trail=12))
    assert float(new.trail_percent) == 12, new.trail_percent


@case
def ioc_fok_opg_cls_are_taken():
    for tif in (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG, TimeInForce.CLS):
        order = limit(time_in_force=tif, price=1)
        client.cancel_order_by_id(order.id)
        wait(order, "canceled", "expired")


@case
def extended_hours_limit_is_taken():
    assert limit(extended_hours=True).extended_hours is True


@case
def extended_hours_market_is_refused():
    refused(422, 42210000, "extended hours", lambda: market(extended_hours=True))


@case
def bracket_shows_two_held_legs():
    price = last("AAPL")
    order = limit(price=round(price * 0.8, 2), order_class=OrderClass.BRACKET,
                  take_profit=TakeProfitRequest(limit_price=round(price * 1.2, 2)),
                  stop_loss=StopLossRequest(stop_price=round(price * 0.7, 2)))
    assert order.order_class.value == "bracket"
    assert [leg.status.value for leg in order.legs] == ["held", "held"]
    assert [leg.type.value for leg in order.legs] == ["limit", "stop"]
    assert all(leg.side.value == "sell" for leg in order.legs)
    open_ids = [o.id for o in client.get_orders()]
    assert open_ids == [order.id], "held legs are in no open list"
    client.cancel_order_by_id(order.id)
    for leg in order.legs:
        wait(leg, "canceled")


@case
def bracket_entry_fill_releases_the_take_profit():
    price = last("AAPL")
    order = market(qty=3, order_class=OrderClass.BRACKET,
                   take_profit=TakeProfitRequest(limit_price=round(price * 1.2, 2)),
                   stop_loss=StopLossRequest(stop_price=round(price * 0.8, 2)))
    wait(order, "filled")
    profit, stop = order.legs
    wait(profit, "new")
    assert client.get_order_by_id(stop.id).status.value == "held"
    nested = client.get_order_by_id(order.id, GetOrderByIdRequest(nested=True))
    assert len(nested.legs) == 2
    client.cancel_order_by_id(profit.id)
    wait(profit, "canceled")
    wait(stop, "canceled")


@case
def bracket_take_profit_fills_and_stop_goes():
    price = last("AAPL")
    order = market(qty=3, order_class=OrderClass.BRACKET,
                   take_profit=TakeProfitRequest(limit_price=round(price * 1.2, 2)),
                   stop_loss=StopLossRequest(stop_price=round(price * 0.8, 2)))
    wait(order, "filled")
    profit, stop = order.legs
    new = client.replace_order_by_id(
        profit.id, ReplaceOrderRequest(limit_price=round(price * 0.9, 2)))
    wait(new, "filled")
    wait(stop, "canceled")


@case
def bracket_prices_must_fit():
    price = last("AAPL")
    refused(422, 42210000, "take_profit.limit_price must be >", lambda: market(
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=round(price * 0.8, 2)),
        stop_loss=StopLossRequest(stop_price=round(price * 0.9, 2))))


@case
def oco_parent_is_the_take_profit():
    wait(market(qty=2), "filled")
    price = last("AAPL")
    order = limit(qty=2, side=S, price=round(price * 1.2, 2), order_class=OrderClass.OCO,
                  take_profit=TakeProfitRequest(limit_price=round(price * 1.2, 2)),
                  stop_loss=StopLossRequest(stop_price=round(price * 0.8, 2)))
    assert len(order.legs) == 1 and order.legs[0].type.value == "stop"
    wait(order, "new")
    client.cancel_order_by_id(order.id)
    wait(order.legs[0], "canceled")


@case
def oto_has_one_leg():
    price = last("AAPL")
    order = limit(price=round(price * 0.8, 2), order_class=OrderClass.OTO,
                  stop_loss=StopLossRequest(stop_price=round(price * 0.7, 2)))
    assert len(order.legs) == 1 and order.legs[0].status.value == "held"


@case
def replace_makes_a_new_order():
    order = limit(qty=5)
    wait(order, "new")
    new = client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=3, limit_price=1.5))
    assert new.id != order.id and new.client_order_id != order.client_order_id
    assert new.replaces == order.id and new.qty == "3" and float(new.limit_price) == 1.5
    old = client.get_order_by_id(order.id)
    assert old.status.value == "replaced" and old.replaced_by == new.id and old.qty == "5"
    refused(422, 42210000, "", lambda: client.cancel_order_by_id(order.id))


@case
def replace_without_change_is_refused():
    order = limit(qty=5, price=1.5)
    wait(order, "new")
    refused(403, 40310000, "order parameters are not changed",
            lambda: client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=5)))


@case
def replace_takes_a_client_id_and_a_time_in_force():
    order = limit()
    wait(order, "new")
    name = str(uuid.uuid4())
    new = client.replace_order_by_id(order.id, ReplaceOrderRequest(
        time_in_force=GTC, client_order_id=name))
    assert new.client_order_id == name and new.time_in_force.value == "gtc"
    assert client.get_order_by_client_id(name).id == new.id


@case
def replace_of_a_filled_order_is_refused():
    order = market()
    wait(order, "filled")
    refused(422, 42210000, "filled",
            lambda: client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=2)))


@case
def cancel_twice_is_no_error_and_filled_is_one():
    order = limit()
    client.cancel_order_by_id(order.id)
    wait(order, "canceled")
    client.cancel_order_by_id(order.id)
    done = market()
    wait(done, "filled")
    refused(422, 42210000, "already in \"filled\" state", lambda: client.cancel_order_by_id(done.id))


@case
def unknown_orders_are_404():
    nobody = uuid.uuid4()
    refused(404, 40410000, "order not found", lambda: client.get_order_by_id(nobody))
    refused(404, 40410000, "order not found", lambda: client.cancel_order_by_id(nobody))
    refused(404, 40410000, "order not found", lambda: client.get_order_by_client_id("nobody"))


@case
def cancel_all_tells_of_each():
    orders = [limit(), limit("SPY"), limit("IBM")]
    rows = client.cancel_orders()
    assert {row.id for row in rows} == {order.id for order in orders}
    assert all(row.status == 200 for row in rows)
    assert client.get_orders() == []


@case
def client_id_is_spent_for_ever():
    name = str(uuid.uuid4())
    order = limit(client_order_id=name)
    refused(422, 42210000, "client_order_id must be unique", lambda: limit(client_order_id=name))
    client.cancel_order_by_id(order.id)
    refused(422, 40010001, "client_order_id must be unique", lambda: limit(client_order_id=name))


@case
def refused_order_spends_no_client_id():
    name = str(uuid.uuid4())
    refused(403, 40310000, "insufficient buying power",
            lambda: limit(qty=100000, price=1000, client_order_id=name))
    refused(404, 40410000, "order not found", lambda: client.get_order_by_client_id(name))
    assert limit(client_order_id=name).client_order_id == name


@case
def too_much_is_refused_with_the_numbers():
    error = refused(403, 40310000, "insufficient buying power", lambda: limit(qty=100000, price=1000))
    assert "cost_basis" in str(error) and "buying_power" in str(error)
    refused(403, 40310000, "insufficient", lambda: client.submit_order(MarketOrderRequest(
        symbol="SPY", notional=10_000_000, side=B, time_in_force=DAY)))


@case
def open_orders_bind_buying_power():
    before = float(client.get_account().buying_power)
    limit(qty=10, price=100)
    after = float(client.get_account().buying_power)
    assert abs(before - after - 1000) < 1, (before, after)
    client.cancel_orders()
    assert abs(float(client.get_account().buying_power) - before) < 1


@case
def wash_trades_are_refused():
    price = last("AAPL")
    wait(market(qty=2), "filled")
    resting = limit(price=round(price * 0.9, 2))
    wait(resting, "new")
    error = refused(403, 40310000, "potential wash trade", lambda: market(side=S))
    assert str(resting.id) in str(error) and "opposite side" in str(error)
    refused(403, 40310000, "potential wash trade",
            lambda: limit(side=S, price=round(price * 0.85, 2)))
    wait(limit(side=S, price=round(price * 1.3, 2)), "new")


@case
def selling_more_than_there_is_is_refused():
    wait(market(qty=2), "filled")
    error = refused(403, 40310000, "insufficient qty available", lambda: market(qty=10, side=S))
    assert '"available":"2"' in str(error).replace(" ", "")
    resting = limit(qty=2, side=S)
    wait(resting, "new")
    assert client.get_open_position("AAPL").qty_available == "0"
    refused(403, 40310000, "insufficient qty available", lambda: limit(qty=1, side=S, price=999))


@case
def short_sale_makes_a_short_position():
    wait(market("IBM", qty=3, side=S), "filled")
    position = client.get_open_position("IBM")
    assert position.qty == "-3" and position.side.value == "short"
    assert float(position.market_value) < 0


@case
def wrong_fields_are_named():
    for code, text, call in (
        (42210000, 'asset "ZZZZ" not found', lambda: market("ZZZZ")),
        (42210000, "sub-penny", lambda: limit(price=290.123)),
        (40010001, "client_order_id", lambda: limit(client_order_id="x" * 129)),
        (40010001, "qty must be > 0", lambda: market(qty=-1)),
        (40010001, "notional must be >=", lambda: client.submit_order(MarketOrderRequest(
            symbol="SPY", notional=0.5, side=B, time_in_force=DAY))),
    ):
        refused(422, code, text, call)


@case
def crypto_market_order_fills():
    order = market("BTC/USD", qty=0.01, time_in_force=GTC)
    assert order.symbol == "BTC/USD" and order.asset_class.value == "crypto"
    wait(order, "filled")
    position = client.get_open_position("BTCUSD")
    assert position.symbol == "BTCUSD" and position.qty == "0.01"
    assert client.get_open_position("BTC/USD").asset_id == position.asset_id


@case
def crypto_rules():
    refused(422, 42210000, "invalid crypto time_in_force", lambda: market("BTC/USD", qty=0.01))
    refused(403, 40310000, "minimal amount of order 10",
            lambda: market("BTC/USD", qty=0.0001, time_in_force=GTC))
    refused(403, 40310000, "insufficient balance for BTC",
            lambda: market("BTC/USD", qty=0.01, side=S, time_in_force=GTC))
    refused(422, 42210000, "not allowed for advanced order_class", lambda: market(
        "BTC/USD", qty=0.01, time_in_force=GTC, order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=99999),
        stop_loss=StopLossRequest(stop_price=1)))


@case
def lists_filter_and_page():
    orders = [limit(), limit("SPY"), limit("IBM", side=S), limit()]
    listed = client.get_orders()
    assert [o.id for o in listed] == [o.id for o in reversed(orders)]
    up = client.get_orders(GetOrdersRequest(direction="asc", limit=2))
    assert [o.id for o in up] == [o.id for o in orders[:2]]
    page = client.get_orders(GetOrdersRequest(direction="asc", after=up[-1].submitted_at))
    assert len(page) >= 2 and page[-1].id == orders[-1].id
    assert len(client.get_orders(GetOrdersRequest(symbols=["SPY", "IBM"]))) == 2
    assert [o.symbol for o in client.get_orders(GetOrdersRequest(side=S))] == ["IBM"]
    client.cancel_order_by_id(orders[0].id)
    closed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED, limit=1))
    assert closed[0].id != orders[1].id
    everything = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, nested=True, limit=500))
    assert {o.id for o in orders} <= {o.id for o in everything}
    refused(422, 40010001, "limit", lambda: client.get_orders(GetOrdersRequest(limit=501)))


@case
def positions_close_in_part_and_whole():
    wait(market(qty=10), "filled")
    wait(client.close_position("AAPL", ClosePositionRequest(qty="4")), "filled")
    assert client.get_open_position("AAPL").qty == "6"
    wait(client.close_position("AAPL", ClosePositionRequest(percentage="50")), "filled")
    assert client.get_open_position("AAPL").qty == "3"
    wait(client.close_position("AAPL"), "filled")
    refused(404, 40410000, "position does not exist", lambda: client.get_open_position("AAPL"))
    refused(404, 40410000, "position does not exist", lambda: client.close_position("AAPL"))


@case
def all_positions_close():
    wait(market(qty=1), "filled")
    wait(market("SPY", qty=1), "filled")
    assert len(client.get_all_positions()) == 2
    rows = client.close_all_positions(cancel_orders=True)
    assert sorted(row.symbol for row in rows) == ["AAPL", "SPY"]
    assert all(row.status == 200 for row in rows)
    assert client.get_all_positions() == []


@case
def clock_keeps_its_promise():
    clock = client.get_clock()
    assert clock.is_open and clock.timestamp < clock.next_close < clock.next_open


@case
def calendar_leaves_holidays_out():
    days = client.get_calendar(GetCalendarRequest(start=date(2020, 4, 6), end=date(2020, 4, 10)))
    assert [day.date.day for day in days] == [6, 7, 8, 9]
    half = client.get_calendar(GetCalendarRequest(start=date(2024, 11, 29), end=date(2024, 11, 29)))
    assert half[0].close.hour == 13


@case
def assets_by_symbol_id_and_list():
    asset = client.get_asset("AAPL")
    assert str(asset.id) == "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415" and asset.exchange.value == "NASDAQ"
    assert client.get_asset(str(asset.id)).symbol == "AAPL"
    assert client.get_asset("BTC/USD").asset_class.value == "crypto"
    symbols = {a.symbol for a in client.get_all_assets(GetAssetsRequest(asset_class=AssetClass.US_EQUITY))}
    assert {"AAPL", "SPY", "AMZN", "GOOG", "IBM", "XLK", "TSLA"} <= symbols
    refused(404, 40410000, "asset not found", lambda: client.get_asset("ZZZZ"))


@case
def watchlists_live():
    made = client.create_watchlist(CreateWatchlistRequest(name="mine", symbols=["AAPL", "SPY"]))
    assert [a.symbol for a in made.assets] == ["AAPL", "SPY"]
    refused(422, 40010001, "unique", lambda: client.create_watchlist(
        CreateWatchlistRequest(name="mine", symbols=["AAPL"])))
    more = client.add_asset_to_watchlist_by_id(made.id, "IBM")
    assert [a.symbol for a in more.assets] == ["AAPL", "SPY", "IBM"]
    less = client.remove_asset_from_watchlist_by_id(made.id, "SPY")
    assert [a.symbol for a in less.assets] == ["AAPL", "IBM"]
    named = client.update_watchlist_by_id(made.id, UpdateWatchlistRequest(name="yours"))
    assert named.name == "yours" and len(client.get_watchlists()) == 1
    client.delete_watchlist_by_id(made.id)
    refused(404, 40410000, "not found", lambda: client.get_watchlist_by_id(made.id))


@case
def portfolio_history_is_numbers():
    history = client.get_portfolio_history()
    assert history.base_value == 100000 and len(history.equity) == len(history.timestamp)


@case
def activities_page_by_id():
    for _ in range(3):
        wait(market(), "filled")
    rows = client.get("/account/activities/FILL", {"page_size": 2})
    assert len(rows) == 2 and rows[0]["activity_type"] == "FILL"
    more = client.get("/account/activities/FILL", {"page_size": 2, "page_token": rows[-1]["id"]})
    assert more and more[0]["id"] not in {row["id"] for row in rows}
    assert rows[0]["type"] in ("fill", "partial_fill") and float(rows[0]["price"]) > 0


@case
def bad_credentials_are_401():
    try:
        TradingClient("nobody", "nothing", url_override=url).get_account()
    except APIError as error:
        assert error.status_code == 401
    else:
        raise AssertionError("let in")


@case
def stock_history():
    start = datetime.now(timezone.utc) - timedelta(hours=1)
    bars = stocks.get_stock_bars(StockBarsRequest(
        symbol_or_symbols=["AAPL", "SPY"], timeframe=TimeFrame.Minute, start=start))
    assert len(bars["AAPL"]) > 30 and bars["AAPL"][0].vwap > 0
    five = stocks.get_stock_bars(StockBarsRequest(
        symbol_or_symbols="AAPL", timeframe=TimeFrame(5, TimeFrameUnit.Minute), start=start))
    assert 10 <= len(five["AAPL"]) <= 14
    trades = stocks.get_stock_trades(StockTradesRequest(symbol_or_symbols="AAPL", start=start, limit=10))
    assert len(trades["AAPL"]) == 10
    quotes = stocks.get_stock_quotes(StockQuotesRequest(symbol_or_symbols="AAPL", start=start, limit=10))
    assert len(quotes["AAPL"]) == 10


@case
def stock_latest_and_snapshots():
    one = StockLatestTradeRequest(symbol_or_symbols=["AAPL", "SPY"])
    assert set(stocks.get_stock_latest_trade(one)) == {"AAPL", "SPY"}
    assert stocks.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="AAPL"))["AAPL"].close > 0
    snapshot = stocks.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert snapshot.latest_quote.ask_price > snapshot.latest_quote.bid_price
    assert snapshot.daily_bar.close > 0 and snapshot.minute_bar


@case
def crypto_history_and_latest():
    start = datetime.now(timezone.utc) - timedelta(hours=1)
    bars = coins.get_crypto_bars(CryptoBarsRequest(
        symbol_or_symbols="BTC/USD", timeframe=TimeFrame.Minute, start=start))
    assert len(bars["BTC/USD"]) > 30
    quote = coins.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols="BTC/USD"))
    assert quote["BTC/USD"].ask_price > quote["BTC/USD"].bid_price
    book = coins.get_crypto_latest_orderbook(CryptoLatestOrderbookRequest(symbol_or_symbols="BTC/USD"))
    assert book["BTC/USD"].bids and book["BTC/USD"].asks
    snapshot = coins.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols="BTC/USD"))
    assert snapshot["BTC/USD"].latest_trade.price > 0


@case
def news_history():
    news = NewsClient(key, secret, url_override=url).get_news(NewsRequest(limit=5))
    assert news.data["news"] and news.data["news"][0].headline


sys.exit(1 if failed else 0)
