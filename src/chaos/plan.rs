//! What happens to which piece: drawn from a seed, so that the same numbers give the same faults.

use super::faults::{Amount, Direction, Dose, Fault, Faults, Partition};
use crate::types::Nanos;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// What is to happen to one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fate {
    /// How much later it comes.
    pub delay: Nanos,
    /// What else befalls it.
    pub fault: Option<Fault>,
}

/// The fates of all pieces of one direction of one connection. They follow from the seed, the
/// connection's number, the direction and the piece's number alone: not from time, and the draws of
/// one kind of fault do not depend on how likely another is.
#[derive(Debug, Clone)]
pub struct Plan {
    random: Pcg64,
    piece: u64,
    delay: Option<Amount>,
    doses: [(Fault, Dose); 5],
    /// Bytes a second that this direction passes.
    pub rate: Option<u64>,
}

/// A generator for one purpose among those of a seed.
fn random(seed: u64, number: u64, purpose: u64) -> Pcg64 {
    let mut mixed = Pcg64::seed_from_u64(seed);
    let salt = mixed.next_u64() ^ number.wrapping_mul(8).wrapping_add(purpose);
    Pcg64::seed_from_u64(salt)
}

/// From 0 to 1, 1 excluded.
fn unit(random: &mut Pcg64) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

fn draw(random: &mut Pcg64, amount: Amount) -> u64 {
    let width = (amount.high - amount.low) as f64;
    amount.low + (width * unit(random)) as u64
}

impl Plan {
    /// The plan of one direction of connection `number`.
    pub fn new(faults: &Faults, number: u64, direction: Direction) -> Self {
        let purpose = match direction {
            Direction::ToVenue => 0,
            Direction::ToClient => 1,
        };
        let mut random = random(faults.seed, number, purpose);
        let off = faults.only.is_some_and(|only| only != direction);
        let own = |dose: &Dose| if off { Dose::Never } else { dose.clone() };
        let rate = faults.trickle.map(|amount| draw(&mut random, amount));
        Self {
            random,
            piece: 0,
            delay: faults.delay.filter(|_| !off),
            // The first that hits a piece is its fate.
            doses: [
                (Fault::Reset, own(&faults.reset)),
                (Fault::HalfOpen, own(&faults.half_open)),
                (Fault::Drop, own(&faults.drop)),
                (Fault::Duplicate, own(&faults.duplicate)),
                (Fault::Reorder, own(&faults.reorder)),
            ],
            rate: rate.filter(|_| !off),
        }
    }

    /// The fate of the next piece.
    pub fn next_fate(&mut self) -> Fate {
        self.piece += 1;
        let piece = self.piece;
        let delay = self.delay.map_or(Nanos(0), |amount| Nanos(draw(&mut self.random, amount)));
        let mut fault = None;
        for (kind, dose) in &self.doses {
            // Drawn in any case, so that a dose changes nothing but its own kind.
            let drawn = unit(&mut self.random);
            let hit = match dose {
                Dose::Never => false,
                Dose::Chance(chance) => drawn < *chance,
                Dose::Pieces(pieces) => pieces.contains(&piece),
            };
            if hit && fault.is_none() {
                fault = Some(*kind);
            }
        }
        Fate { delay, fault }
    }

    /// How many fates were told.
    pub const fn piece(&self) -> u64 {
        self.piece
    }
}

/// The windows of the `number`-th partition of a command line, in order, without end.
pub fn windows(
    partition: Partition,
    seed: u64,
    number: usize,
) -> Box<dyn Iterator<Item = (Nanos, Nanos)>> {
    match partition {
        Partition::Once { from, to } => Box::new(std::iter::once((from, to))),
        Partition::Every { length, pause } => {
            let mut random = random(seed, number as u64, 2);
            let mut at = 0u64;
            Box::new(std::iter::repeat_with(move || {
                let twice = Amount { low: 0, high: pause.0.saturating_mul(2) };
                let from = at.saturating_add(draw(&mut random, twice));
                at = from.saturating_add(length.0);
                (Nanos(from), Nanos(at))
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(faults: &Faults, number: u64, direction: Direction) -> Vec<Fate> {
        let mut plan = Plan::new(faults, number, direction);
        (0..2_000).map(|_| plan.next_fate()).collect()
    }

    fn mixed(seed: u64) -> Faults {
        Faults {
            seed,
            delay: Some(Amount { low: 5, high: 50 }),
            drop: Dose::Chance(0.1),
            duplicate: Dose::Chance(0.1),
            reset: Dose::Chance(0.01),
            ..Faults::default()
        }
    }

    #[test]
    fn a_seed_repeats_and_another_differs() {
        let to = Direction::ToVenue;
        assert_eq!(fates(&mixed(1), 3, to), fates(&mixed(1), 3, to));
        assert_ne!(fates(&mixed(1), 3, to), fates(&mixed(2), 3, to));
        assert_ne!(fates(&mixed(1), 3, to), fates(&mixed(1), 4, to));
        assert_ne!(fates(&mixed(1), 3, to), fates(&mixed(1), 3, Direction::ToClient));
    }

    #[test]
    fn a_chance_is_as_often_as_it_says_and_a_dose_moves_no_other() {
        let drops = |faults: &Faults| -> Vec<usize> {
            let fates = fates(faults, 1, Direction::ToVenue);
            let hits = fates.iter().enumerate().filter(|(_, f)| f.fault == Some(Fault::Drop));
            hits.map(|(at, _)| at).collect()
        };
        let all = drops(&mixed(7));
        assert!((120..280).contains(&all.len()), "{}", all.len());
        let alone = drops(&Faults { duplicate: Dose::Never, ..mixed(7) });
        assert_eq!(all, alone);
        let delays = fates(&mixed(7), 1, Direction::ToVenue);
        assert!(delays.iter().all(|fate| (5..50).contains(&fate.delay.0)));
    }

    #[test]
    fn fixed_pieces_and_one_direction() {
        let faults = Faults {
            duplicate: Dose::Pieces(vec![2, 5]),
            only: Some(Direction::ToClient),
            ..Faults::default()
        };
        let hits = |direction| -> Vec<usize> {
            let fates = fates(&faults, 9, direction);
            let hits = fates.iter().enumerate().filter(|(_, fate)| fate.fault.is_some());
            hits.map(|(at, _)| at + 1).collect()
        };
        assert_eq!(hits(Direction::ToClient), [2, 5]);
        assert!(hits(Direction::ToVenue).is_empty());
    }

    #[test]
    fn windows_follow_each_other_and_repeat() {
        let every = Partition::Every { length: Nanos::from_secs(2), pause: Nanos::from_secs(10) };
        let some: Vec<_> = windows(every, 5, 0).take(200).collect();
        assert_eq!(some, windows(every, 5, 0).take(200).collect::<Vec<_>>());
        assert!(some.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        assert!(some.iter().all(|(from, to)| to.0 - from.0 == 2_000_000_000));
        let mean = some.last().unwrap().1.0 / 200;
        assert!((10_000_000_000..14_000_000_000).contains(&mean), "{mean}");
    }
}
