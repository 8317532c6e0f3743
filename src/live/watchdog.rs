//! Watches a gateway from another process, and cancels at its brokers when it hangs or dies.
//!
//! What counts is the beat of the core lane, which the control API tells: a core that stands still is
//! seen although HTTP still answers. An end with no order open is noted in the state folder and disarms;
//! every other silence is acted upon, whatever its cause. The kill that it leaves is the file `KILL`, so
//! a gateway that wakes up again, or is started again, stays killed until an operator arms it.

use super::clock::Clock;
use super::direct::{Direct, DirectError, kill_direct};
use super::state::last_clean_end;
use crate::types::{Nanos, Timestamp};
use crate::wiring::Topology;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest wait for an answer of the gateway.
const LOOK: Nanos = Nanos::from_secs(1);
/// How long each broker gets for its cancels before they are tried anew.
const PATIENCE: Nanos = Nanos::from_secs(10);
/// Looks in a row that must be in vain: one may be so because this process was stopped meanwhile.
const MISSED: u32 = 2;

/// What a gateway says of its core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// Boot number of the gateway.
    pub boot: u32,
    /// How long ago the core last moved.
    pub age: Nanos,
}

/// What a watchdog has to say.
#[derive(Debug)]
pub enum News {
    /// No gateway has been seen alive since the watchdog began, last acted or saw one end.
    Waiting,
    /// The gateway of this boot moves: from here on its silence is acted upon.
    Armed(u32),
    /// The gateway of this boot ended with no order open.
    Ended(u32),
    /// It has not moved for so long: the brokers are told to cancel.
    Silent(Nanos),
    /// What came of it. It is tried again until every broker has confirmed.
    Acted(Result<Vec<Direct>, DirectError>),
}

/// A watchdog of one gateway.
#[derive(Debug)]
pub struct Watchdog<'a> {
    /// The gateway's configuration.
    pub topology: &'a Topology,
    /// Its state folder.
    pub state: &'a Path,
    /// Between two looks.
    pub every: Nanos,
    /// A silence of so long is acted upon.
    pub after: Nanos,
}

impl Watchdog<'_> {
    /// Watches until `stop`. `look` asks the gateway for its beat and waits at most so long.
    pub fn run(
        &self,
        look: &mut dyn FnMut(Nanos) -> Option<Beat>,
        say: &mut dyn FnMut(Timestamp, News),
        stop: &AtomicBool,
    ) {
        let clock = Clock::new();
        let mut vigil = Vigil::new(self.after);
        say(clock.now(), News::Waiting);
        while !stop.load(Ordering::SeqCst) {
            let asked = clock.now();
            let patience = vigil.left(asked).max(self.every).min(LOOK);
            let beat = look(patience);
            let now = clock.now();
            match vigil.heard(asked, now, beat) {
                Verdict::Nothing => {}
                Verdict::Armed(boot) => say(now, News::Armed(boot)),
                // A record that cannot be read says nothing: in doubt it acts.
                Verdict::Missed(boot) | Verdict::Silent(boot, _)
                    if last_clean_end(self.state).is_ok_and(|ended| ended >= Some(boot)) =>
                {
                    vigil.disarm();
                    say(now, News::Ended(boot));
                    say(now, News::Waiting);
                }
                Verdict::Missed(_) => {}
                Verdict::Silent(_, span) => {
                    say(now, News::Silent(span));
                    let reason = format!("the gateway has not moved for {} ms", span.0 / 1_000_000);
                    let who = ("watchdog", &*reason);
                    let done = kill_direct(self.topology, self.state, who, PATIENCE);
                    let settled =
                        done.as_ref().is_ok_and(|all| all.iter().all(|one| one.confirmed));
                    say(clock.now(), News::Acted(done));
                    if settled {
                        vigil.disarm();
                        say(clock.now(), News::Waiting);
                    }
                }
            }
            std::thread::sleep(Duration::from_nanos(self.every.0));
        }
    }
}

/// What a look comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing new.
    Nothing,
    /// This boot was seen to move for the first time.
    Armed(u32),
    /// This boot, armed, did not show that it moves.
    Missed(u32),
    /// The same for so long that it is to be acted upon.
    Silent(u32, Nanos),
}

/// Judges what the looks bring.
#[derive(Debug)]
struct Vigil {
    after: Nanos,
    armed: Option<u32>,
    /// The latest beat known.
    beat: Timestamp,
    missed: u32,
}

impl Vigil {
    const fn new(after: Nanos) -> Self {
        Self { after, armed: None, beat: Timestamp::ZERO, missed: 0 }
    }

    /// How long until a silence would be acted upon.
    fn left(&self, now: Timestamp) -> Nanos {
        match self.armed {
            Some(_) => (self.beat + self.after).since(now),
            None => self.after,
        }
    }

    /// A look that began at `asked` and ended at `now`.
    fn heard(&mut self, asked: Timestamp, now: Timestamp, beat: Option<Beat>) -> Verdict {
        if let Some(beat) = beat {
            self.beat = self.beat.max(asked - beat.age);
            if beat.age < Nanos(self.after.0 / 2) {
                self.missed = 0;
                let new = self.armed != Some(beat.boot);
                self.armed = Some(beat.boot);
                return if new { Verdict::Armed(beat.boot) } else { Verdict::Nothing };
            }
        }
        let Some(boot) = self.armed else { return Verdict::Nothing };
        self.missed = self.missed.saturating_add(1);
        let span = now.since(self.beat);
        if self.missed >= MISSED && span >= self.after {
            Verdict::Silent(boot, span)
        } else {
            Verdict::Missed(boot)
        }
    }

    /// Waits for the next boot or wake-up.
    const fn disarm(&mut self) {
        self.armed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every quarter of a second, each answered by `beat` or not at all after `patience`; gives the
    /// times and verdicts that say something.
    fn vigil(seconds: u64, beat: impl Fn(Timestamp) -> Option<Beat>) -> Vec<(u64, Verdict)> {
        let mut vigil = Vigil::new(Nanos::from_secs(3));
        let (mut now, mut seen) = (Timestamp::ZERO + Nanos::from_secs(100), Vec::new());
        while now < Timestamp::ZERO + Nanos::from_secs(100 + seconds) {
            let asked = now;
            let answer = beat(asked);
            if answer.is_none() {
                now = now + vigil.left(asked).max(Nanos::from_millis(250)).min(LOOK);
            }
            let verdict = vigil.heard(asked, now, answer);
            if let Verdict::Silent(..) = verdict {
                vigil.disarm();
            }
            if !matches!(verdict, Verdict::Nothing | Verdict::Missed(_)) {
                seen.push((now.since(Timestamp::ZERO).0 / 1_000_000 - 100_000, verdict));
            }
            now = now + Nanos::from_millis(250);
        }
        seen
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Nanos::from_secs(100 + seconds)
    }

    const FRESH: Beat = Beat { boot: 7, age: Nanos::from_millis(1) };

    #[test]
    fn silence_before_the_first_beat_is_waited_for() {
        assert_eq!(vigil(60, |_| None), []);
        let late = |now| (now >= at(30)).then_some(FRESH);
        assert!(matches!(vigil(60, late)[..], [(30_000..31_000, Verdict::Armed(7))]));
    }

    #[test]
    fn no_answer_and_a_core_that_stands_still_are_told_once_each_time() {
        let stopped = |now| (now < at(10) || now >= at(40)).then_some(FRESH);
        let hung = |now: Timestamp| match now < at(10) || now >= at(40) {
            true => Some(FRESH),
            false => Some(Beat { age: now.since(at(10)), ..FRESH }),
        };
        let both: [&dyn Fn(Timestamp) -> Option<Beat>; 2] = [&stopped, &hung];
        for beat in both {
            let seen = vigil(60, beat);
            let [(0, Verdict::Armed(7)), (told, Verdict::Silent(7, span)), (back, again)] =
                seen[..]
            else {
                panic!("{seen:?}")
            };
            assert!((12_500..=13_250).contains(&told), "{told}");
            assert!(span >= Nanos::from_secs(3) && span < Nanos::from_millis(3_500), "{span}");
            assert!(back >= 40_000 && again == Verdict::Armed(7), "{seen:?}");
        }
    }

    #[test]
    fn a_pause_of_the_watchdog_itself_is_no_silence() {
        let mut vigil = Vigil::new(Nanos::from_secs(3));
        vigil.heard(at(0), at(0), Some(FRESH));
        // Stopped while it waited for an answer.
        assert_eq!(vigil.heard(at(1), at(60), None), Verdict::Missed(7));
        assert_eq!(vigil.heard(at(60), at(60), Some(FRESH)), Verdict::Nothing);
        // The whole machine was: the first answer comes before the core has moved.
        let old = Beat { age: Nanos::from_secs(30), ..FRESH };
        assert_eq!(vigil.heard(at(90), at(90), Some(old)), Verdict::Missed(7));
        assert_eq!(vigil.heard(at(91), at(91), Some(FRESH)), Verdict::Nothing);
    }

    #[test]
    fn a_boot_that_replaces_another_is_a_new_one() {
        let mut vigil = Vigil::new(Nanos::from_secs(3));
        assert_eq!(vigil.heard(at(0), at(0), Some(FRESH)), Verdict::Armed(7));
        let next = Beat { boot: 8, ..FRESH };
        assert_eq!(vigil.heard(at(1), at(1), Some(next)), Verdict::Armed(8));
    }
}
