//! Files of grants: `login: address, @domain or *, …`.
//!
//! One login a line; a line that begins with white space continues the one before it, and a login may have several
//! lines. `#` at the beginning of a line or after white space begins a comment. A login ends at the first `:`. Logins
//! are compared as [`Account`]s are, by the case of the file.

mod read;
#[cfg(feature = "ldap")]
mod values;

use crate::clients::files::pairs::Pairs;
use crate::clients::files::problem::Problem;
use crate::facts::GrantQuestion;
use crate::mail::Domain;
use crate::session::Account;
#[cfg(feature = "ldap")]
pub(super) use values::{PassedOver, first_granting};

/// Separates grants in memory. It is a control, so it is part of none.
const BETWEEN: char = '\t';

/// Who may send as what.
#[derive(Debug)]
pub struct Grants {
    /// By [`Account::key`] what is granted.
    pairs: Pairs,
    /// The domain of logins that name none.
    login_domain: Option<Domain>,
}

/// A grant that answers a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The grant as the file has it, its domain as A-labels.
    pub grant: String,
    /// The line where its login is named.
    pub line: usize,
}

impl Grants {
    /// Reads the text of a file, in which a login without a domain is one of `login_domain`.
    ///
    /// # Errors
    ///
    /// The first 20 problems, with line and column.
    pub fn parse(bytes: &[u8], login_domain: Option<&Domain>) -> Result<Self, Vec<Problem>> {
        let pairs = read::read(bytes, login_domain)?;
        Ok(Self { pairs, login_domain: login_domain.cloned() })
    }

    /// The first grant that answers a question with yes.
    ///
    /// A login that the file has in exactly this spelling has the grants of this spelling. Otherwise case does not
    /// count, unless the file has several spellings, in ASCII: then it tells logins apart, and this one is unknown.
    pub fn find(&self, question: &GrantQuestion) -> Option<Found> {
        let login = Account::parse(&question.login.0)?.key(self.login_domain.as_ref());
        let wanted = Wanted::new(question);
        let is_known = self.pairs.find(&login).any(|pair| pair.key == login);
        let only = self.pairs.find(&login).next()?.key;
        if !is_known && self.pairs.find(&login).any(|pair| pair.key != only) {
            return None;
        }
        let spelling = if is_known { login.as_str() } else { only };
        let lines = self.pairs.find(&login).filter(|pair| pair.key == spelling);
        let mut grants =
            lines.flat_map(|pair| pair.value.split(BETWEEN).map(move |grant| (grant, pair.line)));
        let (grant, line) = grants.find(|(grant, _)| wanted.is_granted_by(grant))?;
        Some(Found { grant: grant.to_owned(), line })
    }

    /// The first grant of a text, `address, @domain or *, …`, that answers a question with yes, whoever its login is.
    ///
    /// # Errors
    ///
    /// When something in it is no grant.
    pub fn find_in(text: &str, question: &GrantQuestion) -> Result<Option<String>, Problem> {
        let wanted = Wanted::new(question);
        let grants = read::only_grants_in(text)?;
        Ok(grants.split(BETWEEN).find(|grant| wanted.is_granted_by(grant)).map(str::to_owned))
    }

    /// How many lines name a login.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether nothing is granted to anybody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A claim in the spelling of grants.
struct Wanted<'a> {
    mailbox: String,
    domain: &'a str,
    subdomains: bool,
}

impl<'a> Wanted<'a> {
    fn new(question: &'a GrantQuestion) -> Self {
        let domain = question.mailbox.domain().as_str();
        Self { mailbox: question.mailbox.to_string(), domain, subdomains: question.subdomains }
    }

    fn is_granted_by(&self, grant: &str) -> bool {
        let Some(domain) = grant.strip_prefix('@') else {
            return grant == "*" || grant == self.mailbox;
        };
        let below = || self.domain.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
        domain == self.domain || (self.subdomains && below())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::session::Login;

    const FILE: &str = "\
# who may send as what
alice: alice.a@example.org, @sales.example   # two
  \"the boss\"@example.org
bob : *
Carol: carol@Example.NET, Ceo@example.org
\tcfo@example.org

  # a comment between
  board@example.org
alice: late@example.org
Dave: a@example.org
DAVE: b@example.org
DOMAIN\\eve@x: @b\u{fc}cher.example
frank:
\u{e9}l\u{e9}onore: e\u{301}l\u{e9}onore@example.org
";

    fn question(login: &str, mailbox: &str, subdomains: bool) -> GrantQuestion {
        GrantQuestion { login: Login(login.to_owned()), mailbox: mailbox.parse().unwrap(), subdomains }
    }

    #[track_caller]
    fn check(login: &str, mailbox: &str, expected: Option<(&str, usize)>) {
        let grants = Grants::parse(FILE.as_bytes(), None).unwrap();
        let found = grants.find(&question(login, mailbox, false));
        let found = found.as_ref().map(|found| (found.grant.as_str(), found.line));
        assert_eq!(found, expected, "{login} as {mailbox}");
    }

    #[test]
    fn grants_of_every_form() {
        check("alice", "alice.a@example.org", Some(("alice.a@example.org", 2)));
        check("alice", "anybody@sales.example", Some(("@sales.example", 2)));
        check("alice", "\"the boss\"@example.org", Some(("\"the boss\"@example.org", 3)));
        check("alice", "late@example.org", Some(("late@example.org", 10)));
        check("alice", "bob@example.org", None);
        check("alice", "a@x.sales.example", None);
        check("bob", "anybody@anywhere.example", Some(("*", 4)));
        check("Carol", "board@example.org", Some(("board@example.org", 9)));
        check("DOMAIN\\eve@x", "a@xn--bcher-kva.example", Some(("@xn--bcher-kva.example", 13)));
        check("frank", "frank@example.org", None);
        check("nobody", "a@example.org", None);
        check("", "a@example.org", None);
        check(
            "\u{e9}l\u{e9}onore",
            "\u{e9}l\u{e9}onore@example.org",
            Some(("\u{e9}l\u{e9}onore@example.org", 15)),
        );
    }

    #[test]
    fn a_login_in_another_case() {
        check("ALICE", "alice.a@example.org", Some(("alice.a@example.org", 2)));
        check("carol", "cfo@example.org", Some(("cfo@example.org", 6)));
        // Where the file tells spellings apart, so do we.
        check("Dave", "a@example.org", Some(("a@example.org", 11)));
        check("Dave", "b@example.org", None);
        check("DAVE", "b@example.org", Some(("b@example.org", 12)));
        check("dave", "a@example.org", None);
        let grant = "\u{e9}l\u{e9}onore@example.org";
        check("E\u{301}l\u{e9}onore", grant, Some((grant, 15)));
    }

    #[test]
    fn logins_with_a_domain_and_without() {
        let file = "alice: a1@example.org\nbob@Example.org: b1@example.org\n\
                    \"the boss\"@example.org: c1@example.org\neve@b\u{fc}cher.example: e1@example.org\n\
                    alice@example.net: a2@example.org\nAlice@example.org: a3@example.org\n";
        let domain: Domain = "example.org".parse().unwrap();
        let granted = |login: &str, mailbox: &str, domain: Option<&Domain>| {
            Grants::parse(file.as_bytes(), domain).unwrap().find(&question(login, mailbox, false)).is_some()
        };
        let with = |login, mailbox| granted(login, mailbox, Some(&domain));
        assert!(with("alice@example.org", "a1@example.org"));
        assert!(with("alice", "a1@example.org"));
        assert!(with("bob", "b1@example.org"));
        assert!(with("BOB@example.ORG", "b1@example.org"));
        assert!(with("the boss", "c1@example.org"));
        assert!(with("Eve@XN--BCHER-KVA.example", "e1@example.org"));
        assert!(with("alice@example.net", "a2@example.org"));
        // The file has two spellings, so it tells them apart.
        assert!(with("Alice", "a3@example.org"));
        assert!(!with("alice", "a3@example.org"));
        assert!(!with("alice@example.net", "a1@example.org"));
        let without = |login, mailbox| granted(login, mailbox, None);
        assert!(without("alice", "a1@example.org"));
        assert!(!without("alice@example.org", "a1@example.org"));
        assert!(without("alice@example.org", "a3@example.org"));
        assert!(!without("bob", "b1@example.org"));
    }

    #[test]
    fn case_of_addresses() {
        // Claims come in lower case, or as they are where case matters.
        check("Carol", "ceo@example.org", Some(("ceo@example.org", 5)));
        check("Carol", "Ceo@example.org", Some(("Ceo@example.org", 5)));
        check("Carol", "CEO@example.org", None);
    }

    #[test]
    #[cfg(feature = "ldap")]
    fn grants_in_values() {
        let first = |values: &[&str], mailbox: &str| {
            let mut passed = Vec::new();
            let question = question("", mailbox, false);
            let found =
                first_granting(values.iter().copied(), &question, |what| passed.push(what.to_string()));
            (found, passed.join(" "))
        };
        let granted = |grant: &str| (Some(grant.to_owned()), String::new());
        for (value, mailbox, grant) in [
            ("Alice@example.org, @b\u{fc}cher.example", "alice@example.org", "alice@example.org"),
            ("x, @b\u{fc}cher.example", "a@xn--bcher-kva.example", "@xn--bcher-kva.example"),
            ("*", "x@example.org", "*"),
            ("\"a:b\"@example.org", "\"a:b\"@example.org", "\"a:b\"@example.org"),
            // As Exchange has them: the primary address, and others.
            ("SMTP:CEO@Example.org", "ceo@example.org", "ceo@example.org"),
            ("smtp:a.liddell@example.org", "a.liddell@example.org", "a.liddell@example.org"),
            (" sMtP:  \"the boss\"@example.org ", "\"the boss\"@example.org", "\"the boss\"@example.org"),
            ("mailto:info%2Bx@example.org?subject=y", "info+x@example.org", "info+x@example.org"),
        ] {
            assert_eq!(first(&[value], mailbox), granted(grant), "{value}");
        }
        for (value, mailbox, passed) in [
            // Behind the name of a kind there is one address and nothing else.
            ("SMTP:x@example.org nonsense", "x@example.org", "\u{2018}SMTP:x@example.org nonsense\u{2019}"),
            ("smtp:@example.org", "x@example.org", "\u{2018}smtp:@example.org\u{2019}"),
            ("smtp:*", "x@example.org", "\u{2018}smtp:*\u{2019}"),
            ("smtp:*@example.org", "x@example.org", "\u{2018}smtp:*@example.org\u{2019}"),
            ("mailto:%zz@example.org", "x@example.org", "\u{2018}mailto:%zz@example.org\u{2019}"),
            ("smtp:", "x@example.org", "\u{2018}smtp:\u{2019}"),
            // Other kinds may hold anything.
            ("X500:/o=Org/ou=a, x@example.org, *", "x@example.org", "x500:"),
            ("sip:x@example.org", "x@example.org", "sip:"),
            ("EUM:x@example.org;phone-context=a", "x@example.org", "eum:"),
            ("x400:c=us;a= ;p=Org;o=Exchange;s=x@example.org;", "x@example.org", "x400:"),
            ("nothing", "x@example.org", "\u{2018}nothing\u{2019}"),
        ] {
            assert_eq!(first(&[value], mailbox), (None, passed.to_owned()), "{value}");
        }
        assert_eq!(first(&["", "sip:x@a", "*"], "x@example.org"), (Some("*".to_owned()), "sip:".to_owned()));
        assert_eq!(first(&[], "x@example.org"), (None, String::new()));
    }

    #[test]
    fn subdomains() {
        let grants = Grants::parse(b"alice: @example.org", None).unwrap();
        let is_granted = |mailbox, subdomains| grants.find(&question("alice", mailbox, subdomains)).is_some();
        assert!(is_granted("a@b.example.org", true));
        assert!(!is_granted("a@b.example.org", false));
        assert!(!is_granted("a@bexample.org", true));
        assert!(!is_granted("a@org", true));
    }

    #[track_caller]
    fn check_wrong(file: &[u8], expected: &[&str]) {
        let problems = Grants::parse(file, None).unwrap_err();
        let shown: Vec<String> =
            problems.into_iter().map(|one| one.in_file(std::path::Path::new("f")).to_string()).collect();
        assert_eq!(shown, expected, "{}", String::from_utf8_lossy(file));
    }

    #[test]
    fn what_is_wrong_and_where() {
        check_wrong(
            b"alice a@example.org",
            &["f:1:1: there is no \u{2018}:\u{2019} after the login \u{2018}alice a@example.org\u{2019}; \
             write `login: address, address`"],
        );
        check_wrong(
            b"a: b@example.org,  info\n b@[192.0.2.1]",
            &[
                "f:1:20: \u{2018}info\u{2019} is no grant; write an address, @domain or *",
                "f:2:2: \u{2018}[192.0.2.1]\u{2019} is an address literal, not a domain",
            ],
        );
        check_wrong(
            b"a: *@example.org",
            &["f:1:4: \u{2018}*@example.org\u{2019} is no grant; write @example.org for the whole domain"],
        );
        check_wrong(
            b"  b@example.org",
            &[
                "f:1:1: this line continues none, as it begins with white space; begin it with a login and \u{2018}:\u{2019}",
            ],
        );
        check_wrong(b": b@example.org", &["f:1:1: \u{2018}\u{2019} is no login"]);
        check_wrong(b"a\0b: b@example.org", &["f:1:1: \u{2018}a\\u{0}b\u{2019} is no login"]);
        check_wrong(
            "\u{e9}: \"x@example.org".as_bytes(),
            &[
                "f:1:4: \u{2018}\"x@example.org\u{2019} is no address: the quotes in \u{2018}\"x@example.org\u{2019} do not match",
            ],
        );
        check_wrong(b"a: b@example.org\n\xc3\xa9\xff", &["f:2:2: it is not UTF-8; save it as UTF-8"]);
        assert_eq!(Grants::parse("x\n".repeat(100).as_bytes(), None).unwrap_err().len(), 20);
    }
    #[test]
    fn long_lines_and_nuls() {
        let long = "a".repeat(1 << 20);
        assert!(Grants::parse(format!("{long}: {long}@example.org").as_bytes(), None).is_ok());
        assert!(Grants::parse(b"a: b\0@example.org", None).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Grants::parse(&octets, None);
        }
    }
}
