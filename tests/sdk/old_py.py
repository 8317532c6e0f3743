"""The legacy alpaca-trade-api against a local venue: VENUE is host:port, VENUE_KEY and VENUE_SECRET
the login."""

import os
import threading
import time
import uuid

HOST, KEY, SECRET = os.environ["VENUE"], os.environ["VENUE_KEY"], os.environ["VENUE_SECRET"]
HTTP = f"http://{HOST}"
# The data client has no argument for its host.
os.environ["APCA_API_DATA_URL"] = HTTP

import alpaca_trade_api as old
from alpaca_trade_api.common import URL
from alpaca_trade_api.rest import APIError

from runner import case, run, until

api = old.REST(KEY, SECRET, base_url=HTTP)


def clean():
    api.cancel_all_orders()
    api.close_all_positions()
    until(lambda: not api.list_positions(), "no position")


def wait(id, *states):
    return until(lambda: (now := api.get_order(id)).status in states and now, states)


def refused(code, text, call):
    try:
        call()
    except APIError as error:
        assert error.code == code and text in str(error), (error.code, str(error))
        return
    raise AssertionError("not refused")


def last(symbol):
    return api.get_latest_quote(symbol).ap


@case
def account_clock_calendar_assets():
    assert api.get_account().status == "ACTIVE" and api.get_clock().is_open
    assert len(api.get_calendar(start="2020-04-06", end="2020-04-10")) == 4
    assert api.get_asset("SPY").exchange == "ARCA" and len(api.list_assets(status="active")) >= 8


@case
def orders_fill_rest_and_end():
    done = wait(api.submit_order("AAPL", qty=1, side="buy", type="market", time_in_force="day").id, "filled")
    assert done.filled_qty == "1" and api.get_position("AAPL").qty == "1"
    rest = api.submit_order("SPY", qty=1, side="buy", type="limit", limit_price=2.5, time_in_force="gtc")
    assert api.get_order(rest.id).status == "new" and api.list_orders()[0].id == rest.id
    new = api.replace_order(rest.id, qty="2", limit_price="3")
    assert new.qty == "2" and api.get_order(rest.id).status == "replaced"
    api.cancel_order(new.id)
    wait(new.id, "canceled")
    assert api.get_order_by_client_order_id(new.client_order_id).id == new.id


@case
def bracket_and_errors():
    price = last("AAPL")
    order = api.submit_order(
        "AAPL", qty=1, side="buy", type="limit", limit_price=round(price * 0.8, 2), time_in_force="day",
        order_class="bracket", take_profit={"limit_price": str(round(price * 1.2, 2))},
        stop_loss={"stop_price": str(round(price * 0.7, 2))})
    assert [leg.status for leg in order.legs] == ["held", "held"]
    refused(40410000, "order not found", lambda: api.get_order(str(uuid.uuid4())))
    refused(42210000, "not found", lambda: api.submit_order("ZZZZ", qty=1))
    refused(40310000, "insufficient buying power", lambda: api.submit_order(
        "AAPL", qty=100000, type="limit", limit_price=1000, time_in_force="day"))


@case
def activities_history_and_data():
    wait(api.submit_order("IBM", qty=1).id, "filled")
    assert api.get_activities(activity_types="FILL")[0].symbol == "IBM"
    assert api.get_portfolio_history().base_value == 100000
    assert len(api.get_bars("AAPL", old.rest.TimeFrame.Minute, limit=5)) == 5
    assert len(api.get_trades("AAPL", limit=5)) == 5
    assert api.get_snapshot("AAPL").latest_trade.p > 0
    made = api.create_watchlist("old", symbols=["AAPL"])
    assert api.get_watchlist(made.id).name == "old"
    api.delete_watchlist(made.id)


@case
def streams_come():
    updates, data, news, coins = [], [], [], []
    stream = old.Stream(
        KEY, SECRET, base_url=URL(HTTP), data_stream_url=URL(HTTP), data_feed="iex")

    def into(seen):
        async def handler(item):
            seen.append(item)
        return handler

    stream.subscribe_trade_updates(into(updates))
    stream.subscribe_quotes(into(data), "AAPL")
    stream.subscribe_crypto_quotes(into(coins), "BTC/USD")
    stream.subscribe_news(into(news), "*")
    threading.Thread(target=stream.run, daemon=True).start()
    until(lambda: data and coins and news, "market data", 30)
    # The streams begin together; that of the updates is there by now.
    order = api.submit_order("AAPL", qty=1)
    until(lambda: len(updates) >= 2, "updates", 20)
    assert [u.event for u in updates][:2] == ["new", "fill"], updates
    assert updates[0].order["id"] == order.id and data[0].symbol == "AAPL"


if __name__ == "__main__":
    run(clean)
