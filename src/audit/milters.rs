//! Lists of milters: which of them are ours, and how a list should be.

use crate::config::{Address, Config, Listener};
use crate::mta::postfix::master_cf::Service;
use crate::mta::postfix::milters::{Milter, milters};
use crate::session::Role;

use super::host::Postfix;

/// The milters of a list that are ours, with the listeners that they are.
pub(super) fn of_list<'c>(config: &'c Config, list: &str) -> Vec<(Milter, &'c Listener)> {
    let ours = |milter: Milter| Some((listener_at(config, &milter.address)?, milter));
    milters(list).into_iter().filter_map(ours).map(|(listener, milter)| (milter, listener)).collect()
}

/// The listener that an MTA means by a name.
pub(super) fn listener_at<'c>(config: &'c Config, name: &str) -> Option<&'c Listener> {
    config.listeners.iter().find(|listener| listener.address.is_named(name))
}

/// The milters of a list that are not ours, as they are written.
pub(super) fn others(config: &Config, list: &str) -> Vec<String> {
    let others = milters(list).into_iter().filter(|milter| listener_at(config, &milter.address).is_none());
    others.map(|milter| written(&milter.address, &milter.settings)).collect()
}

/// The list of a service as it should be: ours first, with what it needs, and then the others.
pub(super) fn mended(config: &Config, postfix: &Postfix, service: &Service, list: &str) -> Option<String> {
    let role = if Postfix::is_submission(service) { Role::Submission } else { Role::Inbound };
    let with = |role| config.listeners.iter().find(move |listener| listener.role == role);
    let named = of_list(config, list).first().map(|(_, listener)| *listener);
    let listener =
        named.or_else(|| with(role)).or_else(|| with(Role::Auto)).or_else(|| with(Role::Inbound))?;
    let address = match &listener.address {
        Address::Unix { path, .. } if service.chroot => {
            // Out of its chroot the service reaches nothing, and would put off all mail.
            let inside = path.strip_prefix(postfix.main_cf.value("queue_directory")).ok()?;
            format!("unix:{}", inside.display())
        }
        address => address.to_string(),
    };
    let settings = [("default_action", "tempfail"), ("connect_timeout", "10s"), ("command_timeout", "30s")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let list = [written(&address, &settings)].into_iter().chain(others(config, list));
    Some(list.collect::<Vec<_>>().join(", "))
}

fn written(address: &str, settings: &[(String, String)]) -> String {
    if settings.is_empty() {
        return address.to_owned();
    }
    let settings: Vec<String> = settings.iter().map(|(name, value)| format!(", {name}={value}")).collect();
    format!("{{ {address}{} }}", settings.concat())
}
