//! `spf report`: how all hosted domains stand with SPF, in a table, as a mail for every week, or for programs.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::lint::limits;
use super::outgoing;
use super::view::{View, Which};
use crate::cli::layout::{Layout, counted, wrapped};
use crate::cli::table::{Cell, Column, Table, Tone};
use crate::cli::{FINDINGS, block_on, failed, write};
use crate::config::Style;
use crate::daemon;
use crate::journal::render::{harmless, harmless_json};
use crate::mail::Domain;
use crate::memory::Day;
use crate::memory::senders::{Sender, Senders, Source, Tally};
use crate::spf::lint::{Duties, Lint, Severity, lint_domain};

/// Days that are looked back.
const DAYS: u32 = 14;

/// Columns of a mail (RFC 5322, 2.1.1, recommends no more than 78).
const MAIL_WIDTH: usize = 78;

/// Arguments of `spf report`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// An address from which mail leaves; may be repeated. Else what Postfix says, or this host's public addresses
    #[arg(long, value_name = "IP")]
    outgoing: Vec<IpAddr>,
    /// Where main.cf is, if not in Postfix's default
    #[arg(long, value_name = "DIR")]
    postfix_dir: Option<PathBuf>,
    /// Write a mail to this address, for sendmail -t
    #[arg(long, value_name = "ADDRESS", conflicts_with = "json")]
    mail: Option<crate::mail::Mailbox>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter spf report
      Each hosted domain: its policy, its look-ups, who sent as it in the last 14 days, and whether it is ready for -all.
  lockdown-milter spf report --mail postmaster@example.org | sendmail -t
      The same as a mail, for a timer that runs once a week.
  lockdown-milter spf report --json | jq -r '.domains[] | select(.ready) | .domain'
      The domains that are ready for -all.

Exit status: 0 all is well, 1 a domain has errors or warnings, 64 wrong usage, 78 wrong configuration.";

/// How a domain stands.
struct Standing {
    lint: Lint,
    domain: Domain,
    tally: Tally,
    state: State,
}

/// What is to be done next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has `-all`.
    Strict,
    /// `-all` would refuse nobody who was seen.
    Ready,
    /// Somebody was seen whom it does not cover.
    Undecided,
    /// Nobody knows who sends.
    Unseen,
    /// The record must be mended first.
    Broken,
    /// There is none.
    Missing,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "has -all",
            Self::Ready => "ready for -all",
            Self::Undecided => "see who fails",
            Self::Unseen => "wait: nothing seen",
            Self::Broken => "mend it first",
            Self::Missing => "publish one",
        }
    }

    /// The name that programs know.
    fn slug(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Ready => "ready",
            Self::Undecided => "undecided",
            Self::Unseen => "unseen",
            Self::Broken => "broken",
            Self::Missing => "missing",
        }
    }
}

/// Runs the command.
pub(super) fn report(arguments: &Arguments) -> ExitCode {
    let gathered = block_on(async {
        let view = arguments.which.open_configured()?;
        let host = outgoing::find(&arguments.outgoing, &view, arguments.postfix_dir.as_deref()).await;
        let outgoing = host.addresses.iter().map(|outgoing| outgoing.address).collect();
        let duties = Duties { outgoing, helo: host.helo };
        let standings = gather(&view, &duties).await;
        Ok((standings, limits(&view.options), view.host_name))
    });
    let ((standings, trouble), limits, host_name) = match gathered {
        Ok(gathered) => gathered,
        Err(error) => return failed(&error),
    };
    let output = match &arguments.mail {
        _ if arguments.json => json(&standings, trouble.as_deref(), &limits),
        Some(to) => {
            let layout = Layout { width: MAIL_WIDTH, style: Style::Plain };
            mail(&to.to_string(), &host_name, &standings, &text(&standings, trouble.as_deref(), &layout))
        }
        None => text(&standings, trouble.as_deref(), &Layout::of_output()),
    };
    let written = write(&output);
    let is_bad = |standing: &Standing| standing.lint.worst().is_some_and(|worst| worst <= Severity::Warning);
    if standings.iter().any(is_bad) && arguments.mail.is_none() { ExitCode::from(FINDINGS) } else { written }
}

/// How each hosted domain stands; and why nothing is known of senders, if that is so.
async fn gather(view: &View, duties: &Duties) -> (Vec<Standing>, Option<String>) {
    let Some(config) = &view.config else { return (Vec::new(), None) };
    let (senders, trouble) = match Senders::of_file(&config.ledger.path) {
        Ok(senders) => (senders, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let since = Day::of(daemon::now()).back(DAYS - 1);
    let mut standings = Vec::new();
    for domain in config.policy.hosted.keys() {
        let lint = lint_domain(&view.dns, domain, &view.options, duties).await;
        let of_domain: Vec<&Sender> = senders.iter().filter(|sender| sender.domain == *domain).collect();
        let tally = of_domain.iter().fold(Tally::default(), |sum, sender| sum.plus(sender.total(since)));
        let state = state(&lint, &of_domain, since, tally);
        standings.push(Standing { lint, domain: domain.clone(), tally, state });
    }
    (standings, trouble)
}

/// Whether `-all` would be good. A forger's single attempts do not stand in its way, somebody who comes back on another
/// day may be one of ours.
fn state(lint: &Lint, senders: &[&Sender], since: Day, tally: Tally) -> State {
    let Some(record) = &lint.record else { return State::Missing };
    let covers = lint.findings.iter().all(|finding| finding.kind.slug != "not-covered");
    if lint.worst() == Some(Severity::Error) || !covers {
        return State::Broken;
    }
    if policy(record) == "-all" {
        return State::Strict;
    }
    if tally.all() == 0 {
        return State::Unseen;
    }
    let stays = |sender: &&Sender| {
        let failing =
            sender.days.range(since..).filter(|(_, tally)| tally.fail + tally.softfail + tally.none > 0);
        matches!(sender.source, Source::Client(_)) && failing.count() > 1
    };
    if senders.iter().any(stays) { State::Undecided } else { State::Ready }
}

/// The end of a record.
fn policy(record: &str) -> String {
    let terms = || record.split(' ').map(str::to_ascii_lowercase);
    let all = terms().find(|term| term.trim_start_matches(['+', '-', '~', '?']) == "all");
    let end = all.map(|all| if all == "all" { "+all".to_owned() } else { all });
    let redirect = || terms().find(|term| term.starts_with("redirect=")).map(|_| "redirect".to_owned());
    end.or_else(redirect).unwrap_or_else(|| "none".to_owned())
}

fn has(lint: &Lint, slug: &str) -> bool {
    lint.findings.iter().any(|finding| finding.kind.slug == slug)
}

/// The DMARC policy, as far as it matters here.
fn dmarc(lint: &Lint) -> &'static str {
    match () {
        () if has(lint, "dmarc-missing") => "missing",
        () if has(lint, "dmarc-broken") => "broken",
        () if has(lint, "dmarc-none") => "none",
        () => "ok",
    }
}

fn text(standings: &[Standing], trouble: Option<&str>, layout: &Layout) -> String {
    let mut text = String::new();
    let ready = standings.iter().filter(|standing| standing.state == State::Ready).count() as u64;
    let domains = counted(standings.len() as u64, "hosted domain", "hosted domains");
    let _ =
        writeln!(text, "SPF of {domains}; {ready} ready for -all. Mail is that of the last {DAYS} days.\n");
    let mut columns = vec![
        Column::Left("DOMAIN"),
        Column::Left("END"),
        Column::Right("LOOK-UPS"),
        Column::Right("PASS"),
        Column::Right("FAIL"),
        Column::Right("NONE"),
        Column::Left("DMARC"),
        Column::Left("NEXT"),
    ];
    if layout.is_wide() {
        columns.insert(3, Column::Right("OURS"));
        columns.insert(7, Column::Right("REFUSED"));
        columns.insert(8, Column::Left("THIS HOST"));
    }
    let mut table = Table::new(columns);
    for Standing { lint, domain, tally, state } in standings {
        let lookups = lint.cost().map_or("-".to_owned(), |cost| {
            if cost.is_endless { "endless".to_owned() } else { cost.counts.lookups.to_string() }
        });
        let tone = match state {
            State::Strict | State::Ready => Tone::Strong,
            State::Broken | State::Missing => Tone::Alarming,
            State::Undecided | State::Unseen => Tone::Normal,
        };
        let mut cells = vec![
            Cell::new(harmless(domain.as_str())),
            Cell::new(lint.record.as_deref().map_or("-".to_owned(), policy)),
            Cell::new(lookups),
            Cell::new(tally.pass.to_string()),
            Cell::new(tally.fail.saturating_add(tally.softfail).to_string()),
            Cell::new(tally.none.to_string()),
            Cell::new(dmarc(lint)),
            Cell::new(state.as_str()).toned(tone),
        ];
        if layout.is_wide() {
            cells.insert(3, Cell::new(tally.ours.to_string()));
            cells.insert(7, Cell::new(tally.refused.to_string()));
            let covers = match &lint.record {
                None => "-",
                Some(_) if has(lint, "not-covered") => "not covered",
                Some(_) => "covered",
            };
            cells.insert(8, Cell::new(covers));
        }
        table.row(cells);
    }
    text.push_str(&table.render(layout.width, layout.style));
    if let Some(trouble) = trouble {
        text.push('\n');
        text.push_str(&wrapped(
            &harmless(&format!("Who sends is not known: {trouble}")),
            "",
            "",
            layout.width,
        ));
    }
    for Standing { lint, domain, .. } in standings {
        let grave: Vec<_> =
            lint.findings.iter().filter(|finding| finding.kind.severity <= Severity::Warning).collect();
        if grave.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", Tone::Strong.paint(&harmless(domain.as_str()), layout.style));
        for finding in grave {
            let place = finding.place.as_ref().map(|place| format!("{}: ", place.term)).unwrap_or_default();
            let says = harmless(&format!("{place}{}", finding.says));
            text.push_str(&wrapped(
                &says,
                &format!("  {:<9}", finding.kind.severity.as_str()),
                &" ".repeat(11),
                layout.width,
            ));
        }
        text.push_str(&wrapped(
            &format!("lockdown-milter spf lint {domain} says what to do."),
            "  ",
            "  ",
            layout.width,
        ));
    }
    text
}

/// A mail (RFC 5322) that no vacation programme answers (RFC 3834).
fn mail(to: &str, host: &str, standings: &[Standing], body: &str) -> String {
    let open = standings.iter().filter(|standing| !matches!(standing.state, State::Strict)).count() as u64;
    let subject = match open {
        0 => "SPF: all hosted domains have -all".to_owned(),
        _ => format!("SPF: {} to look at", counted(open, "domain", "domains")),
    };
    // A mail without From gets the address of whoever sends it, which is right for a timer.
    format!(
        "To: {}\nSubject: {subject} ({})\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{body}",
        harmless(to),
        harmless(host),
    )
}

/// The report as JSON. The keys are a contract.
fn json(standings: &[Standing], trouble: Option<&str>, limits: &Value) -> String {
    let domains: Vec<Value> = standings
        .iter()
        .map(|Standing { lint, domain, tally, state }| {
            json!({
                "domain": domain.as_str(),
                "record": lint.record,
                "policy": lint.record.as_deref().map(policy),
                "lookups": lint.cost().map(|cost| cost.counts.lookups),
                "endless": lint.cost().is_some_and(|cost| cost.is_endless),
                "covers_this_host": lint.record.as_ref().map(|_| !has(lint, "not-covered")),
                "dmarc": dmarc(lint),
                "findings": lint.findings.iter().map(|finding| finding.kind.slug).collect::<Vec<_>>(),
                "ours": tally.ours,
                "pass": tally.pass,
                "fail": tally.fail,
                "softfail": tally.softfail,
                "none": tally.none,
                "unknown": tally.unknown,
                "refused": tally.refused,
                "state": state.slug(),
                "ready": *state == State::Ready,
            })
        })
        .collect();
    let value = json!({ "days": DAYS, "limits": limits, "trouble": trouble, "domains": domains });
    harmless_json(&format!("{value:#}\n"))
}
