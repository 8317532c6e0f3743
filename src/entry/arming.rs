//! What must be so before an arm, and what the operator is shown of it.

use super::gateway::Refusal;
use super::live::LiveGateway;
use super::show::unconfirmed;
use crate::kill::ArmError;
use crate::types::Scope;

impl LiveGateway {
    /// Nobody arms what they cannot see: every broker in scope must have confirmed what it holds. A
    /// broker that is closed by the kill itself comes back with the arm. Waits a moment, as after a
    /// boot the first snapshot is on its way.
    pub(super) fn reconciled(&self, scope: Scope) -> Result<(), Refusal> {
        const TRIES: u32 = 50;
        let mut missing = Vec::new();
        for number in 0..TRIES {
            if number > 0 {
                std::thread::sleep(std::time::Duration::from_millis(30));
            }
            missing = self.ask(move |desk, topology| {
                desk.lane
                    .core
                    .as_ref()
                    .map_or_else(Vec::new, |core| unconfirmed(core, topology, scope))
            })?;
            if missing.is_empty() {
                return Ok(());
            }
        }
        Err(Refusal::Refused(format!("not reconciled with {}", missing.join(", "))))
    }

    /// What the operator is shown before an arm, and what must not change until it is confirmed.
    pub(super) fn facts(&self) -> Result<Vec<String>, Refusal> {
        let trips = self.handle.trips();
        let mut facts: Vec<String> = trips
            .iter()
            .map(|trip| {
                format!("{} at {} since {}: {}", trip.scope, trip.level, trip.since, trip.reason)
            })
            .collect();
        let more = self.ask(|desk, topology| {
            let Some(core) = &desk.lane.core else { return Vec::new() };
            let mut more = vec![format!(
                "{} open orders, {} in doubt",
                core.oms.open().count(),
                core.oms.in_doubt()
            )];
            // Whoever confirms with this before their eyes acknowledges it.
            more.extend(core.guardian.stands().map(|(rule, scope)| {
                format!("{}: {} still stands", topology.names.scope_name(scope), rule.name())
            }));
            for ((account, agent, instrument), position) in core.oms.books.positions() {
                if !position.qty.is_zero() {
                    more.push(format!(
                        "{} {} {} {}",
                        topology.names.account(account),
                        topology.names.agent(agent),
                        position.qty,
                        topology.names.symbol(instrument)
                    ));
                }
            }
            more
        })?;
        facts.extend(more);
        Ok(facts)
    }
}

impl From<ArmError> for Refusal {
    fn from(error: ArmError) -> Self {
        match error {
            ArmError::Latch(error) => Self::Unavailable(error.to_string()),
            other => Self::Refused(other.to_string()),
        }
    }
}
