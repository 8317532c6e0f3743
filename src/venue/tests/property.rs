//! What holds whatever is sent: seeded random sessions.

use super::*;
use rand_core::Rng;
use rand_pcg::Pcg32;
use std::collections::BTreeMap;

/// One random request or record; sequence numbers repeat sometimes.
pub fn random_step(rng: &mut Pcg32, lab: &mut Lab, seq: &mut u32) {
    let mut pick = |n: u32| rng.next_u32() % n;
    let price = |cents: u32| Price::from_raw(i64::from(cents) * 10_000_000);
    lab.now += 1;
    let side = if pick(2) == 0 { Side::Buy } else { Side::Sell };
    let ord_type = match pick(6) {
        0 => OrdType::Market,
        1 | 2 => OrdType::Limit { price: price(990 + pick(20)) },
        3 => OrdType::Stop { stop_px: price(990 + pick(20)) },
        4 => OrdType::StopLimit { stop_px: price(990 + pick(20)), price: price(990 + pick(20)) },
        _ => OrdType::TrailingStop { offset: TrailingOffset::Price(price(1 + pick(5))) },
    };
    let tif =
        [TimeInForce::Day, TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok][pick(4) as usize];
    let units = 1 + i64::from(pick(30));
    let terms = terms(side, units, ord_type, tif);
    let old = 1 + pick((*seq).max(1));
    match pick(12) {
        0..=4 => {
            let bid = 990 + pick(20);
            let record = MarketData::Quote(Quote {
                ts: Timestamp::from_nanos(lab.now),
                instrument: InstrumentId(0),
                exchange: ExchangeId(pick(3) as u8),
                suspicious: false,
                bid: price(bid),
                bid_size: Qty::whole(i64::from(pick(40))),
                ask: price(bid + 1 + pick(3)),
                ask_size: Qty::whole(i64::from(pick(40))),
            });
            lab.market(record);
        }
        5 => {
            let text = price(990 + pick(20)).to_string();
            lab.trade(&text, i64::from(1 + pick(40)));
        }
        6 => lab.cancel(old),
        7 => {
            *seq += 1;
            lab.replace(old, *seq, terms);
        }
        8 => lab.submit(new_order(old, terms)),
        kind => {
            let mut new = new_order(*seq + 1, terms);
            let flip = |seq, terms: OrderTerms, ord_type| Leg {
                cl_ord_id: id(seq),
                terms: OrderTerms { side: terms.side.opposite(), ord_type, ..terms },
            };
            let target = OrdType::Limit { price: price(990 + pick(20)) };
            let guard = OrdType::Stop { stop_px: price(990 + pick(20)) };
            new.contingent = match (kind, pick(3)) {
                (9, 0) => Contingent::OneTriggersOther(flip(*seq + 2, terms, target)),
                (9, 1) => Contingent::OneCancelsOther(Leg {
                    cl_ord_id: id(*seq + 2),
                    terms: OrderTerms { ord_type: guard, ..terms },
                }),
                (9, _) => Contingent::Bracket {
                    take_profit: flip(*seq + 2, terms, target),
                    stop_loss: flip(*seq + 3, terms, guard),
                },
                _ => Contingent::None,
            };
            *seq += 3;
            lab.submit(new);
        }
    }
}

/// INV-12 for the venue: what one side has the other lacks.
#[test]
fn books_balance_whatever_is_sent() {
    for seed in 0..60 {
        let model = if seed % 2 == 0 { FillModel::Touch } else { FillModel::Displayed };
        let mut config = ExchangeConfig { fill_model: model, seed, ..ExchangeConfig::default() };
        config.fees.per_unit = "0.003".parse().unwrap();
        config.fees.basis_points = "1.5".parse().unwrap();
        config.reject_ratio = "0.05".parse().unwrap();
        let mut lab = Lab::with(&config);
        let (mut rng, mut seq) = (Pcg32::new(seed, 1), 0);
        let mut cums: BTreeMap<VenueOrderId, Qty> = BTreeMap::new();
        let mut seen_execs = 0;
        let (mut position, mut cash) = (Qty::ZERO, Notional::ZERO);
        for _ in 0..400 {
            random_step(&mut rng, &mut lab, &mut seq);
            for sent in std::mem::take(&mut lab.out.reports) {
                let Report::Execution(report) = sent.report else { continue };
                if report.venue_order_id.0 == 0 {
                    continue;
                }
                assert!(report.exec_id.0 > seen_execs, "exec ids rise");
                seen_execs = report.exec_id.0;
                let cum = cums.entry(report.venue_order_id).or_default();
                assert_eq!(report.cum_qty, *cum + report.last_qty, "cum grows by fills alone");
                *cum = report.cum_qty;
                let index = report.venue_order_id.0 as usize - 1;
                let side = lab.exchange.orders()[index].order.terms.side;
                let signed = side.signed(report.last_qty);
                position += signed;
                cash = cash - report.last_px.notional(signed, 1) - report.fee;
            }
            lab.out.clear();
        }
        assert_eq!(lab.exchange.accounts().position(AccountId(0), InstrumentId(0)), position);
        assert_eq!(lab.exchange.accounts().cash(AccountId(0)), cash);
        for record in lab.exchange.orders() {
            let order = &record.order;
            let filled: Qty = record.fills.iter().fold(Qty::ZERO, |sum, fill| sum + fill.qty);
            assert_eq!(filled, order.cum);
            assert!(order.cum <= order.qty || !order.is_open());
            if order.is_open() {
                assert_eq!(order.leaves() + order.cum, order.qty);
            }
            let limit = order.terms.ord_type.limit_price();
            if order.earlier_ids.is_empty()
                && let Some(limit) = limit
            {
                assert!(record.fills.iter().all(|f| order.terms.side.within(f.price, limit)));
            }
            // Legs never trade more than their parent.
            for leg in order.legs.into_iter().flatten() {
                assert!(lab.exchange.orders()[leg as usize].order.cum <= order.cum);
            }
        }
    }
}

#[test]
fn one_seed_gives_one_session() {
    let run = || {
        let mut lab = Lab::new(FillModel::Displayed);
        let (mut rng, mut seq) = (Pcg32::new(3, 3), 0);
        (0..500).for_each(|_| random_step(&mut rng, &mut lab, &mut seq));
        lab.said()
    };
    assert_eq!(run(), run());
}
