//! Files of grants: `login: address, @domain or *, …`.
//!
//! One login a line; a line that begins with white space continues the one before it, and a login may have several
//! lines. `#` at the beginning of a line or after white space begins a comment. A login ends at the first `:`. Logins
//! are compared as [`Account`]s are, by the case of the file.

mod read;

use crate::facts::GrantQuestion;
use crate::lookup::pairs::Pairs;
use crate::lookup::problem::Problem;
use crate::mail::Domain;
use crate::session::Account;

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

/// The first of these texts' grants that answers a question with yes. They are written as in a file after the login;
/// what is no grant is left out.
#[cfg(any(feature = "ldap", test))]
pub(crate) fn first_granting<'t>(
    texts: impl IntoIterator<Item = &'t str>,
    question: &GrantQuestion,
) -> Option<String> {
    let wanted = Wanted::new(question);
    texts.into_iter().find_map(|text| {
        let grants = read::grants_in(text);
        let granting = grants.split(BETWEEN).find(|grant| wanted.is_granted_by(grant));
        granting.map(str::to_owned)
    })
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
    fn grants_in_texts() {
        let first = |texts: &[&str], mailbox: &str| {
            first_granting(texts.iter().copied(), &question("", mailbox, false))
        };
        let texts = ["SMTP:x@example.org nonsense", "Alice@example.org, @b\u{fc}cher.example", "\tx"];
        assert_eq!(first(&texts, "alice@example.org").as_deref(), Some("alice@example.org"));
        assert_eq!(first(&texts, "a@xn--bcher-kva.example").as_deref(), Some("@xn--bcher-kva.example"));
        assert_eq!(first(&texts, "x@example.org"), None);
        assert_eq!(first(&["", "*"], "x@example.org").as_deref(), Some("*"));
        assert_eq!(first(&[], "x@example.org"), None);
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
}
