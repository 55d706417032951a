//! Zones as domains have them, and some as they should not: drawn from a number, the same whenever it is the same.

use std::fmt::Write as _;
use std::net::IpAddr;

use fastrand::Rng;
use hickory_proto::op::ResponseCode;

use super::dns::{Fault, Zone};

/// A zone with what is asked about it.
pub(crate) struct World {
    /// The number it was drawn from.
    pub(crate) number: u64,
    /// Owner and record, as [`World::zone`] reads it.
    pub(crate) records: Vec<(String, String)>,
    /// The domains with SPF records, the most interesting first.
    pub(crate) domains: Vec<String>,
    /// What is asked.
    pub(crate) questions: Vec<Question>,
}

/// A client with what it says.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) client: IpAddr,
    pub(crate) helo: String,
    /// Local-part and domain; none for the null reverse-path.
    pub(crate) sender: Option<(String, String)>,
}

/// The clients' networks: documentation's own.
const V4: &str = "192.0.2.";
const V6: &str = "2001:db8::";

/// Policies of a zone; the first is that of the domain that sends.
const POLICIES: usize = 6;

const HOSTS: [&str; 10] = ["mail", "mx1", "mx2", "out", "web", "v4only", "v6only", "alias", "sick", "-mx-"];

const LOCAL_PARTS: [&str; 12] = [
    "info",
    "strong-bad",
    "a.b",
    "UPPER",
    "x+tag",
    "bounce-",
    "-x",
    "a=b",
    "o'brien",
    "user_1",
    "very.long.local.part",
    "a-b-c",
];

/// With a domain behind it, longer than a name may be.
const LONG_LOCAL_PART: &str = "a.b.cccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.dddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.ffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

const ODD_LOCAL_PARTS: [&str; 9] =
    ["a..b", ".a", "a,b", "a b", "jörg", "\"quoted\"", "a/b", "x@y", LONG_LOCAL_PART];

const HELOS: [&str; 5] = ["mail", "mx1", "web", "gone", "a.b"];

const ODD_HELOS: [&str; 6] =
    ["mail_01.out.test", "WIN-ABC123", "-x.test", "[192.0.2.1]", "localhost", "x-.test"];

impl World {
    /// The zone of a number.
    pub(crate) fn draw(number: u64) -> Self {
        let mut draft =
            Draft { rng: Rng::with_seed(number), name: format!("z{number}.test"), records: Vec::new() };
        draft.hosts();
        draft.policies();
        let questions = (0..3).map(|_| draft.question()).collect();
        draft.reverse(&questions);
        let domains = (0..POLICIES).map(|policy| draft.policy_name(policy)).collect();
        Self { number, records: draft.records, domains, questions }
    }

    /// It as the scripted server takes it.
    pub(crate) fn zone(&self) -> Zone {
        self.records.iter().fold(Zone::new(), |zone, (name, record)| {
            let (kind, data) = record.split_once(' ').unwrap_or((record, ""));
            match kind {
                "A" | "AAAA" => zone.address(name, data),
                "MX" => {
                    let (preference, host) = data.split_once(' ').unwrap();
                    zone.mx(name, preference.parse().unwrap(), host)
                }
                "TXT" if data.is_empty() => zone.txt_strings(name, vec![b""]),
                "TXT" => zone.txt(name, data),
                "CNAME" => zone.cname(name, data),
                "PTR" => zone.ptr(name, data),
                "SERVFAIL" => zone.fault(name, Fault::Code(ResponseCode::ServFail)),
                other => panic!("{other}"),
            }
        })
    }

    /// The same with one SPF record for the first domain.
    pub(crate) fn with_record(&self, record: &str) -> Self {
        let is_replaced = |(name, data): &&(String, String)| {
            *name == self.domains[0]
                && data.get(..10).is_some_and(|begin| begin.eq_ignore_ascii_case("TXT v=spf1"))
        };
        let others = self.records.iter().filter(|record| !is_replaced(record));
        let mut records: Vec<(String, String)> = others.cloned().collect();
        records.push((self.domains[0].clone(), format!("TXT {record}")));
        Self {
            number: self.number,
            records,
            domains: self.domains.clone(),
            questions: self.questions.clone(),
        }
    }

    /// It as text, for whoever looks into a difference.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, record) in &self.records {
            writeln!(text, "    {name} {record}").unwrap();
        }
        text
    }
}

struct Draft {
    rng: Rng,
    name: String,
    records: Vec<(String, String)>,
}

impl Draft {
    fn one_in(&mut self, number: u32) -> bool {
        self.rng.u32(0..number) == 0
    }

    fn pick<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.rng.usize(0..list.len())]
    }

    fn add(&mut self, name: String, record: String) {
        self.records.push((name, record));
    }

    fn v4(&mut self) -> String {
        format!("{V4}{}", self.rng.u8(1..24))
    }

    fn v6(&mut self) -> String {
        format!("{V6}{:x}", self.rng.u8(1..24))
    }

    fn hosts(&mut self) {
        for host in HOSTS {
            let name = format!("{host}.{}", self.name);
            match host {
                "alias" => {
                    let target = format!("{}.{}", self.pick(&["mail", "gone", "web"]), self.name);
                    self.add(name, format!("CNAME {target}"));
                    continue;
                }
                "sick" => {
                    self.add(name, "SERVFAIL".to_owned());
                    continue;
                }
                _ => {}
            }
            for _ in 0..self.rng.usize(1..3) {
                if host != "v6only" {
                    let address = self.v4();
                    self.add(name.clone(), format!("A {address}"));
                }
                if host != "v4only" {
                    let address = self.v6();
                    self.add(name.clone(), format!("AAAA {address}"));
                }
            }
        }
        let own = self.name.clone();
        if !self.one_in(3) {
            let (v4, v6) = (self.v4(), self.v6());
            self.add(own.clone(), format!("A {v4}"));
            self.add(own.clone(), format!("AAAA {v6}"));
        }
        for owner in [own.clone(), format!("few.{own}"), format!("many.{own}")] {
            let count = match owner.as_str() {
                many if many.starts_with("many.") => self.rng.usize(9..13),
                _ if self.one_in(12) => 0,
                _ => self.rng.usize(1..4),
            };
            for place in 0..count {
                let host = match self.rng.u32(0..10) {
                    0 => "gone",
                    1 => "v4only",
                    2 => "alias",
                    _ => self.pick(&["mail", "mx1", "mx2", "out", "-mx-"]),
                };
                self.add(owner.clone(), format!("MX {} {host}.{own}", (place + 1) * 10));
            }
        }
        self.add(format!("null.{own}"), "MX 0 .".to_owned());
        for listed in [format!("yes.{own}"), format!("*.list.{own}").replace('*', "info")] {
            self.add(listed, "A 127.0.0.2".to_owned());
        }
        let explanation = self.explanation();
        self.add(format!("why.{own}"), format!("TXT {explanation}"));
        self.add(format!("two.{own}"), "TXT one".to_owned());
        self.add(format!("two.{own}"), "TXT another".to_owned());
    }

    fn explanation(&mut self) -> String {
        let texts = [
            "%{i} is not one of %{d}'s hosts",
            "See http://%{d}/why?s=%{S}&ip=%{i}",
            "%{c} of %{h} (%{r}): %{l} at %{o}",
            "a lone % stands here",
            "%%%_%-done",
            "%{ir}.%{v} %{d2} %{dr} %{l-} %{p}",
            "",
        ];
        self.pick(&texts).to_owned()
    }

    /// The name of a policy, below which others may stand.
    fn policy_name(&self, policy: usize) -> String {
        match policy {
            0 => self.name.clone(),
            1 => format!("_spf.{}", self.name),
            2 => format!("Spf.Sub.{}", self.name),
            4 => format!("-p4-.{}", self.name),
            _ => format!("p{policy}.{}", self.name),
        }
    }

    /// One of the policies from this on.
    fn some_policy(&mut self, first: usize) -> String {
        let policy = self.rng.usize(first..POLICIES);
        self.policy_name(policy)
    }

    fn policies(&mut self) {
        let shape = self.rng.u32(0..12);
        for policy in (0..POLICIES).rev() {
            let name = self.policy_name(policy);
            let text = match (shape, policy) {
                (0, 0) => self.long(),
                (1, _) => self.chain(policy),
                (2, 0) => self.voids(),
                _ => self.record(policy),
            };
            match self.rng.u32(0..60) {
                0 if policy > 0 => {}
                1 => {
                    self.add(name.clone(), format!("TXT {text}"));
                    self.add(name, "TXT v=spf1 -all".to_owned());
                }
                2 => {
                    self.add(name.clone(), "TXT not-spf=1".to_owned());
                    self.add(name, format!("TXT {text}"));
                }
                3 => self.add(name, format!("TXT {}", text.replacen("v=spf1", "v=spf10", 1))),
                4 if policy > 0 => self.add(name, "SERVFAIL".to_owned()),
                5 if policy > 0 => {
                    let target = self.rng.usize(0..policy);
                    let target = self.policy_name(target);
                    self.add(name, format!("CNAME {target}"));
                }
                _ => self.add(name, format!("TXT {text}")),
            }
        }
    }

    /// A record whose look-ups are about as many as may be.
    fn long(&mut self) -> String {
        let terms: Vec<String> = (0..self.rng.usize(8..13)).map(|_| self.asking_term(POLICIES)).collect();
        format!("v=spf1 {} {}", terms.join(" "), self.end(0))
    }

    /// A record that leads to the next.
    fn chain(&mut self, policy: usize) -> String {
        let next = if policy + 1 == POLICIES && self.one_in(2) { 0 } else { policy + 1 };
        let next = if next < POLICIES { self.policy_name(next) } else { format!("mail.{}", self.name) };
        let (front, back) = (self.term(policy), self.term(policy));
        match self.rng.u32(0..3) {
            0 => format!("v=spf1 {front} {back} redirect={next}"),
            1 => format!("v=spf1 {front} include:{next} ?include:{next} -all"),
            _ => format!("v=spf1 {front} include:{next} {back} ~all"),
        }
    }

    /// A record with look-ups that find nothing.
    fn voids(&mut self) -> String {
        let own = self.name.clone();
        let mut terms = Vec::new();
        for number in 0..self.rng.usize(1..5) {
            terms.push(match self.rng.u32(0..4) {
                0 => format!("a:gone{number}.{own}"),
                1 => format!("mx:gone{number}.{own}"),
                2 => format!("exists:gone{number}.{own}"),
                _ => self.asking_term(POLICIES),
            });
        }
        format!("v=spf1 {} {}", terms.join(" "), self.end(0))
    }

    fn record(&mut self, policy: usize) -> String {
        let mut text = if self.one_in(20) { "V=SPF1" } else { "v=spf1" }.to_owned();
        for _ in 0..self.rng.usize(0..5) {
            text.push_str(if self.one_in(15) { "  " } else { " " });
            let term = self.term(policy);
            text.push_str(&if self.one_in(20) { term.to_ascii_uppercase() } else { term });
        }
        text.push(' ');
        text.push_str(&self.end(policy));
        if self.one_in(6) {
            let (target, own) = (self.pick(&["why", "why", "two", "gone"]), self.name.clone());
            let target = if self.one_in(4) { "why.%{d}".to_owned() } else { format!("{target}.{own}") };
            let _ = write!(text, " exp={target}");
        }
        if self.one_in(25) {
            let term = self.term(policy);
            let _ = write!(text, " {term}");
        }
        text
    }

    fn end(&mut self, policy: usize) -> String {
        match self.rng.u32(0..20) {
            0 => String::new(),
            1 => "?all".to_owned(),
            2 => "+all".to_owned(),
            3..=6 if policy + 1 < POLICIES => {
                let target = self.some_policy(policy + 1);
                format!("redirect={target}")
            }
            7 if self.one_in(4) => format!("redirect=gone.{}", self.name),
            8..=12 => "~all".to_owned(),
            _ => "-all".to_owned(),
        }
    }

    fn term(&mut self, policy: usize) -> String {
        let qualifier = match self.rng.u32(0..16) {
            0 => "-",
            1 => "~",
            2 => "?",
            3 => "+",
            _ => "",
        };
        let term = match self.rng.u32(0..120) {
            0..=20 => self.network4(),
            21..=32 => self.network6(),
            33..=38 => return self.modifier(),
            39 => return self.odd_term(),
            _ => self.asking_term(policy),
        };
        format!("{qualifier}{term}")
    }

    fn network4(&mut self) -> String {
        let (address, length) =
            (self.v4(), self.pick(&["", "", "", "/32", "/31", "/28", "/24", "/8", "/1", "/0"]));
        format!("ip4:{address}{length}")
    }

    fn network6(&mut self) -> String {
        let (address, length) = (self.v6(), self.pick(&["", "", "/128", "/127", "/124", "/64", "/1", "/0"]));
        format!("ip6:{address}{length}")
    }

    fn dual(&mut self) -> &'static str {
        if self.one_in(3) {
            self.pick(&["/32", "/24", "/28", "//64", "//128", "/24//120", "/0", "//0", "/0//0", "/31//127"])
        } else {
            ""
        }
    }

    /// A term that asks DNS.
    fn asking_term(&mut self, policy: usize) -> String {
        let own = self.name.clone();
        match self.rng.u32(0..24) {
            0..=2 => format!("a{}", self.dual()),
            3..=6 => {
                let host = if self.one_in(8) { "gone" } else { self.pick(&HOSTS) };
                format!("a:{host}.{own}{}", self.dual())
            }
            7..=8 => format!("mx{}", self.dual()),
            9..=10 => {
                let of = self.pick(&["few", "few", "many", "null", "mail", "gone"]);
                format!("mx:{of}.{own}{}", self.dual())
            }
            11 => "ptr".to_owned(),
            12 => format!("ptr:{}", self.pick(&["test", "out.test", "mail.test"]).replace("test", &own)),
            13..=16 => self.exists(),
            _ => {
                let target = match self.rng.u32(0..40) {
                    0 => format!("gone.{own}"),
                    1 => format!("mail.{own}"),
                    2 => self.some_policy(0),
                    3..=5 => format!("p{}.%{{d2}}", self.rng.usize(3..POLICIES)),
                    _ => self.some_policy((policy + 1).min(POLICIES - 1)),
                };
                format!("include:{target}")
            }
        }
    }

    fn exists(&mut self) -> String {
        let target = self.pick(&[
            "yes.OWN",
            "gone.OWN",
            "%{l}.list.OWN",
            "%{l1r-}.list.%{o}",
            "%{ir}.%{v}.list.OWN",
            "%{i}.list.%{d}",
            "%{h}.helo.OWN",
            "%{l}%%%_x.OWN",
            "%{S}.sender.OWN",
            "%{s}.%{o}.OWN",
            "%{d2}",
            "%{d10}",
            "%{dr-}.OWN",
            "%{o1}.OWN",
            "%{l-+}.list.OWN",
            "%{p}.names.OWN",
            "%{d1r}.OWN",
            "%{IR}.OWN",
            "%{lr}.list.OWN",
            "%{l,}.list.OWN",
            "%{p}",
            "%{l}.-x-.OWN",
            "%{sr,@}.OWN",
            "%{LR-+}.OWN",
        ]);
        format!("exists:{}", target.replace("OWN", &self.name))
    }

    fn modifier(&mut self) -> String {
        let modifier = self.pick(&[
            "op=auth",
            "ra=postmaster",
            "rp=100",
            "x-note=hello",
            "include=a.test",
            "default=softfail",
            "note=%{d}.x",
            "note=%{t}",
            "x=",
            "a=mail.OWN",
            "mxhost=x",
            "ptr=yes",
            "all=yes",
            "auth=1",
            "accredit=%{d}.acc.example",
            "ip4=192.0.2.1",
        ]);
        modifier.replace("OWN", &self.name)
    }

    /// A term that is wrong, or at the border of what is right.
    fn odd_term(&mut self) -> String {
        let term = self.pick(&[
            "ip4:192.0.2.256",
            "ip4:192.0.2",
            "ip4:192.0.2.1/33",
            "ip4:192.0.2.1/08",
            "ip4:",
            "ip4",
            "ipv4:192.0.2.1",
            "192.0.2.1",
            "ip6:2001:db8::g",
            "ip6:192.0.2.1",
            "ip6:::ffff:192.0.2.1",
            "ip6:2001:db8::1/129",
            "a:",
            "a:192.0.2.1",
            "a/33",
            "a//129",
            "a/24/24",
            "mx:",
            "mx/",
            "include",
            "include:",
            "include:localhost",
            "include:http://OWN",
            "exists",
            "exists:%{x}.OWN",
            "exists:%{d0}.OWN",
            "exists:%{c}.OWN",
            "exists:%{d256}",
            "exists:%{i500r}.OWN",
            "a:ma\til.OWN",
            "exists:%{d@}.OWN",
            "include:%{l}.list.OWN",
            "exists:%x.OWN",
            "exists:%{d.OWN",
            "exists:OWN/24",
            "ptr:",
            "ptr/24",
            "all:OWN",
            "--all",
            "all.",
            "mail.OWN",
            "a:mail.OWN.",
            "a:mail.OWN:25",
            "a:mail.OWN,",
            "a:mail..OWN",
            "a:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.OWN",
            "a:x.0test",
            "a:x.test-",
            "a:x.123",
            "redirect=",
            "redirect:OWN",
            "-redirect=OWN",
            "exp=",
            "moo",
            "=a",
            "%{d}",
            "v=spf1",
            "a\tmx",
        ]);
        term.replace("OWN", &self.name)
    }

    fn question(&mut self) -> Question {
        let address = match self.rng.u32(0..8) {
            0 => "240.0.0.1".to_owned(),
            1 => "100::1".to_owned(),
            2..=5 => self.v4(),
            _ => self.v6(),
        };
        let helo = match self.rng.u32(0..12) {
            0 => self.pick(&ODD_HELOS).to_owned(),
            1 => self.name.clone(),
            _ => format!("{}.{}", self.pick(&HELOS), self.name),
        };
        let local_part = if self.one_in(10) { self.pick(&ODD_LOCAL_PARTS) } else { self.pick(&LOCAL_PARTS) };
        let domain = match self.rng.u32(0..10) {
            0 => self.some_policy(0),
            1 => format!("gone.{}", self.name),
            2 => self.name.to_ascii_uppercase(),
            _ => self.name.clone(),
        };
        let sender = (!self.one_in(12)).then(|| (local_part.to_owned(), domain));
        Question { client: address.parse().unwrap(), helo, sender }
    }

    /// What the reverse zones say of the clients.
    fn reverse(&mut self, questions: &Vec<Question>) {
        for question in questions {
            let owner = reverse_name(question.client);
            if self.records.iter().any(|(name, _)| *name == owner) {
                continue;
            }
            let count = match self.rng.u32(0..8) {
                0 => 0,
                1 => self.rng.usize(9..13),
                _ => self.rng.usize(1..4),
            };
            for place in 0..count {
                let name = match self.rng.u32(0..6) {
                    0 => format!("gone{place}.{}", self.name),
                    1 => {
                        let name = format!("c{place}.{}", self.name);
                        let kind = if question.client.is_ipv4() { "A" } else { "AAAA" };
                        self.add(name.clone(), format!("{kind} {}", question.client));
                        name
                    }
                    2 => "elsewhere.example".to_owned(),
                    3 if self.one_in(3) => {
                        let name = self.some_policy(0);
                        let kind = if question.client.is_ipv4() { "A" } else { "AAAA" };
                        self.add(name.clone(), format!("{kind} {}", question.client));
                        name
                    }
                    _ => format!("{}.{}", self.pick(&HOSTS), self.name),
                };
                self.add(owner.clone(), format!("PTR {name}"));
            }
        }
    }
}

/// The name of an address in the reverse zones (RFC 1035, 3.5; RFC 3596, 2.5).
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles: Vec<String> = address
                .octets()
                .iter()
                .rev()
                .map(|octet| format!("{:x}.{:x}", octet & 15, octet >> 4))
                .collect();
            format!("{}.ip6.arpa", nibbles.join("."))
        }
    }
}
