//! The hosted domains: which they are, what is known of their names, what they publish.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::responders::responders;
use super::sendmail;
use crate::audit::host::{Asked, Hosted, Mta, Postfix};
use crate::config::Config;
use crate::facts::{
    Answer, Cost, Evidence, Existence, Key, Provenance, Question, RecipientQuestion, SourceId,
};
use crate::mail::{Domain, Mailbox};
use crate::mta::postfix::classes::{Class, Classes};
use crate::mta::postfix::everybodys::{Everybodys, Spot, everybodys};
use crate::mta::postfix::stranger::stranger;
use crate::sources::Sources;
use crate::sources::recipients::{Recipients, SourceSettings};

/// How long looking at names may take, all domains together.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// How long one table or server may take for one name.
const ONE: Duration = Duration::from_secs(10);

/// How long DNS may take for all domains.
const DNS: Duration = Duration::from_secs(20);

/// Domains that are looked at, at most.
const MOST: usize = 500;

/// Names that nobody has, of the shapes that patterns take: a word, a name with a dot, with a hyphen, with digits.
fn nobody() -> Vec<String> {
    ["", "john.smith", "j-smith", "john12"].map(stranger).to_vec()
}

/// The domains that we or the mail server receive mail for, where there may be more of them, and how many were left out.
pub(super) async fn domains(
    mta: &Mta,
    config: Option<&Config>,
    sources: Option<&Arc<Sources>>,
    deadline: Instant,
) -> (Vec<Hosted>, Vec<String>, usize) {
    let (mut named, unlisted): (BTreeMap<Domain, Option<Class>>, Vec<String>) = match mta {
        Mta::Postfix(postfix) => classes(postfix),
        Mta::Sendmail(sendmail) => (sendmail::domains(sendmail), Vec::new()),
        Mta::Unknown(_) => Default::default(),
    };
    for domain in config.into_iter().flat_map(|config| config.policy.hosted.keys()) {
        named.entry(domain.clone()).or_default();
    }
    let omitted = named.len().saturating_sub(MOST);
    let recipients = match mta {
        Mta::Postfix(postfix) => Some(open(postfix).await),
        _ => None,
    };
    let mut published = records(named.keys().take(MOST), sources).await;
    let mut all = Vec::new();
    for (domain, class) in named.into_iter().take(MOST) {
        let spf = published
            .remove(&domain)
            .unwrap_or_else(|| Err("DNS was not asked: no configuration".to_owned()));
        let hosted = match (mta, &recipients) {
            (Mta::Postfix(postfix), Some(recipients)) => {
                of_postfix(postfix, recipients, domain, class, deadline).await
            }
            (Mta::Sendmail(host), _) => sendmail::hosted(host, domain),
            _ => undetermined(domain, class, "no mail server could be read"),
        };
        all.push(Hosted { spf, ..hosted });
    }
    (all, unlisted, omitted)
}

/// The domains of a Postfix that mail from outside may be for, and the lists and tables that nobody can list.
fn classes(postfix: &Postfix) -> (BTreeMap<Domain, Option<Class>>, Vec<String>) {
    let classes = match Classes::open(&postfix.main_cf) {
        Ok((classes, _)) => classes,
        Err(problems) => return (BTreeMap::new(), problems.iter().map(ToString::to_string).collect()),
    };
    let (mut all, mut unlisted) = (BTreeMap::new(), Vec::new());
    for (class, names) in classes.names() {
        unlisted.extend(names.unlisted);
        for name in names.listed {
            let is_own = name == "localhost" || name.starts_with("localhost.") || !name.contains('.');
            if let Some(domain) = name.parse::<Domain>().ok().filter(|_| !is_own) {
                all.entry(domain).or_insert(Some(class));
            }
        }
    }
    (all, unlisted)
}

/// The tables of a Postfix, as it asks them, or why they cannot be asked.
async fn open(postfix: &Postfix) -> Result<Recipients, String> {
    let config_dir = postfix.main_cf.file().parent().map(Path::to_owned);
    let settings = [SourceSettings::Postfix { config_dir }];
    match timeout(PATIENCE, Recipients::open(&settings)).await {
        Ok(Ok(recipients)) => Ok(recipients),
        Ok(Err(problems)) => Err(problems.first().map_or_else(String::new, ToString::to_string)),
        Err(_) => Err(format!("the tables could not be read within {PATIENCE:?}")),
    }
}

fn undetermined(domain: Domain, class: Option<Class>, why: &str) -> Hosted {
    let unknown = || Existence::Undetermined(why.to_owned());
    Hosted {
        domain,
        class,
        nobody: unknown(),
        everybodys: Vec::new(),
        responders: Vec::new(),
        roles: [("postmaster", unknown()), ("abuse", unknown())],
        spf: Err(String::new()),
    }
}

async fn of_postfix(
    postfix: &Postfix,
    recipients: &Result<Recipients, String>,
    domain: Domain,
    class: Option<Class>,
    deadline: Instant,
) -> Hosted {
    let recipients = match recipients {
        Ok(recipients) => recipients,
        Err(why) => return undetermined(domain, class, why),
    };
    let ask = async |name: &str| {
        let source = SourceId { number: 0, cost: Cost::Near };
        let forms = vec![Mailbox::new(name, domain.clone())];
        let question = RecipientQuestion { source, forms, case_sensitive: false, by_name: true };
        let until = deadline.min(Instant::now() + ONE);
        timeout_at(until, recipients.find(&question))
            .await
            .unwrap_or_else(|_| Existence::Undetermined("the tables do not answer in time".to_owned()))
    };
    let names = nobody();
    let mut answer = Existence::Unknown(String::new());
    for name in &names {
        let found = ask(name).await;
        // Of several shapes the one counts that is known; that one cannot be told of the others changes nothing.
        let weight = |existence: &Existence| match existence {
            Existence::Wildcard(_)
            | Existence::Ambiguous(_)
            | Existence::Exists(_)
            | Existence::Relocated { .. } => 0,
            Existence::Undetermined(_) => 1,
            Existence::NoList(_) => 2,
            Existence::Unknown(_) => 3,
        };
        if weight(&found) < weight(&answer) {
            answer = found;
        }
        if matches!(answer, Existence::Wildcard(_) | Existence::Ambiguous(_) | Existence::Undetermined(_)) {
            break;
        }
    }
    let entries = match &answer {
        Existence::Wildcard(by) | Existence::Ambiguous(by) => {
            entries(postfix, &domain, class, by, &names, deadline).await
        }
        _ => Vec::new(),
    };
    let responders = responders(postfix, &domain, &entries);
    let roles = [("postmaster", ask("postmaster").await), ("abuse", ask("abuse").await)];
    Hosted { domain, class, nobody: answer, everybodys: entries, responders, roles, spf: Err(String::new()) }
}

/// The entries that make a catch-all, which was come to by `by`.
async fn entries(
    postfix: &Postfix,
    domain: &Domain,
    class: Option<Class>,
    by: &Provenance,
    names: &[String],
    deadline: Instant,
) -> Vec<Everybodys> {
    // By aliases of domains it may be another domain's.
    let other = match by.last() {
        Some(Evidence::Parameter { name, value }) => {
            let (parameter, value) = (name.clone(), value.clone());
            return vec![Everybodys { parameter, table: String::new(), value, spot: Spot::Table }];
        }
        Some(Evidence::Entry { key: Key::Domain(domain), .. }) => domain.parse::<Domain>().ok(),
        _ => None,
    };
    let domain = other.as_ref().unwrap_or(domain);
    let own = class.filter(|class| *class != Class::VirtualAlias).map(Class::recipients);
    let parameters =
        ["recipient_canonical_maps", "canonical_maps", "virtual_alias_maps"].into_iter().chain(own);
    let mut all = Vec::new();
    for parameter in parameters {
        let until = deadline.min(Instant::now() + ONE);
        let found = timeout_at(until, everybodys(&postfix.main_cf, parameter, domain.as_str(), names)).await;
        let found = found.ok().and_then(Result::ok).unwrap_or_default();
        // What gives each name another one of its own is an alias of the domain.
        let is_alias = |entry: &Everybodys| {
            entry.value.starts_with('@') || names.iter().any(|name| entry.value.contains(name.as_str()))
        };
        all.extend(found.into_iter().filter(|entry| !is_alias(entry)));
    }
    all
}

/// What our own sources say of a name that nobody has, each for the first domains that use it.
pub(super) async fn sources(config: &Config, sources: &Sources, deadline: Instant) -> Vec<Asked> {
    let mut all: Vec<Asked> = Vec::new();
    for (domain, locks) in config.policy.hosted.iter().take(MOST) {
        if config.policy.site.followed(domain) != domain {
            continue;
        }
        for source in &locks.recipients.settings.sources {
            let Some(settings) = config.recipients.get(source.number) else { continue };
            // What Postfix says of its own tables is in a row of its own.
            if matches!(settings, SourceSettings::Postfix { .. }) {
                continue;
            }
            let forms = vec![Mailbox::new(stranger(""), domain.clone())];
            let question = RecipientQuestion { source: *source, forms, case_sensitive: false, by_name: true };
            let until = deadline.min(Instant::now() + ONE);
            let found = timeout_at(until, sources.find(&Question::Recipient(question), until)).await;
            let answer = match found {
                Ok(Answer::Recipient(answer)) => answer,
                _ => Existence::Undetermined("it does not answer in time".to_owned()),
            };
            all.push(Asked { source: settings.name().to_owned(), domain: domain.clone(), answer });
        }
    }
    all
}

/// The SPF records of domains, or why they are not known.
async fn records(
    domains: impl Iterator<Item = &Domain>,
    sources: Option<&Arc<Sources>>,
) -> BTreeMap<Domain, Result<Vec<String>, String>> {
    let Some(sources) = sources else { return BTreeMap::new() };
    let mut asked = JoinSet::new();
    let mut all = BTreeMap::new();
    for domain in domains.cloned() {
        all.insert(domain.clone(), Err(format!("DNS gave no answer within {DNS:?}")));
        let sources = Arc::clone(sources);
        asked.spawn(async move { (sources.spf_records(&domain).await, domain) });
    }
    let ended = timeout(DNS, async {
        while let Some(answer) = asked.join_next().await {
            if let Ok((records, domain)) = answer {
                all.insert(domain, records);
            }
        }
    });
    // What has no answer by then says so already.
    let _ = ended.await;
    all
}
