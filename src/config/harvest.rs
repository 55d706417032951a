//! Harvesting as written, and what it means.

use serde::Deserialize;

use super::problems::Problems;
use super::value::{self, Shown};
use super::written::At;
use super::{Profile, inherited};
use crate::check::Mode;
use crate::memory::harvest::Settings;

/// `harvest` as written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    mode: Option<At<String>>,
    window: Option<At<String>>,
    threshold: Option<At<u64>>,
    network_threshold: Option<At<u64>>,
    good_ratio: Option<At<f64>>,
    block: Option<At<String>>,
    block_max: Option<At<String>>,
    exempt_networks: Vec<At<String>>,
    memory_entries: Option<At<u64>>,
}

/// Fewest and most names and networks that are remembered. A network alone may take two thousand.
const MEMORY: std::ops::RangeInclusive<u64> = 10_000..=100_000_000;

impl Written {
    /// The mode: its own, else that of the profile, which is no stronger than `general`.
    pub(super) fn mode(&self, problems: &mut Problems<'_>, profile: Profile, general: Mode) -> Mode {
        let own = self.mode.as_ref().and_then(|word| inherited::mode(problems, word));
        own.unwrap_or_else(|| profile.harvest().min(general))
    }

    /// The settings; `mode` is the one in force.
    pub(super) fn build(&self, problems: &mut Problems<'_>, mode: Mode) -> Settings {
        let standard = Settings::default();
        let names = 2..=u64::from(Settings::MOST_NAMES);
        let threshold = self.threshold.as_ref();
        let network_threshold = self.network_threshold.as_ref();
        let settings = Settings {
            enforced: mode == Mode::Enforce,
            window: value::positive_duration(problems, self.window.as_ref(), standard.window),
            threshold: value::number(problems, threshold, names.clone(), standard.threshold),
            network_threshold: value::number(problems, network_threshold, names, standard.network_threshold),
            good_ratio: self.good_ratio(problems, standard.good_ratio),
            block: value::positive_duration(problems, self.block.as_ref(), standard.block),
            block_max: value::positive_duration(problems, self.block_max.as_ref(), standard.block_max),
            exempt: self.exempt(problems),
            forwarders: Vec::new(),
            memory_entries: value::number(
                problems,
                self.memory_entries.as_ref(),
                MEMORY,
                standard.memory_entries,
            ),
        };
        if let Some(node) = network_threshold.or(threshold).map(|number| number.node)
            && settings.network_threshold < settings.threshold
        {
            let (network, address) = (settings.network_threshold, settings.threshold);
            problems
                .error(node, format!("a /24 would be blocked at {network} names and an address at {address}"))
                .hint("set `network_threshold` to several times `threshold`");
        }
        if let Some(node) = self.block.as_ref().or(self.block_max.as_ref()).map(|text| text.node)
            && settings.block > settings.block_max
        {
            let message = format!(
                "the first block would last {}, and the longest {}",
                Shown(settings.block),
                Shown(settings.block_max)
            );
            problems.error(node, message).hint("`block` doubles on repetition, up to `block_max`");
        }
        settings
    }

    fn good_ratio(&self, problems: &mut Problems<'_>, standard: f64) -> f64 {
        let Some(number) = &self.good_ratio else { return standard };
        if (0.0..=1.0).contains(&number.value) {
            return number.value;
        }
        problems
            .error(number.node, format!("{} is no share", number.value))
            .hint(format!("from 0 to 1; the default is {standard}"));
        standard
    }

    fn exempt(&self, problems: &mut Problems<'_>) -> Vec<ipnet::IpNet> {
        let mut networks = Vec::new();
        for text in &self.exempt_networks {
            let Some(network) = value::network(problems, text) else { continue };
            if network.prefix_len() == 0 {
                problems
                    .error(text.node, "this lets everybody guess")
                    .hint("`mode: off` says so more plainly");
            }
            networks.push(network);
        }
        networks
    }
}

/// What is blocked, when and for how long, in words.
pub(super) fn describe(settings: &Settings) -> Vec<String> {
    let Settings { window, threshold, network_threshold, good_ratio, block, block_max, .. } = settings;
    let (window, block, longest) = (Shown(*window), Shown(*block), Shown(*block_max));
    let mut lines = vec![format!(
        "block for {block} to {longest} at {threshold} unknown names in {window}, a /24 at {network_threshold}"
    )];
    if *good_ratio < 1.0 {
        lines.push(format!("unless more than {:.0}% of the names are good", good_ratio * 100.0));
    }
    lines
}
