//! lockdown-milter: a milter daemon that locks down Postfix and Sendmail.
//!
//! # Bird's eye view
//!
//! ```text
//! milter event -> Session + Envelope -> Request -> decide() -> Decision -> journal -> answer -> milter reply
//!                                                   ^   |
//!                                          Facts ---+   +--- Questions -> sources (DNS, tables, ledger)
//! ```
//!
//! One pure function, [`decide::decide`], says what becomes of a recipient or a message. What it does not know it asks
//! for. The daemon, `explain` and the tests differ only in where the answers come from.
//!
//! # Where things are
//!
//! | module | what it is |
//! |---|---|
//! | [`mail`] | values of the mail standards: domains, paths, header fields, replies, results |
//! | [`session`] | who is talking: client, session, envelope, origin; the request |
//! | [`facts`] | questions, answers, and what a check may see of them |
//! | [`check`] | the locks, one file or folder each, and their registry |
//! | [`policy`] | the policy in force: the locks of every hosted domain |
//! | [`decide`] | the decision |
//! | [`journal`] | decisions as records with what they were judged on, records as lines, and what lines add up to |
//! | [`spf`] | SPF evaluation, term by term where asked, on viaspf-record's grammar; what is wrong with a record |
//! | [`clients`] | DNS, SMTP, LDAP, SQL, socketmap and Dovecot: one file for each protocol; files that are watched; counts of what look-ups come to |
//! | [`mta`] | the mail server's own files and tables: Postfix's and Sendmail's |
//! | [`memory`] | what must be known tomorrow: the store, with what was learned of catch-alls, the accepted messages, those who send as our domains and those our users write to; and the clients that guess names |
//! | [`sources`] | the loop around the decision, and who answers: which recipients exist, and what a login may send as |
//! | [`config`] | from the file to the policy, with all problems and their places; and back, with where each setting comes from |
//! | [`audit`] | the hardening guide as a checklist: a host that was looked at, judged row by row |
//! | [`milter`] | the milter protocol: indymilter behind a face of ours |
//! | [`daemon`] | the milter in front of the decision; clock, log, signals, sockets of systemd, control socket, metrics |
//! | [`cli`] | the commands |
//!
//! A new lock is a file in `check` and a line in its registry. It names the domains whose settings judge a request,
//! and judges by one of them, asking for what it must know with `?`.
//!
//! # What holds
//!
//! - **Dependencies point one way**: `mail` <- `session` <- `facts` <- `check` <- `policy` <- `decide` <- `sources` <-
//!   `daemon`, `cli`; [`audit`] judges what `cli` gathered. [`milter`], [`spf`] and [`clients`] know nothing of ours but
//!   [`mail`] (and `clients` the zone that `spf` asks), [`mta`] those two.
//! - **The core is pure**: `mail`, `session`, `facts`, `check`, `policy`, `decide` and `journal` have no sockets, files,
//!   tasks or clock. Time is an argument.
//! - **One place for each stranger**: viaspf-record is named in `spf`, indymilter in `milter`, `serde_yaml` in `config/yaml.rs`,
//!   redb in `memory/store`, hyper and prometheus-client in `daemon/metrics`, the clock in `daemon/clock.rs`.
//! - **A missing answer is never a good one**: a check gets the answer or hands back the question.
//! - **What is known already changes no verdict**: a check sees the facts of its class of cost and of cheaper ones.
//! - **Only an enforced finding refuses.** Results are recorded in every mode but `off`.
//! - **The client's text and the administrator's are two strings**; nothing of a stranger's reaches a reply, a header or
//!   a line of the log unescaped.
//! - **Local mail is never answered at RCPT**, as the MTA would keep it for ever.
//!
//! `tests/architecture.rs` holds the first three.

pub mod audit;
pub mod check;
pub mod cli;
pub mod clients;
pub mod config;
pub mod daemon;
pub mod decide;
pub mod facts;
pub mod journal;
pub mod mail;
pub mod memory;
pub mod milter;
pub mod mta;
pub mod policy;
pub mod session;
pub mod sources;
pub mod spf;
