"""alpaca-py from a quote to an order, for `cargo bench --bench wire`: VENUE is host:port."""

import os

from alpaca.data.live import StockDataStream
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

HOST, KEY = os.environ["VENUE"], "K"
trading = TradingClient(KEY, KEY, url_override=f"http://{HOST}")
stream = StockDataStream(KEY, KEY, url_override=f"ws://{HOST}/v2/iex")
seen = 0


async def on_quote(_quote):
    global seen
    seen += 1
    if seen % 10 == 0:
        side = OrderSide.BUY if seen % 20 == 0 else OrderSide.SELL
        trading.submit_order(
            MarketOrderRequest(symbol="AAPL", qty=1, side=side, time_in_force=TimeInForce.DAY)
        )


trading.submit_order(
    MarketOrderRequest(symbol="AAPL", qty=5, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
)
stream.subscribe_quotes(on_quote, "AAPL")
stream.run()
