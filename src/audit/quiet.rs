//! Chapter 2: bounces and automatic replies answer only what is genuine.

use super::catch_all::no_configuration;
use super::host::{Mta, has, named};
use super::milters::of_list;
use super::{Change, Chapter, Host, Row, State, Verdict};
use crate::check::responses::Policy as Answers;
use crate::config::{Judged, main_cf};
use crate::session::Role;

/// The policies.
pub(super) static LOCKS: Row = Row {
    name: "answers",
    chapter: Chapter::Quiet,
    title: "Only mail that passed SPF is answered",
    consequence: "Bounces and vacation notices go to people whose addresses spammers have forged.",
    judge: locks,
};

/// What programs send.
pub(super) static PROGRAMS: Row = Row {
    name: "programs",
    chapter: Chapter::Quiet,
    title: "What programs of this host send is judged",
    consequence: "Automatic replies leave unjudged, whatever the configuration says.",
    judge: programs,
};

/// What the mail server itself sends.
pub(super) static BOUNCES: Row = Row {
    name: "bounces",
    chapter: Chapter::Quiet,
    title: "Bounces of the mail server are judged",
    consequence: "Bounces leave unjudged, whatever the configuration says.",
    judge: bounces,
};

fn locks(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let mut verdict = Verdict::new();
    let hosted = &config.policy.hosted;
    if hosted.is_empty() {
        return Verdict::not_applicable("no domain is hosted by lockdown-milter");
    }
    let all = |lock: &str| -> Vec<String> {
        let answers_all = hosted.iter().filter(|(_, locks)| match lock {
            "bounces" => locks.bounces.settings.policy == Answers::Allow,
            _ => locks.auto_responders.settings.policy == Answers::Allow,
        });
        answers_all.map(|(domain, _)| domain.to_string()).collect()
    };
    for (lock, policy) in
        [("auto_responders", "require_spf_pass"), ("bounces", "require_spf_pass_if_published")]
    {
        let domains = all(lock);
        if !domains.is_empty() {
            let change = Change::of_domains(host, &domains, &format!("{lock}: {{ policy: {policy} }}"));
            let evidence = format!("{lock}.policy is `allow` for {}", named(domains));
            verdict.mend(State::Open, evidence, vec![change]);
        }
    }
    verdict.or_good(format!("hosted domains: {}", hosted.len()))
}

fn programs(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let postfix = match &host.mta {
        Mta::Unknown(why) => return Verdict::only(State::Unknown, why),
        Mta::Sendmail(_) => {
            return Verdict::only(State::Good, "Sendmail gives them to the milter of its port 25");
        }
        Mta::Postfix(postfix) => postfix,
    };
    let Judged { replies, bounces } = Judged::by(&config.policy);
    if main_cf(config).is_empty() {
        return Verdict::not_applicable("no answer is judged when it leaves");
    }
    let mut verdict = Verdict::new();
    let list = postfix.main_cf.value("non_smtpd_milters");
    let ours = of_list(config, list);
    let change = || {
        let others = super::milters::others(config, list);
        let first = main_cf(config).into_iter().map(|line| line.text).next().unwrap_or_default();
        let line = [first].into_iter().chain(others).collect::<Vec<_>>().join(", ");
        vec![Change::set(postfix.main_cf.file(), line)]
    };
    let Some((milter, listener)) = ours.first() else {
        let what = if list.is_empty() { "is empty".to_owned() } else { format!("= {list}") };
        verdict.mend(State::Open, format!("non_smtpd_milters {what}: none of our listeners"), change());
        return verdict;
    };
    let action = milter.setting("default_action").unwrap_or(postfix.main_cf.value("milter_default_action"));
    if action != "accept" {
        let evidence = format!("default_action={action}: while we are away, bounces stay in the queue");
        verdict.mend(State::Open, evidence, change());
    }
    if bounces && listener.role != Role::Local {
        let role = listener.role.as_str();
        let evidence =
            format!("the listener has role `{role}`: what Sieve refuses is tied by its header alone");
        verdict.find(State::Doubtful, evidence);
    }
    let what = if replies { "replies" } else { "bounces" };
    verdict.or_good(format!("{what} come to {}", milter.address))
}

fn bounces(host: &Host) -> Verdict {
    let Some(config) = host.config() else { return no_configuration(host) };
    let postfix = match &host.mta {
        Mta::Unknown(why) => return Verdict::only(State::Unknown, why),
        Mta::Sendmail(_) => {
            let why = "Sendmail shows its bounces to no milter: refuse unknown recipients in the session";
            return Verdict::not_applicable(why);
        }
        Mta::Postfix(postfix) => postfix,
    };
    if !Judged::by(&config.policy).bounces {
        return Verdict::not_applicable("no bounce is judged when it leaves (`bounces.policy`)");
    }
    let classes = postfix.main_cf.value("internal_mail_filter_classes");
    if has(classes, "bounce") {
        return Verdict::only(State::Good, format!("internal_mail_filter_classes = {classes}"));
    }
    let mut verdict = Verdict::new();
    let line = match classes {
        "" => "internal_mail_filter_classes = bounce".to_owned(),
        classes => format!("internal_mail_filter_classes = {classes}, bounce"),
    };
    let evidence = format!("internal_mail_filter_classes = {classes}").trim_end().to_owned();
    verdict.mend(State::Open, evidence, vec![Change::set(postfix.main_cf.file(), line)]);
    verdict
}
