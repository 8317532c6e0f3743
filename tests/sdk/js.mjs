// @alpacahq/alpaca-trade-api against a local venue: VENUE is host:port, VENUE_KEY and VENUE_SECRET the
// login, QTOS_SDK_NODE_PATH the folder that has node_modules. One line a case; all, or those named.
import { createRequire } from "node:module";
const require = createRequire(process.env.QTOS_SDK_NODE_PATH + "/");
const sdk = require("@alpacahq/alpaca-trade-api");
const { trading } = sdk;
const Alpaca = sdk.Alpaca ?? sdk.default;
const { VENUE, VENUE_KEY: keyId, VENUE_SECRET: secret } = process.env;
const [url, ws] = [`http://${VENUE}`, `ws://${VENUE}`];
const cfg = new trading.Configuration({ basePath: url, keyId, secret });
const orders = new trading.OrdersApi(cfg);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
let failed = 0;

async function check(name, run) {
  if (process.argv.length > 2 && !process.argv.includes(name)) return;
  try {
    await run();
    console.log("ok", name);
  } catch (error) {
    failed += 1;
    console.log("FAILED", name, error?.message ?? error, error?.body ?? "");
  }
}
function assert(fact, text) {
  if (!fact) throw new Error(text);
}
async function until(enough, text) {
  for (let i = 0; i < 500; i++) {
    if (enough()) return;
    await sleep(20);
  }
  throw new Error(text);
}

await check("account", async () => {
  const account = await new trading.AccountsApi(cfg).getAccount();
  assert(account.status === "ACTIVE", JSON.stringify(account));
});
await check("order_is_listed_replaced_and_canceled", async () => {
  const made = await orders.postOrder({ postOrderRequest: {
    symbol: "AAPL", qty: "1", side: "buy", type: "limit", limitPrice: "2", timeInForce: "day" } });
  const open = await orders.getAllOrders({});
  assert(open.some((o) => o.id === made.id), "not listed");
  const next = await orders.patchOrderByOrderId({
    orderId: made.id, patchOrderRequest: { limitPrice: "3" } });
  assert(next.replaces === made.id, JSON.stringify(next));
  await orders.deleteOrderByOrderID({ orderId: next.id });
  const now = await orders.getOrderByOrderID({ orderId: next.id });
  assert(now.status === "canceled", now.status);
});
await check("refusal_has_its_code", async () => {
  try {
    await orders.postOrder({ postOrderRequest: {
      symbol: "ZZZZ", qty: "1", side: "buy", type: "market", timeInForce: "day" } });
  } catch (error) {
    return;
  }
  throw new Error("not refused");
});
await check("trade_updates_come", async () => {
  const alpaca = new Alpaca({ keyId, secret, paper: true });
  const updates = [];
  const stream = alpaca.trading.stream({ url: ws + "/stream" });
  stream.onTradeUpdate((update) => updates.push(update));
  await stream.connect();
  stream.subscribeTradeUpdates();
  await sleep(500);
  await orders.postOrder({ postOrderRequest: {
    symbol: "SPY", qty: "1", side: "buy", type: "market", timeInForce: "day" } });
  await until(() => updates.some((u) => u.event === "fill"), "no fill: " + JSON.stringify(updates));
  stream.disconnect?.();
});
await check("market_data_comes", async () => {
  const alpaca = new Alpaca({ keyId, secret, paper: true });
  const quotes = [];
  const data = alpaca.marketData.stockStream({ url: ws + "/v2/iex" });
  data.onQuote?.((quote) => quotes.push(quote));
  data.onTrade?.((trade) => quotes.push(trade));
  await data.connect();
  data.subscribeForTrades(["AAPL", "SPY"]);
  await until(() => quotes.length > 0, "no trades");
  data.disconnect?.();
});
console.log(failed ? `${failed} failed` : "all held");
process.exit(failed ? 1 : 0);
