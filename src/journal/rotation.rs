//! When a journal goes on in another file while its gateway runs.

use std::fmt;
use std::str::FromStr;

/// What ends a journal file, besides the end of the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// So many bytes of it.
    pub size: Option<u64>,
    /// The start of a trading day.
    pub daily: bool,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { size: Some(256 << 20), daily: true }
    }
}

const UNITS: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl FromStr for Rotation {
    type Err = String;

    /// `"256 MiB, daily"`, one of the two, or `"off"`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no rotation: a size as `256 MiB`, `daily`, both or `off`");
        let mut rotation = Self { size: None, daily: false };
        if text.trim() == "off" {
            return Ok(rotation);
        }
        for part in text.split(',').map(str::trim) {
            if part == "daily" && !rotation.daily {
                rotation.daily = true;
                continue;
            }
            let size = UNITS.iter().find_map(|(unit, bytes)| {
                let count: u64 = part.strip_suffix(unit)?.trim().parse().ok()?;
                count.checked_mul(*bytes).filter(|size| *size > 0)
            });
            if size.is_none() || rotation.size.is_some() {
                return Err(wrong());
            }
            rotation.size = size;
        }
        Ok(rotation)
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.size.and_then(|size| {
            let (unit, bytes) = UNITS.iter().find(|(_, bytes)| size % bytes == 0)?;
            Some(format!("{} {unit}", size / bytes))
        });
        match (size, self.daily) {
            (Some(size), true) => write!(f, "{size}, daily"),
            (Some(size), false) => f.write_str(&size),
            (None, true) => f.write_str("daily"),
            (None, false) => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_days() {
        for (text, size, daily) in [
            ("256 MiB, daily", Some(256 << 20), true),
            ("daily", None, true),
            ("64KiB", Some(64 << 10), false),
            ("2 GiB", Some(2 << 30), false),
            ("off", None, false),
        ] {
            let rotation: Rotation = text.parse().unwrap();
            assert_eq!(rotation, Rotation { size, daily }, "{text}");
            assert_eq!(rotation.to_string().parse(), Ok(rotation));
        }
        for text in
            ["", "256", "0 MiB", "1 MiB, 2 MiB", "daily, daily", "99999999999 GiB", "off, daily"]
        {
            assert!(text.parse::<Rotation>().is_err(), "{text}");
        }
    }
}
