//! `spf lint`: what is wrong with a record, or will be.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::outgoing;
use super::view::{View, Which};
use crate::cli::layout::{Layout, counted, wrapped};
use crate::cli::table::Tone;
use crate::cli::{FINDINGS, USAGE, block_on, failed, write};
use crate::clients::dns::Resolver;
use crate::journal::render::{harmless, harmless_json};
use crate::mail::Domain;
use crate::spf::Options;
use crate::spf::lint::{Duties, Lint, Severity, lint_domain, lint_record};

/// Arguments of `spf lint`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Domains whose records are looked at, or the text of a record (`v=spf1 …`)
    #[arg(value_name = "DOMAIN|RECORD", required = true)]
    subjects: Vec<String>,
    /// The domain that is going to publish the record given as text
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<Domain>,
    /// An address from which mail leaves; may be repeated. Else what Postfix says, or this host's public addresses
    #[arg(long, value_name = "IP")]
    outgoing: Vec<IpAddr>,
    /// Do not ask whether this host's mail is covered, as another one sends it
    #[arg(long)]
    not_this_host: bool,
    /// Where main.cf is, if not in Postfix's default
    #[arg(long, value_name = "DIR")]
    postfix_dir: Option<PathBuf>,
    /// Do not ask DNS: only what a record given as text says by itself
    #[arg(long)]
    offline: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockdown-milter spf lint example.org
      What is wrong with the published record, what it costs, whether this host's mail passes, and DMARC.
  lockdown-milter spf lint --domain example.org 'v=spf1 mx include:_spf.news.example ~all'
      The same for a record before it is published.
  lockdown-milter spf lint --offline 'v=spf1 ip4:192.0.2.1/24 -all'
      Only what can be seen without DNS.
  lockdown-milter spf lint --not-this-host partner.example
      Somebody else's record, which need not cover this host.

Exit status: 0 nothing but notes, 1 errors or warnings, 64 wrong usage.";

/// Runs the command.
pub(super) fn lint(arguments: &Arguments) -> ExitCode {
    if let Some(wrong) = arguments
        .subjects
        .iter()
        .find(|subject| !is_record(subject) && (arguments.offline || subject.parse::<Domain>().is_err()))
    {
        let why = if arguments.offline {
            "--offline looks at records given as text"
        } else {
            "that is neither a domain nor a record"
        };
        eprintln!("lockdown-milter: {}: {why}", harmless(wrong));
        return ExitCode::from(USAGE);
    }
    let linted = block_on(async {
        let view = arguments.which.open()?;
        let duties = if arguments.offline || arguments.not_this_host {
            Duties::default()
        } else {
            duties(&arguments.outgoing, &view, arguments).await
        };
        let mut found = Vec::new();
        for subject in &arguments.subjects {
            found.push(one(subject, arguments, &view, &duties).await);
        }
        Ok((found, view.options))
    });
    let (found, options) = match linted {
        Ok(linted) => linted,
        Err(error) => return failed(&error),
    };
    let output = if arguments.json {
        let records: Vec<Value> = found.iter().map(lint_json).collect();
        harmless_json(&format!("{:#}\n", json!({ "limits": limits(&options), "records": records })))
    } else {
        let layout = Layout::of_output();
        found.iter().map(|lint| text(lint, &options, &layout)).collect::<Vec<_>>().join("\n")
    };
    let written = write(&output);
    let is_bad = found.iter().any(|lint| lint.worst().is_some_and(|worst| worst <= Severity::Warning));
    if is_bad { ExitCode::from(FINDINGS) } else { written }
}

/// A text with a blank, or one that begins like a record, is none of a domain.
fn is_record(subject: &str) -> bool {
    subject.contains([' ', '=']) || subject.is_empty()
}

async fn duties(told: &[IpAddr], view: &View, arguments: &Arguments) -> Duties {
    let host = outgoing::find(told, view, arguments.postfix_dir.as_deref()).await;
    Duties { outgoing: host.addresses.iter().map(|outgoing| outgoing.address).collect(), helo: host.helo }
}

async fn one(subject: &str, arguments: &Arguments, view: &View, duties: &Duties) -> Lint {
    match subject.parse::<Domain>() {
        Ok(domain) if !is_record(subject) => lint_domain(&view.dns, &domain, &view.options, duties).await,
        _ => {
            let dns: Option<&Resolver> = (!arguments.offline).then_some(&view.dns);
            lint_record(dns, arguments.domain.as_ref(), subject, &view.options, duties).await
        }
    }
}

/// The bounds as JSON.
pub(super) fn limits(options: &Options) -> Value {
    json!({ "lookups": options.lookups, "void_lookups": options.void_lookups })
}

/// The findings as text.
fn text(lint: &Lint, options: &Options, layout: &Layout) -> String {
    let mut text = String::new();
    if let Some(domain) = &lint.domain {
        let _ = writeln!(text, "{}", Tone::Strong.paint(domain.as_str(), layout.style));
    }
    if let Some(record) = &lint.record {
        text.push_str(&wrapped(&harmless(record), "  ", "    ", layout.width));
    }
    if let Some(cost) = lint.cost() {
        let count = |number: usize, most| {
            if cost.is_endless { format!("more than {most}") } else { number.to_string() }
        };
        let (lookups, voids) = (count(cost.counts.lookups, options.lookups), cost.counts.void_lookups);
        let _ = writeln!(
            text,
            "  look-ups {lookups} of {}, void look-ups {voids} of {}",
            options.lookups, options.void_lookups
        );
    }
    text.push('\n');
    for finding in &lint.findings {
        let tone = match finding.kind.severity {
            Severity::Error => Tone::Alarming,
            Severity::Warning => Tone::Strong,
            Severity::Note => Tone::Normal,
        };
        let label = finding.kind.severity.as_str();
        let place = finding.place.as_ref().map(|place| format!("{} (column {}): ", place.term, place.column));
        let says = format!("{}{}", place.unwrap_or_default(), finding.says);
        let lines = wrapped(&harmless(&says), &format!("{label:<9}"), &" ".repeat(9), layout.width);
        text.push_str(&lines.replacen(label, &tone.paint(label, layout.style), 1));
        text.push_str(&wrapped(
            &format!("{} [{}]", finding.kind.hint, finding.kind.slug),
            "         → ",
            "           ",
            layout.width,
        ));
    }
    let number =
        |severity| lint.findings.iter().filter(|finding| finding.kind.severity == severity).count() as u64;
    let _ = writeln!(
        text,
        "{}{}, {}, {}",
        if lint.findings.is_empty() { "" } else { "\n" },
        counted(number(Severity::Error), "error", "errors"),
        counted(number(Severity::Warning), "warning", "warnings"),
        counted(number(Severity::Note), "note", "notes"),
    );
    text
}

/// A record with its findings as JSON. The keys are a contract.
pub(super) fn lint_json(lint: &Lint) -> Value {
    let findings: Vec<Value> = lint
        .findings
        .iter()
        .map(|finding| {
            json!({
                "kind": finding.kind.slug,
                "severity": finding.kind.severity.as_str(),
                "says": finding.says,
                "hint": finding.kind.hint,
                "column": finding.place.as_ref().map(|place| place.column),
                "term": finding.place.as_ref().map(|place| &place.term),
            })
        })
        .collect();
    let cost = lint.cost();
    json!({
        "domain": lint.domain.as_ref().map(Domain::as_str),
        "record": lint.record,
        "lookups": cost.map(|cost| cost.counts.lookups),
        "void_lookups": cost.map(|cost| cost.counts.void_lookups),
        "endless": cost.is_some_and(|cost| cost.is_endless),
        "findings": findings,
    })
}
