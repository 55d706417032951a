//! Any text is a configuration or a report whose places lie in the text.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lockdown_milter::config::{self, Host, Style};
use lockdown_milter::mta::postfix::main_cf::MainCf;

fuzz_target!(|text: &str| {
    let host = Host {
        name: "mx.example".to_owned(),
        today: jiff::civil::date(2026, 11, 24),
        has_group: |name| name.len() % 2 == 0,
        main_cf: MainCf::absent,
    };
    let report = match config::parse("fuzz", text, &host, Path::new("/nonexistent")) {
        Ok((config, report)) => {
            let _ = config::summary(&config);
            report
        }
        Err(report) => {
            assert!(!report.is_empty());
            report
        }
    };
    for problem in &report.problems {
        if let Some(spot) = &problem.place.spot {
            assert!((1..=text.lines().count() + 1).contains(&spot.line));
        }
    }
    let _ = report.render(Style::Plain);
});
