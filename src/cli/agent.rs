//! `qtos agent`.

use super::args::{AgentCommand, AgentName, Global};
use super::client::Client;
use super::{CliError, Exit};
use crate::view::{AgentView, Agents};

/// Lists, pauses or resumes agents.
pub(super) fn run(command: &AgentCommand, global: &Global) -> Result<Exit, CliError> {
    match command {
        AgentCommand::List(control) => {
            let agents: Agents = Client::find(control, global)?.get("/v1/agents")?;
            global.print(&agents);
        }
        AgentCommand::Pause(agent) => steer(agent, "pause", global)?,
        AgentCommand::Resume(agent) => steer(agent, "resume", global)?,
    }
    Ok(Exit::Done)
}

fn steer(agent: &AgentName, action: &str, global: &Global) -> Result<(), CliError> {
    // The name becomes a part of the path: only what can be a name may.
    if !agent.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return Err(CliError::input(format!("`{}` is not an agent's name", agent.name)));
    }
    let path = format!("/v1/agents/{}/{action}", agent.name);
    let view: AgentView = Client::find(&agent.control, global)?.post(&path, None::<&()>)?;
    global.print(&view);
    Ok(())
}
