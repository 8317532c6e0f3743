//! The section `[guardian]`: common settings, and the values of rules as they are written.

use super::build::Reader;
use super::config::GuardianSection;
use super::source::ConfigError;
use crate::actors::guardian;

pub(super) fn read(
    reader: &Reader<'_>,
    section: GuardianSection,
) -> Result<guardian::Settings, ConfigError> {
    let default = guardian::Settings::default();
    let collar = section.exit_collar.map(|text| {
        guardian::settings::ppm(text.as_ref())
            .map_err(|error| reader.at(&text, format!("`exit_collar`: {error}")))
    });
    let rules = section.rules.into_iter().map(|(rule, values)| guardian::RuleSettings {
        line: reader.source.position(rule.span().start).0,
        rule: rule.into_inner(),
        values: values.into_iter().map(|(key, value)| (key, value.0)).collect(),
    });
    Ok(guardian::Settings {
        every: reader.span("every", section.every, default.every)?,
        // No cool-off at all is a choice that drills need.
        cool_off: section.cool_off.map_or(default.cool_off, |span| span.into_inner().0),
        confirm_within: reader.span(
            "confirm_within",
            section.confirm_within,
            default.confirm_within,
        )?,
        exit_collar: collar.transpose()?.unwrap_or(default.exit_collar),
        rules: rules.collect(),
    })
}
