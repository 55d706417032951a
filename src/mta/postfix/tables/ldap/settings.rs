//! The file of a table. What it asks for and we cannot do is an error here.

use std::time::Duration;

use super::super::cf::Cf;
use super::super::expansion::{Kind, Needs, Template};
use super::super::{Context, Request};
use super::{Attributes, Ldap, Limits};
use crate::clients::directory::{Place, Scope, Server};
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::Reading;
use crate::clients::ldap::{self, Bind, Client, Dereference};
use crate::clients::password::Password;
use crate::clients::tls::{self, Trust};
use crate::mta::postfix::match_list::{Below, MatchList};
use crate::mta::postfix::words::words;

/// Reads the file.
pub(super) fn read(request: &Request<'_>) -> Reading<Ldap> {
    let (cf, mut warnings) = Cf::open(request)?;
    let path = &request.file()?;
    let in_file =
        |problems: Vec<Problem>| problems.into_iter().map(|one| one.in_file(path)).collect::<Vec<_>>();
    let (table, more) = table(&cf, request.context).map_err(in_file)?;
    warnings.extend(in_file(more));
    warnings.extend(in_file(cf.unknown()));
    Ok((table, warnings))
}

/// Settings that are of no consequence: Postfix ignores them, or they say how much is logged.
const INERT: [&str; 9] = [
    "cache",
    "cache_expiry",
    "cache_size",
    "debuglevel",
    "sasl_authz_id",
    "sasl_mechs",
    "sasl_minssf",
    "sasl_realm",
    "tls_random_file",
];

/// Settings of which only the default can be honoured.
const DEFAULT_ONLY: [(&str, &str); 4] = [
    ("tls_ca_cert_dir", "name the authorities in one file, by tls_ca_cert_file"),
    ("tls_cert", "certificates of clients are not in this version"),
    ("tls_key", "certificates of clients are not in this version"),
    ("tls_cipher_suite", "what may be negotiated cannot be chosen"),
];

fn table(cf: &Cf, context: Context<'_>) -> Reading<Ldap> {
    let one = |problem: Problem| vec![problem];
    for name in INERT {
        cf.value(name);
    }
    for (name, hint) in DEFAULT_ONLY {
        if cf.value(name).is_some_and(|value| !value.is_empty()) {
            return Err(one(cf.problem(name, "it cannot be honoured").hint(hint)));
        }
    }
    let (client, mut warnings) = client(cf, context)?;
    let chases_referrals = cf.is_yes("chase_referrals").map_err(one)?;
    if chases_referrals {
        let problem = cf.problem("chase_referrals", "referrals are not followed here, though Postfix does");
        warnings
            .push(problem.hint("what is only on another server cannot be told: name a server that has all"));
    }
    let mut needs = Needs::default();
    let base = cf.value("search_base").unwrap_or_default();
    let base = Template::parse(base, Kind::Question, &mut needs).map_err(one)?;
    let filter_text = cf.value("query_filter").unwrap_or("(mailacceptinggeneralid=%s)");
    let filter = Template::parse(filter_text, Kind::Question, &mut needs).map_err(one)?;
    let old_format = cf.value("result_filter").filter(|format| !format.is_empty()).unwrap_or("%s");
    let format = cf.value("result_format").filter(|format| !format.is_empty()).unwrap_or(old_format);
    let result_format = Template::parse(format, Kind::Result, &mut needs).map_err(one)?;
    let example = filter.question(needs, "x@x.x.x.x.x.x.x.x.x.x", str::to_owned).unwrap_or_default();
    if !ldap::is_filter(&example) {
        let problem =
            cf.problem("query_filter", &format!("{} is no filter that we can read", quoted(filter_text)));
        return Err(one(problem.hint("there is no white space between its parts: (&(mail=%s)(x=y))")));
    }
    if filter.is_fixed() && base.is_fixed() {
        warnings.push(cf.problem("query_filter", "the answer is the same for every key"));
    }
    let domains = match cf.value("domain").filter(|list| !list.is_empty()) {
        Some(list) => {
            let (list, more) = MatchList::parse("domain", list, Below::Out, context)?;
            warnings.extend(more);
            Some(list)
        }
        None => None,
    };
    let expansion = cf.number("expansion_limit", 0, 0).map_err(one)?;
    let limits = Limits {
        recursion: cf.number("recursion_limit", 1000, 1).map_err(one)?,
        expansion,
        size: cf.number("size_limit", expansion, 0).map_err(one)?,
    };
    let table = Ldap {
        client,
        chases_referrals,
        base,
        filter,
        result_format,
        needs,
        scope: scope(cf).map_err(one)?,
        domains,
        attributes: attributes(cf),
        limits,
        dereference: dereference(cf).map_err(one)?,
    };
    if table.attributes.all.is_empty() {
        warnings.push(cf.problem("result_attribute", "no attribute is read, so that no key has a value"));
    }
    Ok((table, warnings))
}

fn attributes(cf: &Cf) -> Attributes {
    let mut all = Vec::new();
    let mut add = |name: &str, default: &str| {
        all.extend(words(cf.value(name).unwrap_or(default)).map(str::to_owned));
        all.len()
    };
    let terminal = add("terminal_result_attribute", "");
    let leaf = add("leaf_result_attribute", "");
    let ordinary = add("result_attribute", "maildrop");
    add("special_result_attribute", "");
    Attributes { all, terminal, leaf, ordinary }
}

fn scope(cf: &Cf) -> Result<Scope, Problem> {
    let Some(word) = cf.value("scope") else { return Ok(Scope::Sub) };
    let known = Scope::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    known.map(|(_, scope)| *scope).ok_or_else(|| {
        cf.problem("scope", &format!("{} is none", quoted(word))).hint("one of: sub, one, base")
    })
}

fn dereference(cf: &Cf) -> Result<Dereference, Problem> {
    match cf.number("dereference", 0, 0)? {
        0 => Ok(Dereference::Never),
        1 => Ok(Dereference::Searching),
        2 => Ok(Dereference::Finding),
        3 => Ok(Dereference::Always),
        _ => Err(cf.problem("dereference", "it is none of 0, 1, 2, 3")),
    }
}

fn client(cf: &Cf, context: Context<'_>) -> Reading<Client> {
    let one = |problem: Problem| vec![problem];
    let (servers, mut warnings) = servers(cf, context)?;
    let start_tls = cf.is_yes("start_tls").map_err(one)?;
    let is_tls = servers.iter().any(|server| server.is_tls);
    if start_tls && !servers.iter().all(Server::can_start_tls) {
        return Err(one(cf.problem("start_tls", "it is only possible with ldap://HOST")));
    }
    let bind = bind(cf).map_err(one)?;
    // TLS makes Postfix speak version 3, whatever is set; and the version is only said to bind.
    let needs_version = !matches!(bind, Bind::None) && !start_tls && servers.iter().all(|one| !one.is_tls);
    let is_3 = cf.number("version", 2, 2).map_err(one)? == 3 || cf.value("server_host").is_some_and(is_ldapi);
    if needs_version && !is_3 {
        let problem = cf.problem("version", "Postfix speaks LDAPv2 here, which we do not");
        return Err(
            one(problem.hint("set `version = 3`; whatever its manual says, that is not the default")),
        );
    }
    let (tls, more) = if start_tls || is_tls { tls_config(cf)? } else { (None, Vec::new()) };
    warnings.extend(more);
    // Mail waits for the answer, so that a time above our own limit for a question does not count.
    let time = Duration::from_secs(cf.number("timeout", 10, 1).map_err(one)?.try_into().unwrap_or(u64::MAX));
    for name in ["tls_ca_cert_file", "tls_require_cert"] {
        cf.value(name);
    }
    let settings = ldap::Settings { servers, start_tls, tls, bind, connect_time: time, search_time: time };
    Ok((Client::new(settings), warnings))
}

/// Whether the servers are named by URLs of Unix sockets, with which Postfix speaks version 3.
fn is_ldapi(servers: &str) -> bool {
    servers.to_ascii_lowercase().contains("ldapi://")
}

fn servers(cf: &Cf, context: Context<'_>) -> Reading<Vec<Server>> {
    let one = |problem: Problem| vec![problem];
    let port = cf.number("server_port", 389, 0).map_err(one)?;
    let (mut servers, mut warnings) = (Vec::new(), Vec::new());
    for word in words(cf.value("server_host").unwrap_or("localhost")) {
        let url = match word {
            url if url.contains("://") => url.to_owned(),
            named if named.contains(':') => format!("ldap://{named}"),
            host => format!("ldap://{host}:{port}"),
        };
        let server: Server =
            url.parse().map_err(|error| one(cf.problem("server_host", &format!("{error}"))))?;
        let place = match server.place {
            Place::Unix(path) => {
                let (path, more) = context.socket(&path.to_string_lossy())?;
                warnings.extend(more);
                Place::Unix(path)
            }
            inet @ Place::Inet(..) => inet,
        };
        servers.push(Server { place, ..server });
    }
    if servers.is_empty() {
        return Err(one(cf.problem("server_host", "it names no server")));
    }
    Ok((servers, warnings))
}

fn bind(cf: &Cf) -> Result<Bind, Problem> {
    let (dn, password) = (cf.value("bind_dn").unwrap_or_default(), cf.value("bind_pw").unwrap_or_default());
    match cf.value("bind").unwrap_or("yes").to_ascii_lowercase().as_str() {
        "no" | "none" => Ok(Bind::None),
        "yes" | "simple" if dn.is_empty() && password.is_empty() => Ok(Bind::Anonymous),
        "yes" | "simple" => Ok(Bind::Fixed(dn.to_owned(), Password(password.to_owned()))),
        "sasl" => {
            Err(cf.problem("bind", "SASL is not in this version").hint("use `bind = yes` and a password"))
        }
        word => Err(cf.problem("bind", &format!("{} is none", quoted(word))).hint("one of: no, yes")),
    }
}

type Tls = Option<std::sync::Arc<rustls::ClientConfig>>;

fn tls_config(cf: &Cf) -> Reading<Tls> {
    let is_verified = cf.is_yes("tls_require_cert").map_err(|problem| vec![problem])?;
    let trust = match cf.value("tls_ca_cert_file").filter(|file| !file.is_empty()) {
        _ if !is_verified => Trust::Anybody,
        Some(file) => Trust::File(file.into()),
        None => Trust::System,
    };
    let (config, mut warnings) = tls::client(&trust)?;
    if !is_verified {
        let warning =
            cf.problem("tls_require_cert", "nobody verifies that the server is the one that is meant");
        warnings.push(warning.hint("set `tls_require_cert = yes`"));
    }
    Ok((Some(config), warnings))
}
