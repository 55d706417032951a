//! Whether Postfix agrees with what a good configuration asks for: what its main.cf says.

use std::path::Path;

use ipnet::IpNet;

use super::dns::named;
use crate::check::{Locks, Mode};
use crate::config::{Config, Diagnostic, Judged, Severity, main_cf};
use crate::facts::SourceId;
use crate::mta::postfix::main_cf::MainCf;
use crate::mta::postfix::milters::{Milter, milters};
use crate::mta::postfix::networks::Networks;
use crate::mta::postfix::words;
use crate::session::Role;
use crate::sources::recipients::SourceSettings;

/// The parameters that are looked at.
const PARAMETERS: [&str; 6] = [
    "canonical_maps",
    "internal_mail_filter_classes",
    "milter_default_action",
    "mynetworks",
    "non_smtpd_milters",
    "recipient_canonical_maps",
];

/// What main.cf says otherwise than the configuration. `config_dir` is where it is; none for the machine's own, if there
/// is one.
pub(super) async fn disagreements(config: &Config, config_dir: Option<&Path>) -> Vec<Diagnostic> {
    if config_dir.is_none() && !Path::new("/etc/postfix/main.cf").exists() {
        return Vec::new();
    }
    match MainCf::read(config_dir, &PARAMETERS).await {
        Ok(main_cf) => [
            untrusted_mynetworks(config, &main_cf),
            unseen_answers(config, &main_cf),
            refused_srs(config, &main_cf),
        ]
        .concat(),
        Err(problem) => vec![Diagnostic::of_source(Severity::Note, &problem)],
    }
}

fn of(main_cf: &MainCf, severity: Severity, message: String, hint: &str) -> Diagnostic {
    Diagnostic::of_host(severity, &main_cf.file().display().to_string(), message, Some(hint))
}

/// Networks of `mynetworks` that are not in `trusted_networks`: their clients are strangers to us, who may not use our
/// domains without a login.
fn untrusted_mynetworks(config: &Config, main_cf: &MainCf) -> Vec<Diagnostic> {
    let trusted =
        |network: &IpNet| config.policy.site.trusted_networks.iter().any(|ours| ours.contains(network));
    let untrusted: Vec<String> = Networks::of(main_cf.value("mynetworks"))
        .listed
        .iter()
        .filter(|network| !trusted(network))
        .map(ToString::to_string)
        .collect();
    if untrusted.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "Postfix trusts networks that `trusted_networks` does not: {}",
        named(untrusted.iter().map(String::as_str))
    );
    let hint = "their clients cannot send as a hosted domain without a login; add those that shall";
    vec![of(main_cf, Severity::Warning, message, hint)]
}

/// What keeps answers that leave from being judged, or judged well.
fn unseen_answers(config: &Config, main_cf: &MainCf) -> Vec<Diagnostic> {
    let lines = self::main_cf(config);
    let Some(first) = lines.first() else { return Vec::new() };
    let milters = milters(main_cf.value("non_smtpd_milters"));
    let ours = milters.iter().find_map(|milter| {
        let listener = config.listeners.iter().find(|listener| listener.address.is_named(&milter.address));
        listener.map(|listener| (milter, listener))
    });
    let Some((milter, listener)) = ours else {
        let message = if milters.is_empty() {
            "Postfix shows no milter what programs of this host send: their automatic replies leave unjudged"
        } else {
            "non_smtpd_milters names none of our listeners: automatic replies leave unjudged"
        };
        let hint = lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" and ");
        return vec![of(main_cf, Severity::Note, message.to_owned(), &format!("write {hint}"))];
    };
    let bounces = Judged::by(&config.policy).bounces;
    let away = unready(main_cf, milter, &first.text);
    let unseen = (bounces && !has_word(main_cf.value("internal_mail_filter_classes"), "bounce")).then(|| {
        let message = "Postfix shows its own bounces to no milter: they leave unjudged".to_owned();
        of(main_cf, Severity::Note, message, "write internal_mail_filter_classes = bounce")
    });
    let headers_only = (bounces && listener.role == Role::Auto).then(|| {
        let message = "a listener with role `auto` ties bounces by their header alone".to_owned();
        let hint = "what mailboxes refuse by Sieve names what it answers in its body: give non_smtpd_milters a \
                    listener with role `local`";
        of(main_cf, Severity::Note, message, hint)
    });
    [away, unseen, headers_only].into_iter().flatten().collect()
}

/// Domains at which bounces to mail that was forwarded would be refused: Postfix reverses addresses of SRS, and nothing
/// that is asked about their recipients knows of it.
fn refused_srs(config: &Config, main_cf: &MainCf) -> Vec<Diagnostic> {
    let names = ["recipient_canonical_maps", "canonical_maps"];
    let reversing = names.into_iter().find_map(|name| Some((name, srs_map(main_cf.value(name))?)));
    let Some((name, map)) = reversing else { return Vec::new() };
    let is_asked = |source: &SourceId| {
        matches!(&config.recipients.get(source.number), Some(SourceSettings::Postfix { .. }))
            || matches!(&config.recipients.get(source.number),
                Some(SourceSettings::PostfixMap(table)) if table.contains(map))
    };
    let refuses = |locks: &Locks| {
        let settings = &locks.recipients.settings;
        locks.recipients.mode != Mode::Off
            && !settings.sources.is_empty()
            && !settings.sources.iter().any(is_asked)
            && !settings
                .accept_patterns
                .iter()
                .any(|pattern| pattern.matches("SRS0=hash=tt=example.com=name"))
    };
    let domains: Vec<&str> = config
        .policy
        .hosted
        .iter()
        .filter(|(domain, locks)| refuses(locks) && !config.policy.site.aliases.contains_key(*domain))
        .map(|(domain, _)| domain.as_str())
        .collect();
    if domains.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "Postfix reverses addresses of SRS by {name} ({map}), and no source of {} asks it: bounces to forwarded mail are \
         refused there",
        named(domains.into_iter())
    );
    let hint = "add `postfix` to the sources of the domain that forwarded mail is sent as, or set \
                `accept_patterns: [\"SRS0[=+-]*\", \"SRS1[=+-]*\"]` for it, which accepts forged ones too";
    vec![of(main_cf, Severity::Warning, message, hint)]
}

/// The table of a list that reverses addresses of SRS, by its name: `socketmap:unix:srs:reverse`, the old port of `PostSRSd`,
/// postforward's and the like.
fn srs_map(list: &str) -> Option<&str> {
    let reverses = |table: &&str| {
        let lower = table.to_ascii_lowercase();
        lower.contains("srs") || (lower.starts_with("tcp:") && lower.ends_with(":10002"))
    };
    words(list).find(reverses)
}

/// Whether mail would wait for a milter that is away. Postfix keeps a bounce that it cannot make with what bounced.
fn unready(main_cf: &MainCf, milter: &Milter, line: &str) -> Option<Diagnostic> {
    let action = milter.setting("default_action").unwrap_or(main_cf.value("milter_default_action"));
    if action == "accept" {
        return None;
    }
    let message = format!(
        "while the daemon is away, Postfix would keep bounces, and what bounced, in its queue: default_action={action}"
    );
    Some(of(main_cf, Severity::Warning, message, &format!("write {line}")))
}

fn has_word(list: &str, word: &str) -> bool {
    list.split([',', ' ', '\t', '\n']).any(|found| found == word)
}
