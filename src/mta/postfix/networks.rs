//! Lists of networks, such as `mynetworks`.

use std::fs;
use std::net::IpAddr;

use ipnet::IpNet;

use super::words::words;

/// The networks of a list, as far as they can be listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// The networks.
    pub listed: Vec<IpNet>,
    /// Items that take networks out of those that stand behind them.
    pub excluded: Vec<String>,
    /// Items that stand for networks that cannot be listed, or for none.
    pub unlisted: Vec<String>,
}

impl Networks {
    /// Reads a list, and the files that it names.
    pub fn of(list: &str) -> Self {
        let mut networks = Self::default();
        networks.add(list, true);
        networks
    }

    fn add(&mut self, list: &str, with_files: bool) {
        for word in words(list) {
            if word.starts_with('!') {
                self.excluded.push(word.to_owned());
            } else if let Some(network) = network(word) {
                // The IPv4-mapped loopback is in Postfix's default, and no client has such an address.
                if !is_mapped(&network) {
                    self.listed.push(network);
                }
            } else {
                match fs::read_to_string(word) {
                    Ok(text) if with_files && word.starts_with('/') => {
                        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
                        lines.for_each(|line| self.add(line, false));
                    }
                    _ => self.unlisted.push(word.to_owned()),
                }
            }
        }
    }
}

/// `192.0.2.0/24`, `[2001:db8::]/32`, or one address. Postfix takes none with bits beyond its prefix.
pub(crate) fn network(word: &str) -> Option<IpNet> {
    let word = word.replace(['[', ']'], "");
    let network = word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))?;
    (network == network.trunc()).then_some(network)
}

fn is_mapped(network: &IpNet) -> bool {
    matches!(network, IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_postfix() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "# ours\n192.0.2.64/26 /etc/x\n\n  2001:db8::/32\n").unwrap();
        let list = format!(
            "127.0.0.0/8 [::ffff:127.0.0.0]/104, [::1]/128 192.0.2.7 !10.0.0.1 10.0.0.1/8 hash:/etc/x {}",
            file.path().display()
        );
        let found = Networks::of(&list);
        let listed: Vec<String> = found.listed.iter().map(ToString::to_string).collect();
        assert_eq!(listed, ["127.0.0.0/8", "::1/128", "192.0.2.7/32", "192.0.2.64/26", "2001:db8::/32"]);
        assert_eq!(found.excluded, ["!10.0.0.1"]);
        assert_eq!(found.unlisted, ["10.0.0.1/8", "hash:/etc/x", "/etc/x"]);
    }
}
