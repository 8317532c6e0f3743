//! All targets under libFuzzer. `QTOS_FUZZ_TARGET` names one; without it all of them see each input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qtos_gateway_fuzz::TARGETS;

fuzz_target!(|data: &[u8]| {
    let wanted = std::env::var("QTOS_FUZZ_TARGET").ok();
    for target in TARGETS {
        if wanted.as_deref().is_none_or(|name| name == target.name) {
            (target.run)(data);
        }
    }
});
